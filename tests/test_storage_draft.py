"""
Tests of one file in progress on a disk, on real folders: full, read-only, abandoned, and gone.
"""

from __future__ import annotations

import fcntl
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import which
from threading import Lock

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from fileserve.storage.abandoned import remove_abandoned
from fileserve.storage.draft import Draft
from fileserve.storage.errors import NoSpace, StoreUnavailable
from fileserve.storage.folders import Place
from fileserve.storage.systemcalls import move_new

from .support import open_descriptors, write_album

_MIB = 1024 * 1024

#: Makes a draft as another process, says so, and waits to be killed.
_OTHER = """
import sys
from threading import Lock
from fileserve.storage.draft import Draft
from fileserve.storage.folders import Place
draft = Draft(Place(sys.argv[1], "other", b"1.jpg"), None, Lock())
draft.write([b"unfinished"])
print("written", flush=True)
sys.stdin.read()
"""


class DraftCase(SynchronousTestCase):
    """A root; after each test nothing is open."""

    def setUp(self) -> None:
        before = open_descriptors()
        self.addCleanup(lambda: self.assertEqual(open_descriptors(), before))
        self.root = Path(self.mktemp())
        self.root.mkdir()

    def draft(self, path: bytes = b"1.jpg", move: Callable[[str, int, bytes], None] = move_new) -> Draft:
        draft = Draft(Place(str(self.root), "album", path), None, Lock(), move)
        self.addCleanup(draft.remove)
        return draft

    def in_progress(self) -> list[str]:
        return sorted(os.listdir(self.root / ".incoming"))


class WritingTests(DraftCase):
    """What a draft becomes."""

    def test_exists(self) -> None:
        """It is on the disk from the first write on, until it is kept or removed."""
        for end in (lambda draft: draft.keep([]), Draft.remove):
            draft = self.draft()
            self.assertFalse(draft.exists)
            draft.write([b"1"])
            self.assertTrue(draft.exists)
            self.assertEqual(len(self.in_progress()), 1)
            self.assertTrue(self.in_progress()[0].startswith("album~"))
            end(draft)
            self.assertFalse(draft.exists)
            self.assertEqual(self.in_progress(), [])

    def test_large(self) -> None:
        """What the kernel was told to begin to write back is what was written."""
        draft = self.draft()
        pieces = [bytes([number]) * _MIB for number in range(20)]
        for piece in pieces:
            draft.write([piece])
        self.assertEqual(draft.keep([b"end"]).size, 20 * _MIB + 3)
        self.assertEqual((self.root / "album/1.jpg").read_bytes(), b"".join(pieces) + b"end")

    def test_longest_album(self) -> None:
        """The longest name of an album leaves room for what is added to it."""
        album = "a" * 128
        Draft(Place(str(self.root), album, b"1.jpg"), None, Lock()).keep([b"1"])
        self.assertEqual((self.root / album / "1.jpg").read_bytes(), b"1")

    def test_folder_vanishes(self) -> None:
        """A folder that is deleted just before the file comes into it is made again."""
        times = [0]

        def move(source: str, folder: int, name: bytes) -> None:
            times[0] += 1
            if times[0] < 5:
                (self.root / "album/a").rmdir()
                (self.root / "album").rmdir()
            move_new(source, folder, name)

        self.draft(b"a/1.jpg", move).keep([b"1"])
        self.assertEqual((times[0], (self.root / "album/a/1.jpg").read_bytes()), (5, b"1"))

    def test_folder_vanishes_always(self) -> None:
        """That has an end, where nothing is left."""

        def move(source: str, folder: int, name: bytes) -> None:
            (self.root / "album").rmdir()
            move_new(source, folder, name)

        self.assertRaises(StoreUnavailable, self.draft(b"1.jpg", move).keep, [b"1"])
        self.assertEqual((os.listdir(self.root), self.in_progress()), ([".incoming"], []))

    def test_deleted_in_progress(self) -> None:
        """A file whose name was deleted while it was in progress can't be kept, and that is told."""
        draft = self.draft()
        draft.write([b"1"])
        (self.root / ".incoming" / self.in_progress()[0]).unlink()
        self.assertRaises(StoreUnavailable, draft.keep, [])
        self.assertEqual(os.listdir(self.root), [".incoming"])


