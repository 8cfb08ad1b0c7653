"""
Writing and moving files by calls of the system that Python lacks, or leaves half done.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable, Sequence

#: The most pieces that ``writev(2)`` takes.
_IOV_MAX = os.sysconf("SC_IOV_MAX")

_AT_FDCWD = -100  # linux/fcntl.h
_RENAME_NOREPLACE = 1  # linux/fs.h
_SYNC_FILE_RANGE_WRITE = 2  # linux/fs.h

_libc = ctypes.CDLL(None, use_errno=True)


def write_all(
    descriptor: int,
    pieces: Sequence[bytes],
    writev: Callable[[int, Sequence[bytes | memoryview]], int] = os.writev,
) -> int:
    """
    Write some pieces, however many calls that takes.

    :return: how many bytes they were.
    """
    left: list[bytes | memoryview] = [piece for piece in pieces if piece]
    done = at = 0
    while at < len(left):
        written = writev(descriptor, left[at : at + _IOV_MAX])
        done += written
        while written and written >= len(left[at]):
            written -= len(left[at])
            at += 1
        if written:
            left[at] = memoryview(left[at])[written:]
    return done


def begin_write_back(descriptor: int, offset: int, length: int) -> None:
    """
    Have the kernel begin to bring written pages to the disk: ``sync_file_range(2)``.

    Only a hint: where it is not to be had, or fails, ``fsync`` does it all and
    tells any error.
    """
    begin = getattr(_libc, "sync_file_range", None)
    if begin is not None:
        begin(descriptor, ctypes.c_int64(offset), ctypes.c_int64(length), _SYNC_FILE_RANGE_WRITE)


def rename_new(source: str, folder: int, name: bytes) -> None:
    """
    Rename a file, but over nothing: ``renameat2(2)`` with ``RENAME_NOREPLACE``.

    :raise FileExistsError: there is something.
    """
    rename = getattr(_libc, "renameat2", None)  # glibc 2.28
    if rename is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if rename(_AT_FDCWD, os.fsencode(source), folder, name, _RENAME_NOREPLACE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def move_new(
    source: str, folder: int, name: bytes, rename: Callable[[str, int, bytes], None] = rename_new
) -> None:
    """
    Move a file into a folder, but over nothing, in one step.

    ext4, XFS, Btrfs, F2FS, tmpfs, overlays, FAT and others can do that. NFS and
    some FUSE file systems can't, but have hard links; there the file has both
    names for a moment, and for longer if the process ends just then, until
    `remove_abandoned` takes the first one away.

    :raise FileExistsError: there is something.
    """
    try:
        rename(source, folder, name)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}:
            raise
        os.link(source, name, dst_dir_fd=folder)
        os.unlink(source)
