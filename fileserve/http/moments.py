"""
Moments as the calendar has them.

Pure: numbers go in, dates come out.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

#: The first and the last moment of the calendar, in microseconds since 1970 UTC.
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


def in_calendar(microseconds: int) -> datetime:
    """
    A moment in UTC; the nearest that there is, for file systems know years before 1 and after 9999.

    :param microseconds: since 1970 UTC.
    """
    return _EPOCH + timedelta(microseconds=max(_FIRST, min(_LAST, microseconds)))
