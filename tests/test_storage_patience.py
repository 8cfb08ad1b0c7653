"""
Tests of when the reactor thread may ask the disk itself.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from fileserve.storage.patience import Patience


class PatienceTests(SynchronousTestCase):
    """A `Patience` on a clock of its own."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.patience = Patience(self.clock.seconds)

    def ask(self, seconds: float) -> None:
        with self.patience:
            self.clock.advance(seconds)

    def test_quick(self) -> None:
        """As long as answers come at once, it may be asked."""
        for _ in range(100):
            self.assertTrue(self.patience.allows())
            self.ask(0.001)

    def test_slow(self) -> None:
        """After a slow answer it may not, some times; then it may."""
        self.ask(0.1)
        refused = 0
        while not self.patience.allows():
            refused += 1
            self.assertLess(refused, 1000)
        self.assertGreater(refused, 10)
        self.assertTrue(self.patience.allows())

    def test_error(self) -> None:
        """An answer that is an error counts like any other, and is passed on."""

        def ask() -> None:
            with self.patience:
                self.clock.advance(1)
                raise KeyError

        self.assertRaises(KeyError, ask)
        self.assertFalse(self.patience.allows())
