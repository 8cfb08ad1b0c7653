"""
What every store of files must do, as tests; a subclass says which store.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from fileserve.storage.interfaces import (
    IAlbumReader,
    IFileStore,
    IOpenMember,
    Listing,
    Member,
    MemberChanged,
    NoSuchAlbum,
    Part,
)

from .support import deferred, read_parts

_TEN = b"0123456789"


class FileStoreContract:
    """
    Tests of an `IFileStore`. To be mixed into a ``SynchronousTestCase``.

    Albums are made, and changed behind the store's back, by the three methods
    that a subclass has to have.
    """

    def make_store(self) -> IFileStore:
        """Make a store without albums."""
        raise NotImplementedError

    def put(self, album: str, files: Mapping[str, bytes]) -> None:
        """Put files into an album, in place of those that have such a path."""
        raise NotImplementedError

    def delete(self, album: str, path: str) -> None:
        """Delete a file."""
        raise NotImplementedError

    def result(self, awaitable: Any) -> Any:
        """The result of something that the store does."""
        return self.case.successResultOf(deferred(awaitable))

    def failure(self, awaitable: Any, error: type[BaseException]) -> Any:
        """The error with which something fails that the store does."""
        return self.case.failureResultOf(deferred(awaitable), error).value

    @property
    def case(self) -> SynchronousTestCase:
        return cast(SynchronousTestCase, self)

    def store_of(self, files: Mapping[str, bytes]) -> IFileStore:
        """A store with one album, ``album``."""
        store = self.make_store()
        self.put("album", files)
        return store

    def listing(self, store: IFileStore, album: str = "album") -> Listing:
        listing = self.result(store.list(album))
        assert isinstance(listing, Listing)
        return listing

    def members(self, store: IFileStore) -> dict[bytes, Member]:
        return {member.path: member for member in self.listing(store).members}

    def reader(self, store: IFileStore) -> IAlbumReader:
        reader = store.reader("album")
        self.case.addCleanup(reader.close)
        return reader

    def opened(self, store: IFileStore, path: bytes) -> IOpenMember:
        member = self.result(self.reader(store).open(self.members(store)[path]))
        self.case.addCleanup(member.close)
        opened: IOpenMember = member
        return opened

    # Interfaces.

    def test_interfaces(self) -> None:
        """The store, its readers and open members have all that their interfaces promise."""
        store = self.store_of({"1.jpg": _TEN})
        verifyObject(IFileStore, store)
        verifyObject(IAlbumReader, self.reader(store))
        verifyObject(IOpenMember, self.opened(store, b"1.jpg"))

    def test_check(self) -> None:
        """A store that can serve says so."""
        self.case.assertIsNone(self.result(self.make_store().check()))

    # Listing.

    def test_lists(self) -> None:
        """``list`` gives every member with its path and size."""
        store = self.store_of({"1.jpg": b"1", "a/2.jpg": b"22", "a/b/3 \u00e9.jpg": b""})
        sizes = {path: member.size for path, member in self.members(store).items()}
        self.case.assertEqual(sizes, {b"1.jpg": 1, b"a/2.jpg": 2, "a/b/3 \u00e9.jpg".encode(): 0})

    def test_hidden(self) -> None:
        """Names that begin with a dot are not listed."""
        store = self.store_of({"1.jpg": b"1", ".2.jpg": b"2", "a/.b/3.jpg": b"3"})
        self.case.assertEqual(list(self.members(store)), [b"1.jpg"])

    def test_one_album_only(self) -> None:
        """An album whose name begins with another's is not shown in that one."""
        store = self.store_of({"1.jpg": b"1"})
        self.put("album2", {"2.jpg": b"2"})
        self.put("albu", {"3.jpg": b"3"})
        self.case.assertEqual(list(self.members(store)), [b"1.jpg"])

    def test_no_such_album(self) -> None:
        """An album that is not there is said not to be."""
        store = self.store_of({"1.jpg": b"1"})
        for name in ("nothing", "albu", "album2", "1.jpg"):
            self.failure(store.list(name), NoSuchAlbum)

    def test_equal_while_nothing_changes(self) -> None:
        """Two listings of one state are equal."""
        store = self.store_of({"1.jpg": b"1", "a/2.jpg": b"22"})
        self.case.assertEqual(self.listing(store), self.listing(store))

    def changes(self) -> list[Callable[[], None]]:
        """Each kind of change that ``1.jpg`` with ten digits may undergo."""
        return [
            lambda: self.put("album", {"1.jpg": b"x" * 10}),
            lambda: self.put("album", {"1.jpg": _TEN + b"x"}),
            lambda: self.put("album", {"1.jpg": _TEN[:-1]}),
            lambda: self.put("album", {"1.jpg": b""}),
            lambda: self.delete("album", "1.jpg"),
        ]

    def test_changes_show_in_the_listing(self) -> None:
        """After a change of any kind the listing is another, and says that something changed later."""
        for change in self.changes():
            store = self.store_of({"1.jpg": _TEN, "2.jpg": b"2"})
            before = self.listing(store)
            change()
            after = self.listing(store)
            self.case.assertNotEqual(before, after)
            self.case.assertNotEqual(before.members, after.members)
            self.case.assertGreaterEqual(after.changed_ns, before.changed_ns)

    def test_versions(self) -> None:
        """A version is the same as long as the bytes are, and another after they changed."""
        store = self.store_of({"1.jpg": _TEN})
        seen = [self.members(store)[b"1.jpg"].version]
        self.case.assertEqual(self.members(store)[b"1.jpg"].version, seen[0])
        for change in self.changes()[:-1]:
            change()
            seen.append(self.members(store)[b"1.jpg"].version)
        self.case.assertEqual(len(set(seen)), len(seen))

    # Reading parts.

    def read(self, store: IFileStore, members: Mapping[bytes, Member], *parts: tuple[bytes, int, int]) -> Any:
        wanted = [Part(members[path], offset, length) for path, offset, length in parts]
        return read_parts(self.reader(store), wanted)

    def test_reads_parts(self) -> None:
        """``read_into`` fills the buffer of each part, by offset and length."""
        store = self.store_of({"1.jpg": _TEN, "a/b/2.jpg": b"abcdef"})
        members = self.members(store)
        wanted = (b"a/b/2.jpg", 1, 3), (b"1.jpg", 0, 10), (b"1.jpg", 9, 1), (b"a/b/2.jpg", 0, 6)
        data = self.result(self.read(store, members, *wanted))
        self.case.assertEqual(data, [b"bcd", _TEN, b"9", b"abcdef"])

    def test_reads_into_one_chunk(self) -> None:
        """Buffers may be places in one chunk; what lies between them stays."""
        store = self.store_of({"1.jpg": _TEN})
        member = self.members(store)[b"1.jpg"]
        chunk = bytearray(b"-" * 20)
        places = [memoryview(chunk)[1:5], memoryview(chunk)[6:16]]
        self.result(self.reader(store).read_into(places, [Part(member, 3, 4), Part(member, 0, 10)]))
        self.case.assertEqual(chunk, b"-3456-" + _TEN + b"----")

    def test_reads_nothing(self) -> None:
        """No parts are read at once."""
        store = self.store_of({"1.jpg": _TEN})
        self.case.assertIsNone(self.result(self.reader(store).read_into([], [])))

    def test_reading_what_changed(self) -> None:
        """A part of a member that is no longer as listed fails, and the error names the member."""
        for change in self.changes():
            store = self.store_of({"1.jpg": _TEN, "2.jpg": b"2"})
            members = self.members(store)
            change()
            error = self.failure(self.read(store, members, (b"2.jpg", 0, 1), (b"1.jpg", 0, 3)), MemberChanged)
            self.case.assertEqual(error.path, b"1.jpg")
            self.case.assertIn("1.jpg", str(error))

    # Open members.

    def test_open_member_reads(self) -> None:
        """An open member reads exactly what is asked for, prepared or not, and tells which version it is."""
        store = self.store_of({"a/1.jpg": _TEN})
        opened = self.opened(store, b"a/1.jpg")
        self.case.assertEqual(opened.member, self.members(store)[b"a/1.jpg"])
        self.case.assertIsNone(self.result(opened.prepare(2, 5)))
        for offset, length in ((2, 5), (0, 10), (9, 1)):
            data = bytes(self.result(opened.read(offset, length)))
            self.case.assertEqual(data, _TEN[offset : offset + length])
        opened.check()

    def test_opening_what_changed(self) -> None:
        """A member that is no longer as listed can't be opened."""
        for change in self.changes():
            store = self.store_of({"1.jpg": _TEN})
            member = self.members(store)[b"1.jpg"]
            change()
            self.failure(self.reader(store).open(member), MemberChanged)

    def test_changing_what_is_open(self) -> None:
        """Reading of an open member that changed fails, even where the bytes asked for would be there."""
        for change in self.changes():
            store = self.store_of({"1.jpg": _TEN})
            opened = self.opened(store, b"1.jpg")
            change()
            self.failure(opened.read(0, 1), MemberChanged)

    # Checksums.

    def test_crc32(self) -> None:
        """``crc32`` is the CRC-32 of the whole member, whatever its size."""
        contents = {"0": b"", "1": b"1", "2": bytes(1_000_003), "3": bytes(range(256)) * 40_000}
        store = self.store_of(contents)
        members = self.members(store)
        for name, data in contents.items():
            crc = self.result(self.reader(store).crc32(members[name.encode()]))
            self.case.assertEqual(crc, zlib.crc32(data), name)

    def test_crc32_of_what_changed(self) -> None:
        """No CRC-32 is told of a member that is no longer as listed."""
        for change in self.changes():
            store = self.store_of({"1.jpg": _TEN})
            member = self.members(store)[b"1.jpg"]
            change()
            self.failure(self.reader(store).crc32(member), MemberChanged)

    # Closing.

    def test_closing(self) -> None:
        """Readers and open members may be closed at any time and more than once."""
        store = self.store_of({"1.jpg": _TEN})
        reader, member = self.reader(store), self.members(store)[b"1.jpg"]
        opened = self.result(reader.open(member))
        reader.close()
        self.case.assertEqual(bytes(self.result(opened.read(0, 10))), _TEN)
        for closable in (opened, reader, opened, reader):
            closable.close()
