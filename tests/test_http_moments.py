"""
Tests of moments as the calendar has them.
"""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.http.moments import in_calendar


class MomentTests(SynchronousTestCase):
    """Numbers that become dates."""

    @given(st.integers(-62_135_596_800, 253_402_300_799))
    def test_seconds(self, seconds: int) -> None:
        """What the calendar has is told to the second as Python tells it."""
        self.assertEqual(in_calendar(seconds * 1_000_000), datetime.fromtimestamp(seconds, UTC))

    def test_ends(self) -> None:
        """Before its first and after its last moment it is always that one."""
        for distance in (0, 1, 10**30):
            self.assertEqual(in_calendar(-62_135_596_800_000_000 - distance), datetime(1, 1, 1, tzinfo=UTC))
            self.assertEqual(
                in_calendar(253_402_300_799_999_999 + distance), datetime.max.replace(tzinfo=UTC)
            )
