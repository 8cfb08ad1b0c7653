"""
The size of a WebP picture, read from its first bytes: its decoder would allocate the pixels to tell it.
"""

from __future__ import annotations

import os
from typing import BinaryIO


def size(file: BinaryIO) -> tuple[int, int]:
    """
    Width and height in pixels (RFC 9649 sections 2.5 to 2.7).

    :raises ValueError: this is no WebP.
    """
    file.seek(0, os.SEEK_SET)
    head = file.read(30)
    chunk, body = head[12:16], head[20:]
    if len(head) < 25 or head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        raise ValueError("This is no WebP.")
    if chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if chunk == b"VP8 ":  # RFC 6386 section 9.1
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    raise ValueError("This is no WebP.")
