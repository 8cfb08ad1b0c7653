"""
The catalogue's database: its URL, its settings, its migrations, and what happens when it does not answer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from fcntl import LOCK_EX, flock
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, exc, func, inspect, select, text
from twisted.internet import reactor
from twisted.internet.defer import gatherResults, maybeDeferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import SynchronousTestCase, TestCase

from fileserve.catalogue.database import (
    MIGRATION_LOCK,
    Catalogue,
    CatalogueIsNewer,
    CatalogueUnavailable,
    migrate,
    normal_url,
    open_engine,
    sqlite_url,
)
from fileserve.catalogue.facts import Facts
from fileserve.catalogue.schema import facts, metadata
from tests.postgres import administrator, fresh_database

if TYPE_CHECKING:
    Contract = SynchronousTestCase
else:
    Contract = object

PATIENCE = 60
"""Seconds after which a test gives up waiting for another process."""


class UrlTests(SynchronousTestCase):
    """``normal_url`` and ``sqlite_url``."""

    def test_postgresql(self) -> None:
        """Every usual spelling of a PostgreSQL URL means psycopg 3, and nothing else of it changes."""
        for scheme in ("postgresql", "postgres", "postgresql+psycopg"):
            self.assertEqual(
                normal_url(f"{scheme}://me:p%40ss%2F@db.example:5433/files?sslmode=require"),
                "postgresql+psycopg://me:p%40ss%2F@db.example:5433/files?sslmode=require",
            )

    def test_sqlite(self) -> None:
        """An SQLite URL stays as it is."""
        for url in ("sqlite:////var/lib/fileserve/catalogue.sqlite", "sqlite:///here.sqlite"):
            self.assertEqual(normal_url(url), url)

    def test_refused(self) -> None:
        """Anything else is refused with one line that says what is allowed and does not repeat the secret."""
        for url in (
            "",
            "sEcReT",
            "/var/lib/sEcReT.sqlite",
            "mysql://me:sEcReT@db/files",
            "postgresql+psycopg2://me:sEcReT@db/files",
            "postgresql+asyncpg://me:sEcReT@db/files",
            "postgresql://me:sEcReT@db:port/files",
            "postgresql://me:p@sEcReT@db/files",
            "sqlite+aiosqlite:///sEcReT",
            "sqlite://",
            "sqlite:///:memory:",
            "sqlite://sEcReT/catalogue.sqlite",
            "sqlite:///file:sEcReT?mode=memory&uri=true",
        ):
            error = self.assertRaises(ValueError, normal_url, url)
            self.assertIn("sqlite:////PATH", str(error))
            self.assertIn("postgresql://USER", str(error))
            self.assertNotIn("\n", str(error))
            self.assertNotIn("sEcReT", "".join(traceback.format_exception(error)))

    def test_any_path(self) -> None:
        """The file that ``sqlite_url`` names is the file that is opened, whatever characters its path has."""
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()

        @settings(max_examples=50, deadline=None, derandomize=True)
        @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), max_size=60))
        @example("?a=b&c%20d#e f+:@é")
        def opened(name: str) -> None:
            engine = open_engine(sqlite_url(directory / f"c{name}"))
            engine.connect().close()
            engine.dispose()
            self.assertEqual([path.name for path in directory.iterdir()], [f"c{name}"])
            (directory / f"c{name}").unlink()

        opened()

    def test_path_object(self) -> None:
        """A ``Path`` is as good as a ``str``."""
        self.assertEqual(sqlite_url(Path("/a/b")), sqlite_url("/a/b"))

    def test_no_driver(self) -> None:
        """Where psycopg is not installed, a PostgreSQL URL is refused and told what to install."""
        with mock.patch.dict(sys.modules, {"psycopg": None}):
            error = self.assertRaises(ValueError, open_engine, "postgresql://me:sEcReT@db/files")
        self.assertIn("fileserve[postgresql]", str(error))
        self.assertNotIn("sEcReT", "".join(traceback.format_exception(error)))


class DatabaseContract(Contract):
    """What both databases must do; a subclass's ``make_url`` says which."""

    def make_url(self) -> str:
        raise NotImplementedError

    def waiting_for_lock(self, process: subprocess.Popen[bytes]) -> bool:
        raise NotImplementedError

    def migration_lock(self) -> AbstractContextManager[None]:
        raise NotImplementedError

    def setUp(self) -> None:
        self.url = self.make_url()
        self.engine = self.open()
        self.catalogue = Catalogue(self.engine, maybeDeferred)

    def open(self) -> Engine:
        engine = open_engine(self.url, busy_timeout=0.05)
        self.addCleanup(engine.dispose)
        return engine

    def tables(self) -> set[str]:
        return set(inspect(self.engine).get_table_names())

    def test_migrations_make_the_schema(self) -> None:
        """All migrations together make the tables of ``schema``, neither more nor less."""
        migrate(self.engine)
        with self.engine.begin() as connection:
            self.assertEqual(compare_metadata(MigrationContext.configure(connection), metadata), [])
        self.assertEqual(self.tables(), {*metadata.tables, "alembic_version"})

    def test_constraints_have_names(self) -> None:
        """The primary key has the name by which a later migration will find it."""
        migrate(self.engine)
        key = inspect(self.engine).get_pk_constraint("facts")
        self.assertEqual((key["name"], key["constrained_columns"]), ("pk_facts", ["album", "path"]))

    def test_migrating_again(self) -> None:
        """On a database that is up to date ``migrate`` changes nothing."""
        migrate(self.engine)
        facts = Facts(self.catalogue)
        self.successResultOf(facts.remember("a", [(b"b", "v", 1)]))
        migrate(self.open())
        self.assertEqual(self.successResultOf(facts.recall("a")), {(b"b", "v"): 1})

    def test_newer(self) -> None:
        """A database that a newer program wrote is left alone, with a sentence that says what to do."""
        migrate(self.engine)
        with self.engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = 'ff42'"))
        error = self.assertRaises(CatalogueIsNewer, migrate, self.engine)
        self.assertEqual(error.revision, "ff42")
        self.assertIn("newer version of fileserve", str(error))
        with self.engine.begin() as connection:
            self.assertEqual(connection.scalar(text("SELECT version_num FROM alembic_version")), "ff42")

    def test_all_or_nothing(self) -> None:
        """A migration that fails half way leaves nothing behind, so that the next start can try again."""
        with self.engine.begin() as connection:
            connection.execute(text("CREATE TABLE facts (in_the_way INTEGER)"))
        self.assertRaises(CatalogueUnavailable, migrate, self.engine)
        self.assertEqual(self.tables(), {"facts"})
        with self.engine.begin() as connection:
            connection.execute(text("DROP TABLE facts"))
        migrate(self.engine)
        self.assertEqual(self.tables(), {"facts", "alembic_version"})

    def test_processes_at_once(self) -> None:
        """Processes that are started at once all find the schema up to date, and none fails."""
        with ExitStack() as stack:
            processes = [stack.enter_context(migrating(self.url)) for _ in range(3)]
            for process in processes:
                self.assertEqual(line(process), b"ready\n")
            for process in processes:
                go(process)
            self.assertEqual([line(process) for process in processes], [b"migrated\n"] * 3)
        self.assertEqual([process.returncode for process in processes], [0] * 3)
        self.successResultOf(self.catalogue.ping())

    def test_waits_for_the_other(self) -> None:
        """While one process migrates, another waits and does nothing; then it goes on."""
        with ExitStack() as stack:
            process = stack.enter_context(migrating(self.url))
            self.assertEqual(line(process), b"ready\n")
            with self.migration_lock():
                go(process)
                wait_until(lambda: self.waiting_for_lock(process))
                self.assertEqual(self.tables(), set())
            self.assertEqual(line(process), b"migrated\n")
        self.assertEqual(self.tables(), {"facts", "alembic_version"})

    def test_ping(self) -> None:
        """``ping`` fires with nothing when the catalogue answers, and fails when there is none."""
        self.failureResultOf(self.catalogue.ping(), CatalogueUnavailable)
        migrate(self.engine)
        self.assertIsNone(self.successResultOf(self.catalogue.ping()))

    def test_run(self) -> None:
        """``run`` calls the function with a connection and the arguments, and commits what it did."""
        migrate(self.engine)

        def insert(connection: Connection, album: str, *, crc: int) -> str:
            connection.execute(facts.insert().values(album=album, path=b"p", version="v", crc32=crc))
            return "done"

        self.assertEqual(self.successResultOf(self.catalogue.run(insert, "a", crc=5)), "done")
        crcs = self.successResultOf(self.catalogue.read(lambda c: c.scalars(select(facts.c.crc32)).all()))
        self.assertEqual(crcs, [5])

    def test_run_undoes(self) -> None:
        """What the function raises comes out unchanged, and what it had written is undone."""
        migrate(self.engine)
        mistake = KeyError("a mistake")

        def insert(connection: Connection) -> None:
            connection.execute(facts.insert().values(album="a", path=b"p", version="v", crc32=1))
            raise mistake

        self.assertIs(self.failureResultOf(self.catalogue.run(insert)).value, mistake)
        counted = self.catalogue.read(lambda c: c.scalar(select(func.count()).select_from(facts)))
        self.assertEqual(self.successResultOf(counted), 0)

    def test_refused_values(self) -> None:
        """A row that breaks a rule is the caller's trouble, not the database's; no parameters are shown."""
        migrate(self.engine)
        row = {"album": "sEcReT", "path": b"p", "version": "v", "crc32": 1}

        def insert(connection: Connection) -> None:
            connection.execute(facts.insert(), row)

        self.successResultOf(self.catalogue.run(insert))
        failure = self.failureResultOf(self.catalogue.run(insert), exc.IntegrityError)
        self.assertIn("parameters hidden", str(failure.value))

    def test_trouble_is_named(self) -> None:
        """``CatalogueUnavailable`` names the catalogue and the reason; its cause is SQLAlchemy's error."""
        broken = self.catalogue.run(lambda connection: connection.execute(text("SELECT * FROM nowhere")))
        error = self.failureResultOf(broken, CatalogueUnavailable).value
        self.assertIn("nowhere", error.reason)
        self.assertIn(str(self.engine.url.database), error.catalogue)
        self.assertEqual(str(error), f"The catalogue {error.catalogue} cannot be used: {error.reason}")
        self.assertIsInstance(error.__cause__, exc.DBAPIError)

    def test_pool_is_used_up(self) -> None:
        """No free connection in time is ``CatalogueUnavailable`` too."""
        engine = open_engine(self.url, threads=1, busy_timeout=0.05)
        self.addCleanup(engine.dispose)
        with engine.connect():
            waiting = Catalogue(engine, maybeDeferred).ping()
        self.assertIn("timed out", self.failureResultOf(waiting, CatalogueUnavailable).value.reason)


