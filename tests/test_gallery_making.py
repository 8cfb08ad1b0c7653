"""
Tests of a preview on its way, and of those who wait for it.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from fileserve.gallery.making import Making, Wanted
from fileserve.pictures.facts import NoPreview, Why
from fileserve.storage.interfaces import Member

MEMBER = Member(b"a.jpg", 1, 2, "stamp")


class MakingTests(SynchronousTestCase):
    """One preview."""

    def setUp(self) -> None:
        self.wanted = Wanted("album", MEMBER, "image/jpeg", "ab" * 32, 320, "webp")
        self.making = Making(self.wanted)

    def test_wanted(self) -> None:
        """All sizes of some bytes in one format are made one after another; they come from one file."""
        self.assertEqual(self.wanted.key, ("ab" * 32, "webp"))
        self.assertEqual(self.wanted.file, ("album", MEMBER))

    def test_all(self) -> None:
        """All who wait get the same, also who comes late; who left gets nothing."""
        first, second, third = (self.making.wait() for _ in range(3))
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertNoResult(first)
        self.making.done({320: b"preview"})
        for each in (first, third, self.making.wait()):
            self.assertEqual(self.successResultOf(each), {320: b"preview"})

    def test_failure(self) -> None:
        """So it is with a failure."""
        waiting = [self.making.wait() for _ in range(2)]
        self.making.done(Failure(NoPreview(Why.BROKEN)))
        for each in (*waiting, self.making.wait()):
            self.failureResultOf(each, NoPreview)

    def test_unforeseen(self) -> None:
        """A failure that nobody foresaw is told to whoever waits, and else to the log."""
        waiting = self.making.wait()
        self.making.done(Failure(ZeroDivisionError()))
        self.failureResultOf(waiting, ZeroDivisionError)
        self.assertEqual(self.flushLoggedErrors(), [])
        Making(self.wanted).done(Failure(ZeroDivisionError()))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        Making(self.wanted).done(Failure(NoPreview(Why.BROKEN)))
        self.assertEqual(self.flushLoggedErrors(), [])
