"""
Tests of the walk through an album, on a real folder.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from shutil import copytree, rmtree
from tempfile import TemporaryDirectory
from unittest import skipUnless

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.storage.errors import NoSuchAlbum, Unreadable
from fileserve.storage.interfaces import Folder, Listing
from fileserve.storage.walk import MAX_DEPTH, TICK_NS, list_album, open_album, same_entries

from .support import open_descriptors, write_album

_NAMES = st.binary(min_size=1, max_size=40).filter(
    lambda name: b"/" not in name and b"\0" not in name and not name.startswith(b".")
)


class WalkingCase(SynchronousTestCase):
    """A storage root, and that no test leaves a descriptor open."""

    def setUp(self) -> None:
        # Not below the folder of the tests: the name of a socket has room for 107
        # bytes only, and somebody without permission has to get there.
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.root.chmod(0o755)
        before = open_descriptors()
        self.addCleanup(lambda: self.assertEqual(open_descriptors(), before))

    def listing(self, album: str = "album") -> Listing:
        return list_album(str(self.root), album)

    def paths(self, album: str = "album") -> list[bytes]:
        return sorted(member.path for member in self.listing(album).members)


class MemberTests(WalkingCase):
    """Which files are members, and what is told of them."""

    def test_members_at_all_depths(self) -> None:
        """Every file is a member by its path below the album."""
        write_album(self.root, "album", {"1.jpg": b"1", "a/2.jpg": b"2", "a/b/c/3.jpg": b"3"})
        self.assertEqual(self.paths(), [b"1.jpg", b"a/2.jpg", b"a/b/c/3.jpg"])

    def test_what_is_told(self) -> None:
        """A member has the size, modification time, change time and inode that ``stat`` tells."""
        folder = write_album(self.root, "album", {"a/1.jpg": b"12345"})
        os.utime(folder / "a/1.jpg", ns=(1, 1_234_567_890_123_456_789))
        about = (folder / "a/1.jpg").stat()
        (member,) = self.listing().members
        self.assertEqual(member.size, 5)
        self.assertEqual(member.mtime_ns, 1_234_567_890_123_456_789)
        self.assertEqual(member.stamp, (about.st_ctime_ns, about.st_ino))

    def test_time_before_1970(self) -> None:
        """A file may be older than the epoch."""
        folder = write_album(self.root, "album", {"1.jpg": b""})
        os.utime(folder / "1.jpg", ns=(0, -1))
        self.assertEqual(self.listing().members[0].mtime_ns, -1)

    @given(st.sets(_NAMES, max_size=5))
    def test_any_bytes(self, names: set[bytes]) -> None:
        """A name is the bytes that the disk has, whatever they are."""
        folder = os.fsencode(self.mktemp())
        os.mkdir(folder)
        os.mkdir(folder + b"/album")
        for name in names:
            Path(os.fsdecode(folder + b"/album/" + name)).touch()
        listing = list_album(os.fsdecode(folder), "album")
        self.assertEqual({member.path for member in listing.members}, names)

    def test_hidden(self) -> None:
        """Names that begin with a dot are no members, nor is anything below such a folder."""
        write_album(self.root, "album", {"1.jpg": b"", ".2.jpg": b"", ".a/3.jpg": b"", "b/.4.jpg": b""})
        self.assertEqual(self.paths(), [b"1.jpg"])

    def test_links(self) -> None:
        """A symbolic link is no member, wherever it leads, and no folder to walk into."""
        folder = write_album(self.root, "album", {"1.jpg": b""})
        write_album(self.root, "other", {"2.jpg": b""})
        (folder / "file").symlink_to(self.root.resolve() / "other/2.jpg")
        (folder / "folder").symlink_to(self.root.resolve() / "other")
        (folder / "round").symlink_to(".")
        (folder / "nowhere").symlink_to("nothing")
        self.assertEqual(self.paths(), [b"1.jpg"])
        self.assertEqual(self.listing().empty_folders, [])

    def test_neither_files_nor_folders(self) -> None:
        """Pipes and sockets are no members, and do not stop the walk."""
        folder = write_album(self.root, "album", {"1.jpg": b""})
        os.mkfifo(folder / "pipe")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder / "socket"))
        self.assertEqual(self.paths(), [b"1.jpg"])

    @skipUnless(os.geteuid() == 0, "only root makes devices")
    def test_devices(self) -> None:
        """A device is no member."""
        folder = write_album(self.root, "album", {"1.jpg": b""})
        try:
            os.mknod(folder / "null", 0o20666, os.makedev(1, 3))
        except PermissionError:
            self.skipTest("this container makes no devices")
        self.assertEqual(self.paths(), [b"1.jpg"])


class FolderTests(WalkingCase):
    """Sub-folders."""

    def test_only_empty_ones(self) -> None:
        """A sub-folder is listed where nothing at any depth below it is a member."""
        files = {"full/1.jpg": b"", "over/full/2.jpg": b"", "empty/": b"", "over/empty/": b""}
        folder = write_album(self.root, "album", {**files, "hidden/.3.jpg": b""})
        os.utime(folder / "empty", ns=(0, 77))
        folders = sorted(self.listing().empty_folders)
        self.assertEqual([folder.path for folder in folders], [b"empty", b"hidden", b"over/empty"])
        self.assertEqual(folders[0], Folder(b"empty", 77))

    def test_folder_of_empty_folders(self) -> None:
        """A folder that holds empty folders only is empty as well as they."""
        write_album(self.root, "album", {"a/b/": b""})
        self.assertEqual(sorted(f.path for f in self.listing().empty_folders), [b"a", b"a/b"])

    def test_empty_album(self) -> None:
        """An album may be empty; it is no sub-folder of itself."""
        write_album(self.root, "album", {})
        listing = self.listing()
        self.assertEqual((listing.members, listing.empty_folders), ([], []))

    def test_depth(self) -> None:
        """Folders may nest ``MAX_DEPTH`` deep and no deeper, which is said."""
        deepest = "/".join(["d"] * MAX_DEPTH)
        write_album(self.root, "album", {f"{deepest}/1.jpg": b""})
        self.assertEqual(self.paths(), [deepest.encode() + b"/1.jpg"])
        write_album(self.root, "album", {f"{deepest}/d/2.jpg": b""})
        error = self.assertRaises(Unreadable, self.listing)
        self.assertEqual(error.path, deepest.encode() + b"/d")


class NoAlbumTests(WalkingCase):
    """What is no album."""

    def test_no_albums(self) -> None:
        """A name that is not there, a file, a pipe and a link to an album are no albums."""
        write_album(self.root, "album", {"1.jpg": b""})
        (self.root / "file").touch()
        os.mkfifo(self.root / "pipe")
        (self.root / "link").symlink_to("album")
        for name in ("nothing", "file", "pipe", "link", "n" * 300):
            self.assertRaises(NoSuchAlbum, self.listing, name)
            self.assertRaises(NoSuchAlbum, open_album, str(self.root), name)

    def test_root_may_be_a_link(self) -> None:
        """The root is the operator's: it may be reached through a link."""
        write_album(self.root, "album", {"1.jpg": b""})
        link = Path(self.mktemp())
        link.symlink_to(self.root.resolve())
        self.assertEqual(len(list_album(str(link), "album").members), 1)


