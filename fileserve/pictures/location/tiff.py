"""
A location in a TIFF structure: a TIFF file, or the block in which other formats keep EXIF.

The directory with the location is emptied and no longer pointed to. What stands in it by its sense, and
what is a place on a map (GeoTIFF 1.1 section 5), goes with it; what holds XMP or Photoshop's resources is
looked into.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise

from . import photoshop, xmp
from .ifd import Directory, Entry, NotUnderstood, Order, Span, read_directory
from .patch import Patch
from .reading import Budget, Steps, TooMuchError, Window

#: Bytes that are read at once at the least: most directories are shorter.
AHEAD = 4 * 1024

# More directories has nobody.
_MOST_DIRECTORIES = 10_000

# No longer values are held in memory.
_LONGEST = 4 * 1024 * 1024

_ORDERS: dict[bytes, Order] = {b"II*\0": "little", b"MM\0*": "big"}

# EXIF 2.32 section 4.6.3, and TIFF's supplement 1.
_GPS = 0x8825
_SUB_DIRECTORIES = 0x014A
_DIRECTORIES = frozenset({0x8769, 0xA005, _SUB_DIRECTORIES})

# ModelPixelScale, ModelTiepoint, ModelTransformation, GeoKeyDirectory, GeoDoubleParams, GeoAsciiParams.
_PLACES = frozenset({_GPS, 33550, 33922, 34264, 34735, 34736, 34737})

# XMP, and Photoshop's resources.
_METADATA: Mapping[int, Callable[[bytes, int, Budget], list[Patch]]] = {
    700: xmp.packet_patches,
    34377: photoshop.location_patches,
}

# Where pictures stand, and how long they are: strips, tiles, a JPEG.
_PICTURES = {0x0111: 0x0117, 0x0144: 0x0145, 0x0201: 0x0202}
_JPEG = 0x0201

# How a JPEG says more than a thumbnail should.
_TALKATIVE = re.compile(rb"Exif\0|http://ns\.adobe\.com/|GPS")
_TALKS_WITHIN = 64 * 1024


def location_patches(view: Window) -> Steps[list[Patch]]:
    """
    What takes the location out of a TIFF structure.

    :param view: of the structure, and nothing before it.
    :raise NotUnderstood: there may be one.
    :raise TooMuchError: it is more than the budget allows.
    """
    head = yield from view.get(0, 8)
    order = _ORDERS.get(head[:4])
    if order is None or len(head) < 8:
        raise NotUnderstood("it does not begin as TIFF")
    return (yield from _Structure(view, order).look(int.from_bytes(head[4:], order)))


class _Structure:
    """
    What was found in one structure so far.
    """

    def __init__(self, view: Window, order: Order) -> None:
        self._view = view
        self._order = order
        #: Directories to look at, each once, and whether what they call the next one is one.
        self._waiting: deque[tuple[int, bool]] = deque()
        self._known: set[int] = set()
        #: Directories with a location.
        self._places: set[int] = set()
        #: What is to be overwritten with zeros.
        self._gone: list[Span] = []
        #: Directories that lose entries.
        self._edited: list[Directory] = []
        #: Metadata that are looked into, and what is to be overwritten there.
        self._inner: list[Span] = []
        self._looked_into: set[tuple[int, Span]] = set()
        self._patches: list[Patch] = []
        #: What is needed as it is.
        self._needed: list[Span] = [Span(0, 8)]
        self._pictures: list[tuple[Entry, Entry]] = []

    def look(self, first: int) -> Steps[list[Patch]]:
        """
        Go through all directories.
        """
        if not first or len((yield from self._view.get(first, 2))) < 2:
            raise NotUnderstood("it has no directory")
        self._wait_for(first, True)
        while self._waiting:
            at, chained = self._waiting.popleft()
            if at not in self._places:
                yield from self._directory(at, chained)
        if self._gone or self._edited or self._patches:
            yield from self._require_apart()
        gone = _merged(self._gone)
        self._view.budget.spend(patches=len(self._edited) + len(gone))
        self._patches += [Patch(directory.at, directory.without(_PLACES)) for directory in self._edited]
        for start, stop in gone:
            self._patches += yield from self._view.blank(start, stop)
        return self._patches

    def _wait_for(self, at: int, chained: bool) -> None:
        if not at or at in self._known:
            return
        self._known.add(at)
        self._waiting.append((at, chained))
        if len(self._known) > _MOST_DIRECTORIES:
            raise TooMuchError

    def _directory(self, at: int, chained: bool) -> Steps[None]:
        directory = yield from read_directory(self._view, at, self._order)
        if directory is None:
            return
        if chained:
            self._wait_for(directory.next, True)
        for entry in directory.entries:
            yield from self._place(entry) if entry.tag in _PLACES else self._other(entry)
        yield from self._thumbnails(directory)
        if any(entry.tag in _PLACES for entry in directory.entries):
            self._edited.append(directory)
        else:
            self._needed.append(directory.table)

    def _place(self, entry: Entry) -> Steps[None]:
        """
        Take out what an entry says, or points to.
        """
        if entry.tag != _GPS:
            self._take_out(entry)
            return
        at = entry.pointer
        if not at or at in self._places:
            return
        self._places.add(at)
        directory = yield from read_directory(self._view, at, self._order)
        if directory is None:
            raise NotUnderstood("its location is said to be behind its end")
        # What tells of the next directory may be missing here, and something else may stand there.
        self._gone.append(directory.fields)
        for each in directory.entries:
            self._take_out(each)

    def _take_out(self, entry: Entry) -> None:
        if not entry.has_known_type:
            raise NotUnderstood("nobody can tell how long a part of the location is")
        if entry.is_inline:
            return
        if entry.value.stop > self._view.size:
            raise NotUnderstood("its location is said to be behind its end")
        self._gone.append(entry.value)

    def _other(self, entry: Entry) -> Steps[None]:
        value = entry.value
        if value.stop > self._view.size:
            return  # such a value nobody can read
        if entry.tag in _DIRECTORIES:
            chained = entry.tag == _SUB_DIRECTORIES
            for at in (yield from entry.numbers(self._view)):
                self._wait_for(at, chained)
        patches: list[Patch] = []
        if entry.tag in _METADATA and not entry.is_inline:
            patches = yield from self._metadata(entry)
        if patches:
            self._patches += patches
            self._inner.append(value)
        elif not entry.is_inline:
            self._needed.append(value)

    def _metadata(self, entry: Entry) -> Steps[list[Patch]]:
        if (entry.tag, entry.value) in self._looked_into:
            return []
        self._looked_into.add((entry.tag, entry.value))
        if entry.length > _LONGEST:
            raise TooMuchError
        self._view.budget.spend(length=entry.length, parts=1)
        data = yield from self._view.get(entry.value.start, entry.length)
        return _METADATA[entry.tag](data, entry.value.start, self._view.budget)

    def _thumbnails(self, directory: Directory) -> Steps[None]:
        """
        Note where pictures stand. Small ones that are whole JPEG files may tell a location themselves.
        """
        by_tag = {entry.tag: entry for entry in directory.entries}
        for offset_tag, length_tag in _PICTURES.items():
            offsets, lengths = by_tag.get(offset_tag), by_tag.get(length_tag)
            if offsets is None or lengths is None:
                continue
            self._pictures.append((offsets, lengths))
            if offset_tag == _JPEG:
                length = min(lengths.pointer, _TALKS_WITHIN)
                self._view.budget.spend(length=length)
                data = yield from self._view.get(offsets.pointer, length)
                if data.startswith(b"\xff\xd8") and _TALKATIVE.search(data):
                    raise NotUnderstood("its thumbnail has metadata of its own")

    def _require_apart(self) -> Steps[None]:
        """
        See that nothing is overwritten that somebody needs.
        """
        for pair in self._pictures:
            offsets = yield from pair[0].numbers(self._view)
            lengths = yield from pair[1].numbers(self._view)
            self._needed += [Span(at, at + length) for at, length in zip(offsets, lengths, strict=False)]
        touched = _merged(self._gone) + self._inner + [directory.table for directory in self._edited]
        touched.sort()
        if any(one.stop > other.start for one, other in pairwise(touched)):
            raise NotUnderstood("its parts overlap")
        starts = [start for start, _ in touched]
        for start, stop in self._needed:
            before = bisect_right(starts, stop - 1)
            if before and touched[before - 1].stop > start < stop:
                raise NotUnderstood("something else stands where the location does")


def _merged(spans: Iterable[Span]) -> list[Span]:
    """
    The same bytes by spans that do not overlap, in order.
    """
    merged: list[Span] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1].stop:
            merged[-1] = Span(merged[-1].start, max(stop, merged[-1].stop))
        else:
            merged.append(Span(start, stop))
    return merged
