"""
Bytes that take the place of as many others, and the refusal where that won't do.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Patch(NamedTuple):
    """
    Bytes that stand in a file in place of as many others.
    """

    #: From the start of the file, in bytes.
    offset: int
    data: bytes
    #: How often they stand there; more than once only where it is a single byte. So a long run of zeros or
    #: blanks costs little to remember.
    times: int = 1

    @property
    def length(self) -> int:
        """
        How many bytes it overwrites.
        """
        return len(self.data) * self.times

    @property
    def end(self) -> int:
        """
        Where it ends, in bytes from the start of the file.
        """
        return self.offset + self.length

    def part(self, start: int, stop: int) -> bytes:
        """
        Some of its bytes, counted from its own start.
        """
        return self.data[start:stop] if self.times == 1 else self.data * (stop - start)

    @property
    def weight(self) -> int:
        """
        What remembering it costs, about, in bytes.
        """
        return 150 + len(self.data)


class Unstrippable(Exception):
    """
    A location can't be taken out of this file, or nobody can tell whether there is one. The text says why,
    in a sentence for people.
    """


def replaced(offset: int, old: bytes, new: bytes) -> list[Patch]:
    """
    What makes some bytes others.

    :return: nothing where they are that already.
    """
    return [] if old == new else [Patch(offset, new)]


def filled(offset: int, old: bytes, start: bytes = b"", fill: bytes = b"\0") -> list[Patch]:
    """
    What makes some bytes others, of which nearly all are the same.

    :param start: what stands first, where there is room for it.
    :param fill: the byte that follows over and over.
    """
    start = start if len(start) <= len(old) else b""
    patches = replaced(offset, old[: len(start)], start)
    if old.count(fill, len(start)) < len(old) - len(start):
        patches.append(Patch(offset + len(start), fill, len(old) - len(start)))
    return patches


def zeros(start: int, stop: int) -> list[Patch]:
    """
    What puts zeros there.
    """
    return [Patch(start, b"\0", stop - start)] if start < stop else []


def moved(patches: Iterable[Patch], by: int) -> list[Patch]:
    """
    The same, in something that begins so many bytes later.
    """
    return [patch._replace(offset=patch.offset + by) for patch in patches]


def in_order(patches: Iterable[Patch]) -> tuple[Patch, ...]:
    """
    The same as they stand in the file; no two of them overlap.
    """
    return tuple(sorted(patches, key=lambda patch: patch.offset))


def overwrite(buffer: bytearray | memoryview, offset: int, patches: Sequence[Patch]) -> None:
    """
    Put patches in place.

    :param buffer: some of the file's bytes.
    :param offset: where in the file they stand.
    :param patches: of the whole file, in order.
    """
    stop = offset + len(buffer)
    first = max(0, bisect_right(patches, offset, key=lambda patch: patch.offset) - 1)
    for patch in patches[first:]:
        if patch.offset >= stop:
            return
        start, end = max(offset, patch.offset), min(stop, patch.end)
        if start < end:
            buffer[start - offset : end - offset] = patch.part(start - patch.offset, end - patch.offset)
