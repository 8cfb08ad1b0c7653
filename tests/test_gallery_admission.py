"""
Tests of getting into an album: never the same bytes twice, never one picture over another, in whatever order
things happen and whoever leaves meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from fileserve.catalogue.claims import Claims
from fileserve.catalogue.database import Catalogue, open_engine, sqlite_url
from fileserve.catalogue.facts import Facts
from fileserve.catalogue.interfaces import CatalogueUnavailable, MemberFacts
from fileserve.catalogue.migrating import migrate
from fileserve.gallery.admission import Duplicate, Stored
from fileserve.http.refusal import Refusal
from fileserve.storage.disk import DiskStore
from fileserve.storage.errors import FileExists, MemberChanged, NoSpace, StoreUnavailable, Unreadable
from fileserve.storage.interfaces import IFileStore
from fileserve.threads import Threads

from .filesupport import Spied
from .support import ByHand, at_once, open_descriptors
from .uploadsupport import NOW, WayIn, png

_AWAY = CatalogueUnavailable("films", "locked")


class AdmissionCase(SynchronousTestCase):
    """A way in, in memory."""

    def setUp(self) -> None:
        self.way = WayIn(self.mktemp())

    def stored(self, data: bytes, given: str = "", **more: Any) -> Stored:
        stored: Stored = self.successResultOf(self.way.take(data, given, **more))
        return stored

    def duplicate(self, taking: Deferred[Any]) -> Duplicate:
        error: Duplicate = self.failureResultOf(taking, Duplicate).value
        self.assertEqual(error.status, 409)
        return error

    def assert_idle(self) -> None:
        """Nothing is half done."""
        self.assertEqual(self.way.memory.incoming, set())
        self.assertEqual(self.way.held(), {})
        self.assertEqual(self.way.spools.left_open, 0)


class EnterTests(AdmissionCase):
    """A picture that is let in."""

    def test_known(self) -> None:
        """What is told of it, is what the store has and the catalogue knows from now on."""
        stored = self.stored(png(), "A photo")
        member = self.successResultOf(self.way.memory.stat("album", b"A photo.png"))
        self.assertEqual((stored.album, stored.path, stored.member), ("album", b"A photo.png", member))
        self.assertEqual((stored.picture.width, stored.picture.height), (4, 3))
        key = (member.path, member.version)
        self.assertEqual(
            self.successResultOf(self.way.facts.describe("album", [member.path])), {key: stored.facts}
        )
        self.assertEqual(
            self.successResultOf(self.way.pictures.describe("album", [member.path])), {key: stored.picture}
        )
        self.assert_idle()

    def test_order(self) -> None:
        """S3-W13: the claim comes before the look at the album, and goes only when the file is there."""
        self.stored(png())
        order = [step for step in self.way.journal if step in {"claim", "list", "keep", "know", "release"}]
        self.assertEqual(order, ["claim", "list", "keep", "know", "release"])

    def test_facts_are_not_needed(self) -> None:
        """What can't be remembered costs only time: the picture is stored, and the log tells."""
        for part, name in ((self.way.facts, "know"), (self.way.pictures, "note")):
            part.fails[name] = _AWAY
        with capturedLogs() as logs:
            self.stored(png())
        self.assertEqual([event["log_level"].name for event in logs], ["warn", "warn"])
        self.assertEqual(self.way.names(), ["own.png"])
        self.assert_idle()


