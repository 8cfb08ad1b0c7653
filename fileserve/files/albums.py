"""
What the requests of the album API do: listing an album, taking members in and removing them.
"""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from collections.abc import Sequence
from heapq import nsmallest
from typing import Any
from urllib.parse import quote

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.logger import Logger

from fileserve.catalogue.interfaces import CatalogueUnavailable, MemberFacts
from fileserve.catalogue.pictureinterfaces import IPictures, Seen
from fileserve.http.answers import as_json, nothing
from fileserve.http.conditions import Outcome, evaluate
from fileserve.http.refusal import Refusal
from fileserve.http.representation import conditions_of, entity_tag
from fileserve.http.request import Request
from fileserve.http.shield import shielded
from fileserve.pictures.facts import PictureFacts
from fileserve.storage.errors import FileExists, MemberChanged, NoSuchAlbum, NoSuchFile
from fileserve.storage.held import InThread
from fileserve.storage.interfaces import IFileStore, Member
from fileserve.storage.keys import BadKey, album_name, member_path
from fileserve.storage.names import safe_name

from .contents import Contents
from .downloads import GONE, Downloads
from .intake import Arrived, Intake, Taken
from .members import Removes
from .parameters import number, require_whole
from .stored import timestamp

_log = Logger(namespace="fileserve.files")

#: Members on a page, unless a request says how many, and at the most.
_PAGE, _LONGEST_PAGE = 1000, 1000

#: How many albums are listed at once: one of 100,000 members takes half a second, and memory.
_LISTINGS = 2

_NO_ALBUM = "There is no such album."


@frozen
class Taking:
    """
    What takes files in, and removes them.
    """

    intake: Intake
    #: Removes members.
    remove: Removes


class AlbumApi:
    """
    The requests below ``/api/v1/albums/``.

    :param in_thread: finds a page among many members.
    """

    def __init__(
        self,
        store: IFileStore,
        in_thread: InThread,
        contents: Contents,
        *,
        pictures: IPictures,
        taking: Taking,
        downloads: Downloads,
    ) -> None:
        self._store = store
        self._in_thread = in_thread
        self._contents = contents
        self._pictures = pictures
        self._intake = taking.intake
        self._remove = taking.remove
        self._downloads = downloads
        self._listing = DeferredSemaphore(_LISTINGS)

    async def members(self, request: Request, album: str) -> bytes:
        """
        List an album's members by their names, with what is known of them already.

        :raise Refusal: 404, it is gone; 422, a parameter can't be understood.
        """
        limit = number(request, b"limit", _PAGE, _LONGEST_PAGE)
        after = _path_of(request.query.get(b"after", [b""])[0])
        try:
            # One more than wanted tells whether that is all.
            page = await self._listing.run(self._page, album_name(album), after, limit + 1)
        except (BadKey, NoSuchAlbum):
            raise Refusal(404, _NO_ALBUM) from None
        more, page = len(page) > limit, page[:limit]
        facts, seen = await self._contents.remembered(album, page), await self._seen(album, page)
        answer = {
            "album": album,
            "members": [
                _described(member, facts.get(version), seen.get(version))
                for member in page
                for version in [(member.path, member.version)]
            ],
            "next": _cursor(page[-1].path) if more else None,
        }
        return as_json(request, answer)

    async def _seen(self, album: str, members: Sequence[Member]) -> Seen:
        try:
            return await self._pictures.describe(album, [member.path for member in members])
        except CatalogueUnavailable as error:
            _log.warn("Pictures are not looked up: {why}", why=error)
            return {}

    def _page(self, album: str, after: bytes, limit: int) -> Deferred[list[Member]]:
        listing = self._store.list(album)
        return listing.addCallback(lambda listing: self._in_thread(_first, listing.members, after, limit))

    async def get(self, request: Request, album: str, name: bytes) -> None:
        """
        Send a member.
        """
        path = _existing(album, name)
        await self._downloads.send(request, album, path, _text(path).rpartition("/")[2], saved=False)

    async def put(self, request: Request, album: str, name: bytes) -> bytes:
        """
        Take a member in: a new one, or with ``If-Match`` another version of one that is there.

        :raise Refusal: 409, it is there; 412, a condition says so; 400, 413, 422 and 507.
        """
        path = _new(album, name)
        require_whole(request)
        replaces = await self._replaced(request, album, path)
        await self._intake.admit(request.body.length)
        filename = _text(path).rpartition("/")[2]
        try:
            taken = await self._intake.take(request.body, album, path, filename, replaces)
            arrived = await shielded(self._keep(album, taken))
        except FileExists:
            raise _there(request) from None
        except BadKey:
            raise Refusal(422, "This name can't be used: it has too many folders.") from None
        except MemberChanged:
            raise Refusal(412, "Meanwhile the file is another one.") from None
        request.setHeader(b"ETag", entity_tag(arrived.member))
        return as_json(request, _described(arrived.member, arrived.facts), 201 if replaces is None else 200)

    async def _keep(self, album: str, taken: Taken) -> Arrived:
        arrived = await taken.keep()
        self._contents.remember(album, arrived.member, arrived.facts)
        return arrived

    async def _replaced(self, request: Request, album: str, path: bytes) -> str | None:
        """
        Which version a request may replace.

        :raise Refusal: 409 or 412, it may not be taken in at all.
        """
        replaces = request.getHeader(b"If-Match") is not None
        try:
            present = await self._store.stat(album, path)
        except NoSuchFile:
            if replaces:
                raise Refusal(412, "There is no such file to be replaced.") from None
            return None
        _require(request, present)
        if not replaces:
            raise _there(request)
        return present.version

    async def delete(self, request: Request, album: str, name: bytes) -> bytes:
        """
        Remove a member.

        :raise Refusal: 404, it is gone; 412, ``If-Match`` names another version.
        """
        path = _existing(album, name)
        try:
            present = await self._store.stat(album, path)
            _require(request, present)
            version = present.version if request.getHeader(b"If-Match") is not None else None
            await self._remove(album, path, version)
        except NoSuchFile:
            raise Refusal(404, GONE) from None
        except MemberChanged:
            raise Refusal(412, "Meanwhile the file is another one.") from None
        return nothing(request)


