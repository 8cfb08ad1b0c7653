"""
Looking at the heads of members, some at once: what kind of files they are, and what cameras wrote there.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from attrs import define
from twisted.internet.task import deferLater

from fileserve.http.kinds import HEAD, UNKNOWN, media_type
from fileserve.pictures.facts import PictureFacts
from fileserve.pictures.formats import is_picture
from fileserve.pictures.workshop import Busy, NoWorkers
from fileserve.storage.abilities import IDescriptor
from fileserve.storage.errors import MemberChanged, Unreadable
from fileserve.storage.held import InThread
from fileserve.storage.interfaces import IAlbumReader, IFileStore, IOpenMember, Member

from .allof import all_of
from .descriptors import Descriptors, NoCopy
from .interfaces import Looks

#: Members that are looked at together: as many as a child takes.
BATCH = 16

#: Seconds until the workshop is asked again that had no room.
_AGAIN = 0.5


@define(eq=False)
class _Head:
    """
    One member, its beginning, and what came of it.
    """

    member: Member
    #: For its descriptor; ``None`` where it has none.
    opened: IOpenMember | None
    beginning: bytes
    facts: PictureFacts | None = None

    @property
    def kind(self) -> str:
        """
        Its media type.
        """
        return self.facts.media_type if self.facts is not None else UNKNOWN


class Heads:
    """
    Looks at members when nobody is in a hurry.

    :param in_thread: for what takes the processor.
    :param descriptors: gives those of members that are no files.
    """

    def __init__(
        self, store: IFileStore, workshop: Looks, descriptors: Descriptors, in_thread: InThread, reactor: Any
    ) -> None:
        self._store = store
        self._workshop = workshop
        self._descriptors = descriptors
        self._in_thread = in_thread
        self._reactor = reactor

    async def look(self, album: str, members: Sequence[Member]) -> Sequence[PictureFacts | None]:
        """
        Look at some members.

        :param members: `BATCH` at most.
        :return: in the same order; ``None`` for a member that can't be read, can't be copied where that is
            needed, or is not that version any more.
        :raise NoSuchAlbum: it is gone.
        :raise StoreUnavailable: it is away.
        :raise NoWorkers: nothing looks at pictures now.
        """
        reader = self._store.reader(album)
        try:
            heads = await all_of((self._head(reader, member) for member in members), _close)
        finally:
            reader.close()
        found = [head for head in heads if head is not None]
        try:
            await self._tell_kinds(found)
            await self._look_at(album, [head for head in found if is_picture(head.kind)])
        finally:
            for head in found:
                _close(head)
        return [None if head is None else head.facts for head in heads]

    async def _head(self, reader: IAlbumReader, member: Member) -> _Head | None:
        try:
            opened = await reader.open(member)
        except (MemberChanged, Unreadable):
            return None
        keep = False
        try:
            beginning = bytes(await opened.read(0, min(HEAD, member.size))) if member.size else b""
            keep = IDescriptor.providedBy(opened)
            return _Head(member, opened if keep else None, beginning)
        except (MemberChanged, Unreadable):
            return None
        finally:
            if not keep:
                opened.close()

    async def _tell_kinds(self, heads: Sequence[_Head]) -> None:
        kinds = await self._in_thread(_kinds, [(head.beginning, head.member.path) for head in heads])
        for head, kind in zip(heads, kinds, strict=True):
            head.facts = PictureFacts(kind)

    async def _look_at(self, album: str, pictures: Sequence[_Head]) -> None:
        files = [head for head in pictures if head.opened is not None]
        if files:
            descriptors = [IDescriptor(head.opened).fileno() for head in files]
            for head, facts in zip(files, await self._look(files, descriptors), strict=True):
                head.facts = facts if _is_same(head.opened) else None
        for head in pictures:
            if head.opened is None:
                head.facts = await self._look_at_copy(album, head)

    async def _look_at_copy(self, album: str, head: _Head) -> PictureFacts | None:
        try:
            async with self._descriptors.opened(album, head.member) as descriptor:
                return (await self._look([head], [descriptor]))[0]
        except (MemberChanged, Unreadable, NoCopy):
            return None

    async def _look(self, heads: Sequence[_Head], descriptors: Sequence[int]) -> Sequence[PictureFacts]:
        files = [(each, head.kind) for each, head in zip(descriptors, heads, strict=True)]
        while True:
            try:
                return await self._workshop.look(files, urgent=False)
            except NoWorkers:
                raise
            except Busy:
                await deferLater(self._reactor, _AGAIN)


def _kinds(heads: Sequence[tuple[bytes, bytes]]) -> Sequence[str]:
    names = [os.path.basename(path).decode("utf-8", "replace") for _, path in heads]
    return [media_type(beginning, name) for (beginning, _), name in zip(heads, names, strict=True)]


def _is_same(opened: IOpenMember | None) -> bool:
    try:
        assert opened is not None
        opened.check()
    except MemberChanged:
        return False
    return True


def _close(head: _Head | None) -> None:
    if head is not None and head.opened is not None:
        head.opened.close()
