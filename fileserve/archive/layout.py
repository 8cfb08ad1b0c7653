"""
Where everything stands in an archive, to the byte, before any member is read.

Pure rules. No record's length depends on a CRC-32. All that varies in length, names
and extra fields, is made by the same functions for counting as for sending, so the
promised length and the sent one can't differ.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import accumulate, chain
from typing import NamedTuple

from .zipformat import (
    Entry,
    central_header,
    central_header_length,
    descriptor,
    end_of_central_directory,
    has_descriptor,
    local_header,
    local_header_length,
)


class Kind(Enum):
    """
    What a piece of an archive is.
    """

    LOCAL_HEADER = "local header"
    BODY = "body"
    DESCRIPTOR = "descriptor"
    CENTRAL_HEADER = "central header"
    END = "end"


class Piece(NamedTuple):
    """
    Some bytes of one record, or of one member's data.
    """

    kind: Kind
    #: Which entry; for `Kind.END`, how many there are.
    entry: int
    #: Where the bytes begin, counted from the start of the record or of the data.
    offset: int
    length: int


class Layout:
    """
    An archive of these entries, in this order.

    :ivar length: of the whole archive, in bytes.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self.entries = entries
        self._offsets = list(accumulate(map(_room, entries), initial=0))
        central = map(central_header_length, entries, self._offsets)
        self._central_offsets = list(accumulate(central, initial=self._offsets[-1]))
        self.length = self._central_offsets[-1] + len(self.end())

    def local_header(self, index: int, crc: int) -> bytes:
        """
        The record before the data of one entry.
        """
        return local_header(self.entries[index], self._offsets[index], crc)

    def descriptor(self, index: int, crc: int) -> bytes:
        """
        The record behind the data of one large entry.
        """
        return descriptor(self.entries[index], crc)

    def central_header(self, index: int, crc: int) -> bytes:
        """
        The record of one entry in the central directory.
        """
        return central_header(self.entries[index], self._offsets[index], crc)

    def end(self) -> bytes:
        """
        The records behind the central directory.
        """
        start, stop = self._offsets[-1], self._central_offsets[-1]
        return end_of_central_directory(len(self.entries), start, stop - start)

    def pieces(self, start: int, stop: int) -> Iterator[Piece]:
        """
        What the bytes from ``start`` up to ``stop`` are made of, in order.

        None is empty, and together they have exactly ``stop - start`` bytes.
        """
        if start >= stop:
            return
        for at, piece in chain(self._member_pieces(start), self._central_pieces(start)):
            end = at + piece.length
            if start <= at and end <= stop:
                yield piece
            elif at >= stop:
                return
            elif end > start:
                first = max(start - at, 0)
                yield Piece(piece.kind, piece.entry, first, min(stop, end) - at - first)

    def _member_pieces(self, start: int) -> Iterator[tuple[int, Piece]]:
        """
        Whole pieces with their places, from the entry on in which ``start`` lies.
        """
        if start >= self._offsets[-1]:
            return
        for index in range(bisect_right(self._offsets, start) - 1, len(self.entries)):
            at, end, size = self._offsets[index], self._offsets[index + 1], self.entries[index].size
            behind = len(self.descriptor(index, 0)) if has_descriptor(size) else 0
            body = end - behind - size
            yield at, Piece(Kind.LOCAL_HEADER, index, 0, body - at)
            if size:
                yield body, Piece(Kind.BODY, index, 0, size)
            if behind:
                yield end - behind, Piece(Kind.DESCRIPTOR, index, 0, behind)

    def _central_pieces(self, start: int) -> Iterator[tuple[int, Piece]]:
        places = self._central_offsets
        first = max(bisect_right(places, start) - 1, 0)
        for index in range(first, len(self.entries)):
            yield places[index], Piece(Kind.CENTRAL_HEADER, index, 0, places[index + 1] - places[index])
        yield places[-1], Piece(Kind.END, len(self.entries), 0, self.length - places[-1])


def _room(entry: Entry) -> int:
    """
    How many bytes an entry takes, without its place in the central directory.
    """
    behind = len(descriptor(entry, 0)) if has_descriptor(entry.size) else 0
    return local_header_length(entry) + entry.size + behind
