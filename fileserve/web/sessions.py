"""
Sessions of browsers that signed in: the value of their cookie, and the headers that carry it.

Nothing is remembered: the cookie says when its session began, and is signed.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterable

from attrs import field, frozen
from werkzeug.http import parse_cookie

#: How long a session lasts, in seconds.
LASTS = 12 * 60 * 60

# Two servers that share a key may not have quite the same time.
_MOST_AHEAD = 60

_COOKIE = "fileserve"

_VALUE = re.compile(r"([1-9][0-9]{0,11})\.[A-Za-z0-9_-]{43}", re.ASCII)


@frozen
class Sessions:
    """
    Begins sessions, and knows its own.

    :param key: of 32 bytes, secret; whoever has the same one accepts the same sessions.
    """

    _key: bytes = field(repr=False)

    def begin(self, now: float) -> str:
        """
        Make a value for the cookie of somebody who signed in.

        :param now: seconds since 1970 UTC.
        """
        return self._signed(str(int(now)))

    def valid(self, value: str, now: float) -> bool:
        """
        Whether this is the value of a session that was begun here and lasts still.

        :param value: whatever came in a cookie.
        """
        if (shape := _VALUE.fullmatch(value)) is None:
            return False
        signed = hmac.compare_digest(value.encode(), self._signed(shape[1]).encode())
        return signed and -_MOST_AHEAD <= now - int(shape[1]) < LASTS

    def _signed(self, began: str) -> str:
        digest = hmac.digest(self._key, began.encode(), "sha256")
        return f"{began}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def cookie_values(headers: Iterable[bytes], secure: bool) -> list[str]:
    """
    Find the values of our cookie; there may be several, of which somebody else may have set some.

    :param headers: the values of ``Cookie``, as they came.
    :param secure: whether the client speaks TLS; the cookie has another name then.
    """
    name = _name(secure)
    return [value for header in headers for value in parse_cookie(_tolerable(header)).getlist(name)]


def set_cookie(value: str, secure: bool) -> bytes:
    """
    A value for ``Set-Cookie`` that begins a session in a browser.

    :param secure: whether the client speaks TLS. The cookie then has the prefix that keeps
        neighbours (other hosts of the domain, and who answers in the clear) from
        setting it (RFC 6265bis section 4.1.3.2).
    """
    return _cookie(value, LASTS, secure)


def expired_cookie(secure: bool) -> bytes:
    """
    A value for ``Set-Cookie`` that ends a session in a browser.
    """
    return _cookie("", 0, secure)


def _cookie(value: str, seconds: int, secure: bool) -> bytes:
    cookie = f"{_name(secure)}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax"
    return (cookie + ("; Secure" if secure else "")).encode("ascii")


def _tolerable(header: bytes) -> str:
    """What werkzeug reads without raising: UTF-8, as WSGI would spell it, whatever came."""
    return header.decode("utf-8", "replace").encode().decode("latin-1")


def _name(secure: bool) -> str:
    return "__Host-" + _COOKIE if secure else _COOKIE
