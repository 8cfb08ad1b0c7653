"""
Members of any store as open files, which can be passed to another process.
"""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from tempfile import TemporaryFile

from twisted.internet.defer import DeferredSemaphore

from fileserve.storage.abilities import IDescriptor
from fileserve.storage.errors import StoreUnavailable
from fileserve.storage.held import Held, InThread
from fileserve.storage.interfaces import IFileStore, IOpenMember, Member
from fileserve.storage.opening import open_member
from fileserve.storage.systemcalls import write_all

#: Bytes that are copied at once.
_WINDOW = 1024 * 1024

#: So many members are copied at once, whoever asks.
_COPYING = 2


class NoCopy(StoreUnavailable):
    """
    There is no room for a copy here, whether or not the store is there.
    """


class Descriptors:
    """
    Opens members; those of a store that has no files of its own are copied for that.

    :param directory: where copies lie, without names; it need not exist before the first.
    :param in_thread: for writing.
    :param least_free: so many bytes are left free on the disk of copies. Others put files into the store, of
        any size.
    """

    def __init__(self, store: IFileStore, directory: str, in_thread: InThread, least_free: int = 0) -> None:
        self._store = store
        self._directory = directory
        self._in_thread = in_thread
        self._least_free = least_free
        self._copying = DeferredSemaphore(_COPYING)

    @asynccontextmanager
    async def opened(self, album: str, member: Member) -> AsyncIterator[int]:
        """
        Hold one version of a member open.

        :return: gives a descriptor to read from, at any position; it is closed in the end.
        :raise MemberChanged: meanwhile it is another; also afterwards, in place of whatever went wrong, and
            where nothing did: what was read is of another version then.
        :raise NoSuchAlbum: it is gone.
        :raise Unreadable: it can't be read.
        :raise NoCopy: there is no room for a copy.
        :raise StoreUnavailable: the store is away.
        """
        opened = await open_member(self._store, album, member)
        try:
            async with self._descriptor_of(opened) as descriptor:
                try:
                    yield descriptor
                except Exception:
                    opened.check()
                    raise
                opened.check()
        finally:
            opened.close()

    @asynccontextmanager
    async def _descriptor_of(self, opened: IOpenMember) -> AsyncIterator[int]:
        own = IDescriptor(opened, None)
        if own is not None:
            yield own.fileno()
            return
        copy = Held(self._temporary(), self._in_thread)
        try:
            # Not longer, or whoever needs several at once might wait for himself.
            async with self._copying:
                await self._fill(copy, opened)
            yield copy.descriptor
        finally:
            copy.close()

    def _temporary(self) -> int:
        """
        Make a file without a name. Not in a thread, where it would be lost if nobody waited for it any more.
        """
        try:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            with TemporaryFile(dir=self._directory, buffering=0) as file:
                return os.dup(file.fileno())
        except OSError as error:
            raise _no_copy(error) from None

    async def _fill(self, copy: Held, opened: IOpenMember) -> None:
        for at in range(0, opened.member.size, _WINDOW):
            left = opened.member.size - at
            data = await opened.read(at, min(_WINDOW, left))
            try:
                await copy.in_background(self._write, copy.descriptor, [data], left)
            except OSError as error:
                raise _no_copy(error) from None

    def _write(self, descriptor: int, pieces: Sequence[bytes], left: int) -> None:
        """
        :param left: bytes still to come, these too.
        """
        about = os.fstatvfs(descriptor)
        if about.f_bavail * about.f_frsize - left < self._least_free:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_all(descriptor, pieces)


def _no_copy(error: OSError) -> NoCopy:
    return NoCopy(f"a picture can't be copied: {error.strerror}")
