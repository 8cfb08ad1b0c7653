"""
The files that pages are made with: the stylesheet and the script, kept in memory.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files

from attrs import frozen

from fileserve.http.answers import sized
from fileserve.http.conditions import Conditions, Outcome, evaluate
from fileserve.http.representation import conditions_of
from fileserve.http.request import Request

#: All there are.
TYPES = {
    "style.css": b"text/css; charset=utf-8",
    "files.js": b"text/javascript; charset=utf-8",
}


@frozen
class _Asset:
    media_type: bytes
    body: bytes

    @property
    def digest(self) -> str:
        """
        Another one for other bytes.
        """
        return hashlib.sha256(self.body).hexdigest()[:16]


class Assets:
    """
    Reads them once, and answers with them.
    """

    def __init__(self) -> None:
        folder = files("fileserve.web").joinpath("static")
        self._assets = {
            name: _Asset(media_type, folder.joinpath(name).read_bytes()) for name, media_type in TYPES.items()
        }

    def address(self, name: str) -> str:
        """
        Where one is, from the home page: no browser takes an older version for it.
        """
        return f"static/{name}?v={self._assets[name].digest}"

    def send(self, request: Request, name: str) -> bytes:
        """
        Answer with one.

        :param name: one of `TYPES`.
        """
        asset = self._assets[name]
        etag = f'"{asset.digest}"'.encode()
        request.setHeader(b"Cache-Control", b"max-age=3600")
        request.setHeader(b"ETag", etag)
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        # There is no date of the last change, and so no condition on one.
        condition = Conditions(if_none_match=conditions_of(request).if_none_match)
        if evaluate(condition, request.method, etag, 0) is Outcome.NOT_MODIFIED:
            request.setResponseCode(304)
            return b""
        return sized(request, asset.media_type, asset.body)