class UnreadableTests(WalkingCase):
    """What is there and can't be read."""

    def as_nobody(self, work: Callable[[], object]) -> object:
        """Do something without root's power to read everything."""
        if os.geteuid() != 0:
            return work()
        os.seteuid(65534)
        try:
            return work()
        finally:
            os.seteuid(0)

    def assert_names(self, path: bytes) -> None:
        error = self.as_nobody(lambda: self.assertRaises(Unreadable, self.listing))
        assert isinstance(error, Unreadable)
        self.assertEqual(error.path, path)
        self.assertIn("ermission", str(error.reason))

    def test_member(self) -> None:
        """A member without permission is named."""
        folder = write_album(self.root, "album", {"a/1.jpg": b""})
        (folder / "a/1.jpg").chmod(0o600 if os.geteuid() == 0 else 0o000)
        self.assert_names(b"a/1.jpg")

    def test_member_of_our_own(self) -> None:
        """A file that only its owner may read is a member where that is us."""
        folder = write_album(self.root, "album", {"1.jpg": b""})
        (folder / "1.jpg").chmod(0o400)
        self.assertEqual(self.paths(), [b"1.jpg"])

    def test_folder(self) -> None:
        """A sub-folder without permission is named."""
        folder = write_album(self.root, "album", {"a/b/": b""})
        (folder / "a/b").chmod(0o700 if os.geteuid() == 0 else 0o000)
        self.addCleanup((folder / "a/b").chmod, 0o700)
        self.assert_names(b"a/b")

    def test_folder_that_only_tells_names(self) -> None:
        """A folder whose members may not be looked at is named too."""
        folder = write_album(self.root, "album", {"a/1.jpg": b""})
        (folder / "a").chmod(0o744 if os.geteuid() == 0 else 0o400)
        self.addCleanup((folder / "a").chmod, 0o700)
        self.assert_names(b"a")

    def test_album(self) -> None:
        """An album without permission is unreadable, and what is told of it holds no name of it."""
        folder = write_album(self.root, "album", {})
        folder.chmod(0o700 if os.geteuid() == 0 else 0o000)
        self.addCleanup(folder.chmod, 0o700)
        self.assert_names(b"")
        error = self.as_nobody(lambda: self.assertRaises(Unreadable, self.listing))
        assert isinstance(error, Unreadable)
        cause = error.__cause__
        self.assertNotIn("album", f"{error} {cause} {getattr(cause, 'filename', '')}")


