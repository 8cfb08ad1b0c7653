"""
Small files that are to be kept at the same time: one thread keeps many of them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from .draft import Draft, keep_together
from .held import InThread
from .interfaces import Member

#: Files of one batch: the last one's answer waits for all of them, and each
#: holds four descriptors.
_MOST = 64


class Together:
    """
    Keeps drafts in batches, one batch at a time. Who comes when none is under way does not wait for others.

    The more come, the larger the batches, and the less each file costs: several
    threads would take the interpreter away from each other at each call of the
    system, of which a file takes twenty.
    """

    def __init__(self, in_thread: InThread) -> None:
        self._in_thread = in_thread
        self._waiting: list[tuple[Draft, Sequence[bytes], Deferred[Member]]] = []
        self._busy = False

    def keep(self, draft: Draft, pieces: Sequence[bytes]) -> Deferred[Member]:
        """
        Keep a draft, of which nothing was written, with all its pieces.

        :return: fires, or fails, as `Draft.keep`; not to be cancelled.
        """
        kept: Deferred[Member] = Deferred()
        self._waiting.append((draft, pieces, kept))
        if not self._busy:
            self._next()
        return kept

    def _next(self) -> None:
        self._busy = bool(self._waiting)
        if self._busy:
            batch, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
            drafts = [(draft, pieces) for draft, pieces, _ in batch]
            self._in_thread(keep_together, drafts).addBoth(self._done, [kept for _, _, kept in batch])

    def _done(self, results: Any, callers: Sequence[Deferred[Member]]) -> None:
        self._next()  # first, so that the disk is at work while the callers are told
        each = [results] * len(callers) if isinstance(results, Failure) else results
        for caller, result in zip(callers, each, strict=True):
            caller.callback(Failure(result) if isinstance(result, BaseException) else result)
