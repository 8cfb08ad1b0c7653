"""
The description as it is served: made once, and told apart by a strong entity-tag.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from fileserve.http.answers import sized
from fileserve.http.conditions import Conditions, Outcome, evaluate
from fileserve.http.refusal import Refusal
from fileserve.http.representation import conditions_of
from fileserve.http.request import Request

from .document import document
from .operations import EXAMPLE_ORIGIN
from .page import Reader


class Description:
    """
    What the API says of itself.

    :param open_uploads: whether everybody may upload.
    """

    def __init__(self, *, open_uploads: bool) -> None:
        described = document(open_uploads=open_uploads)
        self._json = json.dumps(described, ensure_ascii=False).encode()
        self._etag = b'"' + hashlib.sha256(self._json).hexdigest()[:32].encode() + b'"'
        reader = Reader(described)
        self._about = described["info"]["description"]
        self._groups, self._schemas = reader.groups(), reader.schemas()

    def json(self, request: Request) -> bytes:
        """
        Answer with the document.

        :return: the body.
        :raise Refusal: 412, the client asks for another version.
        """
        outcome = self._evaluate(request)
        if outcome is Outcome.PRECONDITION_FAILED:
            raise Refusal(412, "This is not the version you asked for.", {b"ETag": self._etag})
        # Kept only to be asked after: a new release of the server describes itself.
        request.setHeader(b"Cache-Control", b"no-cache")
        request.setHeader(b"ETag", self._etag)
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        # It says nothing that is secret, and tools that show such documents are pages of other sites.
        request.setHeader(b"Access-Control-Allow-Origin", b"*")
        if outcome is Outcome.NOT_MODIFIED:
            request.setResponseCode(304)
            return b""
        return sized(request, b"application/json", self._json)

    def _evaluate(self, request: Request) -> Outcome:
        asked = conditions_of(request)
        # Nobody knows when a release was installed, so dates don't count.
        tags = Conditions(if_match=asked.if_match, if_none_match=asked.if_none_match)
        return evaluate(tags, request.method, self._etag, 0)

    def values(self, request: Request) -> Mapping[str, object]:
        """
        What the page's template names.
        """
        return {
            "about": self._about,
            "groups": self._groups,
            "schemas": self._schemas,
            "example_origin": EXAMPLE_ORIGIN,
            "origin": request.origin,
        }
