"""
Tests of finishing what must not be left half done.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from fileserve.http.shield import shielded


class ShieldTests(SynchronousTestCase):
    """Work that waits for the test."""

    def setUp(self) -> None:
        self.step: Deferred[int] = Deferred()
        self.done: list[int] = []
        self.dropped: list[int] = []

    def begin(self) -> Deferred[int]:
        async def work() -> int:
            self.done.append(await self.step)
            return self.done[-1]

        return shielded(work(), self.dropped.append)

    def test_result(self) -> None:
        """Whoever waits gets the result, or the failure."""
        waiting = self.begin()
        self.step.callback(1)
        self.assertEqual(self.successResultOf(waiting), 1)
        self.assertEqual(self.dropped, [])
        self.step = Deferred()
        waiting = self.begin()
        self.step.errback(KeyError())
        self.failureResultOf(waiting, KeyError)

    def test_cancelled(self) -> None:
        """Cancelling ends the waiting at once, and the work goes on; its result is handed over elsewhere."""
        waiting = self.begin()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.done, [])
        self.step.callback(1)
        self.assertEqual((self.done, self.dropped), ([1], [1]))

    def test_fails_for_nobody(self) -> None:
        """A failure that nobody waits for any more is logged."""
        waiting = self.begin()
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.step.errback(KeyError())
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.assertEqual(self.dropped, [])
