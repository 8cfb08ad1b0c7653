"""
Telling what the kernel's page cache holds, so that the reactor thread never waits for a disk.
"""

from __future__ import annotations

import ctypes
import os

from .interfaces import Buffer

#: How far apart a window is probed: Linux reads ahead at least so much at once
#: (``/sys/block/*/queue/read_ahead_kb``, 128 by default), so what lies between
#: two probes came with one of them.
PROBE_STRIDE = 128 * 1024

_PIECE = 256 * 1024

#: ``cachestat(2)``, Linux 6.5: its number is the same on all machines but Alpha.
_CACHESTAT = 451

_PAGE = os.sysconf("SC_PAGE_SIZE")

_libc = ctypes.CDLL(None)


class _Range(ctypes.Structure):
    """``struct cachestat_range``: bytes."""

    _fields_ = (("offset", ctypes.c_uint64), ("length", ctypes.c_uint64))


class _Cached(ctypes.Structure):
    """``struct cachestat``: numbers of pages."""

    _fields_ = tuple(
        (name, ctypes.c_uint64) for name in ("cached", "dirty", "writeback", "evicted", "recently_evicted")
    )


def read_resident(descriptor: int, buffer: Buffer, offset: int) -> bool:
    """
    Fill a buffer, but only with what needs no waiting: ``preadv2(2)`` with ``RWF_NOWAIT``.

    :return: whether that was done; not where the bytes are not all in the page
        cache, the file is shorter, or its file system can't tell.
    """
    try:
        return os.preadv(descriptor, [buffer], offset, os.RWF_NOWAIT) == len(buffer)
    except OSError:
        # EAGAIN: it would wait. EOPNOTSUPP: NFS, FUSE and others can't tell.
        # Any other error comes again, and is reported, in the thread.
        return False


def read_cached(descriptor: int, buffer: Buffer, offset: int) -> bool:
    """
    As `read_resident`, without having the kernel begin to read what is absent.
    """
    if _lacks_pages(descriptor, offset, len(buffer)):
        return False
    return read_resident(descriptor, buffer, offset)


def is_resident(descriptor: int, offset: int, length: int) -> bool:
    """
    Tell whether a window seems to be in the page cache.

    :param length: more than zero.
    """
    return not _lacks_pages(descriptor, offset, length) and _answers_probes(descriptor, offset, length)


def _lacks_pages(descriptor: int, offset: int, length: int) -> bool:
    """
    Tell whether pages of a window are known to be absent; not on kernels that
    don't know, nor for files whose pages are not for us to know.

    Probing alone would tell too, but a probe of what is absent has the kernel
    begin to read it, and that may wait on a busy disk.

    :param length: zero lacks nothing.
    """
    asked, told = _Range(offset, max(length, 1)), _Cached()  # zero would mean: to the end
    if _libc.syscall(_CACHESTAT, descriptor, ctypes.byref(asked), ctypes.byref(told), 0):
        return False
    return bool(told.cached < (offset + length - 1) // _PAGE - offset // _PAGE + 1)


def _answers_probes(descriptor: int, offset: int, length: int) -> bool:
    """
    Pages that are counted may still be on their way from the disk.
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
