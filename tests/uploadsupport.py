"""
What tests of uploading pictures share: a way in over a store and a catalogue in memory, and a look at them.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from typing import Any

from attrs import evolve
from PIL import Image
from twisted.internet.defer import Deferred, fail, succeed

from fileserve.catalogue.memory import MemoryFacts
from fileserve.catalogue.memorypictures import MemoryClaims, MemoryPictures
from fileserve.files.contents import Contents
from fileserve.files.intake import Intake, Limits
from fileserve.gallery.admission import Admission, Memory, Stored
from fileserve.gallery.spool import Spool, Spools
from fileserve.gallery.uploading import PictureUploads, UploadRules
from fileserve.pictures.facts import PictureFacts
from fileserve.storage.memory import MemoryStore

from .filesupport import Bytes, Spied
from .support import at_once, deferred

#: 2026-11-20T12:00:00Z, in seconds.
NOW = 1_795_176_000.0

LIMITS = Limits(max_upload=64 * 1024 * 1024, min_free=0)


def png(grey: int = 0, width: int = 4) -> bytes:
    """
    A small picture. All of one width have the same size in bytes.
    """
    out = io.BytesIO()
    Image.new("L", (width, 3), grey).save(out, "PNG", compress_level=0)
    return out.getvalue()


class Looking:
    """
    Looks at pictures in this process, which the tests trust.

    :ivar says: fields of the facts that it gives of all that it can open.
    :ivar fails: what it fails with.
    :ivar waits: what it waits for.
    """

    def __init__(self) -> None:
        self.says: dict[str, Any] = {}
        self.fails: Exception | None = None
        self.waits: Deferred[None] | None = None

    def look(self, files: Sequence[tuple[int, str]], urgent: bool = True) -> Deferred[list[PictureFacts]]:
        """
        As the workshop does.
        """
        if self.fails is not None:
            return fail(self.fails)
        facts = [self._facts(*each) for each in files]
        if self.waits is None:
            return succeed(facts)
        waiting: Deferred[Any] = Deferred(lambda _: None)
        self.waits.addCallback(lambda _: None if waiting.called else waiting.callback(facts))
        return waiting

    def _facts(self, descriptor: int, media_type: str) -> PictureFacts:
        with os.fdopen(os.dup(descriptor), "rb", buffering=0) as file:
            data = file.read()  # from where the descriptor stands, as some decoders do
        try:
            with Image.open(io.BytesIO(data)) as image:
                width, height = image.size
        except Exception:  # noqa: BLE001 - whatever Pillow makes of it
            return PictureFacts(media_type)
        return evolve(PictureFacts(media_type, width, height, located=False), **self.says)


class Tracked(Spools):
    """
    Remembers what it opened.
    """

    def __init__(self, directory: str, in_thread: Any, least_free: int = 0) -> None:
        super().__init__(directory, in_thread, least_free)
        self.opened: list[Spool] = []

    async def _open(self) -> Spool:
        spool = await super()._open()
        self.opened.append(spool)
        return spool

    @property
    def left_open(self) -> int:
        """
        How many were not closed.
        """
        return sum(spool.fileno() >= 0 for spool in self.opened)


class WayIn:
    """
    All that takes pictures in, each part of it spied upon.

    :param directory: for what is written aside.
    :param parts: what to use in place of what is made here: ``store``, ``claims``, ``facts``, ``pictures``.
    """

    def __init__(
        self, directory: str, *, limits: Limits = LIMITS, in_thread: Any = at_once, **parts: Any
    ) -> None:
        self.journal: list[str] = []
        self.memory = MemoryStore(now_ns=lambda: int(NOW * 1e9))
        self.store: Any = parts.get("store") or Spied(self.memory, self.journal)
        self.pictures: Any = parts.get("pictures") or Spied(MemoryPictures(), self.journal)
        self.facts: Any = parts.get("facts") or Spied(MemoryFacts(), self.journal)
        self.claims: Any = parts.get("claims") or Spied(MemoryClaims(lambda: int(NOW * 1e6)), self.journal)
        self.spools = Tracked(directory, in_thread)
        self.looking = Looking()
        self._in_thread = in_thread
        self._limits = limits
        self.uploads = self.with_rules(UploadRules())

    def with_rules(self, wanted: UploadRules, now: Callable[[], float] = lambda: NOW) -> PictureUploads:
        """
        Take pictures in by these rules from now on.
        """
        intake = Intake(self.store, self._in_thread, self._limits, lambda: 0.0)
        contents = Contents(self.store, self.facts, self._in_thread)
        memory = Memory(self.facts, self.pictures, self.claims, contents)
        admission = Admission(self.store, intake, memory)
        self.uploads = PictureUploads(admission, intake, self.looking, self.spools, wanted=wanted, now=now)
        return self.uploads

    def take(self, data: Any, given: str = "", own: str = "own.png", album: str = "album") -> Deferred[Any]:
        """
        Send a picture.

        :param data: bytes, or a source of them.
        """
        source = Bytes(data) if isinstance(data, bytes) else data
        return deferred(self._take(source, album, given, own))

    async def _take(self, source: Any, album: str, given: str, own: str) -> Stored:
        spool = await self.uploads.spool(source)
        try:
            return await self.uploads.store(spool, album, given, own)
        finally:
            spool.close()

    def names(self, album: str = "album") -> list[str]:
        """
        What lies in the album in memory.
        """
        found = self.memory._albums.get(album)
        return sorted(path.decode() for path in found.files) if found else []

    def held(self) -> dict[Any, Any]:
        """
        The claims that somebody has.
        """
        inner = self.claims.inner if isinstance(self.claims, Spied) else self.claims
        held: dict[Any, Any] = inner._held
        return held
