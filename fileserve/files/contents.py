"""
What is in a file now: as the catalogue remembers it of this version, or by reading it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.logger import Logger

from fileserve.catalogue.interfaces import CatalogueUnavailable, IFacts, MemberFacts
from fileserve.http.kinds import HEAD, media_type
from fileserve.storage.held import InThread
from fileserve.storage.interfaces import IFileStore, IOpenMember, Member
from fileserve.storage.opening import open_member

from .digest import Digest

_log = Logger(namespace="fileserve.files")

#: Bytes that are read and hashed at once.
_WINDOW = 1024 * 1024

#: So many files are read whole at once, whoever asks.
_READERS = 2


class Contents:
    """
    Finds facts of members.

    :param in_thread: for hashing.
    """

    def __init__(self, store: IFileStore, facts: IFacts, in_thread: InThread) -> None:
        self._store = store
        self._facts = facts
        self._in_thread = in_thread
        self._readers = DeferredSemaphore(_READERS)
        #: What the catalogue has not taken yet: it may be locked for long.
        self._untold: dict[tuple[str, bytes, str], MemberFacts] = {}

    async def media_type(self, album: str, member: Member, filename: str) -> str:
        """
        The media type of one version, for which its beginning is enough.

        :param filename: a hint.
        :raise MemberChanged: meanwhile it is another.
        """
        known = (await self.remembered(album, [member])).get((member.path, member.version))
        if known is not None and known.media_type is not None:
            return known.media_type
        async with self._opened(album, member) as opened:
            return media_type(bytes(await opened.read(0, min(HEAD, member.size))), filename)

    async def facts(self, album: str, member: Member, filename: str) -> MemberFacts:
        """
        All there is to know of one version, which may mean to read it whole.

        :raise MemberChanged: meanwhile it is another.
        """
        known = await self._all_remembered(album, member)
        if known is not None:
            return known
        await self._readers.acquire()
        try:
            # While this waited, another may have read the same.
            known = await self._all_remembered(album, member)
            if known is None:
                known = await self._compute(album, member, filename)
                self._tell(album, member, known)
            return known
        finally:
            self._readers.release()

    def _tell(self, album: str, member: Member, facts: MemberFacts) -> None:
        key = (album, member.path, member.version)
        self._untold[key] = facts
        self.remember(album, member, facts).addBoth(lambda _: self._untold.pop(key, None))

    async def _all_remembered(self, album: str, member: Member) -> MemberFacts | None:
        if (untold := self._untold.get((album, member.path, member.version))) is not None:
            return untold
        known = (await self.remembered(album, [member])).get((member.path, member.version))
        return None if known is None or known.sha256 is None or known.media_type is None else known

    async def remembered(
        self, album: str, members: Sequence[Member]
    ) -> Mapping[tuple[bytes, str], MemberFacts]:
        """
        What the catalogue knows of some members, a page of them at the most.

        :return: by path and version. Where the catalogue is away, nothing is known.
        """
        try:
            return await self._facts.describe(album, [member.path for member in members])
        except CatalogueUnavailable as error:
            _log.warn("Facts are not looked up: {why}", why=error)
            return {}

    def remember(self, album: str, member: Member, facts: MemberFacts) -> Deferred[None]:
        """
        Keep what was found out. Failing to is logged: it costs only time.
        """
        known = self._facts.know(album, member.path, member.version, facts)
        return known.addErrback(lambda failure: _log.warn("Facts are not kept: {why}", why=failure.type))

    async def _compute(self, album: str, member: Member, filename: str) -> MemberFacts:
        digest = Digest()
        async with self._opened(album, member) as opened:
            for at in range(0, member.size, _WINDOW):
                data = await opened.read(at, min(_WINDOW, member.size - at))
                await self._in_thread(digest.update, [data])
        return digest.facts(filename)

    @asynccontextmanager
    async def _opened(self, album: str, member: Member) -> AsyncIterator[IOpenMember]:
        opened = await open_member(self._store, album, member)
        try:
            yield opened
        finally:
            opened.close()
