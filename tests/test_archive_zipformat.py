"""
``fileserve.archive.zipformat`` against the tables of APPNOTE 6.3.10, read with ``struct``, and ``zipfile``.
"""

from __future__ import annotations

import contextlib
import io
import locale
import os
import struct
import time
import zipfile
import zlib
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.archive.zipformat import (
    DESCRIPTOR_ABOVE,
    Entry,
    central_header,
    central_header_length,
    descriptor,
    end_of_central_directory,
    has_descriptor,
    local_header,
    local_header_length,
)
from tests import zip_tables as tables

# Hypothesis judges the time an example takes, which says nothing on a busy machine.
patient = settings(deadline=None)

ALL_ONES_32 = 0xFFFFFFFF

# The greatest value that needs no Zip64, the one that stands for it, and the first that has no other way.
AROUND_32_BITS = (0xFFFFFFFE, 0xFFFFFFFF, 0x100000000)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOON = int((datetime(2026, 11, 20, 12, 34, 57, tzinfo=UTC) - _EPOCH).total_seconds()) * 10**9

names = st.one_of(st.binary(min_size=1, max_size=30), st.just(b"folder/"))
sizes = st.one_of(
    st.integers(0, 2**64 - 1),
    st.sampled_from([0, 1, DESCRIPTOR_ABOVE, DESCRIPTOR_ABOVE + 1, *AROUND_32_BITS]),
)
times = st.one_of(st.integers(-(2**70), 2**70), st.integers(-(2**31) * 10**9, 2**33 * 10**9))
entries = st.builds(Entry, names, sizes, times)
offsets = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from(AROUND_32_BITS))
crcs = st.integers(0, ALL_ONES_32)
members_by_name = st.dictionaries(
    st.text("abcé👍 /", min_size=1, max_size=8), st.tuples(st.binary(max_size=50), times), max_size=5
)


def local(entry: Entry, offset: int = 0, crc: int = 0) -> SimpleNamespace:
    return tables.read_header(tables.LOCAL, local_header(entry, offset, crc))


def central(entry: Entry, offset: int = 0, crc: int = 0) -> SimpleNamespace:
    return tables.read_header(tables.CENTRAL, central_header(entry, offset, crc))


def of_size(size: int) -> Entry:
    return Entry(b"a.bin", size, _NOON)


def eights(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}Q", *values)


def dos_time(mtime_ns: int) -> tuple[int, ...]:
    """Year, month, day, hour, minute and second that a header says for a time since 1970."""
    header = central(Entry(b"a", 0, mtime_ns))
    return (
        (header.date >> 9) + 1980, header.date >> 5 & 15, header.date & 31,
        header.time >> 11, header.time >> 5 & 63, (header.time & 31) * 2,
    )  # fmt: skip


