"""
A location in a JPEG file (ITU-T T.81): in its segments, in further pictures behind the first, and in what
follows.

Behind the end of a picture stand others (CIPA DC-007): previews, maps of depth or brightness. They are
looked at as the first is. Whatever else follows is overwritten, for nobody can tell what it says: notes of
a phone, a ZIP file. A film that belongs to the picture and is announced there is too much to lose without a
word, so such a file is refused.
"""

from __future__ import annotations

import re

from . import xmp
from .patch import Patch, Unstrippable
from .reading import SCANNED, Steps, TooMuchError, Window
from .segments import METADATA, Segments

#: Bytes that are read at once at the least: nearly all that stands before a picture's own data.
AHEAD = 32 * 1024

# Markers of segments; not what stands in the data of a picture: bytes 0xFF as such, and restarts.
_MARKER = re.compile(rb"\xff[\xc0-\xcf\xd8-\xfe]")
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA

# Such a file has fewer; behind so many all is overwritten, or it is refused.
_MOST_MARKERS = 20_000
_MOST_PICTURES = 100
_MOST_FILMS = 100

_NOT_ZERO = re.compile(rb"[^\0]")

# How Google's and Samsung's phones tell of a film: its length, counted from the end of the file
# (developer.android.com, "Motion Photo format 1.0").
_FILM_LENGTH = re.compile(rb"(?:MicroVideoOffset|:Length)\s*(?:=\s*[\"']|>)\s*([0-9]{1,12})\b")
_FILM = re.compile(rb"....(?:ftyp|moov|mdat)", re.DOTALL)

# Samsung's phones end a file with a list of what stands behind the picture; 0x0a30 is a film.
_LIST_END, _LIST_BEGIN, _LISTED_FILM = b"SEFT", b"SEFH", 0x0A30


def refuse(view: Window) -> Steps[None]:
    """
    See that the location can be taken out; what stands before the picture's data, and at the end, tells.

    :raise Unstrippable: it can't.
    """
    yield from _Walk(view).first(header_only=True)


def location_patches(view: Window) -> Steps[list[Patch]]:
    """
    What takes the location out of a file; all of it is read, unless it is refused.

    :raise Unstrippable: as `refuse` does.
    """
    walk = _Walk(view)
    end = yield from walk.first()
    end = yield from walk.others(end)
    return walk.patches + (yield from view.blank(end, view.size))


class _Walk:
    """
    A walk through a file, picture by picture.

    :ivar patches: what was found.
    """

    def __init__(self, view: Window) -> None:
        self._view = view
        self.patches: list[Patch] = []
        self._segments = Segments(view.budget)
        self._film_lengths: set[int] = set()
        self._markers = 0
        #: Where the part stands that is looked at.
        self._at = 0
        self._is_judged = False

    def first(self, header_only: bool = False) -> Steps[int]:
        """
        Go through the first picture.

        :param header_only: not through its data.
        :return: where it has ended, or from where on all is too much.
        :raise Unstrippable: the location can't be taken out.
        """
        try:
            end = yield from self._picture(0, header_only)
        except TooMuchError:
            if not self._is_judged:
                raise Unstrippable("It has more metadata than is looked through.") from None
            end = self._at
        yield from self._judge()
        return end

    def others(self, at: int) -> Steps[int]:
        """
        Go through the pictures behind it.

        :return: from where on there are none.
        """
        try:
            for _ in range(_MOST_PICTURES):
                found = yield from self._view.search(_NOT_ZERO, at, 1)
                if found is None or (yield from self._view.get(found, 3)) != b"\xff\xd8\xff":
                    return at
                at = yield from self._picture(found)
        except TooMuchError:
            at = self._at
        return at

    def _picture(self, at: int, header_only: bool = False) -> Steps[int]:
        """
        Go through one picture.

        :return: where it has ended.
        """
        self._segments = Segments(self._view.budget)
        try:
            return (yield from self._parts(at + 2, header_only))
        finally:
            self.patches += self._segments.linked_patches()

    def _parts(self, at: int, header_only: bool) -> Steps[int]:
        while (found := (yield from self._view.search(_MARKER, at, 2))) is not None:
            self._at, self._markers = found, self._markers + 1
            if self._markers > _MOST_MARKERS:
                raise TooMuchError
            code, at = (yield from self._view.get(found, 2))[1], found + 2
            if code == _SOS:
                yield from self._judge()
            if code == _EOI or (code == _SOS and header_only):
                return at
            length = int.from_bytes((yield from self._view.get(at, 2)))
            if code == _SOI or length < 2:
                continue
            if code in METADATA:
                self._segment((yield from self._view.get(at + 2, length - 2)), at + 2)
            at += length
        return self._view.size

    def _segment(self, payload: bytes, at: int) -> None:
        self.patches += self._segments.patches(payload, at)
        if not self._is_judged and payload.startswith(xmp.SIGNATURE):
            lengths = map(int, _FILM_LENGTH.findall(payload))
            self._film_lengths |= {length for length in lengths if length < self._view.size}
            if len(self._film_lengths) > _MOST_FILMS:
                raise TooMuchError

    def _judge(self) -> Steps[None]:
        """
        See, once, whether what stands before the first picture's data tells that it can't be done.
        """
        if self._is_judged:
            return
        self._is_judged = True
        if self._segments.is_thermal:
            raise Unstrippable("The measurements of a thermal camera can't be told from their location.")
        view = Window(self._view.size)  # what was read ahead is still of use
        for length in sorted(self._film_lengths):
            if _FILM.match((yield from view.get(view.size - length, 8))):
                raise _film()
        yield from _refuse_listed_film(view)


def _refuse_listed_film(view: Window) -> Steps[None]:
    end = yield from view.get(max(0, view.size - 8), 8)
    length = int.from_bytes(end[:4], "little")
    if end[4:] != _LIST_END or not 12 <= length < min(view.size, SCANNED):
        return
    listed = yield from view.get(max(0, view.size - 8 - length), length)
    kinds = (int.from_bytes(listed[at : at + 2], "little") for at in range(14, length, 12))
    if listed.startswith(_LIST_BEGIN) and _LISTED_FILM in kinds:
        raise _film()


def _film() -> Unstrippable:
    return Unstrippable("There is a film in it, out of which a location can't be taken.")
