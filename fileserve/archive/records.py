"""
The records of one plan with their checksums in them, each made once and remembered with the plan.
"""

from __future__ import annotations

from collections.abc import Sequence

from fileserve.storage.interfaces import Member

from .checksums import Checksums
from .layout import Kind, Layout, Piece
from .zipformat import has_descriptor


class Records:
    """
    Gives the bytes of any piece that is not a member's data.

    Remembering them spares two fifths of the work of sending 10,000 members of
    10 KiB (measured 2026-11); it costs some 250 bytes for each.
    """

    def __init__(self, layout: Layout, members: Sequence[Member | None], checksums: Checksums) -> None:
        self._layout = layout
        self._members = members
        self._checksums = checksums
        count = len(layout.entries)
        self._made: dict[Kind, list[bytes | None]] = {
            Kind.LOCAL_HEADER: [None] * count,
            Kind.CENTRAL_HEADER: [None] * count,
        }

    def get(self, piece: Piece) -> bytes | None:
        """
        The bytes of a piece; ``None`` as long as a checksum in it is not known.
        """
        record = self._record(piece.kind, piece.entry)
        if record is None or len(record) == piece.length:
            return record
        return record[piece.offset : piece.offset + piece.length]

    def _record(self, kind: Kind, index: int) -> bytes | None:
        if kind is Kind.END:
            return self._layout.end()
        if kind is Kind.DESCRIPTOR:
            crc = self._crc(index)
            return None if crc is None else self._layout.descriptor(index, crc)
        made = self._made[kind]
        record = made[index]
        if record is None:
            record = made[index] = self._header(kind, index)
        return record

    def _header(self, kind: Kind, index: int) -> bytes | None:
        layout = self._layout
        if kind is Kind.LOCAL_HEADER and has_descriptor(layout.entries[index].size):
            return layout.local_header(index, 0)
        crc = self._crc(index)
        if crc is None:
            return None
        make = layout.local_header if kind is Kind.LOCAL_HEADER else layout.central_header
        return make(index, crc)

    def _crc(self, index: int) -> int | None:
        member = self._members[index]
        return 0 if member is None else self._checksums.get(member)
