"""
Noticing what is in albums: files are put there by others too, and a gallery says what pictures they are.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

from twisted.internet.defer import DeferredSemaphore
from twisted.logger import Logger

from fileserve.catalogue.interfaces import CatalogueUnavailable
from fileserve.catalogue.pictureinterfaces import IPictures, Seen
from fileserve.storage.held import InThread
from fileserve.storage.interfaces import Member

from .albumlook import LANES, AlbumLook, Means, Waiter
from .heads import Heads

_log = Logger(namespace="fileserve.gallery")

#: Members of the albums in all of which it is remembered that they were looked at, and the most such albums.
#: As long as `fileserve.gallery.order.Order` remembers an album too, this takes no memory of its own.
_REMEMBERED = 200_000
_ALBUMS = 1000


class Noticing:
    """
    A part of the server: has members looked at in the background, each version once.

    :param in_thread: compares listings with what is known.
    :param reactor: tells when a moment is over.
    :param forget: ``forget(album, paths)`` drops what is known of other paths than these: `IFacts.forget`.
    """

    def __init__(
        self,
        pictures: IPictures,
        heads: Heads,
        in_thread: InThread,
        reactor: Any,
        forget: Callable[[str, Collection[bytes]], Awaitable[object]],
    ) -> None:
        self._means = Means(pictures, heads, in_thread, forget, DeferredSemaphore(LANES))
        self._reactor = reactor
        self._looks: OrderedDict[str, AlbumLook] = OrderedDict()
        self._stopped = False

    def start(self) -> None:
        """
        Nothing to begin: looking begins when somebody asks.
        """

    def stop(self) -> None:
        """
        Look no more. What was seen and is not kept yet will be looked at again.
        """
        self._stopped = True
        for look in self._looks.values():
            look.stop()
        self._looks.clear()

    async def known(
        self, album: str, members: Sequence[Member], all_members: Sequence[Member], moment: float = 0.2
    ) -> Seen:
        """
        Learn what some members are; all others of the album are looked at too, afterwards.

        :param members: a page of them, as they are now.
        :param all_members: as `fileserve.gallery.order.Order` gave them.
        :param moment: seconds to wait, at most, for those of the members that are only being looked at.
        :return: what is known by then. Fails with nothing that has to do with files or the catalogue.
        """
        seen = await self._remembered(album, members)
        missing = [member for member in members if (member.path, member.version) not in seen]
        if self._stopped or not (missing or all_members):
            return seen
        look = self._look(album)
        waiter = look.ask(missing, all_members)
        self._forget_some()
        if waiter is None:
            return seen
        try:
            await self._wait(waiter, moment)
        finally:
            look.leave(waiter)
        return {**seen, **waiter.found}

    async def _remembered(self, album: str, members: Sequence[Member]) -> Seen:
        versions = {(member.path, member.version) for member in members}
        try:
            seen = await self._means.pictures.describe(album, [member.path for member in members])
        except CatalogueUnavailable as error:
            _log.warn("What pictures are is not looked up: {why}", why=error)
            return {}
        return {key: facts for key, facts in seen.items() if key in versions}

    async def _wait(self, waiter: Waiter, moment: float) -> None:
        timer = self._reactor.callLater(moment, waiter.end)
        try:
            await waiter.done
        finally:
            if timer.active():
                timer.cancel()

    def _look(self, album: str) -> AlbumLook:
        look = self._looks.get(album)
        if look is None:
            look = self._looks[album] = AlbumLook(album, self._means)
        self._looks.move_to_end(album)
        return look

    def _forget_some(self) -> None:
        """
        Bound the memory that this takes: albums that were not asked for lately may be compared once more.
        """
        members = sum(len(look.listing) for look in self._looks.values())
        for album, look in [*self._looks.items()]:
            if members <= _REMEMBERED and len(self._looks) <= _ALBUMS:
                return
            if not look.busy:
                members -= len(look.listing)
                del self._looks[album]
