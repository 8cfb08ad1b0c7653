"""
Previews of members: from the cache, or made by a child process, once for all who ask at the same time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.logger import Logger

from fileserve.pictures.facts import NoPreview, Why
from fileserve.pictures.formats import format_of
from fileserve.pictures.worker import Output
from fileserve.pictures.workshop import Busy, Workshop
from fileserve.storage.errors import StoreUnavailable
from fileserve.storage.held import InThread
from fileserve.storage.interfaces import Member
from fileserve.storage.keys import display_path

from .descriptors import Descriptors
from .interfaces import Knows
from .making import OF_THE_FILE, Making, Wanted
from .previewcache import BEGINNINGS, PreviewCache

_log = Logger(namespace="fileserve.gallery")

#: Pixels on the long side. A larger one is never made without the smaller ones.
SIZES = (320, 1280)

#: So many previews wait at most to be made. One that waits holds no file, and costs a `Deferred`; browsers
#: ask for all that a page shows at once.
_WAITING = 1_000

#: So many members more than there are children are opened for having previews made of them, so that no child
#: waits for the store. So previews alone never fill the workshop's own queue.
_AHEAD = 2

#: Bytes; a preview that is larger is none.
_LARGEST = 16 * 1024 * 1024

#: Of so many files it is remembered which bytes they have, and of so many bytes why there is no preview.
_REMEMBERED = 20_000

K = TypeVar("K")
V = TypeVar("V")


class Previews:
    """
    Gives previews. Its owner calls `start` and `stop`.

    :param knows: tells which bytes a file has, by which previews are kept.
    :param workshop: is started and stopped by its own owner.
    :param in_thread: for the cache.
    """

    def __init__(
        self,
        descriptors: Descriptors,
        knows: Knows,
        cache: PreviewCache,
        workshop: Workshop,
        in_thread: InThread,
    ) -> None:
        self._descriptors = descriptors
        self._knows = knows
        self._cache = cache
        self._workshop = workshop
        self._in_thread = in_thread
        self._opening = DeferredSemaphore(workshop.size + _AHEAD)
        self._waiting = 0
        self._makings: dict[tuple[str, str], Making] = {}
        self._bytes: dict[tuple[str, bytes, str], str] = {}
        self._hopeless: dict[str, Why] = {}

    def start(self) -> None:
        """
        Begin to tidy up the cache.
        """
        self._in_thread(self._cache.sweep).addErrback(
            lambda failure: _log.warn("Previews are not tidied up: {why}", why=failure.value)
        )

    def stop(self) -> None:
        """
        Nothing to end: what goes on ends with the workshop.
        """

    async def get(self, album: str, member: Member, media_type: str, size: int, kind: str) -> bytes:
        """
        Get a preview of a member; made, if it was not before.

        :param media_type: the member's, as its bytes tell it.
        :param size: one of `SIZES`.
        :param kind: ``webp`` or ``jpeg``.
        :raise NoPreview: there is none.
        :raise Busy: ask again in a moment.
        :raise MemberChanged: meanwhile it is another version.
        :raise NoSuchAlbum: meanwhile the album is gone.
        :raise Unreadable: it can't be read.
        :raise StoreUnavailable: the store is away, or this server has no room to do it.
        """
        known = format_of(media_type)
        if known is None or not known.previews:
            raise NoPreview(Why.UNSUPPORTED)
        sha256 = await self._sha256(album, member)
        if (why := self._hopeless.get(sha256)) is not None:
            raise NoPreview(why)
        wanted = Wanted(album, member, media_type, sha256, size, kind)
        made: Mapping[int, bytes] = {}
        while size not in made:  # another size may just be on its way, and may bring this one along
            making = self._makings.get(wanted.key) or self._begin(wanted)
            try:
                made = await making.wait()
            except OF_THE_FILE:
                if making.wanted.file == wanted.file:
                    raise
        return made[size]

    def drop(self, sha256: str) -> Deferred[None]:
        """
        Forget all previews of some bytes.

        :return: fires when none is left; does not fail.
        """
        self._hopeless.pop(sha256, None)
        for (each, _), making in self._makings.items():
            making.dropped = making.dropped or each == sha256
        return self._in_thread(self._cache.drop, sha256).addErrback(
            lambda failure: _log.warn("A preview is not removed: {why}", why=failure.value)
        )

    def is_hopeless(self, album: str, member: Member) -> bool:
        """
        Whether it is remembered, without asking anybody, that there is no preview of a member.
        """
        return self._bytes.get((album, member.path, member.version)) in self._hopeless

    async def _sha256(self, album: str, member: Member) -> str:
        file = (album, member.path, member.version)
        if file not in self._bytes:
            name = display_path(member.path).rpartition("/")[2]
            facts = await self._knows.facts(album, member, name)
            assert facts.sha256 is not None
            _remember(self._bytes, file, facts.sha256)
            return facts.sha256
        return self._bytes[file]

    def _begin(self, wanted: Wanted) -> Making:
        making = self._makings[wanted.key] = Making(wanted)

        def done(result: Any) -> None:
            del self._makings[wanted.key]
            making.done(result)

        Deferred.fromCoroutine(self._find_or_make(wanted, making)).addBoth(done)
        return making

    async def _find_or_make(self, wanted: Wanted, making: Making) -> Mapping[int, bytes]:
        found = await self._find(wanted)
        if found is not None:
            return {wanted.size: found}
        if self._waiting >= _WAITING:
            raise Busy("So many previews are waited for already.")
        self._waiting += 1
        try:
            await self._opening.acquire()
        finally:
            self._waiting -= 1
        try:
            made = await self._make(wanted)
        except NoPreview as error:
            await self._mark(wanted, error.why, making)
            raise
        except OSError as error:
            raise StoreUnavailable(f"previews can't be made: {error.strerror}") from None
        finally:
            self._opening.release()
        await self._keep(wanted, made, making)
        return made

    async def _find(self, wanted: Wanted) -> bytes | None:
        try:
            found: bytes | None = await self._in_thread(self._look_up, wanted)
        except NoPreview as none:
            _remember(self._hopeless, wanted.sha256, none.why)
            raise
        except OSError as error:
            _log.warn("Previews can't be read: {why}", why=error)
            return None
        return found

    def _look_up(self, wanted: Wanted) -> bytes | None:
        found = self._cache.read(wanted.sha256, wanted.size, wanted.kind)
        if found is None and (why := self._cache.why_not(wanted.sha256)) is not None:
            raise NoPreview(why)
        return found

    async def _make(self, wanted: Wanted) -> Mapping[int, bytes]:
        sizes = [each for each in SIZES if each <= wanted.size]
        with _outputs(sizes, wanted.kind) as outputs:
            async with self._descriptors.opened(wanted.album, wanted.member) as descriptor:
                await self._workshop.preview(descriptor, wanted.media_type, outputs)
            return {each.size: _content(each) for each in outputs}

    async def _keep(self, wanted: Wanted, made: Mapping[int, bytes], making: Making) -> None:
        for size, data in made.items():
            await self._changed(self._cache.keep, wanted.sha256, size, wanted.kind, data)
        await self._drop_if_dropped(wanted, making)

    async def _mark(self, wanted: Wanted, why: Why, making: Making) -> None:
        path = display_path(wanted.member.path)
        _log.info("There is no preview of {path}: {why}", path=path, why=why)
        _remember(self._hopeless, wanted.sha256, why)
        await self._changed(self._cache.mark, wanted.sha256, why)
        await self._drop_if_dropped(wanted, making)

    async def _drop_if_dropped(self, wanted: Wanted, making: Making) -> None:
        if making.dropped:
            await self.drop(wanted.sha256)

    async def _changed(self, change: Callable[..., None], *args: object) -> None:
        try:
            await self._in_thread(change, *args)
        except OSError as error:  # it only has to be made once more
            _log.warn("Previews can't be kept: {why}", why=error)


@contextmanager
def _outputs(sizes: Sequence[int], kind: str) -> Iterator[Sequence[Output]]:
    """
    Files for previews to be written to: in memory, so that a full disk spoils none, and no child gets hold of
    a file of ours that others read.
    """
    outputs: list[Output] = []
    try:
        for size in sizes:
            outputs.append(Output(size, kind, os.memfd_create("preview")))  # noqa: PERF401  # see below
        yield outputs
    finally:
        for each in outputs:  # also those that were made before one could not be
            os.close(each.descriptor)


def _content(output: Output) -> bytes:
    """
    :raise NoPreview: it is no preview: the child, and so the picture, is not to be trusted.
    """
    data = os.pread(output.descriptor, _LARGEST + 1, 0)
    if len(data) > _LARGEST or not data.startswith(BEGINNINGS[output.format]):
        raise NoPreview(Why.DEADLY)
    return data


def _remember(memory: dict[K, V], key: K, value: V) -> None:
    memory[key] = value
    if len(memory) > _REMEMBERED:
        del memory[next(iter(memory))]
