"""
Clients for tests: one that asks plainly, one that says whatever bytes it is given, one that reads slowly.
"""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Callable, Mapping
from http.client import HTTPConnection
from typing import TypeVar

from attrs import frozen

LOOPBACK = "127.0.0.1"

#: Seconds that anything may take before the test fails. Nothing is measured with it.
PATIENCE = 60.0

# Bytes. So little is taken off the server's hands as long as a slow client does not read.
SMALL_BUFFER = 4096
_LARGE_BUFFER = 4 << 20

T = TypeVar("T")


class GaveUp(AssertionError):
    """
    Something did not happen in time.
    """


@frozen
class Answer:
    """
    A response, read to its end.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __getitem__(self, name: str) -> str:
        return self.headers[name.lower()]


def ask(port: int, target: str, method: str = "GET", body: bytes | None = None, /, **headers: str) -> Answer:
    """
    Make one request on a connection of its own. In names of headers ``_`` stands for ``-``.
    """
    connection = HTTPConnection(LOOPBACK, port, timeout=PATIENCE)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, target, body, named)
        response = connection.getresponse()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, fields, response.read())
    finally:
        connection.close()


def connect(port: int, receive_buffer: int | None = None) -> socket.socket:
    """
    A plain connection; the caller closes it.

    :param receive_buffer: bytes; a small one makes a client slow from its first byte on.
    """
    client = socket.socket()
    client.settimeout(PATIENCE)
    if receive_buffer is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        client.connect((LOOPBACK, port))
    except OSError:
        client.close()
        raise
    return client


def exchange(port: int, request: bytes) -> bytes:
    """
    Send bytes as they are, and take all that comes until the server closes.

    :return: what came; being refused by a reset is an end like any other.
    """
    received = b""
    with connect(port) as client:
        try:
            client.sendall(request)
            while piece := client.recv(1 << 16):
                received += piece
        except ConnectionError:
            pass
    return received


class Download:
    """
    A client that has read nothing but the headers, and then reads as it is told.

    :param receive_buffer: see `connect`; ``None`` lets the kernel take some megabytes ahead.
    :ivar length: the promised bytes of the body.
    """

    def __init__(
        self, port: int, target: str, *fields: str, receive_buffer: int | None = SMALL_BUFFER
    ) -> None:
        self.socket = connect(port, receive_buffer)
        lines = [f"GET {target} HTTP/1.1", "Host: x", "Connection: close", *fields, "", ""]
        self.socket.sendall("\r\n".join(lines).encode())
        head, self._received = self._head()
        self.head = head.decode("latin-1")
        self.status = int(self.head.split()[1])
        self.length = int(self.head.lower().partition("content-length: ")[2].partition("\r\n")[0])
        self._hash = hashlib.sha256(self._received)
        self.received = len(self._received)

    def _head(self) -> tuple[bytes, bytes]:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.socket.recv(1024)
            if not piece:
                raise GaveUp(f"no whole header came: {data!r}")
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        return head, body

    def read(self, size: int) -> None:
        """
        Read so much more, or to the end.
        """
        end = self.received + size
        while self.received < end and (piece := self.socket.recv(min(1 << 20, end - self.received))):
            self._hash.update(piece)
            self.received += len(piece)

    def finish(self) -> bool:
        """
        Read what is left, fast, and close.

        :return: whether all came that was promised. Never more comes.
        """
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _LARGE_BUFFER)
        try:
            while self.received < self.length:
                before = self.received
                self.read(1 << 20)
                if self.received == before:
                    return False
            assert not self.socket.recv(1), "more came than was promised"
            return True
        except ConnectionError:
            return self.received == self.length
        finally:
            self.socket.close()

    @property
    def digest(self) -> str:
        """
        SHA-256 of the body so far.
        """
        return self._hash.hexdigest()


def eventually(look: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
    """
    Look again and again until there is something to see.

    :return: the first true value.
    :raise GaveUp: nothing came of it.
    """
    end = time.monotonic() + patience
    while not (seen := look()):
        if time.monotonic() > end:
            raise GaveUp(f"waited in vain for {what}")
        time.sleep(0.02)
    return seen
