"""
Tests of the store on a disk, on real folders.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from shutil import disk_usage, rmtree
from tempfile import mkdtemp
from threading import Lock
from typing import Any, cast

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from fileserve.storage.abilities import ITellsChanges
from fileserve.storage.disk import DiskStore
from fileserve.storage.draft import Draft
from fileserve.storage.errors import (
    FileExists,
    MemberChanged,
    NoSpace,
    NoSuchAlbum,
    NoSuchFile,
    StoreUnavailable,
)
from fileserve.storage.folders import Place
from fileserve.storage.interfaces import IFileStore
from fileserve.storage.keys import BadKey
from fileserve.storage.walk import MAX_DEPTH, list_album

from .storecontract import Change, FileStoreContract, StoreCase, WritingContract
from .support import ByHand, at_once, open_descriptors, write_album

_MIB = 1024 * 1024


class DiskCase:
    """
    A root, and albums in it made by hand.
    """

    def in_thread(self, work: Callable[..., Any], *args: object) -> Deferred[Any]:
        return at_once(work, *args)

    async def make_store(self) -> IFileStore:
        self.root = Path(cast(TestCase, self).mktemp())
        self.root.mkdir()
        return DiskStore(str(self.root), self.in_thread)

    async def put(self, album: str, files: Mapping[str, bytes]) -> None:
        write_album(self.root, album, files)

    async def delete(self, album: str, path: str) -> None:
        (self.root / album / path).unlink()

    async def leftovers(self) -> Sequence[str]:
        folder = self.root / ".incoming"
        return os.listdir(folder) if folder.exists() else []


class DiskStoreTests(DiskCase, FileStoreContract, TestCase):
    """A `DiskStore` does what every store does."""

    def setUp(self) -> None:
        before = open_descriptors()
        self.addCleanup(lambda: self.assertEqual(open_descriptors(), before))

    def changes(self) -> list[Change]:
        """On a disk there are other ways to change a file: not to let it show in size and time is one."""
        path = lambda: self.root / "album/1.jpg"  # noqa: E731

        async def secretly() -> None:
            about = path().stat()
            path().write_bytes(b"x" * about.st_size)
            os.utime(path(), ns=(about.st_atime_ns, about.st_mtime_ns))

        async def replace() -> None:
            other = self.root / "other"
            other.write_bytes(b"x" * 10)
            os.utime(other, ns=(0, path().stat().st_mtime_ns))
            other.rename(path())

        async def touch() -> None:
            os.utime(path(), ns=(0, 0))

        return [secretly, replace, touch, *super().changes()]

    async def test_check_without_root(self) -> None:
        """A root that is not there makes the store unfit to serve."""
        store = await self.make_store()
        self.root.rmdir()
        await self.failure(store.check(), FileNotFoundError)

    async def test_same_entries(self) -> None:
        """It tells whether entries came or went since an album was listed; all went where it is gone."""
        store = await self.store_of({"1.jpg": b"1", "a/2.jpg": b"2"})
        self.assertTrue(verifyObject(ITellsChanges, store))
        assert ITellsChanges.providedBy(store)
        listing = await self.listing(store)
        self.assertIs(await store.same_entries("album", listing), True)
        await self.keep(store, b"a/3.jpg", b"3")
        self.assertIs(await store.same_entries("album", listing), False)
        listing = await self.listing(store)
        self.assertIs(await store.same_entries("album", listing), True)
        for path in (b"1.jpg", b"a/2.jpg", b"a/3.jpg"):
            await store.delete("album", path)
        self.assertIs(await store.same_entries("album", listing), False)

    async def test_empty_album(self) -> None:
        """An album may be an empty folder."""
        self.assertEqual((await self.listing(await self.store_of({}))).members, [])

    async def test_folders_that_a_crash_left(self) -> None:
        """Deleting what was never there removes the folders that were made for it, or that it left."""
        store = await self.store_of({})
        (self.root / "album/a").mkdir()
        await self.failure(store.delete("album", b"a/1.jpg"), NoSuchFile)
        self.assertEqual(os.listdir(self.root), [])


class DiskStoreInThreadsTests(DiskCase, WritingContract, TestCase):
    """It does so with threads that are some, where much happens at the same time."""

    def in_thread(self, work: Callable[..., Any], *args: object) -> Deferred[Any]:
        return deferToThread(work, *args)

    async def test_keeping_while_albums_vanish(self) -> None:
        """However keeping and deleting in one album fall together, all that is kept is there."""
        store = await self.make_store()

        async def come_and_go(path: bytes) -> None:
            for _ in range(30):
                await self.keep(store, path, path)
                await store.delete("album", path)

        work = [Deferred.fromCoroutine(come_and_go(b"a/%d" % number)) for number in range(4)]
        await gatherResults(work)
        await self.failure(store.list("album"), NoSuchAlbum)
        self.assertEqual(os.listdir(self.root), [".incoming"])
        await self.assert_no_leftovers()

    async def test_cleaning_while_files_come(self) -> None:
        """Cleaning harms nothing that is on its way, whenever it comes."""
        store = await self.make_store()
        paths = [b"%d" % number for number in range(100)]
        keeping = [Deferred.fromCoroutine(self.keep(store, path, path * 100)) for path in paths]
        cleaning = [store.clean() for _ in range(50)]
        await gatherResults(keeping)
        await gatherResults(cleaning)
        self.assertEqual(await self.contents(store), {path: path * 100 for path in paths})


class PlaceTests(DiskCase, StoreCase, TestCase):
    """What lies where a file shall come, and what a file is given there."""

    def setUp(self) -> None:
        before = open_descriptors()
        self.addCleanup(lambda: self.assertEqual(open_descriptors(), before))

    async def assert_taken(self, store: IFileStore, path: bytes, take: Callable[[], object]) -> None:
        """What lies there refuses a file at the beginning and, come meanwhile, at the end; and stays."""
        incoming = await self.receive(store, path, b"1")
        take()
        before = self.tree()
        await self.failure(incoming.keep(), FileExists)
        await self.failure(store.receive("album", path), FileExists)
        self.assertEqual(self.tree(), before)
        await self.assert_no_leftovers()

    def tree(self) -> list[str]:
        """All paths below the root, but for files in progress."""
        paths = [str(path.relative_to(self.root)) for path in self.root.rglob("*")]
        return sorted(path for path in paths if not path.startswith(".incoming"))

    async def test_links_in_the_way(self) -> None:
        """No symbolic link is followed: not of the file's name, of a folder's, or of the album's."""
        outside = Path(self.mktemp())
        outside.mkdir()
        for path in ("album", "album/a", "album/a/1.jpg"):
            for target in (outside.absolute(), "nowhere"):
                store = await self.make_store()
                link = self.root / path

                def take(link: Path = link, target: object = target) -> None:
                    link.parent.mkdir(parents=True, exist_ok=True)
                    link.symlink_to(str(target))

                await self.assert_taken(store, b"a/1.jpg", take)
                await self.failure(store.stat("album", b"a/1.jpg"), NoSuchFile)
                await self.failure(store.delete("album", b"a/1.jpg"), NoSuchFile)
                self.assertTrue(link.is_symlink())
        self.assertEqual(os.listdir(outside), [])

    async def test_no_albums(self) -> None:
        """What is no folder, or a hidden one, is no album; an empty folder is one."""
        store = await self.store_of({"a/1.jpg": b"1"})
        (self.root / "link").symlink_to("album")
        (self.root / "file").touch()
        (self.root / "empty").mkdir()
        await self.keep(store)
        asked = ["album", "link", "file", "empty", ".incoming", "nothing"]
        self.assertEqual(set(await store.exist(asked)), {"album", "empty"})

    async def test_others_in_the_way(self) -> None:
        """Whatever else has the name stays: a folder, a pipe; or, for a folder's name, a file."""
        for path, make in (
            ("album/a/1.jpg", Path.mkdir),
            ("album/a/1.jpg", os.mkfifo),
            ("album/a", Path.touch),
            ("album", Path.touch),
        ):
            store = await self.make_store()
            taken = self.root / path

            def take(taken: Path = taken, make: Callable[[Path], object] = make) -> None:
                taken.parent.mkdir(parents=True, exist_ok=True)
                make(taken)

            await self.assert_taken(store, b"a/1.jpg", take)
            await self.failure(store.stat("album", b"a/1.jpg"), NoSuchFile)
            await self.failure(store.delete("album", b"a/1.jpg"), NoSuchFile)

    async def test_replacing_a_link(self) -> None:
        """A link that took a file's place is not replaced, and what it leads to is not touched."""
        store = await self.store_of({"1.jpg": b"1"})
        version = (await self.member(store)).version
        incoming = await self.receive(store, b"1.jpg", b"new", replaces=version)
        (self.root / "album/1.jpg").rename(self.root / "other")
        (self.root / "album/1.jpg").symlink_to("../other")
        await self.failure(incoming.keep(), MemberChanged)
        self.assertEqual((self.root / "other").read_bytes(), b"1")

    async def test_modes(self) -> None:
        """Files are 0644, folders 0755, less what the umask takes; files in progress are for us alone."""
        for umask in (0o022, 0o027, 0o077):
            store = await self.make_store()
            self.addCleanup(os.umask, os.umask(umask))
            incoming = await self.receive(store, b"a/1.jpg", bytes(_MIB))
            self.assertEqual((self.root / ".incoming").stat().st_mode & 0o777, 0o700)
            await incoming.keep()
            self.assertEqual((self.root / "album/a/1.jpg").stat().st_mode & 0o7777, 0o644 & ~umask)
            for folder in ("album", "album/a"):
                self.assertEqual((self.root / folder).stat().st_mode & 0o777, 0o755 & ~umask)

    async def test_names_for_no_disk(self) -> None:
        """What no disk can keep, or no listing would show, is refused before the first byte."""
        store = await self.make_store()
        for path in (b"x" * 256, b"a/" + b"x" * 256 + b"/1.jpg", b"a/" * (MAX_DEPTH + 1) + b"1.jpg"):
            await self.failure(store.receive("album", path), BadKey)
        deepest = b"a/" * MAX_DEPTH + b"x" * 255
        member = await self.keep(store, deepest, b"1")
        self.assertEqual((await self.listing(store)).members, [member])
        await store.delete("album", deepest)
        await self.failure(store.list("album"), NoSuchAlbum)

    async def test_makes_nothing_in_vain(self) -> None:
        """Where a file can't be kept, folders made for it go; those that were there stay."""
        store = await self.make_store()
        (self.root / "album/a").mkdir(parents=True)

        def fails(*_: object) -> None:
            raise OSError(28, "No space left on device")

        place = Place(str(self.root), "album", b"a/b/c/1.jpg")
        self.assertRaises(NoSpace, Draft(place, None, Lock(), fails).keep, [b"1"])
        self.assertEqual(self.tree(), ["album", "album/a"])
        await self.assert_no_leftovers()
        await self.failure(store.stat("album", b"a/b/c/1.jpg"), NoSuchFile)

    async def test_folders_with_something_in_them(self) -> None:
        """A folder in which something else lies stays when its last member is deleted."""
        store = await self.store_of({"a/1.jpg": b"1", "a/.hidden": b"", "b/2.jpg": b"2", "b/c/": b""})
        await store.delete("album", b"a/1.jpg")
        await store.delete("album", b"b/2.jpg")
        self.assertEqual(self.tree(), ["album", "album/a", "album/a/.hidden", "album/b", "album/b/c"])

    async def test_durable(self) -> None:
        """Bytes are synced before the file is visible; then its folder, and those above that are new."""
        store = await self.store_of({"old/1.jpg": b"1"})
        synced: list[str] = []
        fsync = os.fsync

        def note(descriptor: int) -> None:
            path = os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), self.root.absolute())
            synced.append(path.partition("~")[0])
            fsync(descriptor)

        # What a power failure would leave can be seen by nothing else.
        self.patch(os, "fsync", note)
        await self.keep(store, b"old/2.jpg", b"2")
        self.assertEqual(synced, [".incoming/album", "album/old"])
        del synced[:]
        await self.keep(store, b"old/a/b/3.jpg", b"3")
        self.assertEqual(synced, [".incoming/album", "album/old/a/b", "album/old/a", "album/old"])
        del synced[:]
        await self.keep(store, b"old/2.jpg", b"4", replaces=(await self.member(store, b"old/2.jpg")).version)
        self.assertEqual(synced, [".incoming/album", "album/old"])
        del synced[:]
        await store.delete("album", b"old/1.jpg")
        self.assertEqual(synced, ["album/old"])
        del synced[:]
        await store.delete("album", b"old/a/b/3.jpg")
        self.assertEqual(synced, ["album/old"])
        del synced[:]
        await store.delete("album", b"old/2.jpg")
        self.assertEqual(synced, ["."])

    async def test_not_durable(self) -> None:
        """A file of which it is not certain that it would survive is not kept."""
        store = await self.make_store()
        fsync = os.fsync

        def fails_for_folders(descriptor: int) -> None:
            if os.path.isdir(f"/proc/self/fd/{descriptor}"):
                raise OSError(5, "Input/output error")
            fsync(descriptor)

        # A disk that fails can be had by no argument.
        self.patch(os, "fsync", fails_for_folders)
        incoming = await self.receive(store, b"a/1.jpg", b"1")
        error = await self.failure(incoming.keep(), StoreUnavailable)
        self.assertEqual(str(error), "Input/output error")
        self.assertEqual(self.tree(), [])
        await self.assert_no_leftovers()


