"""
Finding out of which members a location can be taken: how much is read, and what is remembered.
"""

from __future__ import annotations

from itertools import count

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from fileserve.gallery.locations import Locations
from fileserve.gallery.stripped import WithoutLocation
from fileserve.storage.errors import MemberChanged, Unreadable
from tests.strippedsupport import ALBUM, FILM, LEFT_OUT, NOTE, SMALL, Stripped, filled
from tests.support import ByHand, at_once, deferred


class LookingTests(SynchronousTestCase):
    """How much is looked at, and when."""

    def test_once(self) -> None:
        """Listed again, nothing is read and the very same listing comes; of a new member only it is read."""
        store = filled()
        stripped = Stripped(store)
        listing = stripped.listing()
        store.read = 0
        self.assertIs(stripped.listing(), listing)
        self.assertEqual(store.read, 0)
        store.put("a", b"new.png", SMALL["b/c.png"])
        self.assertIn(b"new.png", stripped.members())
        self.assertLess(store.read, 2 * len(SMALL["b/c.png"]) + 1)

    def test_little(self) -> None:
        """Of a large picture little is read until somebody reads it."""
        store = filled({"large.jpg": ALBUM["large.jpg"]})
        Stripped(store).listing()
        self.assertLess(store.read, 120_000)

    def test_many(self) -> None:
        """Many members are looked at together, in portions; all of them are judged."""
        files = {
            f"{number}.{'txt' if number % 3 else 'mp4'}": b"x" if number % 3 else FILM
            for number in range(500)
        }
        store = filled(files)
        self.assertEqual(len(Stripped(store).members()), 333 + 1)
        self.assertGreater(store.busiest, 20)

    def test_hint(self) -> None:
        """A text is known by its name too."""
        stripped = Stripped(
            filled({"table.csv": b"a,b\n1,2\n", "events.ics": b"BEGIN:VCALENDAR\nGEO:48;2\n"})
        )
        self.assertEqual(set(stripped.members()), {b"table.csv", NOTE})

    def test_changing(self) -> None:
        """A member that changes while it is looked at is listed all the same; reading it shows the change."""
        store = filled()
        for path in (b"film.mp4", b"a.jpg"):
            store.fails[path] = MemberChanged(path, "it was replaced")
        stripped = Stripped(store)
        members = stripped.members()
        self.assertLess({b"film.mp4", b"a.jpg", b"d.webp"}, set(members))
        store.fails.clear()
        self.assertEqual(len(self.successResultOf(store.list("a")).members), len(ALBUM))
        store.put("a", b"film.mp4", FILM)
        self.assertNotIn(b"film.mp4", stripped.members())

    def test_unreadable(self) -> None:
        """What can't be read fails the listing, as it does in the store."""
        store = filled()
        store.fails[b"a.jpg"] = Unreadable(b"a.jpg", "no")
        self.failureResultOf(Stripped(store).view.list("a"), Unreadable)
        store.fails[b"a.jpg"] = MemberChanged(b"something else", "no")
        self.failureResultOf(Stripped(store).view.list("a"), MemberChanged)

    def test_left(self) -> None:
        """Who leaves while members are looked at stops that, and others are not kept from it."""
        store = filled()
        stripped = Stripped(store)
        for _ in range(3):
            store.waits = Deferred()
            listing = stripped.view.list("a")
            listing.cancel()
            self.failureResultOf(listing, CancelledError)
        store.waits = None
        self.assertIn(b"a.jpg", stripped.members())

    def test_left_meanwhile(self) -> None:
        """Files that take long are gone through one by one, and no more of them when nobody waits."""
        store, threads, clock = filled(), ByHand(), count(0.0, 1.0)
        reader = store.reader("a")
        members = self.successResultOf(store.list("a")).members
        locations = Locations(threads, now=lambda: next(clock))
        looked = deferred(locations.refused("a", reader, members))
        for _ in range(3):
            self.assertEqual(len(threads), 1)
            threads.step()
        looked.cancel()
        self.failureResultOf(looked, CancelledError)
        threads.run()
        self.assertEqual(len(threads), 0)
        patient = deferred(locations.refused("a", reader, members))
        threads.run()
        self.assertEqual(len(self.successResultOf(patient)), len(LEFT_OUT))

    def test_bounded(self) -> None:
        """However many ask, few looks are under way at once; those who wait find what the others learnt."""
        store, threads = filled(), ByHand()
        view = WithoutLocation(store, threads)
        listings = [view.list("a") for _ in range(10)]
        self.assertEqual(len(threads), 2)
        threads.run()
        for listing in listings:
            self.assertEqual(len(self.successResultOf(listing).members), len(ALBUM) - len(LEFT_OUT) + 1)

    def test_forgets(self) -> None:
        """What is remembered has a bound; what was forgotten is found out anew."""
        store = filled(SMALL)
        reader = store.reader("a")
        members = self.successResultOf(store.list("a")).members
        locations = Locations(at_once, remembered=1500)
        for member in members * 2:
            opened = self.successResultOf(deferred(reader.open(member)))
            self.assertTrue(self.successResultOf(deferred(locations.patches("a", opened))))
        self.assertLess(sum(locations.known("a", member) is not None for member in members), 2)
        unbounded = Locations(at_once)
        for _ in range(2):
            self.successResultOf(deferred(unbounded.refused("a", reader, members)))
        self.assertTrue(all(unbounded.known("a", member) for member in members))

    def test_refused_late(self) -> None:
        """A member of which nobody knew that it is refused can't be read, and the reason is told."""
        store = filled({"film.mp4": FILM})
        store.fails[b"film.mp4"] = MemberChanged(b"film.mp4", "it was replaced")
        stripped = Stripped(store)
        member = stripped.members()[b"film.mp4"]
        failure = self.failureResultOf(deferred(stripped.view.reader("a").open(member)), Unreadable)
        self.assertIn("video/mp4", str(failure.value))
