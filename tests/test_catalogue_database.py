"""
The catalogue's database: its URL, its settings, and what happens when it does not answer.
"""

from __future__ import annotations

import os
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, exc, func, select, text
from twisted.internet import reactor
from twisted.internet.defer import gatherResults, maybeDeferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import SynchronousTestCase, TestCase

from fileserve.catalogue.database import Catalogue, normal_url, open_engine, sqlite_url
from fileserve.catalogue.facts import Facts
from fileserve.catalogue.interfaces import CatalogueUnavailable
from fileserve.catalogue.migrating import migrate
from fileserve.catalogue.schema import facts
from tests.postgres import fresh_database

if TYPE_CHECKING:
    Contract = SynchronousTestCase
else:
    Contract = object


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

    def setUp(self) -> None:
        self.url = self.make_url()
        self.engine = self.open()
        self.catalogue = Catalogue(self.engine, maybeDeferred)

    def open(self) -> Engine:
        engine = open_engine(self.url, busy_timeout=0.05)
        self.addCleanup(engine.dispose)
        return engine

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

    def test_together(self) -> None:
        """``together`` calls the function with a connection and the arguments, and commits what it did."""
        migrate(self.engine)

        def insert(connection: Connection, album: str, *, crc: int) -> str:
            connection.execute(facts.insert().values(album=album, path=b"p", version="v", crc32=crc))
            return "done"

        self.assertEqual(self.successResultOf(self.catalogue.together(insert, "a", crc=5)), "done")
        self.failureResultOf(self.catalogue.together(insert, "a", crc=6), exc.IntegrityError)
        crcs = self.successResultOf(self.catalogue.read(lambda c: c.scalars(select(facts.c.crc32)).all()))
        self.assertEqual(crcs, [5])

    def test_read_has_no_transaction(self) -> None:
        """Each statement of ``read`` sees what was committed before it, also by others meanwhile."""
        migrate(self.engine)
        count = select(func.count()).select_from(facts)

        def look(connection: Connection) -> tuple[int | None, int | None]:
            before = connection.scalar(count)
            self.successResultOf(Facts(self.catalogue).remember("a", [(b"b", "v", 1)]))
            return before, connection.scalar(count)

        self.assertEqual(self.successResultOf(self.catalogue.read(look)), (0, 1))

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
