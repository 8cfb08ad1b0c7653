"""
Links that work without further permission until a moment: a signature over path and expiry.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping, Sequence
from enum import Enum

# Seconds since 1970 UTC.
_EXPIRES = re.compile(rb"0|[1-9][0-9]{0,11}")

_PARAMETERS = (b"expires", b"key", b"signature")


class Verdict(Enum):
    """
    What is to be thought of a link.
    """

    GOOD = "good"
    #: We signed it, and it is too late.
    EXPIRED = "expired"
    #: Not signed, not whole, or not signed by us for this path.
    BAD = "bad"


class LinkSigner:
    """
    Signs paths, and checks what it signed.

    :param keys: secret, for this purpose only; at least one. The first signs, any
        checks: a link names its key, so that keys can be changed.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._present = keys[0]
        self._by_id = {_key_id(key): key for key in keys}

    def sign(self, path: str, expires: int) -> str:
        """
        Permit everybody to read one path.

        :param path: of the URL, decoded, beginning with ``/``. Nothing else of the URL is signed:
            parameters beside these must not matter to who may read what.
        :param expires: seconds since 1970 UTC; at that moment it works no more.
        :return: the query for it: three parameters.
        """
        until = str(expires).encode("ascii")
        signature = _signature(self._present, path, until)
        return b"&".join(
            name + b"=" + value
            for name, value in zip(_PARAMETERS, (until, _key_id(self._present), signature), strict=True)
        ).decode("ascii")

    def check(self, path: str, query: Mapping[bytes, Sequence[bytes]], now: float) -> Verdict:
        """
        Judge a link, in the same time for any signature.

        :param path: as for `sign`.
        :param query: parameters, decoded, with all values of each.
        :param now: seconds since 1970 UTC.
        """
        values = [query.get(name, ()) for name in _PARAMETERS]
        if any(len(each) != 1 for each in values):
            return Verdict.BAD
        (until,), (key_id,), (signature,) = values
        key = self._by_id.get(key_id)
        if key is None or not _EXPIRES.fullmatch(until):
            return Verdict.BAD
        if not hmac.compare_digest(_signature(key, path, until), signature):
            return Verdict.BAD
        return Verdict.GOOD if now < int(until) else Verdict.EXPIRED


def _signature(key: bytes, path: str, until: bytes) -> bytes:
    # The expiry has digits only, so where it ends and the path begins is never in doubt.
    message = until + b"\n" + path.encode("utf-8", "surrogatepass")
    return base64.urlsafe_b64encode(hmac.digest(key, message, "sha256")).rstrip(b"=")


def _key_id(key: bytes) -> bytes:
    """A name for a key, of 8 characters, that tells nothing of it."""
    return hmac.digest(key, b"key id", "sha256").hex()[:8].encode("ascii")
