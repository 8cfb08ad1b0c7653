"""
Whether files are asked for without the place where they were taken: ``?location=strip``.
"""

from __future__ import annotations

from fileserve.http.refusal import Refusal
from fileserve.http.request import Request


def strips_location(request: Request) -> bool:
    """
    Read the parameter ``location`` of the query.

    :raise Refusal: 400, it says something else: who misspells it must not get what was to be left out.
    """
    said = request.query.get(b"location")
    if said is None:
        return False
    if said != [b"strip"]:
        raise Refusal(400, "'location' is strip, or is left away.")
    return True
