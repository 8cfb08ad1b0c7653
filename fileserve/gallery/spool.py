"""
Files that have no name yet: what comes in is written aside, and looked at whole before it is taken.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from tempfile import mkstemp
from typing import TypeVar

from fileserve.http.kinds import HEAD
from fileserve.http.shield import shielded
from fileserve.pictures.location.patch import Patch, overwrite
from fileserve.storage.errors import NoSpace
from fileserve.storage.folders import store_errors
from fileserve.storage.held import Held, InThread
from fileserve.storage.systemcalls import write_all

from .interfaces import Source

T = TypeVar("T")

#: Bytes that are read at once.
_WINDOW = 1024 * 1024

_NO_TEMPORARY = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL})

Read = Callable[[int, int], bytes]
"""Reads up to so many bytes from an offset on, and blocks."""


class Spool:
    """
    One file without a name, which its process alone can read; gone when it is closed, or the process ends.

    :param descriptor: ours from now on.
    :param least_free: so many bytes are left free on the disk.
    :ivar size: bytes that have come.
    :ivar head: the first of them, `fileserve.http.kinds.HEAD` at the most.
    """

    def __init__(self, descriptor: int, in_thread: InThread, least_free: int = 0) -> None:
        self._held = Held(descriptor, in_thread)
        self._least_free = least_free
        self.size = 0
        self.head = b""

    async def fill(self, source: Source, check: Callable[[Spool], None] = lambda spool: None) -> None:
        """
        Take all bytes of a source.

        :param check: called before bytes are written; what it raises ends this.
        :raise NoSpace: the disk is full.
        :raise StoreUnavailable: it takes nothing.
        :raise Exception: what the source raises.
        """
        while pieces := await source.read():
            self._count(pieces)
            check(self)
            await self._held.in_background(self._write, pieces)
        # Whoever is sent the descriptor shares its position.
        os.lseek(self._held.descriptor, 0, os.SEEK_SET)

    def _count(self, pieces: Sequence[bytes]) -> None:
        self.size += sum(map(len, pieces))
        for piece in pieces:
            if len(self.head) < HEAD:
                self.head += piece[: HEAD - len(self.head)]

    def _write(self, pieces: Sequence[bytes]) -> None:
        with store_errors():
            about = os.fstatvfs(self._held.descriptor)
            if about.f_bavail * about.f_frsize - sum(map(len, pieces)) < self._least_free:
                raise NoSpace("the disk of the state directory is nearly full")
            write_all(self._held.descriptor, pieces)

    def fileno(self) -> int:
        """
        The descriptor, for reading from its start; it stays ours.
        """
        return self._held.descriptor

    async def read(self, offset: int, length: int) -> bytes:
        """
        Read some bytes, fewer only where it ends.
        """
        return await self.examine(lambda read: read(offset, length))

    async def examine(self, work: Callable[[Read], T]) -> T:
        """
        Have a thread look at the bytes.

        :param work: called there with what reads them.
        """
        result: T = await self._held.in_background(work, self._read)
        return result

    def _read(self, offset: int, length: int) -> bytes:
        with store_errors():
            return os.pread(self._held.descriptor, length, offset)

    def source(self, patches: Sequence[Patch] = ()) -> Source:
        """
        Give all its bytes once more, from the start.

        :param patches: what stands there instead; in order, none over another.
        """
        return _Again(self, patches)

    def close(self) -> None:
        """
        Give the file up, as soon as no thread is at it. May be called twice.
        """
        self._held.close()


class _Again:
    """
    A filled spool as a source.
    """

    def __init__(self, spool: Spool, patches: Sequence[Patch]) -> None:
        self._spool = spool
        self._patches = patches
        self._at = 0

    async def read(self) -> list[bytes]:
        """
        The next window; nothing at the end.
        """
        length = min(_WINDOW, self._spool.size - self._at)
        if not length:
            return []
        data = await self._spool.read(self._at, length)
        if len(data) < length:
            raise EOFError("a file without a name has shrunk")
        start, self._at = self._at, self._at + length
        if self._patches:
            window = bytearray(data)
            overwrite(window, start, self._patches)
            data = bytes(window)
        return [data]


class Spools:
    """
    Where files without a name lie.

    :param directory: made where it is not there yet.
    :param least_free: see `Spool`.
    """

    def __init__(self, directory: str, in_thread: InThread, least_free: int = 0) -> None:
        self._directory = directory
        self._in_thread = in_thread
        self._least_free = least_free

    async def open(self) -> Spool:
        """
        Begin a file.

        :return: what the caller closes.
        :raise NoSpace: the disk is full.
        :raise StoreUnavailable: it takes nothing.
        """
        # A thread that nobody waits for any more opens it all the same.
        return await shielded(self._open(), Spool.close)

    async def _open(self) -> Spool:
        descriptor = await self._in_thread(open_nameless, self._directory)
        return Spool(descriptor, self._in_thread, self._least_free)


def open_nameless(directory: str, open_file: Callable[[str, int, int], int] = os.open) -> int:
    """
    Make a file that has no name. Blocks: for a thread.

    :return: its descriptor.
    :raise NoSpace: the disk is full.
    :raise StoreUnavailable: it takes nothing.
    """
    with store_errors():
        os.makedirs(directory, 0o700, exist_ok=True)
        try:
            return open_file(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            # NFS, and some FUSE file systems, know no files without a name.
            if error.errno not in _NO_TEMPORARY:
                raise
        descriptor, name = mkstemp(dir=directory)
        os.unlink(name)
        return descriptor
