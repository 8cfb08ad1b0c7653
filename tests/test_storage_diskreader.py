"""
Tests of reading an album on a disk, on real folders; what threads do is done by hand.
"""

from __future__ import annotations

import os
import socket
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SkipTest, SynchronousTestCase
from zope.interface.verify import verifyObject

from fileserve.storage.abilities import IDescriptor
from fileserve.storage.disk import DiskStore
from fileserve.storage.diskreader import DiskReader
from fileserve.storage.errors import MemberChanged, NoSuchAlbum, Unreadable
from fileserve.storage.held import InThread
from fileserve.storage.interfaces import Data, Member, Part
from fileserve.storage.pagecache import is_resident
from fileserve.storage.walk import list_album

from .support import ByHand, deferred, evict, open_descriptors, read_parts, write_album

_MIB = 1024 * 1024


class ReadingCase(SynchronousTestCase):
    """One album, read through a reader whose threads are worked by hand."""

    in_thread: InThread

    def setUp(self) -> None:
        folder = TemporaryDirectory()  # a short name, for a socket, which others may reach
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.root.chmod(0o755)
        before = open_descriptors()
        self.addCleanup(lambda: self.assertEqual(open_descriptors(), before))
        self.threads = ByHand()
        self.time = [0.0]

    def reader_of(self, files: Mapping[str, bytes], *, in_thread: InThread | None = None) -> DiskReader:
        """The reader of an album with these files, and ``self.members`` by name."""
        self.album = write_album(self.root, "album", files)
        store = DiskStore(str(self.root), in_thread or self.threads, self.tick)
        listing = list_album(str(self.root), "album")
        self.members = {os.fsdecode(member.path): member for member in listing.members}
        reader = store.reader("album")
        self.addCleanup(reader.close)
        return reader

    def tick(self) -> float:
        """A clock that goes on by what stands in ``self.time``, or not at all."""
        return self.time.pop(0) if len(self.time) > 1 else self.time[0]

    def whole(self, name: str) -> Part:
        return Part(self.members[name], 0, self.members[name].size)

    def evict(self, name: str) -> None:
        """Put a file out of the page cache, or skip the test."""
        evict(self.album / name)

    def require_cached(self, name: str) -> None:
        """Skip the test where a file that was just written is not seen in the page cache (tmpfs)."""
        with (self.album / name).open("rb") as file:
            if not is_resident(file.fileno(), 0, self.members[name].size):
                raise SkipTest("this file system can't tell what is cached")

    def result(self, awaitable: object) -> object:
        """What comes of it when all threads are worked."""
        waiting = deferred(awaitable)
        self.threads.run()
        return self.successResultOf(waiting)


class BeginningTests(ReadingCase):
    """What a reader begins with."""

    def test_no_album(self) -> None:
        """An album that went away can't be read."""
        store = DiskStore(str(self.root), self.threads)
        self.assertRaises(NoSuchAlbum, store.reader, "nothing")

    def test_descriptor(self) -> None:
        """An open member has a descriptor of its file."""
        reader = self.reader_of({"1.jpg": b"0123456789"})
        opened = self.successResultOf(deferred(reader.open(self.members["1.jpg"])))
        verifyObject(IDescriptor, opened)
        self.assertEqual(os.pread(opened.fileno(), 3, 4), b"456")
        opened.close()
        self.assertEqual(opened.fileno(), -1)


