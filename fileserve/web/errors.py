"""
How errors are answered: as a page to browsers, as a problem to programs, as a line to the rest.
"""

from __future__ import annotations

import json
import secrets
from http import HTTPStatus

from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from fileserve.catalogue.interfaces import CatalogueUnavailable
from fileserve.http.answers import sized
from fileserve.http.refusal import Refusal
from fileserve.http.request import Request
from fileserve.http.sending import cut
from fileserve.storage.errors import NoSpace, StoreUnavailable, Unreadable

from .accepting import preferred_type
from .access import SignInFirst
from .pages import Pages, see_other, sign_in_address

_log = Logger(namespace="fileserve.web")

#: What people are told of statuses that routing gives; it has no words of its own for them.
_DETAILS = {404: "There is nothing here.", 405: "This can't be done here."}


#: What an error keeps of the headers that were set for what it takes the place of.
_KEPT = frozenset({b"Server", b"Date", b"Referrer-Policy", b"Connection"})


#: Where something that can't be read is no error of this program. An archive is one thing, and answers 500.
_PARTS_OF_ALBUMS = (b"/gallery/", b"/upload/", b"/api/")


#: Where pages have scripts and forms that send and remove pictures.
_FORMS = (b"/gallery/", b"/upload/")


#: What goes wrong without anybody's fault in this program.
Expected = Refusal | StoreUnavailable | CatalogueUnavailable | NoSpace | Unreadable


def refusal_for(error: Expected) -> Refusal:
    """
    What is told of it.
    """
    if isinstance(error, Refusal):
        return error
    if isinstance(error, NoSpace):
        return Refusal(507, "There is no room left for this file.")
    if isinstance(error, Unreadable):
        _log.error("Something in an album can't be read: {error}", error=error)
        detail = "Something in this album can't be read. The operator finds it in the log."
        return Refusal(503, detail, {b"Retry-After": b"60"})
    _log.error("{error}", error=error)
    return Refusal(503, "This can't be done just now. Try again soon.", {b"Retry-After": b"5"})


class Errors:
    """
    Answers a request that failed.
    """

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def answer(self, request: Request, failure: Failure) -> bytes:
        """
        Set status and headers for a failure.

        :return: the body.
        """
        if failure.check(CancelledError):
            return b""
        if failure.check(SignInFirst):
            return see_other(request, sign_in_address(request))
        if request.startedWriting:
            _log.failure("The connection is cut: its response can't be completed", failure)
            cut(request)
            return b""
        return self._refuse(request, self._refusal(request, failure))

    def _refusal(self, request: Request, failure: Failure) -> Refusal:
        error = failure.value
        if isinstance(error, Expected) and not _spoils_all(request, error):
            return refusal_for(error)
        if isinstance(error, MethodNotAllowed):
            allow = ", ".join(sorted({*(error.valid_methods or ()), "OPTIONS"}))
            return Refusal(405, _DETAILS[405], {b"Allow": allow.encode()})
        if isinstance(error, HTTPException) and error.code is not None:
            return Refusal(error.code, _DETAILS.get(error.code, HTTPStatus(error.code).description))
        identity = secrets.token_hex(8)
        _log.failure("Request {identity} failed: {request}", failure, identity=identity, request=request)
        detail = "Something went wrong here. The operator finds it in the log."
        return Refusal(500, detail, {b"X-Request-Id": identity.encode()})

    def _refuse(self, request: Request, refusal: Refusal) -> bytes:
        status = refusal.status
        request.setResponseCode(status, status.phrase.encode())
        for name in {name for name, _ in request.responseHeaders.getAllRawHeaders()} - _KEPT:
            request.responseHeaders.removeHeader(name)
        body = self._body(request, refusal)
        request.setHeader(b"Cache-Control", b"no-store")
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        for name, value in refusal.headers.items():
            request.setHeader(name, value)
        return body

    def _body(self, request: Request, refusal: Refusal) -> bytes:
        status, detail = refusal.status, refusal.detail
        if request.path.startswith(b"/api/"):
            return problem(request, refusal)
        request.setHeader(b"Vary", b"Accept")
        usual = "application/json" if _is_for_programs(request) else "text/plain"
        others = ["application/json"] if request.path.startswith(_FORMS) else []
        preferred = preferred_type(request, usual, "text/html", *others) or usual
        if preferred == "text/html":
            return self._pages.html(request, "error.html", status=status, detail=detail)
        if preferred == "application/json":
            return problem(request, refusal)
        return sized(request, b"text/plain; charset=utf-8", detail.encode())


def _spoils_all(request: Request, error: Expected) -> bool:
    return isinstance(error, Unreadable) and not request.path.startswith(_PARTS_OF_ALBUMS)


def _is_for_programs(request: Request) -> bool:
    """
    Whether it sends or removes a picture, which programs, scripts of our pages and forms do alike.
    """
    path = request.path
    return path.startswith(b"/upload/") or (request.method == b"DELETE" and path.startswith(b"/gallery/"))


def problem(request: Request, refusal: Refusal, **more: object) -> bytes:
    """
    Describe what went wrong to a program (RFC 9457).

    :param more: what else it is told.
    :return: the body.
    """
    status = refusal.status
    said = {"title": status.phrase, "status": int(status), "detail": refusal.detail, **more}
    return sized(request, b"application/problem+json", json.dumps(said).encode())
