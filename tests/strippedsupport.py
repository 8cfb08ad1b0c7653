"""
An album with locations in it, a store that tells how it is read, and a view of it without them.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred

from fileserve.gallery.stripped import WithoutLocation
from fileserve.storage.interfaces import Listing, Member
from fileserve.storage.memory import MemoryStore
from tests.locatedpictures import PACKET, drawn, exif, located, picture
from tests.support import at_once

NOTE = b"NOT-INCLUDED.txt"

FILM = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42"


def large() -> bytes:
    """A picture that is not read whole when it is first looked at, nor sent with others."""
    out = BytesIO()
    drawn(2600, 2200).effect_spread(90).save(out, "JPEG", quality=97, exif=exif(), xmp=PACKET)
    assert len(out.getvalue()) > 1_100_000
    return out.getvalue()


#: An album: what is in it without a location afterwards, and what is left out.
SMALL = {
    "a.jpg": located("JPEG"),
    "b/c.png": located("PNG"),
    "d.webp": located("WEBP"),
    "e.tif": located("TIFF"),
}
OTHERS = {"empty": b"", "notes.txt": b"nothing of interest", "plain.gif": picture("GIF")}
LEFT_OUT = {"film.mp4": FILM, "b/track.gpx": b"<gpx/>", "z.bin": b"\0\1\2"}
ALBUM = {**SMALL, **OTHERS, **LEFT_OUT, "large.jpg": large()}


class Stripped:
    """
    A view of a store, and how it is asked.

    :param store: of which it is one.
    """

    def __init__(self, store: Any, in_thread: Any = at_once) -> None:
        self.store = store
        self.view = WithoutLocation(store, in_thread)

    def members(self, album: str = "a") -> dict[bytes, Member]:
        return {member.path: member for member in self.listing(album).members}

    def listing(self, album: str = "a") -> Listing:
        result: list[Listing] = []
        self.view.list(album).addCallback(result.append)
        return result[0]


class Reading:
    """
    A reader that counts what is read, and fails where a test says so.
    """

    def __init__(self, inner: Any, store: Watched) -> None:
        self._inner = inner
        self._store = store

    async def read_into(self, buffers: Any, parts: Any) -> None:
        assert sum(part.length for part in parts) <= 256 * 1024, "more than a chunk is read at once"
        self._store.read += sum(part.length for part in parts)
        self._store.busiest = max(self._store.busiest, len(parts))
        if self._store.waits is not None:
            await self._store.waits
        for part in parts:
            if part.member.path in self._store.fails:
                raise self._store.fails[part.member.path]
        await self._inner.read_into(buffers, parts)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class Watched(MemoryStore):
    """
    A store that tells how it is used.

    :ivar read: bytes that were read into buffers.
    :ivar fails: what reading a member fails with, by path.
    """

    def __init__(self) -> None:
        super().__init__(now_ns=lambda: 1_790_000_000_000_000_000)
        self.read = self.busiest = self.listed = 0
        self.fails: dict[bytes, Exception] = {}
        self.waits: Deferred[None] | None = None

    def list(self, album: str) -> Deferred[Listing]:
        self.listed += 1
        return super().list(album)

    def reader(self, album: str) -> Any:
        return Reading(super().reader(album), self)


def filled(files: Mapping[str, bytes] = ALBUM) -> Watched:
    store = Watched()
    for path, data in files.items():
        store.put("a", path.encode(), data)
    return store
