"""
A location in a WebP file (RFC 9649), by its chunks.

What follows the last chunk, or a place from which on there are no chunks, is overwritten: no decoder reads
it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from . import exif, xmp
from .patch import Patch
from .reading import Budget, Steps, TooMuchError, Window
from .segments import looks_like_place, may_be_exif

#: Bytes that are read at once at the least.
AHEAD = 4 * 1024

# Longer metadata are not looked into, and more chunks are not gone through.
_LONGEST = 4 * 1024 * 1024
_MOST = 100_000
_MOST_METADATA = 10_000

_HARMLESS = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_KIND = re.compile(rb"[ -~]{3}[ -~\0]")

# Some programs write the second name of XMP.
_RULES: Mapping[bytes, Callable[[bytes, int, Budget], list[Patch]]] = {
    b"EXIF": exif.chunk_patches,
    b"XMP ": xmp.packet_patches,
    b"XMP\0": xmp.packet_patches,
}


def location_patches(view: Window) -> Steps[list[Patch]]:
    """
    What takes the location out of a file.
    """
    patches, at, size = list[Patch](), 12, view.size
    head = yield from view.get(0, at)
    end = min(size, 8 + int.from_bytes(head[4:8], "little"))
    metadata = 0
    for _ in range(_MOST):
        head = yield from view.get(at, 8)
        kind, length = head[:4], int.from_bytes(head[4:], "little")
        if at + 8 > end or not _KIND.fullmatch(kind):
            break
        if kind not in _HARMLESS:
            metadata += 1
            if at + 8 + length > size or metadata > _MOST_METADATA:
                break
            patches += yield from _chunk(view, kind, at + 8, at + 8 + length)
        at += 8 + length + length % 2
    patches += yield from view.blank(min(at, size), size)
    return patches


def _chunk(view: Window, kind: bytes, start: int, stop: int) -> Steps[list[Patch]]:
    try:
        return (yield from _looked_into(view, kind, start, stop))
    except TooMuchError:
        return (yield from view.blank(start, stop))


def _looked_into(view: Window, kind: bytes, start: int, stop: int) -> Steps[list[Patch]]:
    """
    :raise TooMuchError: it is more than the budget allows.
    """
    if stop - start > _LONGEST:
        raise TooMuchError
    view.budget.spend(length=stop - start)
    data = yield from view.get(start, stop - start)
    if (rule := _RULES.get(kind)) is not None:
        return rule(data, start, view.budget)
    if may_be_exif(data) or looks_like_place(data) or b"brob" in data:
        return (yield from view.blank(start, stop))
    return []
