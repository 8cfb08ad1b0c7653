"""
The pages of a gallery: an album with previews of its pictures, the pictures themselves, and removing them.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from fileserve.catalogue.pictureinterfaces import Seen
from fileserve.files.downloads import GONE
from fileserve.gallery.order import AlbumPage, NoSuchPage
from fileserve.http.answers import nothing
from fileserve.http.conditions import Outcome, evaluate
from fileserve.http.refusal import Refusal
from fileserve.http.representation import conditions_of, entity_tag
from fileserve.http.request import Request
from fileserve.pictures.location.patch import Unstrippable
from fileserve.storage.errors import MemberChanged, NoSuchAlbum, NoSuchFile
from fileserve.storage.interfaces import Member
from fileserve.storage.keys import BadKey, album_name, member_path

from .access import Access
from .errors import Errors
from .galleryfeatures import GalleryFeatures
from .location import strips_location
from .pages import Pages, see_other, top
from .paging import page_links, page_number
from .previewing import SIZES_OF_PREVIEWS, Previewing
from .routing import coroutine, table
from .tiles import Tile, shown_path

NO_ALBUM = "There is no such album."
_NO_GALLERY = "There is no gallery here."
_STAYS = "Where this file was taken can't be taken out of it, so it is not given out."
_OTHER = "The file is not the version you asked for."


class GalleryPages:
    """
    The routes below ``/gallery/``. To see an album it takes its name, to remove something of it the key.
    """

    app = table()

    def __init__(self, features: GalleryFeatures, access: Access, pages: Pages, errors: Errors) -> None:
        self._features = features
        self._previewing = Previewing(features)
        self._access = access
        self._pages = pages
        self.errors = errors

    @app.route("/gallery/", methods=["GET"])
    @coroutine
    async def public(self, request: Request) -> bytes:
        """
        The album that everybody may see, also while there is nothing in it.
        """
        album = self._features.album
        if album is None:
            raise Refusal(404, _NO_GALLERY)
        return await self._shown(request, album, f"{album}/")

    @app.route("/gallery/<album>/", methods=["GET"])
    @coroutine
    async def album(self, request: Request, album: str) -> bytes:
        """
        Any other album.
        """
        return await self._shown(request, _album(album), "")

    async def _shown(self, request: Request, album: str, below: str) -> bytes:
        """
        :param below: the way from this page to what is below the album's own address.
        """
        page = await self._page(request, album)
        seen = await self._features.noticing.known(album, page.members, page.album) if page.members else {}
        return self._pages.html(
            request,
            "gallery.html",
            album=album,
            below=below,
            page=page,
            links=page_links(page.number, page.pages),
            tiles=[self._tile(album, each, seen) for each in page.members],
            may_upload=self._access.may_upload(request),
            max_upload=self._features.max_upload,
            rules=self._features.rules,
        )

    def _tile(self, album: str, member: Member, seen: Seen) -> Tile:
        facts = seen.get((member.path, member.version))
        return Tile(member, facts, self._features.previews.is_hopeless(album, member))

    async def _page(self, request: Request, album: str) -> AlbumPage:
        number = page_number(request.query.get(b"page", [b"1"])[0])
        try:
            if number is not None:
                return await self._features.order.page(album, number)
        except NoSuchAlbum:
            if album != self._features.album:
                raise Refusal(404, NO_ALBUM) from None
            if number == 1:
                return AlbumPage(members=(), number=1, pages=1, total=0, album=())
        except NoSuchPage:
            pass
        raise Refusal(404, "This album has no such page.")

    @app.route("/gallery/<album>/original/<path:name>", methods=["GET"])
    @coroutine
    async def original(self, request: Request, album: str, name: str) -> None:
        """
        A picture as it came, or without the place where it was taken.
        """
        path = _path(request, album)
        downloads = self._features.stripped if strips_location(request) else self._features.downloads
        filename = path.decode("utf-8", "replace").rpartition("/")[2]
        try:
            await downloads.send(request, album, path, filename, saved=False)
        except Unstrippable:
            raise Refusal(404, _STAYS) from None

    @app.route("/gallery/<album>/original/<path:name>", methods=["DELETE"])
    @coroutine
    async def remove(self, request: Request, album: str, name: str) -> bytes:
        """
        Remove a picture.
        """
        self._access.require_key(request)
        member = await self._member(album, _path(request, album))
        etag, modified = entity_tag(member), member.mtime_ns // 1_000_000_000
        if evaluate(conditions_of(request), request.method, etag, modified) is not Outcome.PROCEED:
            raise Refusal(412, _OTHER, {b"ETag": etag})
        # Only who asks for this one is not content with removing another that came meanwhile.
        await self._remove(album, member.path, member.version if request.getHeader(b"If-Match") else None)
        return nothing(request)

    @app.route(f"/gallery/<album>/preview/<any({SIZES_OF_PREVIEWS}):size>/<path:name>", methods=["GET"])
    @coroutine
    async def preview(self, request: Request, album: str, size: str, name: str) -> bytes:
        """
        A small copy of a picture.
        """
        member = await self._member(album, _path(request, album, 1))
        return await self._previewing.answer(request, album, member, int(size))

    @app.route("/gallery/<album>/delete/<path:name>", methods=["GET"])
    @coroutine
    async def ask_to_delete(self, request: Request, album: str, name: str) -> bytes:
        """
        Ask whether a picture is to go.
        """
        self._access.require_page(request)
        member = await self._member(album, _path(request, album))
        return self._pages.html(
            request, "delete-picture.html", name=shown_path(member.path), size=member.size, back=_up(request)
        )

    @app.route("/gallery/<album>/delete/<path:name>", methods=["POST"])
    @coroutine
    async def delete(self, request: Request, album: str, name: str) -> bytes:
        """
        Remove a picture.
        """
        self._access.require_key(request)
        await self._remove(album, _path(request, album))
        try:
            await self._features.order.page(album, 1)
        except NoSuchAlbum:
            # It was the last one, and an album without members is none.
            if album != self._features.album:
                return see_other(request, f"{top(request)}upload/{album}/")
        except Exception:  # noqa: BLE001, S110 - the file is gone all the same; the page that follows tells
            pass
        return see_other(request, _up(request))

    async def _remove(self, album: str, path: bytes, version: str | None = None) -> None:
        try:
            await self._features.removal.remove(album, path, version)
        except NoSuchFile:
            raise Refusal(404, GONE) from None
        except MemberChanged:
            raise Refusal(412, _OTHER) from None

    async def _member(self, album: str, path: bytes) -> Member:
        try:
            return await self._features.store.stat(album, path)
        except NoSuchFile:
            raise Refusal(404, GONE) from None


def _album(name: str) -> str:
    try:
        return album_name(name)
    except BadKey:
        raise Refusal(404, NO_ALBUM) from None


def _path(request: Request, album: str, more: int = 0) -> bytes:
    """
    The path of a member, all behind ``/gallery/ALBUM/original/``: names on a disk need not be UTF-8.

    :param more: so many segments stand before it besides.
    :raise Refusal: 404, there can't be such a one.
    """
    try:
        album_name(album)
        return member_path(unquote_to_bytes(request.path.split(b"/", 4 + more)[4 + more]))
    except BadKey:
        raise Refusal(404, GONE) from None


def _up(request: Request) -> str:
    """
    The way back from ``/gallery/ALBUM/delete/PATH`` to the album.
    """
    return "../" * (request.path.count(b"/") - 3)
