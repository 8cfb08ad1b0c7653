"""
What the requests of the file API do: taking stored files in, listing, describing, linking and removing them.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from attrs import frozen

from fileserve.catalogue.interfaces import BadCursor, IFiles, NoSuchRecord, StoredFile
from fileserve.http.answers import as_json, nothing
from fileserve.http.disposition import attachment, inline
from fileserve.http.kinds import shown_as
from fileserve.http.links import LinkSigner, Verdict
from fileserve.http.refusal import Refusal
from fileserve.http.request import Request
from fileserve.storage.abilities import IGivesLinks
from fileserve.storage.interfaces import IFileStore

from .downloads import GONE, Downloads
from .parameters import number, require_whole, switch
from .picked import store_picked
from .stored import described
from .uploads import Uploads

#: Files on a page, unless a request says how many, and at the most.
_PAGE, _LONGEST_PAGE = 100, 1000

#: Seconds for which a link works: a day, unless a request says how long; S3 signs for a week at the most.
_EXPIRES, _LONGEST = 86_400, 604_800


@frozen
class Linking:
    """
    What links need.
    """

    signer: LinkSigner
    #: Seconds since 1970 UTC.
    now: Callable[[], float]


class FileApi:
    """
    The requests below ``/api/v1/`` that are about stored files.

    :param store: gives direct links where it can.
    """

    def __init__(
        self, uploads: Uploads, downloads: Downloads, files: IFiles, store: IFileStore, linking: Linking
    ) -> None:
        self._uploads = uploads
        self._downloads = downloads
        self._files = files
        self._links = IGivesLinks(store, None)
        self._linking = linking

    async def post(self, request: Request) -> bytes:
        """
        Take in the files of a form: its fields ``file``.

        :raise Refusal: 422, there is none; what breaks one of them keeps none.
        """
        stored = await store_picked(self._uploads, request)
        if not stored:
            raise Refusal(422, "The form needs a field 'file' with a file.")
        request.setHeader(b"Location", stored[0].short_name.encode())
        answer = [described(file) for file in stored]
        return as_json(request, answer if len(answer) > 1 else answer[0], 201)

    async def put(self, request: Request, filename: str) -> bytes:
        """
        Take in a file that is the body of the request.
        """
        require_whole(request)
        file = await self._uploads.store(request.body, filename, request.body.length)
        request.setHeader(b"Location", b"../" + file.short_name.encode())
        return as_json(request, described(file), 201)

    async def page(self, request: Request) -> bytes:
        """
        List stored files, the newest first.

        :raise Refusal: 422, a parameter can't be understood.
        """
        limit = number(request, b"limit", _PAGE, _LONGEST_PAGE)
        after = request.query.get(b"after", [b""])[0].decode("utf-8", "replace")
        try:
            page = await self._files.page(limit, after or None, switch(request, b"processed"))
        except BadCursor:
            raise Refusal(422, "'after' is the 'next' of the page before.") from None
        return as_json(request, {"files": [described(file) for file in page.files], "next": page.next})

    async def show(self, request: Request, short_name: str) -> bytes:
        """
        Describe a stored file as it is now.
        """
        return as_json(request, described(await self._downloads.now(short_name)))

    async def link(self, request: Request, short_name: str) -> bytes:
        """
        Give a link that works for a while without further permission.

        It names the file by its id, so it does not give the short name away.
        """
        expires = number(request, b"expires", _EXPIRES, _LONGEST)
        file = await self._downloads.typed(short_name)
        if switch(request, b"direct"):
            return as_json(request, self._direct(file, expires))
        return as_json(request, self.signed(request, file, expires))

    def signed(self, request: Request, file: StoredFile, expires: int = _EXPIRES) -> str:
        """
        Make such a link, for `expires` seconds.
        """
        path = f"/api/v1/linked/{quote(file.id)}"
        query = self._linking.signer.sign(path, int(self._linking.now()) + expires)
        return f"{request.origin}{path}?{query}"

    def _direct(self, file: StoredFile, expires: int) -> str:
        if self._links is None:
            raise Refusal(422, "Files are not kept in S3 here: leave 'direct' away.")
        return self._links.link(file.short_name, file.path, expires, direct_headers(file))

    async def linked(self, request: Request, identity: str) -> None:
        """
        Send what a link is for.

        :raise Refusal: 403, it is not ours; 410, its time is over.
        """
        path = f"/api/v1/linked/{quote(identity)}"
        verdict = self._linking.signer.check(path, request.query, self._linking.now())
        if verdict is Verdict.EXPIRED:
            raise Refusal(410, "The time of this link is over. Ask for a new one.")
        if verdict is not Verdict.GOOD:
            raise Refusal(403, "This link is not one of ours, or not whole.")
        try:
            file = await self._files.find(identity)
        except NoSuchRecord:
            raise Refusal(404, GONE) from None
        await self._downloads.send(request, file.short_name, file.path, file.filename, saved=False)

    async def delete(self, request: Request, short_name: str) -> bytes:
        """
        Remove a stored file.
        """
        try:
            await self._uploads.remove(short_name)
        except NoSuchRecord:
            raise Refusal(404, GONE) from None
        return nothing(request)


def direct_headers(file: StoredFile) -> dict[str, str]:
    """
    What S3 is to answer to a direct link: what we would, as far as it can.
    """
    shown = shown_as(file.media_type)
    disposition = inline(file.filename) if shown else attachment(file.filename)
    media_type = shown or file.media_type.encode()
    return {"Content-Type": media_type.decode(), "Content-Disposition": disposition.decode()}
