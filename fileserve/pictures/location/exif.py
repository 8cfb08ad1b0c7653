"""
A location in a block of EXIF inside another format (CIPA DC-008 section 4.5.2).
"""

from __future__ import annotations

from . import tiff
from .ifd import NotUnderstood
from .patch import Patch, filled, moved
from .reading import Budget, TooMuchError, Window, run_over

#: What JPEG puts before a block; other formats have it by mistake.
SIGNATURE = b"Exif\0\0"

# A structure with one directory that has no entries.
_NOTHING = b"II*\0\x08\0\0\0\0\0\0\0\0\0"


def block_patches(block: bytes, at: int, budget: Budget) -> list[Patch]:
    """
    What takes the location out of a block.

    :param at: where in the file it begins.
    :param budget: of the file.
    :raise NotUnderstood: there may be one: who is less strict may find it.
    :raise TooMuchError: it is more than the budget allows.
    """
    view = Window(len(block), budget=budget)
    return moved(run_over(tiff.location_patches(view), block), at)


def chunk_patches(chunk: bytes, at: int, budget: Budget) -> list[Patch]:
    """
    The same for a chunk of another format. Where it is not understood, or too much, it becomes one that says
    nothing.
    """
    before = len(SIGNATURE) if chunk.startswith(SIGNATURE) else 0
    try:
        return block_patches(chunk[before:], at + before, budget)
    except (NotUnderstood, TooMuchError):
        return filled(at, chunk, _NOTHING)
