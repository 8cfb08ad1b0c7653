"""
Tests of the store in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from fileserve.storage.abilities import IGivesLinks
from fileserve.storage.errors import FileExists, NoSpace, NoSuchAlbum, NoSuchFile
from fileserve.storage.interfaces import IFileStore
from fileserve.storage.memory import MemoryStore

from .storecontract import FileStoreContract


class MemoryStoreTests(FileStoreContract, TestCase):
    """A `MemoryStore` does what every store does."""

    async def make_store(self) -> IFileStore:
        self.store = MemoryStore()
        return self.store

    async def put(self, album: str, files: Mapping[str, bytes]) -> None:
        for path, data in files.items():
            self.store.put(album, path.encode(), data)

    async def delete(self, album: str, path: str) -> None:
        await self.store.delete(album, path.encode())

    async def leftovers(self) -> Sequence[object]:
        return list(self.store.incoming)

    async def test_reader_of_no_album(self) -> None:
        """An album without files can't be read."""
        self.assertRaises(NoSuchAlbum, (await self.make_store()).reader, "nothing")

    async def test_gives_no_links(self) -> None:
        """No address leads to what is in memory."""
        self.assertFalse(IGivesLinks.providedBy(await self.make_store()))

    async def test_file_for_folder(self) -> None:
        """As on a disk, nothing is both a file and a folder."""
        store = await self.store_of({"a/1.jpg": b"1", "2.jpg": b"2"})
        incoming = await store.receive("album", b"b")
        await self.put("album", {"b/3.jpg": b"3"})
        await self.failure(incoming.keep(), FileExists)
        for path in (b"a", b"2.jpg/1.jpg", b"b"):
            await self.failure(store.receive("album", path), FileExists)
        await store.delete("album", b"a/1.jpg")
        await self.keep(store, b"a", b"now a file")
        self.assertEqual((await self.contents(store))[b"a"], b"now a file")

    async def test_time(self) -> None:
        """Files and albums bear the time at which they were changed."""
        clock = Clock()
        clock.advance(1000)
        store = MemoryStore(now_ns=lambda: int(clock.seconds() * 1e9))
        self.assertEqual((await self.keep(store, b"1.jpg")).mtime_ns, 1_000_000_000_000)
        clock.advance(1)
        await self.keep(store, b"2.jpg")
        self.assertEqual((await self.listing(store)).changed_ns, 1_001_000_000_000)
        clock.advance(1)
        await store.delete("album", b"2.jpg")
        self.assertEqual((await self.listing(store)).changed_ns, 1_002_000_000_000)


class RoomTests(TestCase):
    """A store that is full."""

    async def test_room(self) -> None:
        """What is kept and what is on its way take room together; what goes gives it back."""
        store = MemoryStore(room=10)
        one, two = await store.receive("album", b"1"), await store.receive("album", b"2")
        await one.write([b"12", b"34"])
        await two.write([b"1234"])
        self.assertEqual(await store.free(), 2)
        await one.keep()
        self.assertEqual(await store.free(), 2)
        for _ in range(2):
            await self.assertFailure(two.write([b"567"]), NoSpace)
        await self.assertFailure(two.keep(), NoSpace)
        await self.assertFailure(store.stat("album", b"2"), NoSuchFile)
        self.assertEqual(await store.free(), 6)
        await store.delete("album", b"1")
        self.assertEqual(await store.free(), 10)

    async def test_just_full(self) -> None:
        """All of the room can be had."""
        store = MemoryStore(room=10)
        incoming = await store.receive("album", b"1")
        await incoming.write([b"0123456789"])
        await incoming.keep()
        self.assertEqual(await store.free(), 0)
