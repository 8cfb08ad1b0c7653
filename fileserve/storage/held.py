"""
A file descriptor that threads may be using: closed once the last of them is done with it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

#: Runs a function in a bounded pool of threads: ``in_thread(f, *args)``.
InThread = Callable[..., "Deferred[Any]"]


class Held:
    """
    Owns one descriptor.

    Closing it while a thread is about to use its number would let that thread
    read whatever is opened next under the same number: some other album.

    :param descriptor: ours from now on.
    """

    def __init__(self, descriptor: int, in_thread: InThread) -> None:
        self.descriptor = descriptor
        self.run_in_thread = in_thread
        self._busy = 0
        self._closed = False

    def in_background(
        self,
        work: Callable[..., Any],
        *args: object,
        dropped: Callable[[Any], object] = lambda result: None,
    ) -> Deferred[Any]:
        """
        Do work on the descriptor in a thread.

        :param dropped: called with the result when nobody waits for it any more.
        :return: a ``Deferred`` that may be cancelled; work that no thread began
            is then left undone, a thread that is at it goes on to its end, and
            only then the descriptor is closed.
        """
        waiting: Deferred[Any] = Deferred(lambda _: None)
        self._busy += 1

        def unless_dropped() -> Any:
            if waiting.called:
                raise CancelledError
            return work(*args)

        def done(result: Any) -> None:
            self._busy -= 1
            self._close_when_idle()
            if not waiting.called:
                waiting.callback(result)
            elif not isinstance(result, Failure):
                dropped(result)

        self.run_in_thread(unless_dropped).addBoth(done)
        return waiting

    def close(self) -> None:
        """
        Close the descriptor, now or as soon as no thread uses it.
        """
        self._closed = True
        self._close_when_idle()

    def _close_when_idle(self) -> None:
        if self._closed and not self._busy and self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
