"""
Asking for a file's bytes without saying who gives them: a disk, a bucket, or memory.

A rule is a generator. It gives out what it wants, an offset and a length inside the file, and is sent just
those bytes. So the same rule runs over a descriptor in a thread and over answers of a server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import NamedTuple, TypeAlias, TypeVar

from .patch import Patch, zeros

T = TypeVar("T")


class Wanted(NamedTuple):
    """
    Some bytes of a file, at least one of them.
    """

    offset: int
    length: int


Steps: TypeAlias = Generator[Wanted, bytes, T]
"""What wants bytes, one span after the other, and comes to a result."""

#: Bytes that are looked through at once: less than a millisecond of work.
SCANNED = 256 * 1024
_ZEROS = bytes(SCANNED)


class TooMuchError(Exception):
    """
    There is more in a file than its `Budget` allows.
    """

    def __init__(self) -> None:
        super().__init__("it has more metadata than is looked through")


class Budget:
    """
    How much of one file's metadata is looked at. Strangers make files in which small things stand for large
    ones, and a thread of this process has to go through them: so all that takes time or memory, other than
    reading a file from its start to its end, is paid for here. Pictures of cameras and phones need less than
    a tenth of it; the longest metadata known, maps of depth, are of some MiB.
    """

    def __init__(self) -> None:
        #: Bytes that are searched: at most a second of work, and no more than that is held in memory.
        self._length = 16 * 1024 * 1024
        #: Segments, chunks, and what stands in those by itself.
        self._parts = 10_000
        #: Entries of directories, and numbers in these: some 150 bytes of memory each.
        self._values = 100_000
        #: Beside those that overwrite a part as a whole.
        self._patches = 10_000

    def spend(self, length: int = 0, parts: int = 0, values: int = 0, patches: int = 0) -> None:
        """
        Pay for what is to be looked at, before it is.

        :param length: bytes of it.
        :raise TooMuchError: so much is not left. Less may be.
        """
        left = (self._length - length, self._parts - parts, self._values - values, self._patches - patches)
        if min(left) < 0:
            raise TooMuchError
        self._length, self._parts, self._values, self._patches = left


def run(steps: Steps[T], read: Callable[[int, int], bytes]) -> T:
    """
    Give what is wanted until there is a result.

    :param read: gives the bytes from an offset on, so many.
    :raise EOFError: it gave other than so many.
    """
    try:
        wanted = next(steps)
        while True:
            data = read(*wanted)
            if len(data) != wanted.length:
                raise EOFError("the file is shorter than it was")
            wanted = steps.send(data)
    except StopIteration as end:
        result: T = end.value
        return result


def run_over(steps: Steps[T], data: bytes) -> T:
    """
    The same with bytes that are there.
    """
    return run(steps, lambda offset, length: data[offset : offset + length])


class Window:
    """
    The part of a file that was read last.

    :param size: of the file, in bytes.
    :param ahead: so many bytes are read at once at the least, for what may come next.
    :param head: the file's first bytes, as far as somebody read them already.
    :ivar budget: of the file; given where this is only a part of one.
    """

    def __init__(self, size: int, ahead: int = 1, head: bytes = b"", budget: Budget | None = None) -> None:
        self.size = size
        self.budget = Budget() if budget is None else budget
        self._ahead = ahead
        self._start = 0
        self._data = head

    def get(self, offset: int, length: int) -> Steps[bytes]:
        """
        Some bytes, fewer only where the file ends.
        """
        stop = min(offset + length, self.size)
        if offset >= stop:
            return b""
        if not self._start <= offset <= stop <= self._start + len(self._data):
            yield from self._load(offset, max(length, self._ahead))
        return self._data[offset - self._start : stop - self._start]

    def search(self, pattern: re.Pattern[bytes], offset: int, longest: int) -> Steps[int | None]:
        """
        Where a pattern is found first, at an offset or after it.

        :param longest: the most bytes that it can match.
        """
        if not self._start <= offset < self._start + len(self._data):
            if offset >= self.size:
                return None
            yield from self._load(offset, self._ahead)
        while True:
            if (found := pattern.search(self._data, offset - self._start)) is not None:
                return self._start + found.start()
            end = self._start + len(self._data)
            if end >= self.size:
                return None
            offset = max(offset, end - longest + 1)
            yield from self._load(offset, SCANNED)

    def blank(self, start: int, stop: int) -> Steps[list[Patch]]:
        """
        What puts zeros where there are others; one patch at the most.
        """
        first, last = stop, 0
        for at in range(start, stop, SCANNED):
            end = min(at + SCANNED, stop)
            if (yield from self.get(at, end - at)) != _ZEROS[: end - at]:
                first, last = min(first, at), end
        return zeros(first, last)

    def _load(self, offset: int, length: int) -> Steps[None]:
        """
        Read on from an offset; what is there already is not read again.
        """
        at = offset - self._start
        kept = self._data[at:] if 0 <= at <= len(self._data) else b""
        offset += len(kept)
        self._data = kept + (yield Wanted(offset, min(length - len(kept), self.size - offset)))
        self._start = offset - len(kept)
