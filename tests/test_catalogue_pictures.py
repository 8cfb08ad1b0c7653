"""
Pictures: one contract, and everything that keeps it: memory, SQLite and PostgreSQL.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from fileserve.catalogue.database import Catalogue, open_engine, sqlite_url
from fileserve.catalogue.facts import LONGEST_PATH, Facts
from fileserve.catalogue.interfaces import CatalogueUnavailable, MemberFacts
from fileserve.catalogue.memory import MemoryFacts
from fileserve.catalogue.memorypictures import MemoryPictures
from fileserve.catalogue.migrating import migrate
from fileserve.catalogue.pictureinterfaces import IPictures, Seen
from fileserve.catalogue.pictures import Pictures
from fileserve.pictures.facts import PictureFacts
from tests.postgres import fresh_database

ALBUM = "3bea29ccabbbf64bdebcc055319c5745"
FULL = PictureFacts(
    "image/jpeg", 4000, 3000, 6, "Canon", "EOS 5D \u00e9\u65e5", "2026-11-20T21:52:00+01:00", True
)
BARE = PictureFacts("text/plain")

if TYPE_CHECKING:
    Contract = SynchronousTestCase
else:
    Contract = object

paths = st.binary(min_size=1, max_size=3)
notes = st.lists(st.tuples(paths, st.sampled_from(["v1", "v2"]), st.sampled_from([FULL, BARE])), max_size=5)
steps = st.lists(st.one_of(notes, paths, st.frozensets(paths)), max_size=6)


class PicturesContract(Contract):
    """
    What every `IPictures` must do, with the `IFacts` beside it; a subclass's ``make`` says which.
    """

    def make(self) -> tuple[Pictures | MemoryPictures, Facts | MemoryFacts]:
        raise NotImplementedError

    def setUp(self) -> None:
        self.pictures, self.facts = self.make()

    def note(self, *seen: tuple[bytes, str, PictureFacts], album: str = ALBUM) -> None:
        self.assertIsNone(self.successResultOf(self.pictures.note(album, seen)))

    def described(self, *paths: bytes, album: str = ALBUM) -> Seen:
        return self.successResultOf(self.pictures.describe(album, paths))

    def known(self, album: str = ALBUM) -> set[tuple[bytes, str]]:
        known = self.successResultOf(self.pictures.known(album))
        assert isinstance(known, set)
        return known

    def know(self, *paths: bytes, album: str = ALBUM) -> None:
        self.successResultOf(self.facts.remember(album, [(path, "v", 1) for path in paths]))

    def test_interface(self) -> None:
        """It provides ``IPictures``."""
        self.assertTrue(verifyObject(IPictures, self.pictures))

    def test_nothing_known(self) -> None:
        """Of an album never heard of nothing is known."""
        self.assertEqual((self.known(), self.described(b"a")), (set(), {}))

    def test_notes(self) -> None:
        """What was seen is described as it was seen, all of it or what there was."""
        self.note((b"a/b.jpg", "v1", FULL), (b"c.txt", "v2", BARE))
        expected = {(b"a/b.jpg", "v1"): FULL, (b"c.txt", "v2"): BARE}
        self.assertEqual(self.described(b"a/b.jpg", b"c.txt"), expected)
        self.assertEqual(self.known(), expected.keys())
        self.assertIs(self.described(b"a/b.jpg")[b"a/b.jpg", "v1"].located, True)

    def test_decoder_comes_later(self) -> None:
        """A picture that an extra decoder could not open is described, and has to be looked at again."""
        closed, opened = PictureFacts("image/heic"), PictureFacts("image/heic", 4, 3)
        broken = PictureFacts("image/png")
        self.note((b"a", "v", closed), (b"b", "v", opened), (b"c", "v", broken))
        self.assertEqual(self.described(b"a"), {(b"a", "v"): closed})
        self.assertEqual(self.known(), {(b"b", "v"), (b"c", "v")})

    def test_unknown_are_left_out(self) -> None:
        """Only what is asked for is described, of that album."""
        self.note((b"a", "v", FULL), (b"b", "v", BARE))
        self.note((b"c", "v", FULL), album="other")
        self.assertEqual(self.described(b"a", b"c", b"never heard of"), {(b"a", "v"): FULL})
        self.assertEqual(self.described(), {})
        self.assertEqual(self.known("other"), {(b"c", "v")})

    def test_bytes(self) -> None:
        """A path is bytes: it need not be UTF-8, and names that only look alike stay apart."""
        names = [b"\xff\xfe.jpg", b"caf\xc3\xa9", b"cafe\xcc\x81", b"A", b"a", b"%5c\\x", b"\x01'\""]
        self.note(*((name, "v", PictureFacts("image/png", number)) for number, name in enumerate(names)))
        expected = {(name, "v"): PictureFacts("image/png", number) for number, name in enumerate(names)}
        self.assertEqual(self.described(*names), expected)

    def test_new_version_replaces(self) -> None:
        """What was seen last takes the place of all that was known of the same path."""
        self.note((b"a", "old", FULL), (b"b", "old", FULL))
        self.note((b"a", "new", BARE), (b"b", "old", BARE))
        self.assertEqual(self.described(b"a", b"b"), {(b"a", "new"): BARE, (b"b", "old"): BARE})
        self.assertEqual(self.known(), {(b"a", "new"), (b"b", "old")})

    def test_last_one_counts(self) -> None:
        """Of two about one path in one call the last one counts."""
        self.note((b"a", "v1", FULL), (b"a", "v2", BARE))
        self.assertEqual(self.described(b"a"), {(b"a", "v2"): BARE})

    def test_notes_nothing(self) -> None:
        """Nothing to note is no trouble."""
        self.note()
        self.assertEqual(self.known(), set())

    def test_answer_is_the_callers(self) -> None:
        """Changing an answer changes nothing that is remembered."""
        self.note((b"a", "v", FULL))
        self.known().clear()
        self.assertEqual(self.known(), {(b"a", "v")})

    def test_describes_a_page(self) -> None:
        """A thousand members are described at once, of an album with more."""
        names = [b"%d" % number for number in range(1500)]
        self.note(*((name, "v", PictureFacts("image/gif", number)) for number, name in enumerate(names)))
        expected = {(name, "v"): PictureFacts("image/gif", number) for number, name in enumerate(names)}
        self.assertEqual(self.described(*names[:1000]), dict(list(expected.items())[:1000]))
        self.assertEqual(self.known(), expected.keys())

    def test_long_path(self) -> None:
        """A path of any length does no harm to the others; up to 2048 bytes it is remembered."""
        longest, longer = (random.Random(2).randbytes(size) for size in (LONGEST_PATH, 5000))
        album = "A" * 128
        self.note((b"a", "v", FULL), (longest, "v", BARE), (longer, "v", BARE), album=album)
        self.assertLessEqual({(b"a", "v"), (longest, "v")}, self.known(album))

    def test_large_numbers(self) -> None:
        """Formats with room for large numbers are remembered as they are."""
        large = PictureFacts("image/x-exr", 2**32, 2**40)
        self.note((b"a", "v", large))
        self.assertEqual(self.described(b"a"), {(b"a", "v"): large})

    def test_forgets(self) -> None:
        """``IFacts.forget`` drops the paths that are gone here too, and counts each once."""
        self.note((b"a", "v", FULL), (b"b", "v", FULL), (b"\xff", "v", BARE))
        self.note((b"b", "v", FULL), album="other")
        self.know(b"b", b"c")
        self.assertEqual(self.successResultOf(self.facts.forget(ALBUM, [b"a", b"never heard of"])), 3)
        self.assertEqual((self.known(), self.known("other")), ({(b"a", "v")}, {(b"b", "v")}))
        self.assertEqual(self.successResultOf(self.facts.recall(ALBUM)), {})

    def test_forgets_all(self) -> None:
        """Where nothing is kept, nothing stays in either; what is known of both counts once."""
        self.note((b"a", "v", FULL), (b"b", "v", FULL))
        self.note((b"b", "v", FULL), album="other")
        self.know(b"b", b"c")
        self.know(b"a", album="other")
        self.assertEqual(self.successResultOf(self.facts.forget(ALBUM, ())), 3)
        self.assertEqual(self.successResultOf(self.facts.forget(ALBUM, ())), 0)
        self.assertEqual((self.known(), self.known("other")), (set(), {(b"b", "v")}))
        self.assertEqual(self.successResultOf(self.facts.recall("other")), {(b"a", "v"): 1})

    def test_discards(self) -> None:
        """``IFacts.discard`` drops one path in both, of that album; where nothing is, nothing happens."""
        self.note((b"a", "v", FULL), (b"b", "v", FULL))
        self.note((b"a", "v", FULL), album="other")
        self.know(b"a", b"b")
        for path in (b"a", b"a", b"never heard of"):
            self.assertIsNone(self.successResultOf(self.facts.discard(ALBUM, path)))
        self.assertEqual((self.known(), self.known("other")), ({(b"b", "v")}, {(b"a", "v")}))
        self.assertEqual(self.successResultOf(self.facts.recall(ALBUM)), {(b"b", "v"): 1})
        self.successResultOf(self.facts.discard(ALBUM, b"b"))
        self.assertEqual(self.successResultOf(self.facts.albums()), ["other"])

    def test_albums(self) -> None:
        """``IFacts.albums`` names each album once of which anything is remembered, in either."""
        self.note((b"a", "v", FULL), album="pictures")
        self.note((b"a", "v", FULL), (b"b", "v", FULL), album="both")
        self.know(b"a", album="both")
        self.know(b"a", album="facts")
        albums = self.successResultOf(self.facts.albums())
        self.assertEqual(sorted(albums), ["both", "facts", "pictures"])

    def test_any_history(self) -> None:
        """After any sequence of calls, what is described is what a plain dictionary would hold."""
        albums = count()

        @settings(max_examples=30, deadline=None, derandomize=True)
        @given(steps)
        def history(calls: list[Any]) -> None:
            album, model = f"album{next(albums)}", dict[bytes, tuple[str, PictureFacts]]()
            for call in calls:
                if isinstance(call, list):
                    self.note(*call, album=album)
                    model |= {path: (version, facts) for path, version, facts in call}
                elif isinstance(call, bytes):
                    self.successResultOf(self.facts.discard(album, call))
                    model.pop(call, None)
                else:
                    gone = self.successResultOf(self.facts.forget(album, call))
                    self.assertEqual(gone, len(model.keys() - call))
                    model = {path: model[path] for path in model.keys() & call}
                expected = {(path, version): facts for path, (version, facts) in model.items()}
                self.assertEqual(self.described(*model, b"~", album=album), expected)

        history()


class MemoryPicturesTests(PicturesContract, SynchronousTestCase):
    """`MemoryPictures` keeps the contract."""

    def make(self) -> tuple[MemoryPictures, MemoryFacts]:
        pictures = MemoryPictures()
        return pictures, MemoryFacts(pictures)


class DatabasePicturesContract(PicturesContract):
    """What `Pictures` adds, on any database; a subclass's ``make_url`` says which."""

    def make_url(self) -> str:
        raise NotImplementedError

    def make(self) -> tuple[Pictures, Facts]:
        self.url = self.make_url()
        return self.open()

    def open(self) -> tuple[Pictures, Facts]:
        """What is remembered as after a start of the program."""
        self.engine = open_engine(self.url, busy_timeout=0.05)
        self.catalogue = Catalogue(self.engine, maybeDeferred)
        self.addCleanup(self.catalogue.close)
        migrate(self.engine)
        return Pictures(self.catalogue), Facts(self.catalogue)

    def test_survives(self) -> None:
        """What was seen is there after a restart."""
        self.note((b"\xff", "v", FULL))
        self.catalogue.close()
        self.pictures, self.facts = self.open()
        self.assertEqual(self.described(b"\xff"), {(b"\xff", "v"): FULL})

    def test_what_no_database_takes(self) -> None:
        """Texts and numbers that a database would refuse are kept as far as it can, and harm no others."""
        odd = PictureFacts("image/x-xbitmap", 10**30, 5, maker="a\0b", model="\ud800c", taken="\udfff")
        self.note((b"a", "v", odd), (b"b", "v", FULL))
        kept = PictureFacts("image/x-xbitmap", None, 5, maker="ab", model="?c", taken="?")
        self.assertEqual(self.described(b"a", b"b"), {(b"a", "v"): kept, (b"b", "v"): FULL})

    def test_reads_at_once(self) -> None:
        """What is given is read before the call returns, not in the thread: the caller may change it."""
        delayed: list[Callable[[], object]] = []

        def in_thread(f: Callable[..., object], *args: Any) -> Deferred[None]:
            delayed.append(partial(f, *args))
            return Deferred()

        pictures = Pictures(Catalogue(self.engine, in_thread))
        seen, asked = [(b"a", "v", FULL)], [b"a"]
        pictures.note(ALBUM, seen)
        pictures.describe(ALBUM, asked)
        seen.clear()
        asked.clear()
        self.assertEqual([call() for call in delayed], [None, {(b"a", "v"): FULL}])

    def test_database_fails(self) -> None:
        """When the database cannot be asked, every method fails with ``CatalogueUnavailable``."""
        self.successResultOf(self.catalogue.run(lambda c: c.execute(text("DROP TABLE pictures"))))
        for waiting in (
            self.pictures.note(ALBUM, [(b"a", "v", FULL)]),
            self.pictures.describe(ALBUM, [b"a"]),
            self.pictures.known(ALBUM),
            self.facts.forget(ALBUM, ()),
            self.facts.forget(ALBUM, [b"a"]),
            self.facts.discard(ALBUM, b"a"),
            self.facts.albums(),
        ):
            self.failureResultOf(waiting, CatalogueUnavailable)

    def test_forgetting_is_one_step(self) -> None:
        """When one of both can't be dropped, the other stays: facts and pictures are dropped together."""
        self.successResultOf(self.facts.know(ALBUM, b"a", "v", MemberFacts(1)))
        self.successResultOf(self.catalogue.run(lambda c: c.execute(text("DROP TABLE pictures"))))
        for waiting in (self.facts.forget(ALBUM, ()), self.facts.discard(ALBUM, b"a")):
            self.failureResultOf(waiting, CatalogueUnavailable)
        self.assertEqual(self.successResultOf(self.facts.recall(ALBUM)), {(b"a", "v"): 1})


