"""
Whole archives for tests, however long: made of a layout's pieces, with bodies that are given, or zeros.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fileserve.archive.layout import Kind, Layout, Piece
from fileserve.archive.zipformat import Entry

# The polynomial of CRC-32 (APPNOTE section 4.4.7), and two powers of x; the lowest power is the highest bit.
_POLYNOMIAL = 0xEDB88320
_ONE = 1 << 31
_X_TO_THE_8 = 1 << 23

_ALL_ONES = 0xFFFFFFFF


class Archive:
    """
    An archive of entries with their data, as a producer would send it.

    :param bodies: the data of some of the entries, by name; the others hold zeros, which nobody keeps.
    """

    def __init__(self, entries: Iterable[Entry], bodies: Mapping[bytes, bytes] | None = None) -> None:
        self.entries = list(entries)
        self.layout = Layout(self.entries)
        self._bodies = bodies or {}

    def read(self, start: int, stop: int) -> bytes:
        """
        The bytes from ``start`` up to ``stop``.
        """
        return b"".join(self._bytes(piece) for piece in self.layout.pieces(start, stop))

    def open(self) -> io.BufferedReader:
        """
        The whole archive as a file to read.
        """
        return io.BufferedReader(_Reading(self))

    def write(self, path: Path) -> Path:
        """
        The whole archive as a file on the disk, which has holes where there are zeros.
        """
        with path.open("wb") as file:
            for piece in self.layout.pieces(0, self.layout.length):
                if piece.kind is Kind.BODY and self._body(piece.entry) is None:
                    file.seek(piece.length, io.SEEK_CUR)
                else:
                    file.write(self._bytes(piece))
        return path

    def _bytes(self, piece: Piece) -> bytes:
        if piece.kind is Kind.BODY:
            whole = self._body(piece.entry)
            if whole is None:
                return bytes(piece.length)
        elif piece.kind is Kind.END:
            whole = self.layout.end()
        else:
            whole = self._record(piece.kind, piece.entry)
        return whole[piece.offset : piece.offset + piece.length]

    def _record(self, kind: Kind, index: int) -> bytes:
        make = {
            Kind.LOCAL_HEADER: self.layout.local_header,
            Kind.DESCRIPTOR: self.layout.descriptor,
            Kind.CENTRAL_HEADER: self.layout.central_header,
        }[kind]
        body = self._body(index)
        return make(index, crc32_of_zeros(self.entries[index].size) if body is None else zlib.crc32(body))

    def _body(self, index: int) -> bytes | None:
        return self._bodies.get(self.entries[index].name)


class _Reading(io.RawIOBase):
    def __init__(self, archive: Archive) -> None:
        super().__init__()
        self._archive = archive
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._archive.layout.length}[whence]
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        stop = min(self._at + len(buffer), self._archive.layout.length)
        data = self._archive.read(self._at, stop)
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def crc32_of_zeros(length: int) -> int:
    """
    The CRC-32 of so many zero bytes, in as many steps as their number has bits.

    A zero byte multiplies what was read so far by x to the 8.
    """
    power, factor = _ONE, _X_TO_THE_8
    while length:
        if length & 1:
            power = _times(power, factor)
        factor = _times(factor, factor)
        length >>= 1
    return _times(power, _ALL_ONES) ^ _ALL_ONES


def _times(one: int, other: int) -> int:
    """
    The product of two polynomials, modulo that of CRC-32.
    """
    product = 0
    for power in range(32):
        if one >> (31 - power) & 1:
            product ^= other
        other = other >> 1 ^ (_POLYNOMIAL if other & 1 else 0)
    return product
