"""
Whether a request may proceed, given what the client has already (RFC 9110 section 13), and HTTP's dates.

Pure: header values and the validators of the present bytes go in, an outcome comes out.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from email.utils import formatdate
from enum import Enum, auto

from attrs import frozen

# Apache httpd's figure: a date is a strong validator when the file could not have changed once more
# within the second, even with a clock that is a little off (RFC 9110 section 8.8.2.2).
_STRONG_AFTER_SECONDS = 60

# One element of a list of entity-tags, and the comma after it (RFC 9110 sections 5.6.1, 8.8.3).  No two
# repeats stand side by side, so a hostile list takes linear time.  (Possessive repeats would do so too, but
# Python 3.11.2 gets them wrong.)
_ENTITY_TAG = re.compile(rb'[ \t]*(?:(?P<tag>(?:W/)?"[\x21\x23-\x7e\x80-\xff]*")[ \t]*)?(?:,|\Z)')

_MONTHS = (
    b"Jan",
    b"Feb",
    b"Mar",
    b"Apr",
    b"May",
    b"Jun",
    b"Jul",
    b"Aug",
    b"Sep",
    b"Oct",
    b"Nov",
    b"Dec",
)
_MONTH = rb"(?P<month>" + b"|".join(_MONTHS) + rb")"
_WEEKDAY = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_WEEKDAY = rb"(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"
_TIME = rb"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-5][0-9]|60)"

# RFC 9110 section 5.6.7: IMF-fixdate, then the two obsolete forms that a recipient must accept.
_DATE_FORMS = (
    re.compile(_WEEKDAY + rb", (?P<day>[0-9]{2}) " + _MONTH + rb" (?P<year>[0-9]{4}) " + _TIME + rb" GMT"),
    re.compile(
        _LONG_WEEKDAY + rb", (?P<day>[0-9]{2})-" + _MONTH + rb"-(?P<year>[0-9]{2}) " + _TIME + rb" GMT"
    ),
    re.compile(_WEEKDAY + rb" " + _MONTH + rb" (?P<day>[ 0-9][0-9]) " + _TIME + rb" (?P<year>[0-9]{4})"),
)

# What a date can say.
_DIGITS_OF_A_YEAR = 4
_EARLIEST = int(datetime(1, 1, 1, tzinfo=UTC).timestamp())
_LATEST = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())


class Outcome(Enum):
    """What to do with a request: go on, or answer 304 or 412."""

    PROCEED = auto()
    NOT_MODIFIED = auto()
    PRECONDITION_FAILED = auto()


@frozen
class Conditions:
    """
    The conditions of one request, as they came.

    Each is the value of the header of that name, or ``None`` where the request has none.  A header that
    came several times is one value, joined by ``, `` (RFC 9110 section 5.3).
    """

    if_match: bytes | None = None
    if_none_match: bytes | None = None
    if_modified_since: bytes | None = None
    if_unmodified_since: bytes | None = None
    if_range: bytes | None = None


def evaluate(
    conditions: Conditions,
    method: bytes,
    etag: bytes,
    last_modified: int,
    now: int | None = None,
) -> Outcome:
    """
    Evaluate all conditions but ``If-Range``, in the order of RFC 9110 section 13.2.2.

    :param etag: the strong entity-tag of the present bytes, with its quotes.
    :param last_modified: when they changed last, in whole seconds since the epoch.
    :param now: seconds since the epoch.  Only the century of a date with a two-digit year depends on it;
        without it such a date is read as it would have been at `last_modified`.
    """
    reading = method in (b"GET", b"HEAD")
    clock = last_modified if now is None else now
    if conditions.if_match is not None:
        if not _lists_strongly(conditions.if_match, etag):
            return Outcome.PRECONDITION_FAILED
    elif _changed_since(conditions.if_unmodified_since, last_modified, clock) is True:
        return Outcome.PRECONDITION_FAILED
    if conditions.if_none_match is not None:
        if _lists_weakly(conditions.if_none_match, etag):
            return Outcome.NOT_MODIFIED if reading else Outcome.PRECONDITION_FAILED
    elif reading and _changed_since(conditions.if_modified_since, last_modified, clock) is False:
        return Outcome.NOT_MODIFIED
    return Outcome.PROCEED


def range_applies(if_range: bytes | None, etag: bytes, last_modified: int, now: int) -> bool:
    """
    Whether ``Range`` counts, by RFC 9110 section 13.1.5; where it does not, the whole is sent.

    A weak entity-tag never matches, nor does a date that is not exactly `last_modified`, or that is
    less than 60 seconds old (Apache httpd's figure) and so may stand for two versions.

    :param etag: the strong entity-tag of the present bytes, with its quotes.
    :param last_modified: when they changed last, in whole seconds since the epoch.
    :param now: seconds since the epoch.
    """
    if if_range is None or if_range == etag:
        return True
    return now - last_modified >= _STRONG_AFTER_SECONDS and parse_http_date(if_range, now) == last_modified


def http_date(seconds: int) -> bytes:
    """
    Write a time as IMF-fixdate (RFC 9110 section 5.6.7), in English whatever the locale.

    :param seconds: since the epoch, of either sign.  A time before the year 1 or after the year 9999,
        which a file may have, is written as the nearest that can be.
    """
    return formatdate(_within_calendar(seconds), usegmt=True).encode("ascii")


def parse_http_date(text: bytes, now: int) -> int | None:
    """
    Read an HTTP-date in any of the three forms of RFC 9110 section 5.6.7.

    Neither parser at hand will do: Twisted's ``stringToDatetime`` takes 31 February, 25 o'clock and any
    time zone, and raises four kinds of exceptions; ``email.utils`` takes what is no HTTP-date.

    :param now: seconds since the epoch; a two-digit year is the latest that is at most 50 years ahead.
    :return: seconds since the epoch, or ``None`` where it is no such date.  The weekday is not compared.
    """
    for form in _DATE_FORMS:
        if (found := form.fullmatch(text)) is not None:
            return _seconds_since_epoch(found, now)
    return None


def _seconds_since_epoch(found: re.Match[bytes], now: int) -> int | None:
    """The time that the parts of a date name; a leap second is the one after it."""
    year = int(found["year"])
    if len(found["year"]) < _DIGITS_OF_A_YEAR:
        year = _full_year(year, now)
    month = _MONTHS.index(found["month"]) + 1
    try:
        minute = datetime(
            year,
            month,
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            tzinfo=UTC,
        )
    except ValueError:  # such as 30 February
        return None
    return int(minute.timestamp()) + int(found["second"])


def _full_year(two_digits: int, now: int) -> int:
    """RFC 9110 section 5.6.7: what seems more than 50 years ahead is in the past."""
    latest = time.gmtime(_within_calendar(now)).tm_year + 50
    return latest - (latest - two_digits) % 100


def _within_calendar(seconds: int) -> int:
    return max(_EARLIEST, min(seconds, _LATEST))


def _changed_since(date: bytes | None, last_modified: int, now: int) -> bool | None:
    """``None`` where there is no valid date, so that the condition is to be ignored."""
    since = None if date is None else parse_http_date(date, now)
    return None if since is None else last_modified > since


def _lists_strongly(field: bytes, etag: bytes) -> bool:
    """Strong comparison (RFC 9110 section 8.8.3.2): ours is strong, so no weak one equals it."""
    return _is_any(field) or etag in _entity_tags(field)


def _lists_weakly(field: bytes, etag: bytes) -> bool:
    """Weak comparison (RFC 9110 section 8.8.3.2)."""
    return _is_any(field) or etag in (tag.removeprefix(b"W/") for tag in _entity_tags(field))


def _is_any(field: bytes) -> bool:
    return field.strip(b" \t") == b"*"


def _entity_tags(field: bytes) -> list[bytes]:
    """The entity-tags of a list, or none at all where the list is malformed."""
    tags = []
    position = 0
    while position < len(field):
        element = _ENTITY_TAG.match(field, position)
        if element is None:
            return []
        if element["tag"]:
            tags.append(element["tag"])
        position = element.end()
    return tags
