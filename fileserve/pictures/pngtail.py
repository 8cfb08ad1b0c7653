"""
What a PNG says of itself behind its pixels, where Pillow looks only once it has decoded them.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO

_SIGNATURE = 8
# Nobody writes more of either; EXIF in JPEG has to fit into 64 KiB.
_LONGEST = 1 << 20
_XMP = b"XML:com.adobe.xmp\0"


def metadata(file: BinaryIO) -> Mapping[str, bytes]:
    """
    Find EXIF and XMP that stand anywhere in the file.

    :param file: a PNG; where it breaks off, what came before counts.
    :return: ``exif`` and ``xmp``, each where it is there.
    """
    found: dict[str, bytes] = {}
    for name, length in _chunks(file):
        if length > _LONGEST:
            continue
        if name == b"eXIf":  # PNG, third edition, 11.3.3.5
            found.setdefault("exif", file.read(length))
        elif name == b"iTXt" and (text := _xmp(file.read(length))) is not None:
            found.setdefault("xmp", text)
    return found


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Each chunk's name and length, with the file at its data."""
    at = _SIGNATURE
    while True:
        file.seek(at, os.SEEK_SET)
        head = file.read(8)
        name, length = head[4:], int.from_bytes(head[:4])
        if len(head) < 8 or name == b"IEND":
            return
        yield name, length
        at += 8 + length + 4


def _xmp(data: bytes) -> bytes | None:
    """PNG 11.3.3.4: keyword, whether it is compressed, method, language, keyword once more, text."""
    if not data.startswith(_XMP) or len(data) < len(_XMP) + 2:
        return None
    compressed = data[len(_XMP)] == 1
    text = data[len(_XMP) + 2 :].split(b"\0", 2)[-1]
    return zlib.decompressobj().decompress(text, _LONGEST) if compressed else text