class DuplicateTests(AdmissionCase):
    """The same bytes again."""

    def test_same_bytes(self) -> None:
        """S3-F2: the same bytes under another name are refused with 409, and which they are is told."""
        self.stored(png(), "one")
        error = self.duplicate(self.way.take(png(), "two"))
        self.assertEqual((error.album, error.path), ("album", b"one.png"))
        self.assertEqual(error.detail, "This picture is in the album already, as 'one.png'.")
        self.assertEqual(self.way.names(), ["one.png"])
        self.assert_idle()

    def test_other_albums(self) -> None:
        """The same bytes may be in another album."""
        self.stored(png(), "one")
        self.stored(png(), "one", album="other")
        self.assertEqual(self.way.names("other"), ["one.png"])

    def test_again_after_removal(self) -> None:
        """What was removed can be uploaded again."""
        stored = self.stored(png())
        self.successResultOf(self.way.memory.delete("album", stored.path))
        self.stored(png())

    def test_sha256(self) -> None:
        """S3-W13: files are the same by SHA-256: of one size, and of one CRC-32, they may be others."""
        self.stored(png(0), "black")
        self.stored(png(1), "nearly black")
        member = self.way.memory.put("album", b"alike.png", png(3))
        taken = self.stored(png(2), "grey")
        alike = MemberFacts(taken.facts.crc32, "0" * 64)
        self.successResultOf(self.way.facts.know("album", b"alike.png", member.version, alike))
        self.successResultOf(self.way.memory.delete("album", b"grey.png"))
        self.stored(png(2), "grey")

    def test_dropped_files(self) -> None:
        """A file that came by FTP, of which nothing is known, is read; what is known to differ is not."""
        self.way.memory.put("album", b"by ftp.png", png())
        self.assertEqual(self.duplicate(self.way.take(png())).path, b"by ftp.png")
        self.way.memory.put("album", b"other.png", png(7))
        known = self.successResultOf(self.way.memory.stat("album", b"other.png"))
        self.successResultOf(self.way.facts.know("album", b"other.png", known.version, MemberFacts(1)))
        self.successResultOf(self.way.memory.delete("album", b"by ftp.png"))
        self.way.memory.reader = lambda album: self.fail("it is known to be another")  # type: ignore[method-assign]
        self.stored(png())

    def test_members_that_go(self) -> None:
        """A member that goes or changes while it is read, or can't be read, is none of the same bytes."""
        for error in (MemberChanged(b"x", "gone"), Unreadable(b"x", "denied")):
            way = WayIn(self.mktemp())
            way.memory.put("album", b"x", png())

            def failing(_: str, error: Exception = error) -> Any:
                raise error

            way.memory.reader = failing  # type: ignore[method-assign, assignment]
            self.successResultOf(way.take(png()))
            self.assertEqual(way.names(), ["own.png", "x"])

    def test_many_of_a_size(self) -> None:
        """Facts of thousands of members of one size are asked for a page at a time."""
        for number in range(2001):
            member = self.way.memory.put("album", b"%d" % number, png())
            self.way.facts.inner.know("album", member.path, member.version, MemberFacts(number, "0" * 64))
        self.way.journal.clear()
        self.stored(png())
        self.assertEqual(self.way.journal.count("describe"), 3)

    def test_hostile_names(self) -> None:
        """S3-W2: the name that is told has nothing in it that a terminal obeys; the page escapes the rest."""
        self.way.memory.put("album", b"\x1b[2J\xff<b>.png", png())
        self.assertTrue(self.duplicate(self.way.take(png())).detail.isprintable())

    def test_at_once(self) -> None:
        """S3-W13: while one upload of some bytes is under way another is refused, and can't say as what."""
        kept = self.way.store.hold("keep")
        first = self.way.take(png(), "one")
        error = self.duplicate(self.way.take(png(), "two"))
        self.assertEqual((error.album, error.path), ("album", None))
        kept.callback(None)
        self.assertEqual(self.successResultOf(first).path, b"one.png")
        self.assert_idle()

    def test_at_once_in_two_albums(self) -> None:
        """It is not refused in another album."""
        kept = self.way.store.hold("keep")
        both = [self.way.take(png()), self.way.take(png(), album="other")]
        kept.callback(None)
        for each in both:
            self.successResultOf(each)


