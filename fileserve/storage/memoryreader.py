"""
Reading members of an album in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from isal import isal_zlib
from zope.interface import implementer

from .interfaces import Buffer, IAlbumReader, IOpenMember, Member, Part

DataOf = Callable[[Member], bytes]


@implementer(IAlbumReader)
class MemoryReader:
    """
    Reads members of one album.

    :param data: gives a member's bytes, or raises `MemberChanged`.
    """

    def __init__(self, data: DataOf) -> None:
        self._data = data

    async def read_into(self, buffers: Sequence[Buffer], parts: Sequence[Part]) -> None:
        """
        Copy some parts.
        """
        for buffer, (member, offset, length) in zip(buffers, parts, strict=True):
            buffer[:] = self._data(member)[offset : offset + length]

    async def open(self, member: Member) -> MemoryMember:
        """
        Hold one member open.
        """
        opened = MemoryMember(self._data, member)
        opened.check()
        return opened

    async def crc32(self, member: Member) -> int:
        """
        The CRC-32 of a member.
        """
        return int(isal_zlib.crc32(self._data(member)))

    def close(self) -> None:
        """
        Nothing is held.
        """


@implementer(IOpenMember)
class MemoryMember:
    """
    One member, open.
    """

    def __init__(self, data: DataOf, member: Member) -> None:
        self._data = data
        self.member = member

    async def prepare(self, offset: int, length: int) -> None:
        """
        All is near.
        """

    async def read(self, offset: int, length: int) -> bytes:
        """
        Read exactly so many bytes.
        """
        return self._data(self.member)[offset : offset + length]

    def check(self) -> None:
        """
        See that it is still there.
        """
        self._data(self.member)

    def close(self) -> None:
        """
        Nothing is held.
        """
