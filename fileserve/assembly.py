"""
The server, put together from what was opened for it.
"""

from __future__ import annotations

from typing import Any

from fileserve.features import Features, features
from fileserve.ground import Ground
from fileserve.http.listening import Listeners
from fileserve.http.site import Logging, Site
from fileserve.operations.admin import Admin, Readiness
from fileserve.operations.counters import Counts, Lag
from fileserve.operations.notify import Notifier
from fileserve.service import Part, Server, Stages
from fileserve.web.access import Access
from fileserve.web.root import site as resource_of
from fileserve.web.throttle import Throttle


def server(ground: Ground) -> Server:
    """
    Make the server; nothing has begun.
    """
    counts, lag = Counts(), Lag(ground.reactor)
    offered = features(ground, counts)
    site = _site(ground, offered)
    readiness = Readiness({"storage": ground.store.check, "catalogue": ground.catalogue.ping}, ground.reactor)
    admin = Admin(readiness, counts, _gauges(ground, offered, lag, site)).app.resource()
    parts: list[Part] = [_Ending(ground), ground.disk, ground.database, lag, *offered.parts]
    return Server(
        ground.reactor,
        _listeners(ground, site, ground.settings.listen),
        _listeners(ground, Site(admin, ground.reactor, Logging(False, ())), _given(ground.settings.admin)),
        Stages(readiness, Notifier.from_environment(), parts, ground.first_key),
        ground.settings.drain,
    )


def _site(ground: Ground, offered: Features) -> Site:
    access = Access(ground.keys, Throttle(ground.now), ground.settings.open_uploads, ground.now)
    resource = resource_of(offered.archives, offered.stripped, offered.files, offered.gallery, access)
    logging = Logging(ground.settings.logging, ground.settings.trust_proxy)
    return Site(resource, ground.reactor, logging, ground.settings.stall_timeout)


def _gauges(ground: Ground, offered: Features, lag: Lag, site: Site) -> Any:
    return {
        "fileserve_reactor_lag_seconds": lambda: lag.seconds,
        "fileserve_disk_queue": lambda: ground.disk.queued,
        "fileserve_catalogue_queue": lambda: ground.database.queued,
        "fileserve_pictures_queue": lambda: offered.workshop.queued,
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
