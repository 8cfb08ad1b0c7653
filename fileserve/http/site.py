"""
The HTTP server: its connections, its requests, its access log, and how it comes to rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from attrs import frozen
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http, server

from .forwarded import Network, client_address
from .redaction import log_path, log_text
from .transport import sends_files

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall, IReactorTime
    from twisted.web.resource import IResource

_log = Logger(namespace="fileserve.access")

#: Seconds in which something of an unfinished request has to come.
REQUEST_TIMEOUT = 60

#: How much of a body that nobody asked for is read and dropped, so that the
#: client gets to read the answer instead of a reset.
_DROPPED_BODY = 16 * 1024 * 1024

_DONE = Failure(ConnectionDone())

#: How many bytes of further requests are taken before an answer was sent.
_EARLY = 64 * 1024

#: RFC 9112 section 3.2.2: a server has to take the absolute form too.
_ABSOLUTE_FORM = re.compile(rb"\Ahttps?://[^/?#]*", re.IGNORECASE)


class Channel(http.HTTPChannel):
    """
    One connection. It closes only when all was sent: a client that reads slowly
    is none of its business, and one that reads nothing is cut by the transport.
    Only a connection that was told to close has a limit: see `loseConnection`.
    """

    abortTimeout = None  # type: ignore[assignment]  # documented: None waits for ever
    factory: Site
    transport: Any
    _early = 0
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
        if self._farewell is not None and self._farewell.active():
            self._farewell.cancel()
        self.factory.closed(self)

    def dataReceived(self, data: bytes) -> None:
        """
        Take what comes; of requests that come before an answer was sent, not
        more than a bound, where Twisted sets none as long as the client reads nothing.
        """
        super().dataReceived(data)
        if any(request.complete for request in self.requests):
            self._early += len(data)
            if self._early > _EARLY:
                self.transport.pauseProducing()

    def requestDone(self, request: http.Request) -> None:
        """
        Go on with the next request.
        """
        self._early = 0
        super().requestDone(request)

    def loseConnection(self) -> None:
        """
        Close when all was sent; cut after a while, for under TLS the client has
        to agree, and need not.
        """
        if self._farewell is None:
            self._farewell = self.callLater(self.factory.linger, self.abort)
        super().loseConnection()

    def rest(self) -> None:
        """
        Take no more requests; close now, or when the present one was answered.
        """
        if any(request.complete for request in self.requests):
            self.persistent = False
        else:
            self.loseConnection()

    def abort(self) -> None:
        """
        Cut the connection, whatever is going on.
        """
        self.transport.abortConnection()


class Request(server.Request):
    """
    One request and its response.

    :ivar complete: whether all of the request has come.
    """

    site: Site
    channel: Channel
    transport: Any
    complete = False
    _received = 0

    def gotLength(self, length: int | None) -> None:
        """
        No route takes a body yet, so none is kept.
        """
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """
        Drop a piece of the body, up to a bound.
        """
        self._received += len(data)
        if self._received > _DROPPED_BODY:
            self.channel.abort()

    def process(self) -> None:
        """
        Find the path in whatever form the target came, and go on.
        """
        self.complete = True
        self.path = _ABSOLUTE_FORM.sub(b"", self.path) or b"/"
        if self.path == b"*":
            # RFC 9112 section 3.2.4: the server as a whole, for OPTIONS alone.
            self.path = b"/" if self.method == b"OPTIONS" else b"/*"
        super().process()

    def getRequestHostname(self) -> bytes:
        """
        Nothing here depends on what the client calls us: all our links are
        relative. Klein asks, and can't take every name that one may send.
        """
        return b"localhost"

    @property
    def query(self) -> dict[bytes, list[bytes]]:
        """
        The parameters of the query, decoded. Twisted's own `args` takes ``;``,
        which may stand in a value (RFC 3986 section 3.4), for a separator.
        """
        _, _, query = self.uri.partition(b"?")
        parameters: dict[bytes, list[bytes]] = {}
        for field in query.replace(b"+", b" ").split(b"&"):
            name, _, value = field.partition(b"=")
            parameters.setdefault(unquote_to_bytes(name), []).append(unquote_to_bytes(value))
        return parameters

    def client_address(self) -> str:
        """
        Who asks, as far as trusted proxies can tell.
        """
        peer = self.channel.getPeer()
        host = peer.host if isinstance(peer, IPv4Address | IPv6Address) else None
        forwarded = self.requestHeaders.getRawHeaders(b"X-Forwarded-For") or []
        texts = [value.decode("latin-1") for value in forwarded]
        return client_address(host, texts, self.site.trusted)

    @property
    def sends_files(self) -> bool:
        """
        Whether `send_file` can be used.
        """
        return sends_files(self.transport)

    def write(self, data: bytes | bytearray) -> None:
        """
        Write some of the body; Twisted's own transports take nothing but ``bytes``.
        """
        super().write(data if self.sends_files else bytes(data))

    def room(self) -> Deferred[int]:
        """
        Wait until the client takes more: see `ISendsFiles`.
        """
        room: Deferred[int] = self.transport.room()
        return room

    def send_file(self, descriptor: int, offset: int, length: int) -> Deferred[None]:
        """
        Send a part of a file as part of the body: see `ISendsFiles`.
        """
        self.write(b"")
        sent: Deferred[None] = self.transport.send_file(descriptor, offset, length)
        return sent.addCallback(self._sent, length)

    def _sent(self, _: None, length: int) -> None:
        self.sentLength += length

    def connectionLost(self, reason: Failure) -> None:
        """
        Log what Twisted does not: a request whose answer was not sent to its end.
        """
        if self.complete:
            self.site.log(self, interrupted=True)
        super().connectionLost(reason)

    def __repr__(self) -> str:
        return f"<Request {self.method!r} {log_path(self.uri)}>"


@frozen
class Logging:
    """
    What the server logs of each request.
    """

    access: bool
    #: Networks whose ``X-Forwarded-For`` is believed.
    trusted: Sequence[Network]


class Site(server.Site):
    """
    Makes a connection's protocol, and knows all that are open.

    :param linger: seconds after which a connection that is to be closed is cut.
    """

    # HTTP/1.1 alone: Twisted's own default also negotiates HTTP/2, whose streams
    # can take no files. A proxy in front speaks it better.
    protocol = Channel  # type: ignore[assignment]

    def __init__(
        self, resource: IResource, reactor: IReactorTime, logging: Logging, linger: float = REQUEST_TIMEOUT
    ) -> None:
        super().__init__(
            resource,
            requestFactory=Request,
            timeout=REQUEST_TIMEOUT,
            reactor=reactor,
            parsePOSTFormSubmission=False,
        )
        self.displayTracebacks = False
        self.trusted = logging.trusted
        self.linger = linger
        self._logs_access = logging.access
        self._channels: set[Channel] = set()
        self._resting: Deferred[None] | None = None

    def acceptableProtocols(self) -> list[bytes]:
        """
        What is offered to clients under TLS (RFC 7301): what `Channel` speaks.
        """
        return [b"http/1.1", b"http/1.0"]

    @property
    def connections(self) -> int:
        """
        How many are open.
        """
        return len(self._channels)

    def opened(self, channel: Channel) -> None:
        """
        A connection was made.
        """
        self._channels.add(channel)

    def closed(self, channel: Channel) -> None:
        """
        A connection is gone.
        """
        self._channels.discard(channel)
        if self._resting is not None and not self._channels:
            resting, self._resting = self._resting, None
            resting.callback(None)

    def rest(self, seconds: float) -> Deferred[None]:
        """
        Let the requests that are being answered go on, then cut what is left.

        :param seconds: how long they may go on.
        :return: fires when no connection is open.
        """
        for channel in list(self._channels):
            channel.rest()
        if not self._channels:
            return succeed(None)
        self._resting = Deferred()
        cut = self.reactor.callLater(seconds, self._cut)

        def stop_waiting(result: Any) -> Any:
            if cut.active():
                cut.cancel()
            return result

        return self._resting.addBoth(stop_waiting)

    def _cut(self) -> None:
        for channel in list(self._channels):
            channel.abort()

    def log(self, request: http.Request, interrupted: bool = False) -> None:
        """
        Write the access log's line, where there is one.
        """
        if self._logs_access and isinstance(request, Request):
            _log.info(
                '{client} "{method} {path}" {status} {sent}{interrupted} "{agent}"',
                client=request.client_address(),
                method=log_text(request.method),
                path=log_path(request.uri),
                status=request.code if request.startedWriting else "-",
                sent=request.sentLength,
                interrupted=" interrupted" if interrupted else "",
                agent=log_text(request.getHeader(b"User-Agent") or b"-"),
            )
