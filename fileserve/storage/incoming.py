"""
A file on its way to a disk: gathers what comes, and has threads write it, one turn after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from .draft import Draft
from .errors import StoreUnavailable
from .held import InThread
from .interfaces import IIncoming, Member
from .together import Together

#: So many bytes, or pieces, wait in memory for a thread to be worth its while.
#: A smaller file is opened, written and kept in one turn of a thread.
GATHERED_BYTES = 64 * 1024
_GATHERED_PIECES = 1024


class Uncancelled(Deferred[Any]):
    """
    What can't be taken back: who cancels it goes on waiting.
    """

    def cancel(self) -> None:
        """
        Do nothing.
        """


@implementer(IIncoming)
class Incoming:
    """
    Owns a draft, at which it lets one thread work at a time.

    :param together: keeps small files, of which nothing was written yet.
    """

    def __init__(self, draft: Draft, in_thread: InThread, together: Together | None = None) -> None:
        self._draft = draft
        self._in_thread = in_thread
        self._together = together
        self._gathered: list[bytes] = []
        self._size = 0
        self._over: BaseException | None = None
        self._busy = False
        self._idle: list[Deferred[Any]] = []

    def write(self, pieces: Sequence[bytes]) -> Deferred[None]:
        """
        Take the next bytes; they are written once there are enough of them.

        :return: may be cancelled; a thread that is at it goes on to its end.
        """
        if self._over is not None:
            return fail(self._over)
        self._gathered.extend(pieces)
        self._size += sum(map(len, pieces))
        if self._size < GATHERED_BYTES and len(self._gathered) < _GATHERED_PIECES:
            return succeed(None)
        waiting: Deferred[None] = Deferred(lambda _: self._end(CancelledError()))

        def written(result: Any) -> None:
            if not waiting.called:
                waiting.callback(result)

        self._work(self._draft.write, self._take()).addBoth(written)
        return waiting

    def keep(self) -> Deferred[Member]:
        """
        Write what is left, make it durable and visible.
        """
        over = self._over
        if over is not None:
            return self.drop().addCallback(lambda _: Failure(over))
        self._end(StoreUnavailable("the file was kept already"))
        if self._together is None or self._draft.exists:
            return self._work(self._draft.keep, self._take())
        return self._until(self._together.keep(self._draft, self._take()))

    def drop(self) -> Deferred[Any]:
        """
        Delete what was written, after the thread that is at it.
        """
        self._end(StoreUnavailable("the file was dropped"))
        self._take()
        if self._busy:
            idle = Uncancelled()
            self._idle.append(idle)
            return idle.addCallback(lambda _: self.drop())
        return self._work(self._draft.remove) if self._draft.exists else succeed(None)

    def _end(self, reason: BaseException) -> None:
        """
        Take nothing more, for this reason or an earlier one.
        """
        if self._over is None:
            self._over = reason

    def _take(self) -> list[bytes]:
        gathered, self._gathered, self._size = self._gathered, [], 0
        return gathered

    def _work(self, work: Callable[..., Any], *args: object) -> Deferred[Any]:
        return self._until(self._in_thread(work, *args))

    def _until(self, under_way: Deferred[Any]) -> Deferred[Any]:
        """
        Let nothing else be done until this was.
        """
        result = Uncancelled()
        self._busy = True

        def done(outcome: Any) -> None:
            self._busy = False
            if isinstance(outcome, Failure):
                self._end(outcome.value or CancelledError())
            idle, self._idle = self._idle, []
            result.callback(outcome)
            for each in idle:
                each.callback(None)

        under_way.addBoth(done)
        return result
