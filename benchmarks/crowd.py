"""
Many clients at once in one thread, each of which reads as fast as it may and counts what it gets.
"""

from __future__ import annotations

import selectors
import socket
from time import perf_counter, sleep

from benchmarks.client import GULP, Address, connect

TICK = 0.02
"""How often clients with a fixed rate read, in seconds."""


class _Reader:
    """
    One client, which asks again when it has got the whole.
    """

    def __init__(self, address: Address) -> None:
        self._target = address
        self.size = 0
        self.sock = self._open()

    def _open(self) -> socket.socket:
        sock = connect(self._target)
        sock.setblocking(False)
        return sock

    def read(self, buffer: bytearray, limit: int) -> bool:
        """
        Throw away what is there, ``limit`` bytes at most.

        :return: whether the connection is still the same.
        """
        try:
            taken = self.sock.recv_into(buffer, limit, socket.MSG_TRUNC)
        except BlockingIOError:
            return True
        self.size += taken
        if taken:
            return True
        self.sock.close()
        self.sock = self._open()
        return False


def read_at_full_speed(address: Address, clients: int, seconds: float) -> list[int]:
    """
    Let so many clients read as fast as they can.

    :return: the bytes that each got, headers included.
    """
    buffer = bytearray(GULP)
    with selectors.DefaultSelector() as selector:
        readers = [_Reader(address) for _ in range(clients)]
        for reader in readers:
            selector.register(reader.sock, selectors.EVENT_READ, reader)
        end = perf_counter() + seconds
        while perf_counter() < end:
            for key, _ in selector.select(timeout=0.1):
                if not key.data.read(buffer, 1 << 20):
                    selector.unregister(key.fileobj)
                    selector.register(key.data.sock, selectors.EVENT_READ, key.data)
        for reader in readers:
            reader.sock.close()
    return [reader.size for reader in readers]


def read_at_a_rate(address: Address, clients: int, seconds: float, rate: int) -> list[int]:
    """
    Let so many clients read ``rate`` bytes per second each.

    :return: the bytes that each got, headers included.
    """
    buffer = bytearray(GULP)
    readers = [_Reader(address) for _ in range(clients)]
    start = perf_counter()
    while (now := perf_counter() - start) < seconds:
        for reader in readers:
            due = int(rate * now) - reader.size
            if due > 0:
                reader.read(buffer, min(due, GULP))
        sleep(TICK)
    for reader in readers:
        reader.sock.close()
    return [reader.size for reader in readers]