class LimitTests(DraftCase):
    """A disk, or process, that has no more to give."""

    def limit(self, kind: int, number: int) -> Callable[[], None]:
        """Limit this process; call what is returned to end that."""
        before = resource.getrlimit(kind)
        resource.setrlimit(kind, (number, before[1]))

        def end() -> None:
            resource.setrlimit(kind, before)

        self.addCleanup(end)
        return end

    def mount(self, options: str) -> None:
        """Have a small file system for the root, or skip the test."""
        self.root = self.root.absolute()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(self.root)]
        if (
            os.geteuid()
            or not which("mount")
            or subprocess.run(command, check=False, capture_output=True).returncode
        ):
            raise SkipTest("mounting a file system is not permitted here")
        self.addCleanup(subprocess.run, ["umount", str(self.root)], check=True)

    def assert_full(self, write: Callable[[], object]) -> None:
        self.assertRaises(NoSpace, write)
        self.assertEqual(self.in_progress(), [])

    def test_largest_file(self) -> None:
        """A file larger than one may be has no room, and gives back what it took; smaller ones have."""
        end = self.limit(resource.RLIMIT_FSIZE, _MIB)
        draft = self.draft()
        draft.write([bytes(_MIB // 2)])
        self.assert_full(lambda: draft.write([bytes(_MIB)]))
        self.assert_full(lambda: self.draft().keep([bytes(_MIB + 1)]))
        self.assertEqual(self.draft().keep([bytes(_MIB)]).size, _MIB)
        end()

    def test_full(self) -> None:
        """On a full disk nothing is left of a file, at whatever step it is full; then others find room."""
        self.mount("size=1m")
        draft = self.draft()
        draft.write([bytes(_MIB // 2)])
        self.assert_full(lambda: draft.write([bytes(_MIB)]))
        self.assert_full(lambda: self.draft().keep([bytes(2 * _MIB)]))
        self.assertEqual(self.draft().keep([bytes(_MIB // 2)]).size, _MIB // 2)

    def test_no_room_for_folders(self) -> None:
        """The same where there is room for bytes and none for folders."""
        self.mount("size=1m,nr_inodes=6")  # the root, .incoming, the file, and the album: two are left
        self.assert_full(lambda: self.draft(b"a/b/c/1.jpg").keep([b"1"]))
        self.assertEqual(os.listdir(self.root), [".incoming"])
        self.draft(b"a/1.jpg").keep([b"1"])

    def test_read_only(self) -> None:
        """A disk that was made read-only is unavailable, with what the system says; then it is not."""
        self.mount("size=1m")
        self.draft(b"1.jpg").keep([b"1"])
        write_album(self.root, ".incoming", {"album~1": b"1"})
        place = Place(str(self.root), "album", b"1.jpg")
        self.remount("ro")
        for work in (
            lambda: self.draft(b"2.jpg").keep([b"1"]),
            lambda: place.delete(None, Lock()),
            lambda: remove_abandoned(str(self.root)),
        ):
            error = self.assertRaises(StoreUnavailable, work)
            self.assertEqual(str(error), "Read-only file system")
        self.remount("rw")
        remove_abandoned(str(self.root))
        self.assertEqual(self.in_progress(), [])
        self.draft(b"2.jpg").keep([b"1"])

    def remount(self, option: str) -> None:
        command = ["mount", "-o", f"remount,{option}", str(self.root)]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            raise SkipTest("remounting is not possible here")

    def test_descriptors(self) -> None:
        """A process that may not open more files says so, and goes on."""
        end = self.limit(resource.RLIMIT_NOFILE, open_descriptors() - 1)
        error = self.assertRaises(StoreUnavailable, self.draft().keep, [b"1"])
        end()
        self.assertEqual(str(error), "Too many open files")
        self.draft().keep([b"1"])


class AbandonedTests(DraftCase):
    """What processes leave behind that did not end well."""

    def clean(self) -> None:
        remove_abandoned(str(self.root))

    def test_nothing(self) -> None:
        """Where nothing was ever in progress there is nothing to do."""
        self.clean()
        self.assertEqual(os.listdir(self.root), [])

    def test_dead(self) -> None:
        """What nobody has locked is removed, of whatever age; albums stay as they are."""
        write_album(self.root, ".incoming", {"album~1": b"1", "album~2": b"", "x": b"3"})
        write_album(self.root, "album", {"1.jpg": b"1"})
        os.utime(self.root / ".incoming/album~1", (0, 0))
        self.clean()
        self.assertEqual(self.in_progress(), [])
        self.assertEqual(os.listdir(self.root / "album"), ["1.jpg"])

    def test_own(self) -> None:
        """What this process is writing stays, and can be kept."""
        draft = self.draft()
        draft.write([b"1"])
        self.clean()
        draft.write([b"2"])
        self.clean()
        draft.keep([b"3"])
        self.assertEqual((self.root / "album/1.jpg").read_bytes(), b"123")

    def test_before_it_is_locked(self) -> None:
        """What is removed between being made and being locked is made once more."""
        opened, times = os.open, [0]

        def open_and_clean(path: str, flags: int, *rest: int, **named: int) -> int:
            descriptor = opened(path, flags, *rest, **named)
            if flags & os.O_EXCL and times[0] < 3:
                times[0] += 1
                self.clean()
            return descriptor

        # Between two calls of the system there is no other place to stand.
        self.patch(os, "open", open_and_clean)
        self.draft().keep([b"1"])
        self.assertEqual((times[0], (self.root / "album/1.jpg").read_bytes()), (3, b"1"))

    def test_other_process(self) -> None:
        """What another process is writing stays until that is killed."""
        command = [sys.executable, "-c", _OTHER, str(self.root)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment) as other:
            assert other.stdout is not None
            self.assertEqual(other.stdout.readline(), b"written\n")
            self.clean()
            self.assertEqual(len(self.in_progress()), 1)
            other.kill()
        self.assertEqual(len(self.in_progress()), 1)
        self.clean()
        self.assertEqual(self.in_progress(), [])
        self.assertEqual(os.listdir(self.root), [".incoming"])

    def test_kept_twice_named(self) -> None:
        """Where a process ended between giving a file its place and taking its first name, the file stays."""
        write_album(self.root, "album", {"1.jpg": b"1"})
        (self.root / ".incoming").mkdir()
        (self.root / ".incoming/album~1").hardlink_to(self.root / "album/1.jpg")
        self.clean()
        self.assertEqual(self.in_progress(), [])
        self.assertEqual((self.root / "album/1.jpg").read_bytes(), b"1")

    def test_what_is_not_ours(self) -> None:
        """Folders, links and pipes neither stop it nor are followed."""
        outside = self.root / "outside"
        outside.write_bytes(b"1")
        folder = self.root / ".incoming"
        (folder / "folder").mkdir(parents=True)
        (folder / "link").symlink_to(outside.absolute())
        os.mkfifo(folder / "pipe")
        (folder / "album~1").touch()
        self.clean()
        self.assertEqual([name for name in self.in_progress() if name != "pipe"], ["folder", "link"])
        self.assertEqual(outside.read_bytes(), b"1")

    def test_locked_is_whose(self) -> None:
        """A draft is locked as long as it exists, and no longer."""
        draft = self.draft()
        draft.write([b"1"])
        name = self.root / ".incoming" / self.in_progress()[0]
        with name.open("rb") as file:
            self.assertRaises(BlockingIOError, fcntl.flock, file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            draft.keep([])
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