class TimeOfChangeTests(WalkingCase):
    """When an album last changed."""

    def settled(self) -> int:
        return self.listing().changed_ns

    def test_every_change_shows(self) -> None:
        """Adding, writing, renaming and deleting, also of hidden names, move the time of change."""
        folder = write_album(self.root, "album", {"a/1.jpg": b"1", "2.jpg": b"2"})
        changes: list[Callable[[], object]] = [
            (folder / "a/new.jpg").touch,
            lambda: (folder / "a/1.jpg").write_bytes(b"3"),
            lambda: (folder / "2.jpg").chmod(0o640),
            lambda: os.utime(folder / "2.jpg", ns=(0, 0)),
            lambda: (folder / "2.jpg").rename(folder / "a/2.jpg"),
            (folder / "a/2.jpg").unlink,
            (folder / ".hidden").touch,
            (folder / "b").mkdir,
        ]
        before = self.settled()
        for change in changes:
            change()
            after = self.settled()
            self.assertGreater(after, before)
            before = after

    def test_not_by_times_that_can_be_set(self) -> None:
        """A modification time in the future is not taken for the time of change."""
        folder = write_album(self.root, "album", {"1.jpg": b"1"})
        os.utime(folder / "1.jpg", ns=(0, 2**62))
        about = (folder / "1.jpg").stat()
        self.assertEqual(self.settled(), about.st_ctime_ns)


