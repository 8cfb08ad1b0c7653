"""
CRC-32 values of an album's members: remembered, computed once for all who wait, and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from isal import isal_zlib
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from fileserve.catalogue.interfaces import CatalogueUnavailable, IFacts
from fileserve.storage.errors import MemberChanged, NoSuchAlbum
from fileserve.storage.interfaces import IAlbumReader, Member

# Not in the class: a Logger there takes the class's name for its namespace.
_log = Logger(namespace="fileserve.archive")

#: Values are kept for good when finding them again would mean to read so many
#: bytes, and at the end of a transfer. Seldom, for it takes time from the sending.
_SAVE_AT = 1024 * 1024 * 1024

#: What opening a member costs, as bytes that are read in that time.
_OPENING = 32 * 1024


class Checksums:
    """
    The CRC-32 of each member of one listing of an album.

    :param reader: makes what reads the album's members, for computing.
    :param known: values of the catalogue, by path and version.
    """

    def __init__(
        self,
        album: str,
        members: Iterable[Member],
        known: Mapping[tuple[bytes, str], int],
        facts: IFacts,
        reader: Callable[[str], IAlbumReader],
    ) -> None:
        self._album = album
        self._facts = facts
        self._reader = reader
        self._members = {member.path: member for member in members}
        self._crcs = _still_true(self._members.values(), known)
        self._stale = len(known) > len(self._crcs)
        self._unsaved: list[tuple[Member, int]] = []
        self._unsaved_effort = 0
        self._computing: dict[bytes, _Shared] = {}

    def get(self, member: Member) -> int | None:
        """
        The value, if it is known already.
        """
        return self._crcs.get(member.path) if member.size else 0

    def note(self, member: Member, data: bytes | bytearray) -> int:
        """
        Take the value from a member's whole data, which was read anyhow.
        """
        crc: int = isal_zlib.crc32(data)
        self._found(member, crc)
        return crc

    def compute(self, member: Member) -> Deferred[int]:
        """
        Get the value, reading the member if need be; all who ask meanwhile share that.

        :return: may be cancelled; the reading ends when nobody waits any more.
        """
        crc = self.get(member)
        if crc is not None:
            return succeed(crc)
        shared = self._computing.get(member.path)
        if shared is None:
            shared = _Shared(Deferred.fromCoroutine(self._compute(member)))
            self._computing[member.path] = shared
            shared.ended.addCallback(lambda _: self._computing.pop(member.path))
        return shared.wait()

    async def _compute(self, member: Member) -> int:
        try:
            reader = self._reader(self._album)
        except NoSuchAlbum:
            raise MemberChanged(member.path, "its album is gone") from None
        try:
            crc: int = await reader.crc32(member)
        finally:
            reader.close()
        self._found(member, crc)
        return crc

    def _found(self, member: Member, crc: int) -> None:
        if self._crcs.setdefault(member.path, crc) != crc:
            # Two readings of one version differ: the version can't be trusted.
            raise MemberChanged(member.path, "its bytes changed and its version did not")
        self._unsaved.append((member, crc))
        self._unsaved_effort += member.size + _OPENING
        if self._unsaved_effort >= _SAVE_AT:
            self.save()

    def save(self) -> Deferred[None]:
        """
        Keep what was found in the catalogue. Failing to is logged: it costs only time.
        """
        news = [(member.path, member.version, crc) for member, crc in self._unsaved]
        self._unsaved, self._unsaved_effort = [], 0
        kept = self._facts.remember(self._album, news) if news else succeed(None)
        if self._stale:
            self._stale = False
            kept.addCallback(lambda _: self._facts.forget(self._album, self._members.keys()))
        return kept.addErrback(self._not_kept)

    def _not_kept(self, failure: Failure) -> None:
        # Whatever else the database raises may name secrets: the values of a row.
        known = failure.check(CatalogueUnavailable) is not None
        reason = failure.getErrorMessage() if known else failure.type
        _log.warn("Checksums are not kept: {reason}", reason=reason)


def _still_true(members: Iterable[Member], known: Mapping[tuple[bytes, str], int]) -> dict[bytes, int]:
    if not known:
        return {}
    found = ((member.path, known.get((member.path, member.version))) for member in members)
    return {path: crc for path, crc in found if crc is not None}


class _Shared:
    """
    One piece of work that several wait for.

    :ivar ended: fires with ``None`` when the work has ended, however.
    """

    def __init__(self, work: Deferred[Any]) -> None:
        self._waiting: list[Deferred[Any]] = []
        self._work = work
        self._begun = False
        self.ended: Deferred[None] = Deferred()

    def wait(self) -> Deferred[Any]:
        waiting: Deferred[Any] = Deferred(self._leave)
        self._waiting.append(waiting)
        if not self._begun:
            self._begun = True
            self._work.addBoth(self._done)
        return waiting

    def _leave(self, waiting: Deferred[Any]) -> None:
        self._waiting.remove(waiting)
        if not self._waiting:
            self._work.cancel()

    def _done(self, result: Any) -> None:
        self.ended.callback(None)
        while self._waiting:  # one that is told may make another leave
            self._waiting.pop(0).callback(result)
