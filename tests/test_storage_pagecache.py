"""
Tests of what is told of the kernel's page cache, on files that were really evicted from it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from fileserve.storage.pagecache import (
    PROBE_STRIDE,
    _lacks_pages,
    bring_in,
    is_resident,
    read_cached,
    read_resident,
)

from .support import evict

_SIZE = 3 * 1024 * 1024 + 5
_DATA = bytes(range(251)) * (_SIZE // 251 + 1)


def _resident(file: int, offset: int, length: int) -> bytes | None:
    """What is read without waiting, or ``None``."""
    buffer = bytearray(length)
    return bytes(buffer) if read_resident(file, buffer, offset) else None


class CachedCase(SynchronousTestCase):
    """A file of some megabytes that can be evicted."""

    def setUp(self) -> None:
        path = Path(self.mktemp())
        path.write_bytes(_DATA[:_SIZE])
        self.path = path
        self.file = os.open(path, os.O_RDWR)
        self.addCleanup(os.close, self.file)
        os.fsync(self.file)

    def evict(self) -> None:
        """Put the file out of the page cache, or skip the test."""
        evict(self.path)


class AbsentTests(CachedCase):
    """A file that is not in the page cache."""

    def setUp(self) -> None:
        super().setUp()
        self.evict()

    def test_not_resident(self) -> None:
        """It is seen not to be there, at whatever place."""
        for offset, length in ((0, _SIZE), (0, 1), (_SIZE - 1, 1), (12345, 100_000)):
            self.evict()  # looking may have begun to bring it in
            self.assertFalse(is_resident(self.file, offset, length), (offset, length))

    def test_not_read(self) -> None:
        """Reading without waiting gives nothing."""
        self.assertIsNone(_resident(self.file, 0, 4096))
        self.evict()
        self.assertIsNone(_resident(self.file, 0, _SIZE))

    def test_looking_brings_nothing_in(self) -> None:
        """Looking, and reading only what is cached, do not begin to read from the disk."""
        self.assertFalse(is_resident(self.file, 0, _SIZE))
        if not _lacks_pages(self.file, 0, _SIZE):
            raise SkipTest("this kernel can't tell without being probed")
        self.assertFalse(read_cached(self.file, bytearray(4096), 0))
        time.sleep(0.05)  # what was begun would have come by now
        self.assertTrue(_lacks_pages(self.file, 0, 4096))

    def test_brought_in(self) -> None:
        """A window that was brought in is there to its last byte, and can be read without waiting."""
        offset, length = 70_001, 2 * 1024 * 1024 + 3
        bring_in(self.file, offset, length)
        self.assertTrue(is_resident(self.file, offset, length))
        self.assertEqual(_resident(self.file, offset, length), _DATA[offset : offset + length])

    def test_partly_there(self) -> None:
        """A window of which a stride is missing is not there."""
        # Without read-ahead, so that only what is read comes in.
        os.posix_fadvise(self.file, 0, 0, os.POSIX_FADV_RANDOM)
        os.pread(self.file, PROBE_STRIDE, 0)
        self.assertFalse(is_resident(self.file, 0, 3 * PROBE_STRIDE))
        self.assertIsNone(_resident(self.file, 0, 3 * PROBE_STRIDE))

    def test_last_byte_missing(self) -> None:
        """A window is not there when only its end, less than a stride behind a probe, is missing."""
        os.posix_fadvise(self.file, 0, 0, os.POSIX_FADV_RANDOM)
        os.pread(self.file, PROBE_STRIDE + 1, 0)
        self.assertFalse(is_resident(self.file, 0, 2 * PROBE_STRIDE))


class PresentTests(CachedCase):
    """A file that was read just now."""

    def setUp(self) -> None:
        super().setUp()
        self.evict()
        bring_in(self.file, 0, _SIZE)

    def test_resident(self) -> None:
        """It is seen to be there."""
        self.assertTrue(is_resident(self.file, 0, _SIZE))

    @settings(deadline=None)
    @given(st.integers(0, _SIZE), st.integers(0, _SIZE))
    def test_any_part(self, one: int, other: int) -> None:
        """Every part is read exactly."""
        start, stop = sorted((one, other))
        self.assertEqual(_resident(self.file, start, stop - start), _DATA[start:stop])

    def test_beyond_the_end(self) -> None:
        """A window that the file does not have wholly is not there."""
        self.assertIsNone(_resident(self.file, _SIZE - 10, 11))
        self.assertIsNone(_resident(self.file, _SIZE + 1, 1))
        self.assertFalse(is_resident(self.file, _SIZE - 10, 11))
        self.assertFalse(is_resident(self.file, _SIZE + 10 * PROBE_STRIDE, 5))


class AnywhereTests(CachedCase):
    """What holds on every file system."""

    def test_bring_in_exactly(self) -> None:
        """Bringing in all there is works; one byte more is an end that comes too early."""
        bring_in(self.file, 0, _SIZE)
        self.assertRaises(EOFError, bring_in, self.file, 0, _SIZE + 1)
        self.assertRaises(EOFError, bring_in, self.file, _SIZE, 1)

    def test_truncated(self) -> None:
        """A file that shrank is not there, rather than shorter."""
        self.path.write_bytes(b"123")
        self.assertIsNone(_resident(self.file, 0, 4))
        self.assertFalse(is_resident(self.file, 0, 4))

    def test_nothing(self) -> None:
        """No bytes are always there."""
        self.assertEqual(_resident(self.file, 0, 0), b"")

    def test_who_cannot_tell(self) -> None:
        """What gives no answer (a pipe here; NFS, FUSE) counts as absent, not as an error."""
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        self.addCleanup(os.close, write)
        self.assertIsNone(_resident(read, 0, 1))
        self.assertFalse(is_resident(read, 0, 1))
