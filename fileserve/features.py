"""
The features of the site, put together: archives, files and galleries, over one store and one catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from twisted.internet.task import deferLater

from fileserve.archive.endpoint import Archives, Pace
from fileserve.archive.plan import Planner
from fileserve.archive.transfer import Counters
from fileserve.catalogue.claims import Claims
from fileserve.catalogue.facts import Facts
from fileserve.catalogue.files import Files
from fileserve.catalogue.interfaces import IFacts
from fileserve.catalogue.pictures import Pictures
from fileserve.files.albums import AlbumApi, Taking
from fileserve.files.api import FileApi, Linking
from fileserve.files.contents import Contents
from fileserve.files.downloads import Downloads
from fileserve.files.excerpts import Excerpts
from fileserve.files.intake import Intake, Limits
from fileserve.files.members import Members
from fileserve.files.recovery import Recovery
from fileserve.files.uploads import Uploads
from fileserve.gallery.admission import Admission, Memory
from fileserve.gallery.descriptors import Descriptors
from fileserve.gallery.heads import Heads
from fileserve.gallery.noticing import Noticing
from fileserve.gallery.order import Order
from fileserve.gallery.previewcache import PreviewCache
from fileserve.gallery.previews import Previews
from fileserve.gallery.removal import Removal
from fileserve.gallery.spool import Spools
from fileserve.gallery.stripped import WithoutLocation
from fileserve.gallery.strippedfacts import FactsWithoutLocation
from fileserve.gallery.uploading import PictureUploads, UploadRules
from fileserve.ground import Ground
from fileserve.http.links import LinkSigner
from fileserve.pictures.workshop import Workshop, processors
from fileserve.service import Part
from fileserve.storage.interfaces import IFileStore
from fileserve.threads import Threads
from fileserve.web.api import FileFeatures
from fileserve.web.galleryfeatures import GalleryFeatures


@frozen
class Features:
    """
    What the site offers.
    """

    archives: Archives
    #: The same albums, in which no picture says where it was taken.
    stripped: Archives
    files: FileFeatures
    gallery: GalleryFeatures
    workshop: Workshop
    #: To be started, in this order, and stopped.
    parts: Sequence[Part]


def features(ground: Ground, counters: Counters) -> Features:
    """
    Put them together; nothing has begun.
    """
    facts = Facts(ground.catalogue)
    bare = WithoutLocation(ground.store, ground.disk.run)
    common = _Common(ground, facts)
    return Features(
        archives=_archives(ground, ground.store, facts, counters),
        stripped=_archives(ground, bare, FactsWithoutLocation(facts), counters),
        files=common.file_features(),
        gallery=common.gallery_features(bare),
        workshop=common.workshop,
        parts=[common.workshop, common.previews, common.noticing, common.recovery],
    )


def _archives(ground: Ground, store: IFileStore, facts: IFacts, counters: Counters) -> Archives:
    pace = Pace(
        logs=ground.settings.logging,
        pause=(lambda: deferLater(ground.reactor, 1)) if ground.settings.delay else None,
        now=ground.now,
    )
    return Archives(store, Planner(store, facts, ground.disk.run), counters, pace)


class _Common:
    """
    What files and galleries share.
    """

    def __init__(self, ground: Ground, facts: IFacts) -> None:
        settings, store, in_thread = ground.settings, ground.store, ground.disk.run
        self._ground = ground
        self._facts = facts
        self._rules = UploadRules(settings.photo_max_age, settings.strip_location)
        self._pictures = Pictures(ground.catalogue)
        self._files = Files(ground.catalogue, ground.identity.name, ground.now_us)
        self._contents = Contents(store, facts, in_thread)
        self._intake = Intake(store, in_thread, Limits(settings.max_upload, settings.min_free), ground.now)
        self._downloads = Downloads(store, self._files, self._contents, ground.now)
        size = processors()
        self.workshop = Workshop(ground.reactor, Threads(ground.reactor, "pictures", size), size)
        cache = PreviewCache(ground.below_state("previews"), settings.preview_cache)
        descriptors = Descriptors(store, ground.below_state("spool"), in_thread, settings.min_free)
        self.previews = Previews(descriptors, self._contents, cache, self.workshop, in_thread)
        heads = Heads(store, self.workshop, descriptors, in_thread, ground.reactor)
        self.noticing = Noticing(self._pictures, heads, in_thread, ground.reactor, facts.forget)
        self._uploads = Uploads(
            store, self._files, facts, self._intake, ground.now_us, removed=self.previews.drop
        )
        self.recovery = Recovery(ground.reactor, self._uploads, store, facts)
        self._removal = Removal(facts, self.previews, Members(store, self._uploads).remove)

    def file_features(self) -> FileFeatures:
        ground, store = self._ground, self._ground.store
        linking = Linking(LinkSigner(ground.keys.link_keys), ground.now)
        taking = Taking(self._intake, self._removal.remove)
        return FileFeatures(
            self._uploads,
            self._downloads,
            FileApi(self._uploads, self._downloads, self._files, store, linking),
            AlbumApi(
                store,
                ground.disk.run,
                self._contents,
                pictures=self._pictures,
                taking=taking,
                downloads=self._downloads,
            ),
            self._files,
            Excerpts(store),
            ground.settings.max_upload,
        )

    def gallery_features(self, bare: WithoutLocation) -> GalleryFeatures:
        ground, settings, in_thread = self._ground, self._ground.settings, self._ground.disk.run
        contents = Contents(bare, FactsWithoutLocation(self._facts), in_thread)
        return GalleryFeatures(
            store=ground.store,
            contents=self._contents,
            order=Order(ground.store, in_thread, ground.now),
            noticing=self.noticing,
            previews=self.previews,
            uploads=self._picture_uploads(),
            removal=self._removal,
            downloads=self._downloads,
            stripped=Downloads(bare, self._files, contents, ground.now),
            album=settings.gallery,
            max_upload=settings.max_upload,
            rules=self._rules,
        )

    def _picture_uploads(self) -> PictureUploads:
        ground, settings = self._ground, self._ground.settings
        claims = Claims(ground.catalogue, ground.identity.name, ground.now_us)
        memory = Memory(self._facts, self._pictures, claims, self._contents)
        return PictureUploads(
            Admission(ground.store, self._intake, memory),
            self._intake,
            self.workshop,
            Spools(ground.below_state("spool"), ground.disk.run, settings.min_free),
            wanted=self._rules,
            now=ground.now,
        )
