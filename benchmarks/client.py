"""
The null client: asks for a body and discards it inside the kernel, so that what is measured is the server.

``recv`` with ``MSG_TRUNC`` on a TCP socket drops the bytes without copying them (tcp(7)).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter, sleep

from attrs import frozen

GULP = 8 << 20
"""The most that one ``recv`` discards, in bytes; more than a receive buffer commonly holds."""

ETHERNET = 1448
"""The segment that fits a packet of Ethernet.  With those of the loopback, 64 KiB, the kernel keeps 4 MiB for
each connection that stalls, and a thousand use up all that TCP may have (tcp_mem).  So it keeps 0.8 MiB."""


class NotServed(Exception):
    """
    The response is not the one that was asked for, or ends before its promised end.
    """


@frozen
class Address:
    """
    What to ask for, and of whom.
    """

    port: int
    path: str
    host: str = "127.0.0.1"


@frozen
class Download:
    """
    One body that came whole.  Times are seconds since just before the connection was opened.
    """

    first_byte: float
    total: float
    size: int
    promised: bool
    """Whether there was a Content-Length."""


@frozen
class Head:
    """
    The status line and headers of a response; ``rest`` is what came of the body with them.
    """

    status: int
    headers: dict[bytes, bytes]
    rest: bytes


def connect(address: Address, patience: float = 300.0, segment: int | None = None) -> socket.socket:
    """
    Open a blocking connection and send the request on it.

    :param patience: seconds after which a silent server is an error; kept by the kernel (``SO_RCVTIMEO``),
        since a Python timeout would cost a ``poll`` for each ``recv``.
    :param segment: the largest TCP segment in bytes; ``None`` leaves it to the kernel.
    :return: a socket that the caller closes.
    """
    sock = socket.socket()
    try:
        if segment is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, segment)
        seconds = int(patience)
        timeval = struct.pack("@ll", seconds, int((patience - seconds) * 1_000_000))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeval)
        sock.connect((address.host, address.port))
        sock.sendall(request(address))
    except BaseException:
        sock.close()
        raise
    return sock


def request(address: Address) -> bytes:
    """
    The bytes that ask for it, on a connection that ends with the response.
    """
    lines = (
        f"GET {address.path} HTTP/1.1",
        f"Host: {address.host}:{address.port}",
        "Connection: close",
        "",
        "",
    )
    return "\r\n".join(lines).encode("ascii")


def read_head(sock: socket.socket) -> Head:
    """
    Read as far as the end of the headers.
    """
    buffer = b""
    while b"\r\n\r\n" not in buffer:
        piece = sock.recv(4096)
        if not piece:
            raise NotServed(f"closed within the headers, after {buffer!r}")
        buffer += piece
    head, rest = buffer.split(b"\r\n\r\n", 1)
    lines = head.split(b"\r\n")
    pairs = (line.split(b":", 1) for line in lines[1:])
    headers = {name.strip().lower(): value.strip() for name, value in pairs}
    return Head(int(lines[0].split()[1]), headers, rest)


class _Body:
    """
    The body of one response, thrown away as it comes.
    """

    def __init__(self, sock: socket.socket, rest: bytes, wake: int = 1) -> None:
        self._sock = sock
        self._rest = rest
        self._wake = wake
        self._buffer = bytearray(GULP)
        self.first_byte: float | None = perf_counter() if rest else None

    def discard(self, limit: int) -> int:
        """
        Throw away at most ``limit`` bytes.

        :return: how many; 0 when the connection has ended.
        """
        if self._rest:
            taken, self._rest = min(limit, len(self._rest)), self._rest[limit:]
            return taken
        taken = self._sock.recv_into(self._buffer, min(limit, GULP), socket.MSG_TRUNC)
        if self.first_byte is None and taken:
            self.first_byte = perf_counter()
        return taken

    def discard_exactly(self, size: int) -> None:
        """
        Throw away ``size`` bytes; raises ``NotServed`` when there are fewer.
        """
        left = size
        while left:
            if self._wake > 1:
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, min(self._wake, left))
            taken = self.discard(left)
            if not taken:
                raise NotServed(f"ended {left} bytes early")
            left -= taken

    def discard_all(self) -> int:
        """
        Throw away what comes until the connection ends.

        :return: how many bytes.
        """
        size = 0
        while taken := self.discard(GULP):
            size += taken
        return size

    def line(self) -> bytes:
        """
        Read one line of the chunked framing.  It is peeked at first: what follows it must stay in the kernel.
        """
        line = b""
        while not line.endswith(b"\r\n"):
            line += self._take_through_newline()
        return line[:-2]

    def _take_through_newline(self) -> bytes:
        seen = self._rest or self._sock.recv(32, socket.MSG_PEEK)
        if not seen:
            raise NotServed("ended between chunks")
        taken = seen[: seen.find(b"\n") + 1] or seen
        if self._rest:
            self._rest = self._rest[len(taken) :]
        else:
            self._sock.recv(len(taken))
        return taken


def _chunked(body: _Body) -> int:
    size = 0
    while chunk := int(body.line().split(b";")[0], 16):
        body.discard_exactly(chunk)
        body.line()
        size += chunk
    return size


def get(address: Address, wake: int = 1) -> Download:
    """
    Fetch a body and throw it away.

    :param wake: for so many bytes the client wakes, where the length is known; 1 for any at all.

    Raises ``NotServed`` for any status but 200, and for a body without its last chunk or shorter than its
    Content-Length.
    """
    start = perf_counter()
    with connect(address) as sock:
        head = read_head(sock)
        if head.status != 200:
            raise NotServed(f"{address.path} answered {head.status}")
        body = _Body(sock, head.rest, wake)
        length = head.headers.get(b"content-length")
        if length is not None:
            size = int(length)
            body.discard_exactly(size)
        elif head.headers.get(b"transfer-encoding", b"").lower() == b"chunked":
            size = _chunked(body)
        else:
            size = body.discard_all()
        end = perf_counter()
    return Download((body.first_byte or end) - start, end - start, size, length is not None)


def stall(address: Address) -> socket.socket:
    """
    Ask, wait until the response has begun, and read nothing of it.

    :return: the connection, which the caller closes.
    """
    sock = connect(address, segment=ETHERNET)
    status = sock.recv(12, socket.MSG_PEEK)
    if not status.endswith(b" 200"):
        sock.close()
        raise NotServed(f"{address.path} answered {status!r}")
    return sock


def get_for(address: Address, seconds: float) -> int:
    """
    Fetch a body and throw it away, for so many seconds; or twice as many, if nothing comes.

    :return: the bytes that came.
    """
    size, end = 0, perf_counter() + seconds
    with connect(address, patience=seconds) as sock, suppress(BlockingIOError):
        body = _Body(sock, b"")
        while perf_counter() < end and (taken := body.discard(GULP)):
            size += taken
    return size


def poll(address: Address, interval: float, go_on: Callable[[], bool]) -> list[float]:
    """
    Ask for a small thing every ``interval`` seconds, for as long as ``go_on`` says so.

    :return: for each, the seconds from when it was due to when it was answered.  A late answer delays those
        behind it, and they count the wait too: a server that stands still for long gives many slow answers.
    """
    waits = []
    due = perf_counter()
    while go_on():
        sleep(max(0.0, due - perf_counter()))
        get(address)
        waits.append(perf_counter() - due)
        due += interval
    return waits
