"""
Telling what the kernel's page cache holds, so that the reactor thread never waits for a disk.
"""

from __future__ import annotations

import os

#: How far apart a window is probed: Linux reads ahead at least so much at once
#: (``/sys/block/*/queue/read_ahead_kb``, 128 by default), so what lies between
#: two probes came with one of them.
PROBE_STRIDE = 128 * 1024

_PIECE = 256 * 1024


def read_resident(descriptor: int, offset: int, length: int) -> bytearray | None:
    """
    Read, but only what needs no waiting: ``preadv2(2)`` with ``RWF_NOWAIT``.

    :return: exactly ``length`` bytes, or ``None`` where they are not all in the
        page cache, the file is shorter, or its file system can't tell.
    """
    buffer = bytearray(length)
    if not length:
        return buffer
    try:
        got = os.preadv(descriptor, [buffer], offset, os.RWF_NOWAIT)
    except OSError:
        # EAGAIN: it would wait. EOPNOTSUPP: NFS, FUSE and others can't tell.
        # Any other error comes again, and is reported, in the thread.
        return None
    return buffer if got == length else None


def is_resident(descriptor: int, offset: int, length: int) -> bool:
    """
    Tell whether a window seems to be in the page cache, by probing it.

    :param length: more than zero.
    """
    buffers = [bytearray(1)]
    try:
        for at in range(offset, offset + length, PROBE_STRIDE):
            if not os.preadv(descriptor, buffers, at, os.RWF_NOWAIT):
                return False
        return os.preadv(descriptor, buffers, offset + length - 1, os.RWF_NOWAIT) == 1
    except OSError:
        return False


def bring_in(descriptor: int, offset: int, length: int) -> None:
    """
    Read a window into the page cache. Blocks: for a thread.

    :raise EOFError: the file ends before.
    """
    os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_WILLNEED)
    buffer = memoryview(bytearray(min(_PIECE, length)))
    end = offset + length
    while offset < end:
        got = os.preadv(descriptor, [buffer[: end - offset]], offset)
        if not got:
            raise EOFError
        offset += got