class UnavailableTests(DiskCase, StoreCase, TestCase):
    """A root that is away, or does not permit."""

    async def test_away(self) -> None:
        """What is asked of a root that is not there says that the store is away, not that files are."""
        store = await self.store_of({"1.jpg": b"1"})
        incoming = await self.receive(store, b"2.jpg", b"2")
        self.root.rename(self.root.with_name("elsewhere"))
        for result in (
            store.stat("album", b"1.jpg"),
            store.receive("album", b"3.jpg"),
            store.delete("album", b"1.jpg"),
            store.free(),
            store.exist(["album"]),
            incoming.keep(),
        ):
            error = await self.failure(result, StoreUnavailable)
            self.assertEqual(str(error), "No such file or directory")
            self.assertIsNone(error.__cause__)
        await self.nothing(store.clean())

    async def test_no_permission(self) -> None:
        """What is not permitted is told, without the secret name of the album."""
        self.root = Path(mkdtemp())
        self.addCleanup(rmtree, self.root)
        write_album(self.root, "album", {"a/1.jpg": b"1"})
        self.root.chmod(0o755)
        (self.root / "album").chmod(0o755)
        (self.root / "album/a").chmod(0)
        self.addCleanup((self.root / "album/a").chmod, 0o700)
        store = DiskStore(str(self.root), at_once)
        if os.geteuid() == 0:
            os.seteuid(65534)
            self.addCleanup(os.seteuid, 0)
        else:
            self.root.chmod(0o555)
            self.addCleanup(self.root.chmod, 0o755)
        for result in (
            store.stat("album", b"a/1.jpg"),
            store.receive("album", b"a/1.jpg"),
            store.delete("album", b"a/1.jpg"),
            (await store.receive("album", b"2.jpg")).keep(),
        ):
            error = await self.failure(result, StoreUnavailable)
            self.assertEqual(str(error), "Permission denied")
            self.assertIsNone(error.__cause__)

    async def test_free(self) -> None:
        """The free room is that of the file system, in bytes."""
        store = await self.make_store()
        free = await store.free()
        expected = disk_usage(self.root).free
        self.assertApproximates(free, expected, expected / 2)