class SQLiteTests(DatabaseContract, SynchronousTestCase):
    """What SQLite adds."""

    def make_url(self) -> str:
        self.path = Path(self.mktemp()).absolute()
        return sqlite_url(self.path)

    @contextmanager
    def migration_lock(self) -> Iterator[None]:
        with open(f"{self.path}.lock", "wb") as lock:
            flock(lock, LOCK_EX)
            yield

    def waiting_for_lock(self, process: subprocess.Popen[bytes]) -> bool:
        file = f":{os.stat(f'{self.path}.lock').st_ino} "
        locks = Path("/proc/locks").read_text().splitlines()
        return any("->" in lock and f" {process.pid} " in lock and file in lock for lock in locks)

    def test_settings(self) -> None:
        """Each connection writes ahead, waits for the disk and 10 s for others, and heeds foreign keys."""
        engine = open_engine(self.url)
        self.addCleanup(engine.dispose)
        for _ in range(2):
            with engine.connect() as one, engine.connect() as other:
                for connection in (one, other):
                    names = ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
                    values = [connection.scalar(text(f"PRAGMA {name}")) for name in names]
                    self.assertEqual(values, ["wal", 2, 10_000, 1])
                    connection.rollback()

    def test_locked(self) -> None:
        """A locked database is ``CatalogueUnavailable`` for those who write, until it is free again."""
        migrate(self.engine)
        remember = partial(Facts(self.catalogue).remember, "a", [(b"b", "v", 1)])
        with self.open().begin():
            failure = self.failureResultOf(remember(), CatalogueUnavailable)
            self.assertEqual(failure.value.reason, "database is locked")
            self.assertRaises(CatalogueUnavailable, migrate, self.engine)
            self.successResultOf(self.catalogue.ping())
        self.successResultOf(remember())

    def test_garbage(self) -> None:
        """A file that is no database is named, with the reason, and is not touched."""
        garbage = b"this is not a database " * 1000
        self.path.write_bytes(garbage)
        error = self.assertRaises(CatalogueUnavailable, migrate, self.engine)
        self.assertEqual(str(error), f"The catalogue {self.path} cannot be used: file is not a database")
        self.assertEqual(self.path.read_bytes(), garbage)

    def test_damaged(self) -> None:
        """A database damaged within is ``CatalogueUnavailable`` for whoever asks."""
        migrate(self.engine)
        self.successResultOf(Facts(self.catalogue).remember("a", [(b"%d" % n, "v", n) for n in range(1000)]))
        self.catalogue.close()
        with self.path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (self.path.stat().st_size - 4096))
        failure = self.failureResultOf(Facts(self.catalogue).recall("a"), CatalogueUnavailable)
        self.assertIn("malformed", failure.value.reason)

    def test_private(self) -> None:
        """A new file is ours alone, whatever the umask: it holds secret names."""
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_no_directory(self) -> None:
        """A directory that is not there is ``CatalogueUnavailable``, with the reason."""
        engine = open_engine(sqlite_url(self.path.parent / "missing" / "catalogue.sqlite"))
        error = self.assertRaises(CatalogueUnavailable, migrate, engine)
        self.assertIn("No such file or directory", error.reason)


