"""
The routes below ``/api/``.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from attrs import frozen

from fileserve.catalogue.interfaces import IFiles
from fileserve.files.albums import AlbumApi
from fileserve.files.api import FileApi
from fileserve.files.downloads import Downloads
from fileserve.files.excerpts import Excerpts
from fileserve.files.uploads import Uploads
from fileserve.http.refusal import Refusal
from fileserve.http.request import Request

from .access import Access
from .errors import Errors
from .openapi.served import Description
from .pages import Pages
from .routing import coroutine, table, with_slash

#: Who asks for it here must not get what was to be left out.
_ELSEWHERE = "A file without its location is at /gallery/ALBUM/original/NAME?location=strip."


@frozen
class FileFeatures:
    """
    What the routes of files need.
    """

    uploads: Uploads
    downloads: Downloads
    api: FileApi
    albums: AlbumApi
    files: IFiles
    excerpts: Excerpts
    #: Bytes of the largest file that is taken.
    max_upload: int


class Api:
    """
    The file API and the album API. Reading needs the secret name, all else the upload key.
    """

    app = table()

    def __init__(self, features: FileFeatures, access: Access, pages: Pages, errors: Errors) -> None:
        self._files = features.api
        self._albums = features.albums
        self._downloads = features.downloads
        self._access = access
        self._pages = pages
        self._description = Description(open_uploads=access.open_uploads)
        self.errors = errors

    @app.route("/api/v1", methods=["GET", "POST"])
    def root(self, request: Request) -> bytes:
        """
        The address of the API ends with a slash.
        """
        return with_slash(request)

    @app.route("/api/v1/", methods=["GET"])
    @coroutine
    async def page(self, request: Request) -> bytes:
        """
        The stored files.
        """
        self._access.require_key(request)
        return await self._files.page(request)

    @app.route("/api/v1/", methods=["POST"])
    @coroutine
    async def post(self, request: Request) -> bytes:
        """
        Take in files of a form.
        """
        self._access.require_upload(request)
        return await self._files.post(request)

    @app.route("/api/v1/files/<name>", methods=["PUT"])
    @coroutine
    async def put(self, request: Request, name: str) -> bytes:
        """
        Take in one file.
        """
        self._access.require_upload(request)
        return await self._files.put(request, name)

    @app.route("/api/v1/<short_name>", methods=["GET"])
    @coroutine
    async def show(self, request: Request, short_name: str) -> bytes:
        """
        Describe a stored file.
        """
        return await self._files.show(request, short_name)

    @app.route("/api/v1/<short_name>", methods=["DELETE"])
    @coroutine
    async def delete(self, request: Request, short_name: str) -> bytes:
        """
        Remove a stored file.
        """
        self._access.require_key(request)
        return await self._files.delete(request, short_name)

    @app.route("/api/v1/download-stream/<short_name>", methods=["GET"])
    @coroutine
    async def download_stream(self, request: Request, short_name: str) -> None:
        """
        A stored file, shown where that is safe.
        """
        await self._downloads.send_stored(request, short_name, saved=False)

    @app.route("/api/v1/download-full/<short_name>", methods=["GET"])
    @coroutine
    async def download_full(self, request: Request, short_name: str) -> None:
        """
        A stored file, to be saved.
        """
        await self._downloads.send_stored(request, short_name, saved=True)

    @app.route("/api/v1/get-url/<short_name>", methods=["GET"])
    @coroutine
    async def get_url(self, request: Request, short_name: str) -> bytes:
        """
        A link to a stored file that works for a while.
        """
        self._access.require_key(request)
        return await self._files.link(request, short_name)

    @app.route("/api/v1/linked/<identity>", methods=["GET"])
    @coroutine
    async def linked(self, request: Request, identity: str) -> None:
        """
        What such a link is for.
        """
        await self._files.linked(request, identity)

    @app.route("/api/v1/albums/<album>", methods=["GET"])
    def album_without_slash(self, request: Request, album: str) -> bytes:
        """
        The address of an album ends with a slash.
        """
        return with_slash(request)

    @app.route("/api/v1/albums/<album>/", methods=["GET"])
    @coroutine
    async def album(self, request: Request, album: str) -> bytes:
        """
        The members of an album.
        """
        return await self._albums.members(request, album)

    @app.route("/api/v1/albums/<album>/<path:name>", methods=["GET"])
    @coroutine
    async def member(self, request: Request, album: str, name: str) -> None:
        """
        One member.
        """
        if b"location" in request.query:
            raise Refusal(400, _ELSEWHERE)
        await self._albums.get(request, album, _member(request))

    @app.route("/api/v1/albums/<album>/<path:name>", methods=["PUT"])
    @coroutine
    async def put_member(self, request: Request, album: str, name: str) -> bytes:
        """
        Take a member in.
        """
        # To take another's place is more than to upload.
        replaces = request.getHeader(b"If-Match") is not None
        (self._access.require_key if replaces else self._access.require_upload)(request)
        return await self._albums.put(request, album, _member(request))

    @app.route("/api/v1/albums/<album>/<path:name>", methods=["DELETE"])
    @coroutine
    async def delete_member(self, request: Request, album: str, name: str) -> bytes:
        """
        Remove a member.
        """
        self._access.require_key(request)
        return await self._albums.delete(request, album, _member(request))

    @app.route("/api/openapi.json", methods=["GET"])
    def openapi(self, request: Request) -> bytes:
        """
        The description of this API, for programs.
        """
        return self._description.json(request)

    @app.route("/api/openapi", methods=["GET"])
    def openapi_page(self, request: Request) -> bytes:
        """
        The same as a page, for people.
        """
        return self._pages.html(request, "openapi.html", **self._description.values(request))


def _member(request: Request) -> bytes:
    """
    The name of a member, all behind ``/api/v1/albums/ALBUM/``: bytes, for names on a disk need not be UTF-8.
    """
    return unquote_to_bytes(request.path.split(b"/", 5)[5])
