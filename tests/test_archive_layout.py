"""
``fileserve.archive.layout`` against archives put together piece after piece, and ``zipfile``.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Sequence
from itertools import accumulate, combinations_with_replacement
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.archive.layout import Kind, Layout, Piece
from fileserve.archive.names import safe_names
from fileserve.archive.zipformat import (
    DESCRIPTOR_ABOVE,
    Entry,
    central_header,
    descriptor,
    end_of_central_directory,
    local_header,
)
from tests.nasty import NASTY_PATHS
from tests.sparse import Archive, crc32_of_zeros

# Hypothesis judges the time an example takes, which says nothing on a busy machine.
patient = settings(deadline=None)

AROUND_32_BITS = (0xFFFFFFFE, 0xFFFFFFFF, 0x100000000)

_ZIP64_END = b"PK\6\6"
_DESCRIPTOR_SIZE = 16
_SECOND = 10**9

names = st.binary(min_size=1, max_size=12)
times = st.integers(-(2**34), 2**34).map(lambda seconds: seconds * _SECOND)
small = st.lists(st.builds(Entry, names, st.integers(0, 40), times), max_size=6)
sizes = st.one_of(
    st.integers(0, 2**34),
    st.sampled_from([0, 1, DESCRIPTOR_ABOVE, DESCRIPTOR_ABOVE + 1, *AROUND_32_BITS]),
)
segments = st.binary(min_size=1, max_size=8).filter(lambda name: not set(name) & {0, 0x2F})
paths = st.lists(segments, min_size=1, max_size=3).map(b"/".join)
any_size = st.lists(st.builds(Entry, names, sizes, times), max_size=6)


class Whole(NamedTuple):
    """
    One record or one body, and its length.
    """

    kind: Kind
    entry: int
    length: int
    data: bytes


def sent(entries: Sequence[Entry]) -> Iterator[Whole]:
    """
    What an archive of zeros consists of, made and counted in the order of sending. Bodies are left out.
    """
    at, offsets = 0, []
    for index, entry in enumerate(entries):
        crc = crc32_of_zeros(entry.size)
        offsets.append(at)
        header = local_header(entry, at, crc)
        yield Whole(Kind.LOCAL_HEADER, index, len(header), header)
        yield Whole(Kind.BODY, index, entry.size, b"")
        behind = descriptor(entry, crc) if entry.size > DESCRIPTOR_ABOVE else b""
        yield Whole(Kind.DESCRIPTOR, index, len(behind), behind)
        at += len(header) + entry.size + len(behind)
    start = at
    for index, entry in enumerate(entries):
        header = central_header(entry, offsets[index], crc32_of_zeros(entry.size))
        yield Whole(Kind.CENTRAL_HEADER, index, len(header), header)
        at += len(header)
    end = end_of_central_directory(len(entries), start, at - start)
    yield Whole(Kind.END, len(entries), len(end), end)


def cut(wholes: Sequence[Whole], start: int, stop: int) -> list[Piece]:
    """
    What of each lies between two places, looking at all of them.
    """
    found, at = [], 0
    for whole in wholes:
        first, last = max(start, at), min(stop, at + whole.length)
        if first < last:
            found.append(Piece(whole.kind, whole.entry, first - at, last - first))
        at += whole.length
    return found


def joints(entries: Sequence[Entry]) -> list[int]:
    """
    Where one record or body ends and the next begins, with the places beside, and both ends.
    """
    ends = list(accumulate((whole.length for whole in sent(entries)), initial=0))
    beside = {end + step for end in ends for step in (-1, 0, 1)}
    return sorted(place for place in beside if 0 <= place <= ends[-1])


def places(entries: Sequence[Entry]) -> st.SearchStrategy[int]:
    """
    Places in an archive, many of them at or beside a joint.
    """
    special = joints(entries)
    return st.one_of(st.sampled_from(special), st.integers(0, special[-1]))


class LengthTests(SynchronousTestCase):
    """The length that is promised before anything is read."""

    @patient
    @given(any_size)
    @example([])
    @example([Entry(b"a", 0xFFFFFFFF, 0), Entry(b"b", 0, 0)])
    def test_promised_is_sent(self, entries: list[Entry]) -> None:
        """The promised length is that of all records and bodies together."""
        layout = Layout(entries)
        self.assertEqual(layout.length, sum(whole.length for whole in sent(entries)))
        self.assertEqual(layout.length, sum(piece.length for piece in layout.pieces(0, layout.length)))

    def test_nothing(self) -> None:
        """An archive without members is one record of 22 bytes."""
        self.assertEqual(Layout([]).length, 22)
        self.assertEqual(list(Layout([]).pieces(0, 22)), [Piece(Kind.END, 0, 0, 22)])

    def test_many(self) -> None:
        """The promise holds on both sides of 65,535 members, where Zip64 begins, and beyond."""
        entries = [Entry(b"%d" % number, 0, 0) for number in range(70_000)]
        for count, zip64 in ((65_534, False), (65_535, True), (65_536, True), (70_000, True)):
            archive = Archive(entries[:count])
            with archive.open() as file, zipfile.ZipFile(file) as opened:
                self.assertEqual(len(opened.infolist()), count)
            tail = archive.read(archive.layout.length - 98, archive.layout.length)
            self.assertEqual(tail.startswith(_ZIP64_END), zip64)
            records = sum(39 + 55 + 2 * len(entry.name) for entry in archive.entries)
            self.assertEqual(archive.layout.length, records + 22 + 76 * zip64)


class PiecesTests(SynchronousTestCase):
    """Any part of an archive."""

    @patient
    @given(st.data(), any_size)
    def test_what_a_part_is_made_of(self, data: st.DataObject, entries: list[Entry]) -> None:
        """The pieces of a part are those, in order, that lie in it; none is empty."""
        start, stop = sorted((data.draw(places(entries)), data.draw(places(entries))))
        self.assertEqual(list(Layout(entries).pieces(start, stop)), cut(list(sent(entries)), start, stop))

    def test_from_joint_to_joint(self) -> None:
        """The same between every two places where something ends or begins."""
        entries = [
            Entry(b"a", 5, 0),
            Entry(b"b/", 0, 0),
            Entry(b"c", DESCRIPTOR_ABOVE + 1, 0),
            Entry(b"d", 1, 0),
        ]
        layout, wholes = Layout(entries), list(sent(entries))
        for start, stop in combinations_with_replacement(joints(entries), 2):
            self.assertEqual(list(layout.pieces(start, stop)), cut(wholes, start, stop))

    @patient
    @given(st.data(), small)
    def test_part_is_the_slice(self, data: st.DataObject, entries: list[Entry]) -> None:
        """The bytes of a part are the slice of the whole, wherever it begins and ends."""
        whole = b"".join(each.data or bytes(each.length) for each in sent(entries))
        start, stop = sorted((data.draw(places(entries)), data.draw(places(entries))))
        self.assertEqual(Archive(entries).read(start, stop), whole[start:stop])

    @patient
    @given(small, st.integers(1, 50))
    def test_parts_make_the_whole(self, entries: list[Entry], size: int) -> None:
        """Fetched in parts of any size, as ``aria2c`` does, an archive is the one that is sent at once."""
        archive = Archive(entries)
        length = archive.layout.length
        parts = [archive.read(at, min(at + size, length)) for at in range(0, length, size)]
        self.assertEqual(b"".join(parts), archive.read(0, length))

    @patient
    @given(st.data(), small)
    def test_no_bytes(self, data: st.DataObject, entries: list[Entry]) -> None:
        """A part of no bytes has no pieces."""
        place = data.draw(places(entries))
        self.assertEqual(list(Layout(entries).pieces(place, place)), [])


class Zip64Tests(SynchronousTestCase):
    """Sizes and places around 4 GiB, as ``zipfile`` finds them."""

    def test_sizes(self) -> None:
        """Members of these sizes have them, and what follows is where it is said to be."""
        for size in AROUND_32_BITS:
            archive = Archive([Entry(b"large", size, 0), Entry(b"next", 4, 0)], {b"next": b"here"})
            with archive.open() as file, zipfile.ZipFile(file) as opened:
                self.assertEqual([info.file_size for info in opened.infolist()], [size, 4])
                self.assertEqual(opened.getinfo("large").CRC, crc32_of_zeros(size))
                self.assertEqual(opened.read("next"), b"here")
                with opened.open("large") as member:
                    self.assertEqual(member.read(10), bytes(10))

    def test_places(self) -> None:
        """A member at one of these places is found; Zip64 is used from the value that stands for it."""
        for place in AROUND_32_BITS:
            archive = self.next_at(place)
            with archive.open() as file, zipfile.ZipFile(file) as opened:
                far = opened.getinfo("next")
                self.assertEqual(far.header_offset, place)
                self.assertEqual(opened.read(far), b"here")
                self.assertEqual(far.extra.startswith(b"\1\0\x08\0"), place >= 0xFFFFFFFF)

    def test_central_directory(self) -> None:
        """The same for the place where the central directory begins."""
        for place in AROUND_32_BITS:
            archive = Archive([Entry(b"large", place - self.around(b"large"), 0)])
            with archive.open() as file, zipfile.ZipFile(file) as opened:
                self.assertEqual(opened.start_dir, place)
                self.assertEqual(opened.namelist(), ["large"])
            tail = archive.read(archive.layout.length - 98, archive.layout.length)
            self.assertEqual(tail.startswith(_ZIP64_END), place >= 0xFFFFFFFF)

    def next_at(self, place: int) -> Archive:
        large = Entry(b"large", place - self.around(b"large"), 0)
        return Archive([large, Entry(b"next", 4, 0)], {b"next": b"here"})

    def around(self, name: bytes) -> int:
        """How many bytes stand around the data of a large member that needs no Zip64."""
        return len(local_header(Entry(name, DESCRIPTOR_ABOVE + 1, 0), 0, 0)) + _DESCRIPTOR_SIZE


class ReadBackTests(SynchronousTestCase):
    """Whole albums with any names, as ``zipfile`` reads them."""

    @patient
    @given(
        st.dictionaries(paths, st.tuples(st.binary(max_size=30), times), max_size=8),
        st.sets(st.sampled_from([path for path in NASTY_PATHS if path.endswith(b"/")])),
    )
    def test_read_back(self, members: dict[bytes, tuple[bytes, int]], folders: set[bytes]) -> None:
        """What went in comes out under the names that were found for it; folders as folders."""
        called = safe_names([*members, *folders])
        bodies = {called[path]: data for path, (data, _) in members.items()}
        entries = [Entry(called[path], len(data), mtime_ns) for path, (data, mtime_ns) in members.items()]
        entries += [Entry(called[path], 0, 0) for path in folders]
        with Archive(entries, bodies).open() as file, zipfile.ZipFile(file) as opened:
            self.assertIsNone(opened.testzip())
            self.assertEqual([name.encode() for name in opened.namelist()], [entry.name for entry in entries])
            for info in opened.infolist():
                self.assertEqual(opened.read(info), bodies.get(info.filename.encode(), b""))
                self.assertEqual(info.is_dir(), info.filename.encode() not in bodies)


class SparseTests(SynchronousTestCase):
    """The helper of these tests."""

    def test_crc32_of_zeros(self) -> None:
        """It is what ``zlib`` computes."""
        for length in (0, 1, 2, 3, 255, 256, 100_001):
            self.assertEqual(crc32_of_zeros(length), zlib.crc32(bytes(length)))
