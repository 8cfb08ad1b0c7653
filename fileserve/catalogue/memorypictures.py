"""
What is remembered of pictures as long as the process lives: for tests, and for running without a database.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from fileserve.catalogue.claims import OLD_US
from fileserve.catalogue.pictureinterfaces import IClaims, IPictures, Seen
from fileserve.pictures.facts import PictureFacts
from fileserve.pictures.formats import OPTIONAL


@implementer(IPictures)
class MemoryPictures:
    """
    An `IPictures` that never fails.  `fileserve.catalogue.memory.MemoryFacts` makes it forget.
    """

    def __init__(self) -> None:
        self._albums: dict[str, dict[bytes, tuple[str, PictureFacts]]] = {}

    def note(self, album: str, seen: Iterable[tuple[bytes, str, PictureFacts]]) -> Deferred[None]:
        """See `IPictures.note`."""
        for path, version, facts in seen:
            self._albums.setdefault(album, {})[path] = version, facts
        return succeed(None)

    def describe(self, album: str, paths: Collection[bytes]) -> Deferred[Seen]:
        """See `IPictures.describe`."""
        known, wanted = self._albums.get(album, {}), frozenset(paths)
        return succeed({(path, version): facts for path, (version, facts) in known.items() if path in wanted})

    def known(self, album: str) -> Deferred[Collection[tuple[bytes, str]]]:
        """See `IPictures.known`."""
        looks = self._albums.get(album, {}).items()
        opened = {(path, version) for path, (version, facts) in looks if facts.width is not None}
        others = {(path, version) for path, (version, facts) in looks if facts.media_type not in OPTIONAL}
        return succeed(opened | others)

    def albums(self) -> Collection[str]:
        """
        The albums of which anything is remembered.
        """
        return self._albums.keys()

    def forget(self, album: str, keep: Collection[bytes]) -> Collection[bytes]:
        """
        Drop what is remembered of members that are no longer there.

        :return: their paths.
        """
        known, still_there = self._albums.pop(album, {}), frozenset(keep)
        kept = {path: what for path, what in known.items() if path in still_there}
        if kept:
            self._albums[album] = kept
        return known.keys() - kept.keys()

    def discard(self, album: str, path: bytes) -> None:
        """
        Drop what is remembered of one member.
        """
        self.forget(album, self._albums.get(album, {}).keys() - {path})


@implementer(IClaims)
class MemoryClaims:
    """
    An `IClaims` of one process.

    :param now_us: tells microseconds since 1970-01-01 UTC.
    """

    def __init__(self, now_us: Callable[[], int]) -> None:
        self._now_us = now_us
        self._held: dict[tuple[str, str], int] = {}

    def claim(self, album: str, sha256: str) -> Deferred[bool]:
        """See `IClaims.claim`."""
        now_us = self._now_us()
        held = self._held.get((album, sha256))
        if held is not None and held >= now_us - OLD_US:
            return succeed(False)
        self._held[album, sha256] = now_us
        return succeed(True)

    def release(self, album: str, sha256: str) -> Deferred[None]:
        """See `IClaims.release`."""
        self._held.pop((album, sha256), None)
        return succeed(None)
