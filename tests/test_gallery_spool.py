"""
Tests of files without a name: all bytes come back, patched where that is wanted, and nothing of them stays.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from fileserve.gallery.spool import Spool, Spools, open_nameless
from fileserve.http.body import BodyLost
from fileserve.http.refusal import Refusal
from fileserve.pictures.location.patch import Patch
from fileserve.storage.errors import NoSpace, StoreUnavailable

from .filesupport import Bytes, Slowly
from .support import ByHand, at_once, deferred, open_descriptors

_MIB = 1024 * 1024


async def read_all(source: Any) -> list[bytes]:
    """All windows of a source."""
    windows = []
    while pieces := await source.read():
        windows += pieces
    return windows


class SpoolCase(SynchronousTestCase):
    """Files in a directory of the test."""

    def setUp(self) -> None:
        self.directory = self.mktemp()
        self.threads = ByHand()
        self.descriptors = open_descriptors()

    def opened(self, in_thread: Any = at_once, least_free: int = 0) -> Spool:
        spool: Spool = self.successResultOf(deferred(Spools(self.directory, at_once).open()))
        spool._held.run_in_thread = in_thread
        spool._least_free = least_free
        self.addCleanup(spool.close)
        return spool

    def filled(self, *pieces: bytes) -> Spool:
        spool = self.opened()
        self.successResultOf(deferred(spool.fill(Bytes(*pieces))))
        return spool

    def again(self, spool: Spool, patches: Sequence[Patch] = ()) -> list[bytes]:
        windows: list[bytes] = self.successResultOf(deferred(read_all(spool.source(patches))))
        return windows


class SpoolTests(SpoolCase):
    """What comes in."""

    def test_comes_back(self) -> None:
        """All bytes are there, to whoever reads a part, the whole, or the descriptor from its start."""
        spool = self.filled(b"hel", b"", b"lo " * 4000, b"world")
        whole = b"hel" + b"lo " * 4000 + b"world"
        self.assertEqual((spool.size, spool.head), (len(whole), whole[:8192]))
        self.assertEqual(self.successResultOf(deferred(spool.read(3, 6))), b"lo lo ")
        self.assertEqual(self.successResultOf(deferred(spool.read(len(whole) - 2, 6))), b"ld")
        self.assertEqual(self.successResultOf(deferred(spool.examine(lambda read: read(0, 3)))), b"hel")
        self.assertEqual(b"".join(self.again(spool)), whole)
        self.assertEqual(b"".join(self.again(spool)), whole)
        self.assertEqual(os.read(spool.fileno(), 5), b"hello")

    def test_nothing(self) -> None:
        """A file of no bytes is one."""
        spool = self.filled()
        self.assertEqual((spool.size, spool.head, self.again(spool)), (0, b"", []))

    def test_windows(self) -> None:
        """S3-W7: of a large file one window is in memory, in whatever pieces it came."""
        spool = self.filled(bytes(_MIB), bytes(_MIB + 5))
        self.assertEqual(list(map(len, self.again(spool))), [_MIB, _MIB, 5])

    @given(
        st.integers(0, 3 * _MIB),
        st.lists(st.tuples(st.integers(0, 2 * _MIB), st.integers(0, _MIB + 10)), max_size=5),
    )
    def test_patched(self, size: int, gaps: list[tuple[int, int]]) -> None:
        """Patches that do not overlap stand in the place of what was there, also across windows."""
        expected, patches, at = bytearray(size), [], 0
        for number, (gap, length) in enumerate(gaps):
            at += gap
            data = bytes([number + 1]) * max(0, min(length, size - at))
            if data:
                expected[at : at + len(data)] = data
                patches.append(Patch(at, data))
            at += len(data)
        spool = self.filled(bytes(size))
        got = b"".join(self.again(spool, patches))
        spool.close()
        self.assertTrue(got == bytes(expected))

    def test_patches_at_the_edges(self) -> None:
        """A patch that ends, or begins, where a window does, or is longer than one, is applied whole."""
        size = 3 * _MIB
        for first, last in ((_MIB - 1, _MIB), (_MIB, _MIB + 1), (5, size), (0, size), (size - 1, size)):
            spool = self.filled(bytes(size))
            expected = bytes(first) + b"x" * (last - first) + bytes(size - last)
            got = b"".join(self.again(spool, [Patch(first, b"x" * (last - first))]))
            spool.close()
            self.assertTrue(got == expected, (first, last))

    def test_one_piece_at_a_time(self) -> None:
        """Nothing more is read from the source while writing is behind."""
        spool = self.opened(self.threads)
        source = Slowly()
        filling = deferred(spool.fill(source))
        source.give(b"some")
        self.assertFalse(source.waits)
        self.threads.run()
        self.assertTrue(source.waits)
        source.give()
        self.successResultOf(filling)

    def test_checked_before_it_is_written(self) -> None:
        """What a check refuses is not written, and nothing more is read."""
        spool, source = self.opened(self.threads), Slowly()

        def check(spool: Spool) -> None:
            if spool.size > 3:
                raise Refusal(413, "Too large.")

        filling = deferred(spool.fill(source, check))
        source.give(b"four")
        self.failureResultOf(filling, Refusal)
        self.assertEqual((len(self.threads), os.fstat(spool.fileno()).st_size), (0, 0))

    def test_shrunk(self) -> None:
        """A file that lost bytes, which should not be, is no shorter file."""
        spool = self.filled(b"hello")
        os.ftruncate(spool.fileno(), 3)
        self.failureResultOf(deferred(read_all(spool.source())), EOFError)


class LeavingNothingTests(SpoolCase):
    """What stays: nothing."""

    def test_no_name(self) -> None:
        """S3-W5: there is no name in the directory, which is for us alone, so nothing can be left there."""
        self.filled(b"hello")
        self.assertEqual(os.listdir(self.directory), [])
        self.assertEqual(os.stat(self.directory).st_mode & 0o777, 0o700)

    def test_without_the_help_of_the_file_system(self) -> None:
        """Where a file system knows no files without a name, the name goes at once."""

        def refusing(*_: object) -> int:
            raise OSError(errno.EOPNOTSUPP, "not supported")

        descriptor = open_nameless(self.directory, refusing)
        spool = Spool(descriptor, at_once)
        self.successResultOf(deferred(spool.fill(Bytes(b"hello"))))
        self.assertEqual(self.again(spool), [b"hello"])
        self.assertEqual(os.listdir(self.directory), [])
        self.assertEqual(os.fstat(descriptor).st_mode & 0o777, 0o600)
        spool.close()
        self.assertEqual(open_descriptors(), self.descriptors)

    def test_closed(self) -> None:
        """Closing it, also twice, gives the descriptor back."""
        spool = self.filled(b"hello")
        spool.close()
        spool.close()
        self.assertEqual(open_descriptors(), self.descriptors)

    def test_closed_after_the_thread(self) -> None:
        """Whoever leaves while a thread writes leaves no descriptor, once the thread is done."""
        spool = self.opened(self.threads)
        filling = deferred(spool.fill(Bytes(b"hello")))
        filling.cancel()
        self.failureResultOf(filling, CancelledError)
        spool.close()
        self.assertEqual(open_descriptors(), self.descriptors + 1)
        self.threads.run()
        self.assertEqual(open_descriptors(), self.descriptors)

    def test_left_while_it_is_opened(self) -> None:
        """Whoever leaves while a thread opens it leaves no descriptor either."""
        opening = deferred(Spools(self.directory, self.threads).open())
        opening.cancel()
        self.failureResultOf(opening, CancelledError)
        self.threads.run()
        self.assertEqual(open_descriptors(), self.descriptors)


class FailingTests(SpoolCase):
    """Disks and sources that fail."""

    def failed(self, filling: Deferred[None], error: type[Exception]) -> None:
        self.failureResultOf(filling, error)

    def test_source(self) -> None:
        """What the source raises is told."""
        source = Slowly()
        filling = deferred(self.opened().fill(source))
        source.fail(BodyLost())
        self.failed(filling, BodyLost)

    def test_full(self) -> None:
        """A full disk is told as a full store is."""
        spool = Spool(os.open("/dev/full", os.O_RDWR), at_once, -(1 << 60))
        self.addCleanup(spool.close)
        self.failed(deferred(spool.fill(Bytes(b"hello"))), NoSpace)

    def test_nearly_full(self) -> None:
        """The disk is not filled to the brim: the catalogue lies on it, too."""
        spool = self.opened(least_free=1 << 60)
        self.failed(deferred(spool.fill(Bytes(b"hello"))), NoSpace)
        self.assertEqual(os.fstat(spool.fileno()).st_size, 0)

    def test_no_directory(self) -> None:
        """Where there can be no directory, that is told without its name."""
        with open(self.directory, "wb"):
            pass
        failure = self.failureResultOf(deferred(Spools(self.directory, at_once).open()), StoreUnavailable)
        self.assertNotIn(self.directory, str(failure.value))
