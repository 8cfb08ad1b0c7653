"""
A location in Photoshop's image resources ("Adobe Photoshop File Formats Specification", Image Resource
Blocks).
"""

from __future__ import annotations

import re

from . import xmp
from .patch import Patch, filled
from .reading import Budget

#: What JPEG puts before them.
SIGNATURE = b"Photoshop 3.0\0"

# Resources 0x0422 and 0x0423 are EXIF, 0x0424 is XMP. Before the length stands a name, padded to an even
# length.
_RESOURCE = re.compile(rb"8BIM\x04([\x22\x23\x24])(.)", re.DOTALL)

# The tag of the directory with a location, in both orders.
_GPS = re.compile(rb"\x88\x25|\x25\x88")


def location_patches(resources: bytes, at: int, budget: Budget) -> list[Patch]:
    """
    What takes the location out of some resources. EXIF in them says the same as the file's own, so where it
    may have a location, all of it goes.

    :param resources: of which the first and the last may be cut off.
    :param at: where in the file they begin.
    :param budget: of the file.
    :raise TooMuchError: they are more than it allows.
    """
    patches: list[Patch] = []
    after = 0
    while (found := _RESOURCE.search(resources, after)) is not None:
        budget.spend(parts=1)
        name = 1 + found[2][0]
        length = found.end() - 1 + name + name % 2
        start = length + 4
        stop = min(start + int.from_bytes(resources[length:start]), len(resources))
        data = resources[start:stop]
        after = stop if data else found.end()
        if found[1] == b"\x24":
            patches += xmp.packet_patches(data, at + start, budget)
        elif _GPS.search(data):
            patches += filled(at + start, data)
    return patches
