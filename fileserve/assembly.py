"""
All objects of the server, put together from what was opened for it.
"""

from __future__ import annotations

from typing import Any

from attrs import frozen
from twisted.internet.task import deferLater

from fileserve.archive.endpoint import Archives, Pace
from fileserve.archive.plan import Planner
from fileserve.catalogue.database import Catalogue
from fileserve.catalogue.facts import Facts
from fileserve.catalogue.files import Files
from fileserve.files.albums import AlbumApi, Taking
from fileserve.files.api import FileApi, Linking
from fileserve.files.contents import Contents
from fileserve.files.downloads import Downloads
from fileserve.files.excerpts import Excerpts
from fileserve.files.intake import Intake, Limits
from fileserve.files.recovery import Recovery
from fileserve.files.uploads import Uploads
from fileserve.http.links import LinkSigner
from fileserve.http.listening import Listeners
from fileserve.http.site import Logging, Site
from fileserve.identity import Identity
from fileserve.operations.admin import Admin, Readiness
from fileserve.operations.counters import Counts, Lag
from fileserve.operations.notify import Notifier
from fileserve.service import Part, Server, Stages
from fileserve.settings import Settings
from fileserve.storage.interfaces import IFileStore
from fileserve.threads import Threads
from fileserve.web.access import Access
from fileserve.web.api import FileFeatures
from fileserve.web.keys import Keys
from fileserve.web.root import site as resource_of
from fileserve.web.throttle import Throttle


@frozen
class Ground:
    """
    What was opened, and the server stands on.
    """

    reactor: Any
    settings: Settings
    disk: Threads
    database: Threads
    store: IFileStore
    catalogue: Catalogue
    identity: Identity
    keys: Keys
    #: The upload key, if it was made just now.
    first_key: str | None

    @property
    def now(self) -> Any:
        """
        Tells seconds since 1970 UTC.
        """
        return self.reactor.seconds

    def now_us(self) -> int:
        """
        Tells microseconds since 1970 UTC.
        """
        return int(self.reactor.seconds() * 1_000_000)


def server(ground: Ground) -> Server:
    """
    Make the server; nothing has begun.
    """
    facts, counts, lag = Facts(ground.catalogue), Counts(), Lag(ground.reactor)
    features, recovery = _files(ground, facts)
    access = Access(ground.keys, Throttle(ground.now), ground.settings.open_uploads, ground.now)
    resource = resource_of(_archives(ground, facts, counts), features, access)
    logging = Logging(ground.settings.logging, ground.settings.trust_proxy)
    site = Site(resource, ground.reactor, logging, ground.settings.stall_timeout)
    readiness = Readiness({"storage": ground.store.check, "catalogue": ground.catalogue.ping}, ground.reactor)
    admin = Admin(readiness, counts, _gauges(ground, lag, site)).app.resource()
    parts: list[Part] = [_Ending(ground), ground.disk, ground.database, lag, recovery]
    return Server(
        ground.reactor,
        _listeners(ground, site, ground.settings.listen),
        _listeners(ground, Site(admin, ground.reactor, Logging(False, ())), _given(ground.settings.admin)),
        Stages(readiness, Notifier.from_environment(), parts, ground.first_key),
        ground.settings.drain,
    )


def _archives(ground: Ground, facts: Facts, counts: Counts) -> Archives:
    pace = Pace(
        logs=ground.settings.logging,
        pause=(lambda: deferLater(ground.reactor, 1)) if ground.settings.delay else None,
        now=ground.now,
    )
    return Archives(ground.store, Planner(ground.store, facts, ground.disk.run), counts, pace)


def _files(ground: Ground, facts: Facts) -> tuple[FileFeatures, Recovery]:
    store, in_thread = ground.store, ground.disk.run
    files = Files(ground.catalogue, ground.identity.name, ground.now_us)
    contents = Contents(store, facts, in_thread)
    limits = Limits(ground.settings.max_upload, ground.settings.min_free)
    intake = Intake(store, in_thread, limits, ground.now)
    uploads = Uploads(store, files, facts, intake, ground.now_us)
    downloads = Downloads(store, files, contents, ground.now)
    linking = Linking(LinkSigner(ground.keys.link_keys), ground.now)
    api = FileApi(uploads, downloads, files, store, linking)
    albums = AlbumApi(store, in_thread, contents, Taking(intake, uploads), downloads)
    features = FileFeatures(
        uploads, downloads, api, albums, files, Excerpts(store), ground.settings.max_upload
    )
    return features, Recovery(ground.reactor, uploads, store, facts)


def _gauges(ground: Ground, lag: Lag, site: Site) -> Any:
    return {
        "fileserve_reactor_lag_seconds": lambda: lag.seconds,
        "fileserve_disk_queue": lambda: ground.disk.queued,
        "fileserve_catalogue_queue": lambda: ground.database.queued,
        "fileserve_connections": lambda: site.connections,
    }


def _listeners(ground: Ground, site: Site, endpoints: tuple[str, ...]) -> Listeners:
    return Listeners(ground.reactor, site, endpoints, ground.settings.stall_timeout)


def _given(endpoint: str | None) -> tuple[str, ...]:
    return () if endpoint is None else (endpoint,)


class _Ending(Part):
    """
    What has nothing to begin, and ends last: when no thread uses it any more.
    """

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def start(self) -> None:
        """
        Nothing to begin.
        """

    def stop(self) -> None:
        """
        Close connections, and let go of our name.
        """
        self._ground.store.close()
        self._ground.catalogue.close()
        self._ground.identity.release()
