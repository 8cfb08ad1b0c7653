"""
One album whose members are being looked at in the background, and those who wait for some of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeAlias

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred, DeferredLock, DeferredSemaphore
from twisted.logger import Logger
from twisted.python.failure import Failure

from fileserve.catalogue.interfaces import CatalogueUnavailable
from fileserve.catalogue.pictureinterfaces import IPictures
from fileserve.pictures.facts import PictureFacts
from fileserve.pictures.workshop import NoWorkers
from fileserve.storage.errors import NoSuchAlbum, StoreUnavailable
from fileserve.storage.held import InThread
from fileserve.storage.interfaces import Member

from .allof import all_of
from .heads import BATCH, Heads

_log = Logger(namespace="fileserve.gallery")

#: Batches of one album under way at once: while children look at some, others are opened.
LANES = 4

#: Members whose facts are kept in one transaction.
_KEPT_TOGETHER = 200

Key: TypeAlias = tuple[bytes, str]
"""Path and version."""


@frozen
class Means:
    """
    What is needed to look at albums, shared by all of them.
    """

    pictures: IPictures
    heads: Heads
    in_thread: InThread
    #: ``forget(album, paths)``: drops what is known of other paths than these.
    forget: Callable[[str, Collection[bytes]], Awaitable[object]]
    #: Bounds the batches of all albums together.
    lanes: DeferredSemaphore


class Waiter:
    """
    Waits for some members.

    :ivar found: what was seen of them until now.
    :ivar done: fires when that is all there will be.
    """

    def __init__(self, wanted: Iterable[Key]) -> None:
        self._wanted = set(wanted)
        self.found: dict[Key, PictureFacts] = {}
        self.done: Deferred[None] = Deferred(lambda _: None)
        self.end_if_all()

    def tell(self, key: Key, facts: PictureFacts | None) -> None:
        """
        Take what was seen of a member; ``None`` where that was nothing.
        """
        if key in self._wanted:
            self._wanted.remove(key)
            if facts is not None:
                self.found[key] = facts
            self.end_if_all()

    def end_if_all(self) -> None:
        """
        Fire if nothing is wanted any more.
        """
        if not self._wanted:
            self.end()

    def end(self) -> None:
        """
        Fire, whatever is missing.
        """
        if not self.done.called:
            self.done.callback(None)


class AlbumLook:
    """
    Looks at members of one album of which the catalogue does not know what they are.

    :ivar listing: the members that were, or are being, compared with what the catalogue knows.
    """

    def __init__(self, album: str, means: Means) -> None:
        self._album = album
        self._means = means
        self.listing: Sequence[Member] = ()
        # Whether all of the listing were looked at, as far as that is possible.
        self._complete = False
        # What can't be looked at as long as the listing is the same.
        self._hopeless: set[Key] = set()
        self._first: deque[Member] = deque()
        self._rest: Iterator[Member] = iter(())
        # Members that were taken from `_first`, and need not be looked at once more where the rest has them.
        self._taken: set[bytes] = set()
        self._under_way: set[Key] = set()
        # What was seen and is not in the catalogue yet.
        self._news: dict[Key, PictureFacts] = {}
        self._keeping = DeferredLock()
        self._waiters: set[Waiter] = set()
        self._work: Deferred[None] | None = None
        self._stopped = False

    @property
    def busy(self) -> bool:
        """
        Whether anything goes on.
        """
        return self._work is not None

    def ask(self, missing: Sequence[Member], listing: Sequence[Member]) -> Waiter | None:
        """
        Have the whole album looked at, if that was not done yet.

        :param missing: those that somebody waits for, which the catalogue does not know; they come first.
        :param listing: all members.
        :return: what tells of those that are missing, to be given to `leave`; ``None`` where all that can be
            known of them is known.
        """
        if listing is not self.listing and listing != self.listing:
            self.listing, self._complete = listing, False
            self._hopeless.clear()
        wanted = {key: member for member in missing if (key := _key(member)) not in self._hopeless}
        if self._stopped or (self._complete and not wanted):
            return None
        waiter = Waiter(wanted)
        self._waiters.add(waiter)
        for key, member in wanted.items():
            if key in self._news:
                waiter.tell(key, self._news[key])
            elif key not in self._under_way and member not in self._first:
                self._first.append(member)
        if self._work is None:
            self._begin()
        return waiter

    def leave(self, waiter: Waiter) -> None:
        """
        Wait no more; the looking goes on.
        """
        self._waiters.discard(waiter)

    def stop(self) -> None:
        """
        End it.
        """
        self._stopped = True
        if self._work is not None:
            self._work.cancel()

    def _begin(self) -> None:
        self._work = Deferred.fromCoroutine(self._look())
        self._work.addErrback(self._given_up).addBoth(self._ended)

    def _given_up(self, failure: Failure) -> None:
        # It is tried again when somebody asks for the album.
        self._complete = False
        if failure.check(NoSuchAlbum, StoreUnavailable, NoWorkers, CatalogueUnavailable):
            _log.warn("Pictures are looked at later: {why}", why=failure.getErrorMessage())
        elif not failure.check(CancelledError):
            _log.failure("Pictures were not looked at", failure)

    def _ended(self, _: object) -> None:
        self._work = None
        self._first.clear()
        self._rest = iter(())
        self._taken.clear()
        self._under_way.clear()
        self._news.clear()
        for waiter in [*self._waiters]:
            waiter.end()

    async def _look(self) -> None:
        await self._lanes()  # first of all what is waited for
        while not self._complete:
            listing = self.listing
            self._rest = iter(await self._unknown(listing))
            await self._lanes()
            # Meanwhile somebody may have listed the album again.
            self._complete = listing is self.listing
        await self._lanes()
        await self._keep()

    async def _unknown(self, listing: Sequence[Member]) -> Sequence[Member]:
        known = await self._means.pictures.known(self._album)
        compared: tuple[Sequence[Member], bool] = await self._means.in_thread(_compare, listing, known)
        unknown, gone = compared
        if gone:
            await self._means.forget(self._album, [member.path for member in listing])
        return unknown

    async def _lanes(self) -> None:
        await all_of(self._lane() for _ in range(LANES))

    async def _lane(self) -> None:
        while batch := self._next():
            await self._means.lanes.acquire()
            try:
                seen = await self._means.heads.look(self._album, batch)
            finally:
                self._means.lanes.release()
            self._saw(batch, seen)
            if len(self._news) >= _KEPT_TOGETHER:
                await self._keep()

    def _next(self) -> Sequence[Member]:
        batch: list[Member] = []
        while self._first and len(batch) < BATCH:
            member = self._first.popleft()
            self._taken.add(member.path)
            batch.append(member)
        others = (member for member in self._rest if member.path not in self._taken)
        batch += islice(others, BATCH - len(batch))
        self._under_way.update(map(_key, batch))
        return batch

    def _saw(self, batch: Sequence[Member], seen: Sequence[PictureFacts | None]) -> None:
        for member, facts in zip(batch, seen, strict=True):
            key = _key(member)
            self._under_way.discard(key)
            if facts is None:
                self._hopeless.add(key)
            else:
                self._news[key] = facts
            for waiter in [*self._waiters]:
                waiter.tell(key, facts)

    async def _keep(self) -> None:
        """
        Put what was seen into the catalogue, in batches, one after the other.
        """
        await self._keeping.acquire()
        try:
            news = list(self._news.items())
            if news:
                await self._note([(*key, facts) for key, facts in news])
            for key, _ in news:
                self._news.pop(key, None)
        finally:
            self._keeping.release()

    async def _note(self, seen: Sequence[tuple[bytes, str, PictureFacts]]) -> None:
        try:
            await self._means.pictures.note(self._album, seen)
        except (CatalogueUnavailable, CancelledError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever else a database raises may name secrets
            raise CatalogueUnavailable("of pictures", type(error).__name__) from None


def _key(member: Member) -> Key:
    return member.path, member.version


def _compare(members: Sequence[Member], known: Collection[Key]) -> tuple[Sequence[Member], bool]:
    """
    Members that are not known, and whether more is known than there are paths. In a thread.
    """
    unknown = [member for member in members if _key(member) not in known]
    paths = {member.path for member in members}
    return unknown, any(path not in paths for path, _ in known)