class WaitingTests(DiskCase, SynchronousTestCase):
    """What is done at once, and what in a thread."""

    def setUp(self) -> None:
        self.threads = ByHand()
        self.time = [0.0]
        self.root = Path(self.mktemp())
        write_album(self.root, "album", {"1.jpg": b"1"})
        self.store = DiskStore(str(self.root), self.threads, self.tick)

    def tick(self) -> float:
        """A clock that goes on by what stands in ``self.time``, or not at all."""
        return self.time.pop(0) if len(self.time) > 1 else self.time[0]

    def test_looks(self) -> None:
        """Looking at a file, or for a free place, or for room, takes no thread."""
        self.successResultOf(self.store.stat("album", b"1.jpg"))
        self.successResultOf(self.store.receive("album", b"2.jpg"))
        self.successResultOf(self.store.free())
        self.failureResultOf(self.store.stat("album", b"2.jpg"), NoSuchFile)

    def test_same_entries(self) -> None:
        """Looking for changes in a few folders takes no thread, in many of them it does."""
        for number in range(16):
            write_album(self.root, "large", {f"{number}/": b""})
        small, large = (list_album(str(self.root), album) for album in ("album", "large"))
        self.assertIs(self.successResultOf(self.store.same_entries("album", small)), True)
        looking = self.store.same_entries("large", large)
        self.assertNoResult(looking)
        self.threads.step()
        self.assertIs(self.successResultOf(looking), True)

    def test_slow_disk(self) -> None:
        """After a look that took long it does, for a while."""
        self.time = [0.0, 1.0]  # it began, it ended
        self.successResultOf(self.store.stat("album", b"1.jpg"))
        looks: list[Callable[[], Deferred[Any]]] = [
            lambda: self.store.stat("album", b"1.jpg"),
            lambda: self.store.receive("album", b"2.jpg"),
            self.store.free,
        ]
        for look in looks:
            looking = look()
            self.assertNoResult(looking)
            self.threads.step()
            self.successResultOf(looking)

    def test_works_in_threads(self) -> None:
        """All else is done in threads: listing, deleting, cleaning, the look at the root."""
        works: list[Callable[[], Deferred[Any]]] = [
            lambda: self.store.list("album"),
            lambda: self.store.exist(["album"]),
            lambda: self.store.delete("album", b"1.jpg"),
            self.store.clean,
            self.store.check,
        ]
        for work in works:
            working = work()
            self.assertNoResult(working)
            self.threads.step()
            self.successResultOf(working)
