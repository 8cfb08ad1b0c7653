"""
Facts: one contract, and everything that keeps it: memory, SQLite and PostgreSQL.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from fileserve.catalogue.database import Catalogue, open_engine, sqlite_url
from fileserve.catalogue.facts import LONGEST_PATH, Facts
from fileserve.catalogue.interfaces import CatalogueUnavailable, IFacts, MemberFacts
from fileserve.catalogue.memory import MemoryFacts
from fileserve.catalogue.migrating import migrate
from fileserve.catalogue.schema import facts as table
from tests.postgres import administrator, fresh_database

ALBUM = "3bea29ccabbbf64bdebcc055319c5745"
FULL = MemberFacts(7, "0f" * 32, "image/jpeg")
VERSION = "10240-1700000000000000000-1700000000000000001-42"

if TYPE_CHECKING:
    Contract = SynchronousTestCase
else:
    Contract = object


paths = st.binary(min_size=1, max_size=4)
rows = st.tuples(paths, st.sampled_from(["v1", "v2"]), st.integers(0, 2**32 - 1))
steps = st.lists(st.one_of(st.lists(rows), st.frozensets(paths)), max_size=6)


class FactsContract(Contract):
    """
    What every `IFacts` must do; a subclass's ``make_facts`` says which.
    """

    def make_facts(self) -> Facts | MemoryFacts:
        raise NotImplementedError

    def setUp(self) -> None:
        self.facts = self.make_facts()

    def recalled(self, album: str = ALBUM) -> dict[tuple[bytes, str], int]:
        return self.successResultOf(self.facts.recall(album))

    def remember(self, *crcs: tuple[bytes, str, int], album: str = ALBUM) -> None:
        self.assertIsNone(self.successResultOf(self.facts.remember(album, crcs)))

    def test_interface(self) -> None:
        """It provides ``IFacts``."""
        self.assertTrue(verifyObject(IFacts, self.facts))

    def test_nothing_known(self) -> None:
        """An album never heard of has no facts."""
        self.assertEqual(self.recalled(), {})

    def test_recalls(self) -> None:
        """What was remembered is recalled, for every path and version, also the extremes of a CRC."""
        self.remember((b"a.jpg", "v1", 0), (b"b/c.jpg", "v2", 2**32 - 1))
        self.assertEqual(self.recalled(), {(b"a.jpg", "v1"): 0, (b"b/c.jpg", "v2"): 2**32 - 1})

    def test_bytes(self) -> None:
        """A path is bytes: it need not be UTF-8, and names that only look alike stay apart."""
        names = [b"\xff\xfe.jpg", b"caf\xc3\xa9", b"cafe\xcc\x81", b"A", b"a", b"%5c\\x", b"\x01'\""]
        self.remember(*((name, "v", number) for number, name in enumerate(names)))
        self.assertEqual(self.recalled(), {(name, "v"): number for number, name in enumerate(names)})

    def test_albums_apart(self) -> None:
        """The same path in two albums is two facts."""
        self.remember((b"a", "v", 1))
        self.remember((b"a", "v", 2), album="other")
        self.assertEqual((self.recalled(), self.recalled("other")), ({(b"a", "v"): 1}, {(b"a", "v"): 2}))

    def test_new_version_replaces(self) -> None:
        """A new version takes the old one's place, so that what is known does not grow with every change."""
        self.remember((b"a", "old", 1), (b"b", "old", 2))
        self.remember((b"a", "new", 3))
        self.assertEqual(self.recalled(), {(b"a", "new"): 3, (b"b", "old"): 2})

    def test_last_one_counts(self) -> None:
        """Of two facts about one path in one call the last one counts."""
        self.remember((b"a", "v1", 1), (b"a", "v2", 2))
        self.assertEqual(self.recalled(), {(b"a", "v2"): 2})

    def test_remembers_nothing(self) -> None:
        """Nothing to remember is no trouble."""
        self.remember()
        self.assertEqual(self.recalled(), {})

    def test_answer_is_the_callers(self) -> None:
        """Changing an answer changes nothing that is remembered."""
        self.remember((b"a", "v", 1))
        self.recalled().clear()
        self.assertEqual(self.recalled(), {(b"a", "v"): 1})

    def test_forgets(self) -> None:
        """``forget`` drops the paths that are gone, of that album only, and says how many."""
        self.remember((b"a", "v", 1), (b"b", "v", 2), (b"\xff", "v", 3))
        self.remember((b"b", "v", 4), album="other")
        self.assertEqual(self.successResultOf(self.facts.forget(ALBUM, [b"a", b"never heard of"])), 2)
        self.assertEqual(self.recalled(), {(b"a", "v"): 1})
        self.assertEqual(self.recalled("other"), {(b"b", "v"): 4})

    def test_forgets_all(self) -> None:
        """Nothing to keep means nothing is left; a second time there is nothing to forget."""
        self.remember((b"a", "v", 1))
        self.assertEqual(self.successResultOf(self.facts.forget(ALBUM, ())), 1)
        self.assertEqual(self.successResultOf(self.facts.forget(ALBUM, ())), 0)
        self.assertEqual(self.recalled(), {})

    def test_discards(self) -> None:
        """``discard`` drops one path, of that album; where nothing is known nothing happens."""
        self.remember((b"a", "v", 1), (b"b", "v", 2))
        self.remember((b"a", "v", 3), album="other")
        for path in (b"a", b"a", b"never heard of"):
            self.assertIsNone(self.successResultOf(self.facts.discard(ALBUM, path)))
        self.assertEqual((self.recalled(), self.recalled("other")), ({(b"b", "v"): 2}, {(b"a", "v"): 3}))

    def know(self, path: bytes, version: str, facts: MemberFacts, album: str = ALBUM) -> None:
        self.assertIsNone(self.successResultOf(self.facts.know(album, path, version, facts)))

    def described(self, *paths: bytes) -> Mapping[tuple[bytes, str], MemberFacts]:
        return self.successResultOf(self.facts.describe(ALBUM, paths))

    def test_knows(self) -> None:
        """What was found out about a member is described, and its CRC recalled."""
        self.know(b"a", "v", FULL)
        self.assertEqual(self.described(b"a"), {(b"a", "v"): FULL})
        self.assertEqual(self.recalled(), {(b"a", "v"): FULL.crc32})

    def test_describes(self) -> None:
        """Only the members that are asked for are described, of that album; the unknown are left out."""
        self.remember((b"a", "v", 1), (b"b", "v", 2), (b"\xff", "v", 3))
        self.know(b"a", "v", FULL, album="other")
        self.assertEqual(self.described(), {})
        expected = {(b"a", "v"): MemberFacts(1), (b"\xff", "v"): MemberFacts(3)}
        self.assertEqual(self.described(b"a", b"\xff", b"never heard of"), expected)

    def test_describes_a_page(self) -> None:
        """A thousand members are described at once."""
        names = [b"%d" % number for number in range(2000)]
        self.remember(*((name, "v", number) for number, name in enumerate(names)))
        expected = {(name, "v"): MemberFacts(number) for number, name in enumerate(names[:1000])}
        self.assertEqual(self.described(*names[:1000]), expected)

    def test_crc_alone(self) -> None:
        """To remember the CRC alone keeps what else is known of the same version."""
        self.know(b"a", "v", FULL)
        self.remember((b"a", "v", 8))
        self.assertEqual(self.described(b"a"), {(b"a", "v"): evolve(FULL, crc32=8)})

    def test_crc_of_another_version(self) -> None:
        """What was known of one version is not said of the next."""
        self.know(b"a", "old", FULL)
        self.remember((b"a", "new", 8))
        self.assertEqual(self.described(b"a"), {(b"a", "new"): MemberFacts(8)})
        self.know(b"a", "newer", MemberFacts(9, None, "text/plain"))
        self.assertEqual(self.described(b"a"), {(b"a", "newer"): MemberFacts(9, None, "text/plain")})

    def test_knows_more(self) -> None:
        """What is found out later about the same version is added, and takes the place of what it was."""
        self.know(b"a", "v", MemberFacts(1, "ff"))
        self.know(b"a", "v", MemberFacts(1, None, "image/png"))
        self.assertEqual(self.described(b"a"), {(b"a", "v"): MemberFacts(1, "ff", "image/png")})
        self.know(b"a", "v", MemberFacts(1, "ee"))
        self.assertEqual(self.described(b"a"), {(b"a", "v"): MemberFacts(1, "ee", "image/png")})

    def test_albums(self) -> None:
        """``albums`` names each album once of which something is remembered, and no other."""
        self.assertEqual(self.successResultOf(self.facts.albums()), [])
        names = ["a", "A", "\u00e9", "10", "9", "-", "z" * 128]
        for name in names:
            self.remember((b"a", "v", 1), (b"b", "v", 2), album=name)
        self.remember((b"a", "v", 1), album="gone")
        self.successResultOf(self.facts.forget("gone", ()))
        albums = self.successResultOf(self.facts.albums())
        self.assertEqual(sorted(albums), sorted(names))

    def test_long_path(self) -> None:
        """A path of any length does no harm to the others; up to 2048 bytes it is remembered."""
        longest, longer = (random.Random(2).randbytes(size) for size in (LONGEST_PATH, 5000))
        album = "A" * 128
        self.remember((b"a", "v", 1), (longest, "v", 2), (longer, "v", 3), album=album)
        self.know(longer, "v", MemberFacts(3), album=album)
        self.assertLessEqual({(b"a", "v"): 1, (longest, "v"): 2}.items(), self.recalled(album).items())

    def test_seventy_thousand(self) -> None:
        """An album of 70,000 members is remembered, recalled, changed and forgotten as a small one is."""
        many = {(b"holiday/%06d.jpg" % number, f"{VERSION}{number}"): number for number in range(70_000)}
        self.remember(*((path, version, crc) for (path, version), crc in many.items()))
        self.assertEqual(self.recalled(), many)
        keep = {path for path, _ in many if not path.endswith(b"9.jpg")}
        self.assertEqual(self.successResultOf(self.facts.forget(ALBUM, keep)), 7000)
        self.assertEqual({path for path, _ in self.recalled()}, keep)

    def test_any_history(self) -> None:
        """After any sequence of calls, what is recalled is what a plain dictionary would hold."""
        albums = count()

        @settings(max_examples=30, deadline=None, derandomize=True)
        @given(steps)
        def history(calls: list[list[tuple[bytes, str, int]] | frozenset[bytes]]) -> None:
            album, model = f"album{next(albums)}", dict[bytes, tuple[str, int]]()
            for call in calls:
                if isinstance(call, frozenset):
                    gone = model.keys() - call
                    self.assertEqual(self.successResultOf(self.facts.forget(album, call)), len(gone))
                    model = {path: model[path] for path in model.keys() & call}
                else:
                    self.remember(*call, album=album)
                    model |= {path: (version, crc) for path, version, crc in call}
                expected = {(path, version): crc for path, (version, crc) in model.items()}
                self.assertEqual(self.recalled(album), expected)

        history()


