"""
Cutting off a client that takes nothing for too long.
"""

from __future__ import annotations

from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: How often within the time that a client may stall it is looked at.
_LOOKS = 16


class Watched(Protocol):
    """
    A connection as the watch sees it.
    """

    reactor: IReactorTime

    @property
    def waits(self) -> bool:
        """Whether the client still has to take something."""

    def taken(self) -> int:
        """How many bytes the client took, ever."""

    def abortConnection(self) -> None:
        """Cut it off."""


class StallWatch:
    """
    Watches one connection while its client has something to take, by few timers.

    :param timeout: seconds without a byte taken, after which the client is cut
        off; up to a sixteenth more, for it is looked at only so often.
    """

    def __init__(self, connection: Watched, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self._taken = 0
        self._progressed = 0.0
        self._call: IDelayedCall | None = None

    def begin(self) -> None:
        """
        To be called before a client is given something.
        """
        if not self._connection.waits:
            self._progressed = self._connection.reactor.seconds()
        if self._call is None:
            self._look_later()

    def end(self) -> None:
        """
        Watch no more: the connection is gone.
        """
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _look_later(self) -> None:
        self._call = self._connection.reactor.callLater(self._timeout / _LOOKS, self._look)

    def _look(self) -> None:
        self._call = None
        if not self._connection.waits:
            return
        now, taken = self._connection.reactor.seconds(), self._connection.taken()
        if taken != self._taken:
            self._taken, self._progressed = taken, now
        if now - self._progressed >= self._timeout:
            self._connection.abortConnection()
        else:
            self._look_later()
