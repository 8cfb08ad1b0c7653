"""
The pages by which pictures come into a gallery: the form, and what its sending is answered with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from attrs import frozen

from fileserve.catalogue.interfaces import CatalogueUnavailable
from fileserve.gallery.admission import Duplicate, Stored
from fileserve.gallery.picked import Picked, picture_form
from fileserve.http.answers import as_json
from fileserve.http.refusal import Refusal
from fileserve.http.request import Request
from fileserve.storage.errors import NoSpace, StoreUnavailable, Unreadable
from fileserve.storage.keys import BadKey, album_name

from .accepting import preferred_type
from .access import Access
from .errors import Errors, problem, refusal_for
from .galleryfeatures import GalleryFeatures
from .pages import Pages, see_other, top
from .routing import coroutine, table
from .tiles import shown_path
from .wording import name as shown_name

_EXPECTED = (Refusal, NoSpace, StoreUnavailable, CatalogueUnavailable, Unreadable)


@frozen
class Outcome:
    """
    What became of one file of a form.
    """

    #: As a line of text; empty where it is about the form as a whole.
    name: str
    #: What was taken in, or why not.
    result: Stored | Refusal

    @property
    def refusal(self) -> Refusal | None:
        """
        Why it was not taken in.
        """
        return self.result if isinstance(self.result, Refusal) else None

    @property
    def below(self) -> str | None:
        """
        Where it is, or the same that was there before, from the home page.
        """
        if isinstance(self.result, Stored | Duplicate) and self.result.path is not None:
            return f"gallery/{self.result.album}/original/{quote(self.result.path)}"
        return None


class UploadPages:
    """
    The routes below ``/upload/``.
    """

    app = table()

    def __init__(self, features: GalleryFeatures, access: Access, pages: Pages, errors: Errors) -> None:
        self._features = features
        self._access = access
        self._pages = pages
        self.errors = errors

    @app.route("/upload/", methods=["GET"])
    def public(self, request: Request) -> bytes:
        """
        The form for the album that everybody may see.
        """
        self._access.require_upload_page(request)
        self._public()
        return self._form(request, "", top(request) + _gallery(""))

    @app.route("/upload/", methods=["POST"])
    @coroutine
    async def take_public(self, request: Request) -> bytes:
        """
        Take in what it brings.
        """
        self._access.require_upload(request)
        return await self._take(request, self._public(), "")

    @app.route("/upload/<album>/", methods=["GET"])
    @coroutine
    async def any(self, request: Request, album: str) -> bytes:
        """
        The form for any album, which need not exist yet.
        """
        self._access.require_upload_page(request)
        return self._form(request, _album(album), await self._gallery(request, album))

    @app.route("/upload/<album>/", methods=["POST"])
    @coroutine
    async def take_any(self, request: Request, album: str) -> bytes:
        """
        Take in what it brings.
        """
        self._access.require_upload(request)
        return await self._take(request, _album(album), album)

    def _public(self) -> str:
        if self._features.album is None:
            raise Refusal(404, "There is no gallery here.")
        return self._features.album

    async def _take(self, request: Request, album: str, named: str) -> bytes:
        """
        :param named: the album as the address names it; empty where it does not.
        """
        content_type = request.getHeader(b"Content-Type") or b""
        typed = [""]
        try:
            uploads = self._features.uploads
            async with picture_form(uploads, request.body, content_type, typed.append) as form:
                # Of several each keeps its own.
                name = form.name if len(form.files) == 1 else ""
                outcomes = [await self._stored(each, album, name) for each in form.files]
        except _EXPECTED as error:
            outcomes = [Outcome("", refusal_for(error))]
        request.setHeader(b"Vary", b"Accept")
        if preferred_type(request, "application/json", "text/html") != "text/html":
            return _told(request, outcomes)
        if any(each.refusal for each in outcomes):
            gallery = await self._gallery(request, named)
            return self._form(request, named, gallery, outcomes, typed[-1])
        return see_other(request, top(request) + _gallery(named))

    async def _stored(self, picked: Picked, album: str, name: str) -> Outcome:
        shown = shown_name(picked.filename)
        try:
            return Outcome(
                shown, await self._features.uploads.store(picked.spool, album, name, picked.filename)
            )
        except _EXPECTED as error:
            return Outcome(shown, refusal_for(error))

    async def _gallery(self, request: Request, named: str) -> str:
        """
        The way to the gallery; empty where there is none yet, or nobody knows.
        """
        if named and named != self._features.album:
            try:
                if named not in await self._features.store.exist([named]):
                    return ""
            except StoreUnavailable:
                return ""
        return top(request) + _gallery(named)

    def _form(
        self,
        request: Request,
        named: str,
        gallery: str,
        outcomes: Sequence[Outcome] = (),
        name: str = "",
    ) -> bytes:
        return self._pages.form(
            request,
            "upload.html",
            next((each.refusal for each in outcomes if each.refusal), None),
            outcomes=outcomes,
            name=name,
            album=named,
            gallery=gallery,
            max_upload=self._features.max_upload,
            rules=self._features.rules,
        )


def _gallery(named: str) -> str:
    return f"gallery/{named}/" if named else "gallery/"


def _album(name: str) -> str:
    try:
        return album_name(name)
    except BadKey:
        raise Refusal(404, "There can't be such an album.") from None


def _told(request: Request, outcomes: Sequence[Outcome]) -> bytes:
    """
    Tell a program what became of the files of a form: of one as such, of several as an array.
    """
    described = [_described(request, each) for each in outcomes]
    refusal = next((each.refusal for each in outcomes if each.refusal), None)
    if refusal is None:
        if len(outcomes) == 1:
            request.setHeader(b"Location", described[0]["url"].encode())
        return as_json(request, described[0] if len(outcomes) == 1 else described, 201)
    request.setResponseCode(refusal.status, refusal.status.phrase.encode())
    request.setHeader(b"Cache-Control", b"no-store")
    request.setHeader(b"X-Content-Type-Options", b"nosniff")
    for name, value in refusal.headers.items():
        request.setHeader(name, value)
    return problem(request, refusal, **(described[0] if len(outcomes) == 1 else {"files": described}))


def _described(request: Request, outcome: Outcome) -> dict[str, Any]:
    where = {} if outcome.below is None else {"url": top(request) + outcome.below}
    if isinstance(outcome.result, Refusal):
        return {
            "name": outcome.name,
            "status": int(outcome.result.status),
            "detail": outcome.result.detail,
            **where,
        }
    picture, facts = outcome.result.picture, outcome.result.facts
    return {
        "name": shown_path(outcome.result.path),
        **where,
        "size": outcome.result.member.size,
        "file_type": picture.media_type,
        "sha256": facts.sha256,
        "width": picture.width,
        "height": picture.height,
        "maker": picture.maker,
        "model": picture.model,
        "taken": picture.taken,
    }
