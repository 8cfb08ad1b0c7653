"""
Tests of a file on its way to a disk: when threads are asked for, and what becomes of it when nobody waits.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from fileserve.storage.draft import Draft
from fileserve.storage.errors import NoSpace, StoreUnavailable
from fileserve.storage.folders import Place
from fileserve.storage.incoming import GATHERED_BYTES, Incoming
from fileserve.storage.interfaces import IIncoming

from .support import ByHand, deferred, open_descriptors

_MIB = 1024 * 1024


class IncomingCase(SynchronousTestCase):
    """A file on its way, and threads by hand; after each test nothing of it is open or in progress."""

    def setUp(self) -> None:
        before = open_descriptors()
        self.addCleanup(lambda: self.assertEqual(open_descriptors(), before))
        self.addCleanup(lambda: self.assertEqual(self.in_progress(), []))
        self.root = Path(self.mktemp())
        self.root.mkdir()
        self.threads = ByHand()
        self.draft = Draft(Place(str(self.root), "album", b"1.jpg"), None, Lock())
        self.incoming = Incoming(self.draft, self.threads)
        self.path = self.root / "album/1.jpg"

    def in_progress(self) -> list[str]:
        folder = self.root / ".incoming"
        return os.listdir(folder) if folder.exists() else []

    def done(self, waiting: Deferred[Any]) -> Any:
        """What comes of it when all threads are worked."""
        self.threads.run()
        return self.successResultOf(waiting)


class GatheringTests(IncomingCase):
    """When a thread is asked for."""

    def test_interface(self) -> None:
        """It has all that its interface promises."""
        verifyObject(IIncoming, self.incoming)

    def test_small(self) -> None:
        """A small file takes one turn of a thread in all; until then nothing of it is on the disk."""
        for _ in range(10):
            self.successResultOf(self.incoming.write([b"x" * 1000]))
        self.assertEqual(os.listdir(self.root), [])
        keeping = self.incoming.keep()
        self.assertEqual(len(self.threads), 1)
        self.threads.step()
        self.assertEqual(self.successResultOf(keeping).size, 10_000)
        self.assertEqual(self.path.read_bytes(), b"x" * 10_000)

    def test_large(self) -> None:
        """Of a large one no more is held in memory than is worth a turn, and each write waits for its own."""
        for size in (GATHERED_BYTES, _MIB):
            writing = self.incoming.write([b"x" * size])
            self.assertNoResult(writing)
            self.assertEqual(len(self.threads), 1)
            self.threads.step()
            self.assertIsNone(self.successResultOf(writing))
        self.assertEqual(self.done(self.incoming.keep()).size, GATHERED_BYTES + _MIB)

    def test_gathers(self) -> None:
        """Small pieces wait until they are enough, by bytes or, as each takes room itself, by number."""
        for piece in (b"x" * 1000, b"x"):
            writing, pieces = self.incoming.write([piece]), 1
            while not len(self.threads):
                self.successResultOf(writing)
                writing, pieces = self.incoming.write([piece]), pieces + 1
                self.assertLess(pieces, 5000)
            self.assertGreater(pieces, 50)
            self.assertLessEqual(pieces * len(piece), GATHERED_BYTES + len(piece))
            self.done(writing)
        self.done(self.incoming.drop())

    def test_drops_small(self) -> None:
        """To drop what is only in memory takes no thread."""
        self.successResultOf(self.incoming.write([b"1"]))
        self.successResultOf(self.incoming.drop())
        self.assertEqual(len(self.threads), 0)
        self.assertEqual(os.listdir(self.root), [])


class DroppingTests(IncomingCase):
    """Dropping while a thread is, or is to be, at it."""

    def write(self) -> Deferred[None]:
        return self.incoming.write([bytes(_MIB)])

    def test_before_a_thread_began(self) -> None:
        """Dropping waits for the thread that is to write, and deletes after it."""
        writing, dropping = self.write(), self.incoming.drop()
        self.assertNoResult(dropping)
        self.threads.step()
        self.successResultOf(writing)
        self.assertNoResult(dropping)
        self.assertEqual(len(self.in_progress()), 1)
        self.threads.step()
        self.successResultOf(dropping)
        self.assertEqual(len(self.threads), 0)

    def test_under_a_thread(self) -> None:
        """The same while the thread is at it."""
        results: list[Deferred[Any]] = []
        incoming = Incoming(self.draft, lambda work, *args: self.threads(dropping, work, *args))

        def dropping(work: Callable[..., Any], *args: object) -> Any:
            if not results:
                results.append(incoming.drop())
            return work(*args)

        writing = incoming.write([bytes(_MIB)])
        self.threads.step()
        self.successResultOf(writing)
        self.assertNoResult(results[0])
        self.done(results[0])

    def test_cancelled(self) -> None:
        """Who cancels a write is free at once; nothing more is taken, nor kept, and dropping deletes."""
        for begun in (False, True):
            draft = Draft(Place(str(self.root), "album", b"1.jpg"), None, Lock())
            incoming = Incoming(draft, self.threads)
            if begun:
                self.done(incoming.write([bytes(_MIB)]))
            writing = incoming.write([bytes(_MIB)])
            writing.cancel()
            self.failureResultOf(writing, CancelledError)
            self.failureResultOf(incoming.write([b"more"]), CancelledError)
            dropping = incoming.drop()
            self.assertNoResult(dropping)
            self.done(dropping)
            self.assertEqual(self.in_progress(), [])

    def test_keeping_what_was_cancelled(self) -> None:
        """A file of which a write was cancelled is not kept: bytes may be missing."""
        self.write().addErrback(lambda _: None).cancel()
        keeping = self.incoming.keep()
        self.threads.run()
        self.failureResultOf(keeping, CancelledError)
        self.assertFalse(self.path.exists())

    def test_twice(self) -> None:
        """Whoever drops, and however often, waits until nothing is left."""
        writing = self.write()
        dropping = [self.incoming.drop() for _ in range(3)]
        dropping[1].cancel()
        for _ in range(2):
            for each in dropping:
                self.assertNoResult(each)
            self.threads.step()
        self.assertEqual(len(self.threads), 0)
        for each in [writing, *dropping]:
            self.successResultOf(each)
        self.successResultOf(self.incoming.drop())
        self.assertEqual(len(self.threads), 0)

    def test_while_keeping(self) -> None:
        """Keeping is not stopped by dropping, which waits for it, nor by cancelling it."""
        self.done(self.write())
        keeping = self.incoming.keep()
        dropping = self.incoming.drop()
        keeping.cancel()
        self.assertNoResult(keeping)
        self.assertNoResult(dropping)
        self.threads.step()
        self.assertEqual(self.successResultOf(keeping).size, _MIB)
        self.successResultOf(dropping)
        self.assertTrue(self.path.exists())

    def test_keeping_in_a_coroutine(self) -> None:
        """Nor is who waits for it in a coroutine: what comes after keeping is done."""
        told: list[int] = []

        async def commit() -> None:
            told.append((await self.incoming.keep()).size)

        self.successResultOf(self.incoming.write([b"123"]))
        committing = deferred(commit())
        committing.cancel()
        self.threads.run()
        self.successResultOf(committing)
        self.assertEqual(told, [3])


class FailingTests(IncomingCase):
    """What fails in a thread."""

    def setUp(self) -> None:
        super().setUp()
        self.failing = Incoming(self.draft, lambda work, *args: self.threads(self.fail_at_last, work, *args))
        self.left = 1

    def fail_at_last(self, work: Callable[..., Any], *args: object) -> Any:
        """Work of which the second piece fails, as a `Draft` does."""
        if not self.left:
            self.draft.remove()
            raise NoSpace("No space left on device")
        self.left -= 1
        return work(*args)

    def test_writing(self) -> None:
        """A write that failed fails in the same way for ever, and so does keeping."""
        self.done(self.failing.write([bytes(_MIB)]))
        for write in (lambda: self.failing.write([bytes(_MIB)]), lambda: self.failing.write([b"1"])):
            writing = write()
            self.threads.run()
            self.failureResultOf(writing, NoSpace)
        self.assertEqual(self.in_progress(), [])
        self.failureResultOf(self.failing.keep(), NoSpace)
        self.successResultOf(self.failing.drop())
        self.assertFalse(self.path.exists())

    def test_writing_for_nobody(self) -> None:
        """A failure that nobody waits for is told to who asks next, and not logged."""
        self.done(self.failing.write([bytes(_MIB)]))
        writing = self.failing.write([bytes(_MIB)])
        writing.cancel()
        self.failureResultOf(writing, CancelledError)
        self.threads.run()
        self.failureResultOf(self.failing.keep(), CancelledError)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_keeping(self) -> None:
        """When keeping fails, nothing is left, and the file is not to be kept any more."""
        self.done(self.failing.write([bytes(_MIB)]))
        keeping = self.failing.keep()
        self.threads.run()
        self.failureResultOf(keeping, NoSpace)
        self.failureResultOf(self.failing.keep(), StoreUnavailable)
        self.successResultOf(self.failing.drop())
        self.assertFalse(self.path.exists())
