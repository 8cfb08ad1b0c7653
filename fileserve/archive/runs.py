"""
Small members in a row, put together for sending: once known, they take little more than reading.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from fileserve.storage.interfaces import Member, Part

from .layout import Kind, Layout, Piece
from .records import Records

#: A member larger than this, in bytes, is sent by itself.
LARGE = 128 * 1024

#: A run ends with the member that makes it so long.
_LONG = 64 * 1024

#: A shorter run is not worth remembering.
_SHORT = 4 * 1024


class Run(NamedTuple):
    """
    Some bytes of an archive without a large body: in turn headers and bodies, then a tail.
    """

    #: Where it begins and ends in the archive.
    start: int
    stop: int
    #: What stands before each body.
    headers: list[bytes]
    bodies: list[Part]
    tail: bytes


def lay_out(runs: Sequence[Run]) -> tuple[bytearray, list[memoryview]]:
    """
    Begin a chunk of some runs in a row: everything but the bodies is in it.

    :return: the chunk, and where in it each of the bodies is to be read into.
    """
    chunk = bytearray(sum(run.stop - run.start for run in runs))
    view, buffers, at = memoryview(chunk), [], 0
    for run in runs:
        for header, part in zip(run.headers, run.bodies, strict=True):
            body = at + len(header)
            view[at:body] = header
            at = body + part.length
            buffers.append(view[body:at])
        view[at : at + len(run.tail)] = run.tail
        at += len(run.tail)
    return chunk, buffers


class _NotKnownError(Exception):
    """
    A checksum is missing.
    """


class Runs:
    """
    The runs of one plan.

    :ivar made: whether they were put together; until then there are none.
    """

    def __init__(self, layout: Layout, members: Sequence[Member | None], records: Records) -> None:
        self._layout = layout
        self._members = members
        self._records = records
        self._runs: list[Run] = []
        self.made = False

    def within(self, start: int, stop: int) -> Iterator[Run]:
        """
        Those that lie wholly in a part of the archive, in order.
        """
        runs = self._runs
        for index in range(bisect_left(runs, (start,)), len(runs)):
            if runs[index].stop > stop:
                return
            yield runs[index]

    def put_together(self) -> None:
        """
        Find them, if every checksum is known. In a thread: it takes some microseconds for each member.
        """
        with suppress(_NotKnownError):
            self._runs = list(self._find())
            self.made = True

    def _find(self) -> Iterator[Run]:
        at = start = 0
        headers: list[bytes] = []
        bodies: list[Part] = []
        waiting: list[bytes] = []
        for piece in self._layout.pieces(0, self._layout.length):
            large = piece.kind is Kind.BODY and piece.length > LARGE
            if large or at - start >= _LONG:
                if at - start >= _SHORT:
                    yield Run(start, at, headers, bodies, b"".join(waiting))
                start = at + piece.length if large else at
                headers, bodies, waiting = [], [], []
            at += piece.length
            if large:
                continue
            if piece.kind is Kind.BODY:
                headers.append(b"".join(waiting))
                bodies.append(self._body(piece))
                waiting = []
            else:
                record = self._records.get(piece)
                if record is None:
                    raise _NotKnownError
                waiting.append(record)
        yield Run(start, at, headers, bodies, b"".join(waiting))

    def _body(self, piece: Piece) -> Part:
        member = self._members[piece.entry]
        assert member is not None, "a folder has no body"
        return Part(member, 0, piece.length)