class MemoryFactsTests(FactsContract, SynchronousTestCase):
    """`MemoryFacts` keeps the contract."""

    def make_facts(self) -> MemoryFacts:
        return MemoryFacts()


class DatabaseFactsContract(FactsContract):
    """What `Facts` adds, on any database; a subclass's ``make_url`` says which."""

    def make_url(self) -> str:
        raise NotImplementedError

    def make_facts(self) -> Facts:
        self.url = self.make_url()
        return self.open()

    def open(self) -> Facts:
        """Facts as after a start of the program."""
        self.engine = open_engine(self.url, busy_timeout=0.05)
        self.catalogue = Catalogue(self.engine, maybeDeferred)
        self.addCleanup(self.catalogue.close)
        migrate(self.engine)
        return Facts(self.catalogue)

    def test_survives(self) -> None:
        """Facts are there after a restart."""
        self.remember((b"\xff", VERSION, 1))
        self.catalogue.close()
        self.assertEqual(self.successResultOf(self.open().recall(ALBUM)), {(b"\xff", VERSION): 1})

    def test_all_or_nothing(self) -> None:
        """When the last of many rows is refused, none is remembered, nor is anything changed."""
        self.remember((b"0", "old", 7))
        many = [(b"%d" % number, "new", number) for number in range(2500)]
        refused = self.facts.remember(ALBUM, [*many, (b"~", "v", None)])  # type: ignore[list-item]
        self.assertIn("crc32", str(self.failureResultOf(refused).value))
        self.assertEqual(self.recalled(), {(b"0", "old"): 7})

    def test_reads_at_once(self) -> None:
        """What is given is read before the call returns, not in the thread: the caller may change it."""
        delayed: list[Callable[[], object]] = []

        def in_thread(f: Callable[..., object], *args: Any) -> Deferred[None]:
            delayed.append(partial(f, *args))
            return Deferred()

        facts = Facts(Catalogue(self.engine, in_thread))
        crcs, keep = [(b"a", "v", 1), (b"b", "v", 2)], {b"a"}
        facts.remember(ALBUM, crcs)
        facts.forget(ALBUM, keep)
        crcs.clear()
        keep.clear()
        for call in delayed:
            call()
        self.assertEqual(self.recalled(), {(b"a", "v"): 1})

    def test_database_fails(self) -> None:
        """When the database cannot be asked, every method fails with ``CatalogueUnavailable``."""
        self.successResultOf(self.catalogue.run(lambda c: c.execute(text("DROP TABLE facts"))))
        for waiting in (
            self.facts.recall(ALBUM),
            self.facts.remember(ALBUM, [(b"a", "v", 1)]),
            self.facts.forget(ALBUM, ()),
            self.facts.forget(ALBUM, [b"a"]),
            self.facts.know(ALBUM, b"a", "v", FULL),
            self.facts.describe(ALBUM, [b"a"]),
            self.facts.albums(),
            self.facts.discard(ALBUM, b"a"),
        ):
            self.failureResultOf(waiting, CatalogueUnavailable)