class NameTests(AdmissionCase):
    """Names that something has already."""

    def test_number(self) -> None:
        """S3-W3: another picture of the same name gets " (2)", and none goes over another."""
        for grey in range(3):
            self.stored(png(grey), "same")
        self.assertEqual(self.way.names(), ["same (2).png", "same (3).png", "same.png"])
        for grey, name in enumerate((b"same.png", b"same (2).png", b"same (3).png")):
            self.assertEqual(self.way.memory._albums["album"].files[name].data, png(grey))

    def test_at_once(self) -> None:
        """S3-W3: so does one that comes at the same time, which hears only at the end that it is taken."""
        first, second = self.way.store.hold("keep"), Deferred[None]()
        one = self.way.take(png(1), "same")
        self.way.store.waits["keep"] = second
        two = self.way.take(png(2), "same")
        self.way.store.waits.clear()
        second.callback(None)
        first.callback(None)
        self.assertEqual(self.successResultOf(two).path, b"same.png")
        self.assertEqual(self.successResultOf(one).path, b"same (2).png")
        self.assertEqual(self.way.memory._albums["album"].files[b"same (2).png"].data, png(1))
        self.assert_idle()

    def test_gaps(self) -> None:
        """With thousands of one name the free number is found by one listing."""
        for number in range(2, 3000):
            self.way.memory.put("album", b"same (%d).png" % number, b"")
        self.way.memory.put("album", b"same.png", b"")
        self.assertEqual(self.stored(png(), "same").path, b"same (3000).png")
        self.assertEqual(self.way.journal.count("receive"), 2)

    def test_folder_in_the_way(self) -> None:
        """A folder of that name, which is no member, is passed over, too."""
        self.way.memory.put("album", b"same.png/inside", b"")
        self.assertEqual(self.stored(png(), "same").path, b"same (2).png")

    def test_no_name_is_free(self) -> None:
        """Where no name at all will do, as when a file has the album's, that has an end."""
        for step in ("receive", "keep"):
            self.way.store.fails[step] = FileExists("there")
            refusal = self.failureResultOf(self.way.take(png()), Refusal).value
            self.assertEqual(refusal.status, 409)
            self.way.store.fails.clear()
            self.way.memory.incoming.clear()  # a real store drops what it fails to keep
            self.assert_idle()


class FailureTests(AdmissionCase):
    """Each step may fail; then nothing is stored, and nothing is left."""

    def test_each_step(self) -> None:
        """S3-W5: wherever it fails, the failure is told, and no file, no claim and no descriptor is left."""
        steps: list[tuple[Spied, str, Exception]] = [
            (self.way.store, "receive", StoreUnavailable("away")),
            (self.way.store, "write", NoSpace("full")),
            (self.way.store, "keep", NoSpace("full")),
            (self.way.store, "list", StoreUnavailable("away")),
            (self.way.claims, "claim", _AWAY),
            (self.way.facts, "describe", _AWAY),
        ]
        self.way.memory.put("album", b"of the same size", png(9))
        for part, name, error in steps:
            part.fails[name] = error
            self.assertIs(self.failureResultOf(self.way.take(png())).value, error, name)
            part.fails.clear()
            if name == "keep":
                self.way.memory.incoming.clear()  # a real store drops what it fails to keep
            self.assertEqual(self.way.names(), ["of the same size"])
            self.assert_idle()
        self.stored(png())

    def test_claim_stays(self) -> None:
        """A claim that can't be given up ends by itself; the picture is stored, and the log tells."""
        self.way.claims.fails["release"] = _AWAY
        with capturedLogs() as logs:
            self.stored(png())
        self.assertEqual([event["log_level"].name for event in logs], ["warn"])
        self.assertEqual(self.way.names(), ["own.png"])

    def test_catalogue_is_away(self) -> None:
        """While the catalogue is away nothing is taken: nobody could tell whether it is there already."""
        for name in ("claim", "release"):
            self.way.claims.fails[name] = _AWAY
        self.failureResultOf(self.way.take(png()), CatalogueUnavailable)
        self.assertEqual(self.way.names(), [])
        self.assertEqual(self.way.memory.incoming, set())


