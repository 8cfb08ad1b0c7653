"""
Tests of the pools of threads, with real threads.
"""

from __future__ import annotations

import threading
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, DeferredList
from twisted.trial.unittest import TestCase

from fileserve.threads import Threads

from .support import until


class ThreadsTests(TestCase):
    """One pool of two threads."""

    timeout = 60

    def setUp(self) -> None:
        self.threads = Threads(cast(Any, reactor), "test", 2)
        self.threads.start()
        self.stopped = False
        self.addCleanup(self.stop)
        self.gate = threading.Event()
        self.addCleanup(self.gate.set)

    def stop(self) -> None:
        if not self.stopped:
            self.stopped = True
            self.threads.stop()

    async def test_result(self) -> None:
        """Work is done in another thread, with its arguments, and its result comes back to this one."""
        seen = []

        def work(*args: object, **named: object) -> object:
            seen.append(threading.get_ident())
            return args, named

        result = self.threads.run(work, 1, two=2)
        result.addCallback(lambda value: (value, threading.get_ident()))
        self.assertEqual(await result, (((1,), {"two": 2}), threading.get_ident()))
        self.assertNotEqual(seen, [threading.get_ident()])

    async def test_error(self) -> None:
        """So does what it raises."""
        with self.assertRaises(ZeroDivisionError):
            await self.threads.run(lambda: 1 / 0)
        self.assertEqual(self.threads.queued, 0)

    async def test_bound(self) -> None:
        """No more is done at once than there are threads; what waits for one is counted."""
        lock, now, most = threading.Lock(), [0], [0]

        def work() -> None:
            with lock:
                now[0] += 1
                most[0] = max(most[0], now[0])
            self.gate.wait(60)
            with lock:
                now[0] -= 1

        results = [self.threads.run(work) for _ in range(7)]
        self.assertEqual(self.threads.queued, 5)
        await until(lambda: most[0] == 2)
        self.gate.set()
        await DeferredList(results, fireOnOneErrback=True)
        self.assertEqual((most[0], self.threads.queued), (2, 0))

    async def test_counted_when_the_result_is_there(self) -> None:
        """Who gets a result sees the work that gave it counted as done."""
        results = [self.threads.run(self.gate.wait, 60) for _ in range(3)]
        queued = [result.addCallback(lambda _: self.threads.queued) for result in results]
        self.gate.set()
        self.assertEqual((await queued[2]), 0)
        await DeferredList(queued)

    async def test_cancelling(self) -> None:
        """Cancelling frees who waits; work not begun yet is not done, and counts until its turn."""
        done = threading.Event()
        begun = [self.threads.run(self.gate.wait, 60) for _ in range(2)]
        waiting = self.threads.run(done.set)
        waiting.cancel()
        with self.assertRaises(CancelledError):
            await waiting
        self.assertEqual(self.threads.queued, 1)
        self.gate.set()
        await DeferredList(begun)
        await self.threads.run(lambda: None)
        self.assertFalse(done.is_set())
        self.assertEqual(self.threads.queued, 0)

    def test_stopping_waits(self) -> None:
        """Stopping waits for what is being done, also for what waits."""
        done: list[int] = []
        for number in range(5):
            self.threads.run(done.append, number)
        self.stop()
        self.assertEqual(sorted(done), [0, 1, 2, 3, 4])

    def test_no_thread_without_work(self) -> None:
        """Threads are made when there is work for them."""
        names = {thread.name for thread in threading.enumerate()}
        self.assertFalse(any("test" in name for name in names), names)
