"""
The stored files: one contract, and everything that keeps it: memory, SQLite and PostgreSQL.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from sqlalchemy import event, func, select, text
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, gatherResults, maybeDeferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import SynchronousTestCase, TestCase

from fileserve.catalogue.database import Catalogue, open_engine, sqlite_url
from fileserve.catalogue.files import OLD_US, Files, cursor_of, sequence_of
from fileserve.catalogue.interfaces import CatalogueUnavailable, NoSuchRecord, StoredFile
from fileserve.catalogue.memory import MemoryFiles
from fileserve.catalogue.migrating import migrate
from fileserve.catalogue.schema import unsettled
from tests.filescontract import NOW_US, FilesContract, stored
from tests.postgres import fresh_database


class MemoryFilesTests(FilesContract, SynchronousTestCase):
    """`MemoryFiles` keeps the contract."""

    def make_files(self) -> MemoryFiles:
        return MemoryFiles()


class DatabaseFilesContract(FilesContract):
    """What `Files` adds, on any database; a subclass's ``make_url`` says which."""

    def make_url(self) -> str:
        raise NotImplementedError

    def make_files(self) -> Files:
        self.now_us = NOW_US
        self.url = self.make_url()
        return self.open("me")

    def open(self, owner: str) -> Files:
        """The files as another process sees them, or this one after a start."""
        engine = open_engine(self.url, busy_timeout=0.05)
        self.catalogue = Catalogue(engine, maybeDeferred)
        self.addCleanup(self.catalogue.close)
        migrate(engine)
        return Files(self.catalogue, owner, lambda: self.now_us)

    def test_survives(self) -> None:
        """Files and unsettled places are there after a restart."""
        (file,) = self.add(1)
        self.successResultOf(self.files.expect("a", b"b"))
        self.catalogue.close()
        self.files = self.open("me")
        self.assertEqual(self.pages(10), [[file]])
        self.assertEqual(self.unsettled(), [("a", b"b")])

    def test_nothing_stays(self) -> None:
        """A place that was settled, by an addition or otherwise, leaves no row behind."""
        self.successResultOf(self.files.expect(stored(1).short_name, stored(1).path))
        self.add(1)
        self.assertEqual(self.rows(), 0)
        self.successResultOf(self.files.expect(stored(1).short_name, stored(1).path))
        self.assertEqual((self.rows(), self.unsettled(), self.rows()), (1, [], 0))

    def rows(self) -> int | None:
        count = select(func.count()).select_from(unsettled)
        return self.successResultOf(self.catalogue.read(lambda connection: connection.scalar(count)))

    def test_others_places(self) -> None:
        """What another process noted is not ours to clear away before it is a day old."""
        self.add(1)
        self.successResultOf(self.files.expect("a", b"b"))
        self.successResultOf(self.files.remove(stored(1).short_name))
        self.files = self.open("another")
        self.assertEqual(self.unsettled(), [])
        self.now_us += OLD_US
        self.assertEqual(self.unsettled(), [])
        self.now_us += 1
        self.assertEqual(self.unsettled(), [(stored(1).short_name, stored(1).path), ("a", b"b")])

    def test_noted_again(self) -> None:
        """Who expects a place again has it from then on."""
        self.successResultOf(self.files.expect("a", b"b"))
        self.now_us += OLD_US
        other = self.open("another")
        self.successResultOf(other.expect("a", b"b"))
        self.now_us += 1
        self.assertEqual(self.unsettled(), [])
        self.assertEqual(self.successResultOf(other.unsettled()), [("a", b"b")])

    def test_settled_for_others(self) -> None:
        """A place is settled by whoever adds or settles it, whoever noted it."""
        other = self.open("another")
        self.successResultOf(other.expect(stored(1).short_name, stored(1).path))
        self.successResultOf(other.expect("a", b"b"))
        self.add(1)
        self.successResultOf(self.files.settle("a", b"b"))
        self.assertEqual(self.successResultOf(other.unsettled()), [])

    def test_seen_at_once(self) -> None:
        """What one process adds or removes another sees at once."""
        other = self.open("another")
        (file,) = self.add(1)
        self.assertEqual(self.successResultOf(other.get(file.short_name)), file)
        self.assertEqual(self.successResultOf(other.page(1)).files, [file])
        self.successResultOf(other.remove(file.short_name))
        self.failureResultOf(self.files.get(file.short_name), NoSuchRecord)

    def test_one_look(self) -> None:
        """A page is one statement, whatever is on it; and so are files that are asked for at once."""
        self.add(*range(5))
        self.add(*range(5, 9), status="processed")
        statements: list[str] = []
        event.listen(self.catalogue._engine, "before_cursor_execute", lambda *a: statements.append(a[2]))
        for processed in (None, True, False):
            self.successResultOf(self.files.page(3, cursor_of(7), processed))
        self.assertEqual(len([one for one in statements if "BEGIN" not in one]), 3)
        statements.clear()
        delayed: list[Callable[[], None]] = []
        files = Files(Catalogue(self.catalogue._engine, later(delayed)), "me", lambda: NOW_US)
        asked = [files.get(f"{number:022d}") for number in range(20)]
        delayed.pop()()
        delayed.pop()()
        self.assertEqual(len([one for one in statements if "BEGIN" not in one]), 2)
        for number, result in enumerate(asked):
            if number < 9:
                self.assertEqual(self.successResultOf(result).size, number)
            else:
                self.failureResultOf(result, NoSuchRecord)

    def test_numbers_are_not_used_again(self) -> None:
        """The number of a file that went is not given again, not even the newest one's."""
        self.add(1, 2)
        cursor = self.successResultOf(self.files.page(1)).next
        assert cursor is not None
        self.successResultOf(self.files.remove(stored(2).short_name))
        self.add(3, 4)
        again = self.successResultOf(self.files.page(1)).next
        assert again is not None
        self.assertEqual(sequence_of(again), sequence_of(cursor) + 2)

    def test_database_fails(self) -> None:
        """When the database cannot be asked, every method fails with ``CatalogueUnavailable``."""
        for table in ("files", "unsettled"):
            with self.catalogue._engine.begin() as connection:
                connection.execute(text(f"DROP TABLE {table}"))
        for waiting in (
            self.files.expect("a", b"b"),
            self.files.add(stored(1)),
            self.files.get("a"),
            self.files.find("a"),
            self.files.page(1),
            self.files.remove("a"),
            self.files.settle("a", b"b"),
            self.files.unsettled(),
        ):
            self.failureResultOf(waiting, CatalogueUnavailable)