class SQLiteFactsTests(DatabaseFactsContract, SynchronousTestCase):
    """`Facts` in SQLite keeps the contract."""

    def make_url(self) -> str:
        return sqlite_url(os.path.abspath(self.mktemp()))

    def test_recall_beside_a_writer(self) -> None:
        """What is known can be recalled while somebody else writes; remembering fails, then works again."""
        self.remember((b"a", "v", 1))
        writer = open_engine(self.url)
        self.addCleanup(writer.dispose)
        with writer.begin() as connection:
            connection.execute(table.delete())
            self.assertEqual(self.recalled(), {(b"a", "v"): 1})
            self.failureResultOf(self.facts.remember(ALBUM, [(b"b", "v", 2)]), CatalogueUnavailable)
        self.remember((b"b", "v", 2))
        self.assertEqual(self.recalled(), {(b"b", "v"): 2})

    def test_killed_while_writing(self) -> None:
        """After a kill -9 in the middle of a transaction the next start has all that was kept before."""
        self.catalogue.close()
        with subprocess.Popen(
            [sys.executable, "-c", WRITE_UNTIL_KILLED, self.url, ALBUM],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
        ) as writer:
            assert writer.stdout is not None
            self.assertEqual(writer.stdout.readline(), b"kept 70000 rows\n")
            self.assertEqual(writer.stdout.readline(), b"wrote 50000 rows of the next transaction\n")
            writer.kill()
        self.assertEqual(writer.returncode, -signal.SIGKILL)
        self.facts = self.open()
        self.assertEqual(set(self.recalled().values()), {1})
        self.assertEqual(len(self.recalled()), 70_000)
        self.remember((b"after", "v", 2))
        check = self.catalogue.run(lambda connection: connection.scalar(text("PRAGMA integrity_check")))
        self.assertEqual(self.successResultOf(check), "ok")


