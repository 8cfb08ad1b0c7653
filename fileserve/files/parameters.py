"""
Parameters of a query, with the sentence that tells what is wrong with one.
"""

from __future__ import annotations

from fileserve.http.refusal import Refusal
from fileserve.http.request import Request

_SWITCH = {b"1": True, b"true": True, b"0": False, b"false": False}


def number(request: Request, name: bytes, default: int, most: int) -> int:
    """
    A number from 1 on.

    :raise Refusal: 422, it is none.
    """
    text = request.query.get(name, [b""])[0]
    if not text:
        return default
    # Digits of other scripts are digits too, to isdigit(); as bytes they are not.
    if not text.isdigit() or len(text) > 9 or not 1 <= int(text) <= most:
        raise Refusal(422, f"'{name.decode()}' is a number from 1 to {most}.")
    return int(text)


def require_whole(request: Request) -> None:
    """
    See that a body is all of a file: stored as such, a part would do harm.

    :raise Refusal: 400, it is said to be a part (RFC 9110 section 14.5).
    """
    if request.requestHeaders.hasHeader(b"Content-Range"):
        raise Refusal(400, "Only whole files are taken here: leave Content-Range away.")


def switch(request: Request, name: bytes) -> bool | None:
    """
    Yes or no, or nothing said.

    :raise Refusal: 422, it is neither.
    """
    text = request.query.get(name, [b""])[0].lower()
    if text and text not in _SWITCH:
        raise Refusal(422, f"'{name.decode()}' is true or false.")
    return _SWITCH.get(text)