def later(delayed: list[Callable[[], None]]) -> Callable[..., Deferred[Any]]:
    """An ``in_thread`` that works when the test says so."""

    def in_thread(f: Callable[..., Any], *args: Any) -> Deferred[Any]:
        waiting: Deferred[Any] = Deferred()

        def work() -> None:
            maybeDeferred(f, *args).chainDeferred(waiting)

        delayed.append(work)
        return waiting

    return in_thread


class SQLiteFilesTests(DatabaseFilesContract, SynchronousTestCase):
    """`Files` in SQLite keeps the contract."""

    def make_url(self) -> str:
        return sqlite_url(os.path.abspath(self.mktemp()))

    def test_plans(self) -> None:
        """No page and no lookup reads all rows: each goes by an index, and none is sorted."""
        plans: list[str] = []

        def explain(*args: Any) -> None:
            cursor, statement, parameters = args[1:4]
            if "EXPLAIN" not in statement and "SELECT" in statement:
                rows = cursor.connection.execute("EXPLAIN QUERY PLAN " + statement, parameters).fetchall()
                plans.extend(row[3] for row in rows)

        event.listen(self.catalogue._engine, "before_cursor_execute", explain)
        for processed in (None, True, False):
            self.successResultOf(self.files.page(100, cursor_of(7), processed))
        self.failureResultOf(self.files.get("a"), NoSuchRecord)
        self.failureResultOf(self.files.find("a"), NoSuchRecord)
        self.assertEqual([plan for plan in plans if "SCAN files" in plan], [])
        self.assertGreaterEqual(len([plan for plan in plans if "SEARCH files USING" in plan]), 5)

    def test_killed(self) -> None:
        """What was told to be durable is there after a kill -9, and what was noted before it too."""
        self.catalogue.close()
        with subprocess.Popen(
            [sys.executable, "-c", ADD_UNTIL_KILLED, self.url],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
        ) as writer:
            assert writer.stdout is not None
            told = [writer.stdout.readline() for _ in range(100)]
            writer.kill()
            told += writer.stdout.read().splitlines(keepends=True)
        self.assertEqual(writer.returncode, -signal.SIGKILL)
        self.files = self.open("killed")
        known = {file.short_name for file in self.pages(1_000_000)[0]}
        self.assertLessEqual({line.decode().strip() for line in told if line.endswith(b"\n")}, known)
        self.assertLessEqual(len(self.unsettled()), 1)
        self.assertEqual(known & {album for album, _ in self.unsettled()}, set())


