"""
Claims: one contract, and everything that keeps it: memory, SQLite and PostgreSQL.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import func, select, text
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from fileserve.catalogue.claims import OLD_US, Claims
from fileserve.catalogue.database import Catalogue, open_engine, sqlite_url
from fileserve.catalogue.interfaces import CatalogueUnavailable
from fileserve.catalogue.memorypictures import MemoryClaims
from fileserve.catalogue.migrating import migrate
from fileserve.catalogue.pictureinterfaces import IClaims
from fileserve.catalogue.schema import claims as table
from tests.postgres import fresh_database
from tests.support import ByHand

ALBUM = "3bea29ccabbbf64bdebcc055319c5745"
BYTES = "0f" * 32
NOW_US = 1_790_000_000_000_000

if TYPE_CHECKING:
    Contract = SynchronousTestCase
else:
    Contract = object


class ClaimsContract(Contract):
    """
    What every `IClaims` must do; a subclass's ``make_claims`` says which.
    """

    def make_claims(self) -> Claims | MemoryClaims:
        raise NotImplementedError

    def setUp(self) -> None:
        self.now_us = NOW_US
        self.claims = self.make_claims()

    def claim(self, album: str = ALBUM, sha256: str = BYTES) -> bool:
        return self.successResultOf(self.claims.claim(album, sha256))

    def release(self, album: str = ALBUM, sha256: str = BYTES) -> None:
        self.assertIsNone(self.successResultOf(self.claims.release(album, sha256)))

    def test_interface(self) -> None:
        """It provides ``IClaims``."""
        self.assertTrue(verifyObject(IClaims, self.claims))

    def test_only_one(self) -> None:
        """Of two uploads of the same bytes one has the claim, until it gives it up."""
        self.assertEqual([self.claim(), self.claim(), self.claim()], [True, False, False])
        self.release()
        self.assertEqual([self.claim(), self.claim()], [True, False])

    def test_others(self) -> None:
        """Other bytes, and the same in another album, are other claims."""
        self.assertEqual([self.claim(), self.claim("other"), self.claim(sha256="ff" * 32)], [True] * 3)
        self.release("other")
        self.assertEqual([self.claim(), self.claim("other")], [False, True])

    def test_release_of_nothing(self) -> None:
        """To give up what one does not have is no trouble."""
        self.release()
        self.assertTrue(self.claim())

    def test_old(self) -> None:
        """A claim counts for five minutes, and then no more."""
        self.claim()
        self.now_us += OLD_US
        self.assertFalse(self.claim())
        self.now_us += 1
        self.assertEqual([self.claim(), self.claim()], [True, False])


class MemoryClaimsTests(ClaimsContract, SynchronousTestCase):
    """`MemoryClaims` keeps the contract."""

    def make_claims(self) -> MemoryClaims:
        return MemoryClaims(lambda: self.now_us)


class DatabaseClaimsContract(ClaimsContract):
    """What `Claims` adds, on any database; a subclass's ``make_url`` says which."""

    def make_url(self) -> str:
        raise NotImplementedError

    def make_claims(self) -> Claims:
        self.url = self.make_url()
        return self.open("me")

    def open(self, owner: str, in_thread: Callable[..., Deferred[Any]] = maybeDeferred) -> Claims:
        """The claims as another process sees them, or this one after a start."""
        engine = open_engine(self.url, busy_timeout=5)
        self.catalogue = Catalogue(engine, in_thread)
        self.addCleanup(self.catalogue.close)
        migrate(engine)
        return Claims(self.catalogue, owner, lambda: self.now_us)

    def rows(self) -> int | None:
        count = select(func.count()).select_from(table)
        return self.successResultOf(self.catalogue.read(lambda connection: connection.scalar(count)))

    def rename(self, old: str, new: str) -> None:
        """Rename a table: without it the database can't be used."""
        statement = text(f"ALTER TABLE {old} RENAME TO {new}")
        self.successResultOf(self.catalogue.run(lambda connection: connection.execute(statement)))

    def test_two_processes(self) -> None:
        """A claim of one process keeps the others away, until it is given up or old."""
        mine, self.claims = self.claims, self.open("another")
        self.assertTrue(self.successResultOf(mine.claim(ALBUM, BYTES)))
        self.assertFalse(self.claim())
        self.release()  # is not ours
        self.assertFalse(self.claim())
        self.successResultOf(mine.release(ALBUM, BYTES))
        self.assertTrue(self.claim())
        self.now_us += OLD_US + 1
        self.assertTrue(self.successResultOf(mine.claim(ALBUM, BYTES)))
        self.release()  # is ours no more
        self.assertFalse(self.claim())

    def test_left_behind(self) -> None:
        """What a dead process of our name claimed counts no more."""
        self.claim()
        self.claims = self.open("me")
        self.assertEqual([self.claim(), self.claim()], [True, False])

    def test_nothing_stays(self) -> None:
        """Claims that were given up leave no row, and those of the dead go with the next claim of anybody."""
        self.claim()
        self.release()
        self.assertEqual(self.rows(), 0)
        self.claim()
        self.now_us += OLD_US + 1
        self.claims = self.open("another")
        self.claim("other")
        self.assertEqual(self.rows(), 1)

    def test_database_fails(self) -> None:
        """When the database cannot be asked, both fail with ``CatalogueUnavailable``."""
        self.rename("claims", "away")
        for waiting in (self.claims.claim(ALBUM, BYTES), self.claims.release(ALBUM, BYTES)):
            self.failureResultOf(waiting, CatalogueUnavailable)
        self.rename("away", "claims")
        self.assertTrue(self.claim())

    def test_not_released(self) -> None:
        """What could not be given up because the database was away can be claimed by the same process."""
        self.claim()
        self.rename("claims", "away")
        self.failureResultOf(self.claims.release(ALBUM, BYTES), CatalogueUnavailable)
        self.rename("away", "claims")
        self.assertTrue(self.claim())

    def test_while_it_is_asked_for(self) -> None:
        """While the database is asked for one a second one is refused; after a release at once it is not."""
        threads = ByHand()
        claims = self.open("threads", threads)
        first, second = claims.claim(ALBUM, BYTES), claims.claim(ALBUM, BYTES)
        self.assertFalse(self.successResultOf(second))
        threads.run()
        self.assertTrue(self.successResultOf(first))
        released, third = claims.release(ALBUM, BYTES), claims.claim(ALBUM, BYTES)
        threads.run()
        self.assertIsNone(self.successResultOf(released))
        self.assertTrue(self.successResultOf(third))
        self.assertFalse(self.claim())


