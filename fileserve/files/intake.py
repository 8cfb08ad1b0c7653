"""
Taking a file in: checked, hashed and written as it comes, durable before anybody hears of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from attrs import frozen
from twisted.internet.defer import Deferred, FirstError, gatherResults, succeed

from fileserve.catalogue.interfaces import MemberFacts
from fileserve.http.refusal import Refusal
from fileserve.storage.held import InThread
from fileserve.storage.interfaces import IFileStore, IIncoming, Member

from .digest import Digest

#: Less than this is hashed at once: 64 KiB take some 50 microseconds (2026-11),
#: which is less than a thread costs.
_AT_ONCE = 64 * 1024

#: For so many seconds the free space is not asked for again.
_FRESH = 1.0


class Source(Protocol):
    """
    What the bytes of a file come from.
    """

    async def read(self) -> list[bytes]:
        """Wait for more; none at the end."""


@frozen
class Limits:
    """
    How much is taken, by the options; bytes.
    """

    max_upload: int
    min_free: int


@frozen
class Arrived:
    """
    What is known of a file that was taken in.
    """

    member: Member
    facts: MemberFacts


class Taken:
    """
    A file of which all bytes have come; not to be seen before `keep`.
    """

    def __init__(self, incoming: IIncoming, digest: Digest, filename: str) -> None:
        self._incoming = incoming
        self._digest = digest
        self._filename = filename

    @property
    def size(self) -> int:
        """
        Bytes.
        """
        return self._digest.size

    @property
    def facts(self) -> MemberFacts:
        """
        What its bytes are.
        """
        return self._digest.facts(self._filename)

    async def keep(self) -> Arrived:
        """
        Make it durable, and then visible.

        :raise Exception: as `IIncoming.keep`; nothing of it is left then.
        """
        return Arrived(await self._incoming.keep(), self.facts)

    def drop(self) -> Deferred[None]:
        """
        Forget it.
        """
        return self._incoming.drop()


class Intake:
    """
    Takes files into a store.

    :param in_thread: for hashing.
    :param clock: tells seconds.
    """

    def __init__(
        self, store: IFileStore, in_thread: InThread, limits: Limits, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._in_thread = in_thread
        self._limits = limits
        self._clock = clock
        self._free: int | None = None
        self._asked = -_FRESH

    async def admit(self, length: int | None) -> None:
        """
        See whether a file of so many bytes can be taken; ``None`` where that is
        not known before it came.

        :raise Refusal: 413, it is too large; 507, there is no room for it.
        """
        self.check_size(length or 0)
        await self.admit_form(length)

    async def admit_form(self, length: int | None) -> None:
        """
        See whether there is room for so many bytes of several files.

        :raise Refusal: 507, there is none.
        """
        await self._check_room(length or 0)

    async def take(
        self, source: Source, album: str, path: bytes, filename: str, replaces: str | None = None
    ) -> Taken:
        """
        Take all bytes of a file.

        :param filename: as it was sent; a hint for the type of the file.
        :param replaces: see `IFileStore.receive`.
        :return: what the caller keeps or drops.
        :raise Refusal: 413 or 507.
        :raise Exception: as `IFileStore.receive` and `IIncoming.write`, or what
            the source raises; nothing of the file is left then.
        """
        incoming = await self._store.receive(album, path, replaces)
        digest = Digest()
        try:
            while pieces := await source.read():
                await self._write(incoming, digest, pieces)
        except BaseException:
            if self._free is not None:
                self._free += digest.size
            # Not waited for: who is cancelled may wait for nothing more.
            incoming.drop()
            raise
        return Taken(incoming, digest, filename)

    async def _write(self, incoming: IIncoming, digest: Digest, pieces: Sequence[bytes]) -> None:
        size = sum(map(len, pieces))
        self.check_size(digest.size + size)
        await self._check_room(size)
        if self._free is not None:
            self._free -= size
        try:
            await gatherResults(
                [incoming.write(pieces), self._hash(digest, pieces, size)], consumeErrors=True
            )
        except FirstError as error:
            error.subFailure.raiseException()

    def _hash(self, digest: Digest, pieces: Sequence[bytes], size: int) -> Deferred[None]:
        if size < _AT_ONCE:
            digest.update(pieces)
            return succeed(None)
        return self._in_thread(digest.update, pieces)

    def check_size(self, size: int) -> None:
        """
        :raise Refusal: 413, no file of so many bytes is taken.
        """
        if size > self._limits.max_upload:
            raise Refusal(413, f"No file of more than {self._limits.max_upload} bytes is taken here.")

    async def _check_room(self, length: int) -> None:
        if self._clock() - self._asked >= _FRESH:
            self._free = await self._store.free()
            self._asked = self._clock()
        if self._free is not None and self._free - length < self._limits.min_free:
            raise Refusal(507, "There is no room left for this file.")
