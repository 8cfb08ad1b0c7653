"""
Reading members as they are without their location.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from isal import isal_zlib
from zope.interface import implementer

from fileserve.pictures.location.patch import Patch, overwrite
from fileserve.storage.held import InThread
from fileserve.storage.interfaces import Buffer, Data, IAlbumReader, IOpenMember, Member, Part

from .locations import Locations

#: Bytes that are read and hashed at once.
_WINDOW = 1024 * 1024


class Original:
    """
    Where the bytes of members of an album come from.

    :param member_of: gives the store's own member, ``None`` for a note.
    :param text_of: gives the text of a note; raises ``MemberChanged``.
    """

    def __init__(
        self,
        album: str,
        member_of: Callable[[Member], Member | None],
        text_of: Callable[[str, Member], Awaitable[bytes]],
    ) -> None:
        self.album = album
        self.member_of = member_of
        self._text_of = text_of

    def text_of(self, member: Member) -> Awaitable[bytes]:
        """
        The text of a note.
        """
        return self._text_of(self.album, member)


@implementer(IAlbumReader)
class StrippedReader:
    """
    Reads members of one album.

    :param inner: reads them as they are; ours from now on.
    """

    def __init__(
        self, inner: IAlbumReader, original: Original, locations: Locations, in_thread: InThread
    ) -> None:
        self._inner = inner
        self._original = original
        self._locations = locations
        self._in_thread = in_thread

    async def read_into(self, buffers: Sequence[Buffer], parts: Sequence[Part]) -> None:
        """
        Read some parts, then overwrite what is a location.
        """
        inner: list[tuple[Buffer, Part, Sequence[Patch]]] = []
        for buffer, part in zip(buffers, parts, strict=True):
            member = self._original.member_of(part.member)
            if member is None:
                text = await self._original.text_of(part.member)
                buffer[:] = text[part.offset : part.offset + part.length]
            else:
                inner.append((buffer, part._replace(member=member), await self._patches(member)))
        await self._inner.read_into([buffer for buffer, _, _ in inner], [part for _, part, _ in inner])
        for buffer, part, patches in inner:
            overwrite(buffer, part.offset, patches)

    async def _patches(self, member: Member) -> Sequence[Patch]:
        known = self._locations.known(self._original.album, member)
        if known is not None:
            return known
        opened = await self._inner.open(member)
        try:
            return await self._locations.patches(self._original.album, opened)
        finally:
            opened.close()

    async def open(self, member: Member) -> IOpenMember:
        """
        Hold one member open.
        """
        inner = self._original.member_of(member)
        if inner is None:
            return _OpenNote(member, await self._original.text_of(member))
        opened = await self._inner.open(inner)
        try:
            patches = await self._locations.patches(self._original.album, opened)
        except BaseException:
            opened.close()
            raise
        return _OpenStripped(member, opened, patches)

    async def crc32(self, member: Member) -> int:
        """
        Read a whole member for its CRC-32; what nothing is taken out of, in the store's own way.
        """
        inner = self._original.member_of(member)
        if inner is not None and not await self._patches(inner):
            return await self._inner.crc32(inner)
        opened = await self.open(member)
        crc = 0
        try:
            for at in range(0, member.size, _WINDOW):
                data = await opened.read(at, min(_WINDOW, member.size - at))
                crc = await self._in_thread(isal_zlib.crc32, data, crc)
            opened.check()
        finally:
            opened.close()
        return crc

    def close(self) -> None:
        """
        Give everything back.
        """
        self._inner.close()


@implementer(IOpenMember)
class _OpenStripped:
    """
    A member held open. It has no descriptor: what the kernel would send is not what it holds.
    """

    def __init__(self, member: Member, opened: IOpenMember, patches: Sequence[Patch]) -> None:
        self.member = member
        self._opened = opened
        self._patches = patches

    def prepare(self, offset: int, length: int) -> Awaitable[None]:
        return self._opened.prepare(offset, length)

    async def read(self, offset: int, length: int) -> Data:
        data = await self._opened.read(offset, length)
        if not self._patches:
            return data
        buffer = bytearray(data)
        overwrite(buffer, offset, self._patches)
        return buffer

    def check(self) -> None:
        self._opened.check()

    def close(self) -> None:
        self._opened.close()


@implementer(IOpenMember)
class _OpenNote:
    """
    A note, open.
    """

    def __init__(self, member: Member, text: bytes) -> None:
        self.member = member
        self._text = text

    async def prepare(self, offset: int, length: int) -> None:
        """All is near."""

    async def read(self, offset: int, length: int) -> bytes:
        return self._text[offset : offset + length]

    def check(self) -> None:
        """It is what it was."""

    def close(self) -> None:
        """Nothing is held."""
