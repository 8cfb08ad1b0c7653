"""
The files that pages are made with, stylesheets and scripts, kept in memory.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files

from attrs import frozen

from fileserve.http.answers import sized
from fileserve.http.conditions import Conditions, Outcome, evaluate
from fileserve.http.representation import conditions_of
from fileserve.http.request import Request

_STYLE = b"text/css; charset=utf-8"
_SCRIPT = b"text/javascript; charset=utf-8"

#: All there are. A script stands behind those that it imports.
TYPES = {
    "style.css": _STYLE,
    "gallery.css": _STYLE,
    "parts.js": _SCRIPT,
    "sending.js": _SCRIPT,
    "previews.js": _SCRIPT,
    "lightbox.js": _SCRIPT,
    "files.js": _SCRIPT,
    "upload.js": _SCRIPT,
    "gallery.js": _SCRIPT,
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

    def versioned(self, name: str) -> str:
        """
        A reference to it that no browser takes an older version for.
        """
        return f"{name}?v={self.digest}"


class Assets:
    """
    Reads them once, and answers with them.
    """

    def __init__(self) -> None:
        folder = files("fileserve.web").joinpath("static")
        self._assets: dict[str, _Asset] = {}
        for name, media_type in TYPES.items():
            body = folder.joinpath(name).read_bytes()
            # What a script imports has its version in its address too.
            for imported, asset in self._assets.items():
                body = body.replace(
                    b'"./%b"' % imported.encode(), b'"./%b"' % asset.versioned(imported).encode()
                )
            self._assets[name] = _Asset(media_type, body)

    def address(self, name: str) -> str:
        """
        Where one is, from the home page: no browser takes an older version for it.
        """
        return "static/" + self._assets[name].versioned(name)

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
