"""
Facts that live no longer than the process: for tests, and for running without a database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from fileserve.catalogue.interfaces import Crcs, IFacts


@implementer(IFacts)
class MemoryFacts:
    """
    An `IFacts` that never fails, and grows until it is told to forget.
    """

    def __init__(self) -> None:
        self._albums: dict[str, dict[bytes, tuple[str, int]]] = {}

    def recall(self, album: str) -> Deferred[Crcs]:
        """See `IFacts.recall`."""
        known = self._albums.get(album, {})
        return succeed({(path, version): crc for path, (version, crc) in known.items()})

    def remember(self, album: str, crcs: Iterable[tuple[bytes, str, int]]) -> Deferred[None]:
        """See `IFacts.remember`."""
        news = {path: (version, crc) for path, version, crc in crcs}
        if news:
            self._albums.setdefault(album, {}).update(news)
        return succeed(None)

    def forget(self, album: str, keep: Collection[bytes]) -> Deferred[int]:
        """See `IFacts.forget`."""
        known, still_there = self._albums.pop(album, {}), frozenset(keep)
        kept = {path: fact for path, fact in known.items() if path in still_there}
        if kept:
            self._albums[album] = kept
        return succeed(len(known) - len(kept))
