"""
What every store of files must do, as tests; a subclass says which store.
"""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from fileserve.storage.errors import FileExists, MemberChanged, NoSuchAlbum, NoSuchFile
from fileserve.storage.interfaces import (
    IAlbumReader,
    IFileStore,
    IIncoming,
    IOpenMember,
    Listing,
    Member,
    Part,
)
from fileserve.storage.keys import is_member_name

from .nasty import NASTY_PATHS
from .support import deferred, read_parts

_TEN = b"0123456789"
_MIB = 1024 * 1024

Change = Callable[[], Awaitable[None]]


class StoreCase:
    """
    A store and albums in it, for tests. To be mixed into a ``TestCase`` of trial.

    Albums are made, and changed behind the store's back, by the methods that a
    subclass has to have. All results are awaited, so that it makes no difference
    whether a store has them at once.
    """

    #: Paths that are hard to keep. A store of which less can be asked says so.
    odd_paths: Sequence[bytes] = (
        *(path for path in NASTY_PATHS if all(map(is_member_name, path.split(b"/")))),
        b"every " + bytes(range(1, ord("/"))) + bytes(range(ord("/") + 1, 128)),
        b"every " + bytes(range(128, 256)),
    )

    async def make_store(self) -> IFileStore:
        """Make a store without albums, and have it closed after the test."""
        raise NotImplementedError

    async def put(self, album: str, files: Mapping[str, bytes]) -> None:
        """Put files into an album, in place of those that have such a path."""
        raise NotImplementedError

    async def delete(self, album: str, path: str) -> None:
        """Delete a file."""
        raise NotImplementedError

    async def leftovers(self) -> Sequence[object]:
        """What there is of files that are neither kept nor dropped, wherever the store has such."""
        raise NotImplementedError

    async def failure(self, awaitable: Any, error: type[BaseException]) -> Any:
        """The error with which something fails that the store does."""
        return await self.case.assertFailure(deferred(awaitable), error)

    async def nothing(self, awaitable: Any) -> None:
        """Wait for something that has no result."""
        self.case.assertIsNone(await awaitable)

    async def only_one(self, awaitables: Sequence[Deferred[Member]], error: type[Exception]) -> int:
        """Wait for all; which one came to something, while each of the others failed in this way."""
        results: list[tuple[bool, Any]] = await DeferredList(awaitables, consumeErrors=True)
        for success, result in results:
            if not success:
                result.trap(error)
        done = [number for number, (success, _) in enumerate(results) if success]
        self.case.assertEqual(len(done), 1)
        return done[0]

    @property
    def case(self) -> TestCase:
        return cast(TestCase, self)

    async def store_of(self, files: Mapping[str, bytes]) -> IFileStore:
        """A store with one album, ``album``."""
        store = await self.make_store()
        await self.put("album", files)
        return store

    async def listing(self, store: IFileStore, album: str = "album") -> Listing:
        listing = await store.list(album)
        assert isinstance(listing, Listing)
        return listing

    async def members(self, store: IFileStore, album: str = "album") -> dict[bytes, Member]:
        return {member.path: member for member in (await self.listing(store, album)).members}

    async def member(self, store: IFileStore, path: bytes = b"1.jpg") -> Member:
        return (await self.members(store))[path]

    def reader(self, store: IFileStore, album: str = "album") -> IAlbumReader:
        reader = store.reader(album)
        self.case.addCleanup(reader.close)
        return reader

    async def opened(self, store: IFileStore, path: bytes = b"1.jpg") -> IOpenMember:
        opened = await self.reader(store).open(await self.member(store, path))
        self.case.addCleanup(opened.close)
        return opened

    async def contents(self, store: IFileStore, album: str = "album") -> dict[bytes, bytes]:
        """All that can be read of an album."""
        members = (await self.listing(store, album)).members
        read = [await self.read_whole(store, member, album) for member in members]
        return {member.path: data for member, data in zip(members, read, strict=True)}

    async def read_whole(self, store: IFileStore, member: Member, album: str = "album") -> bytes:
        return bytes((await read_parts(self.reader(store, album), [Part(member, 0, member.size)]))[0])

    async def receive(
        self, store: IFileStore, path: bytes = b"1.jpg", *pieces: bytes, replaces: str | None = None
    ) -> IIncoming:
        """Begin to take a file in; what is not kept until then is dropped after the test."""
        incoming = await store.receive("album", path, replaces)
        self.case.addCleanup(incoming.drop)
        for piece in pieces:
            await incoming.write([piece])
        return incoming

    async def keep(
        self, store: IFileStore, path: bytes = b"1.jpg", *pieces: bytes, replaces: str | None = None
    ) -> Member:
        """Have a file kept."""
        return await (await self.receive(store, path, *pieces, replaces=replaces)).keep()

    async def assert_no_leftovers(self) -> None:
        self.case.assertEqual(list(await self.leftovers()), [])


