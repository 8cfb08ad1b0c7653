"""
The endpoints at which a site answers.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet import unix
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred, DeferredList, fail, maybeDeferred, succeed
from twisted.internet.endpoints import AdoptedStreamServerEndpoint, serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory, IStreamServerEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from .site import Site
from .transport import make_ports_send_files

#: What a listener on every address is found at from its own machine.
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - it is read, not bound


class NotListening(Exception):
    """
    At an endpoint it is not possible to listen.
    """

    def __init__(self, endpoint: str, reason: object) -> None:
        if isinstance(reason, CannotListenError):
            reason = getattr(reason.socketError, "strerror", None) or reason.socketError
        super().__init__(f"can't listen on {endpoint}: {reason}")
        self.endpoint = endpoint


class Listeners:
    """
    Listens at some endpoints for one site.

    :param endpoints: Twisted's endpoint strings.
    :param stall_timeout: seconds: see `fileserve.http.transport`.
    """

    def __init__(self, reactor: Any, site: Site, endpoints: Sequence[str], stall_timeout: float) -> None:
        self._reactor = reactor
        self._site = site
        self._endpoints = endpoints
        self._stall_timeout = stall_timeout
        self._ports: list[IListeningPort] = []

    def listen(self) -> None:
        """
        Listen at all of them, at once: the reactor need not run yet.

        :raise NotListening: at one of them it is not possible.
        """
        for endpoint in self._endpoints:
            answers: list[IListeningPort | Failure] = []
            listening = _adopting_gently(serverFromString(self._reactor, endpoint))
            listening.listen(self._site).addBoth(answers.append)
            port = answers[0] if answers else None
            if isinstance(port, Failure):
                raise NotListening(endpoint, port.value)
            if port is None:
                raise NotListening(endpoint, "this kind of endpoint begins too late")
            make_ports_send_files(port, self._stall_timeout)
            self._ports.append(port)

    @property
    def addresses(self) -> list[str]:
        """
        Where it is found: the address for a browser, where there is one.
        """
        return [_address(endpoint, port) for endpoint, port in zip(self._endpoints, self._ports, strict=True)]

    def close(self) -> Deferred[Any]:
        """
        Listen no more.

        :return: fires when nothing listens.
        """
        return DeferredList([maybeDeferred(port.stopListening) for port in self._ports])

    async def rest(self, seconds: float) -> None:
        """
        Listen no more, and end what goes on.

        :param seconds: how long it may still go on.
        """
        await self.close()
        await self._site.rest(seconds)


class _AdoptedUNIXPort(unix.Port):
    """
    Listens on a UNIX socket that somebody else made, whose file is theirs.

    Twisted's own port would let everybody connect to it (``chmod``), which fails
    where it belongs to another user, and would delete it in the end. It leaves
    names of the abstract name space alone, so it is told such a name.
    """

    def __init__(self, listening: socket.socket, factory: IProtocolFactory, reactor: Any) -> None:
        super().__init__(b"\0adopted", factory, backlog=socket.SOMAXCONN, reactor=reactor)
        # Both are private, and there is no other way. Without the first it would
        # listen under the name above; without the second its end would be the
        # end of the socket for whoever made it. Tests would see either.
        self._preexistingSocket = listening
        self._shouldShutdown = False


@implementer(IStreamServerEndpoint)
class _AdoptedUNIXEndpoint:
    """
    Listens on a UNIX socket that was handed over.
    """

    def __init__(self, reactor: Any, descriptor: int) -> None:
        self._reactor = reactor
        self._descriptor = descriptor

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """
        Listen at once; the descriptor is ours and is not inherited any further.
        """
        try:
            listening = socket.socket(fileno=self._descriptor)
            listening.setblocking(False)
            port = _AdoptedUNIXPort(listening, factory, self._reactor)
            port.startListening()
        except OSError:
            return fail()
        return succeed(port)


def _adopting_gently(endpoint: IStreamServerEndpoint) -> IStreamServerEndpoint:
    """
    Take the place of Twisted's endpoint for a UNIX socket that systemd opened.
    """
    if isinstance(endpoint, AdoptedStreamServerEndpoint) and endpoint.addressFamily == socket.AF_UNIX:
        return _AdoptedUNIXEndpoint(endpoint.reactor, endpoint.fileno)
    return endpoint


def _address(endpoint: str, port: IListeningPort) -> str:
    host = port.getHost()
    if isinstance(host, UNIXAddress):
        return f"unix:{(host.name or b'').decode(errors='replace')}"
    if not isinstance(host, IPv4Address | IPv6Address):
        return endpoint
    scheme = "https" if endpoint.startswith(("ssl:", "tls:")) else "http"
    name = _ANY.get(host.host, host.host)
    return f"{scheme}://{f'[{name}]' if ':' in name else name}:{host.port}/"
