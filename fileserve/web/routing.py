"""
Tables of routes: how each is made, and what becomes of what its routes raise.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import PathConverter, RequestRedirect

from fileserve.http.answers import nothing
from fileserve.http.request import Request


class _AnyPath(PathConverter):
    """
    A path with any characters; werkzeug's own has no line feed, and a file's name may.
    """

    regex = "[^/](?s:.*?)"


def table(not_found: Callable[[Any, Request, Failure], bytes] | None = None) -> Klein:
    """
    Make an empty table for a class whose instances have ``errors``, an `Errors`.

    :param not_found: answers what no route is for, where that is not to be answered as everything else.
    """
    app = Klein()
    # Routing would answer `//archive/x/` with a redirect to an absolute URL.
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = True
    app.url_map.converters["path"] = _AnyPath
    # The first that fits is taken. Klein's hints know no error handlers but functions of Klein itself.
    if not_found is not None:
        app.handle_errors(NotFound)(not_found)  # type: ignore[arg-type]
    app.handle_errors(RequestRedirect)(_slash_is_missing)  # type: ignore[arg-type]
    app.handle_errors(MethodNotAllowed)(_method_not_allowed)  # type: ignore[arg-type]
    app.handle_errors(Exception)(_failed)  # type: ignore[arg-type]
    return app


def _slash_is_missing(_self: Any, request: Request, _failure: Failure) -> bytes:
    """
    Routing would answer with an absolute URL, of a host that anybody may name.
    """
    return with_slash(request)


def with_slash(request: Request) -> bytes:
    """
    Redirect to the same address with a slash at its end.
    """
    path, mark, query = request.uri.partition(b"?")
    last = unquote_to_bytes(path.rpartition(b"/")[2])
    request.setHeader(b"Location", quote(last, safe="").encode() + b"/" + mark + query)
    return nothing(request, 308)


def _method_not_allowed(self: Any, request: Request, failure: Failure) -> bytes:
    """
    ``OPTIONS`` asks what is allowed; any other method is told.
    """
    body: bytes = self.errors.answer(request, failure)
    if request.method != b"OPTIONS":
        return body
    request.setResponseCode(204)
    for name in (b"Content-Type", b"Content-Length", b"Vary"):
        request.responseHeaders.removeHeader(name)
    return b""


def _failed(self: Any, request: Request, failure: Failure) -> bytes:
    body: bytes = self.errors.answer(request, failure)
    return body


def coroutine(route: Callable[..., Any]) -> Callable[..., Deferred[Any]]:
    """
    Let a route be a coroutine, which is cancelled when the client leaves.
    """

    @wraps(route)
    def begun(*args: Any, **parts: Any) -> Deferred[Any]:
        return Deferred.fromCoroutine(route(*args, **parts))

    return begun
