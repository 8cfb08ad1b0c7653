"""
All routes of the site in one table, and what every response has in common.
"""

from __future__ import annotations

import re

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from werkzeug.exceptions import MethodNotAllowed, NotFound

from fileserve.archive.endpoint import GONE, Archives, address_below
from fileserve.http.refusal import Refusal
from fileserve.http.site import Request

from .errors import Errors
from .pages import Pages, sized

#: What a host and its port may be spelt with (RFC 3986 section 3.2.2), roughly:
#: nothing of ours depends on it.
_HOST = re.compile(rb"[!$-;=A-Z\[\]_a-z~]*")

#: A path that no route has.
_NOBODY = "\ufffd".encode()


class Root:
    """
    The site.
    """

    app = Klein()
    # Klein's hints know no error handlers but functions of Klein itself.
    # Routing would answer `//archive/x/` with a redirect to an absolute URL.
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = True

    def __init__(self, archives: Archives, pages: Pages, errors: Errors) -> None:
        self._archives = archives
        self._pages = pages
        self._errors = errors

    @app.route("/", methods=["GET"])
    def home(self, request: Request) -> bytes:
        """
        Say what this server is, to whoever opens it.
        """
        return self._pages.html(request, "home.html")

    @app.route("/static/style.css", methods=["GET"])
    def stylesheet(self, request: Request) -> bytes:
        """
        What the pages look like.
        """
        request.setHeader(b"Cache-Control", b"max-age=3600")
        return sized(request, b"text/css; charset=utf-8", self._pages.stylesheet)

    @app.route("/archive/<album>/", methods=["GET"])
    def archive(self, request: Request, album: str) -> Deferred[None]:
        """
        An album as a ZIP.
        """
        return Deferred.fromCoroutine(self._archives.send(request, album))

    @app.route("/archive/<album>", methods=["GET"])
    def archive_without_slash(self, request: Request, album: str) -> bytes:
        """
        The address of an album ends with a slash.
        """
        _, mark, query = request.uri.partition(b"?")
        request.setResponseCode(308)
        request.setHeader(b"Location", address_below(album) + mark + query)
        return sized(request, b"text/plain; charset=utf-8", b"")

    @app.handle_errors(NotFound)  # type: ignore[arg-type]
    def not_found(self, request: Request, failure: Failure) -> bytes:
        """
        No address below ``/archive`` tells more than any other.
        """
        if request.path.startswith(b"/archive"):
            failure = Failure(Refusal(404, GONE))
        return self._errors.answer(request, failure)

    @app.handle_errors(MethodNotAllowed)  # type: ignore[arg-type]
    def method_not_allowed(self, request: Request, failure: Failure) -> bytes:
        """
        ``OPTIONS`` asks what is allowed; any other method is told.
        """
        body = self._errors.answer(request, failure)
        if request.method != b"OPTIONS":
            return body
        request.setResponseCode(204)
        for name in (b"Content-Type", b"Content-Length", b"Vary"):
            request.responseHeaders.removeHeader(name)
        return b""

    @app.handle_errors(Exception)  # type: ignore[arg-type]
    def failed(self, request: Request, failure: Failure) -> bytes:
        """
        Everything else that went wrong.
        """
        return self._errors.answer(request, failure)


class Front(Resource):
    """
    Stands before the routes: what every response says, and what routing can't take.
    """

    isLeaf = True

    def __init__(self, root: Root, errors: Errors) -> None:
        super().__init__()
        self._routes = root.app.resource()
        self._errors = errors

    def render(self, request: Request) -> object:
        """
        Pass a request on.
        """
        request.setHeader(b"Server", b"fileserve")
        request.setHeader(b"Referrer-Policy", b"no-referrer")
        # Klein answers a path that is not UTF-8 by itself, unlike any other
        # name that nobody has: U+FFFD stands in no name, so it is not found.
        segments = request.postpath or []
        request.postpath = [segment.decode("utf-8", "replace").encode() for segment in segments]
        if not request.path.startswith(b"/") or request.path.startswith(b"//") or b"/" in b"".join(segments):
            # Routing would look past a wrong beginning, and take %2F for a slash.
            request.postpath = [_NOBODY]
        # Methods are case-sensitive (RFC 9110 section 9.1), and to routing they are not.
        if not (request.method.isalpha() and request.method.isupper()):
            request.method = b"UNKNOWN"
        if not _names_a_host(request):
            return self._errors.answer(request, Failure(Refusal(400, "A request names one host.")))
        return self._routes.render(request)


def _names_a_host(request: Request) -> bool:
    """
    RFC 9112 section 3.2: one ``Host`` and only one, of characters that may stand
    there; HTTP/1.0 knew none.
    """
    hosts = request.requestHeaders.getRawHeaders(b"Host") or []
    if not hosts:
        return request.clientproto != b"HTTP/1.1"
    return len(hosts) == 1 and _HOST.fullmatch(hosts[0]) is not None


def site(archives: Archives) -> Front:
    """
    Put the site together.

    :return: its only resource.
    """
    pages = Pages()
    errors = Errors(pages)
    return Front(Root(archives, pages, errors), errors)
