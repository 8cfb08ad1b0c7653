"""
Removing members of albums, whatever kind of file they are.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from fileserve.http.shield import shielded
from fileserve.storage.interfaces import IFileStore

from .uploads import Uploads


class Removes(Protocol):
    """
    Removes a member.
    """

    def __call__(self, album: str, path: bytes, version: str | None = None) -> Awaitable[None]:
        """Fails with ``NoSuchFile``, ``MemberChanged`` or ``StoreUnavailable``."""


class Members:
    """
    Removes a file that has a short name with its row, and any other just from the store.
    """

    def __init__(self, store: IFileStore, uploads: Uploads) -> None:
        self._store = store
        self._uploads = uploads

    async def remove(self, album: str, path: bytes, version: str | None = None) -> None:
        """
        Remove a member, whoever waits for it or leaves.

        :param version: only if it is still this one.
        :raise NoSuchFile: it is gone.
        :raise MemberChanged: it is another version, and stays.
        :raise StoreUnavailable: not now.
        """
        await shielded(self._remove(album, path, version))

    async def _remove(self, album: str, path: bytes, version: str | None) -> None:
        if not await self._uploads.remove_member(album, path, version):
            await self._store.delete(album, path, version)
