"""
Tests of what transfers are made of.
"""

from __future__ import annotations

import random
from functools import partial

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from fileserve.storage.s3parts import Gathered, Turns, Work, part_size, side_by_side

from .support import deferred

_MIB = 1024 * 1024


class PartTests(SynchronousTestCase):
    """The rules for parts."""

    def test_part_sizes(self) -> None:
        """Parts are 8 MiB up to 31 GiB; 10,000 make 5 TiB, none over 5 GiB, none less than the one before."""
        sizes = [part_size(number) for number in range(1, 10_001)]
        self.assertEqual(set(sizes[:4000]), {8 * _MIB})
        self.assertEqual(sizes, sorted(sizes))
        self.assertGreaterEqual(sum(sizes), 5 * 1024**4)
        self.assertLessEqual(sizes[-1], 5 * 1024**3)

    def test_gathered(self) -> None:
        """Bytes are taken in the order in which they came, in any lengths."""
        data = random.Random(1).randbytes(10_000)
        gathered = Gathered()
        gathered.add([data[:1000], b"", data[1000:1001], data[1001:7000]])
        taken = [b"".join(gathered.take(length)) for length in (0, 999, 1, 1, 1, 3000)]
        gathered.add([data[7000:]])
        self.assertEqual(gathered.size, 10_000 - 4002)
        taken.append(b"".join(gathered.take(gathered.size)))
        self.assertEqual(b"".join(taken), data)
        self.assertEqual([len(each) for each in taken[:6]], [0, 999, 1, 1, 1, 3000])


class WorkTests(SynchronousTestCase):
    """Work that any number wait for."""

    def test_result(self) -> None:
        """All who wait get the result, those who come later too; who left gets none, and ends nothing."""
        ready: Deferred[int] = Deferred()
        work = Work(_result_of(ready))
        waiting = [work.wait() for _ in range(3)]
        waiting[1].cancel()
        self.failureResultOf(waiting[1], CancelledError)
        ready.callback(7)
        self.assertEqual(
            [self.successResultOf(each) for each in (waiting[0], waiting[2], work.wait())], [7] * 3
        )
        self.assertIsNone(self.successResultOf(work.ended()))

    def test_failure(self) -> None:
        """The same with an error; where nobody waits it is nobody's."""
        ready: Deferred[int] = Deferred()
        work = Work(_result_of(ready))
        waiting = work.wait()
        ready.errback(ValueError())
        self.failureResultOf(waiting, ValueError)
        self.failureResultOf(work.wait(), ValueError)
        self.assertIsNone(self.successResultOf(work.ended()))

    def test_cancel(self) -> None:
        """Work can be ended; who waits is told."""
        work = Work(_result_of(Deferred()))
        waiting = work.wait()
        self.assertIsNone(self.successResultOf(work.cancel()))
        self.failureResultOf(waiting, CancelledError)


async def _result_of(ready: Deferred[int]) -> int:
    return await ready


class TurnsTests(SynchronousTestCase):
    """What concerns one key happens one after the other."""

    def test_turns(self) -> None:
        """A key's next turn begins when the one before has ended, however; other keys don't wait."""
        turns = Turns()
        ready: list[Deferred[int]] = [Deferred() for _ in range(4)]
        keys = [b"a", b"a", b"a", b"b"]
        begun: list[int] = []

        async def work(number: int) -> int:
            begun.append(number)
            return await ready[number]

        doing = [deferred(turns.take(keys[number], partial(work, number))) for number in range(4)]
        self.assertEqual(begun, [0, 3])
        doing[1].cancel()
        self.failureResultOf(doing[1], CancelledError)
        ready[0].errback(ValueError())
        self.failureResultOf(doing[0], ValueError)
        self.assertEqual(begun, [0, 3, 2])
        ready[2].callback(2)
        ready[3].callback(3)
        self.assertEqual([self.successResultOf(each) for each in doing[2:]], [2, 3])
        self.assertEqual((turns._locks, dict(turns._wanted)), ({}, {}))


class SideBySideTests(SynchronousTestCase):
    """Something is done for each item, for several at once."""

    def begin(self, count: int, limit: int) -> Deferred[None]:
        self.ready: list[Deferred[None]] = [Deferred() for _ in range(count)]
        self.begun: list[int] = []

        async def work(number: int) -> None:
            self.begun.append(number)
            await self.ready[number]

        done: Deferred[None] = deferred(side_by_side(limit, work, range(count)))
        return done

    def test_limit(self) -> None:
        """So many are under way; the next begins when one is done."""
        done = self.begin(5, 2)
        for number, begun in ((1, [0, 1, 2]), (0, [0, 1, 2, 3]), (2, [0, 1, 2, 3, 4]), (3, None), (4, None)):
            self.assertNoResult(done)
            self.ready[number].callback(None)
            self.assertEqual(self.begun, begun or self.begun)
        self.assertIsNone(self.successResultOf(done))

    def test_nothing(self) -> None:
        """Of nothing all is done."""
        self.assertIsNone(self.successResultOf(self.begin(0, 3)))

    def test_failure(self) -> None:
        """The first error ends all: what is under way is cancelled, and nothing begins."""
        done = self.begin(5, 2)
        self.ready[1].errback(ValueError())
        self.failureResultOf(done, ValueError)
        self.assertEqual(self.begun, [0, 1])
        self.assertTrue(self.ready[0].called)

    def test_cancel(self) -> None:
        """Who cancels ends all."""
        done = self.begin(5, 2)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(self.begun, [0, 1])
        self.assertTrue(all(ready.called for ready in self.ready[:2]))
