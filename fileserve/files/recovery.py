"""
What is put in order at start: leftovers of a crash, and what is remembered of albums that are gone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from fileserve.catalogue.interfaces import CatalogueUnavailable, IFacts
from fileserve.catalogue.sweeping import forget_gone
from fileserve.storage.errors import StoreUnavailable
from fileserve.storage.interfaces import IFileStore

from .uploads import Uploads

_log = Logger(namespace="fileserve.files")

#: Seconds until it is tried again, where the store or the catalogue did not answer.
_RETRY = 30


class Recovery:
    """
    A part of the server: works in the background from its start on, once.
    """

    def __init__(self, reactor: Any, uploads: Uploads, store: IFileStore, facts: IFacts) -> None:
        self._reactor = reactor
        self._uploads = uploads
        self._store = store
        self._facts = facts
        self._work: Deferred[None] = succeed(None)

    def start(self) -> None:
        """
        Begin.
        """
        self._work = Deferred.fromCoroutine(self._recover())
        self._work.addErrback(_not_recovered)

    def stop(self) -> None:
        """
        Leave the rest to the next start.
        """
        self._work.cancel()

    async def _recover(self) -> None:
        await self._patiently(self._uploads.recover)
        await self._patiently(lambda: forget_gone(self._facts, self._store.exist))

    async def _patiently(self, step: Callable[[], Awaitable[object]]) -> None:
        while True:
            try:
                await step()
            except (CatalogueUnavailable, StoreUnavailable) as error:
                _log.warn("Leftovers are looked for later: {why}", why=error)
                await deferLater(self._reactor, _RETRY)
            else:
                return


def _not_recovered(failure: Failure) -> None:
    if not failure.check(CancelledError):
        _log.failure("Leftovers were not all removed", failure)