class LeavingTests(AdmissionCase):
    """The client leaves, at any moment."""

    def leave_at(self, part: Spied, name: str) -> None:
        done = part.hold(name)
        taking = self.way.take(png())
        taking.cancel()
        self.failureResultOf(taking, CancelledError)
        self.assertEqual(self.way.spools.left_open, 0)
        done.callback(None)
        part.waits.clear()
        self.assert_idle()

    def test_before_the_last_step(self) -> None:
        """Before a file is kept: nothing is left, and it can be sent again."""
        self.way.memory.put("album", b"of the same size", png(9))
        for part, name in (
            (self.way.store, "write"),
            (self.way.claims, "claim"),
            (self.way.store, "list"),
            (self.way.facts, "describe"),
        ):
            self.leave_at(part, name)
            self.assertEqual(self.way.names(), ["of the same size"], name)
        self.stored(png())

    def test_at_the_last_step(self) -> None:
        """From then on it completes by itself, with all that has to be told of it."""
        for number, (part, name) in enumerate(
            (
                (self.way.store, "keep"),
                (self.way.facts, "know"),
                (self.way.pictures, "note"),
                (self.way.claims, "release"),
            )
        ):
            self.way.memory.put("album", b"x", b"")
            self.leave_at(part, name)
            self.assertEqual(self.way.names(), ["own.png", "x"], name)
            member = self.successResultOf(self.way.memory.stat("album", b"own.png"))
            key = (b"own.png", member.version)
            self.assertIn(key, self.successResultOf(self.way.facts.describe("album", [b"own.png"])))
            self.assertIn(key, self.successResultOf(self.way.pictures.describe("album", [b"own.png"])))
            self.successResultOf(self.way.memory.delete("album", b"own.png"))
            self.assertLess(number, 4)

    def test_claim_lasts_as_long_as_the_last_step(self) -> None:
        """S3-W13: whoever leaves while a file is being kept takes no claim along: no one gets in."""
        kept = self.way.store.hold("keep")
        taking = self.way.take(png(), "one")
        taking.cancel()
        self.failureResultOf(taking, CancelledError)
        self.way.store.waits.clear()
        self.duplicate(self.way.take(png(), "two"))
        kept.callback(None)
        self.assertEqual(self.duplicate(self.way.take(png(), "three")).path, b"one.png")
        self.assert_idle()

    def test_name_is_taken_meanwhile(self) -> None:
        """Where the last step then finds its name taken, there is nothing, and no claim."""
        kept = self.way.store.hold("keep")
        taking = self.way.take(png())
        taking.cancel()
        self.failureResultOf(taking, CancelledError)
        self.way.memory.put("album", b"own.png", b"")
        kept.callback(None)
        self.assertEqual(self.way.names(), ["own.png"])
        self.assert_idle()

    def test_claim_was_not_ours(self) -> None:
        """Whoever leaves while asking for a claim that another has does not take it away."""
        self.successResultOf(self.way.claims.claim("album", self.sha256()))
        asked = self.way.claims.hold("claim")
        taking = self.way.take(png())
        taking.cancel()
        self.failureResultOf(taking, CancelledError)
        asked.callback(None)
        self.assertEqual(len(self.way.held()), 1)

    def sha256(self) -> str:
        sha256: str | None = self.stored(png(), album="elsewhere").facts.sha256
        return sha256 or ""


class Steps:
    """
    What is under way: each call is done at one moment, and its result comes at another; which is next, the
    test says. So it is with threads.
    """

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def run(self, work: Callable[..., Any], *args: object, **named: object) -> Deferred[Any]:
        """Runs ``work``, which may return a Deferred that has fired."""
        result: Deferred[Any] = Deferred(lambda _: None)

        def deliver(outcome: Any) -> None:
            if not result.called:
                result.callback(outcome)

        def do() -> None:
            done = at_once(work, *args, **named)
            outcomes: list[Any] = []
            done.addBoth(outcomes.append)
            self.waiting.append(lambda: deliver(outcomes[0]))

        self.waiting.append(do)
        return result

    def next(self, which: int) -> None:
        self.waiting.pop(which % len(self.waiting))()


class Stepped:
    """Passes calls on, step by step."""

    def __init__(self, inner: Any, steps: Steps) -> None:
        self.inner = inner
        self._steps = steps

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)
        if name in {"reader", "drop"}:
            return method

        def receive(*args: object) -> Deferred[Any]:
            # Stores only look here; what they begin, they begin for whoever waits still.
            looked = self._steps.run(lambda: None).addCallback(lambda _: method(*args))
            return looked.addCallback(self._stepped)

        return receive if name == "receive" else partial(self._steps.run, method)

    def _stepped(self, incoming: Any) -> Stepped:
        return Stepped(incoming, self._steps)


