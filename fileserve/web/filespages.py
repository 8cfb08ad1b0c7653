"""
The pages of stored files: uploading, listing, viewing, linking and removing them, without a script too.
"""

from __future__ import annotations

from urllib.parse import quote

from fileserve.catalogue.interfaces import BadCursor, NoSuchRecord, StoredFile
from fileserve.files.downloads import GONE
from fileserve.files.picked import store_picked
from fileserve.http.answers import nothing
from fileserve.http.kinds import shown_as
from fileserve.http.refusal import Refusal
from fileserve.http.request import Request
from fileserve.storage.errors import NoSpace, StoreUnavailable

from .access import Access
from .api import FileFeatures
from .errors import Errors, refusal_for
from .pages import Pages, see_other
from .routing import coroutine, table

#: Files on a page.
_PAGE = 50

#: Pictures that every browser of today shows (2026-11); of the others only some do.
_PICTURES = frozenset(f"image/{kind}" for kind in ("jpeg", "png", "gif", "webp", "avif", "bmp"))


class FilePages:
    """
    The routes below ``/files/``; all of them are for who signed in.
    """

    app = table()

    def __init__(self, features: FileFeatures, access: Access, pages: Pages, errors: Errors) -> None:
        self._features = features
        self._access = access
        self._pages = pages
        self.errors = errors

    @app.route("/files", methods=["GET"])
    def without_slash(self, request: Request) -> bytes:
        """
        The address of the pages ends with a slash.
        """
        return _with_slash(request, "files")

    @app.route("/files/", methods=["GET"])
    @coroutine
    async def listing(self, request: Request) -> bytes:
        """
        The stored files, the newest first, and the form to upload more.
        """
        self._access.require_page(request)
        return await self._listing(request, None)

    @app.route("/files/", methods=["POST"])
    @coroutine
    async def upload(self, request: Request) -> bytes:
        """
        Take in what the form brings.
        """
        self._access.require_key(request)
        try:
            stored = await store_picked(self._features.uploads, request)
        except (Refusal, NoSpace, StoreUnavailable) as error:
            return await self._listing(request, refusal_for(error))
        if not stored:
            return await self._listing(request, Refusal(422, "Choose at least one file."))
        return see_other(request, "./")

    async def _listing(self, request: Request, refusal: Refusal | None) -> bytes:
        after = request.query.get(b"after", [b""])[0].decode("utf-8", "replace")
        try:
            page = await self._features.files.page(_PAGE, after or None)
        except BadCursor:
            raise Refusal(404, "There is no such page of files.") from None
        return self._pages.form(
            request,
            "files.html",
            refusal,
            files=page.files,
            older=page.next,
            is_first=not after,
            max_upload=self._features.max_upload,
        )

    @app.route("/files/<short_name>", methods=["GET"])
    def file_without_slash(self, request: Request, short_name: str) -> bytes:
        """
        So does that of a file.
        """
        return _with_slash(request, short_name)

    @app.route("/files/<short_name>/", methods=["GET"])
    @coroutine
    async def view(self, request: Request, short_name: str) -> bytes:
        """
        One file, as far as it can be shown.
        """
        self._access.require_page(request)
        file = await self._features.downloads.now(short_name)
        shown = shown_how(file.media_type)
        excerpt = await self._features.excerpts.text(file) if shown == "text" else None
        return self._pages.html(request, "file.html", file=file, shown=shown, excerpt=excerpt)

    @app.route("/files/<short_name>/link", methods=["GET"])
    @coroutine
    async def link(self, request: Request, short_name: str) -> bytes:
        """
        A link to a file, for others.
        """
        self._access.require_page(request)
        file = await self._row(short_name)
        link = self._features.api.signed(request, file)
        return self._pages.html(request, "link.html", file=file, link=link)

    @app.route("/files/<short_name>/delete", methods=["GET"])
    @coroutine
    async def ask_to_delete(self, request: Request, short_name: str) -> bytes:
        """
        Ask whether a file is to go.
        """
        self._access.require_page(request)
        return self._pages.html(request, "delete.html", file=await self._row(short_name))

    @app.route("/files/<short_name>/delete", methods=["POST"])
    @coroutine
    async def delete(self, request: Request, short_name: str) -> bytes:
        """
        Remove a file.
        """
        self._access.require_key(request)
        try:
            await self._features.uploads.remove(short_name)
        except NoSuchRecord:
            raise Refusal(404, GONE) from None
        return see_other(request, "../")

    async def _row(self, short_name: str) -> StoredFile:
        # Not as it is now: also a file whose bytes somebody took away can be removed.
        try:
            return await self._features.files.get(short_name)
        except NoSuchRecord:
            raise Refusal(404, GONE) from None


def shown_how(media_type: str) -> str:
    """
    By what a page shows a file of this type: ``text``, ``picture``, ``sound``, ``film``, ``document``, or
    nothing.
    """
    if shown_as(media_type) is None:
        return ""
    kind = media_type.partition("/")[0]
    if kind == "image":
        return "picture" if media_type in _PICTURES else ""
    if media_type == "application/pdf":
        return "document"
    return {"audio": "sound", "video": "film"}.get(kind, "text")


def _with_slash(request: Request, segment: str) -> bytes:
    request.setHeader(b"Location", quote(segment, safe="").encode() + b"/")
    return nothing(request, 308)
