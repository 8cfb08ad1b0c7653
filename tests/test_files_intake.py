"""
Tests of taking files in: limits, room, failures of store and source, and leaving in the middle.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from fileserve.files.intake import Intake, Limits, Taken
from fileserve.http.body import BodyLost
from fileserve.http.refusal import Refusal
from fileserve.storage.errors import FileExists, NoSpace, StoreUnavailable
from fileserve.storage.memory import MemoryStore

from .filesupport import Bytes, Slowly, Spied
from .support import ByHand, at_once, deferred

_MIB = 1024 * 1024


class IntakeCase(SynchronousTestCase):
    """An intake over a store in memory, which tells what it is asked."""

    limits = Limits(max_upload=10 * _MIB, min_free=100)

    def setUp(self) -> None:
        self.memory = MemoryStore()
        self.store = cast(Any, Spied(self.memory))
        self.clock = Clock()
        self.threads: Any = at_once
        self.intake = Intake(self.store, self.in_thread, self.limits, self.clock.seconds)

    def in_thread(self, *work: Any) -> Any:
        return self.threads(*work)

    def take(self, source: Any) -> Deferred[Taken]:
        return deferred(self.intake.take(source, "album", b"a.txt", "a.txt"))

    def refused(self, waiting: Deferred[Any]) -> int:
        return int(self.failureResultOf(waiting, Refusal).value.status)

    def free(self, size: int) -> None:
        """From now on so much room is left."""
        self.store.inner = _Room(self.memory, size)

    def assert_nothing_left(self) -> None:
        self.assertEqual(self.memory.incoming, set())
        self.assertEqual(self.successResultOf(self.memory.exist(["album"])), set())


class _Room:
    """A store of which the test says how much is free."""

    def __init__(self, store: MemoryStore, size: int | None) -> None:
        self._store = store
        self._size = size

    def free(self) -> Deferred[int | None]:
        return succeed(self._size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class TakeTests(IntakeCase):
    """Files that come."""

    def test_kept(self) -> None:
        """A file is there, with all that was computed of it, when it is kept, and not before."""
        taken = self.successResultOf(self.take(Bytes(b"hel", b"lo")))
        self.assertEqual(taken.size, 5)
        self.assertEqual(self.successResultOf(self.memory.exist(["album"])), set())
        arrived = self.successResultOf(deferred(taken.keep()))
        self.assertEqual(arrived.member, self.successResultOf(self.memory.stat("album", b"a.txt")))
        self.assertEqual((arrived.facts.crc32, arrived.facts.media_type), (0x3610A686, "text/plain"))

    def test_no_bytes(self) -> None:
        """A file of no bytes is a file."""
        taken = self.successResultOf(self.take(Bytes()))
        self.assertEqual(self.successResultOf(deferred(taken.keep())).member.size, 0)

    def test_dropped(self) -> None:
        """One that is dropped leaves nothing."""
        self.successResultOf(self.successResultOf(self.take(Bytes(b"x"))).drop())
        self.assert_nothing_left()

    def test_place_is_looked_at_first(self) -> None:
        """A place that is taken refuses a file before its source is read."""
        self.memory.put("album", b"a.txt", b"")
        source = Slowly()
        self.failureResultOf(self.take(source), FileExists)
        self.assertFalse(source.waits)

    def test_one_piece_at_a_time(self) -> None:
        """Nothing more is read from the source while hashing or writing is behind."""
        self.threads = ByHand()
        source = Slowly()
        taking = self.take(source)
        source.give(bytes(_MIB))
        self.assertFalse(source.waits)
        self.threads.run()
        self.assertTrue(source.waits)
        written = self.store.hold("write")
        source.give(b"x")
        self.assertFalse(source.waits)
        written.callback(None)
        source.give()
        self.assertEqual(self.successResultOf(taking).size, _MIB + 1)

    def test_small_pieces_need_no_thread(self) -> None:
        """What takes microseconds is hashed at once."""
        self.threads = ByHand()
        self.assertEqual(self.successResultOf(self.take(Bytes(bytes(60_000)))).size, 60_000)
        self.assertEqual(len(self.threads), 0)


class FailureTests(IntakeCase):
    """Files that do not come to their end: nothing of them is left."""

    def test_source_is_lost(self) -> None:
        """The client leaves in the middle."""
        source = Slowly()
        taking = self.take(source)
        source.give(b"half")
        source.fail(BodyLost())
        self.failureResultOf(taking, BodyLost)
        self.assert_nothing_left()

    def test_store_fails(self) -> None:
        """What the store says of a write is raised as it is."""
        for error in (NoSpace("full"), StoreUnavailable("away")):
            self.store.fails["write"] = error
            self.assertIs(self.failureResultOf(self.take(Bytes(b"x"))).value, error)
            self.assert_nothing_left()

    def test_store_fails_while_hashing(self) -> None:
        """So it is when a thread is still hashing, whose result nobody needs."""
        self.threads = ByHand()
        self.store.fails["write"] = NoSpace("full")
        taking = self.take(Bytes(bytes(_MIB)))
        self.failureResultOf(taking, NoSpace)
        self.threads.run()
        self.assert_nothing_left()

    def test_store_does_not_begin(self) -> None:
        """A store that is away refuses before the source is read."""
        self.store.fails["receive"] = StoreUnavailable("away")
        source = Slowly()
        self.failureResultOf(self.take(source), StoreUnavailable)
        self.assertFalse(source.waits)

    def test_cancelled_while_reading(self) -> None:
        """Cancelled while it waits for more, it drops what it has."""
        taking = self.take(Slowly())
        taking.cancel()
        self.failureResultOf(taking, CancelledError)
        self.assert_nothing_left()

    def test_cancelled_while_writing(self) -> None:
        """Or while it writes."""
        written = self.store.hold("write")
        taking = self.take(Bytes(b"x"))
        taking.cancel()
        self.failureResultOf(taking, CancelledError)
        written.callback(None)
        self.assertEqual(self.memory.incoming, set())

    def test_cancelled_while_hashing(self) -> None:
        """Or while a thread hashes."""
        self.threads = ByHand()
        taking = self.take(Bytes(bytes(_MIB)))
        taking.cancel()
        self.failureResultOf(taking, CancelledError)
        self.threads.run()
        self.assert_nothing_left()

    def test_place_is_taken_meanwhile(self) -> None:
        """A file that took the place meanwhile stays, and this one is dropped."""
        taken = self.successResultOf(self.take(Bytes(b"late")))
        first = self.memory.put("album", b"a.txt", b"first")
        self.failureResultOf(deferred(taken.keep()), FileExists)
        self.assertEqual(self.successResultOf(self.memory.stat("album", b"a.txt")), first)
        self.assertEqual(self.memory.incoming, set())


class LimitTests(IntakeCase):
    """How much is taken."""

    def test_too_large_by_its_length(self) -> None:
        """A length over the limit is refused before anything is read: 413."""
        self.successResultOf(deferred(self.intake.admit(10 * _MIB)))
        self.assertEqual(self.refused(deferred(self.intake.admit(10 * _MIB + 1))), 413)

    def test_too_large_as_it_comes(self) -> None:
        """Without a length it is refused when it gets too large; the limit itself is not too large."""
        self.successResultOf(self.take(Bytes(*[bytes(_MIB)] * 10)))
        source = Bytes(*[bytes(_MIB)] * 10, b"x", b"never read")
        self.assertEqual(self.refused(self.take(source)), 413)
        self.assertEqual(source.left, [b"never read"])

    def test_unknown_length(self) -> None:
        """A length that is not known is no reason to refuse, as long as there is room."""
        self.free(100)
        self.successResultOf(deferred(self.intake.admit(None)))

    def test_no_room_by_its_length(self) -> None:
        """A file that would leave less than the least is refused: 507."""
        self.free(1100)
        self.successResultOf(deferred(self.intake.admit(1000)))
        self.assertEqual(self.refused(deferred(self.intake.admit(1001))), 507)

    def test_no_room_at_all(self) -> None:
        """Where less than that is free already, nothing is taken."""
        self.free(99)
        self.assertEqual(self.refused(deferred(self.intake.admit(None))), 507)

    def test_room_ends_as_it_comes(self) -> None:
        """A file without a length is refused, and gone, when the room ends."""
        self.free(1100)
        source = Bytes(*[bytes(500)] * 3)
        self.assertEqual(self.refused(self.take(source)), 507)
        self.assertEqual(source.left, [])
        self.assertEqual(self.memory.incoming, set())

    def test_room_is_asked_for_once_in_a_second(self) -> None:
        """Within a second what was taken is counted; after it, the store is asked again."""
        self.free(1_000_000)
        for _ in range(3):
            self.successResultOf(deferred(self.intake.admit(10)))
        self.assertEqual(self.store.journal.count("free"), 1)
        self.free(0)
        self.successResultOf(deferred(self.intake.admit(10)))
        self.clock.advance(1)
        self.assertEqual(self.refused(deferred(self.intake.admit(10))), 507)

    def test_two_at_once_share_the_room(self) -> None:
        """What one file took within the second is not there for the next."""
        self.free(1100)
        self.successResultOf(self.take(Bytes(bytes(900))))
        self.assertEqual(self.refused(deferred(self.intake.admit(200))), 507)

    def test_no_bound(self) -> None:
        """A store without a bound takes everything."""
        self.store.inner = _Room(self.memory, None)
        self.successResultOf(deferred(self.intake.admit(10 * _MIB)))

    def test_form(self) -> None:
        """A form may be larger than a file, as long as there is room for it."""
        self.free(50 * _MIB)
        self.successResultOf(deferred(self.intake.admit_form(40 * _MIB)))
        self.assertEqual(self.refused(deferred(self.intake.admit_form(60 * _MIB))), 507)

    def test_store_does_not_tell(self) -> None:
        """A store that can't say how much is free is away: nothing is begun."""
        self.store.inner = _Room(self.memory, 0)
        self.store.inner.free = lambda: fail(StoreUnavailable("away"))
        self.failureResultOf(deferred(self.intake.admit(1)), StoreUnavailable)
