"""
Into an album: under a name that nothing has, and no bytes twice, whoever else brings them at the same time.

Of two that bring the same bytes the one that gets the claim looks at the members that are there, and is one
of them before it gives the claim up. So whoever gets it next sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Self

from attrs import frozen
from twisted.logger import Logger
from twisted.python.failure import Failure

from fileserve.catalogue.interfaces import CatalogueUnavailable, IFacts, MemberFacts
from fileserve.catalogue.pictureinterfaces import IClaims, IPictures
from fileserve.http.refusal import Refusal
from fileserve.http.shield import shielded
from fileserve.pictures.facts import PictureFacts
from fileserve.storage.errors import FileExists, MemberChanged, NoSuchAlbum, Unreadable
from fileserve.storage.interfaces import IFileStore, Member
from fileserve.storage.keys import display_path

from .interfaces import Arrived, Intake, Knows, Source, Taken
from .rules import next_number, numbered_name

_log = Logger(namespace="fileserve.gallery")

#: As many facts are asked for at once: see `IFacts.describe`.
_PAGE = 1000

#: How often a name that seemed free may turn out to be taken: another upload gets it each time.
_TRIES = 50


@frozen
class Memory:
    """
    What is remembered of an album's members, and who finds it out where it is not.
    """

    facts: IFacts
    pictures: IPictures
    claims: IClaims
    knows: Knows


@frozen
class Stored:
    """
    A picture that was taken in.
    """

    album: str
    path: bytes
    member: Member
    picture: PictureFacts
    facts: MemberFacts


class Duplicate(Refusal):
    """
    The same bytes are in the album already.

    :ivar album: which one.
    :ivar path: of the member that has them; ``None`` while another upload brings them.
    """

    def __init__(self, album: str, path: bytes | None) -> None:
        detail = "This picture is just being uploaded to this album. Look there in a moment."
        if path is not None:
            detail = f"This picture is in the album already, as '{display_path(path)}'."
        super().__init__(409, detail)
        self.album = album
        self.path = path


class Newcomer:
    """
    A picture that asks to be let in.

    :param name: that it gets if it can.
    :param source: gives its bytes, each time from the start.
    :param size: how many there are.
    """

    def __init__(
        self, album: str, name: str, picture: PictureFacts, source: Callable[[], Source], size: int
    ) -> None:
        self.album = album
        self.picture = picture
        self.source = source
        self.size = size
        self._wanted = name
        self._number = 1
        self._tries = 0

    @property
    def name(self) -> str:
        """
        The name that it tries to get now.
        """
        return numbered_name(self._wanted, self._number)

    def rename(self, there: set[bytes]) -> None:
        """
        Try another name, that of none of the members there.

        :raise Refusal: 409, that was done often enough.
        """
        self._tries += 1
        if self._tries == _TRIES:
            raise Refusal(409, "This name is taken. Choose another one.")
        self._number = next_number(self._wanted, self._number, there)


class Admission:
    """
    Lets pictures into albums.
    """

    def __init__(self, store: IFileStore, intake: Intake, memory: Memory) -> None:
        self._store = store
        self._intake = intake
        self._memory = memory

    async def enter(self, new: Newcomer) -> Stored:
        """
        Take a picture in, and remember what it is. Who is cancelled before the last step leaves nothing
        behind; that one is not taken back.

        :raise Duplicate: it is there.
        :raise Refusal: 409, 413 or 507.
        :raise Exception: as the store or the catalogue; nothing is stored then.
        """
        taken = await self._take(new)
        with _dropped_if_it_fails(taken):
            claim = await shielded(self._claim(new.album, taken.facts.sha256 or ""), _let_go)
            if claim is None:
                raise Duplicate(new.album, None)
        async with claim:
            with _dropped_if_it_fails(taken):
                await self._require_new(new, taken.facts)
            while (stored := await shielded(self._keep(new, taken, claim))) is None:
                await self._rename(new)
                taken = await self._take(new)
            return stored

    async def _take(self, new: Newcomer) -> Taken:
        while True:
            try:
                return await self._intake.take(new.source(), new.album, new.name.encode(), new.name)
            except FileExists:
                await self._rename(new)

    async def _rename(self, new: Newcomer) -> None:
        new.rename({member.path for member in await self._members(new.album)})

    async def _members(self, album: str) -> Sequence[Member]:
        try:
            return (await self._store.list(album)).members
        except NoSuchAlbum:
            return ()

    async def _claim(self, album: str, sha256: str) -> _Claim | None:
        ours = await self._memory.claims.claim(album, sha256)
        return _Claim(self._memory.claims, album, sha256) if ours else None

    async def _require_new(self, new: Newcomer, facts: MemberFacts) -> None:
        """
        :raise Duplicate: a member has the same bytes.
        """
        members = [member for member in await self._members(new.album) if member.size == new.size]
        for start in range(0, len(members), _PAGE):
            page = members[start : start + _PAGE]
            known = await self._memory.facts.describe(new.album, [member.path for member in page])
            for member in page:
                if await self._is_same(new.album, member, known.get((member.path, member.version)), facts):
                    raise Duplicate(new.album, member.path)

    async def _is_same(
        self, album: str, member: Member, known: MemberFacts | None, wanted: MemberFacts
    ) -> bool:
        if known is not None and known.crc32 != wanted.crc32:
            return False
        if known is None or known.sha256 is None:
            try:
                known = await self._memory.knows.facts(album, member, _file_name(member.path))
            except (MemberChanged, NoSuchAlbum, Unreadable):
                return False  # it is gone, is just being written, or nobody gets to see it
        return known.sha256 == wanted.sha256

    async def _keep(self, new: Newcomer, taken: Taken, claim: _Claim) -> Stored | None:
        """
        Do the last step, and what has to be told of it.

        :return: ``None`` where meanwhile the name is taken.
        """
        async with claim:
            try:
                arrived = await taken.keep()
            except FileExists:
                return None
            await self._remember(new, arrived)
            return Stored(new.album, arrived.member.path, arrived.member, new.picture, arrived.facts)

    async def _remember(self, new: Newcomer, arrived: Arrived) -> None:
        member, memory = arrived.member, self._memory
        known = memory.facts.know(new.album, member.path, member.version, arrived.facts)
        noted = memory.pictures.note(new.album, [(member.path, member.version, new.picture)])
        for each in (known, noted):
            each.addErrback(_not_kept)
            await each


class _Claim:
    """
    A claim of ours, which lasts as long as anybody is within it.
    """

    def __init__(self, claims: IClaims, album: str, sha256: str) -> None:
        self._claims = claims
        self._what = album, sha256
        self._within = 0

    async def __aenter__(self) -> Self:
        self._within += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self._within -= 1
        if not self._within:
            # Waited for: whoever sends the same again, because it failed, must not be told that it comes.
            await shielded(self.release())

    async def release(self) -> None:
        try:
            await self._claims.release(*self._what)
        except CatalogueUnavailable as error:
            _log.warn("A claim is left to end by itself: {why}", why=error)


def _let_go(claim: _Claim | None) -> None:
    if claim is not None:
        shielded(claim.release())


@contextmanager
def _dropped_if_it_fails(taken: Taken) -> Iterator[None]:
    try:
        yield
    except BaseException:
        # Not waited for: who is cancelled may wait for nothing more.
        taken.drop()
        raise


def _file_name(path: bytes) -> str:
    return display_path(path.rpartition(b"/")[2])


def _not_kept(failure: Failure) -> None:
    _log.warn("What is known of a picture is not kept: {why}", why=failure.type)
