"""
The sweep of facts about albums that are gone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from fileserve.catalogue.interfaces import CatalogueUnavailable
from fileserve.catalogue.memory import MemoryFacts
from fileserve.catalogue.sweeping import forget_gone


class Store:
    """What tells which albums exist; it answers when the test says so, if told."""

    def __init__(self, albums: Collection[str]) -> None:
        self.albums = frozenset(albums)
        self.asked: list[Sequence[str]] = []
        self.waits: Deferred[None] | None = None

    async def exists(self, albums: Sequence[str]) -> Collection[str]:
        self.asked.append(albums)
        if self.waits is not None:
            await self.waits
        return self.albums.intersection(albums)


class SlowFacts(MemoryFacts):
    """Facts that are forgotten when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.forgetting: list[tuple[str, Deferred[int]]] = []

    def forget(self, album: str, keep: Collection[bytes]) -> Deferred[int]:
        waiting: Deferred[int] = Deferred()
        self.forgetting.append((album, waiting))
        return waiting.addCallback(lambda _: super(SlowFacts, self).forget(album, keep))


class ForgetGoneTests(SynchronousTestCase):
    """`forget_gone`."""

    def setUp(self) -> None:
        self.facts = MemoryFacts()
        self.remember(self.facts)

    def remember(self, facts: MemoryFacts, names: Collection[str] = "abcde") -> None:
        for name in names:
            self.successResultOf(facts.remember(name, [(b"1", "v", 1)]))

    def sweep(self, store: Store, facts: MemoryFacts | None = None, portion: int = 2) -> Deferred[int]:
        return Deferred.fromCoroutine(forget_gone(facts or self.facts, store.exists, portion))

    def left(self) -> Sequence[str]:
        return self.successResultOf(self.facts.albums())

    def test_forgets(self) -> None:
        """Albums that the store has not are forgotten; the others keep what is known of them."""
        self.assertEqual(self.successResultOf(self.sweep(Store("bdx"))), 3)
        self.assertEqual(self.left(), ["b", "d"])
        self.assertEqual(self.successResultOf(self.facts.recall("b")), {(b"1", "v"): 1})

    def test_portions(self) -> None:
        """The store is asked for each album once, for so many at once."""
        store = Store("abcde")
        self.assertEqual(self.successResultOf(self.sweep(store)), 0)
        self.assertEqual(store.asked, [["a", "b"], ["c", "d"], ["e"]])

    def test_ways_of_looking(self) -> None:
        """What is remembered of some view of an album goes when the album itself goes, and not before."""
        facts = MemoryFacts()
        self.remember(facts, ["a", "a?location=strip", "b", "b?location=strip"])
        store = Store("b")
        self.assertEqual(self.successResultOf(self.sweep(store, facts, portion=4)), 2)
        self.assertEqual(self.successResultOf(facts.albums()), ["b", "b?location=strip"])
        self.assertEqual(store.asked, [["a", "a", "b", "b"]])

    def test_nothing_known(self) -> None:
        """Where nothing is remembered, nobody is asked."""
        store = Store("")
        self.assertEqual(self.successResultOf(self.sweep(store, MemoryFacts())), 0)
        self.assertEqual(store.asked, [])

    def test_one_after_the_other(self) -> None:
        """One album is forgotten at a time, and the next portion is asked for after that."""
        facts = SlowFacts()
        self.remember(facts)
        store = Store("")
        swept = self.sweep(store, facts)
        for number, name in enumerate("abcde"):
            self.assertEqual(len(store.asked), 1 + number // 2)
            ((album, waiting),) = facts.forgetting
            self.assertEqual(album, name)
            facts.forgetting.clear()
            waiting.callback(0)
        self.assertEqual(self.successResultOf(swept), 5)

    def test_cancelled(self) -> None:
        """Cancelled, it ends: nothing more is asked or forgotten."""
        store = Store("")
        store.waits = Deferred()
        swept = self.sweep(store)
        swept.cancel()
        self.failureResultOf(swept, CancelledError)
        self.assertEqual((len(store.asked), self.left()), (1, list("abcde")))

    def test_store_fails(self) -> None:
        """When the store can't tell, nothing is forgotten, and the reason comes out."""
        store = Store("")
        store.waits = fail(OSError("away"))
        self.failureResultOf(self.sweep(store), OSError)
        self.assertEqual(self.left(), list("abcde"))

    def test_catalogue_fails(self) -> None:
        """When the catalogue can't be asked, that comes out."""
        facts = SlowFacts()
        self.remember(facts)
        swept = self.sweep(Store(""), facts)
        facts.forgetting[0][1].errback(CatalogueUnavailable("c", "away"))
        self.failureResultOf(swept, CatalogueUnavailable)
        self.assertEqual(len(facts.forgetting), 1)
