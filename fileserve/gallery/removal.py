"""
Taking a picture out of its album, with all that was made of it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from twisted.logger import Logger

from fileserve.catalogue.interfaces import CatalogueUnavailable, IFacts
from fileserve.http.shield import shielded

_log = Logger(namespace="fileserve.gallery")


class Drops(Protocol):
    """
    Keeps previews: `fileserve.gallery.previews.Previews`.
    """

    def drop(self, sha256: str) -> Awaitable[object]:
        """Forget those of some bytes."""


class Removal:
    """
    Removes pictures: first the file, then its previews and what is known of it.

    :param delete: removes a file by album, path and version, and what else belongs to it; raises
        ``NoSuchFile``.
    """

    def __init__(
        self, facts: IFacts, previews: Drops, delete: Callable[[str, bytes, str | None], Awaitable[object]]
    ) -> None:
        self._facts = facts
        self._previews = previews
        self._delete = delete

    async def remove(self, album: str, path: bytes, version: str | None = None) -> None:
        """
        Remove a picture, whoever waits for it or leaves.

        :param version: only if it is still this one.
        :raise NoSuchFile: there is none.
        :raise Exception: as ``delete``; it is there still.
        """
        await shielded(self._remove(album, path, version))

    async def _remove(self, album: str, path: bytes, version: str | None) -> None:
        sha256 = await self._sha256(album, path)
        await self._delete(album, path, version)
        # The file is gone, so that is what is answered, whatever becomes of the rest: facts of nothing are
        # swept away, and previews that nobody asks for.
        if sha256 is not None:
            await _tried(self._previews.drop, sha256)
        await _tried(self._facts.discard, album, path)

    async def _sha256(self, album: str, path: bytes) -> str | None:
        """
        By which its previews are known, if any was made.
        """
        try:
            known = await self._facts.describe(album, [path])
        except CatalogueUnavailable as error:
            _log.warn("Previews of a picture are left: {why}", why=error)
            return None
        return next((facts.sha256 for facts in known.values()), None)


async def _tried(step: Callable[..., Awaitable[object]], *args: object) -> None:
    try:
        await step(*args)
    except Exception:  # noqa: BLE001 - whatever it is
        _log.failure("Something of a picture that was removed is left")
