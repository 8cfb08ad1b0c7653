"""
All routes of the site in one table, and what every response has in common.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.resource import Resource

from fileserve.archive.endpoint import GONE, Archives, address_below
from fileserve.http.answers import sized
from fileserve.http.refusal import Refusal
from fileserve.http.request import Request

from .access import Access
from .api import Api, FileFeatures
from .assets import TYPES, Assets
from .errors import Errors
from .filespages import FilePages
from .galleryfeatures import GalleryFeatures
from .gallerypages import GalleryPages
from .location import strips_location
from .pages import Pages
from .routing import table
from .signin import SignIn
from .uploadpages import UploadPages

#: What a host and its port may be spelt with (RFC 3986 section 3.2.2), roughly:
#: nothing of ours depends on it.
_HOST = re.compile(rb"[!$-.0-;=A-Z\[\]_a-z~]*")

#: A path that no route has.
_NOBODY = "\ufffd".encode()


#: For routing: the names that there are, so that no other one is looked for.
_ASSETS = ", ".join(f'"{name}"' for name in TYPES)


def _not_found(root: Root, request: Request, failure: Failure) -> bytes:
    """No address below ``/archive`` tells more than any other."""
    if request.path.startswith(b"/archive"):
        failure = Failure(Refusal(404, GONE))
    return root.errors.answer(request, failure)


class Root:
    """
    The home page, what pages are made with, and archives.

    :param stripped: archives over the view of the store in which no picture says where it was taken.
    """

    app = table(_not_found)

    def __init__(
        self,
        archives: Archives,
        stripped: Archives,
        galleries: GalleryFeatures,
        access: Access,
        *,
        assets: Assets,
        pages: Pages,
        errors: Errors,
    ) -> None:
        self._archives = archives
        self._stripped = stripped
        self._galleries = galleries
        self._access = access
        self._assets = assets
        self._pages = pages
        self.errors = errors

    @app.route("/", methods=["GET"])
    def home(self, request: Request) -> bytes:
        """
        Say what this server is, to whoever opens it.
        """
        return self._pages.html(
            request,
            "home.html",
            may_upload=self._access.may_upload(request) and self._galleries.album is not None,
            max_upload=self._galleries.max_upload,
            rules=self._galleries.rules,
        )

    @app.route(f"/static/<any({_ASSETS}):name>", methods=["GET"])
    def asset(self, request: Request, name: str) -> bytes:
        """
        What pages look like, and what they do.
        """
        return self._assets.send(request, name)

    @app.route("/archive/<album>/", methods=["GET"])
    def archive(self, request: Request, album: str) -> Deferred[None]:
        """
        An album as a ZIP.
        """
        archives = self._stripped if strips_location(request) else self._archives
        return Deferred.fromCoroutine(archives.send(request, album))

    @app.route("/archive/<album>", methods=["GET"])
    def archive_without_slash(self, request: Request, album: str) -> bytes:
        """
        The address of an album ends with a slash.
        """
        _, mark, query = request.uri.partition(b"?")
        request.setResponseCode(308)
        request.setHeader(b"Location", address_below(album) + mark + query)
        return sized(request, b"text/plain; charset=utf-8", b"")


class Front(Resource):
    """
    Stands before the routes: what every response says, and what routing can't take.

    :param below: tables of routes by the first segment of the path; all else is the root's.
    """

    isLeaf = True

    def __init__(self, root: Root, below: Mapping[bytes, Resource]) -> None:
        super().__init__()
        self._routes = root.app.resource()
        self._below = below
        self._errors = root.errors

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
        return self._below.get(request.postpath[0], self._routes).render(request)


def _names_a_host(request: Request) -> bool:
    """
    RFC 9112 section 3.2: one ``Host`` and only one, of characters that may stand
    there; HTTP/1.0 knew none.
    """
    hosts = request.requestHeaders.getRawHeaders(b"Host") or []
    if not hosts:
        return request.clientproto != b"HTTP/1.1"
    return len(hosts) == 1 and _HOST.fullmatch(hosts[0]) is not None


def site(
    archives: Archives, stripped: Archives, files: FileFeatures, galleries: GalleryFeatures, access: Access
) -> Front:
    """
    Put the site together.

    :param stripped: see `Root`.
    :return: its only resource.
    """
    assets = Assets()
    pages = Pages(assets, access.has_session, gallery=galleries.album is not None)
    errors = Errors(pages)
    sign_in = SignIn(access, pages, errors).app.resource()
    root = Root(archives, stripped, galleries, access, assets=assets, pages=pages, errors=errors)
    below = {
        b"api": Api(files, access, pages, errors).app.resource(),
        b"files": FilePages(files, access, pages, errors).app.resource(),
        b"gallery": GalleryPages(galleries, access, pages, errors).app.resource(),
        b"upload": UploadPages(galleries, access, pages, errors).app.resource(),
        b"sign-in": sign_in,
        b"sign-out": sign_in,
    }
    return Front(root, below)
