"""
What a client likes to get, by its header ``Accept`` (RFC 9110 section 12.5.1).
"""

from __future__ import annotations

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header

from fileserve.http.request import Request

#: More of the header, in bytes, would take milliseconds to sort; browsers send 150.
_LONGEST = 1000


def preferred_type(request: Request, *media_types: str) -> str | None:
    """
    Which of some media types a client likes most; the first one, where it likes all of them as much.

    :return: ``None``, if it takes none of them, and if it said nothing.
    """
    return _accepted(request).best_match(media_types)


def names_type(request: Request, media_type: str) -> bool:
    """
    Whether a client takes a media type, and says so by its name: ``*/*`` is also said by programs that show
    nothing.
    """
    return any(name.lower() == media_type and quality > 0 for name, quality in _accepted(request))


def _accepted(request: Request) -> MIMEAccept:
    accept = b",".join(request.requestHeaders.getRawHeaders(b"Accept") or [])
    return parse_accept_header(accept[:_LONGEST].decode("latin-1"), MIMEAccept)
