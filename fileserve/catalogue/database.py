"""
The SQL database of the catalogue: opening it, bringing its schema up to date, and asking it from threads.

SQLite for one machine, PostgreSQL (psycopg 3) for many.  No URL is ever part of a message, because it may
hold a password; nor are the parameters of a statement, because a secret album name may be among them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from fcntl import LOCK_EX, flock
from typing import Any, Concatenate, ParamSpec, TypeVar

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, func, literal, make_url, select
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry
from twisted.internet.defer import Deferred

from fileserve.catalogue.interfaces import CatalogueIsNewer, CatalogueUnavailable
from fileserve.catalogue.schema import facts

__all__ = [
    "THREADS",
    "Catalogue",
    "CatalogueIsNewer",
    "CatalogueUnavailable",
    "migrate",
    "normal_url",
    "open_engine",
    "sqlite_url",
]

THREADS = 4
"""How many threads ask the catalogue at once, unless told; each of them has a connection of its own."""

MIGRATION_LOCK = int.from_bytes(b"fileserv", "big")
"""The number of PostgreSQL's advisory lock; any would do."""

P = ParamSpec("P")
T = TypeVar("T")

_POSTGRESQL = frozenset({"postgres", "postgresql", "postgresql+psycopg"})
_SQLITE = frozenset({"sqlite", "sqlite+pysqlite"})
_ALLOWED = (
    "a database is given as sqlite:////PATH/OF/A/FILE or as postgresql://USER:PASSWORD@HOST/NAME "
    "(special characters of the password percent-encoded)"
)


