"""
Tests of the order of albums: on real folders, and over a store that can't tell changes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from fileserve.gallery.order import PAGE, AlbumPage, NoSuchPage, Order, _newest_first
from fileserve.storage.disk import DiskStore
from fileserve.storage.errors import NoSuchAlbum, StoreUnavailable
from fileserve.storage.interfaces import Listing, Member
from fileserve.storage.memory import MemoryStore
from tests.support import ByHand, at_once, write_album

Threads = Callable[..., Deferred[Any]]


class CountingStore(DiskStore):
    """
    A store on a disk that counts how often it lists and looks; it lists by a thread of its own.
    """

    def __init__(self, root: Path, threads: Threads) -> None:
        super().__init__(str(root), at_once)
        self.threads = threads
        self.listed: list[str] = []
        self.looked: list[bytes] = []

    def list(self, album: str) -> Deferred[Listing]:
        self.listed.append(album)
        waiting: Deferred[Listing] = self.threads(super().list, album)
        return waiting

    def stat(self, album: str, path: bytes) -> Deferred[Member]:
        self.looked.append(path)
        return super().stat(album, path)


class OrderCase(SynchronousTestCase):
    """
    An album on a disk, and its order.
    """

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.root.mkdir()
        self.clock = Clock()
        self.store = CountingStore(self.root, at_once)
        self.order = Order(self.store, at_once, self.clock.seconds)

    def write(self, path: str, seconds: int, data: bytes = b"", album: str = "album") -> None:
        write_album(self.root, album, {path: data})
        os.utime(self.root / album / path, (seconds, seconds))

    def begin(self, number: int = 1, album: str = "album") -> Deferred[AlbumPage]:
        return Deferred.fromCoroutine(self.order.page(album, number))

    def page(self, number: int = 1, album: str = "album") -> AlbumPage:
        return self.successResultOf(self.begin(number, album))

    def paths(self, number: int = 1) -> list[bytes]:
        return [member.path for member in self.page(number).members]

    def members(self, album: str = "album") -> Any:
        return self.successResultOf(Deferred.fromCoroutine(self.order.members(album)))


class PageTests(OrderCase):
    """What stands on a page."""

    def test_newest_first(self) -> None:
        """The newest member is the first, at whatever depth; of one time the names count, as bytes."""
        for path, seconds in (("b", 2), ("a", 2), ("z/old", 1), ("z/new", 3), ("\u00e9", 2), ("B", 2)):
            self.write(path, seconds)
        expected = [b"z/new", b"B", b"a", b"b", "\u00e9".encode(), b"z/old"]
        self.assertEqual(self.paths(), expected)
        self.assertEqual([member.path for member in self.members()], expected)

    @given(st.lists(st.builds(Member, st.binary(), st.just(0), st.integers(-3, 3), st.just("")), max_size=9))
    def test_order(self, members: list[Member]) -> None:
        """It is the order by falling time, then by path, of whatever members."""
        expected = sorted(members, key=lambda member: (-member.mtime_ns, member.path))
        self.assertEqual(_newest_first(members, ()), expected)

    def test_pages(self) -> None:
        """Each page has 48 but the last one, and together they are all; each says what there is."""
        for number in range(PAGE + 2):
            self.write(f"{number:03}", number)
        first, second = self.page(), self.page(2)
        names = [member.path for member in (*first.members, *second.members)]
        self.assertEqual(names, [b"%03d" % number for number in range(PAGE + 1, -1, -1)])
        self.assertEqual((len(first.members), len(second.members)), (48, 2))
        for number, page in ((1, first), (2, second)):
            self.assertEqual((page.number, page.pages, page.total), (number, 2, PAGE + 2))
            self.assertIs(page.album, self.members())

    def test_full_page(self) -> None:
        """As many members as a page has are one page."""
        for number in range(PAGE):
            self.write(f"{number:03}", number)
        self.assertEqual((self.page().pages, len(self.page().members)), (1, PAGE))

    def test_no_such_page(self) -> None:
        """There is no page 0, none before, and none after the last one."""
        self.write("a", 1)
        for number in (0, -1, 2, 10**30):
            self.failureResultOf(self.begin(number), NoSuchPage)

    def test_empty(self) -> None:
        """An album without members has one page, without members."""
        write_album(self.root, "album", {"folder/": b""})
        page = self.page()
        self.assertEqual((list(page.members), page.number, page.pages, page.total), ([], 1, 1, 0))
        self.failureResultOf(self.begin(2), NoSuchPage)

    def test_no_album(self) -> None:
        """An album that is not there, or no more, has no pages."""
        self.failureResultOf(self.begin(), NoSuchAlbum)
        self.write("a", 1)
        self.page()
        rmtree(self.root / "album")
        self.failureResultOf(self.begin(), NoSuchAlbum)
        self.failureResultOf(Deferred.fromCoroutine(self.order.members("album")), NoSuchAlbum)
        self.write("a", 1)
        self.assertEqual(self.paths(), [b"a"])


class RememberingTests(OrderCase):
    """Albums are listed again only when something came or went, or after a while."""

    def test_remembered(self) -> None:
        """As long as nothing comes or goes an album is listed once; only the page is looked at anew."""
        for number in range(PAGE + 2):
            self.write(f"{number:03}", number)
        self.page()
        self.assertEqual(self.store.looked, [])
        members = self.members()
        self.page(2)
        self.assertEqual((self.store.listed, self.store.looked), (["album"], [b"001", b"000"]))
        self.assertIs(self.members(), members)

    def test_comes_and_goes(self) -> None:
        """What comes, at any depth, is there at the next look; what goes is not."""
        self.write("a", 1)
        self.page()
        self.write("folder/b", 2)
        self.assertEqual(self.paths(), [b"folder/b", b"a"])
        self.write("folder/c", 3)
        self.assertEqual([member.path for member in self.members()], [b"folder/c", b"folder/b", b"a"])
        (self.root / "album/folder/b").unlink()
        self.assertEqual(self.paths(), [b"folder/c", b"a"])

    def test_changed_in_place(self) -> None:
        """A file that was changed in place is told as it is now; after ten seconds it finds its place."""
        for path, seconds in (("a", 1), ("b", 2)):
            self.write(path, seconds)
        self.page()
        with (self.root / "album/a").open("wb") as file:
            file.write(b"changed")
        os.utime(self.root / "album/a", (3, 3))
        for seconds, expected in ((10, [b"b", b"a"]), (1, [b"b", b"a"]), (0, [b"a", b"b"])):
            self.clock.advance(seconds)
            page = self.page()
            self.assertEqual([member.path for member in page.members], expected)
            self.assertEqual(sorted(member.size for member in page.members), [0, 7])
        self.assertEqual(self.store.listed, ["album"] * 2)
        self.assertEqual([member.size for member in self.members()], [7, 0])

    def test_nothing_changed(self) -> None:
        """An album that is listed again and is the same keeps its members, so that others know them."""
        self.write("a", 1)
        members = self.members()
        self.clock.advance(11)
        self.page()
        self.assertEqual(len(self.store.listed), 2)
        self.assertIs(self.members(), members)

    def test_vanishes_now(self) -> None:
        """A member that goes between the look at the folders and that at it is left out."""
        self.write("a", 1)
        self.write("b", 2)
        self.page()
        same = self.store.same_entries

        def then_vanish(album: str, listing: Listing) -> Deferred[bool]:
            result = same(album, listing)
            (self.root / "album/a").unlink()
            return result

        # There is no other way to get between the two.
        self.patch(self.store, "same_entries", then_vanish)
        page = self.page()
        self.assertEqual(([member.path for member in page.members], page.total), ([b"b"], 2))

    def test_bounded(self) -> None:
        """So many members are remembered in all: albums that were not asked for longest are forgotten."""
        self.order = Order(self.store, at_once, self.clock.seconds, remembered=5)
        for album, count in (("one", 2), ("two", 2), ("three", 2), ("large", 6)):
            for number in range(count):
                self.write(f"{number}", number, album=album)
        for album in ("one", "two", "one", "three", "one", "two", "large", "large"):
            self.page(album=album)
        self.assertEqual(self.store.listed, ["one", "two", "three", "two", "large", "large"])
        self.assertEqual((self.order._weight, list(self.order._remembered)), (4, ["one", "two"]))

    def test_failing_store(self) -> None:
        """A store that is away while a page is looked at or an album listed is told; then it comes right."""
        self.write("a", 1)
        self.page()
        self.patch(self.store, "stat", lambda *_: fail(StoreUnavailable("away")))
        self.failureResultOf(self.begin(), StoreUnavailable)
        del self.store.stat
        self.write("b", 2)
        self.store.threads = lambda *_: fail(StoreUnavailable("away"))
        self.failureResultOf(self.begin(), StoreUnavailable)
        self.store.threads = at_once
        self.assertEqual(self.paths(), [b"b", b"a"])

    def test_renewing_fails(self) -> None:
        """When listing again in the background fails nobody is told; the next one sees for himself."""
        self.write("a", 1)
        self.page()
        self.clock.advance(11)
        self.store.threads = lambda *_: fail(StoreUnavailable("away"))
        self.assertEqual(self.paths(), [b"a"])
        self.store.threads = at_once
        self.assertEqual(self.paths(), [b"a"])
        self.store.threads = lambda *_: fail(ZeroDivisionError())
        self.clock.advance(11)
        self.assertEqual(self.paths(), [b"a"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class AtOnceTests(OrderCase):
    """Several who ask for one album at the same time."""

    def setUp(self) -> None:
        super().setUp()
        self.threads = ByHand()
        self.store.threads = self.threads

    def test_shared(self) -> None:
        """Who comes while an album is being listed waits for one that begins later, with all others."""
        self.write("a", 1)
        first = self.begin()
        others = [self.begin() for _ in range(5)]
        self.assertEqual(len(self.threads), 1)
        self.threads.step()
        self.assertEqual(len(self.successResultOf(first).members), 1)
        self.threads.run()
        self.assertEqual([self.successResultOf(other).total for other in others], [1] * 5)

    def test_not_older_than_the_question(self) -> None:
        """A listing that began before a file was stored is not shown to who stored it."""
        self.write("a", 1)
        running: list[Listing] = []
        listing = Deferred[Listing]()
        self.store.threads = lambda work, album: work(album).addCallback(running.append) and listing
        first = self.begin()
        self.store.threads = at_once
        self.write("b", 2)
        second = self.begin()
        self.assertNoResult(second)
        listing.callback(running[0])
        self.assertEqual(self.successResultOf(first).total, 1)
        self.assertEqual(self.successResultOf(second).total, 2)

    def test_failure_of_another(self) -> None:
        """That the album was not there when an earlier listing began is not told to who came later."""
        first = self.begin()
        second = self.begin()
        self.threads.step()
        self.failureResultOf(first, NoSuchAlbum)
        self.write("a", 1)
        self.threads.run()
        self.assertEqual(self.successResultOf(second).total, 1)

    def test_leaving(self) -> None:
        """Who leaves does not take the listing away from the others, and what comes of it is remembered."""
        self.write("a", 1)
        first = self.begin()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.threads.run()
        self.assertEqual(self.page().total, 1)
        self.assertEqual(len(self.store.listed), 1)

    def test_leaving_while_an_earlier_one_lasts(self) -> None:
        """Who came when an earlier listing was under way, and leaves, has the album not listed again."""
        first = self.begin()
        second = self.begin()
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.threads.run()
        self.failureResultOf(first, NoSuchAlbum)
        self.assertEqual(len(self.store.listed), 1)

    def test_leaving_before_it_begins(self) -> None:
        """Of a listing that only waits for its turn nothing is left when nobody waits for it any more."""
        slow = [self.begin(album=album) for album in ("one", "two")]
        staying = self.begin(album="four")
        leaving = [self.begin(album=album) for album in ("three", "three", "four")]
        for each in leaving:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        self.threads.run()
        self.assertEqual(self.store.listed, ["one", "two", "four"])
        for each in (*slow, staying):
            self.failureResultOf(each, NoSuchAlbum)
        self.assertEqual(self.order._runs, {})

    def test_coming_after_all_left(self) -> None:
        """Who comes after all others left has the album listed."""
        self.write("a", 1)
        slow = [self.begin(album=album) for album in ("one", "two")]
        self.begin().addErrback(lambda _: None).cancel()
        page = self.begin()
        self.threads.run()
        self.assertEqual(self.successResultOf(page).total, 1)
        for each in slow:
            self.failureResultOf(each, NoSuchAlbum)

    def test_answers_before_it_renews(self) -> None:
        """An old listing is renewed in the background, once: no page waits for it."""
        self.write("a", 1)
        first = self.begin()
        self.threads.run()
        self.successResultOf(first)
        self.clock.advance(11)
        self.assertEqual([self.page().total, self.page().total], [1, 1])
        self.assertEqual(len(self.threads), 1)
        self.threads.run()
        self.page()
        self.assertEqual(len(self.threads), 0)

    def test_two_albums_at_once(self) -> None:
        """Two albums are listed at once, and no more: each takes memory."""
        for album in ("one", "two", "three"):
            self.write("a", 1, album=album)
        pages = [self.begin(album=album) for album in ("one", "two", "three")]
        self.assertEqual(len(self.threads), 2)
        self.threads.run()
        self.assertEqual([self.successResultOf(page).total for page in pages], [1] * 3)


class ForgetfulTests(SynchronousTestCase):
    """A store that can't tell changes is asked each time."""

    def test_listed_each_time(self) -> None:
        """Whatever happens in such a store shows at once, and no member is looked at twice for it."""
        store = MemoryStore()
        order = Order(store, at_once, Clock().seconds)
        self.patch(store, "stat", lambda *_: self.fail("looked at again"))
        for number in range(3):
            store.put("album", b"%d" % number, b"")
            page = self.successResultOf(Deferred.fromCoroutine(order.page("album", 1)))
            self.assertEqual((page.total, page.members[0].path), (number + 1, b"%d" % number))