class SameEntriesTests(WalkingCase):
    """Whether entries came or went since an album was listed."""

    def setUp(self) -> None:
        super().setUp()
        files = {"1.jpg": b"1", "a/2.jpg": b"2", "a/b/3.jpg": b"3", "c/": b""}
        self.folder = write_album(self.root, "album", files)

    def same(self, listing: Listing) -> bool:
        return same_entries(str(self.root), "album", listing)

    def test_folders(self) -> None:
        """A listing tells all folders, the album itself by an empty path, with their times and inodes."""
        folders = dict(self.listing().folders)
        self.assertEqual(folders.keys(), {b"", b"a", b"a/b", b"c"})
        for path, stamp in folders.items():
            about = (self.folder / os.fsdecode(path)).stat()
            self.assertEqual(stamp, (about.st_mtime_ns, about.st_ctime_ns, about.st_ino))

    def test_nothing_happened(self) -> None:
        """As long as nothing happens the entries are the same, also of an empty album."""
        write_album(self.root, "empty", {})
        self.assertTrue(self.same(self.listing()))
        self.assertTrue(same_entries(str(self.root), "empty", self.listing("empty")))

    def test_written_in_place(self) -> None:
        """What happens to the files themselves does not count."""
        listing = self.listing()
        (self.folder / "a/2.jpg").write_bytes(b"another")
        os.utime(self.folder / "1.jpg", ns=(0, 0))
        (self.folder / "1.jpg").chmod(0o600)
        self.assertTrue(self.same(listing))

    def test_every_change(self) -> None:
        """Whatever comes, goes or is renamed, at any depth, shows at once, until the next listing."""
        album, root = self.folder, self.root
        changes: list[Callable[[], object]] = [
            (album / "4.jpg").touch,
            (album / "a/b/5.jpg").touch,
            (album / "4.jpg").unlink,
            lambda: (album / "1.jpg").rename(album / "6.jpg"),
            lambda: (album / "a/2.jpg").rename(album / "6.jpg"),
            (album / "a/new").mkdir,
            (album / "a/new").rmdir,
            lambda: (album / "a").rename(album / "d"),
            lambda: (album / "c").rename(root / "elsewhere"),
            lambda: (root / "elsewhere").rename(album / "c"),
        ]
        for number, change in enumerate(changes):
            listing = self.listing()
            change()
            self.assertFalse(self.same(listing), number)
            self.assertTrue(self.same(self.listing()), number)

    def test_times_are_no_proof(self) -> None:
        """A folder's modification time can be set: what came before that shows nevertheless."""
        listing = self.listing()
        about = (self.folder / "a").stat()
        (self.folder / "a/4.jpg").touch()
        os.utime(self.folder / "a", ns=(about.st_atime_ns, about.st_mtime_ns))
        self.assertFalse(self.same(listing))

    def test_other_folder(self) -> None:
        """Another folder in an album's place, or in that of one in it, is not the same, nor a link to it."""
        for path in ("album", "album/a"):
            for link in (False, True):
                listing, place, aside = self.listing(), self.root / path, self.root / "aside"
                place.rename(aside)
                if link:
                    place.symlink_to(aside.resolve())
                else:
                    copytree(aside, place)
                self.assertFalse(self.same(listing), (path, link))
                (place.unlink if link else lambda place=place: rmtree(place))()
                aside.rename(place)

    def test_gone(self) -> None:
        """An album that is gone has not the same entries; nothing is raised."""
        listing = self.listing()
        rmtree(self.folder)
        self.assertFalse(self.same(listing))
        self.folder.touch()
        self.assertFalse(self.same(listing))

    def test_not_told(self) -> None:
        """A listing that does not tell folders is never up to date."""
        self.assertFalse(self.same(evolve(self.listing(), folders=())))

    def test_restless(self) -> None:
        """The next change of a folder that changed within the last tick may not show: it is not told."""
        changed = self.listing().changed_ns
        for ago, told in ((TICK_NS, True), (TICK_NS - 1, False), (-(10**12), False)):
            now = changed + ago
            listing = list_album(str(self.root), "album", partial(int, now), lambda _: None)
            self.assertEqual(self.same(listing), told)

    def test_restless_files(self) -> None:
        """Only folders matter: a file that changes all the time does not keep them from being told."""
        changed = self.listing().changed_ns
        os.utime(self.folder / "1.jpg", ns=(0, 0))
        restless = self.listing().changed_ns
        self.assertGreater(restless, changed)
        listing = list_album(str(self.root), "album", lambda: changed + TICK_NS, lambda _: None)
        self.assertTrue(self.same(listing))