class SQLiteClaimsTests(DatabaseClaimsContract, SynchronousTestCase):
    """`Claims` in SQLite keeps the contract."""

    def make_url(self) -> str:
        return sqlite_url(os.path.abspath(self.mktemp()))


class PostgreSQLClaimsTests(DatabaseClaimsContract, SynchronousTestCase):
    """`Claims` in PostgreSQL keeps the contract."""

    def make_url(self) -> str:
        return fresh_database(self)


class RaceContract:
    """
    Processes that claim at the same moment; a subclass's ``make_url`` says in which database.
    """

    def make_url(self) -> str:
        raise NotImplementedError

    def setUp(self) -> None:
        case = cast(TestCase, self)
        self.pool = ThreadPool(0, 4, "claims")
        self.pool.start()
        case.addCleanup(self.pool.stop)
        self.url = self.make_url()

    def open(self, owner: str) -> Claims:
        engine = open_engine(self.url)
        migrate(engine)
        cast(TestCase, self).addCleanup(engine.dispose)
        return Claims(Catalogue(engine, self.in_thread), owner, lambda: NOW_US)

    def in_thread(self, work: Callable[..., Any], *args: object, **named: object) -> Deferred[Any]:
        return deferToThreadPool(cast(IReactorFromThreads, reactor), self.pool, work, *args, **named)

    async def test_one_of_many(self) -> None:
        """However the claims of four processes fall together, each time exactly one has it."""
        processes = [self.open(f"process {number}") for number in range(4)]
        for number in range(20):
            sha256 = f"{number:064x}"
            results = await gatherResults([claims.claim(ALBUM, sha256) for claims in processes])
            cast(TestCase, self).assertEqual(sum(results), 1)


class SQLiteRaceTests(RaceContract, TestCase):
    """In SQLite one of many has the claim."""

    def make_url(self) -> str:
        return sqlite_url(os.path.abspath(self.mktemp()))


class PostgreSQLRaceTests(RaceContract, TestCase):
    """In PostgreSQL one of many has the claim."""

    def make_url(self) -> str:
        return fresh_database(self)
