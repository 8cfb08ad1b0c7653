"""
Tests of writing and moving files by calls of the system.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryFile

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.storage.systemcalls import begin_write_back, move_new, rename_new, write_all

Move = Callable[[str, int, bytes], None]


class WriteAllTests(SynchronousTestCase):
    """``write_all`` writes all."""

    @given(st.lists(st.binary(max_size=20), max_size=30), st.integers(1, 50))
    def test_short_writes(self, pieces: list[bytes], most: int) -> None:
        """However few bytes a call of the system takes, all are written, in order, and counted."""

        def writev(descriptor: int, buffers: Sequence[bytes | memoryview]) -> int:
            return os.write(descriptor, b"".join(buffers)[:most])

        with TemporaryFile() as file:
            self.assertEqual(write_all(file.fileno(), pieces, writev), len(b"".join(pieces)))
            self.assertEqual(os.pread(file.fileno(), 10_000, 0), b"".join(pieces))

    def test_many_pieces(self) -> None:
        """There may be more pieces than one call takes, and empty ones among them."""
        pieces = [b"%d" % (number % 10) * (number % 3) for number in range(10_000)]
        with TemporaryFile() as file:
            self.assertEqual(write_all(file.fileno(), pieces), len(b"".join(pieces)))
            self.assertEqual(os.pread(file.fileno(), 100_000, 0), b"".join(pieces))

    def test_error(self) -> None:
        """An error of the system comes through."""
        self.assertRaises(OSError, write_all, -1, [b"1"])

    def test_write_back(self) -> None:
        """Beginning to write back changes nothing, and fails nowhere."""
        with TemporaryFile() as file:
            file.write(b"123")
            file.flush()
            begin_write_back(file.fileno(), 0, 3)
            self.assertEqual(os.pread(file.fileno(), 10, 0), b"123")
        begin_write_back(-1, 0, 3)


class MovingTests(SynchronousTestCase):
    """Moving a file to a place where nothing is."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.root.mkdir()
        self.folder = os.open(self.root, os.O_RDONLY)
        self.addCleanup(os.close, self.folder)
        self.source = self.root / "source"
        self.source.write_bytes(b"new")

    def no_rename(self, number: int) -> Move:
        """What a file system without such a call says."""

        def rename(*_: object) -> None:
            raise OSError(number, os.strerror(number))

        return rename

    def ways(self) -> list[Move]:
        """All ways there are to move it."""
        numbers = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
        return [rename_new, *(self.no_rename(number) for number in numbers)]

    def test_moves(self) -> None:
        """The file has its new name and no other."""
        for way in self.ways():
            self.source.write_bytes(b"new")
            move_new(str(self.source), self.folder, b"target \xff", way)
            self.assertEqual(os.listdir(os.fsencode(self.root)), [b"target \xff"])
            self.assertEqual((self.root / os.fsdecode(b"target \xff")).read_bytes(), b"new")
            os.unlink(b"target \xff", dir_fd=self.folder)

    def test_over_nothing(self) -> None:
        """What is there stays: a file, a folder, a link that leads nowhere; so does the source."""
        target = self.root / "target"
        for way in self.ways():
            for make, remove in (
                (lambda: target.write_bytes(b"old"), target.unlink),
                (target.mkdir, target.rmdir),
                (lambda: target.symlink_to("nowhere"), target.unlink),
            ):
                make()
                before = target.lstat()
                self.assertRaises(FileExistsError, move_new, str(self.source), self.folder, b"target", way)
                self.assertEqual(target.lstat(), before)
                self.assertEqual(self.source.read_bytes(), b"new")
                remove()

    def test_other_errors(self) -> None:
        """Any other error is one, and no other way is tried."""
        for number in (errno.ENOENT, errno.EROFS, errno.ENOSPC, errno.EACCES):
            move = self.no_rename(number)
            error = self.assertRaises(OSError, move_new, str(self.source), self.folder, b"target", move)
            self.assertEqual(error.errno, number)
        self.assertEqual(os.listdir(self.root), ["source"])
        missing = str(self.root / "missing")
        self.assertRaises(FileNotFoundError, rename_new, missing, self.folder, b"target")
