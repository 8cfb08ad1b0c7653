"""
A location in a PNG file (W3C's Portable Network Graphics, third edition), by its chunks.

A chunk that goes as a whole becomes one of zeros, of a private type that every decoder passes over. What
follows the last chunk, or a place from which on there are no chunks, is overwritten: no decoder reads it.
"""

from __future__ import annotations

import re
import zlib

from . import exif, xmp
from .patch import Patch, filled, moved, overwrite, replaced
from .reading import SCANNED, Budget, Steps, TooMuchError, Window
from .segments import looks_like_place, may_be_exif

_SIGNATURE = 8

#: Bytes that are read at once at the least: what stands before the picture is small.
AHEAD = 4 * 1024

# Longer chunks are not looked into, and more are not gone through.
_LONGEST = 4 * 1024 * 1024
_MOST = 200_000
_MOST_METADATA = 10_000

_KIND = re.compile(rb"[A-Za-z]{4}")
_END = b"IEND"

# Pixels, colours and times, in which no text can stand.
_HARMLESS = frozenset(
    b"IHDR PLTE IDAT IEND tRNS gAMA cHRM sRGB iCCP sBIT bKGD hIST pHYs sPLT tIME "
    b"acTL fcTL fdAT cICP mDCV cLLI".split()
)

# Ancillary, private, safe to copy (section 5.4).
_NOTHING = b"noNe"

# Texts by keyword: XMP (its part 3, section 1.1.5), and what ImageMagick makes of other formats' metadata.
_PACKET = re.compile(rb"XML:com\.adobe\.xmp\0\0\0[^\0]*\0[^\0]*\0")
_HIDDEN = re.compile(rb"raw profile type (?:exif|app1|xmp|8bim)\0|[^\0]*(?:xmp|exif|gps)", re.IGNORECASE)
_KEYWORD = 80
_COMPRESSED_TEXT = re.compile(rb"[^\0]*\0\x01")


def location_patches(view: Window) -> Steps[list[Patch]]:
    """
    What takes the location out of a file.
    """
    patches, at, size = list[Patch](), _SIGNATURE, view.size
    metadata = 0
    for _ in range(_MOST):
        head = yield from view.get(at, 8)
        length, kind = int.from_bytes(head[:4]), head[4:]
        if not _KIND.fullmatch(kind):
            break
        if kind not in _HARMLESS:
            metadata += 1
            if at + 12 + length > size or metadata > _MOST_METADATA:
                break
            patches += yield from _chunk(view, at, kind, length)
        at += 12 + length
        if kind == _END or at >= size:
            break
    patches += yield from view.blank(at, size)
    return patches


def _chunk(view: Window, at: int, kind: bytes, length: int) -> Steps[list[Patch]]:
    """
    What takes it out of one chunk, with the checksum that belongs to it then.

    :param at: where its own length stands.
    """
    try:
        patches, crc = yield from _looked_into(view, at + 4, kind, length)
    except TooMuchError:
        patches = replaced(at + 4, kind, _NOTHING)
        patches += yield from view.blank(at + 8, at + 8 + length)
        crc = _checksum_of_nothing(length)
    if not patches:
        return []
    end = at + 8 + length
    return patches + replaced(end, (yield from view.get(end, 4)), crc.to_bytes(4))


def _looked_into(view: Window, at: int, kind: bytes, length: int) -> Steps[tuple[list[Patch], int]]:
    """
    :param at: where its type stands.
    :return: with the checksum that it has then.
    :raise TooMuchError: it is more than the budget allows.
    """
    if length > _LONGEST:
        raise TooMuchError
    view.budget.spend(length=length)
    chunk = bytearray((yield from view.get(at, 4 + length)))
    inside = _inside(kind, bytes(chunk[4:]), view.budget)
    overwrite(chunk, 0, inside)
    return moved(inside, at), zlib.crc32(chunk) if inside else 0


def _checksum_of_nothing(length: int) -> int:
    crc, some = zlib.crc32(_NOTHING), bytes(SCANNED)
    for at in range(0, length, SCANNED):
        crc = zlib.crc32(some[: length - at], crc)
    return crc


def _inside(kind: bytes, data: bytes, budget: Budget) -> list[Patch]:
    """
    What is to be overwritten in a chunk, counted from its type.
    """
    if kind == b"eXIf":
        return exif.chunk_patches(data, 4, budget)
    packet = _PACKET.match(data) if kind == b"iTXt" else None
    if packet is not None:
        return xmp.packet_patches(data[packet.end() :], 4 + packet.end(), budget)
    return replaced(0, kind, _NOTHING) + filled(4, data) if _goes(kind, data) else []


def _goes(kind: bytes, data: bytes) -> bool:
    """
    Whether a chunk that is not taken apart may have a location in it.
    """
    if kind == b"zxIf":  # EXIF, compressed; a proposal that some programs took up
        return True
    if kind not in {b"tEXt", b"zTXt", b"iTXt"}:
        return may_be_exif(data) or looks_like_place(data) or (kind == b"caBX" and b"brob" in data)
    compressed = kind == b"zTXt" or (kind == b"iTXt" and _COMPRESSED_TEXT.match(data) is not None)
    if _HIDDEN.match(data[:_KEYWORD]) and (compressed or data[:3].lower() == b"raw"):
        return True
    return xmp.speaks_of_place(data)
