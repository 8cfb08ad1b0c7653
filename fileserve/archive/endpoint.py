"""
What ``GET /archive/<album>/`` does.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen
from twisted.internet.defer import Deferred

from fileserve.http.disposition import attachment
from fileserve.http.refusal import Refusal
from fileserve.http.representation import Representation, describe
from fileserve.http.request import Request
from fileserve.http.sending import send
from fileserve.storage.errors import NoSuchAlbum
from fileserve.storage.interfaces import IAlbumReader, IFileStore
from fileserve.storage.keys import BadKey, album_name, member_path

from .plan import NoSuchMember, Plan, Planner
from .producer import ArchiveProducer
from .transfer import Counters, Transfer

#: What is said of every name that gives no archive, whatever the reason.
GONE = "Archive does not exist or was removed"

_DEFAULT_FILENAME = "archive.zip"


@frozen
class Pace:
    """
    How archives are sent, by the options.
    """

    #: Whether each transfer is logged.
    logs: bool
    #: Awaited before each chunk; ``None`` for full speed.
    pause: Callable[[], Deferred[None]] | None
    #: Seconds since 1970 UTC.
    now: Callable[[], float]


class Archives:
    """
    Albums as ZIP files.
    """

    def __init__(self, store: IFileStore, planner: Planner, counters: Counters, pace: Pace) -> None:
        self._store = store
        self._planner = planner
        self._counters = counters
        self._pace = pace

    async def send(self, request: Request, album: str) -> None:
        """
        Send an album, or the files of it that the query names.

        :param album: the decoded segment of the URL, as it came.
        :raise Refusal: it is gone, or a condition or range says so.
        """
        plan = await self._plan(request, album)
        items = describe(request, _representation(request, plan), int(self._pace.now()))
        request.setHeader(b"X-Accel-Buffering", b"no")
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        request.setHeader(b"Content-Security-Policy", b"sandbox; default-src 'none'")
        if items:
            reader = self._reader(plan.album)
            transfer = Transfer(plan.album, self._counters, self._pace.logs)
            await send(request, ArchiveProducer(plan, items, reader, transfer, self._pace.pause))
            self._planner.learnt(plan)

    def _reader(self, album: str) -> IAlbumReader:
        try:
            return self._store.reader(album)
        except NoSuchAlbum:
            raise Refusal(404, GONE) from None

    async def _plan(self, request: Request, album: str) -> Plan:
        try:
            picked = [member_path(path) for path in request.query.get(b"file", ())]
            return await self._planner.plan(album_name(album), picked)
        except (BadKey, NoSuchAlbum, NoSuchMember):
            raise Refusal(404, GONE) from None


def address_below(album: str) -> bytes:
    """
    The address of an album's archive, relative to the one without its slash.

    :raise Refusal: there can't be such an album.
    """
    try:
        return album_name(album).encode() + b"/"
    except BadKey:
        raise Refusal(404, GONE) from None


def _representation(request: Request, plan: Plan) -> Representation:
    filename = request.query.get(b"filename", [b""])[0].decode("utf-8", "replace")
    return Representation(
        media_type=b"application/zip",
        length=plan.layout.length,
        etag=plan.etag,
        last_modified=plan.last_modified,
        disposition=attachment(filename or _DEFAULT_FILENAME),
        cache_control=b"private, no-transform",
    )
