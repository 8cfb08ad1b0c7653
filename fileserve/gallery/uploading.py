"""
Taking pictures in: written aside, looked at where they can do no harm, and let into an album if they may be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from attrs import evolve, frozen

from fileserve.http.kinds import HEAD
from fileserve.http.refusal import Refusal
from fileserve.pictures.facts import PictureFacts
from fileserve.pictures.formats import Format
from fileserve.pictures.location.patch import Patch, Unstrippable
from fileserve.pictures.location.rules import patches
from fileserve.pictures.workshop import Busy

from . import rules
from .admission import Admission, Newcomer, Stored
from .interfaces import Intake, Looks, Source
from .spool import Spool, Spools


@frozen
class UploadRules:
    """
    What the options say of pictures.
    """

    #: Days; ``None`` where the age does not matter.
    max_age_days: int | None = None
    #: Whether pictures are kept without their location.
    strip_location: bool = False


class PictureUploads:
    """
    Takes pictures in. What is refused, or fails, leaves nothing behind; so does whoever leaves before the
    last step, which is not taken back.

    :param now: tells seconds since 1970 UTC.
    """

    def __init__(
        self,
        admission: Admission,
        intake: Intake,
        workshop: Looks,
        spools: Spools,
        *,
        wanted: UploadRules,
        now: Callable[[], float],
    ) -> None:
        self._admission = admission
        self._intake = intake
        self._workshop = workshop
        self._spools = spools
        self._wanted = wanted
        self._now = now

    async def admit_form(self, length: int | None) -> None:
        """
        See whether there is room for the pictures of a form.

        :raise Refusal: 507, there is none.
        """
        await self._intake.admit_form(length)

    async def spool(self, source: Source) -> Spool:
        """
        Write a picture aside.

        :return: what the caller closes.
        :raise Refusal: 413, it is too large; 415, it is none.
        """
        spool = await self._spools.open()
        try:
            await spool.fill(source, self._check)
            rules.format_by(spool.head)
        except BaseException:
            spool.close()
            raise
        return spool

    def _check(self, spool: Spool) -> None:
        self._intake.check_size(spool.size)
        if len(spool.head) == HEAD:
            rules.format_by(spool.head)

    async def store(self, spool: Spool, album: str, given: str, own: str) -> Stored:
        """
        Take in what was written aside.

        :param spool: stays the caller's.
        :param album: a name that `fileserve.storage.keys.album_name` lets pass; it may not exist yet.
        :param given: the name that it shall have; its extension follows from what it is. Empty for none.
        :param own: the name of the file that was picked; may be empty too.
        :raise Duplicate: 409, it is there already.
        :raise Refusal: 400, 409, 413, 415, 422, 503 or 507.
        :raise Exception: what the store or the catalogue raises; nothing is stored then.
        """
        kind = rules.format_by(spool.head)
        name = rules.stored_name(rules.given_name(given), own, kind)
        picture = await self._look(spool, kind.media_type)
        rules.require_whole(kind, picture)
        rules.require_recent(picture, self._wanted.max_age_days, self._now())
        overwrites: Sequence[Patch] = ()
        if self._wanted.strip_location:
            overwrites = await _patches(spool, kind, picture)
            picture = evolve(picture, located=False)
        new = Newcomer(album, name, picture, partial(spool.source, overwrites), spool.size)
        return await self._admission.enter(new)

    async def _look(self, spool: Spool, media_type: str) -> PictureFacts:
        try:
            (picture,) = await self._workshop.look([(spool.fileno(), media_type)], urgent=True)
        except Busy:
            detail = "Too many pictures are coming in just now. Try again in a moment."
            raise Refusal(503, detail, {b"Retry-After": b"2"}) from None
        return picture


async def _patches(spool: Spool, kind: Format, picture: PictureFacts) -> Sequence[Patch]:
    """
    What takes the location out of a picture.

    :raise Refusal: 422, it would stay in it.
    """
    try:
        return await spool.examine(lambda read: patches(read, spool.size, kind.media_type))
    except Unstrippable as why:
        rules.require_no_location(kind, picture, str(why))
        return ()
