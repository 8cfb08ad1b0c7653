"""
The members of an album in the order in which a gallery shows them, without listing it for each page.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

from attrs import evolve, frozen
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from fileserve.storage.abilities import ITellsChanges
from fileserve.storage.errors import NoSuchAlbum, NoSuchFile, StoreUnavailable, Unreadable
from fileserve.storage.held import InThread
from fileserve.storage.interfaces import IFileStore, Listing, Member

from .allof import all_of

_log = Logger(namespace="fileserve.gallery")

#: Members on a page.
PAGE = 48

#: Members of remembered albums in all; each takes some 400 bytes.
_REMEMBERED = 200_000

#: Seconds after which an album is listed anew, so that files that were changed in place find their places.
_OLD = 10.0

#: How many albums are listed at once: one of 100,000 members takes half a second, and memory.
_LISTINGS = 2


class NoSuchPage(LookupError):
    """
    An album has fewer pages, or pages are not counted like that.
    """


@frozen
class AlbumPage:
    """
    Some of an album's members, the newest first.
    """

    #: As they are now; fewer than others where some went away since the album was listed.
    members: Sequence[Member]
    #: From 1.
    number: int
    pages: int
    #: Members of the album.
    total: int
    #: All members, as `Order.members` gives them.
    album: Sequence[Member]


@frozen
class _Sorted:
    """
    One listing of an album.
    """

    #: The newest first.
    members: Sequence[Member]
    #: What tells whether it is up to date; its own members are left out.
    listing: Listing
    #: Seconds, by the clock: when it began.
    began: float
    #: Grows with each listing that begins, of whichever album.
    number: int


class _Run:
    """
    A listing under way, and all who wait for it.

    One that has not begun when nobody waits for it any more is given up: else who guesses names and leaves
    would have a slow store list them all, while others wait.

    :param number: as that of what will come of it.
    :param turn: fires when it begins.
    """

    def __init__(self, number: int, turn: Deferred[Any]) -> None:
        self.number = number
        self._turn = turn
        self._waiting: list[Deferred[_Sorted]] = []
        self._result: _Sorted | Failure | None = None

    def wait(self) -> Deferred[_Sorted]:
        """
        Get the result. Cancelled, only the waiting ends.
        """
        if self._result is not None:
            return fail(self._result) if isinstance(self._result, Failure) else succeed(self._result)
        waiting: Deferred[_Sorted] = Deferred(self._leave)
        self._waiting.append(waiting)
        return waiting

    def _leave(self, waiting: Deferred[_Sorted]) -> None:
        self._waiting.remove(waiting)
        if not (self._waiting or self._turn.called):
            self._turn.cancel()

    def done(self, result: _Sorted | Failure) -> None:
        """
        Tell it.
        """
        self._result = result
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(result)


class Order:
    """
    Knows the order of the albums that were shown lately.

    :param in_thread: sorts.
    :param clock: tells seconds.
    :param remembered: how many members of albums are remembered in all.
    """

    def __init__(
        self,
        store: IFileStore,
        in_thread: InThread,
        clock: Callable[[], float],
        remembered: int = _REMEMBERED,
    ) -> None:
        self._store = store
        self._changes = ITellsChanges(store, None)
        self._in_thread = in_thread
        self._clock = clock
        self._most = remembered
        self._remembered: OrderedDict[str, _Sorted] = OrderedDict()
        self._weight = 0
        self._begun = 0
        self._runs: dict[str, _Run] = {}
        self._listings = DeferredSemaphore(_LISTINGS)

    async def page(self, album: str, number: int) -> AlbumPage:
        """
        Get one page.

        :param number: from 1; an album without members has one page.
        :raise NoSuchPage: there is none of that number.
        :raise NoSuchAlbum: there is no such album.
        :raise Unreadable: something in it can't be read.
        :raise StoreUnavailable: the store is away.
        """
        found, fresh = await self._current(album)
        total = len(found.members)
        pages = max(1, -(-total // PAGE))
        if not 1 <= number <= pages:
            raise NoSuchPage(number)
        members = found.members[(number - 1) * PAGE : number * PAGE]
        if not fresh:
            members = await self._as_now(album, members)
            self._renew(album, found)
        return AlbumPage(members, number, pages, total, found.members)

    async def members(self, album: str) -> Sequence[Member]:
        """
        Get all members, the newest first: the same object again as long as nothing is known to have changed.

        Files that were changed in place in the last 10 seconds may be told as they were.

        :raise NoSuchAlbum: and others, as `page` does.
        """
        found, fresh = await self._current(album)
        if not fresh:
            self._renew(album, found)
        return found.members

    async def _current(self, album: str) -> tuple[_Sorted, bool]:
        """
        What the album holds now, and whether that was listed just now.
        """
        before = self._begun  # a listing that began earlier may lack what its client has just stored
        while True:
            known = self._remembered.get(album)
            if known is not None and await self._is_same(album, known):
                if self._remembered.get(album) is known:
                    self._remembered.move_to_end(album)
                return known, known.number > before
            run = self._runs.get(album) or self._begin(album)
            try:
                found = await run.wait()
            except CancelledError:
                raise  # nobody waits for this any more
            except Exception:
                if run.number > before:
                    raise
            else:
                if run.number > before:
                    return found, True

    async def _is_same(self, album: str, known: _Sorted) -> bool:
        return self._changes is not None and await self._changes.same_entries(album, known.listing)

    async def _as_now(self, album: str, members: Sequence[Member]) -> Sequence[Member]:
        found = await all_of(self._look(album, member.path) for member in members)
        return [member for member in found if member is not None]

    async def _look(self, album: str, path: bytes) -> Member | None:
        try:
            return await self._store.stat(album, path)
        except NoSuchFile:
            return None

    def _renew(self, album: str, known: _Sorted) -> None:
        if self._clock() - known.began > _OLD and album not in self._runs:
            self._begin(album).wait().addErrback(_not_renewed)

    def _begin(self, album: str) -> _Run:
        self._begun += 1
        turn = self._listings.acquire()
        run = self._runs[album] = _Run(self._begun, turn)
        listed = turn.addCallback(lambda _: Deferred.fromCoroutine(self._list_in_turn(album, run.number)))
        listed.addBoth(self._listed, album, run)
        return run

    async def _list_in_turn(self, album: str, number: int) -> _Sorted:
        try:
            return await self._list(album, number)
        finally:
            self._listings.release()

    async def _list(self, album: str, number: int) -> _Sorted:
        began = self._clock()
        listing = await self._store.list(album)
        known = self._remembered.get(album)
        old = known.members if known is not None else ()
        members = await self._in_thread(_newest_first, listing.members, old)
        return _Sorted(members, evolve(listing, members=[], empty_folders=[]), began, number)

    def _listed(self, result: _Sorted | Failure, album: str, run: _Run) -> None:
        del self._runs[album]
        if isinstance(result, Failure):
            self._forget(album)
        elif self._changes is not None:
            self._remember(album, result)
        run.done(result)

    def _remember(self, album: str, found: _Sorted) -> None:
        self._forget(album)
        if len(found.members) > self._most:
            return  # it would have all others forgotten, and itself too
        self._remembered[album] = found
        self._weight += len(found.members)
        while self._weight > self._most:
            self._forget(next(iter(self._remembered)))

    def _forget(self, album: str) -> None:
        known = self._remembered.pop(album, None)
        if known is not None:
            self._weight -= len(known.members)


def _newest_first(members: Sequence[Member], old: Sequence[Member]) -> Sequence[Member]:
    """
    Sort members; what is equal to what was known is that, so that it need not be compared again.
    """
    # Two passes that compare one value each are three times as fast as one with tuples.
    ordered = sorted(members, key=itemgetter(0))
    ordered.sort(key=itemgetter(2), reverse=True)
    return old if ordered == old else ordered


def _not_renewed(failure: Failure) -> None:
    # Whoever asks next is told, unless it has come right by then.
    if not failure.check(NoSuchAlbum, Unreadable, StoreUnavailable):
        _log.failure("An album was not listed again", failure)