class ReadingContract(StoreCase):
    """
    Listing and reading.
    """

    # Interfaces.

    async def test_interfaces(self) -> None:
        """The store and all that it gives have what their interfaces promise."""
        store = await self.store_of({"1.jpg": _TEN})
        verifyObject(IFileStore, store)
        verifyObject(IAlbumReader, self.reader(store))
        verifyObject(IOpenMember, await self.opened(store))
        verifyObject(IIncoming, await self.receive(store, b"2.jpg"))

    async def test_check(self) -> None:
        """A store that can serve says so."""
        await self.nothing((await self.make_store()).check())

    # Listing.

    async def test_lists(self) -> None:
        """``list`` gives every member with its path and size."""
        store = await self.store_of({"1.jpg": b"1", "a/2.jpg": b"22", "a/b/3 \u00e9.jpg": b""})
        sizes = {path: member.size for path, member in (await self.members(store)).items()}
        self.case.assertEqual(sizes, {b"1.jpg": 1, b"a/2.jpg": 2, "a/b/3 \u00e9.jpg".encode(): 0})

    async def test_hidden(self) -> None:
        """Names that begin with a dot are not listed."""
        store = await self.store_of({"1.jpg": b"1", ".2.jpg": b"2", "a/.b/3.jpg": b"3"})
        self.case.assertEqual(list(await self.members(store)), [b"1.jpg"])

    async def test_one_album_only(self) -> None:
        """An album whose name begins with another's is not shown in that one."""
        store = await self.store_of({"1.jpg": b"1"})
        await self.put("album2", {"2.jpg": b"2"})
        await self.put("albu", {"3.jpg": b"3"})
        self.case.assertEqual(list(await self.members(store)), [b"1.jpg"])

    async def test_no_such_album(self) -> None:
        """An album that is not there is said not to be."""
        store = await self.store_of({"1.jpg": b"1"})
        for name in ("nothing", "albu", "album2", "1.jpg"):
            await self.failure(store.list(name), NoSuchAlbum)

    async def test_exist(self) -> None:
        """Of some albums those are told that are there, whole names only."""
        store = await self.store_of({"a/1.jpg": b"1"})
        await self.put("album2", {"2.jpg": b"2"})
        asked = ["album", "albu", "album2", "album22", "a", "a" * 128]
        self.case.assertEqual(set(await store.exist(asked)), {"album", "album2"})
        self.case.assertEqual(set(await store.exist([])), set())
        await store.delete("album", b"a/1.jpg")
        self.case.assertEqual(set(await store.exist(asked)), {"album2"})

    async def test_equal_while_nothing_changes(self) -> None:
        """Two listings of one state are equal."""
        store = await self.store_of({"1.jpg": b"1", "a/2.jpg": b"22"})
        self.case.assertEqual(await self.listing(store), await self.listing(store))

    def changes(self) -> list[Change]:
        """Each kind of change that ``1.jpg`` with ten digits may undergo."""
        return [
            lambda: self.put("album", {"1.jpg": b"x" * 10}),
            lambda: self.put("album", {"1.jpg": _TEN + b"x"}),
            lambda: self.put("album", {"1.jpg": _TEN[:-1]}),
            lambda: self.put("album", {"1.jpg": b""}),
            lambda: self.delete("album", "1.jpg"),
        ]

    async def test_changes_show_in_the_listing(self) -> None:
        """After a change of any kind the listing is another, and says that something changed later."""
        for change in self.changes():
            store = await self.store_of({"1.jpg": _TEN, "2.jpg": b"2"})
            before = await self.listing(store)
            await change()
            after = await self.listing(store)
            self.case.assertNotEqual(before, after)
            self.case.assertNotEqual(before.members, after.members)
            self.case.assertGreaterEqual(after.changed_ns, before.changed_ns)

    async def test_versions(self) -> None:
        """A version is the same as long as the bytes are, and another after they changed."""
        store = await self.store_of({"1.jpg": _TEN})
        seen = [(await self.member(store)).version]
        self.case.assertEqual((await self.member(store)).version, seen[0])
        for change in self.changes()[:-1]:
            await change()
            seen.append((await self.member(store)).version)
        self.case.assertEqual(len(set(seen)), len(seen))

    # Looking at one file.

    async def test_stat(self) -> None:
        """``stat`` gives the very member that the listing has."""
        store = await self.store_of({"1.jpg": _TEN, "a/b/2.jpg": b"", "a/3 \u00e9.jpg": b"3"})
        for path, member in (await self.members(store)).items():
            self.case.assertEqual(await store.stat("album", path), member)

    async def test_stat_of_nothing(self) -> None:
        """What is no member can't be looked at: nothing, a folder, what is below a file, a hidden file."""
        store = await self.store_of({"1.jpg": _TEN, "a/b/2.jpg": b"", ".3.jpg": b"", "a/.b/4.jpg": b""})
        for path in (
            b"2.jpg",
            b"a",
            b"a/b",
            b"a/c/2.jpg",
            b"1.jpg/1.jpg",
            b".3.jpg",
            b"a/.b/4.jpg",
            b"x" * 256,
        ):
            await self.failure(store.stat("album", path), NoSuchFile)
        await self.failure(store.stat("nothing", b"1.jpg"), NoSuchFile)

    async def test_stat_after_changes(self) -> None:
        """``stat`` sees every change at once."""
        for change in self.changes():
            store = await self.store_of({"1.jpg": _TEN, "2.jpg": b"2"})
            before = await store.stat("album", b"1.jpg")
            await change()
            after = (await self.members(store)).get(b"1.jpg")
            if after is None:
                await self.failure(store.stat("album", b"1.jpg"), NoSuchFile)
            else:
                self.case.assertEqual(await store.stat("album", b"1.jpg"), after)
                self.case.assertNotEqual(before, after)

    # Reading parts.

    def read(self, store: IFileStore, members: Mapping[bytes, Member], *parts: tuple[bytes, int, int]) -> Any:
        wanted = [Part(members[path], offset, length) for path, offset, length in parts]
        return read_parts(self.reader(store), wanted)

    async def test_reads_parts(self) -> None:
        """``read_into`` fills the buffer of each part, by offset and length."""
        store = await self.store_of({"1.jpg": _TEN, "a/b/2.jpg": b"abcdef"})
        members = await self.members(store)
        wanted = (b"a/b/2.jpg", 1, 3), (b"1.jpg", 0, 10), (b"1.jpg", 9, 1), (b"a/b/2.jpg", 0, 6)
        self.case.assertEqual(await self.read(store, members, *wanted), [b"bcd", _TEN, b"9", b"abcdef"])

    async def test_reads_into_one_chunk(self) -> None:
        """Buffers may be places in one chunk; what lies between them stays."""
        store = await self.store_of({"1.jpg": _TEN})
        member = await self.member(store)
        chunk = bytearray(b"-" * 20)
        places = [memoryview(chunk)[1:5], memoryview(chunk)[6:16]]
        await self.reader(store).read_into(places, [Part(member, 3, 4), Part(member, 0, 10)])
        self.case.assertEqual(chunk, b"-3456-" + _TEN + b"----")

    async def test_reads_nothing(self) -> None:
        """No parts are read at once."""
        store = await self.store_of({"1.jpg": _TEN})
        reading = deferred(self.reader(store).read_into([], []))
        self.case.assertTrue(reading.called)
        await self.nothing(reading)

    async def test_reading_what_changed(self) -> None:
        """A part of a member that is no longer as listed fails, and the error names the member."""
        for change in self.changes():
            store = await self.store_of({"1.jpg": _TEN, "2.jpg": b"2"})
            members = await self.members(store)
            await change()
            reading = self.read(store, members, (b"2.jpg", 0, 1), (b"1.jpg", 0, 3))
            error = await self.failure(reading, MemberChanged)
            self.case.assertEqual(error.path, b"1.jpg")
            self.case.assertIn("1.jpg", str(error))

    # Open members.

    async def test_open_member_reads(self) -> None:
        """An open member reads exactly what is asked for, prepared or not, and tells which version it is."""
        store = await self.store_of({"a/1.jpg": _TEN})
        opened = await self.opened(store, b"a/1.jpg")
        self.case.assertEqual(opened.member, await self.member(store, b"a/1.jpg"))
        await self.nothing(opened.prepare(2, 5))
        for offset, length in ((2, 5), (0, 10), (9, 1)):
            self.case.assertEqual(bytes(await opened.read(offset, length)), _TEN[offset : offset + length])
        opened.check()

    async def test_opening_what_changed(self) -> None:
        """A member that is no longer as listed can't be opened."""
        for change in self.changes():
            store = await self.store_of({"1.jpg": _TEN})
            reader, member = self.reader(store), await self.member(store)
            await change()
            await self.failure(reader.open(member), MemberChanged)

    async def test_changing_what_is_open(self) -> None:
        """Reading of an open member that changed fails, even where the bytes asked for would be there."""
        for change in self.changes():
            store = await self.store_of({"1.jpg": _TEN})
            opened = await self.opened(store)
            await change()
            await self.failure(opened.read(0, 1), MemberChanged)

    # Checksums.

    async def test_crc32(self) -> None:
        """``crc32`` is the CRC-32 of the whole member, whatever its size."""
        contents = {"0": b"", "1": b"1", "2": bytes(1_000_003), "3": bytes(range(256)) * 40_000}
        store = await self.store_of(contents)
        members = await self.members(store)
        for name, data in contents.items():
            crc = await self.reader(store).crc32(members[name.encode()])
            self.case.assertEqual(crc, zlib.crc32(data), name)

    async def test_crc32_of_what_changed(self) -> None:
        """No CRC-32 is told of a member that is no longer as listed."""
        for change in self.changes():
            store = await self.store_of({"1.jpg": _TEN})
            reader, member = self.reader(store), await self.member(store)
            await change()
            await self.failure(reader.crc32(member), MemberChanged)

    # Closing.

    async def test_closing(self) -> None:
        """Readers and open members may be closed at any time and more than once."""
        store = await self.store_of({"1.jpg": _TEN})
        reader, member = self.reader(store), await self.member(store)
        opened = await reader.open(member)
        reader.close()
        self.case.assertEqual(bytes(await opened.read(0, 10)), _TEN)
        for closable in (opened, reader, opened, reader):
            closable.close()


