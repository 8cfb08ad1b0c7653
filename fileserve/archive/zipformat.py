"""
The records of a ZIP file with stored members, as bytes: PKWARE's APPNOTE 6.3.10.

Pure rules. Every function is given all that its record depends on, so the same
members give the same bytes on every machine and at every time.
"""

from __future__ import annotations

import struct
from calendar import timegm
from functools import lru_cache
from time import gmtime
from typing import NamedTuple

#: The value that says "see the Zip64 extra field" (section 4.4.1.4), so a true
#: value that equals it needs Zip64 too.
ZIP64_SIZE = 0xFFFFFFFF
ZIP64_COUNT = 0xFFFF

#: Members larger than this carry their CRC-32 behind their data (bit 3), so that
#: the first byte never waits for the reading of a large file. By the size alone,
#: because the bytes of an archive may not depend on what is remembered.
DESCRIPTOR_ABOVE = 64 * 1024 * 1024

# Section 4.3.7, 4.3.12, 4.3.9, 4.3.16, 4.3.14, 4.3.15. Time and date are one number here.
_LOCAL = struct.Struct("<4sHHHLLLLHH")
_CENTRAL = struct.Struct("<4sHHHHLLLLHHHHHLL")
_DESCRIPTOR = struct.Struct("<4sLLL")
_DESCRIPTOR_64 = struct.Struct("<4sLQQ")
_END = struct.Struct("<4sHHHHLLH")
_END_64 = struct.Struct("<4sQHHLLQQQQ")
_LOCATOR_64 = struct.Struct("<4sLQL")

_TIMES = struct.Struct("<HHBl")  # 0x5455

_UTF8_NAME = 0x0800  # bit 11, section 4.4.4
_HAS_DESCRIPTOR = 0x0008  # bit 3, section 4.4.4

# "Version needed to extract", section 4.4.3.2.
_NEEDS_STORED = 10
_NEEDS_FOLDER = 20
_NEEDS_ZIP64 = 45

#: "Version made by" (section 4.4.2): high byte 3 is UNIX, so that readers take
#: the mode from the external attributes.
_MADE_BY = 3 << 8 | 63

# Section 4.4.15: the UNIX mode in the high half; 0x10 is the MS-DOS folder bit.
_FILE_ATTRIBUTES = 0o100644 << 16
_FOLDER_ATTRIBUTES = 0o040755 << 16 | 0x10

#: What MS-DOS time can say (section 4.4.6).
_DOS_FIRST = timegm((1980, 1, 1, 0, 0, 0))
_DOS_LAST = timegm((2107, 12, 31, 23, 59, 58))


class Entry(NamedTuple):
    """
    What stands in an archive: a file, or a folder that holds none.
    """

    #: UTF-8, relative, segments joined by ``/``; a folder's ends with one.
    name: bytes
    #: Bytes.
    size: int
    #: Nanoseconds since 1970-01-01 UTC.
    mtime_ns: int


def has_descriptor(size: int) -> bool:
    """
    Tell whether a member of this size carries its CRC-32 behind its data.
    """
    return size > DESCRIPTOR_ABOVE


def local_header(entry: Entry, offset: int, crc: int) -> bytes:
    """
    The record before a member's data (section 4.3.7).

    The true sizes stand in it even where the CRC-32 comes later: 0 would be
    stricter, but makes stored members unreadable for readers of streams.

    :param offset: where this very record begins in the archive.
    :param crc: of the data; not used where it comes behind them.
    """
    name, size, mtime_ns = entry
    extra = _local_extra(entry)
    flags, said = _flags(size), min(size, ZIP64_SIZE)
    if flags & _HAS_DESCRIPTOR:
        crc = 0
    fixed = _LOCAL.pack(
        b"PK\3\4", _needs(entry, offset), flags, 0, _dos_time(mtime_ns), crc, said, said,
        len(name), len(extra),
    )  # fmt: skip
    return fixed + name + extra


def local_header_length(entry: Entry) -> int:
    """
    How long the record before a member's data is, wherever it stands.
    """
    return _LOCAL.size + len(entry.name) + len(_local_extra(entry))


def descriptor(entry: Entry, crc: int) -> bytes:
    """
    The record behind a large member's data (section 4.3.9).

    Its sizes have 8 bytes exactly where the local header has a Zip64 field (4.3.9.2).
    """
    record = _DESCRIPTOR_64 if entry.size >= ZIP64_SIZE else _DESCRIPTOR
    return record.pack(b"PK\7\x08", crc, entry.size, entry.size)


