"""
Bounded pools of threads for what may wait: the disk, the database.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool


class Threads:
    """
    One pool. Its owner calls `start` and `stop`.

    :param size: the most threads it has; they are made when they are needed.
    """

    def __init__(self, reactor: IReactorFromThreads, name: str, size: int) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(0, size, name)
        self._size = size
        self._unfinished = 0
        self.name = name

    def start(self) -> None:
        """
        Take work from now on.
        """
        self._pool.start()

    def stop(self) -> None:
        """
        End the threads; waits for what they are doing.
        """
        self._pool.stop()

    @property
    def queued(self) -> int:
        """
        How many pieces of work wait for a thread.
        """
        return max(0, self._unfinished - self._size)

    def run(self, work: Callable[..., Any], *args: object, **named: object) -> Deferred[Any]:
        """
        Do a piece of work in a thread.

        :return: fires with its result. Cancelled before a thread began, the work
            is not done; later, it is done for nobody.
        """
        self._unfinished += 1
        waiting: Deferred[Any] = Deferred(lambda _: None)

        def unless_cancelled() -> Any:
            return None if waiting.called else work(*args, **named)

        def done(result: Any) -> None:
            self._unfinished -= 1
            if not waiting.called:
                waiting.callback(result)

        deferToThreadPool(self._reactor, self._pool, unless_cancelled).addBoth(done)
        return waiting
