"""
Tests of what the operator's tools are told, in memory.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, cast

from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from fileserve.operations.admin import Admin, Readiness
from fileserve.operations.counters import Counts

from .support import Answer, Connection, ask, site_of_resource


class AdminCase(SynchronousTestCase):
    """The admin site, over two things that it needs."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.checks: dict[str, Callable[[], Deferred[Any]]] = {
            "storage": lambda: succeed(None),
            "catalogue": lambda: succeed(None),
        }
        self.readiness = Readiness(self.checks, self.clock)
        self.counts = Counts()
        self.gauges: dict[str, Callable[[], float]] = {"fileserve_connections": lambda: 3}
        admin = Admin(self.readiness, self.counts, self.gauges)
        self.site = site_of_resource(admin.app.resource(), self.clock)
        self.admin = admin

    def get(self, target: str, method: str = "GET") -> Answer:
        return ask(self.site, target, method)


class HealthTests(AdminCase):
    """``/healthz``."""

    def test_health(self) -> None:
        """It answers 200 as long as the loop turns, whatever else is broken, and asks for nothing."""
        self.checks["storage"] = lambda: self.fail("it was asked")
        answer = self.get("/healthz")
        self.assertEqual((answer.status, answer.body), (200, b"ok\n"))
        self.assertEqual(answer.headers["Cache-Control"], "no-store")

    def test_head(self) -> None:
        """So it does without a body."""
        self.assertEqual(self.get("/healthz", "HEAD").status, 200)

    def test_nothing_else(self) -> None:
        """There is nothing else here, and nothing can be done."""
        self.assertEqual(self.get("/").status, 404)
        self.assertEqual(self.get("/healthz", "POST").status, 405)

    def test_without_host(self) -> None:
        """A tool that speaks HTTP/1.0, over a UNIX socket, is answered as well."""
        connection = Connection(self.site, UNIXAddress(None), UNIXAddress(b"/run/admin"))
        connection.send(b"GET /healthz HTTP/1.0\r\n\r\n")
        self.assertEqual(connection.answer().status, 200)


class ReadinessTests(AdminCase):
    """``/readyz``."""

    def test_ready(self) -> None:
        """It answers 200 when all that is needed answers."""
        answer = self.get("/readyz")
        self.assertEqual((answer.status, answer.body), (200, b"ready\n"))

    def test_reasons(self) -> None:
        """It answers 503 with a reason for each thing that fails."""
        self.checks["storage"] = lambda: fail(FileNotFoundError(2, "No such file or directory"))
        self.checks["catalogue"] = lambda: fail(RuntimeError("it is locked"))
        answer = self.get("/readyz")
        self.assertEqual(answer.status, 503)
        lines = answer.body.decode().splitlines()
        self.assertEqual(lines, ["storage: [Errno 2] No such file or directory", "catalogue: it is locked"])

    def test_one_fails(self) -> None:
        """One thing that fails is enough, and the others are not named."""
        self.checks["catalogue"] = lambda: fail(RuntimeError("it is locked"))
        self.assertEqual(self.get("/readyz").body, b"catalogue: it is locked\n")

    def test_raises(self) -> None:
        """A check that raises at once is a reason like any other."""

        def broken() -> Deferred[None]:
            raise RuntimeError("broken")

        self.checks["storage"] = broken
        self.assertEqual(self.get("/readyz").body, b"storage: broken\n")

    def test_no_answer(self) -> None:
        """What does not answer in time is a reason; all are asked at once, so it takes no longer for two."""
        for name in self.checks:
            self.checks[name] = Deferred
        connection = Connection(self.site)
        connection.send(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        self.clock.advance(4.9)
        self.assertEqual(connection.received(), b"")
        self.clock.advance(0.1)
        answer = connection.answer()
        self.assertEqual(answer.status, 503)
        self.assertEqual(
            answer.body.decode().splitlines(),
            ["storage: no answer within 5 seconds", "catalogue: no answer within 5 seconds"],
        )
        connection.leave()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_tool_leaves(self) -> None:
        """A tool that does not wait for the answer leaves nothing behind."""
        cancelled: list[object] = []
        self.checks["storage"] = lambda: Deferred(cancelled.append)
        connection = Connection(self.site)
        connection.send(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.leave()
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_stopping(self) -> None:
        """Once the server stops it is not ready, and asks for nothing any more."""
        self.checks["storage"] = lambda: self.fail("it was asked")
        self.readiness.stopping = True
        answer = self.get("/readyz")
        self.assertEqual((answer.status, answer.body), (503, b"stopping\n"))


class MetricsTests(AdminCase):
    """``/metrics``, read by Prometheus' own parser."""

    def samples(self) -> dict[str, float]:
        answer = self.get("/metrics")
        self.assertEqual(answer.status, 200)
        self.assertIn("text/plain", answer.headers["Content-Type"])
        families = text_string_to_metric_families(answer.body.decode())
        samples = [sample for family in families for sample in family.samples]
        return {"".join([sample.name, *sample.labels.values()]): sample.value for sample in samples}

    def test_counters(self) -> None:
        """All counters are told, each outcome for itself."""
        for outcome in ("finished", "failed", "interrupted", "finished"):
            self.counts.archive_started()
            self.counts.archive_ended(outcome)
        self.counts.archive_started()
        self.counts.archive_sent(1234)
        samples = self.samples()
        self.assertEqual(
            {name: value for name, value in samples.items() if "archive" in name or "open" in name},
            {
                "fileserve_archives_started_total": 5,
                "fileserve_archives_ended_totalfinished": 2,
                "fileserve_archives_ended_totalfailed": 1,
                "fileserve_archives_ended_totalinterrupted": 1,
                "fileserve_archive_bytes_total": 1234,
                "fileserve_open_transfers": 1,
            },
        )

    def test_gauges(self) -> None:
        """Gauges tell their value of now."""
        self.assertEqual(self.samples()["fileserve_connections"], 3)
        self.gauges["fileserve_connections"] = lambda: 4
        self.assertEqual(self.samples()["fileserve_connections"], 4)

    def test_every_gauge_of_the_program(self) -> None:
        """Every gauge that the program offers has its help."""
        names = ("reactor_lag_seconds", "disk_queue", "catalogue_queue", "connections")
        self.gauges.update({f"fileserve_{name}": lambda: 1.5 for name in names})
        samples = self.samples()
        self.assertEqual([samples[f"fileserve_{name}"] for name in names], [1.5] * 4)

    def test_not_installed(self) -> None:
        """Without the extra there are no metrics, and it is said what to install."""
        installed = sys.modules["prometheus_client"]
        self.addCleanup(sys.modules.__setitem__, "prometheus_client", installed)
        sys.modules["prometheus_client"] = cast(Any, None)  # documented: importing it fails then
        answer = self.get("/metrics")
        self.assertEqual(answer.status, 404)
        self.assertIn(b"'metrics'", answer.body)
