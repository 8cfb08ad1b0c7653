"""
A location in the segments of JPEG files in which programs and cameras keep what they have to say.
"""

from __future__ import annotations

import re

from . import exif, photoshop, xmp
from .ifd import NotUnderstood
from .patch import Patch, filled, zeros
from .reading import Budget

#: Markers of segments with metadata: APP0 to APP15, and comments (ITU-T T.81 table B.1).
METADATA = frozenset({*range(0xE0, 0xF0), 0xFE})

# What says nothing of a place: a thumbnail, a colour profile, where further pictures stand (CIPA DC-007).
_HARMLESS = (b"JFIF\0", b"JFXX\0", b"ICC_PROFILE\0", b"MPF\0", b"Adobe\0")

# Segments that say something together: portions of a long packet; signed statements (JUMBF, ISO 19566-5, in
# APP11), some of them compressed; what a flying camera measured, which is all about where it was.
_LINKED = re.compile(rb"(%b)|(JP.{10}jumb)|(GoPro\0)" % re.escape(xmp.EXTENSION), re.DOTALL)
_TELEMETRY = 3
_PLACE = re.compile(rb"GPS|[Ll]atitude|[Ll]ongitude")
_PLACE_OR_COMPRESSED = re.compile(_PLACE.pattern + b"|brob")

# What a thermal camera measured, its place too.
_THERMAL = b"FLIR\0"

# A structure of TIFF may stand behind other signatures too, and there are readers that look a little
# further on.
_TIFF = re.compile(rb"II\*\0|MM\0\*")
_EXIF = re.compile(rb"exif\0", re.IGNORECASE)
_BEGINNING = 32


def looks_like_place(text: bytes) -> bool:
    """
    Whether something of an unknown form, maybe not even a text, says where it was made.
    """
    return _PLACE.search(text.replace(b"\0", b"")) is not None


def may_be_exif(data: bytes) -> bool:
    """
    Whether there is EXIF, or some other structure of TIFF, where none is expected.
    """
    return _TIFF.search(data, 0, _BEGINNING) is not None or _EXIF.search(data, 0, _BEGINNING) is not None


class Segments:
    """
    Takes the location out of the segments of one picture.

    :param budget: of the file.
    :ivar is_thermal: whether there are measurements that nobody can take a location out of.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.is_thermal = False
        self._linked: dict[int, _Linked] = {}

    def patches(self, payload: bytes, at: int) -> list[Patch]:
        """
        What takes it out of one segment.

        :param payload: what stands behind its length.
        :param at: where in the file that begins.
        :raise TooMuchError: it is more than the budget allows.
        """
        if payload.startswith(_HARMLESS):
            return []
        self._budget.spend(length=len(payload), parts=1)
        if payload.startswith(xmp.SIGNATURE):
            before = len(xmp.SIGNATURE)
            return xmp.packet_patches(payload[before:], at + before, self._budget)
        if payload.startswith(photoshop.SIGNATURE):
            return photoshop.location_patches(payload, at, self._budget)
        linked = _LINKED.match(payload)
        if linked is not None and linked.lastindex is not None:
            self._linked.setdefault(linked.lastindex, _Linked(linked.lastindex)).add(payload, at)
            return []
        self.is_thermal = self.is_thermal or payload.startswith(_THERMAL)
        return _others(payload, at, self._budget)

    def linked_patches(self) -> list[Patch]:
        """
        What takes it out of segments that say something together, when all were seen.
        """
        return [patch for linked in self._linked.values() for patch in linked.patches()]


def _others(payload: bytes, at: int, budget: Budget) -> list[Patch]:
    if (tiff := _TIFF.search(payload, 0, _BEGINNING)) is not None:
        try:
            return exif.block_patches(payload[tiff.start() :], at + tiff.start(), budget)
        except NotUnderstood:
            return filled(at, payload)
    if payload.startswith(_THERMAL) or _EXIF.search(payload, 0, _BEGINNING) or looks_like_place(payload):
        return filled(at, payload)
    return []


class _Linked:
    """
    Segments that say something together; if it is a place, all of them go.
    """

    def __init__(self, kind: int) -> None:
        self._spans: list[tuple[int, int]] = []
        self._goes = kind == _TELEMETRY
        self._before = b""

    def add(self, payload: bytes, at: int) -> None:
        self._spans.append((at, at + len(payload)))
        self._goes = self._goes or _PLACE_OR_COMPRESSED.search(self._before + payload) is not None
        self._before = payload[-_BEGINNING:]  # a word may stand in two segments

    def patches(self) -> list[Patch]:
        return [patch for start, stop in self._spans for patch in zeros(start, stop)] if self._goes else []
