"""
Facts of members without their location, which are other bytes than those of the members themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from twisted.internet.defer import Deferred
from zope.interface import implementer

from fileserve.catalogue.interfaces import Crcs, IFacts, MemberFacts

#: What is behind an album's name in the catalogue; no album has such a name.
_VIEW = "?location=strip"


@implementer(IFacts)
class FactsWithoutLocation:
    """
    Keeps what is found out of the members of `fileserve.gallery.stripped.WithoutLocation` apart.

    :param facts: where it is kept, under names that `fileserve.catalogue.sweeping` knows.
    """

    def __init__(self, facts: IFacts) -> None:
        self._facts = facts

    def recall(self, album: str) -> Deferred[Crcs]:
        """See `IFacts.recall`."""
        return self._facts.recall(album + _VIEW)

    def remember(self, album: str, crcs: Iterable[tuple[bytes, str, int]]) -> Deferred[None]:
        """See `IFacts.remember`."""
        return self._facts.remember(album + _VIEW, crcs)

    def know(self, album: str, path: bytes, version: str, facts: MemberFacts) -> Deferred[None]:
        """See `IFacts.know`."""
        return self._facts.know(album + _VIEW, path, version, facts)

    def describe(
        self, album: str, paths: Collection[bytes]
    ) -> Deferred[Mapping[tuple[bytes, str], MemberFacts]]:
        """See `IFacts.describe`."""
        return self._facts.describe(album + _VIEW, paths)

    def albums(self) -> Deferred[Sequence[str]]:
        """See `IFacts.albums`."""
        return self._facts.albums().addCallback(_viewed)

    def forget(self, album: str, keep: Collection[bytes]) -> Deferred[int]:
        """See `IFacts.forget`."""
        return self._facts.forget(album + _VIEW, keep)

    def discard(self, album: str, path: bytes) -> Deferred[None]:
        """See `IFacts.discard`."""
        return self._facts.discard(album + _VIEW, path)


def _viewed(albums: Sequence[str]) -> Sequence[str]:
    return [album.removesuffix(_VIEW) for album in albums if album.endswith(_VIEW)]
