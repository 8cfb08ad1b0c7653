"""
The endpoints at which a site answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import DeferredList, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.python.failure import Failure

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
            serverFromString(self._reactor, endpoint).listen(self._site).addBoth(answers.append)
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

    async def rest(self, seconds: float) -> None:
        """
        Listen no more, and end what goes on.

        :param seconds: how long it may still go on.
        """
        await DeferredList([maybeDeferred(port.stopListening) for port in self._ports])
        await self._site.rest(seconds)


def _address(endpoint: str, port: IListeningPort) -> str:
    host = port.getHost()
    if isinstance(host, UNIXAddress):
        return f"unix:{(host.name or b'').decode(errors='replace')}"
    if not isinstance(host, IPv4Address | IPv6Address):
        return endpoint
    scheme = "https" if endpoint.startswith(("ssl:", "tls:")) else "http"
    name = _ANY.get(host.host, host.host)
    return f"{scheme}://{f'[{name}]' if ':' in name else name}:{host.port}/"
