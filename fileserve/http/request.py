"""
One request: answered from the end of its headers on, its body read while it comes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote_to_bytes

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web import http, server

from .body import Body
from .channel import Channel
from .forwarded import Network, client_address, forwarded_origin
from .redaction import log_path
from .transport import READ, READ_OF_LARGE_BODY, sends_files

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

#: How much of a body that nobody wants is read and dropped: bytes, and seconds.
_DROPPED_BODY = 16 * 1024 * 1024
_DROPPED_SECONDS = 5

#: A body of so many bytes is under way before its client can read an answer.
_SMALL_BODY = 64 * 1024

#: RFC 9112 section 3.2.2: a server has to take the absolute form too.
_ABSOLUTE_FORM = re.compile(rb"\Ahttps?://[^/?#]*", re.IGNORECASE)


class Surroundings(Protocol):
    """
    What a request knows of the server.
    """

    #: Networks whose ``X-Forwarded-For`` is believed.
    trusted: Sequence[Network]

    def log(self, request: http.Request, interrupted: bool = False) -> None:
        """Write the access log's line, where there is one."""


class Request(server.Request):
    """
    One request and its response.

    It is answered from the end of its headers on: who answers it reads its body,
    or does not.

    :ivar body: what follows the headers.
    :ivar begun: whether it is being answered.
    :ivar complete: whether all of the request has come.
    """

    site: Surroundings  # type: ignore[assignment]  # whichever it is, it is ours
    channel: Channel
    transport: Any
    body: Body
    begun = False
    complete = False
    _surely_comes = False
    _answered = False
    _dropped = 0
    _last_call: IDelayedCall | None = None

    def gotLength(self, length: int | None) -> None:
        """
        All headers have come. Where a body follows, do not wait for it.
        """
        self.content = BytesIO()  # Twisted's own place for the body stays empty
        if length == 0:
            self.body = Body(0, self.channel)
            return
        expected = self.requestHeaders.getRawHeaders(b"Expect") or [b""]
        waits = expected[0].lower() == b"100-continue"
        # Else Twisted would ask for the body before anybody decided to take it.
        self.requestHeaders.removeHeader(b"Expect")
        self.body = Body(length, self.channel, self._ask_for_body if waits else lambda: None)
        if length is not None and length > READ_OF_LARGE_BODY and self.sends_files:
            self.transport.bufferSize = READ_OF_LARGE_BODY
        self._surely_comes = length is not None and length <= _SMALL_BODY and not waits
        # Private, and the only place where the request line is until the whole
        # request has come. Tests of uploads would see it missing.
        channel: Any = self.channel
        super().requestReceived(channel._command, channel._path, channel._version)  # noqa: SLF001

    def _ask_for_body(self) -> None:
        if self.clientproto == b"HTTP/1.1" and not self.startedWriting:
            self.channel.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def handleContentChunk(self, data: bytes) -> None:
        """
        Take a piece of the body; drop it, once the answer was given.
        """
        if not self._answered:
            self.body.came(data)

    def arrived(self, size: int) -> None:
        """
        So many bytes came from the connection: pieces of the body, and what is around them.
        """
        if not self.begun or self.complete:
            return
        self.body.tell()
        if self._answered:
            self._dropped += size
            if self._dropped > _DROPPED_BODY:
                self._give_up()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """
        All of the request has come.
        """
        self.complete = True
        if not self.begun:
            super().requestReceived(command, path, version)
            return
        if self.sends_files:
            self.transport.bufferSize = READ
        self.body.end()
        self.body.tell()
        if self._answered:
            self._stop_dropping()
            super().finish()

    def write(self, data: bytes | bytearray) -> None:
        """
        Write some of the body of the response; Twisted's own transports take
        nothing but ``bytes``.
        """
        if not self.startedWriting and not self.complete and not self._surely_comes:
            # Who is answered early need not send the rest, so what comes
            # next on this connection can't be told.
            self.setHeader(b"Connection", b"close")
            self.channel.persistent = False
        super().write(data if self.sends_files else bytes(data))

    def finish(self) -> None:
        """
        The response is complete. Of a body that nobody read, the rest is dropped
        for a while, so that the client gets to read the answer instead of a reset.
        """
        if self.complete or self.channel is None:
            super().finish()
            return
        self.write(b"")
        self._answered = True
        self.channel.go_on()
        self._last_call = self.channel.callLater(_DROPPED_SECONDS, self._give_up)

    def _give_up(self) -> None:
        self._stop_dropping()
        if self.channel is not None:
            self.channel.loseConnection()

    def _stop_dropping(self) -> None:
        if self._last_call is not None and self._last_call.active():
            self._last_call.cancel()

    def process(self) -> None:
        """
        Find the path in whatever form the target came, and go on.
        """
        self.begun = True
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
        return client_address(self._peer(), self._texts(b"X-Forwarded-For"), self.site.trusted)

    @property
    def origin(self) -> str:
        """
        The scheme, host and port under which the client knows us, as far as
        trusted proxies can tell: ``https://files.example``.
        """
        scheme = "https" if self.channel.isSecure() else "http"
        ours = f"{scheme}://{(self._texts(b'Host') or ['localhost'])[0]}"
        proto, host = self._texts(b"X-Forwarded-Proto"), self._texts(b"X-Forwarded-Host")
        return forwarded_origin(self._peer(), ours, proto, host, self.site.trusted)

    def _peer(self) -> str | None:
        peer = self.channel.getPeer()
        return peer.host if isinstance(peer, IPv4Address | IPv6Address) else None

    def _texts(self, name: bytes) -> list[str]:
        return [value.decode("latin-1") for value in self.requestHeaders.getRawHeaders(name) or []]

    @property
    def sends_files(self) -> bool:
        """
        Whether `send_file` can be used.
        """
        return sends_files(self.transport)

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
        self._stop_dropping()
        if self.begun:
            self.site.log(self, interrupted=not self._answered)
        super().connectionLost(reason)
        if self.begun:
            self.body.lose()

    def __repr__(self) -> str:
        return f"<Request {self.method!r} {log_path(self.uri)}>"