class SQLitePicturesTests(DatabasePicturesContract, SynchronousTestCase):
    """`Pictures` in SQLite keeps the contract."""

    def make_url(self) -> str:
        return sqlite_url(os.path.abspath(self.mktemp()))

    def test_describe_beside_a_writer(self) -> None:
        """What is known can be described while somebody else writes; noting fails, then works again."""
        self.note((b"a", "v", FULL))
        writer = open_engine(self.url)
        self.addCleanup(writer.dispose)
        with writer.begin() as connection:
            connection.execute(text("DELETE FROM pictures"))
            self.assertEqual(self.described(b"a"), {(b"a", "v"): FULL})
            self.failureResultOf(self.pictures.note(ALBUM, [(b"b", "v", FULL)]), CatalogueUnavailable)
        self.note((b"b", "v", FULL))
        self.assertEqual(self.known(), {(b"b", "v")})

    def test_describe_looks_at_what_is_asked_for(self) -> None:
        """A page of a large album is looked up by its paths; the rest of the album is not read."""
        query = "EXPLAIN QUERY PLAN SELECT * FROM pictures WHERE album = 'a' AND path IN ('b', 'c')"
        plan = self.successResultOf(self.catalogue.read(lambda c: c.execute(text(query)).all()))
        self.assertIn("(album=? AND path=?)", str(plan))


class PostgreSQLPicturesTests(DatabasePicturesContract, SynchronousTestCase):
    """`Pictures` in PostgreSQL keeps the contract."""

    def make_url(self) -> str:
        return fresh_database(self)
