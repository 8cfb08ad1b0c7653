"""
Tests of a descriptor that threads use: when it is closed, and what becomes of work that nobody waits for.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet.defer import CancelledError
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from fileserve.storage.held import Held

from .support import ByHand, at_once, open_descriptors


class HeldCase(SynchronousTestCase):
    """A descriptor held, and threads by hand."""

    def setUp(self) -> None:
        path = Path(self.mktemp())
        path.write_bytes(b"0123456789")
        before = open_descriptors()
        self.threads = ByHand()
        self.number = os.open(path, os.O_RDONLY)
        self.held = Held(self.number, self.threads)
        self.addCleanup(lambda: self.assertEqual(open_descriptors(), before))
        self.addCleanup(self.held.close)

    def is_open(self) -> bool:
        try:
            os.fstat(self.number)
        except OSError:
            return False
        return True


class ClosingTests(HeldCase):
    """When the descriptor is closed."""

    def test_at_once(self) -> None:
        """Without work, closing closes; twice is once."""
        self.held.close()
        self.assertFalse(self.is_open())
        other = os.open(".", os.O_RDONLY)  # takes the number
        self.addCleanup(os.close, other)
        self.held.close()
        os.fstat(other)

    def test_not_under_a_thread(self) -> None:
        """While work waits for a thread or is in one, the descriptor stays open; after it, it is closed."""
        seen: list[bool] = []

        def work() -> None:
            self.held.close()
            seen.append(self.is_open())

        result = self.held.in_background(work)
        self.held.close()
        self.assertTrue(self.is_open())
        self.threads.step()
        self.assertEqual(seen, [True])
        self.successResultOf(result)
        self.assertFalse(self.is_open())

    def test_after_the_last(self) -> None:
        """With several pieces of work it is the last one after which it is closed."""
        results = [self.held.in_background(os.pread, self.number, 1, at) for at in range(3)]
        self.held.close()
        self.threads.step()
        self.threads.step()
        self.assertTrue(self.is_open())
        self.threads.step()
        self.assertFalse(self.is_open())
        self.assertEqual([self.successResultOf(result) for result in results], [b"0", b"1", b"2"])

    def test_closed_before_the_result(self) -> None:
        """Who gets the result of the last work may rely on it that the descriptor is closed."""
        result = self.held.in_background(lambda: None).addCallback(lambda _: self.is_open())
        self.held.close()
        self.threads.step()
        self.assertFalse(self.successResultOf(result))

    def test_after_a_failure(self) -> None:
        """Work that fails ends like any other, and its failure is told."""
        result = self.held.in_background(lambda: 1 / 0)
        self.held.close()
        self.threads.step()
        self.failureResultOf(result, ZeroDivisionError)
        self.assertFalse(self.is_open())


class CancellingTests(HeldCase):
    """Work that nobody waits for any more."""

    def test_frees_the_waiter(self) -> None:
        """Who cancels is free at once; the descriptor is not closed while a thread may be at it."""
        seen: list[bool] = []

        def work() -> None:
            result.cancel()
            self.held.close()
            seen.append(self.is_open())

        result = self.held.in_background(work)
        self.threads.step()
        self.failureResultOf(result, CancelledError)
        self.assertEqual(seen, [True])
        self.assertFalse(self.is_open())

    def test_not_begun(self) -> None:
        """Work that no thread began when it was cancelled is not done at all."""
        done: list[int] = []
        dropped: list[object] = []
        result = self.held.in_background(done.append, 1, dropped=dropped.append)
        result.cancel()
        self.held.close()
        self.failureResultOf(result, CancelledError)
        self.threads.step()
        self.assertEqual((done, dropped), ([], []))
        self.assertFalse(self.is_open())

    def test_result_dropped(self) -> None:
        """A result that comes too late is handed to who throws it away."""
        dropped: list[object] = []

        def work() -> str:
            result.cancel()
            return "opened"

        result = self.held.in_background(work, dropped=dropped.append)
        self.threads.step()
        self.failureResultOf(result, CancelledError)
        self.assertEqual(dropped, ["opened"])

    def test_result_wanted(self) -> None:
        """A result that somebody waits for is not thrown away."""
        dropped: list[object] = []
        result = self.held.in_background(lambda: "opened", dropped=dropped.append)
        self.threads.step()
        self.assertEqual(self.successResultOf(result), "opened")
        self.assertEqual(dropped, [])

    def test_failure_dropped(self) -> None:
        """A failure that comes too late is nobody's: it is neither told nor logged."""
        dropped: list[object] = []

        def work() -> None:
            result.cancel()
            raise ZeroDivisionError

        result = self.held.in_background(work, dropped=dropped.append)
        self.threads.step()
        self.failureResultOf(result, CancelledError)
        self.assertEqual(dropped, [])


class AtOnceTests(HeldCase):
    """Work that is done before it is waited for."""

    def test_result(self) -> None:
        """Its result is there at once."""
        held = Held(os.dup(self.number), at_once)
        self.addCleanup(held.close)
        self.assertEqual(self.successResultOf(held.in_background(os.pread, self.number, 2, 3)), b"34")


class ThreadTests(TestCase):
    """The same with a thread of Twisted's."""

    async def test_many(self) -> None:
        """However closing and reading fall together, every read is of the file that was meant."""
        path = Path(self.mktemp())
        for round_ in range(50):
            path.write_bytes(b"%09d" % round_)
            held = Held(os.open(path, os.O_RDONLY), deferToThread)
            reads = [held.in_background(os.pread, held.descriptor, 9, 0) for _ in range(5)]
            held.close()
            decoy = os.open(os.devnull, os.O_RDONLY)
            try:
                self.assertEqual([await read for read in reads], [b"%09d" % round_] * 5)
            finally:
                os.close(decoy)