def central_header(entry: Entry, offset: int, crc: int) -> bytes:
    """
    A member's record in the central directory (section 4.3.12).

    :param offset: where its local header begins in the archive.
    """
    name, size, mtime_ns = entry
    extra = _central_extra(entry, offset)
    needs, flags, said = _needs(entry, offset), _flags(size), min(size, ZIP64_SIZE)
    fixed = _CENTRAL.pack(
        b"PK\1\2", _MADE_BY, needs, flags, 0, _dos_time(mtime_ns), crc, said, said,
        len(name), len(extra), 0, 0, 0, _attributes(entry), min(offset, ZIP64_SIZE),
    )  # fmt: skip
    return fixed + name + extra


def central_header_length(entry: Entry, offset: int) -> int:
    """
    How long a member's record in the central directory is.

    :param offset: where its local header begins in the archive.
    """
    return _CENTRAL.size + len(entry.name) + len(_central_extra(entry, offset))


def end_of_central_directory(count: int, start: int, size: int) -> bytes:
    """
    What ends an archive: sections 4.3.16, and before it 4.3.14 and 4.3.15 where needed.

    :param count: how many members.
    :param start: where the central directory begins, in bytes.
    :param size: how long it is, in bytes.
    """
    zip64 = b""
    if count >= ZIP64_COUNT or start >= ZIP64_SIZE or size >= ZIP64_SIZE:
        # 44: the bytes of this record behind its own size field (4.3.14.1).
        zip64 = _END_64.pack(
            b"PK\6\6", 44, _MADE_BY, _NEEDS_ZIP64, 0, 0, count, count, size, start
        ) + _LOCATOR_64.pack(b"PK\6\7", 0, start + size, 1)
    count = min(count, ZIP64_COUNT)
    end = _END.pack(b"PK\5\6", 0, 0, count, count, min(size, ZIP64_SIZE), min(start, ZIP64_SIZE), 0)
    return zip64 + end


def _is_folder(entry: Entry) -> bool:
    return entry.name.endswith(b"/")


def _attributes(entry: Entry) -> int:
    return _FOLDER_ATTRIBUTES if _is_folder(entry) else _FILE_ATTRIBUTES


def _needs(entry: Entry, offset: int) -> int:
    """
    The version needed, the same in both headers (readers compare them), so it
    counts a far offset although only the central one tells it.
    """
    if entry.size >= ZIP64_SIZE or offset >= ZIP64_SIZE:
        return _NEEDS_ZIP64
    return _NEEDS_FOLDER if _is_folder(entry) else _NEEDS_STORED


def _flags(size: int) -> int:
    return _UTF8_NAME | _HAS_DESCRIPTOR if has_descriptor(size) else _UTF8_NAME


def _local_extra(entry: Entry) -> bytes:
    """
    The extra fields of a local header, which must hold both sizes or none (section 4.5.3).
    """
    size = entry.size
    times = _times(entry.mtime_ns)
    return _zip64(size, size) + times if size >= ZIP64_SIZE else times


def _central_extra(entry: Entry, offset: int) -> bytes:
    """
    The extra fields of a central header; that of Zip64 holds only what overflowed.
    """
    size = entry.size
    times = _times(entry.mtime_ns)
    large = (size, size) if size >= ZIP64_SIZE else ()
    far = (offset,) if offset >= ZIP64_SIZE else ()
    return _zip64(*large, *far) + times if large or far else times


def _zip64(*values: int) -> bytes:
    """
    The extended information field (section 4.5.3). It goes first of all fields,
    because Explorer of Windows 7 looks no further.
    """
    return struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values)


def _times(mtime_ns: int) -> bytes:
    """
    The "extended timestamp" field 0x5455 of Info-ZIP: UTC in a signed 32-bit
    number, so it is left out for times that this can't say.
    """
    seconds = mtime_ns // 1_000_000_000
    if not -(2**31) <= seconds < 2**31:
        return b""
    return _TIMES.pack(0x5455, 5, 1, seconds)


def _dos_time(mtime_ns: int) -> int:
    """
    Date (the high half) and time in MS-DOS format (section 4.4.6), as UTC, held within its years.
    """
    seconds = mtime_ns // 1_000_000_000
    if not _DOS_FIRST <= seconds <= _DOS_LAST:
        seconds = max(_DOS_FIRST, min(seconds, _DOS_LAST))
    days, second = divmod(seconds, 86400)
    return _dos_date(days) << 16 | second // 3600 << 11 | second // 60 % 60 << 5 | second % 60 // 2


@lru_cache(1024)  # the files of an album come from few days
def _dos_date(days: int) -> int:
    year, month, day = gmtime(days * 86400)[:3]
    return year - 1980 << 9 | month << 5 | day