class PostgreSQLTests(DatabaseContract, SynchronousTestCase):
    """What PostgreSQL adds."""

    def make_url(self) -> str:
        return fresh_database(self)

    @contextmanager
    def migration_lock(self) -> Iterator[None]:
        with administrator(self.url) as connection:
            connection.execute(select(func.pg_advisory_lock(MIGRATION_LOCK)))
            yield

    def waiting_for_lock(self, process: subprocess.Popen[bytes]) -> bool:
        query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        with administrator(self.url) as connection:
            return bool(connection.scalar(text(query)) == 1)

    def test_settings(self) -> None:
        """Connecting is given up after 5 s, an unanswered packet after 10, unless the URL says otherwise."""
        self.assertEqual(self.limits(), ("5", "10000"))
        self.url += "&connect_timeout=7"
        self.assertEqual(self.limits(), ("7", "10000"))

    def limits(self) -> tuple[str, str]:
        with self.open().connect() as connection:
            driver = connection.connection.dbapi_connection
            assert driver is not None
            used = driver.info.get_parameters()
        return used["connect_timeout"], used["tcp_user_timeout"]

    def test_out_of_reach(self) -> None:
        """A server that is not there is ``CatalogueUnavailable``; the password is not in the traceback."""
        engine = open_engine("postgresql://me:sEcReT@127.0.0.1:1/files?application_name=test")
        self.addCleanup(engine.dispose)
        error = self.assertRaises(CatalogueUnavailable, migrate, engine)
        self.assertEqual(error.catalogue, "files at 127.0.0.1")
        self.assertIn("refused", error.reason)
        self.assertNotIn("sEcReT", "".join(traceback.format_exception(error)))
        self.assertNotIn("sEcReT", repr(engine))