class LookingAgainTests(WalkingCase):
    """An album that changes while it is looked at."""

    def setUp(self) -> None:
        super().setUp()
        self.folder = write_album(self.root, "album", {"1.jpg": b"1"})
        self.changed = self.listing().changed_ns
        self.slept: list[float] = []

    def look(self, *times: int, sleep: Callable[[float], object] | None = None) -> Listing:
        """List at these times after the change, one for each time the clock is asked; the last repeats."""
        clock = [self.changed + time for time in times]
        tell = lambda: clock.pop(0) if len(clock) > 1 else clock[0]  # noqa: E731
        return list_album(str(self.root), "album", tell, sleep or self.slept.append)

    def test_long_ago(self) -> None:
        """What changed longer ago than a tick is looked at once."""
        self.look(TICK_NS, TICK_NS)
        self.assertEqual(self.slept, [])

    def test_just_now(self) -> None:
        """What changed within the last tick is looked at again after it."""
        self.look(TICK_NS - 1, TICK_NS - 1, 2 * TICK_NS)
        self.assertEqual(self.slept, [TICK_NS / 1e9])

    def test_change_between(self) -> None:
        """What the second look finds counts."""
        changed = lambda _: (self.folder / "1.jpg").write_bytes(b"22")  # noqa: E731
        listing = self.look(0, 0, 10**12, sleep=changed)
        self.assertEqual([member.size for member in listing.members], [2])

    def test_long_walk(self) -> None:
        """It counts when the walk began: what was looked at first may have changed once more meanwhile."""
        self.look(1, 10 * TICK_NS, 10 * TICK_NS)
        self.assertEqual(len(self.slept), 1)

    def test_changed_during_the_walk(self) -> None:
        """A change after the walk began is looked at again."""
        self.look(-1, 5, 10 * TICK_NS)
        self.assertEqual(len(self.slept), 1)

    def test_time_of_another_clock(self) -> None:
        """A time of change in the future can't be waited for, so it is not."""
        self.look(-(10**12), -(10**12) + 5)
        self.assertEqual(self.slept, [])

    def test_for_ever(self) -> None:
        """An album that never rests is listed all the same; no sleep follows the last look."""
        asked: list[int] = []

        def tell() -> int:
            asked.append(self.changed)
            return self.changed

        listing = list_album(str(self.root), "album", tell, self.slept.append)
        self.assertEqual(len(listing.members), 1)
        self.assertEqual(len(self.slept), len(asked) // 2 - 1)  # each look asks when it begins and ends


class VanishingTests(WalkingCase):
    """What goes away while it is walked is as if it had not been there."""

    def test_no_trace(self) -> None:
        """What vanishes between the reading of a folder and the look at it is left out."""
        folder = write_album(self.root, "album", {"a/1.jpg": b"", "b/": b"", "c.jpg": b"", "d.jpg": b""})
        (folder / "d.jpg").chmod(0o600)
        real = os.scandir

        def then_vanish(at: int) -> object:
            entries = list(real(at))
            for gone in ("a/1.jpg", "b", "c.jpg", "d.jpg"):
                path = folder / gone
                if path.is_dir():
                    path.rmdir()
                elif path.exists():
                    path.unlink()
            return _Entries(entries)

        # There is no other way to get between the two steps of the walk.
        self.patch(os, "scandir", then_vanish)
        listing = self.listing()
        self.assertEqual(listing.members, [])
        self.assertEqual([empty.path for empty in listing.empty_folders], [b"a"])

    def test_failing_disk(self) -> None:
        """An error of the disk while a folder is read names the folder."""
        folder = write_album(self.root, "album", {"a/1.jpg": b""})
        real = os.scandir

        def broken(at: int) -> object:
            if os.fstat(at).st_ino == (folder / "a").stat().st_ino:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return real(at)

        self.patch(os, "scandir", broken)
        error = self.assertRaises(Unreadable, self.listing)
        self.assertEqual((error.path, error.reason), (b"a", os.strerror(errno.EIO)))


class _Entries:
    """What ``scandir`` gives, with entries that were read before."""

    def __init__(self, entries: list[os.DirEntry[str]]) -> None:
        self._entries = entries

    def __enter__(self) -> list[os.DirEntry[str]]:
        return self._entries

    def __exit__(self, *_: object) -> None:
        """Nothing is held."""
