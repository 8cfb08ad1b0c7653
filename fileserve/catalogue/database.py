"""
The SQL database of the catalogue: opening it, and asking it from threads.

SQLite for one machine, PostgreSQL (psycopg 3) for many.  No URL is ever part of a message, because it may
hold a password; nor are the parameters of a statement, because a secret album name may be among them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, literal, make_url, select
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry
from twisted.internet.defer import Deferred

from fileserve.catalogue.batches import Rows, Transactions
from fileserve.catalogue.interfaces import CatalogueUnavailable
from fileserve.catalogue.schema import facts

THREADS = 4
"""How many threads ask the catalogue at once, unless told; each of them has a connection of its own."""

P = ParamSpec("P")
T = TypeVar("T")

SQLITE = frozenset({"sqlite", "sqlite+pysqlite"})

_POSTGRESQL = frozenset({"postgres", "postgresql", "postgresql+psycopg"})

_READING: dict[str, dict[str, Any]] = {
    "sqlite": {"fileserve_reads": True},
    "postgresql": {"isolation_level": "AUTOCOMMIT"},
}
"""
How a connection that only reads does without a transaction: to read one row takes 45 us instead of 61 in
SQLite, and in PostgreSQL two turns of the network less (measured 2026-11-20).
"""

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
    elif not (parsed.drivername in SQLITE and _names_a_file(parsed)):
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
    if not connection.get_execution_options().get("fileserve_reads", False):
        connection.exec_driver_sql("BEGIN IMMEDIATE")


class Catalogue:
    """
    The database, asked without stopping the reactor.

    :param engine: from `open_engine`.
    :param in_thread: ``in_thread(f, *args)`` calls ``f(*args)`` in the catalogue's own bounded pool of
        threads and returns a ``Deferred``.  Cancelling that frees the caller; the transaction goes on.
    """

    def __init__(self, engine: Engine, in_thread: Callable[..., Deferred[Any]]) -> None:
        self._engine = engine
        self._reading = engine.execution_options(**_READING[engine.dialect.name])
        self._in_thread = in_thread
        self._transactions = Transactions(self.run)

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

        There is no transaction around it: each statement sees what is committed when it begins.
        """
        return self._in_thread(_transact, self._reading, f, *args, **kwargs)

    def together(
        self, f: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Deferred[T]:
        """
        As `run`, for small changes of which many are asked for at once: see `Transactions`.

        :param f: may be called a second time, after the first was undone.
        :return: as `run`.  Cancelled before the transaction began, ``f`` is not called; later it goes on.
        """

        def call(connection: Connection) -> T:
            return f(connection, *args, **kwargs)

        return self._transactions.run(call)

    def together_rows(
        self, work: Callable[[Connection, Sequence[dict[str, Any]]], None], rows: Sequence[dict[str, Any]]
    ) -> Deferred[None]:
        """
        As `together`, for work that is the same for each row: it is done at once for the rows of many.

        :param work: see `Rows`.
        """
        return self._transactions.run(Rows(work, rows))

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
    with trouble_named(engine), engine.begin() as connection:
        return f(connection, *args, **kwargs)


@contextmanager
def trouble_named(engine: Engine) -> Iterator[None]:
    """
    Turn what the driver raises about the database into `CatalogueUnavailable`.
    """
    try:
        yield
    except (IntegrityError, DataError):
        raise
    except DBAPIError as error:
        raise CatalogueUnavailable(name_of(engine), _first_line(error.orig)) from error
    except PoolTimeout as error:
        raise CatalogueUnavailable(name_of(engine), _first_line(error)) from error


def name_of(engine: Engine) -> str:
    """
    What a message calls this catalogue: no password is in it.
    """
    url = engine.url
    if url.drivername in SQLITE:
        return str(url.database)
    host = url.host or url.query.get("host", "localhost")
    return f"{url.database} at {host}"


def _first_line(error: BaseException | None) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
