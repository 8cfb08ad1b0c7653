"""
Reading members of an album on a disk: at once what the page cache holds, in a thread what it does not.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from typing import Any

from isal import isal_zlib
from zope.interface import implementer

from .abilities import IDescriptor
from .errors import MemberChanged, Unreadable
from .held import Held, InThread
from .interfaces import Buffer, Data, IAlbumReader, IOpenMember, Member, Part
from .pagecache import bring_in, is_resident, read_cached, read_resident
from .patience import Patience
from .walk import FOLDER_FLAGS, NOT_THERE

#: A pipe put in a member's place must not stop us: opening one waits for its
#: writer unless O_NONBLOCK. On regular files that flag means nothing.
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

#: Reads for a checksum: small enough to stay in the second-level cache.
_STRIDE = 256 * 1024

#: One turn of a thread at a checksum; then others get theirs.
_TURN = 8 * 1024 * 1024

#: What else is told of a path at which no file lies any more: sockets and
#: devices can't be opened by ``open(2)``, and the listing has none of them.
_NO_FILE = NOT_THERE | {errno.ENXIO, errno.ENODEV}

_SHORTER = "it is shorter than it was"


@implementer(IAlbumReader)
class DiskReader(Held):
    """
    Reads members of one album for one transfer.

    What the page cache holds is read at once, on the reactor thread; what it
    does not hold, in a thread.
    """

    def __init__(self, folder: int, in_thread: InThread, clock: Callable[[], float]) -> None:
        super().__init__(folder, in_thread)
        self._patience = Patience(clock)

    async def read_into(self, buffers: Sequence[Buffer], parts: Sequence[Part]) -> None:
        """
        Read some parts, together no more than a chunk.
        """
        done = self._read_at_once(buffers, parts) if self._patience.allows() else 0
        if done < len(parts):
            await self.in_background(self._read_waiting, buffers[done:], parts[done:])

    def _read_at_once(self, buffers: Sequence[Buffer], parts: Sequence[Part]) -> int:
        """
        :return: how many parts were read.
        """
        done = 0
        read = read_cached  # what was written together is mostly cached together: one look is enough
        with self._patience:
            for buffer, part in zip(buffers, parts, strict=True):
                if not self._read_part(buffer, part, read):
                    break
                done += 1
                read = read_resident
        return done

    def _read_waiting(self, buffers: Sequence[Buffer], parts: Sequence[Part]) -> None:
        for buffer, part in zip(buffers, parts, strict=True):
            self._read_part(buffer, part, _fill)

    def _read_part(self, buffer: Buffer, part: Part, read: Callable[[int, Buffer, int], bool]) -> bool:
        member, offset, _ = part
        descriptor = _open_below(self.descriptor, member.path)
        try:
            done = read(descriptor, buffer, offset)
            _require_version(descriptor, member)
            return done
        except EOFError:
            raise MemberChanged(member.path, _SHORTER) from None
        except OSError as error:
            # What took its place, a pipe or a folder, need not be readable at all.
            _require_version(descriptor, member)
            raise Unreadable(member.path, error.strerror) from error
        finally:
            os.close(descriptor)

    async def open(self, member: Member) -> OpenFile:
        """
        Hold one member open.
        """
        if self._patience.allows():
            return self._open(member)
        opened: OpenFile = await self.in_background(self._open, member, dropped=OpenFile.close)
        return opened

    def _open(self, member: Member) -> OpenFile:
        descriptor = _open_below(self.descriptor, member.path)
        opened = OpenFile(descriptor, member, self.run_in_thread)
        try:
            opened.check()
        except BaseException:
            opened.close()
            raise
        return opened

    async def crc32(self, member: Member) -> int:
        """
        Read a whole member for its CRC-32, in turns of a thread.
        """
        opened = await self.open(member)
        try:
            return await opened.crc32()
        finally:
            opened.close()


@implementer(IOpenMember, IDescriptor)
class OpenFile(Held):
    """
    One member held open on a disk.
    """

    def __init__(self, descriptor: int, member: Member, in_thread: InThread) -> None:
        super().__init__(descriptor, in_thread)
        self.member = member

    def fileno(self) -> int:
        """
        The open file's descriptor.
        """
        return self.descriptor

    async def prepare(self, offset: int, length: int) -> None:
        """
        Bring a window into the page cache, in a thread when it is not there.
        """
        if not is_resident(self.descriptor, offset, length):
            await self._checked(bring_in, self.descriptor, offset, length)

    async def read(self, offset: int, length: int) -> Data:
        """
        Read exactly so many bytes, of the version that was opened.
        """
        data = bytearray(length)
        if not read_cached(self.descriptor, data, offset):
            await self._checked(_fill, self.descriptor, data, offset)
        self.check()
        return data

    async def crc32(self) -> int:
        """
        The CRC-32 of the whole file.
        """
        crc = 0
        for offset in range(0, self.member.size, _TURN):
            length = min(_TURN, self.member.size - offset)
            crc = await self._checked(_crc32_of, self.descriptor, offset, length, crc)
        self.check()
        return crc

    def check(self) -> None:
        """
        See that the file is still the version that was listed.
        """
        _require_version(self.descriptor, self.member)

    async def _checked(self, work: Callable[..., Any], *args: object) -> Any:
        try:
            return await self.in_background(work, *args)
        except EOFError:
            raise MemberChanged(self.member.path, _SHORTER) from None
        except OSError as error:
            raise Unreadable(self.member.path, error.strerror) from error


def _open_below(folder: int, path: bytes) -> int:
    """
    Open a member by its path below a folder, through no symbolic link.
    """
    at = folder
    try:
        if b"/" not in path:
            return os.open(path, _FILE_FLAGS, dir_fd=folder)
        *folders, name = path.split(b"/")
        for step in folders:
            below = os.open(step, FOLDER_FLAGS, dir_fd=at)
            if at != folder:
                os.close(at)
            at = below
        return os.open(name, _FILE_FLAGS, dir_fd=at)
    except OSError as error:
        if error.errno in _NO_FILE:
            raise MemberChanged(path, "it is gone") from None
        raise Unreadable(path, error.strerror) from error
    finally:
        if at != folder:
            os.close(at)


def _require_version(descriptor: int, member: Member) -> None:
    about = os.fstat(descriptor)
    if about.st_size != member.size:
        raise MemberChanged(member.path, f"it had {member.size} bytes and has {about.st_size}")
    if about.st_mtime_ns != member.mtime_ns or (about.st_ctime_ns, about.st_ino) != member.stamp:
        raise MemberChanged(member.path, "it was written to or replaced")


def _fill(descriptor: int, buffer: Buffer, offset: int) -> bool:
    """
    Fill a buffer, however long that takes.

    :raise EOFError: the file ends before.
    """
    left = memoryview(buffer)
    while left:
        got = os.preadv(descriptor, [left], offset)
        if not got:
            raise EOFError
        offset += got
        left = left[got:]
    return True


def _crc32_of(descriptor: int, offset: int, length: int, crc: int) -> int:
    buffer = memoryview(bytearray(min(_STRIDE, length)))
    end = offset + length
    while offset < end:
        got = os.preadv(descriptor, [buffer[: end - offset]], offset)
        if not got:
            raise EOFError
        crc = isal_zlib.crc32(buffer[:got], crc)
        offset += got
    return crc
