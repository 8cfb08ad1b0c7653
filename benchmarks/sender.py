"""
The sending client: ``sendfile`` brings a body from the page cache to the socket, at little cost of ours.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path
from time import perf_counter

from attrs import frozen

from benchmarks.client import Address, Download, Head, NotServed, read_head

BOUNDARY = "----benchmarks-0123456789abcdef"

_END = f"\r\n--{BOUNDARY}--\r\n".encode()

_FORM_HEAD = (
    f"--{BOUNDARY}\r\n"
    'Content-Disposition: form-data; name="file"; filename="film.bin"\r\n'
    "Content-Type: application/octet-stream\r\n\r\n"
).encode()


@frozen
class Sending:
    """
    A request with a file in its body.

    :param key: sent as a bearer token; empty for none.
    :param form: whether the file is the field ``file`` of a form, or the body itself.
    """

    address: Address
    method: str
    key: str = ""
    form: bool = False

    def head(self, size: int, *, kept: bool = False) -> bytes:
        """
        All that goes before a file of so many bytes.
        """
        before, after = self._around()
        lines = [
            f"{self.method} {self.address.path} HTTP/1.1",
            f"Host: {self.address.host}:{self.address.port}",
            f"Connection: {'keep-alive' if kept else 'close'}",
        ]
        if self.method != "GET":
            lines.append(f"Content-Length: {len(before) + size + len(after)}")
        if self.form:
            lines.append(f"Content-Type: multipart/form-data; boundary={BOUNDARY}")
        if self.key:
            lines.append(f"Authorization: Bearer {self.key}")
        return "\r\n".join([*lines, "", ""]).encode("ascii") + before

    def tail(self) -> bytes:
        """
        All that goes behind it.
        """
        return self._around()[1]

    def whole(self, content: bytes) -> bytes:
        """
        The request for a client that keeps its connection.
        """
        return self.head(len(content), kept=True) + content + self.tail()

    def _around(self) -> tuple[bytes, bytes]:
        return (_FORM_HEAD, _END) if self.form else (b"", b"")


def upload(sending: Sending, source: Path) -> Download:
    """
    Send a file and wait for the answer to its end.

    :return: the times of the answer, and the size of the file.

    Raises ``NotServed`` for any status but 200 and 201.
    """
    size = source.stat().st_size
    start = perf_counter()
    with _connected(sending.address) as sock, source.open("rb") as file:
        try:
            sock.sendall(sending.head(size))
            _send_file(sock, file.fileno(), size)
            sock.sendall(sending.tail())
        except (BrokenPipeError, ConnectionResetError) as error:
            raise NotServed(f"{sending.address.path} took not all: {_said(sock)!r}") from error
        head = _good(read_head(sock), sending)
        first_byte = perf_counter() - start
        _rest(sock, head)
    return Download(first_byte, perf_counter() - start, size, promised=True)


def ask(sending: Sending, content: bytes = b"") -> bytes:
    """
    Send a small body, or none.

    :return: the body of the answer, whose connection ends with it.

    Raises ``NotServed`` for any status but 200 and 201.
    """
    with _connected(sending.address) as sock:
        sock.sendall(sending.head(len(content)) + content + sending.tail())
        return _rest(sock, _good(read_head(sock), sending))


def _connected(address: Address) -> socket.socket:
    return socket.create_connection((address.host, address.port), timeout=None)


def _send_file(sock: socket.socket, descriptor: int, size: int) -> None:
    offset = 0
    while offset < size:
        sent = os.sendfile(sock.fileno(), descriptor, offset, size - offset)
        if not sent:
            raise NotServed("the file that is sent became shorter")
        offset += sent


def _good(head: Head, sending: Sending) -> Head:
    if head.status not in (200, 201):
        raise NotServed(f"{sending.method} {sending.address.path} answered {head.status}: {head.rest!r}")
    return head


def _rest(sock: socket.socket, head: Head) -> bytes:
    body = head.rest
    while piece := sock.recv(1 << 16):
        body += piece
    return body


def _said(sock: socket.socket) -> bytes:
    with suppress(OSError):
        return sock.recv(1000)
    return b""
