"""
The running server: it listens, says when it is ready, and comes to rest.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import Any, Protocol

from attrs import frozen
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from .http.listening import Listeners, NotListening
from .operations.admin import Readiness
from .operations.notify import Notifier

_log = Logger(namespace="fileserve")

#: Seconds that ending takes at most, beyond the time that transfers have.
_CUTTING = 10

#: Seconds until what we need is asked again.
_RETRY = 2


class Part(Protocol):
    """
    Something that has to be started before the server listens, and stopped after it.
    """

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End."""


@frozen
class Stages:
    """
    What stands around the listening.
    """

    readiness: Readiness
    notifier: Notifier
    #: In the order of their start.
    parts: Sequence[Part]
    #: The upload key, if nobody can know it yet.
    first_key: str | None = None


class Server(Service):
    """
    Listens from its start to its stop; ``twist`` calls both.

    :param public: for everybody.
    :param admin: for the operator's tools; it answers as long as transfers go on.
    :param drain: seconds that open transfers may take when it stops.
    """

    def __init__(
        self, reactor: Any, public: Listeners, admin: Listeners, stages: Stages, drain: float
    ) -> None:
        self._reactor = reactor
        self._public = public
        self._admin = admin
        self._stages = stages
        self._drain = drain
        self._announced: Deferred[None] = succeed(None)
        self._watchdog = LoopingCall(stages.notifier.alive)
        self._watchdog.clock = reactor

    def startService(self) -> None:
        """
        Listen.

        :raise SystemExit: an address can't be listened on.
        """
        super().startService()
        for part in self._stages.parts:
            part.start()
        try:
            self._public.listen()
            self._admin.listen()
        except NotListening as error:
            self._public.close()
            self._admin.close()
            self._stop_parts()
            raise SystemExit(f"twist fileserve: {error}") from None
        self._reactor.callWhenRunning(self._begin)

    def _begin(self) -> None:
        # All that was made until now stays as long as the process: collecting
        # garbage among it again and again would take 40 ms each time, in the
        # middle of planning an archive of 10,000 members (measured 2026-11).
        gc.collect()
        gc.freeze()
        self._announced = Deferred.fromCoroutine(self._announce())
        self._announced.addErrback(self._not_announced)
        if self._stages.notifier.watchdog_interval is not None:
            self._watchdog.start(self._stages.notifier.watchdog_interval)

    def _not_announced(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            _log.failure("Nobody knows whether we are ready", failure)

    async def _announce(self) -> None:
        """
        Say that the server is ready, once what it needs answers.
        """
        notifier = self._stages.notifier
        while reasons := "; ".join(await self._stages.readiness.reasons()):
            _log.critical("fileserve can't serve yet: {reasons}", reasons=reasons)
            notifier.status(reasons)
            await deferLater(self._reactor, _RETRY)
        addresses = " ".join(self._public.addresses)
        # The address stands in the line itself, so that it is found there in JSON too.
        _log.info("fileserve is ready: " + addresses.replace("{", "{{").replace("}", "}}"))
        if self._stages.first_key is not None and self._public.addresses[0].startswith("http"):
            # Once, so that the operator finds the way in; the key stands in its file.
            sign_in = f"{self._public.addresses[0]}sign-in?key={self._stages.first_key}"
            _log.info("Sign in with a browser: {address}", address=sign_in)
        notifier.ready("serving at " + addresses)

    def stopService(self) -> Deferred[None]:
        """
        Listen no more, let transfers end, and stop.

        :return: fires when nothing goes on.
        """
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        stages = self._stages
        self._announced.cancel()
        stages.readiness.stopping = True
        stages.notifier.stopping(self._drain + _CUTTING)
        await self._public.rest(self._drain)
        await self._admin.rest(0)
        if self._watchdog.running:
            self._watchdog.stop()
        self._stop_parts()
        stages.notifier.close()

    def _stop_parts(self) -> None:
        for part in reversed(self._stages.parts):
            part.stop()
