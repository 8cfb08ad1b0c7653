"""
The records of ZIP files as APPNOTE 6.3.10 has them in tables, for reading what we write.
"""

from __future__ import annotations

import struct
from types import SimpleNamespace

# The tables of sections 4.3.7, 4.3.12, 4.3.9, 4.3.14, 4.3.15 and 4.3.16: sizes in bytes and names.
LOCAL = (
    "4 signature 2 needs 2 flags 2 method 2 time 2 date 4 crc 4 csize 4 usize 2 name_length 2 extra_length"
)
CENTRAL = (
    "4 signature 2 made_by 2 needs 2 flags 2 method 2 time 2 date 4 crc 4 csize 4 usize "
    "2 name_length 2 extra_length 2 comment_length 2 disk 2 internal 4 external 4 offset"
)
DESCRIPTOR = "4 signature 4 crc 4 csize 4 usize"
DESCRIPTOR_64 = "4 signature 4 crc 8 csize 8 usize"
END_64 = "4 signature 8 length 2 made_by 2 needs 4 disk 4 start_disk 8 count_here 8 count 8 size 8 start"
LOCATOR = "4 signature 4 disk 8 end_64 4 disks"
END = "4 signature 2 disk 2 start_disk 2 count_here 2 count 4 size 4 start 2 comment_length"


def read(table: str, record: bytes) -> SimpleNamespace:
    """
    The fields of a record by a table, and ``rest``, what follows them.
    """
    words = table.split()
    found, at = {}, 0
    for size, name in zip(map(int, words[::2]), words[1::2], strict=True):
        found[name] = int.from_bytes(record[at : at + size], "little")
        at += size
    assert at <= len(record), "the record is as long as its table"
    return SimpleNamespace(**found, rest=record[at:])


def read_header(table: str, record: bytes) -> SimpleNamespace:
    """
    A header with its name and extra fields, of which the record must be made exactly.
    """
    header = read(table, record)
    assert len(header.rest) == header.name_length + header.extra_length, "nothing follows the extra fields"
    header.name, extra = header.rest[: header.name_length], header.rest[header.name_length :]
    header.extras = []
    while extra:
        kind, size = struct.unpack_from("<HH", extra)
        assert len(extra) >= 4 + size, "an extra field ends with the record"
        header.extras.append((kind, extra[4 : 4 + size]))
        extra = extra[4 + size :]
    return header