class WritingContract(StoreCase):
    """
    Taking files in, and deleting them.
    """

    # Keeping.

    async def test_keeps(self) -> None:
        """A file that is kept is listed, looked at and read as it came; the member told is the listed one."""
        store = await self.make_store()
        member = await self.keep(store, b"a/b/1.jpg", b"01234", b"", b"56789")
        self.case.assertEqual((member.path, member.size), (b"a/b/1.jpg", 10))
        self.case.assertEqual((await self.listing(store)).members, [member])
        self.case.assertEqual(await store.stat("album", b"a/b/1.jpg"), member)
        self.case.assertEqual(await self.contents(store), {b"a/b/1.jpg": _TEN})
        await self.assert_no_leftovers()

    async def test_keeps_beside_others(self) -> None:
        """Other files of the album stay as they are, and so do other albums."""
        store = await self.store_of({"1.jpg": b"1", "a/2.jpg": b"2"})
        await self.put("album2", {"1.jpg": b"other"})
        before = await self.members(store)
        kept = [await self.keep(store, path, path) for path in (b"3.jpg", b"a/4.jpg", b"b/5.jpg")]
        after = await self.members(store)
        self.case.assertEqual(after, before | {member.path: member for member in kept})
        self.case.assertEqual(await self.contents(store, "album2"), {b"1.jpg": b"other"})

    async def test_keeps_nothing(self) -> None:
        """A file may have no bytes, whether none were written or empty pieces."""
        store = await self.make_store()
        await self.keep(store, b"1.jpg")
        await self.keep(store, b"2.jpg", b"", b"")
        await (await self.receive(store, b"3.jpg")).keep()
        self.case.assertEqual(await self.contents(store), {b"1.jpg": b"", b"2.jpg": b"", b"3.jpg": b""})

    async def test_keeps_any_name(self) -> None:
        """A file has exactly the name that it was given, whatever bytes that is made of."""
        store = await self.make_store()
        for path in self.odd_paths:
            await self.keep(store, path, path)
        self.case.assertEqual(await self.contents(store), {path: path for path in self.odd_paths})
        for path, member in (await self.members(store)).items():
            self.case.assertEqual(await store.stat("album", path), member)

    async def test_keeps_any_size(self) -> None:
        """All bytes are there, in order, in whatever pieces they come."""
        store = await self.make_store()
        data = bytes(range(251)) * (5 * _MIB // 251)
        expected = {}
        for size, together in ((1, 100_000), (1000, 30), (65_536, 1), (65_536, 16), (700_001, 1), (_MIB, 1)):
            path = b"%d x %d" % (size, together)
            incoming = await self.receive(store, path)
            expected[path] = data[: size * together * 7]
            pieces = [expected[path][at : at + size] for at in range(0, len(expected[path]), size)]
            for at in range(0, len(pieces), together):
                await incoming.write(pieces[at : at + together])
            member = await incoming.keep()
            self.case.assertEqual(member.size, len(expected[path]))
        contents = await self.contents(store)
        self.case.assertEqual({path for path in expected if contents.get(path) != expected[path]}, set())
        await self.assert_no_leftovers()

    async def test_invisible_before(self) -> None:
        """Nothing can be seen of a file before it is kept: neither of it nor of its album."""
        store = await self.make_store()
        incoming = await self.receive(store, b"a/1.jpg", bytes(_MIB))
        await self.failure(store.list("album"), NoSuchAlbum)
        await self.failure(store.stat("album", b"a/1.jpg"), NoSuchFile)
        await incoming.keep()
        self.case.assertEqual(list(await self.members(store)), [b"a/1.jpg"])

    async def test_many_at_once(self) -> None:
        """Files may come into one album at the same time."""
        store = await self.make_store()
        paths = [b"%d/%d" % (number % 3, number) for number in range(20)]
        incoming = [await self.receive(store, path, path * 5000) for path in paths]
        members = await gatherResults([each.keep() for each in incoming])
        self.case.assertEqual([member.path for member in members], paths)
        self.case.assertEqual(await self.contents(store), {path: path * 5000 for path in paths})

    # Dropping.

    async def test_drops(self) -> None:
        """In whatever state a file is dropped, nothing is left of it, and its place is free."""
        store = await self.make_store()
        for pieces in ([], [b"1"], [b"1" * 100], [bytes(_MIB)], [bytes(_MIB)] * 6):
            incoming = await self.receive(store, b"a/1.jpg", *pieces)
            await self.nothing(incoming.drop())
            await self.assert_no_leftovers()
            await self.nothing(incoming.drop())
            await self.failure(store.list("album"), NoSuchAlbum)
            await self.failure(incoming.write([b"more"]), Exception)
            await self.failure(incoming.keep(), Exception)
            await self.failure(store.list("album"), NoSuchAlbum)
        await self.keep(store, b"a/1.jpg", _TEN)
        self.case.assertEqual(await self.contents(store), {b"a/1.jpg": _TEN})

    async def test_drops_while_writing(self) -> None:
        """The same while a piece is being written, waited for or not."""
        store = await self.make_store()
        for cancelled in (False, True):
            incoming = await self.receive(store, b"1.jpg", bytes(_MIB))
            writing = incoming.write([bytes(_MIB)])
            if cancelled:
                writing.cancel()
            writing.addErrback(lambda _: None)  # it may fail, or be done
            await incoming.drop()
            await writing
            await self.assert_no_leftovers()
            await self.failure(store.list("album"), NoSuchAlbum)

    async def test_drops_what_was_kept(self) -> None:
        """Dropping does nothing any more, once a file is kept; nor does writing, or keeping it once more."""
        store = await self.make_store()
        for size in (10, _MIB):
            incoming = await self.receive(store, b"%d" % size, bytes(size))
            await incoming.keep()
            before = await self.listing(store)
            await self.failure(incoming.write([b"more"]), Exception)
            await self.failure(incoming.keep(), Exception)
            await self.nothing(incoming.drop())
            self.case.assertEqual(await self.listing(store), before)

    async def test_keeping_goes_on(self) -> None:
        """Who no longer waits for a file to be kept does not stop that."""
        store = await self.make_store()
        for size in (10, _MIB):
            incoming = await self.receive(store, b"%d" % size, bytes(size))
            keeping = incoming.keep()
            keeping.cancel()
            keeping.addErrback(lambda _: None)
            await incoming.drop()
            self.case.assertEqual((await store.stat("album", b"%d" % size)).size, size)
        await self.assert_no_leftovers()

    # Places that are taken.

    async def test_exists(self) -> None:
        """A place that is taken is refused before the first byte, and what is there stays."""
        store = await self.store_of({"1.jpg": _TEN})
        before = await self.listing(store)
        await self.failure(store.receive("album", b"1.jpg"), FileExists)
        self.case.assertEqual(await self.listing(store), before)
        await self.assert_no_leftovers()

    async def test_exists_meanwhile(self) -> None:
        """A place that is taken while the bytes come is refused at the end; what is there stays, alone."""
        store = await self.make_store()
        for size in (10, _MIB):
            path = b"%d" % size
            incoming = await self.receive(store, path, bytes(size))
            await self.put("album", {path.decode(): _TEN})
            before = await self.listing(store)
            await self.failure(incoming.keep(), FileExists)
            self.case.assertEqual(await self.listing(store), before)
            self.case.assertEqual((await self.contents(store))[path], _TEN)
            await self.assert_no_leftovers()

    async def test_one_of_many(self) -> None:
        """Of several that want one place at the same time one gets it, and all of its bytes are there."""
        store = await self.make_store()
        for size in (10, _MIB):
            path = b"%d" % size
            data = [bytes([number]) * size for number in range(5)]
            incoming = [await self.receive(store, path, each) for each in data]
            kept = await self.only_one([each.keep() for each in incoming], FileExists)
            self.case.assertEqual((await self.contents(store))[path], data[kept])
            await self.assert_no_leftovers()

    # Replacing.

    async def test_replaces(self) -> None:
        """A file takes the place of the version that it was to replace, and only then is seen."""
        store = await self.store_of({"a/1.jpg": _TEN, "a/2.jpg": b"2"})
        for data in (b"new", b"newer", b"", bytes(_MIB)):
            old = await self.member(store, b"a/1.jpg")
            incoming = await self.receive(store, b"a/1.jpg", data, replaces=old.version)
            self.case.assertEqual(await store.stat("album", b"a/1.jpg"), old)
            new = await incoming.keep()
            self.case.assertNotEqual(new.version, old.version)
            self.case.assertEqual(await self.member(store, b"a/1.jpg"), new)
            self.case.assertEqual(await self.contents(store), {b"a/1.jpg": data, b"a/2.jpg": b"2"})
        await self.assert_no_leftovers()

    async def test_reading_what_was_replaced(self) -> None:
        """Who reads the version that was replaced is told so, and never gets bytes of both."""
        store = await self.store_of({"1.jpg": _TEN})
        opened, reader, member = await self.opened(store), self.reader(store), await self.member(store)
        await self.keep(store, b"1.jpg", b"abcdefghij", replaces=member.version)
        await self.failure(opened.read(0, 10), MemberChanged)
        await self.failure(read_parts(reader, [Part(member, 0, 10)]), MemberChanged)

    async def test_replaces_another_version(self) -> None:
        """What was changed, or deleted, since is not replaced: at the beginning nor at the end."""
        store = await self.store_of({"1.jpg": _TEN, "2.jpg": b"2"})
        old = (await self.member(store)).version
        incoming = [await self.receive(store, b"1.jpg", bytes(size), replaces=old) for size in (10, _MIB)]
        await self.put("album", {"1.jpg": b"changed"})
        before = await self.contents(store)
        await self.failure(incoming[0].keep(), MemberChanged)
        await self.failure(store.receive("album", b"1.jpg", old), MemberChanged)
        self.case.assertEqual(await self.contents(store), before)
        await self.delete("album", "1.jpg")
        await self.failure(incoming[1].keep(), MemberChanged)
        await self.failure(store.receive("album", b"1.jpg", old), MemberChanged)
        self.case.assertEqual(await self.contents(store), {b"2.jpg": b"2"})
        await self.assert_no_leftovers()

    async def test_replaces_nothing(self) -> None:
        """What is not there can't be replaced: no file, no folder of it, no album."""
        store = await self.store_of({"1.jpg": _TEN})
        version = (await self.member(store)).version
        for album, path in (("album", b"2.jpg"), ("album", b"a/1.jpg"), ("nothing", b"1.jpg")):
            await self.failure(store.receive(album, path, version), MemberChanged)
        await self.failure(store.list("nothing"), NoSuchAlbum)

    async def test_one_replacement_of_many(self) -> None:
        """Of several that replace one version at the same time one does, and the others are told."""
        store = await self.store_of({"1.jpg": _TEN})
        for size in (10, _MIB):
            old = (await self.member(store)).version
            data = [bytes([number]) * size for number in range(5)]
            incoming = [await self.receive(store, b"1.jpg", each, replaces=old) for each in data]
            kept = await self.only_one([each.keep() for each in incoming], MemberChanged)
            self.case.assertEqual(await self.contents(store), {b"1.jpg": data[kept]})
            await self.assert_no_leftovers()

    # Deleting.

    async def test_deletes(self) -> None:
        """A file that is deleted is gone; the others stay."""
        store = await self.store_of({"1.jpg": b"1", "a/2.jpg": b"2", "a/3.jpg": b"3"})
        for path in (b"1.jpg", b"a/2.jpg"):
            await self.nothing(store.delete("album", path))
            await self.failure(store.stat("album", path), NoSuchFile)
        self.case.assertEqual(await self.contents(store), {b"a/3.jpg": b"3"})

    async def test_deletes_empty_folders(self) -> None:
        """Folders that a deletion leaves empty go with the file, and with the last file the album."""
        store = await self.store_of({"1.jpg": b"1", "a/b/2.jpg": b"2", "a/b/c/3.jpg": b"3"})
        await store.delete("album", b"a/b/2.jpg")
        await store.delete("album", b"a/b/c/3.jpg")
        self.case.assertEqual((await self.listing(store)).empty_folders, [])
        self.case.assertEqual(list(await self.members(store)), [b"1.jpg"])
        await store.delete("album", b"1.jpg")
        await self.failure(store.list("album"), NoSuchAlbum)
        await self.keep(store, b"a/1.jpg", b"again")
        self.case.assertEqual(await self.contents(store), {b"a/1.jpg": b"again"})

    async def test_deletes_any_name(self) -> None:
        """Whatever name a file has, it can be deleted."""
        store = await self.make_store()
        for path in self.odd_paths:
            await self.keep(store, path, path)
        for path in self.odd_paths:
            await store.delete("album", path)
        await self.failure(store.list("album"), NoSuchAlbum)

    async def test_deletes_one_version(self) -> None:
        """A version that was asked for is deleted, and no other."""
        store = await self.store_of({"1.jpg": _TEN, "2.jpg": b"2"})
        old = (await self.member(store)).version
        await self.put("album", {"1.jpg": b"changed"})
        before = await self.listing(store)
        error = await self.failure(store.delete("album", b"1.jpg", old), MemberChanged)
        self.case.assertEqual(error.path, b"1.jpg")
        self.case.assertEqual(await self.listing(store), before)
        await store.delete("album", b"1.jpg", (await self.member(store)).version)
        self.case.assertEqual(list(await self.members(store)), [b"2.jpg"])

    async def test_deletes_nothing(self) -> None:
        """What is no member can't be deleted: nothing, a folder, what is below a file, what was deleted."""
        store = await self.store_of({"1.jpg": _TEN, "a/2.jpg": b"2"})
        before = await self.listing(store)
        for path in (b"2.jpg", b"a", b"b/2.jpg", b"1.jpg/1.jpg"):
            for version in (None, before.members[0].version):
                await self.failure(store.delete("album", path, version), NoSuchFile)
        await self.failure(store.delete("nothing", b"1.jpg"), NoSuchFile)
        self.case.assertEqual(await self.listing(store), before)
        await store.delete("album", b"1.jpg")
        await self.failure(store.delete("album", b"1.jpg"), NoSuchFile)

    # The rest.

    async def test_free(self) -> None:
        """Free room is a number of bytes, or has no bound."""
        free = await (await self.make_store()).free()
        self.case.assertTrue(free is None or free > 0, free)

    async def test_cleaning(self) -> None:
        """Cleaning takes nothing from files that are kept, nor from those on their way."""
        store = await self.store_of({"1.jpg": _TEN})
        before = await self.members(store)
        incoming = await self.receive(store, b"2.jpg", bytes(_MIB))
        await self.nothing(store.clean())
        self.case.assertEqual(await self.members(store), before)
        await incoming.write([bytes(_MIB)])
        member = await incoming.keep()
        self.case.assertEqual(await self.members(store), before | {b"2.jpg": member})
        self.case.assertEqual(await self.read_whole(store, member), bytes(2 * _MIB))

    async def test_closing_the_store(self) -> None:
        """A store may be closed, also twice."""
        store = await self.store_of({"1.jpg": _TEN})
        await self.nothing(store.close())
        await self.nothing(store.close())


class FileStoreContract(ReadingContract, WritingContract):
    """
    All of it.
    """
