"""
How pages put numbers, moments and names into words.
"""

from __future__ import annotations

import re
from datetime import datetime

from fileserve.http.moments import in_calendar

# Not of the locale: the pages are in English.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_UNITS = ("B", "KB", "MB", "GB", "TB", "PB", "EB")

# What shows as nothing, breaks a line, or turns the writing around it, so that `exe` stands where `txt` seems
# to: controls (C0, DEL, C1), the marks, embeddings, overrides and isolates of bidirectional text, separators
# of lines, blanks of no width, and lone surrogates, which are no text. Joiners stay: Persian needs them.
_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)

# Of a name that is too long, so many characters of its end stay: its extension is among them.
_END = 24


def size(count: int) -> str:
    """
    A number of bytes, in powers of 1024 with at most two decimals: ``61.47 KB``.
    """
    for power, unit in enumerate(_UNITS):
        scale = 1024**power
        hundredths = (200 * count + scale) // (2 * scale)
        # What would round to 1024 of one unit is 1 of the next.
        if hundredths < 1024 * 100 or unit == _UNITS[-1]:
            break
    whole, rest = divmod(hundredths, 100)
    return f"{whole}.{rest:02}".rstrip("0").rstrip(".") + f" {unit}"


def name(filename: str, most: int = 120) -> str:
    """
    A file's name as one line that hides nothing: of a long one, the beginning and the end.

    :param filename: anybody's text. What can't be seen in it shows as U+FFFD.
    :param most: how many characters the line has at the most.
    """
    if len(filename) > most:
        filename = f"{filename[: most - _END - 1]}…{filename[-_END:]}"
    line = _UNSEEN.sub("\ufffd", filename)
    return line if line.strip() else "(no name)"


def moment(microseconds: int) -> str:
    """
    A moment to the minute, in UTC: ``20 Nov 2026, 21:52 UTC``.

    :param microseconds: since 1970 UTC.
    """
    return f"{_minute(in_calendar(microseconds))} UTC"


def taken(text: str) -> str:
    """
    When a picture was taken, to the minute, by the camera's clock: ``20 Nov 2026, 21:52 +01:00``.

    :param text: as `fileserve.pictures.facts.PictureFacts` has it. What can't be read as such stays as it is.
    """
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return name(text)
    offset = at.isoformat()[len(at.replace(tzinfo=None).isoformat()) :]
    return f"{_minute(at)} {offset}".rstrip()


def _minute(at: datetime) -> str:
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M}"