def _cursor(path: bytes) -> str:
    """
    What asks for the members behind this one: text that needs no encoding anywhere.
    """
    return urlsafe_b64encode(path).decode().rstrip("=")


def _path_of(cursor: bytes) -> bytes:
    try:
        return b64decode(cursor + b"=" * (-len(cursor) % 4), b"-_", validate=True)
    except ValueError:
        raise Refusal(422, "'after' is the 'next' of the page before.") from None


def _first(members: Sequence[Member], after: bytes, limit: int) -> list[Member]:
    """
    The first members after a path. To sort all of 100,000 would stop every
    thread meanwhile; this lets the others go on.
    """
    return nsmallest(limit, (member for member in members if member.path > after))


def _described(
    member: Member, facts: MemberFacts | None, picture: PictureFacts | None = None
) -> dict[str, Any]:
    """
    A member as the API answers it; ``url`` is relative to its album's address.
    """
    return {
        "name": _text(member.path),
        "size": member.size,
        "modified_at": timestamp(member.mtime_ns // 1000),
        "etag": entity_tag(member).decode(),
        "file_type": _media_type(facts, picture),
        "sha256": facts.sha256 if facts else None,
        "crc32": f"{facts.crc32:08x}" if facts else None,
        "width": picture.width if picture else None,
        "height": picture.height if picture else None,
        "url": quote(member.path),
    }


def _media_type(*known: MemberFacts | PictureFacts | None) -> str | None:
    return next((facts.media_type for facts in known if facts and facts.media_type), None)


def _text(path: bytes) -> str:
    """
    A path as text; what is not UTF-8 in it shows, and can't be asked for by that.
    """
    return path.decode("utf-8", "replace")


def _existing(album: str, name: bytes) -> bytes:
    try:
        album_name(album)
        return member_path(name)
    except BadKey:
        raise Refusal(404, GONE) from None


def _new(album: str, name: bytes) -> bytes:
    """
    The path of a member that may come in: a name that every system can take.
    """
    try:
        album_name(album)
    except BadKey:
        raise Refusal(422, "An album's name has 1 to 128 of the characters A-Z a-z 0-9 . _ ~ -.") from None
    try:
        segments = name.decode().split("/")
    except UnicodeDecodeError:
        raise Refusal(422, "A file's name is UTF-8.") from None
    safe = [safe_name(segment) for segment in segments]
    if safe != segments or len(name) > 1024:
        raise Refusal(422, f"This name can't be used; this one can: '{'/'.join(safe)[:200]}'.")
    return member_path(name)


def _require(request: Request, present: Member) -> None:
    """
    :raise Refusal: 412, a condition of the request is not met.
    """
    etag, modified = entity_tag(present), present.mtime_ns // 1_000_000_000
    if evaluate(conditions_of(request), request.method, etag, modified) is not Outcome.PROCEED:
        raise Refusal(412, "The file is not the version you asked for.", {b"ETag": etag})


def _there(request: Request) -> Refusal:
    if request.getHeader(b"If-None-Match") == b"*":
        return Refusal(412, "There is something of that name already.")
    detail = "There is something of that name already: to replace a file, send If-Match with its ETag."
    return Refusal(409, detail)