class AnyOrderTests(SynchronousTestCase):
    """Several uploads at once, in any order of all that happens."""

    def setUp(self) -> None:
        self.directory = self.mktemp()
        self.descriptors = open_descriptors()

    def begin(self) -> list[Deferred[Any]]:
        """Two of the same bytes, and one of others, that want one name in a new store."""
        self.steps = Steps()
        plain = WayIn(self.directory)
        self.memory = plain.memory
        parts: Any = {
            "store": Stepped(plain.memory, self.steps),
            "claims": Stepped(plain.claims.inner, self.steps),
            "facts": Stepped(plain.facts.inner, self.steps),
            "pictures": Stepped(plain.pictures.inner, self.steps),
        }
        way = WayIn(self.directory, in_thread=self.steps.run, **parts)
        self.held = plain.claims.inner._held
        return [way.take(png(grey), "same") for grey in (1, 1, 2)]

    def lying(self) -> list[bytes]:
        found = self.memory._albums.get("album")
        return sorted(file.data for file in found.files.values()) if found else []

    def assert_idle(self) -> None:
        self.assertEqual((self.memory.incoming, self.held), (set(), {}))
        self.assertEqual(open_descriptors(), self.descriptors)

    @settings(deadline=None)
    @given(st.integers(0, 2**64).map(Random))
    def test_nobody_leaves(self, chance: Random) -> None:
        """S3-W13, S3-W3: of the same bytes just one is stored, others of that name too; nothing is left."""
        outcomes: list[Any] = []
        for each in self.begin():
            each.addBoth(outcomes.append)
        while self.steps.waiting:
            self.steps.next(chance.randrange(1000))
        stored = [each for each in outcomes if isinstance(each, Stored)]
        refused = [each for each in outcomes if isinstance(each, Failure)]
        self.assertEqual([type(each.value) for each in refused], [Duplicate])
        self.assertEqual({each.path for each in stored}, {b"same.png", b"same (2).png"})
        self.assertEqual(self.lying(), sorted([png(1), png(2)]))
        self.assert_idle()

    @settings(deadline=None, max_examples=200)
    @given(st.integers(0, 2**64).map(Random))
    def test_anybody_leaves(self, chance: Random) -> None:
        """S3-W5, S3-W13: whoever leaves at whatever moment, nothing is there twice, or half, or left over."""
        uploads = self.begin()
        outcomes: list[Any] = []
        for each in uploads:
            each.addBoth(outcomes.append)
        while self.steps.waiting:
            if chance.random() < 0.03:
                chance.choice(uploads).cancel()
            self.steps.next(chance.randrange(1000))
        self.assertEqual(len(outcomes), 3)
        lying = self.lying()
        self.assertLessEqual(len(lying), len(set(lying)))
        self.assertLessEqual(set(lying), {png(1), png(2)})
        self.assertGreaterEqual(len(lying), sum(isinstance(each, Stored) for each in outcomes))
        self.assert_idle()
        for each in outcomes:
            self.assertIn(type(each.value) if isinstance(each, Failure) else Stored, _ENDS)


_ENDS = (Stored, Duplicate, CancelledError)


