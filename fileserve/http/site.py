"""
The HTTP server: its connections, its access log, and how it comes to rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.web import http, server

from .channel import Channel
from .forwarded import Network
from .redaction import log_path, log_text
from .request import Request

if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime
    from twisted.web.resource import IResource

__all__ = ["REQUEST_TIMEOUT", "Channel", "Logging", "Request", "Site"]

_log = Logger(namespace="fileserve.access")

#: Seconds in which something of an unfinished request has to come.
REQUEST_TIMEOUT = 60


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
