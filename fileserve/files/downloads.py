"""
Giving files out: whole or in ranges, shown where that is safe, otherwise to be saved.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from attrs import evolve, frozen

from fileserve.catalogue.interfaces import IFiles, NoSuchRecord, StoredFile
from fileserve.http.disposition import attachment, inline
from fileserve.http.filebody import FileBody
from fileserve.http.kinds import safety_headers, shown_as
from fileserve.http.refusal import Refusal
from fileserve.http.representation import Representation, describe, entity_tag
from fileserve.http.request import Request
from fileserve.http.sending import send
from fileserve.storage.errors import MemberChanged, NoSuchAlbum, NoSuchFile
from fileserve.storage.interfaces import IFileStore, Member
from fileserve.storage.opening import open_member

from .contents import Contents

K = TypeVar("K")
V = TypeVar("V")

#: What is said of every name that gives no file.
GONE = "File was not found"

#: How many short names are remembered; with an ordinary file name, under 1 KB each.
_REMEMBERED = 10_000


@frozen
class _Named:
    """
    What a short name means.
    """

    path: bytes
    filename: str
    #: Of the bytes that were there when it was looked up.
    version: str


@frozen
class _Known:
    """
    What was found out of one version of a file.
    """

    version: str
    media_type: str


class Downloads:
    """
    Sends members of albums, and stored files by their short names.

    :param now: tells seconds since 1970 UTC.
    """

    def __init__(
        self, store: IFileStore, files: IFiles, contents: Contents, now: Callable[[], float]
    ) -> None:
        self._store = store
        self._files = files
        self._contents = contents
        self._time = now
        # What a short name means never changes as long as its bytes are there, of
        # which the store knows. Other bytes may be another's, who put them there
        # after the file was removed: then the catalogue is asked again.
        self._named: OrderedDict[str, _Named] = OrderedDict()
        self._known: OrderedDict[tuple[str, bytes], _Known] = OrderedDict()

    async def send_stored(self, request: Request, short_name: str, *, saved: bool) -> None:
        """
        Send a stored file, as it is now.

        :param saved: whether it is to be saved, also where it could be shown.
        :raise Refusal: 404, or a condition or range says so.
        """
        named = self._named.get(short_name)
        member = None if named is None else await self._member(short_name, named.path)
        if named is None or member is None or member.version != named.version:
            file = await self._row(short_name)
            member = await self._member(short_name, file.path)
            named = _Named(file.path, file.filename, member.version)
            _keep(self._named, short_name, named)
        await self._send(request, short_name, member, named.filename, saved=saved)

    async def _row(self, short_name: str) -> StoredFile:
        try:
            return await self._files.get(short_name)
        except NoSuchRecord:
            raise Refusal(404, GONE) from None

    async def now(self, short_name: str) -> StoredFile:
        """
        A stored file as it is now: of one that somebody changed in the store,
        what its bytes are now. Reads them, if nobody did.

        :raise Refusal: 404, it is gone.
        """
        file = await self._row(short_name)
        member = await self._member(short_name, file.path)
        try:
            facts = await self._contents.facts(short_name, member, file.filename)
        except NoSuchAlbum:
            raise Refusal(404, GONE) from None
        except MemberChanged:
            raise _changing() from None
        return evolve(
            file,
            size=member.size,
            sha256=facts.sha256 or "",
            crc32=facts.crc32,
            media_type=facts.media_type or "",
        )

    async def typed(self, short_name: str) -> StoredFile:
        """
        A stored file that is there, with its present media type, for which its
        beginning is enough. The rest is as it was when it came.

        :raise Refusal: 404, it is gone.
        """
        file = await self._row(short_name)
        member = await self._member(short_name, file.path)
        return evolve(file, media_type=await self._kind(short_name, member, file.filename))

    async def _member(self, album: str, path: bytes) -> Member:
        try:
            return await self._store.stat(album, path)
        except NoSuchFile:
            self._named.pop(album, None)
            raise Refusal(404, GONE) from None

    async def send(self, request: Request, album: str, path: bytes, filename: str, *, saved: bool) -> None:
        """
        Send a member of an album, as it is now.

        :raise Refusal: 404, or a condition or range says so.
        """
        await self._send(request, album, await self._member(album, path), filename, saved=saved)

    async def _send(
        self, request: Request, album: str, member: Member, filename: str, *, saved: bool
    ) -> None:
        kind = await self._kind(album, member, filename)
        shown = None if saved else shown_as(kind)
        for name, value in safety_headers(shown).items():
            request.setHeader(name, value)
        items = describe(request, _representation(member, kind, shown, filename), int(self._time()))
        if not items:
            return
        try:
            await send(request, FileBody(await open_member(self._store, album, member), items))
        except (NoSuchAlbum, MemberChanged):
            raise _changing() from None

    async def _kind(self, album: str, member: Member, filename: str) -> str:
        """
        The media type of the version that is there.

        :raise Refusal: 503, it changes.
        """
        known = self._known.get((album, member.path))
        if known is None or known.version != member.version:
            try:
                kind = await self._contents.media_type(album, member, filename)
            except (NoSuchAlbum, MemberChanged):
                raise _changing() from None
            known = _Known(member.version, kind)
            _keep(self._known, (album, member.path), known)
        return known.media_type


def _changing() -> Refusal:
    return Refusal(503, "The file changed just now. Try again.", {b"Retry-After": b"1"})


def _keep(remembered: OrderedDict[K, V], key: K, value: V) -> None:
    remembered[key] = value
    remembered.move_to_end(key)
    if len(remembered) > _REMEMBERED:
        remembered.popitem(last=False)


def _representation(member: Member, kind: str, shown: bytes | None, filename: str) -> Representation:
    return Representation(
        media_type=shown or kind.encode(),
        length=member.size,
        etag=entity_tag(member),
        last_modified=member.mtime_ns // 1_000_000_000,
        disposition=attachment(filename) if shown is None else inline(filename),
        cache_control=b"private, no-transform",
    )
