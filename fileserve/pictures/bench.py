"""
A place for one child process after another, and what is done there.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TypeVar

from .worker import Worker, WorkerLost

T = TypeVar("T")

#: So many jobs, and a child makes way for a new one: whatever decoders leak is gone then.
_WORN = 500


class Bench:
    """
    Has one child at a time. `do` and `clear` block, and one of them is called at a time.

    :param start: starts a child, or raises `CantStart`.
    """

    def __init__(self, start: Callable[[], Worker]) -> None:
        self._start = start
        self._worker: Worker | None = None
        self._lock = Lock()
        self._stopped = False

    def do(self, work: Callable[[Worker], T], *, alone: bool) -> T:
        """
        Do a piece of work with a child.

        :param alone: it is about one file. Where a child died of that which had done other work before, a
            fresh one tries again, so that no file pays for what others left behind.
        :raise WorkerLost: no child survives it.
        :raise CantStart: there is no child.
        """
        while True:
            worker = self._worker or self._begin()
            fresh = not worker.jobs
            try:
                return work(worker)
            except WorkerLost as lost:
                if fresh or lost.hung or not alone:
                    raise
            finally:
                if worker.closed or worker.jobs >= _WORN:
                    self.clear()

    def clear(self) -> None:
        """
        End the child that is here.
        """
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    def stop(self) -> None:
        """
        Let what goes on here fail, and begin nothing more; for any thread.
        """
        with self._lock:
            self._stopped = True
            if self._worker is not None:
                self._worker.cut()

    def _begin(self) -> Worker:
        worker = self._start()
        with self._lock:
            self._worker = worker  # from here on it can be cut
            if self._stopped:
                worker.cut()
        try:
            worker.greet()
        except BaseException:
            self.clear()
            raise
        return worker
