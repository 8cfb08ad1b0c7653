"""
The plugin ``twist fileserve``: makes all objects from the options and puts them together.

The only module that knows the reactor. Whatever may bring one in (Klein does)
is imported when the service is made, and not before ``twist --reactor`` chose.
"""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from twisted.logger import Logger

from .settings import Options, Settings

if TYPE_CHECKING:
    from twisted.application.service import IService

__all__ = ["Options", "makeService"]

_log = Logger(namespace="fileserve")

#: Threads that may wait for the disk at once.
_DISK_THREADS = 8


def makeService(options: Options) -> IService:
    """
    Make the server that these options describe.

    :raise SystemExit: it can't be made; the reason was logged.
    """
    from twisted.internet import reactor

    settings = options.settings
    if not os.path.isdir(settings.path):
        _give_up(f"Base file storage path does not exist: {settings.path}")
    _allow_many_files()
    return _assemble(reactor, settings)


def _assemble(reactor: Any, settings: Settings) -> IService:
    from twisted.internet.task import deferLater

    from .archive.endpoint import Archives, Pace
    from .archive.plan import Planner
    from .catalogue.database import THREADS, Catalogue
    from .catalogue.facts import Facts
    from .http.listening import Listeners
    from .http.site import Logging, Site
    from .operations.admin import Admin, Readiness
    from .operations.counters import Counts, Lag
    from .operations.notify import Notifier
    from .service import Server, Stages
    from .storage.disk import DiskStore
    from .threads import Threads
    from .web.root import site as resource_of

    disk = Threads(reactor, "disk", _DISK_THREADS)
    database = Threads(reactor, "catalogue", THREADS)
    catalogue = Catalogue(_open_catalogue(settings), database.run)
    store = DiskStore(settings.path, disk.run)
    counts, lag = Counts(), Lag(reactor)
    pace = Pace(
        logs=settings.logging,
        pause=(lambda: deferLater(reactor, 1)) if settings.delay else None,
        now=reactor.seconds,
    )
    archives = Archives(store, Planner(store, Facts(catalogue), disk.run), counts, pace)
    site = Site(
        resource_of(archives),
        reactor,
        Logging(settings.logging, settings.trust_proxy),
        settings.stall_timeout,
    )
    readiness = Readiness({"storage": store.check, "catalogue": catalogue.ping}, reactor)
    gauges = {
        "fileserve_reactor_lag_seconds": lambda: lag.seconds,
        "fileserve_disk_queue": lambda: disk.queued,
        "fileserve_catalogue_queue": lambda: database.queued,
        "fileserve_connections": lambda: site.connections,
    }
    admin = Site(Admin(readiness, counts, gauges).app.resource(), reactor, Logging(False, ()))
    admin_endpoints = [settings.admin] if settings.admin else []
    return Server(
        reactor,
        Listeners(reactor, site, settings.listen, settings.stall_timeout),
        Listeners(reactor, admin, admin_endpoints, settings.stall_timeout),
        Stages(readiness, Notifier.from_environment(), [_Catalogue(catalogue), disk, database, lag]),
        settings.drain,
    )


class _Catalogue:
    """
    The catalogue as a part of the server: stopped last, after its threads.
    """

    def __init__(self, catalogue: Any) -> None:
        self._catalogue = catalogue

    def start(self) -> None:
        """
        Nothing to begin.
        """

    def stop(self) -> None:
        """
        Close its connections.
        """
        self._catalogue.close()


def _open_catalogue(settings: Settings) -> Any:
    """
    Open the database and bring it up to date. Blocks: nothing is served yet.
    """
    from .catalogue.database import CatalogueIsNewer, migrate, normal_url, open_engine, sqlite_url
    from .catalogue.interfaces import CatalogueUnavailable

    try:
        os.makedirs(settings.state, mode=0o700, exist_ok=True)
        path = os.path.join(settings.state, "catalogue.sqlite")
        engine = open_engine(normal_url(settings.database) if settings.database else sqlite_url(path))
        migrate(engine)
        return engine
    except (OSError, ValueError, CatalogueUnavailable, CatalogueIsNewer) as error:
        _give_up(f"The catalogue can't be opened: {error}")


def _give_up(why: str) -> NoReturn:
    """
    Log why, which goes to standard error as long as no log was begun, and exit.
    """
    _log.critical("{why}", why=why)
    raise SystemExit(1)


def _allow_many_files() -> None:
    """
    Take all the descriptors we may have: each transfer needs a few, and the
    usual first limit of 1024 is meant for programs that use select(2).
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