class HeaderTests(SynchronousTestCase):
    """The records before the data and in the central directory."""

    def test_file(self) -> None:
        """A common file: stored, UTF-8 name, CRC-32 and sizes in both headers, made by UNIX, mode 0644."""
        entry = Entry("Фото.jpg".encode(), 1234, _NOON)
        for header in (local(entry, 0, 0xDEADBEEF), central(entry, 0, 0xDEADBEEF)):
            self.assertEqual((header.needs, header.flags, header.method), (10, 0x0800, 0))
            self.assertEqual((header.crc, header.csize, header.usize), (0xDEADBEEF, 1234, 1234))
            self.assertEqual(header.name, "Фото.jpg".encode())
            self.assertEqual(header.extras, [(0x5455, b"\1" + struct.pack("<l", _NOON // 10**9))])
        self.assertEqual(local(entry).signature, 0x04034B50)
        header = central(entry, 0x12345678)
        self.assertEqual(header.signature, 0x02014B50)
        self.assertEqual((header.made_by >> 8, header.external), (3, 0o100644 << 16))
        self.assertEqual((header.disk, header.internal, header.comment_length), (0, 0, 0))
        self.assertEqual(header.offset, 0x12345678)

    def test_folder(self) -> None:
        """A folder: version 20, mode 040755, the bit of MS-DOS, no data and no descriptor (section 4.3.8)."""
        entry = Entry(b"a/folder/", 0, _NOON)
        for header in (local(entry), central(entry)):
            self.assertEqual((header.needs, header.flags, header.method), (20, 0x0800, 0))
            self.assertEqual((header.crc, header.csize, header.usize), (0, 0, 0))
            self.assertEqual(header.name, b"a/folder/")
        self.assertEqual(central(entry).external, 0o040755 << 16 | 0x10)

    def test_crc_behind_the_data(self) -> None:
        """Above 64 MiB bit 3 says that the CRC-32 comes later; the true sizes are there all the same."""
        for size, flags, crc in ((64 * 2**20, 0x0800, 7), (64 * 2**20 + 1, 0x0808, 0)):
            self.assertEqual(has_descriptor(size), bool(flags & 8))
            header = local(of_size(size), 0, 7)
            self.assertEqual((header.flags, header.crc, header.csize, header.usize), (flags, crc, size, size))
            header = central(of_size(size), 0, 7)
            self.assertEqual((header.flags, header.crc, header.csize, header.usize), (flags, 7, size, size))

    def test_descriptor(self) -> None:
        """It has its signature, and sizes of 8 bytes exactly where the local header has Zip64 (4.3.9.2)."""
        for size in (DESCRIPTOR_ABOVE + 1, *AROUND_32_BITS):
            zip64 = 1 in dict(local(of_size(size)).extras)
            found = tables.read(
                tables.DESCRIPTOR_64 if zip64 else tables.DESCRIPTOR, descriptor(of_size(size), 0xCAFE)
            )
            self.assertEqual((found.signature, found.crc), (0x08074B50, 0xCAFE))
            self.assertEqual((found.csize, found.usize, found.rest), (size, size, b""))

    def test_zip64_sizes(self) -> None:
        """Sizes move to the Zip64 field from the value on that stands for it; that field is the first."""
        for size in AROUND_32_BITS:
            for header in (local(of_size(size)), central(of_size(size))):
                kinds = [kind for kind, _ in header.extras]
                if size < ALL_ONES_32:
                    self.assertEqual((header.csize, header.usize, header.needs), (size, size, 10))
                    self.assertEqual(kinds, [0x5455])
                else:
                    self.assertEqual((header.csize, header.usize, header.needs), (*[ALL_ONES_32] * 2, 45))
                    self.assertEqual((kinds, header.extras[0][1]), ([1, 0x5455], eights(size, size)))

    def test_zip64_offset(self) -> None:
        """A far offset stands alone in the central Zip64 field; the local header has only the version."""
        for offset in AROUND_32_BITS:
            far = offset >= ALL_ONES_32
            header = central(of_size(5), offset)
            self.assertEqual(header.offset, min(offset, ALL_ONES_32))
            self.assertEqual((header.csize, header.usize, header.needs), (5, 5, 45 if far else 10))
            self.assertEqual(header.extras[:-1], [(1, eights(offset))] if far else [])
            header = local(of_size(5), offset)
            self.assertEqual([kind for kind, _ in header.extras], [0x5455])
            self.assertEqual(header.needs, 45 if far else 10)

    def test_zip64_both(self) -> None:
        """With a large size and a far offset, the field has the three in the order of section 4.5.3."""
        header = central(of_size(2**33), 2**34)
        self.assertEqual(header.extras[0], (1, eights(2**33, 2**33, 2**34)))
        self.assertEqual(local(of_size(2**33), 2**34).extras[0], (1, eights(2**33, 2**33)))

    @patient
    @given(entries, offsets, crcs)
    def test_both_headers_agree(self, entry: Entry, offset: int, crc: int) -> None:
        """Readers compare the headers: what stands in both is the same, but a CRC-32 that comes later."""
        here, there = local(entry, offset, crc), central(entry, offset, crc)
        for field in ("needs", "flags", "method", "time", "date", "csize", "usize", "name"):
            self.assertEqual(getattr(here, field), getattr(there, field), field)
        self.assertEqual(dict(here.extras).get(0x5455), dict(there.extras).get(0x5455))
        self.assertEqual(there.crc, crc)
        self.assertEqual(here.crc, 0 if entry.size > DESCRIPTOR_ABOVE else crc)

    @patient
    @given(entries, offsets, crcs)
    @example(of_size(ALL_ONES_32), ALL_ONES_32, 0)
    def test_lengths(self, entry: Entry, offset: int, crc: int) -> None:
        """A header has the length that was foretold without a CRC-32, and a local one without its place."""
        self.assertEqual(len(local_header(entry, offset, crc)), local_header_length(entry))
        self.assertEqual(len(central_header(entry, offset, crc)), central_header_length(entry, offset))


class EndTests(SynchronousTestCase):
    """What ends an archive."""

    def test_small(self) -> None:
        """Without need there is no Zip64: an archive without members is 22 bytes."""
        self.assertEqual(end_of_central_directory(0, 0, 0), b"PK\5\6" + bytes(18))
        found = tables.read(tables.END, end_of_central_directory(0xFFFE, 0xFFFFFFFE, 0xFFFFFFFE))
        self.assertEqual((found.signature, found.count_here, found.count), (0x06054B50, 0xFFFE, 0xFFFE))
        self.assertEqual((found.size, found.start, found.rest), (0xFFFFFFFE, 0xFFFFFFFE, b""))

    def test_zip64(self) -> None:
        """Each of the three brings Zip64 from the value on that stands for it, and it alone is all ones."""
        for count, start, size in (
            *((count, 5, 6) for count in (0xFFFF, 0x10000, 70_000)),
            *((4, start, 6) for start in AROUND_32_BITS[1:]),
            *((4, 5, size) for size in AROUND_32_BITS[1:]),
            (70_000, 2**33, 2**32),
        ):
            record = end_of_central_directory(count, start, size)
            self.assertEqual(len(record), 56 + 20 + 22)
            large = tables.read(tables.END_64, record)
            self.assertEqual((large.signature, large.length, large.needs), (0x06064B50, 44, 45))
            self.assertEqual((large.made_by >> 8, large.disk, large.start_disk), (3, 0, 0))
            self.assertEqual((large.count_here, large.count), (count, count))
            self.assertEqual((large.size, large.start), (size, start))
            locator = tables.read(tables.LOCATOR, large.rest)
            self.assertEqual((locator.signature, locator.disk, locator.disks), (0x07064B50, 0, 1))
            self.assertEqual(locator.end_64, start + size)
            end = tables.read(tables.END, locator.rest)
            self.assertEqual((end.signature, end.comment_length, end.rest), (0x06054B50, 0, b""))
            self.assertEqual((end.count_here, end.count), (min(count, 0xFFFF), min(count, 0xFFFF)))
            self.assertEqual((end.size, end.start), (min(size, ALL_ONES_32), min(start, ALL_ONES_32)))


class TimeTests(SynchronousTestCase):
    """Times in MS-DOS format and in the field 0x5455."""

    def unix(self, mtime_ns: int) -> bytes | None:
        return dict(central(Entry(b"a", 0, mtime_ns)).extras).get(0x5455)

    @patient
    @given(st.integers(315_532_800, 4_354_819_199), st.integers(0, 999_999_999))
    @example(4_354_819_195, 999_999_999)
    def test_dos(self, seconds: int, ns: int) -> None:
        """From 1980 to 2107 MS-DOS time is the calendar's, as UTC, with every second one left out."""
        moment = _EPOCH + timedelta(seconds=seconds)
        even = moment.second // 2 * 2
        said = (moment.year, moment.month, moment.day, moment.hour, moment.minute, even)
        self.assertEqual(dos_time(seconds * 10**9 + ns), said)

    def test_dos_held_within_its_years(self) -> None:
        """What lies before 1980 or after 2107 becomes the first or last moment that MS-DOS can say."""
        first, last = (1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58)
        for year, said in ((1980, first), (2108, last)):
            seconds = int((datetime(year, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds())
            self.assertEqual([dos_time(seconds * 10**9 - 1), dos_time(seconds * 10**9)], [said, said])
        for mtime_ns, said in ((0, first), (-(2**90), first), (2**90, last)):
            self.assertEqual(dos_time(mtime_ns), said)

    def test_unix(self) -> None:
        """The field 0x5455 has whole seconds, and is left out where 32 bits with a sign can't say them."""
        for seconds, field in (
            (-(2**31) - 1, None),
            (-(2**31), b"\1\0\0\0\x80"),
            (-1, b"\1\xff\xff\xff\xff"),
            (0, b"\1\0\0\0\0"),
            (2**31 - 1, b"\1\xff\xff\xff\x7f"),
            (2**31, None),
        ):
            self.assertEqual(self.unix(seconds * 10**9), field)
            self.assertEqual(self.unix(seconds * 10**9 + 999_999_999), field)

    def test_the_same_everywhere(self) -> None:
        """Neither the time zone nor the locale of the machine changes a byte."""
        self.addCleanup(_move_to, os.environ.get("TZ"))
        self.addCleanup(locale.setlocale, locale.LC_ALL, locale.setlocale(locale.LC_ALL))
        entry = Entry("İ.jpg".encode(), 5, _NOON)
        made = set()
        for zone in ("UTC0", "TST-13:45", "TST+11TDT,M3.2.0,M11.1.0"):
            _move_to(zone)
            for language in ("C", "C.UTF-8", "de_DE.UTF-8", "tr_TR.UTF-8"):
                with contextlib.suppress(locale.Error):  # not every machine has them all
                    locale.setlocale(locale.LC_ALL, language)
                made.add(local_header(entry, 0, 1) + central_header(entry, 0, 1))
        self.assertEqual(len(made), 1)


def _move_to(zone: str | None) -> None:
    if zone is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = zone
    time.tzset()


class ReadBackTests(SynchronousTestCase):
    """Archives put together by hand, as ``zipfile`` reads them."""

    @patient
    @given(members_by_name)
    def test_read_back(self, members: dict[str, tuple[bytes, int]]) -> None:
        """Names, data, times and modes come out as they went in."""
        with zipfile.ZipFile(io.BytesIO(self.archive(members))) as opened:
            self.assertIsNone(opened.testzip())
            self.assertEqual(opened.namelist(), list(members))
            for info, (name, (data, mtime_ns)) in zip(opened.infolist(), members.items(), strict=True):
                self.assertEqual(opened.read(info), b"" if name.endswith("/") else data)
                self.assertEqual((info.is_dir(), info.create_system), (name.endswith("/"), 3))
                self.assertEqual(info.external_attr >> 16, 0o040755 if info.is_dir() else 0o100644)
                self.assertEqual(info.date_time, dos_time(mtime_ns))

    def archive(self, members: dict[str, tuple[bytes, int]]) -> bytes:
        whole, directory = b"", b""
        for name, (body, mtime_ns) in members.items():
            data = b"" if name.endswith("/") else body
            entry = Entry(name.encode(), len(data), mtime_ns)
            directory += central_header(entry, len(whole), zlib.crc32(data))
            whole += local_header(entry, len(whole), zlib.crc32(data)) + data
        return whole + directory + end_of_central_directory(len(members), len(whole), len(directory))
