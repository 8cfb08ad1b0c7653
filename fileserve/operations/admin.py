"""
The listener for the operator's tools: is it alive, can it serve, how does it go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from klein import Klein
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as NoAnswer
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IRequest

from .counters import Counts, Gauges
from .metrics import MetricsMissing, prepare, render

#: Seconds in which each thing we need has to answer.
_PATIENCE = 5

#: Things we need by their names: each check fires, or fails saying why not.
Checks = Mapping[str, Callable[[], "Deferred[Any]"]]


class Readiness:
    """
    Finds out whether the server can serve.
    """

    def __init__(self, checks: Checks, clock: IReactorTime) -> None:
        self._checks = checks
        self._clock = clock
        self.stopping = False

    async def reasons(self) -> list[str]:
        """
        Ask all that we need, at once.

        :return: why the server can't serve; nothing where it can.
        """
        if self.stopping:
            return ["stopping"]
        asked = [Deferred.fromCoroutine(self._ask(name)) for name in self._checks]
        try:
            return [answer for each in asked if (answer := await each)]
        finally:
            for each in asked:
                each.addErrback(lambda _: None)
                each.cancel()

    async def _ask(self, name: str) -> str:
        try:
            await self._checks[name]().addTimeout(_PATIENCE, self._clock)
        except CancelledError:
            raise
        except NoAnswer:
            return f"{name}: no answer within {_PATIENCE} seconds"
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the reason
            return f"{name}: {error}"
        return ""


class Admin:
    """
    Health, readiness, metrics. Not for the public: it listens on an endpoint of its own.
    """

    app = Klein()

    def __init__(self, readiness: Readiness, counts: Counts, gauges: Gauges) -> None:
        self._readiness = readiness
        self._counts = counts
        self._gauges = gauges
        prepare()

    @app.route("/healthz", methods=["GET"])
    def health(self, request: IRequest) -> bytes:
        """
        Whoever reads this knows that the loop turns.
        """
        return _text(request, 200, "ok")

    @app.route("/readyz", methods=["GET"])
    async def readiness(self, request: IRequest) -> bytes:
        """
        200, or 503 with a reason on each line.
        """
        reasons = await self._readiness.reasons()
        return _text(request, 503 if reasons else 200, "\n".join(reasons) or "ready")

    @app.route("/metrics", methods=["GET"])
    def metrics(self, request: IRequest) -> bytes:
        """
        For Prometheus.
        """
        try:
            media_type, text = render(self._counts, self._gauges)
        except MetricsMissing as missing:
            return _text(request, 404, f"No metrics: {missing}")
        request.setHeader(b"Content-Type", media_type)
        return text


def _text(request: IRequest, status: int, text: str) -> bytes:
    request.setResponseCode(status)
    request.setHeader(b"Content-Type", b"text/plain; charset=utf-8")
    request.setHeader(b"Cache-Control", b"no-store")
    return text.encode() + b"\n"
