"""
The store on a local disk: albums are folders below one root.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from threading import Lock
from time import perf_counter
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from zope.interface import implementer

from .abandoned import remove_abandoned
from .abilities import ITellsChanges
from .diskreader import DiskReader
from .draft import Draft
from .folders import Place, existing, store_errors
from .held import InThread
from .incoming import Incoming
from .interfaces import IFileStore, IIncoming, Listing, Member
from .patience import Patience
from .together import Together
from .walk import list_album, open_album, same_entries

#: Changes of one member happen one after the other, in this process; so many
#: members, by chance, share a lock and wait for each other.
_LOCKS = 64

#: So many folders are looked at as a single file is.
_FEW_FOLDERS = 16


@implementer(IFileStore, ITellsChanges)
class DiskStore:
    """
    Serves the albums below one folder.

    Looking at one file takes microseconds, so that is done on the reactor
    thread as long as the disk answers at once; whatever lists, writes, or
    deletes is done in threads.

    Two processes may share a root, but only within one is it certain that of
    two who replace the same version one fails.

    :param root: the storage root.
    :param in_thread: runs what may wait for the disk.
    :param clock: tells seconds, to know how long a read took.
    """

    def __init__(self, root: str, in_thread: InThread, clock: Callable[[], float] = perf_counter) -> None:
        self._root = root
        self._in_thread = in_thread
        self._clock = clock
        self._patience = Patience(clock)
        self._together = Together(in_thread)
        self._locks = [Lock() for _ in range(_LOCKS)]

    def list(self, album: str) -> Deferred[Listing]:
        """
        List an album, in a thread.
        """
        return self._in_thread(list_album, self._root, album)

    def same_entries(self, album: str, listing: Listing) -> Deferred[bool]:
        """
        See whether an album still has the entries that were listed: by its folders' times of change.
        """
        few = len(listing.folders) <= _FEW_FOLDERS
        look = self._look if few else self._in_thread
        return look(same_entries, self._root, album, listing)

    def reader(self, album: str) -> DiskReader:
        """
        Read an album that was listed just now, so its folder opens without waiting.

        :raise NoSuchAlbum: it is gone.
        """
        return DiskReader(open_album(self._root, album), self._in_thread, self._clock)

    def exist(self, albums: Sequence[str]) -> Deferred[Collection[str]]:
        """
        Find out which of some albums there are, empty ones too, in a thread.
        """
        return self._in_thread(existing, self._root, albums)

    def stat(self, album: str, path: bytes) -> Deferred[Member]:
        """
        Look at one member.
        """
        return self._look(Place(self._root, album, path).stat)

    def receive(self, album: str, path: bytes, replaces: str | None = None) -> Deferred[IIncoming]:
        """
        Begin to take a file in: only look whether its place is free. The first
        thread is asked for when there are 64 KiB, or when it is kept.

        :return: fails also with `BadKey`: see `Place.require_possible`.
        """
        place = Place(self._root, album, path)
        draft = Draft(place, replaces, self._lock(album, path))
        incoming = Incoming(draft, self._in_thread, self._together)
        return self._look(draft.require_place).addCallback(lambda _: incoming)

    def delete(self, album: str, path: bytes, version: str | None = None) -> Deferred[None]:
        """
        Remove a member, in a thread.
        """
        place = Place(self._root, album, path)
        return self._in_thread(place.delete, version, self._lock(album, path))

    def free(self) -> Deferred[int | None]:
        """
        Ask how many more bytes find room, for who is not root.
        """
        return self._look(_free_bytes, self._root)

    def clean(self) -> Deferred[None]:
        """
        Remove unfinished files of processes that are no more, of whatever age.
        """
        return self._in_thread(remove_abandoned, self._root)

    def close(self) -> Deferred[None]:
        """
        Nothing is held between calls.
        """
        return succeed(None)

    def check(self) -> Deferred[None]:
        """
        See that the root can be listed.
        """
        return self._in_thread(_check_root, self._root)

    def _look(self, work: Callable[..., Any], *args: object) -> Deferred[Any]:
        if not self._patience.allows():
            return self._in_thread(work, *args)
        with self._patience:
            return maybeDeferred(work, *args)

    def _lock(self, album: str, path: bytes) -> Lock:
        return self._locks[hash((album, path)) % _LOCKS]


def _free_bytes(root: str) -> int:
    with store_errors():
        about = os.statvfs(root)
        return about.f_bavail * about.f_frsize


def _check_root(root: str) -> None:
    with os.scandir(root) as entries:
        next(iter(entries), None)
