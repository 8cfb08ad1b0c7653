"""
What a camera wrote into a picture, read from values of EXIF as Pillow gives them, however broken they are.

The tags are those of CIPA DC-008 (EXIF 3.0) section 4.6. Pure, and used by whoever shows a camera's name too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

from attrs import frozen

from .protocol import LONGEST_TEXT

Tags = Mapping[int, object]

_MAKE, _MODEL, _ORIENTATION, _GPS = 0x010F, 0x0110, 0x0112, 0x8825
_LATITUDE, _LONGITUDE = 0x0002, 0x0004

# Where a date may stand, and the offset from UTC that belongs to it: when the picture was taken, when it was
# digitised (for a camera the same), and when the file was changed last.
_DATES = ((0x9003, 0x9011), (0x9004, 0x9012), (0x0132, 0x9010))

_DATE = re.compile(
    r"([0-9]{4})[:/. -] ?([0-9]{1,2})[:/. -] ?([0-9]{1,2})[T ] ?([0-9]{1,2}): ?([0-9]{1,2}): ?([0-9]{1,2})"
    r"(?:\.[0-9]*)? ?(Z|[+-][0-9]{1,2}:?[0-9]{2})?"
)
_OFFSET = re.compile(r"([+-])([0-9]{1,2}):?([0-9]{2})")

# ISO 3166 has no country beyond these; an offset that is larger is an error of the camera.
_FARTHEST = timedelta(hours=14)

# As an attribute, or an element, of any prefix that stands for the namespace of EXIF.
_XMP_LOCATION = re.compile(rb"\bGPSL(?:atitude|ongitude)[\s=>]")

# Whether it is UTF-8 nobody writes down. What is no character is shown as one that says so.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff]+")

# What firms call themselves, and nobody calls a camera.
_FIRM = frozenset({"ag", "co", "company", "corp", "corporation", "gmbh", "inc", "limited", "ltd"})


@frozen
class Camera:
    """
    What a camera wrote; ``None`` for all that it did not, or not so that one could read it.

    The fields are those of `fileserve.pictures.facts.PictureFacts`.
    """

    maker: str | None = None
    model: str | None = None
    taken: str | None = None
    orientation: int | None = None
    located: bool | None = None


def camera(main: Tags, sub: Tags, gps: Tags, xmp: bytes = b"") -> Camera:
    """
    Read what a camera wrote.

    :param main: the fields of the first directory. A value that raises anything when it is asked for counts
        as not there.
    :param sub: those of the directory of EXIF. Some programs mix the two up.
    :param gps: those of the directory of GPS.
    :param xmp: all XMP that there is; of this only the location counts.
    """
    return Camera(
        _text(_field(_MAKE, main, sub)),
        _text(_field(_MODEL, main, sub)),
        _taken(sub, main),
        _orientation(_field(_ORIENTATION, main)),
        _located(main, gps, xmp),
    )


def name(maker: str | None, model: str | None) -> str | None:
    """
    What to call a camera: maker and model, and the maker not twice.

    ``Canon`` and ``Canon EOS 5D`` are a ``Canon EOS 5D``, ``NIKON CORPORATION`` and ``NIKON D850`` a
    ``NIKON D850``, ``Google`` and ``Pixel 8`` a ``Google Pixel 8``.
    """
    if not maker or not model:
        return maker or model or None
    words = maker.replace(",", " ").split()
    while len(words) > 1 and words[-1].rstrip(".").lower() in _FIRM:
        words.pop()
    if re.split(r"[\s_-]", model.lower(), maxsplit=1)[0] in {word.lower() for word in words}:
        return model
    return " ".join([*words, model]) if words else model


def _field(tag: int, *directories: Tags) -> object:
    """The first value that can be read."""
    for each in directories:
        value = None
        # Pillow decodes a value when it is asked for, and the file may be anything.
        with suppress(Exception):
            value = each.get(tag)
        if value is not None:
            return value
    return None


def _text(value: object) -> str | None:
    """
    A text as it may be shown: of one line, no longer than is passed on.

    Pillow reads each byte of ASCII as a character of Latin-1; many programs write UTF-8.
    """
    if not isinstance(value, str | bytes):
        return None
    try:
        raw = value.encode("latin-1") if isinstance(value, str) else value
    except UnicodeEncodeError:
        return _tidy(str(value))
    try:
        return _tidy(raw.decode())
    except UnicodeDecodeError:
        return _tidy(raw.decode("latin-1"))


def _tidy(text: str) -> str | None:
    """The text ends at a NUL (TIFF 6.0 section 2, type ASCII)."""
    shown = _UNPRINTABLE.sub(" ", text.partition("\0")[0])
    return " ".join(shown.split())[:LONGEST_TEXT].strip() or None


def _orientation(value: object) -> int | None:
    if isinstance(value, tuple) and value:
        value = value[0]
    return value if isinstance(value, int) and 1 <= value <= 8 else None


def _located(main: Tags, gps: Tags, xmp: bytes) -> bool | None:
    """Whether a latitude or a longitude is there, whatever its value; unknown where nobody can read GPS."""
    if any(_field(tag, gps) is not None for tag in (_LATITUDE, _LONGITUDE)):
        return True
    if _XMP_LOCATION.search(xmp.replace(b"\0", b"")) is not None:  # as if UTF-16 were ASCII
        return True
    return None if _field(_GPS, main) is not None and not gps else False


def _taken(sub: Tags, main: Tags) -> str | None:
    """The first date that is one."""
    for date, offset in _DATES:
        found = _date(_text(_field(date, sub, main)), _text(_field(offset, sub, main)))
        if found is not None:
            return found
    return None


def _date(text: str | None, offset: str | None) -> str | None:
    if text is None or (found := _DATE.fullmatch(text)) is None:
        return None
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=_zone(found[7] or offset))
    except ValueError:
        return None
    return moment.isoformat()


def _zone(offset: str | None) -> timezone | None:
    if offset == "Z":
        return UTC
    if offset is None or (found := _OFFSET.fullmatch(offset)) is None or int(found[3]) > 59:
        return None
    size = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return None if size > _FARTHEST else timezone(-size if found[1] == "-" else size)