WRITE_UNTIL_KILLED = """
import sys, time
from sqlalchemy import event
from twisted.internet.defer import maybeDeferred
from fileserve.catalogue.database import Catalogue, open_engine
from fileserve.catalogue.facts import BATCH, Facts

url, album = sys.argv[1:]
engine = open_engine(url)
facts = Facts(Catalogue(engine, maybeDeferred))
facts.remember(album, [(b"%d" % number, "old", 1) for number in range(70_000)])
print("kept 70000 rows", flush=True)

def written(*_, batches=iter(range(1, 71))):
    if next(batches) * BATCH == 50_000:
        print("wrote 50000 rows of the next transaction", flush=True)
        time.sleep(600)

event.listen(engine, "after_cursor_execute", lambda *a: a[-1] and written())
facts.remember(album, [(b"%d" % number, "new", 2) for number in range(70_000)])
"""


class PostgreSQLFactsTests(DatabaseFactsContract, SynchronousTestCase):
    """`Facts` in PostgreSQL keeps the contract."""

    def make_url(self) -> str:
        return fresh_database(self)

    def test_connection_lost(self) -> None:
        """When the server has ended our connections, the next question opens new ones."""
        self.remember((b"a", "v", 1))
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        with administrator(self.url) as connection:
            ended = text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
            self.assertEqual(connection.scalars(ended).all(), [True])
        self.assertEqual(self.recalled(), {(b"a", "v"): 1})

    def test_connection_lost_in_a_transaction(self) -> None:
        """A connection that ends half way is ``CatalogueUnavailable``, and the next question is answered."""
        suicide = select(text("pg_terminate_backend(pg_backend_pid())"))
        self.failureResultOf(self.catalogue.run(lambda c: c.execute(suicide)), CatalogueUnavailable)
        self.assertEqual(self.recalled(), {})
