"""
Files with short names: their bytes in the store and their rows in the catalogue, kept in step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from fileserve.catalogue.interfaces import CatalogueUnavailable, IFacts, IFiles, NoSuchRecord, StoredFile
from fileserve.http.refusal import Refusal
from fileserve.http.shield import shielded
from fileserve.storage.errors import MemberChanged, NoSuchFile, StoreUnavailable
from fileserve.storage.interfaces import IFileStore
from fileserve.storage.names import safe_name

from .intake import Arrived, Intake, Source, Taken
from .stored import new_id, new_short_name

_log = Logger(namespace="fileserve.files")


@frozen
class _Place:
    """
    Where the bytes of a stored file lie.
    """

    album: str
    path: bytes


@frozen
class Kept:
    """
    A file whose bytes are in the store, durable, and which has no row yet. Whoever
    has one adds it, or drops it.
    """

    file: StoredFile
    arrived: Arrived


class Uploads:
    """
    Takes stored files in and removes them.

    Bytes first, made durable, then the row; for removal the row first. What lies
    between the two is noted as unsettled, and removed at the next start. What a
    store or a catalogue that was away left so is tried again sooner: after the next
    file that was added or removed.

    :param now_us: tells microseconds since 1970 UTC.
    :param removed: told the SHA-256 of a file that is gone, for whoever keeps something made of it.
    """

    def __init__(
        self,
        store: IFileStore,
        files: IFiles,
        facts: IFacts,
        intake: Intake,
        now_us: Callable[[], int],
        *,
        removed: Callable[[str], object] = lambda sha256: None,
    ) -> None:
        self._store = store
        self._files = files
        self._facts = facts
        self._intake = intake
        self._now_us = now_us
        self._removed = removed
        self._left: list[_Place] = []
        #: Ours, and no leftovers; counted only until leftovers were looked for.
        self._begun: set[_Place] | None = set()

    async def admit_form(self, length: int | None) -> None:
        """
        See whether there is room for the files of a form: see `Intake.admit_form`.
        """
        await self._intake.admit_form(length)

    async def store(self, source: Source, filename: str, length: int | None) -> StoredFile:
        """
        Take a file in under a new short name.

        :param filename: as it was sent; it is given back as it is.
        :param length: bytes, where that is known.
        :raise Refusal: 413, 422 or 507.
        :raise Exception: what the source raises, or the store or the catalogue;
            nothing is stored then.
        """
        await self._intake.admit(length)
        kept = await self.take(source, filename)
        await self.add([kept])
        return kept.file

    async def take(self, source: Source, filename: str) -> Kept:
        """
        Take the bytes of a file in. Nobody gets to see them as long as it is not added.

        :raise Refusal: as `store`, and so for what else is raised.
        """
        if "\0" in filename:
            raise Refusal(422, "A file's name holds no NUL.")
        place = _Place(new_short_name(), safe_name(filename).encode())
        if self._begun is not None:
            self._begun.add(place)
        noted = self._files.expect(place.album, place.path)
        try:
            taken = await self._intake.take(source, place.album, place.path, filename)
        except BaseException:
            noted.addCallbacks(lambda _: self._in_background(place), lambda _: None)
            raise
        return await shielded(self._keep(place, taken, filename, noted), lambda kept: self.drop([kept]))

    async def _keep(self, place: _Place, taken: Taken, filename: str, noted: Deferred[None]) -> Kept:
        try:
            await noted
        except BaseException:
            taken.drop()
            raise
        try:
            arrived = await taken.keep()
        except BaseException:
            # A store that was away may have kept it all the same.
            await self._undo_all([place])
            raise
        facts = arrived.facts
        file = StoredFile(
            id=new_id(),
            short_name=place.album,
            filename=filename,
            path=place.path,
            size=arrived.member.size,
            media_type=facts.media_type or "",
            sha256=facts.sha256 or "",
            crc32=facts.crc32,
            created_us=self._now_us(),
        )
        return Kept(file, arrived)

    async def add(self, kept: Sequence[Kept]) -> None:
        """
        Make files visible, all of them or none, whoever waits for it or leaves.

        :raise CatalogueUnavailable: none is stored.
        """
        await shielded(self._add(kept))

    async def _add(self, kept: Sequence[Kept]) -> None:
        try:
            await self._files.add(*(each.file for each in kept))
        except BaseException:
            await self._undo_all([_place(each.file) for each in kept])
            raise
        for each in kept:
            member, facts = each.arrived.member, each.arrived.facts
            known = self._facts.know(each.file.short_name, each.file.path, member.version, facts)
            known.addErrback(lambda failure: _log.warn("Facts are not kept: {why}", why=failure.type))
        self._try_again()

    def drop(self, kept: Sequence[Kept]) -> Deferred[None]:
        """
        Forget files that were not added.

        :return: fires when that was tried; may be cancelled without harm.
        """
        return shielded(self._undo_all([_place(each.file) for each in kept]))

    async def remove(self, short_name: str) -> None:
        """
        Remove a stored file, whoever waits for it or leaves.

        :raise NoSuchRecord: there is none of that name.
        :raise StoreUnavailable: it is no longer known, and its bytes can't be
            removed now; that is tried again.
        """
        await shielded(self._remove(short_name))

    async def remove_member(self, album: str, path: bytes, version: str | None = None) -> bool:
        """
        Remove a stored file by where its bytes lie.

        :param version: only if it is still this one.
        :return: whether there is one, and it is gone.
        :raise MemberChanged: it is another version, and stays.
        :raise StoreUnavailable: as `remove`.
        """
        try:
            if (await self._files.get(album)).path != path:
                return False
            await shielded(self._remove(album, version))
        except NoSuchRecord:
            return False
        return True

    async def _remove(self, short_name: str, version: str | None = None) -> None:
        file = await self._files.remove(short_name)
        try:
            await self._discard(_place(file), version)
        except MemberChanged:
            await self._files.add(file)
            raise
        forgotten = self._facts.forget(file.short_name, ())
        forgotten.addErrback(lambda failure: _log.warn("Facts are left: {why}", why=failure.type))
        self._removed(file.sha256)
        self._try_again()

    async def recover(self) -> None:
        """
        Remove what a crash left between store and catalogue. To be called at start,
        again where it fails.

        :raise StoreUnavailable: or `CatalogueUnavailable`: not now.
        """
        await self._store.clean()
        for place in [_Place(*each) for each in await self._files.unsettled()]:
            # Files come in already, and are noted under the same name of this process.
            if self._begun is None or place not in self._begun:
                await self._discard(place)
        self._begun = None

    def _try_again(self) -> None:
        left, self._left = self._left, []
        if left:
            again = Deferred.fromCoroutine(self._undo_all(left))
            again.addErrback(lambda failure: _log.failure("Leftovers are not removed", failure))

    def _in_background(self, place: _Place) -> None:
        settled = Deferred.fromCoroutine(self._settle(place))
        settled.addErrback(lambda failure: _log.failure("A place is left unsettled", failure))

    async def _undo_all(self, places: Sequence[_Place]) -> None:
        left = list(places)
        try:
            while left:
                await self._undo(left[0])
                del left[0]
        except CatalogueUnavailable as error:
            # To ask it for each of the others in vain could take hours.
            for place in left:
                self._leave(place, error)

    async def _undo(self, place: _Place) -> None:
        """
        Remove bytes of which nobody was told, and their row: a catalogue that was
        away may have it all the same.

        :raise CatalogueUnavailable: not now.
        """
        with suppress(NoSuchRecord):
            await self._files.remove(place.album)
        with suppress(StoreUnavailable):  # it was noted, to be tried again
            await self._discard(place)

    async def _discard(self, place: _Place, version: str | None = None) -> None:
        """
        Remove bytes that no row names.

        :raise MemberChanged: they are of another version.
        :raise StoreUnavailable: not now.
        """
        try:
            await self._store.delete(place.album, place.path, version)
        except NoSuchFile:
            pass
        except StoreUnavailable as error:
            self._leave(place, error)
            raise
        await self._settle(place)

    async def _settle(self, place: _Place) -> None:
        try:
            await self._files.settle(place.album, place.path)
        except CatalogueUnavailable as error:
            self._leave(place, error)

    def _leave(self, place: _Place, why: Exception) -> None:
        _log.warn("Something of a file that is gone is left for later: {why}", why=why)
        self._left.append(place)


def _place(file: StoredFile) -> _Place:
    return _Place(file.short_name, file.path)