class DiskTests(SynchronousTestCase):
    """On a real disk."""

    def setUp(self) -> None:
        self.root = self.mktemp()
        os.mkdir(self.root)
        self.descriptors = open_descriptors()

    def way(self, **more: Any) -> WayIn:
        return WayIn(self.mktemp(), store=DiskStore(self.root, at_once), **more)

    def names(self) -> list[str]:
        """All files below the root, wherever they are."""
        return sorted(
            os.path.relpath(os.path.join(folder, name), self.root)
            for folder, _, names in os.walk(self.root)
            for name in names
        )

    def test_stored(self) -> None:
        """The album comes into being with its first picture, which is stored as it was sent."""
        self.successResultOf(self.way().take(png(), "one"))
        self.assertEqual(self.names(), ["album/one.png"])
        with open(os.path.join(self.root, "album/one.png"), "rb") as file:
            self.assertEqual(file.read(), png())
        self.assertEqual(open_descriptors(), self.descriptors)

    def test_climbing(self) -> None:
        """S3-W1: a name that climbs, or names a folder, ends as a name in the album."""
        way = self.way()
        for grey, name in enumerate(("../escaped", "sub/dir", "/tmp/absolute", "..\\escaped", "a\0b")):
            self.successResultOf(way.take(png(grey), name))
        names = ["a_b.png", "absolute.png", "dir.png", "escaped (2).png", "escaped.png"]
        self.assertEqual(self.names(), ["album/" + name for name in names])

    def test_nothing_is_left(self) -> None:
        """S3-W5: what is refused leaves no file anywhere below the root, and no descriptor."""
        way = self.way()
        self.successResultOf(way.take(png(), "one"))
        for data in (png(), b"no picture", png()[:40]):
            self.failureResultOf(way.take(data), Refusal)
        self.assertEqual(self.names(), ["album/one.png"])
        self.assertEqual(open_descriptors(), self.descriptors)

    def test_album_is_a_file(self) -> None:
        """Where a file has the name of the album, that is refused after some tries."""
        with open(os.path.join(self.root, "album"), "wb"):
            pass
        refusal = self.failureResultOf(self.way().take(png()), Refusal).value
        self.assertEqual(refusal.status, 409)
        self.assertEqual(open_descriptors(), self.descriptors)

    def test_left_in_a_thread(self) -> None:
        """Whoever leaves while threads are at work leaves nothing, once they are done."""
        outcomes = []
        for steps in range(20):
            threads = ByHand()
            way = WayIn(self.mktemp(), store=DiskStore(self.root, threads), in_thread=threads)
            taking = way.take(png(steps), str(steps))
            for _ in range(steps):
                if len(threads):
                    threads.step()
            taking.cancel()
            threads.run()
            self.assertEqual((way.held(), open_descriptors()), ({}, self.descriptors))
            outcomes.append(f"album/{steps}.png" in self.names())
            taking.addErrback(lambda failure: failure.trap(CancelledError))
        self.assertEqual(
            self.names(), sorted(f"album/{n}.png" for n, stored in enumerate(outcomes) if stored)
        )
        self.assertEqual((outcomes[0], outcomes[-1]), (False, True))


class TwoProcessesTests(TestCase):
    """Two processes, with threads, over one store and one catalogue; here two of all that a process has."""

    def setUp(self) -> None:
        self.root = self.mktemp()
        os.mkdir(self.root)
        self.url = sqlite_url(os.path.abspath(self.mktemp()))
        self.ways = [self.process(name) for name in ("one", "two")]

    def process(self, name: str) -> WayIn:
        threads = [Threads(cast(IReactorFromThreads, reactor), name, 4) for _ in range(2)]
        engine = open_engine(self.url)
        catalogue = Catalogue(engine, threads[1].run)
        migrate(engine)
        for each in threads:
            each.start()
        self.addCleanup(catalogue.close)
        for each in threads:
            self.addCleanup(each.stop)
        return WayIn(
            self.mktemp(),
            in_thread=threads[0].run,
            store=cast(IFileStore, DiskStore(self.root, threads[0].run)),
            facts=Facts(catalogue),
            claims=Claims(catalogue, name, lambda: int(NOW * 1e6)),
        )

    async def test_one_of_each(self) -> None:
        """S3-W13: of the same bytes, sent to both at once again and again, just one is stored."""
        for grey in range(8):
            sent = [way.take(png(grey), "same") for way in self.ways for _ in range(3)]
            outcomes = [outcome for _, outcome in await DeferredList(sent, consumeErrors=True)]
            stored = [each for each in outcomes if isinstance(each, Stored)]
            self.assertEqual(len(stored), 1)
            for each in outcomes:
                if isinstance(each, Failure):
                    each.trap(Duplicate)
        self.assertEqual(len(os.listdir(os.path.join(self.root, "album"))), 8)