class WaitingTests(ReadingCase):
    """What is read at once, and what in a thread."""

    def test_cached(self) -> None:
        """What the page cache holds is read without a thread."""
        reader = self.reader_of({"1.jpg": b"1" * 1000, "2.jpg": b"2"})
        self.require_cached("1.jpg")
        reading = deferred(read_parts(reader, [self.whole("1.jpg"), self.whole("2.jpg")]))
        self.assertEqual(len(self.threads), 0)
        self.assertEqual(self.successResultOf(reading), [b"1" * 1000, b"2"])

    def test_not_cached(self) -> None:
        """What it does not hold is read in a thread, with all that comes after, in the order asked for."""
        reader = self.reader_of({"1.jpg": b"1" * 1000, "2.jpg": b"2" * 5000, "3.jpg": b"3"})
        self.evict("2.jpg")
        names = ("1.jpg", "2.jpg", "3.jpg")
        reading = deferred(read_parts(reader, [self.whole(name) for name in names]))
        self.assertNoResult(reading)
        self.assertEqual(len(self.threads), 1)
        self.threads.step()
        self.assertEqual(self.successResultOf(reading), [b"1" * 1000, b"2" * 5000, b"3"])

    def test_open_member_not_cached(self) -> None:
        """An open member is read, and prepared, in a thread where it is not in the page cache."""
        reader = self.reader_of({"1.jpg": b"1" * _MIB})
        opened = self.successResultOf(deferred(reader.open(self.members["1.jpg"])))
        self.addCleanup(opened.close)
        for work in (lambda: opened.read(3, 5000), lambda: opened.prepare(3, 5000)):
            self.evict("1.jpg")
            waiting = deferred(work())
            self.assertNoResult(waiting)
            self.threads.step()
            self.successResultOf(waiting)
        ready = deferred(opened.prepare(3, 5000))
        self.successResultOf(ready)
        self.assertEqual(self.result(opened.read(3, 5000)), b"1" * 5000)

    def test_slow_disk(self) -> None:
        """After a read at once that took long, the next ones are left to threads, and in the end not."""
        reader = self.reader_of({"1.jpg": b"1"})
        self.require_cached("1.jpg")
        self.time = [0.0, 1.0]  # it began, it ended
        self.successResultOf(deferred(read_parts(reader, [self.whole("1.jpg")])))
        in_threads = 0
        while True:
            reading = deferred(read_parts(reader, [self.whole("1.jpg")]))
            if not len(self.threads):
                break
            in_threads += 1
            self.assertLess(in_threads, 1000)
            self.threads.run()
            self.successResultOf(reading)
        self.successResultOf(reading)
        self.assertGreater(in_threads, 10)

    def test_opening_on_a_slow_disk(self) -> None:
        """So is the opening of members."""
        reader = self.reader_of({"1.jpg": b"1"})
        self.require_cached("1.jpg")
        self.time = [0.0, 1.0]
        self.successResultOf(deferred(read_parts(reader, [self.whole("1.jpg")])))
        opening = deferred(reader.open(self.members["1.jpg"]))
        self.assertNoResult(opening)
        self.threads.step()
        self.successResultOf(opening).close()


class CancellingTests(ReadingCase):
    """What becomes of files when nobody waits any more; `setUp` sees that none stays open."""

    def slow_reader(self, files: Mapping[str, bytes], in_thread: InThread | None = None) -> DiskReader:
        """A reader that leaves everything to threads."""
        reader = self.reader_of({"0": b"0", **files}, in_thread=in_thread)
        self.require_cached("0")
        self.time = [0.0, 1.0]
        self.successResultOf(deferred(read_parts(reader, [self.whole("0")])))
        return reader

    def test_opening_not_begun(self) -> None:
        """An opening that no thread began is not done."""
        reader = self.slow_reader({"1.jpg": b"1"})
        opening = deferred(reader.open(self.members["1.jpg"]))
        opening.cancel()
        reader.close()
        self.failureResultOf(opening, CancelledError)
        self.threads.run()

    def test_opened_too_late(self) -> None:
        """A member that a thread opened for nobody is closed."""

        def cancelled(work: Callable[[], object]) -> object:
            opened = work()
            opening.cancel()
            return opened

        reader = self.slow_reader({"1.jpg": b"1"}, lambda work: self.threads(cancelled, work))
        opening = deferred(reader.open(self.members["1.jpg"]))
        self.threads.run()
        self.failureResultOf(opening, CancelledError)
        reader.close()

    def test_reading(self) -> None:
        """A reader that is closed while a thread is to read for it closes after that."""
        reader = self.slow_reader({"1.jpg": b"1"})
        reading = deferred(read_parts(reader, [self.whole("1.jpg")]))
        reader.close()
        self.threads.run()
        self.assertEqual(self.successResultOf(reading), [b"1"])

    def test_checksum_by_turns(self) -> None:
        """A checksum is computed in turns; cancelled between two of them, no more is read."""
        data = bytes(range(256)) * (80 * 1024)
        reader = self.reader_of({"1.jpg": data})
        before = open_descriptors()
        computing = deferred(reader.crc32(self.members["1.jpg"]))
        turns = 0
        while len(self.threads):
            self.assertNoResult(computing)
            self.threads.step()
            turns += 1
        self.assertEqual(self.successResultOf(computing), zlib.crc32(data))
        self.assertGreater(turns, 2)
        computing = deferred(reader.crc32(self.members["1.jpg"]))
        self.threads.step()
        computing.cancel()
        self.failureResultOf(computing, CancelledError)
        self.threads.run()
        self.assertEqual(open_descriptors(), before)


