"""
``fileserve.web.throttle``: who may go on guessing, by a clock that stands still.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from fileserve.web.throttle import MOST_ADDRESSES, Throttle

ADDRESS = "203.0.113.7"


class ThrottleTests(SynchronousTestCase):
    """Counting wrong keys."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.throttle = Throttle(self.clock.seconds)

    def wrong(self, times: int, address: str = ADDRESS) -> None:
        for _ in range(times):
            self.throttle.wrong(address)

    def test_tenth(self) -> None:
        """Nine wrong keys are nobody's business; after the tenth there is a minute to wait."""
        self.assertEqual(self.throttle.wait(ADDRESS), 0)
        self.wrong(9)
        self.assertEqual(self.throttle.wait(ADDRESS), 0)
        self.wrong(1)
        self.assertEqual(self.throttle.wait(ADDRESS), 60)

    def test_over(self) -> None:
        """The wait becomes shorter, is said in whole seconds that are enough, and ends."""
        self.wrong(10)
        for seconds, left in ((0.5, 60), (0.5, 59), (58, 1), (0.9, 1), (0.1, 0), (100, 0)):
            self.clock.advance(seconds)
            self.assertEqual(self.throttle.wait(ADDRESS), left)

    def test_within_a_minute(self) -> None:
        """Ten wrong keys count that came within a minute, wherever it begins; slower ones never do."""
        for _ in range(100):
            self.wrong(1)
            self.clock.advance(6.7)
            self.assertEqual(self.throttle.wait(ADDRESS), 0)
        for _ in range(5):
            self.wrong(1)
        self.assertGreater(self.throttle.wait(ADDRESS), 0)

    def test_others(self) -> None:
        """Another address need not wait, nor what is no address."""
        self.wrong(10)
        for address in ("203.0.113.8", "::1", "unix", ""):
            self.assertEqual(self.throttle.wait(address), 0)

    def test_one_client(self) -> None:
        """All of one /64 are one client, as is an IPv4 address however it is written; the next is another."""
        for addresses, other in (
            (("2001:db8::1", "2001:DB8::2", "2001:db8:0:0:ffff::", "2001:db8::3%eth0"), "2001:db8:0:1::1"),
            (("198.51.100.1", "::ffff:198.51.100.1"), "198.51.100.2"),
            (("unix",), "UNIX"),
        ):
            for number in range(10):
                self.throttle.wrong(addresses[number % len(addresses)])
            for address in addresses:
                self.assertEqual(self.throttle.wait(address), 60)
            self.assertEqual(self.throttle.wait(other), 0)

    def test_bounded(self) -> None:
        """Only so many addresses are remembered; the one that was wrong longest ago is forgotten first."""
        self.wrong(10, "192.0.2.1")
        self.wrong(9, "192.0.2.2")
        for number in range(MOST_ADDRESSES - 2):
            self.throttle.wrong(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        self.wrong(1, "192.0.2.2")
        self.assertEqual(self.throttle.wait("192.0.2.1"), 60)
        self.throttle.wrong("192.0.2.3")
        self.assertEqual(self.throttle.wait("192.0.2.1"), 0)
        self.assertEqual(self.throttle.wait("192.0.2.2"), 60)

    @settings(deadline=None)
    @given(st.lists(st.floats(0, 40), min_size=1, max_size=60), st.integers(1, 5))
    def test_never_more(self, pauses: list[float], limit: int) -> None:
        """Whoever obeys, whatever the pauses, never gets more than so many tries into any minute."""
        clock = Clock()
        throttle = Throttle(clock.seconds, limit=limit, seconds=60)
        tries: list[float] = []
        for pause in pauses:
            clock.advance(pause)
            if throttle.wait(ADDRESS) == 0:
                tries.append(clock.seconds())
                throttle.wrong(ADDRESS)
        for number, began in enumerate(tries[:-limit]):
            self.assertGreaterEqual(tries[number + limit], began + 60)
