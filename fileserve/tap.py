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

    from .ground import Ground
    from .storage.interfaces import IFileStore
    from .web.keys import Keys

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
    _allow_many_files()
    from .assembly import server

    return server(_open(reactor, settings))


def _open(reactor: Any, settings: Settings) -> Ground:
    """
    Open all that the server needs. Blocks: nothing is served yet.
    """
    from .catalogue.database import THREADS, Catalogue
    from .ground import Ground
    from .identity import Identity
    from .threads import Threads

    try:
        os.makedirs(settings.state, mode=0o700, exist_ok=True)
        identity = Identity.claim(settings.state)
    except OSError as error:
        _give_up(f"The state directory {settings.state} can't be used: {error.strerror}")
    keys, first_key = _read_keys(settings)
    disk = Threads(reactor, "disk", _DISK_THREADS)
    database = Threads(reactor, "catalogue", THREADS)
    return Ground(
        reactor=reactor,
        settings=settings,
        disk=disk,
        database=database,
        store=_open_store(reactor, settings, disk.run),
        catalogue=Catalogue(_open_catalogue(settings), database.run),
        identity=identity,
        keys=keys,
        first_key=first_key,
    )


def _open_store(reactor: Any, settings: Settings, in_thread: Any) -> IFileStore:
    from .storage.disk import DiskStore

    if isinstance(settings.storage, str):
        if not os.path.isdir(settings.storage):
            _give_up(f"Base file storage path does not exist: {settings.storage}")
        return DiskStore(settings.storage, in_thread)
    try:
        from .storage.s3 import S3Store

        return S3Store(settings.storage, reactor, in_thread)
    except (ImportError, ValueError) as error:
        _give_up(f"The storage can't be used: {error}")


def _open_catalogue(settings: Settings) -> Any:
    """
    Open the database and bring it up to date.
    """
    from .catalogue.database import normal_url, open_engine, sqlite_url
    from .catalogue.interfaces import CatalogueIsNewer, CatalogueUnavailable
    from .catalogue.migrating import migrate

    try:
        path = os.path.join(settings.state, "catalogue.sqlite")
        engine = open_engine(normal_url(settings.database) if settings.database else sqlite_url(path))
        migrate(engine)
        return engine
    except (OSError, ValueError, CatalogueUnavailable, CatalogueIsNewer) as error:
        _give_up(f"The catalogue can't be opened: {error}")


def _read_keys(settings: Settings) -> tuple[Keys, str | None]:
    """
    Read the upload key; at the first start, make one.

    :return: the keys, and the one that was made just now.
    """
    from .web.keys import Keys, new_key

    name = settings.upload_key_file or os.path.join(settings.state, "upload-key")
    made = None
    try:
        if settings.upload_key_file is None and not os.path.exists(name):
            made = new_key()
            _write_whole(name, made + "\n")
        with open(name, encoding="utf-8") as file:
            keys = Keys.parse(file.read())
        # Another process that started at the same time may have made the one that stays.
        return keys, made if made is not None and keys.permits(made) else None
    except (OSError, ValueError) as error:
        _give_up(f"The file of --upload-key-file can't be used, {name}: {error}")


def _write_whole(name: str, text: str) -> None:
    """
    Make a file for us alone, that is never there without its text; one that another process made stays.
    """
    draft = f"{name}.{os.getpid()}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(descriptor)
    with suppress(FileExistsError):
        os.link(draft, name)
    os.unlink(draft)


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
