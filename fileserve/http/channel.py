"""
One connection of the HTTP server: how much it takes, how long it waits, and how it closes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.web import http

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

_DONE = Failure(ConnectionDone())

#: How many bytes of further requests are taken before an answer was sent.
_EARLY = 64 * 1024

#: How many requests of one connection are answered in a row before others have
#: their turn: a client may send thousands at once.
_IN_A_ROW = 16

#: Digits of a length: what is beyond an exabyte is a mistake.
_MOST_DIGITS = 19


class Connections(Protocol):
    """
    Knows all connections that are open.
    """

    #: Seconds after which a connection that is to be closed is cut.
    linger: float

    def opened(self, channel: Channel) -> None:
        """A connection was made."""

    def closed(self, channel: Channel) -> None:
        """A connection is gone."""


class Channel(http.HTTPChannel):
    """
    One connection. It closes only when all was sent: a client that reads slowly
    is none of its business, and one that reads nothing is cut by the transport.
    Only a connection that was told to close has a limit: see `loseConnection`.
    """

    abortTimeout = None  # type: ignore[assignment]  # documented: None waits for ever
    factory: Connections
    transport: Any
    _early = 0
    _held = False
    _answered = 0
    _others_first: IDelayedCall | None = None
    _farewell: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """
        Join the site's open connections.
        """
        super().connectionMade()
        self.factory.opened(self)

    def connectionLost(self, reason: Failure = _DONE) -> None:
        """
        Leave the site's open connections.
        """
        super().connectionLost(reason)
        for call in (self._farewell, self._others_first):
            if call is not None and call.active():
                call.cancel()
        self.factory.closed(self)

    def dataReceived(self, data: bytes) -> None:
        """
        Take what comes; of requests that come before an answer was sent, not
        more than a bound, where Twisted sets none as long as the client reads nothing.
        """
        super().dataReceived(data)
        for request in list(self.requests):
            request.arrived(len(data))
        if any(request.complete for request in self.requests):
            self._early += len(data)
            if self._early > _EARLY:
                self.transport.pauseProducing()

    def requestDone(self, request: http.Request) -> None:
        """
        Go on with the next request.
        """
        self._early = 0
        self._answered += 1
        # LineReceiver's own switch: it keeps what it has, and takes no more apart.
        self.paused = self._answered >= _IN_A_ROW
        super().requestDone(request)
        if self.paused and self._others_first is None and self.persistent:
            self.transport.pauseProducing()
            self._others_first = self.callLater(0, self._next_requests)

    def _next_requests(self) -> None:
        """
        Go on with requests that came all at once, after others had their turn.
        """
        self._others_first = None
        self._answered = 0
        self.paused = False
        self.transport.resumeProducing()
        self.dataReceived(b"")

    def loseConnection(self) -> None:
        """
        Close when all was sent; cut after a while, for under TLS the client has
        to agree, and need not.
        """
        if self._farewell is None:
            self._farewell = self.callLater(self.factory.linger, self.abort)
        super().loseConnection()

    def hold(self) -> None:
        """
        Take nothing more from the client, whose request waits for us.
        """
        self._held = True
        self.transport.pauseProducing()

    def go_on(self) -> None:
        """
        Take more.
        """
        self._held = False
        self.setTimeout(self.timeOut)
        self.transport.resumeProducing()

    def resumeProducing(self) -> None:
        """
        The client takes more of the response. Twisted then takes more of the
        request as well, for which the time may not have come.
        """
        super().resumeProducing()
        if self._held:
            self.transport.pauseProducing()

    def headerReceived(self, line: bytes) -> bool:
        """
        Take a field; Python refuses to read numbers of thousands of digits, and
        Twisted does not expect that.
        """
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and len(value.strip()) > _MOST_DIGITS:
            self._respondToBadRequestAndDisconnect()
            return False
        received: bool = super().headerReceived(line)
        return received

    def _respondToBadRequestAndDisconnect(self) -> None:
        """
        Twisted's own, private, which writes an answer to what is no HTTP. That
        must not get into an answer that is under way: then the connection is cut.
        """
        if any(request.startedWriting for request in self.requests):
            self.abort()
        else:
            super()._respondToBadRequestAndDisconnect()

    def timeoutConnection(self) -> None:
        """
        Close a connection from which nothing came for too long; unless it is we
        who take nothing.
        """
        if self._held:
            self.setTimeout(self.timeOut)
        else:
            super().timeoutConnection()

    def rest(self) -> None:
        """
        Take no more requests; close now, or when the present one was answered.
        """
        if any(request.begun for request in self.requests):
            self.persistent = False
        else:
            self.loseConnection()

    def abort(self) -> None:
        """
        Cut the connection, whatever is going on.
        """
        self.transport.abortConnection()