class TakenPlaceTests(ReadingCase):
    """Something else lies where a member lay."""

    def setUp(self) -> None:
        super().setUp()
        self.reader = self.reader_of({"a/1.jpg": b"0123456789"})
        self.path = self.album / "a/1.jpg"
        self.member = self.members["a/1.jpg"]

    def assert_changed(self, reason: str = "") -> None:
        """Neither reading nor opening nor a checksum get anything, and none of them hangs."""
        for work in (
            lambda: read_parts(self.reader, [Part(self.member, 0, 10)]),
            lambda: self.reader.open(self.member),
            lambda: self.reader.crc32(self.member),
        ):
            waiting = deferred(work())
            self.threads.run()
            error = self.failureResultOf(waiting, MemberChanged).value
            assert isinstance(error, MemberChanged)
            self.assertEqual(error.path, b"a/1.jpg")
            self.assertIn(reason, error.reason)

    def test_link(self) -> None:
        """A symbolic link to a file with the very same bytes is not followed."""
        self.path.rename(self.album / "other")
        self.path.symlink_to("../other")
        self.assert_changed("it is gone")  # what the link leads to was not even looked at

    def test_link_to_its_folder(self) -> None:
        """Nor is one that a folder on the way was replaced by."""
        (self.album / "a").rename(self.album / "b")
        (self.album / "a").symlink_to("b")
        self.assert_changed("it is gone")

    def test_folder(self) -> None:
        """A folder."""
        self.path.unlink()
        self.path.mkdir()
        self.assert_changed()

    def test_pipe(self) -> None:
        """A pipe, for whose writer nobody waits."""
        self.path.unlink()
        os.mkfifo(self.path)
        self.assert_changed()

    def test_socket(self) -> None:
        """A socket."""
        self.path.unlink()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.path))
        self.assert_changed()

    def test_file_for_its_folder(self) -> None:
        """A file where a folder on the way was."""
        (self.album / "a").rename(self.album / "b")
        (self.album / "a").touch()
        self.assert_changed()

    def test_album_renamed(self) -> None:
        """An album that is renamed meanwhile goes on being read: its folder is held."""
        self.album.rename(self.root / "elsewhere")
        self.assertEqual(self.result(read_parts(self.reader, [Part(self.member, 2, 3)])), [b"234"])

    def test_shrinking_while_it_is_open(self) -> None:
        """What a shrunk file no longer has is an end that came too early, wherever it is read."""
        opened = self.successResultOf(deferred(self.reader.open(self.member)))
        self.addCleanup(opened.close)
        self.path.write_bytes(b"0")
        for work in (lambda: opened.read(0, 10), lambda: opened.prepare(0, 10), opened.crc32):
            waiting = deferred(work())
            self.threads.run()
            self.failureResultOf(waiting, MemberChanged)
        self.assertRaises(MemberChanged, opened.check)


class UnreadableTests(ReadingCase):
    """Members that are there and can't be read."""

    def test_no_permission(self) -> None:
        """A member that may not be read is named, with the reason."""
        reader = self.reader_of({"a/1.jpg": b"1"})
        member: Member = self.members["a/1.jpg"]
        (self.album / "a/1.jpg").chmod(0o000)
        if os.geteuid() == 0:
            os.seteuid(65534)
            self.addCleanup(os.seteuid, 0)
        for work in (
            lambda: read_parts(reader, [Part(member, 0, 1)]),
            lambda: reader.open(member),
            lambda: reader.crc32(member),
        ):
            waiting = deferred(work())
            self.threads.run()
            error = self.failureResultOf(waiting, Unreadable).value
            assert isinstance(error, Unreadable)
            self.assertEqual((error.path, error.reason), (b"a/1.jpg", "Permission denied"))

    def test_failing_disk(self) -> None:
        """An error of the disk while a member is read is told as that, with the member's name."""
        reader = self.reader_of({"1.jpg": b"1"})

        def broken(*_: object) -> Data:
            raise OSError(5, "Input/output error")

        # A disk that fails can be had by no argument: what reads is the operating system.
        self.patch(os, "pread", broken)
        self.patch(os, "preadv", broken)
        waiting = deferred(read_parts(reader, [self.whole("1.jpg")]))
        self.threads.run()
        error = self.failureResultOf(waiting, Unreadable).value
        assert isinstance(error, Unreadable)
        self.assertEqual((error.path, error.reason), (b"1.jpg", "Input/output error"))