ADD_UNTIL_KILLED = """
import sys
from itertools import count
from twisted.internet.defer import maybeDeferred
from fileserve.catalogue.database import Catalogue, open_engine
from fileserve.catalogue.files import Files
from tests.filescontract import stored

files = Files(Catalogue(open_engine(sys.argv[1]), maybeDeferred), "killed", lambda: 1)

def told(result, file):
    assert result is None, result
    print(file.short_name, flush=True)

for number in count():
    file = stored(number)
    files.expect(file.short_name, file.path)
    files.add(file).addBoth(told, file)
"""


class PostgreSQLFilesTests(DatabaseFilesContract, SynchronousTestCase):
    """`Files` in PostgreSQL keeps the contract."""

    def make_url(self) -> str:
        return fresh_database(self)

    def test_impossible_filename(self) -> None:
        """A name that the database can't hold fails its own file alone."""
        delayed: list[Callable[[], None]] = []
        files = Files(Catalogue(self.catalogue._engine, later(delayed)), "me", lambda: NOW_US)
        names = ["1.jpg", "2.jpg", "\0.jpg", "4.jpg"]
        added = [files.add(stored(number, filename=name)) for number, name in enumerate(names)]
        while delayed:
            delayed.pop(0)()
        self.failureResultOf(added.pop(2))
        for one in added:
            self.assertIsNone(self.successResultOf(one))
        self.assertEqual(len(self.pages(10)[0]), 3)


class ThreadsTests(TestCase):
    """Many callers at once, two processes' worth of them, on real threads."""

    def setUp(self) -> None:
        self.pool = ThreadPool(0, 4, "catalogue")
        self.pool.start()
        self.addCleanup(self.pool.stop)

    def open(self, url: str, owner: str) -> Files:
        engine = open_engine(url)
        catalogue = Catalogue(engine, partial(deferToThreadPool, IReactorFromThreads(reactor), self.pool))
        self.addCleanup(catalogue.close)
        migrate(engine)
        return Files(catalogue, owner, lambda: NOW_US)

    async def upload(self, files: Files, file: StoredFile) -> None:
        await files.expect(file.short_name, file.path)
        await files.add(file)
        self.assertEqual(await files.get(file.short_name), file)

    async def at_once(self, url: str) -> None:
        both = self.open(url, "one"), self.open(url, "other")
        uploads = [self.upload(both[number % 2], stored(number)) for number in range(100)]
        await gatherResults([Deferred.fromCoroutine(upload) for upload in uploads])
        self.assertEqual(len((await both[0].page(1000)).files), 100)
        for files in both:
            self.assertEqual(await files.unsettled(), [])
        names = [stored(number).short_name for number in range(100)]
        removed = await DeferredList(
            [files.remove(name) for files in both for name in names], consumeErrors=True
        )
        self.assertEqual(len([file for done, file in removed if done]), 100)
        for done, failure in removed:
            if not done:
                self.assertIsInstance(cast(Failure, failure).value, NoSuchRecord)
        left = [place for files in both for place in await files.unsettled()]
        self.assertEqual(sorted(left), sorted((name, stored(int(name)).path) for name in names))

    async def test_sqlite(self) -> None:
        """Each file is added once and removed once, by one of the two, in SQLite."""
        await self.at_once(sqlite_url(os.path.abspath(self.mktemp())))

    async def test_postgresql(self) -> None:
        """Each file is added once and removed once, by one of the two, in PostgreSQL."""
        await self.at_once(fresh_database(self))