def normal_url(url: str) -> str:
    """
    Bring a database URL into the one form that `open_engine` takes.

    Plain ``postgresql://`` and ``postgres://`` mean psycopg 3; SQLite must name a file, because each thread
    would have its own database in memory.

    :raise ValueError: for anything else, with a sentence that says what is allowed and repeats nothing of it.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        raise ValueError(_ALLOWED) from None
    if parsed.drivername in _POSTGRESQL and "@" not in (parsed.host or ""):  # else a part of the password
        parsed = parsed.set(drivername="postgresql+psycopg")
    elif not (parsed.drivername in _SQLITE and _names_a_file(parsed)):
        raise ValueError(_ALLOWED)
    return parsed.render_as_string(hide_password=False)


def _names_a_file(url: URL) -> bool:
    return url.host is None and url.database not in (None, "", ":memory:") and "uri" not in url.query


def sqlite_url(path: str | os.PathLike[str]) -> str:
    """
    The URL of an SQLite database in a file, whatever characters its path has.
    """
    return URL.create("sqlite", database=os.fspath(path)).render_as_string()


def open_engine(url: str, *, threads: int = THREADS, busy_timeout: float = 10.0) -> Engine:
    """
    Prepare connections to a database; none is made yet.  The caller closes it by ``dispose()``.

    A SQLite file that is not there is made, empty and for us alone.

    :param url: as `normal_url` allows.
    :param threads: how many threads will use it at once.
    :param busy_timeout: how long to wait in SQLite for another writer, and for a connection when more threads
        than that want one, in seconds.
    :raise ValueError: for a URL that is not allowed, and where the driver for PostgreSQL is not installed.
    """
    parsed = make_url(normal_url(url))
    # Parameters hold secret album names, and a traceback in the log would print them.
    options: dict[str, Any] = {
        "hide_parameters": True,
        "max_overflow": 0,
        "pool_size": threads,
        "pool_timeout": busy_timeout,
    }
    if parsed.drivername == "postgresql+psycopg":
        return _open_postgresql(parsed, options)
    _make_private(parsed)
    engine = create_engine(parsed, **options)
    event.listen(engine, "connect", _sqlite_settings(busy_timeout))
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def _make_private(url: URL) -> None:
    """
    Make a new SQLite file readable for us alone, whatever the folder it is in: it holds secret names.

    SQLite gives the files beside it the same mode.  Where it can't be made, connecting says why.
    """
    with suppress(OSError):
        os.close(os.open(url.database or "", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _open_postgresql(url: URL, options: dict[str, Any]) -> Engine:
    # libpq's names: seconds until a connection is given up, milliseconds until an unanswered packet ends it
    # (otherwise a lost network holds a thread, and the download that waits for it, for a quarter of an hour).
    wanted = {"connect_timeout": 5, "tcp_user_timeout": 10_000}
    arguments = {name: value for name, value in wanted.items() if name not in url.query}
    try:
        return create_engine(url, pool_pre_ping=True, connect_args=arguments, **options)
    except ImportError:
        raise ValueError("PostgreSQL needs psycopg: pip install 'fileserve[postgresql]'") from None


def _sqlite_settings(busy_timeout: float) -> Callable[[Any, ConnectionPoolEntry], None]:
    def apply(connection: Any, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # `_sqlite_begin` says when a transaction begins
        connection.execute(f"PRAGMA busy_timeout = {round(busy_timeout * 1000)}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    return apply


def _sqlite_begin(connection: Connection) -> None:
    # sqlite3 itself begins nothing before a SELECT or a CREATE TABLE.  IMMEDIATE takes the place of the one
    # writer at once: a transaction that reads first and then writes may fail unwaited (SQLITE_BUSY_SNAPSHOT).
    reads = connection.get_execution_options().get("fileserve_reads", False)
    connection.exec_driver_sql("BEGIN DEFERRED" if reads else "BEGIN IMMEDIATE")


def migrate(engine: Engine) -> None:
    """
    Bring the schema up to date, in one transaction: all of it or nothing.

    Blocks; for the start of the program, before anything else asks the database, and once at a time in a
    process (Alembic's context is global).  Two processes may do it at once: the second waits for the first
    and finds nothing to do.  Beside an SQLite file an empty one for that lock is made, and stays.

    :raise CatalogueUnavailable: when the database cannot be used.
    :raise CatalogueIsNewer: when a newer fileserve has been here; nothing was changed.
    """
    config = Config()
    config.set_main_option("script_location", "fileserve.catalogue:migrations")
    with _alone(engine) as connection:
        _refuse_newer(connection, ScriptDirectory.from_config(config))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """
    A transaction that no other process's `migrate` is in at the same time.
    """
    with ExitStack() as stack:
        stack.enter_context(_trouble_named(engine))
        if engine.url.drivername in _SQLITE:
            # BEGIN IMMEDIATE comes too late: of two that switch a new file to WAL at once, one is told
            # "database is locked" without any wait (41 of 3600 tries, SQLite 3.40 on 2026-11-20).
            stack.enter_context(_file_lock(engine))
        connection = stack.enter_context(engine.begin())
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        yield connection


@contextmanager
def _file_lock(engine: Engine) -> Iterator[None]:
    try:
        descriptor = os.open(f"{engine.url.database}.lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CatalogueUnavailable(_name(engine), error.strerror or str(error)) from error
    try:
        flock(descriptor, LOCK_EX)  # let go of when the file is closed, even by a kill
        yield
    finally:
        os.close(descriptor)


def _refuse_newer(connection: Connection, script: ScriptDirectory) -> None:
    known = {step.revision for step in script.walk_revisions()}
    for revision in MigrationContext.configure(connection).get_current_heads():
        if revision not in known:
            raise CatalogueIsNewer(_name(connection.engine), revision)


class Catalogue:
    """
    The database, asked without stopping the reactor.

    :param engine: from `open_engine`.
    :param in_thread: ``in_thread(f, *args)`` calls ``f(*args)`` in the catalogue's own bounded pool of
        threads and returns a ``Deferred``.  Cancelling that frees the caller; the transaction goes on.
    """

    def __init__(self, engine: Engine, in_thread: Callable[..., Deferred[Any]]) -> None:
        self._engine = engine
        self._reading = engine.execution_options(fileserve_reads=True)
        self._in_thread = in_thread

    def run(
        self, f: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Deferred[T]:
        """
        Call ``f(connection, *args)`` in a thread, in one transaction that may write.

        :param f: must not keep the connection, nor return anything that needs it.  What it raises undoes the
            transaction.
        :return: a ``Deferred`` firing with what ``f`` returns when that is committed.  Fails with
            `CatalogueUnavailable`; with SQLAlchemy's ``IntegrityError`` or ``DataError``, which speak of the
            values and not of the database (PostgreSQL's text names them: not for the log); or with what ``f``
            raises.
        """
        return self._in_thread(_transact, self._engine, f, *args, **kwargs)

    def read(
        self, f: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Deferred[T]:
        """
        As `run`, for an ``f`` that only reads: it does not wait for those that write.
        """
        return self._in_thread(_transact, self._reading, f, *args, **kwargs)

    def ping(self) -> Deferred[None]:
        """
        Find out whether the catalogue answers.

        :return: a ``Deferred`` firing with ``None``, or failing with `CatalogueUnavailable`.
        """
        return self.read(_ping)

    def close(self) -> None:
        """
        Close every connection; for the end, after the pool of threads has stopped.
        """
        self._engine.dispose()


def _ping(connection: Connection) -> None:
    # SQLite answers a SELECT 1 without a table from memory.
    connection.execute(select(literal(1)).select_from(facts).limit(1)).all()


def _transact(
    engine: Engine, f: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    with _trouble_named(engine), engine.begin() as connection:
        return f(connection, *args, **kwargs)


@contextmanager
def _trouble_named(engine: Engine) -> Iterator[None]:
    """
    Turn what the driver raises about the database into `CatalogueUnavailable`.
    """
    try:
        yield
    except (IntegrityError, DataError):
        raise
    except DBAPIError as error:
        raise CatalogueUnavailable(_name(engine), _first_line(error.orig)) from error
    except PoolTimeout as error:
        raise CatalogueUnavailable(_name(engine), _first_line(error)) from error


def _name(engine: Engine) -> str:
    url = engine.url
    if url.drivername in _SQLITE:
        return str(url.database)
    host = url.host or url.query.get("host", "localhost")
    return f"{url.database} at {host}"


def _first_line(error: BaseException | None) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
