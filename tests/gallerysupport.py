"""
What tests of galleries share: pictures, a workshop without processes, and all that their pages are made over.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from io import BytesIO
from secrets import token_hex
from typing import Any, cast

from PIL import ExifTags, Image
from twisted.internet.defer import Deferred, fail, maybeDeferred

from fileserve.catalogue.memory import MemoryFiles
from fileserve.catalogue.memorypictures import MemoryClaims
from fileserve.files.contents import Contents
from fileserve.files.downloads import Downloads
from fileserve.files.intake import Intake
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
from fileserve.pictures.facts import PictureFacts
from fileserve.pictures.looking import look
from fileserve.pictures.previewing import previews as previews_of
from fileserve.pictures.worker import Output
from fileserve.pictures.workshop import Busy
from fileserve.web.galleryfeatures import GalleryFeatures


def picture(
    width: int = 60,
    height: int = 40,
    colour: str = "teal",
    kind: str = "JPEG",
    *,
    maker: str = "",
    model: str = "",
    taken: str = "",
    located: bool = False,
) -> bytes:
    """
    A picture of one colour.

    :param kind: as Pillow calls its format.
    :param taken: as EXIF writes it: ``2026:11:20 21:52:00``.
    """
    exif = Image.Exif()
    if maker:
        exif[ExifTags.Base.Make] = maker
    if model:
        exif[ExifTags.Base.Model] = model
    if taken:
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = taken
    if located:
        exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (48.0, 8.0, 0.0), 3: "E", 4: (11.0, 34.0, 0.0)})
    out = BytesIO()
    Image.new("RGB", (width, height), colour).save(out, kind, exif=exif)
    return out.getvalue()


class Studio:
    """
    A workshop that does at once, in this process, what children do.

    :ivar busy: whether its queue is full.
    :ivar looked: how many files it looked at.
    """

    size = 1
    queued = 0

    def __init__(self) -> None:
        self.busy = False
        self.looked = 0

    def look(self, files: Sequence[tuple[int, str]], urgent: bool = True) -> Deferred[list[PictureFacts]]:
        """See `fileserve.pictures.workshop.Workshop.look`."""
        if self.busy:
            return fail(Busy("So many pictures wait already."))
        self.looked += len(files)
        return maybeDeferred(lambda: [self._look(*each) for each in files])

    def _look(self, descriptor: int, media_type: str) -> PictureFacts:
        with os.fdopen(os.dup(descriptor), "rb") as file:
            file.seek(0)
            return look(file, media_type)

    def preview(self, descriptor: int, media_type: str, outputs: Sequence[Output]) -> Deferred[None]:
        """See `fileserve.pictures.workshop.Workshop.preview`."""
        if self.busy:
            return fail(Busy("So many pictures wait already."))
        return maybeDeferred(self._preview, descriptor, media_type, outputs)

    def _preview(self, descriptor: int, media_type: str, outputs: Sequence[Output]) -> None:
        with os.fdopen(os.dup(descriptor), "rb") as file:
            file.seek(0)
            made = previews_of(file, media_type, [(each.size, each.format) for each in outputs])
        for output, data in zip(outputs, made, strict=True):
            os.pwrite(output.descriptor, data, 0)


def gallery_features(
    store: Any,
    facts: Any,
    pictures: Any,
    contents: Contents,
    intake: Intake,
    *,
    clock: Any,
    in_thread: Callable[..., Deferred[Any]],
    remove: Callable[..., Any],
    wanted: UploadRules | None = None,
    studio: Studio | None = None,
    album: str | None = "gallery",
) -> GalleryFeatures:
    """
    All that the pages are made over, of real parts but for the processes.

    :param remove: removes a member.
    """
    now, workshop = clock.seconds, cast(Any, studio or Studio())
    # Made when it is needed, among what the tests leave.
    state = os.path.abspath(f"state-{token_hex(8)}")
    descriptors = Descriptors(store, state, in_thread)
    heads = Heads(store, workshop, descriptors, in_thread, clock)
    previews = Previews(descriptors, contents, PreviewCache(state, 2**24, now), workshop, in_thread)
    memory = Memory(facts, pictures, MemoryClaims(lambda: int(now() * 1_000_000)), contents)
    admission, spools = Admission(store, intake, memory), Spools(state, in_thread)
    stripped = Contents(WithoutLocation(store, in_thread), FactsWithoutLocation(facts), in_thread)
    return GalleryFeatures(
        store=store,
        contents=contents,
        order=Order(store, in_thread, now),
        noticing=Noticing(pictures, heads, in_thread, clock, facts.forget),
        previews=previews,
        uploads=PictureUploads(admission, intake, workshop, spools, wanted=wanted or UploadRules(), now=now),
        removal=Removal(facts, previews, remove),
        downloads=Downloads(store, MemoryFiles(), contents, now),
        stripped=Downloads(WithoutLocation(store, in_thread), MemoryFiles(), stripped, now),
        album=album,
        max_upload=64 * 1024 * 1024,
        rules=wanted or UploadRules(),
    )
