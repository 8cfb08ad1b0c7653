"""
Tests of putting in order at start.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from fileserve.catalogue.interfaces import CatalogueUnavailable, MemberFacts
from fileserve.catalogue.memory import MemoryFacts
from fileserve.files.recovery import Recovery
from fileserve.storage.errors import StoreUnavailable
from fileserve.storage.memory import MemoryStore

from .filesupport import Spied


class Recovers:
    """What looks for leftovers."""

    def recover(self) -> Deferred[None]:
        return succeed(None)


class RecoveryTests(SynchronousTestCase):
    """In the background, once."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.uploads = Spied(Recovers())
        self.store = MemoryStore()
        self.facts = Spied(MemoryFacts())
        self.recovery = Recovery(self.clock, cast(Any, self.uploads), self.store, cast(Any, self.facts))
        self.addCleanup(self.recovery.stop)

    def test_once(self) -> None:
        """Leftovers are looked for once."""
        self.recovery.start()
        self.clock.pump([60] * 5)
        self.assertEqual(self.uploads.journal, ["recover"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_albums_that_are_gone(self) -> None:
        """What is remembered of albums that are gone is forgotten, of others it stays."""
        self.store.put("there", b"a", b"")
        for album in ("there", "gone"):
            self.facts.inner.know(album, b"a", "1", MemberFacts(1))
        self.recovery.start()
        self.assertEqual(self.successResultOf(self.facts.inner.albums()), ["there"])

    def test_again_while_something_is_away(self) -> None:
        """As long as the store or the catalogue is away it tries again, and says so."""
        with capturedLogs() as logs:
            self.uploads.fails["recover"] = StoreUnavailable("away")
            self.recovery.start()
            self.clock.advance(30)
            self.uploads.fails.clear()
            self.facts.fails["albums"] = CatalogueUnavailable("films", "locked")
            self.clock.advance(30)
            self.facts.fails.clear()
            self.clock.advance(30)
        self.assertEqual(self.uploads.journal, ["recover"] * 3)
        self.assertEqual([event["log_level"].name for event in logs], ["warn"] * 3)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped(self) -> None:
        """The server stops in the middle: nothing goes on, and nothing is logged."""
        self.uploads.hold("recover")
        self.assert_stops()
        self.uploads.waits.clear()
        self.uploads.fails["recover"] = StoreUnavailable("away")
        self.assert_stops()

    def assert_stops(self) -> None:
        self.recovery.start()
        with capturedLogs() as logs:
            self.recovery.stop()
        self.assertEqual(logs, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_other_failures(self) -> None:
        """What nobody expected is logged, and the server goes on."""
        self.uploads.fails["recover"] = RuntimeError("unexpected")
        self.recovery.start()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_not_started(self) -> None:
        """It may be stopped without having begun."""
        self.recovery.stop()
