"""
Many clients in one thread that keep their connections and ask one thing after the other.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from time import perf_counter

from attrs import frozen

from benchmarks.client import Address, NotServed

_BUFFER = 128 << 10
"""Takes the whole of a small answer at once; in bytes."""


@frozen
class Round:
    """
    What many clients got in some seconds.

    :param waits: of each answer, the seconds since it was asked for.
    """

    seconds: float
    waits: list[float]

    def rate(self) -> float:
        """
        Answers per second.
        """
        return len(self.waits) / self.seconds


class _Client:
    """
    One connection, on which one answer is under way.
    """

    def __init__(self, address: Address, requests: Iterator[bytes]) -> None:
        self.sock = socket.create_connection((address.host, address.port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._requests = requests
        self._left = -1
        self._head = b""
        self.asked = 0.0

    def ask(self) -> None:
        """
        Send the next request, which finds room in the kernel whole.
        """
        self._left, self._head = -1, b""
        self.asked = perf_counter()
        self.sock.sendall(next(self._requests))

    def read(self, buffer: bytearray) -> bool:
        """
        Take what came.

        :return: whether the answer is complete.
        """
        size = self.sock.recv_into(buffer)
        if not size:
            raise NotServed(f"closed within an answer, after {self._head!r}")
        if self._left >= 0:
            self._left -= size
        else:
            self._head += bytes(memoryview(buffer)[:size])
            self._left = self._left_of(self._head)
        return self._left == 0

    def _left_of(self, head: bytes) -> int:
        end = head.find(b"\r\n\r\n")
        if end < 0:
            return -1
        if head[9:12] not in (b"200", b"201"):
            raise NotServed(f"answered {head[:300]!r}")
        at = head.lower().find(b"\r\ncontent-length:", 0, end + 2)
        if at < 0:
            raise NotServed("an answer without Content-Length")
        length = int(head[at + 17 : head.index(b"\r\n", at + 2)])
        return length - (len(head) - end - 4)


def ask_for(address: Address, requests: Iterator[bytes], clients: int, seconds: float) -> Round:
    """
    Let so many clients ask for ``seconds``, and then wait for what was asked.

    :param requests: whole ones; the clients share them.

    Raises ``NotServed`` for any status but 200 and 201.
    """
    waits: list[float] = []
    buffer = bytearray(_BUFFER)
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for _ in range(clients):
            client = _Client(address, requests)
            stack.callback(client.sock.close)
            selector.register(client.sock, selectors.EVENT_READ, client)
        start = now = perf_counter()
        for key in list(selector.get_map().values()):
            key.data.ask()
        while selector.get_map():
            for key, _ in selector.select():
                if not key.data.read(buffer):
                    continue
                now = perf_counter()
                waits.append(now - key.data.asked)
                if now - start < seconds:
                    key.data.ask()
                else:
                    selector.unregister(key.fileobj)
    return Round(now - start, waits)