class ThreadsTests(TestCase):
    """The catalogue on real threads beside the trial's reactor."""

    def setUp(self) -> None:
        self.pool = ThreadPool(0, 3, "catalogue")
        self.pool.start()
        self.addCleanup(self.pool.stop)

    async def ask_at_once(self, url: str) -> None:
        engine = open_engine(url, threads=3)
        catalogue = Catalogue(engine, partial(deferToThreadPool, IReactorFromThreads(reactor), self.pool))
        self.addCleanup(catalogue.close)
        migrate(engine)
        facts = Facts(catalogue)
        albums = {f"album{n}": [(b"%d" % k, "v", n * k) for k in range(300)] for n in range(12)}
        await gatherResults([facts.remember(album, crcs) for album, crcs in albums.items()])
        answers = await gatherResults([facts.recall(album) for album in albums])
        self.assertEqual(answers, [{(p, v): crc for p, v, crc in crcs} for crcs in albums.values()])

    async def test_sqlite(self) -> None:
        """More questions at once than there are threads get each its own answer, from SQLite."""
        await self.ask_at_once(sqlite_url(os.path.abspath(self.mktemp())))

    async def test_postgresql(self) -> None:
        """More questions at once than there are threads get each its own answer, from PostgreSQL."""
        await self.ask_at_once(fresh_database(self))


MIGRATE = """
import sys
from fileserve.catalogue.database import migrate, open_engine
print("ready", flush=True)
sys.stdin.readline()
engine = open_engine(sys.argv[1])
migrate(engine)
engine.dispose()
print("migrated", flush=True)
"""


def migrating(url: str) -> subprocess.Popen[bytes]:
    """A process that says "ready", waits for a line, migrates, and says "migrated"."""
    return subprocess.Popen(
        [sys.executable, "-c", MIGRATE, url],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def go(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.write(b"\n")
    process.stdin.flush()


def line(process: subprocess.Popen[bytes]) -> bytes:
    assert process.stdout is not None
    return process.stdout.readline()


def wait_until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > give_up:
            raise AssertionError("waited in vain")
        time.sleep(0.01)
