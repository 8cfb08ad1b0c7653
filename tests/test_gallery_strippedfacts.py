"""
Facts of members without their location.
"""

from __future__ import annotations

from collections.abc import Collection

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from fileserve.catalogue.interfaces import IFacts, MemberFacts
from fileserve.catalogue.memory import MemoryFacts
from fileserve.catalogue.sweeping import forget_gone
from fileserve.gallery.strippedfacts import FactsWithoutLocation
from tests.support import deferred


class FactsTests(SynchronousTestCase):
    """`FactsWithoutLocation`."""

    def setUp(self) -> None:
        self.all = MemoryFacts()
        self.facts = FactsWithoutLocation(self.all)

    def test_interface(self) -> None:
        """It is what it says."""
        self.assertTrue(verifyObject(IFacts, self.facts))

    def test_apart(self) -> None:
        """What is kept here is found here, and says nothing of the members as they are; nor the other way."""
        self.successResultOf(self.facts.remember("a", [(b"1", "v", 11)]))
        self.successResultOf(self.facts.know("a", b"2", "w", MemberFacts(22, media_type="image/png")))
        self.successResultOf(self.all.remember("a", [(b"1", "v", 33)]))
        self.assertEqual(self.successResultOf(self.facts.recall("a")), {(b"1", "v"): 11, (b"2", "w"): 22})
        self.assertEqual(self.successResultOf(self.all.recall("a")), {(b"1", "v"): 33})
        described = self.successResultOf(self.facts.describe("a", [b"2"]))
        self.assertEqual(described[b"2", "w"].media_type, "image/png")
        self.assertEqual(self.successResultOf(self.facts.albums()), ["a"])

    def test_forgotten(self) -> None:
        """What is forgotten here is forgotten here alone."""
        for facts in (self.facts, self.all):
            self.successResultOf(facts.remember("a", [(b"1", "v", 1), (b"2", "v", 2)]))
        self.successResultOf(self.facts.discard("a", b"1"))
        self.assertEqual(self.successResultOf(self.facts.recall("a")), {(b"2", "v"): 2})
        self.assertEqual(self.successResultOf(self.facts.forget("a", ())), 1)
        self.assertEqual(len(self.successResultOf(self.all.recall("a"))), 2)

    def test_swept(self) -> None:
        """The sweep forgets it with the album, and not before."""

        async def exists(albums: Collection[str]) -> Collection[str]:
            return {"b"}.intersection(albums)

        for album in "ab":
            self.successResultOf(self.facts.remember(album, [(b"1", "v", 1)]))
        self.assertEqual(self.successResultOf(deferred(forget_gone(self.all, exists))), 1)
        self.assertEqual(self.successResultOf(self.facts.albums()), ["b"])
