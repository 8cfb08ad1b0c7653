"""
A catalogue that lives no longer than the process: for tests, and for running without a database.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import count

from attrs import evolve
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from fileserve.catalogue.files import cursor_of, sequence_of
from fileserve.catalogue.interfaces import (
    BadCursor,
    Crcs,
    IFacts,
    IFiles,
    MemberFacts,
    NoSuchRecord,
    Page,
    RecordExists,
    StoredFile,
)
from fileserve.catalogue.memorypictures import MemoryPictures


@implementer(IFacts)
class MemoryFacts:
    """
    An `IFacts` that never fails, and grows until it is told to forget.

    :param pictures: forgets what this forgets.
    """

    def __init__(self, pictures: MemoryPictures | None = None) -> None:
        self._pictures = pictures or MemoryPictures()
        self._albums: dict[str, dict[bytes, tuple[str, MemberFacts]]] = {}

    def recall(self, album: str) -> Deferred[Crcs]:
        """See `IFacts.recall`."""
        known = self._albums.get(album, {})
        return succeed({(path, version): facts.crc32 for path, (version, facts) in known.items()})

    def remember(self, album: str, crcs: Iterable[tuple[bytes, str, int]]) -> Deferred[None]:
        """See `IFacts.remember`."""
        for path, version, crc in crcs:
            self._keep(album, path, version, MemberFacts(crc))
        return succeed(None)

    def know(self, album: str, path: bytes, version: str, facts: MemberFacts) -> Deferred[None]:
        """See `IFacts.know`."""
        self._keep(album, path, version, facts)
        return succeed(None)

    def _keep(self, album: str, path: bytes, version: str, facts: MemberFacts) -> None:
        known = self._albums.setdefault(album, {})
        old_version, old = known.get(path, (version, facts))
        if old_version == version:
            facts = evolve(
                facts, sha256=facts.sha256 or old.sha256, media_type=facts.media_type or old.media_type
            )
        known[path] = version, facts

    def describe(
        self, album: str, paths: Collection[bytes]
    ) -> Deferred[Mapping[tuple[bytes, str], MemberFacts]]:
        """See `IFacts.describe`."""
        known, wanted = self._albums.get(album, {}), frozenset(paths)
        return succeed({(path, version): facts for path, (version, facts) in known.items() if path in wanted})

    def albums(self) -> Deferred[Sequence[str]]:
        """See `IFacts.albums`."""
        return succeed(list(dict.fromkeys([*self._albums, *self._pictures.albums()])))

    def forget(self, album: str, keep: Collection[bytes]) -> Deferred[int]:
        """See `IFacts.forget`."""
        known, still_there = self._albums.pop(album, {}), frozenset(keep)
        kept = {path: fact for path, fact in known.items() if path in still_there}
        if kept:
            self._albums[album] = kept
        gone = (known.keys() - kept.keys()) | set(self._pictures.forget(album, still_there))
        return succeed(len(gone))

    def discard(self, album: str, path: bytes) -> Deferred[None]:
        """See `IFacts.discard`."""
        known = self._albums.get(album, {})
        known.pop(path, None)
        if not known:
            self._albums.pop(album, None)
        self._pictures.discard(album, path)
        return succeed(None)


@implementer(IFiles)
class MemoryFiles:
    """
    An `IFiles` without a database.  Nobody was there before it: what is unsettled is its own.
    """

    def __init__(self) -> None:
        self._files: dict[str, tuple[int, StoredFile]] = {}
        self._numbers = count(1)
        self._unsettled: set[tuple[str, bytes]] = set()

    def expect(self, album: str, path: bytes) -> Deferred[None]:
        """See `IFiles.expect`."""
        self._unsettled.add((album, path))
        return succeed(None)

    def add(self, *files: StoredFile) -> Deferred[None]:
        """See `IFiles.add`."""
        taken = {name for _, known in self._files.values() for name in (known.short_name, known.id)}
        for file in files:
            if taken & {file.short_name, file.id}:
                return fail(RecordExists(file.short_name))
            taken |= {file.short_name, file.id}
        for file in files:
            self._files[file.short_name] = next(self._numbers), file
            self._unsettled.discard((file.short_name, file.path))
        return succeed(None)

    def get(self, short_name: str) -> Deferred[StoredFile]:
        """See `IFiles.get`."""
        if short_name not in self._files:
            return fail(NoSuchRecord(short_name))
        return succeed(self._files[short_name][1])

    def find(self, identity: str) -> Deferred[StoredFile]:
        """See `IFiles.find`."""
        found = [file for _, file in self._files.values() if file.id == identity]
        return succeed(found[0]) if found else fail(NoSuchRecord(identity))

    def page(self, limit: int, after: str | None = None, processed: bool | None = None) -> Deferred[Page]:
        """See `IFiles.page`."""
        try:
            before = None if after is None else sequence_of(after)
        except BadCursor:
            return fail()
        found = [
            (number, file)
            for number, file in reversed(self._files.values())
            if (before is None or number < before)
            and (processed is None or processed == (file.status == "processed"))
        ]
        shown = [file for _, file in found[:limit]]
        return succeed(Page(shown, cursor_of(found[limit - 1][0]) if len(found) > limit else None))

    def remove(self, short_name: str) -> Deferred[StoredFile]:
        """See `IFiles.remove`."""
        if short_name not in self._files:
            return fail(NoSuchRecord(short_name))
        _, file = self._files.pop(short_name)
        self._unsettled.add((short_name, file.path))
        return succeed(file)

    def settle(self, album: str, path: bytes) -> Deferred[None]:
        """See `IFiles.settle`."""
        self._unsettled.discard((album, path))
        return succeed(None)

    def unsettled(self) -> Deferred[Sequence[tuple[str, bytes]]]:
        """See `IFiles.unsettled`."""
        named = {(file.short_name, file.path) for _, file in self._files.values()}
        self._unsettled -= named
        return succeed(sorted(self._unsettled))
