"""
Tests of the counters.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from fileserve.operations.counters import Counts, Lag


class CountsTests(SynchronousTestCase):
    """What is counted of archives."""

    def test_at_first(self) -> None:
        """Every outcome is there from the beginning, with zero, so that a rate can be taken of it."""
        counts = Counts()
        self.assertEqual((counts.started, counts.bytes_sent, counts.open_transfers), (0, 0, 0))
        self.assertEqual(dict(counts.outcomes), {"finished": 0, "interrupted": 0, "failed": 0})

    def test_transfers(self) -> None:
        """A transfer is open from its start to its end, whatever its end."""
        counts = Counts()
        for outcome in ("finished", "interrupted", "failed", "finished"):
            counts.archive_started()
            counts.archive_started()
            counts.archive_ended(outcome)
        self.assertEqual((counts.started, counts.open_transfers), (8, 4))
        self.assertEqual(dict(counts.outcomes), {"finished": 2, "interrupted": 1, "failed": 1})

    def test_bytes(self) -> None:
        """Bytes add up."""
        counts = Counts()
        for size in (1, 0, 10**12):
            counts.archive_sent(size)
        self.assertEqual(counts.bytes_sent, 10**12 + 1)


class LateClock(Clock):
    """
    A clock whose calls come later than they should, as in a busy loop.
    """

    def block(self, seconds: float) -> None:
        """Be busy for so long, and call then what should have been called meanwhile."""
        self.rightNow += seconds
        self.advance(0)


class LagTests(SynchronousTestCase):
    """How late the loop comes round."""

    def setUp(self) -> None:
        self.clock = LateClock()
        self.lag = Lag(self.clock)

    def begin(self) -> None:
        self.lag.start()
        self.addCleanup(self.lag.stop)

    def test_not_begun(self) -> None:
        """Before anything was measured there is no delay, and nothing to stop."""
        self.assertEqual(self.lag.seconds, 0.0)
        self.lag.stop()

    def test_on_time(self) -> None:
        """A loop that comes round in time has no delay."""
        self.begin()
        self.clock.pump([0.25] * 100)
        self.assertEqual(self.lag.seconds, 0.0)

    def test_late(self) -> None:
        """A loop that was busy for a while was that late, less the time until the next look."""
        self.begin()
        self.clock.pump([0.5] * 3)
        self.clock.block(2.5)
        self.assertAlmostEqual(self.lag.seconds, 2.0)

    def test_greatest(self) -> None:
        """It is the greatest delay that counts."""
        self.begin()
        for seconds in (0.6, 3.5, 1.0):
            self.clock.block(seconds)
            self.clock.pump([0.5] * 4)
        self.assertAlmostEqual(self.lag.seconds, 3.0, delta=0.5)

    def test_forgotten(self) -> None:
        """After about a minute a delay is forgotten."""
        self.begin()
        self.clock.block(3.0)
        self.clock.pump([0.5] * 100)
        self.assertGreater(self.lag.seconds, 2.0)
        self.clock.pump([0.5] * 30)
        self.assertEqual(self.lag.seconds, 0.0)

    def test_stopped(self) -> None:
        """Stopping leaves no timer; it may be begun again, and the time between is no delay."""
        self.lag.start()
        self.lag.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.clock.advance(100)
        self.begin()
        self.clock.pump([0.5] * 3)
        self.assertEqual(self.lag.seconds, 0.0)
