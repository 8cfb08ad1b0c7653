"""
Migrations: alone and at once, from nothing and from an older version, on both databases.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, Engine, func, inspect, select, text
from twisted.internet.defer import maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from fileserve.catalogue.database import Catalogue, open_engine, sqlite_url
from fileserve.catalogue.facts import Facts
from fileserve.catalogue.interfaces import CatalogueIsNewer, CatalogueUnavailable, MemberFacts
from fileserve.catalogue.migrating import MIGRATION_LOCK, migrate
from fileserve.catalogue.schema import metadata
from tests.postgres import administrator, fresh_database

if TYPE_CHECKING:
    Contract = SynchronousTestCase
else:
    Contract = object

PATIENCE = 60
"""Seconds after which a test gives up waiting for another process."""


def alembic(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", "fileserve.catalogue:migrations")
    config.attributes["connection"] = connection
    return config


class MigratingContract(Contract):
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
        """Constraints have the names by which a later migration will find them."""
        migrate(self.engine)
        inspector = inspect(self.engine)
        for table in ("facts", "unsettled", "pictures"):
            key = inspector.get_pk_constraint(table)
            self.assertEqual((key["name"], key["constrained_columns"]), (f"pk_{table}", ["album", "path"]))
        unique = {constraint["name"] for constraint in inspector.get_unique_constraints("files")}
        self.assertEqual(unique, {"uq_files_id", "uq_files_short_name"})

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
        self.assertEqual(self.tables(), {*metadata.tables, "alembic_version"})

    def test_from_the_first(self) -> None:
        """A database of the first version is brought up to date, and what was remembered in it stays."""
        with self.engine.begin() as connection:
            command.upgrade(alembic(connection), "0001")
            connection.execute(text("INSERT INTO facts VALUES ('a', :path, 'v', 4294967295)"), {"path": b"b"})
        migrate(self.engine)
        facts = Facts(self.catalogue)
        self.assertEqual(
            self.successResultOf(facts.describe("a", [b"b"])), {(b"b", "v"): MemberFacts(4294967295)}
        )
        self.test_migrations_make_the_schema()

    def test_the_second_fails(self) -> None:
        """When the second step fails half way, the database stays as the first one left it."""
        with self.engine.begin() as connection:
            command.upgrade(alembic(connection), "0001")
            connection.execute(text("CREATE TABLE unsettled (in_the_way INTEGER)"))
        self.assertRaises(CatalogueUnavailable, migrate, self.engine)
        self.assertEqual(self.tables(), {"facts", "unsettled", "alembic_version"})
        self.assertEqual(len(inspect(self.engine).get_columns("facts")), 4)
        with self.engine.begin() as connection:
            connection.execute(text("DROP TABLE unsettled"))
        migrate(self.engine)

    def test_back(self) -> None:
        """Each step can be taken back, and again; what the older version knows stays."""
        migrate(self.engine)
        facts = Facts(self.catalogue)
        self.successResultOf(facts.know("a", b"b", "v", MemberFacts(1, "ff", "image/png")))
        with self.engine.begin() as connection:
            command.downgrade(alembic(connection), "0001")
        self.assertEqual(self.tables(), {"facts", "alembic_version"})
        self.assertEqual(self.successResultOf(facts.recall("a")), {(b"b", "v"): 1})
        self.assertEqual(len(inspect(self.engine).get_columns("facts")), 4)
        with self.engine.begin() as connection:
            command.downgrade(alembic(connection), "base")
        self.assertEqual(self.tables(), {"alembic_version"})
        migrate(self.engine)
        self.assertEqual(self.tables(), {*metadata.tables, "alembic_version"})

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
        self.assertEqual(self.tables(), {*metadata.tables, "alembic_version"})


class SQLiteTests(MigratingContract, SynchronousTestCase):
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


class PostgreSQLTests(MigratingContract, SynchronousTestCase):
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


MIGRATE = """
import sys
from fileserve.catalogue.database import open_engine
from fileserve.catalogue.migrating import migrate
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
