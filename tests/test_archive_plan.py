"""
Tests of how an album is laid out, and of what is remembered of it.
"""

from __future__ import annotations

from collections.abc import Collection
from random import Random
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from fileserve.archive import plan as plan_module
from fileserve.archive.plan import NoSuchMember, Plan, Planner
from fileserve.catalogue.interfaces import CatalogueUnavailable, Crcs
from fileserve.catalogue.memory import MemoryFacts
from fileserve.storage.errors import NoSuchAlbum, Unreadable
from fileserve.storage.interfaces import Folder, Listing, Member
from fileserve.storage.memory import MemoryStore

from .support import ByHand, at_once

_NAMES = st.lists(st.sampled_from([b"a", b"A", b"b.jpg", b"c?", b"c_"]), min_size=1, max_size=3).map(
    b"/".join
)
_NUMBERS = st.sampled_from([0, 1, 2, 10, 12, 2_000_000_000_000_000_000])
_MEMBERS = st.builds(Member, _NAMES, _NUMBERS, _NUMBERS, st.tuples(_NUMBERS, _NUMBERS))
_LISTINGS = st.lists(_MEMBERS, max_size=5, unique_by=lambda member: member.path)


def album(*members: Member, folders: Collection[Folder] = (), changed_ns: int = 0) -> Listing:
    return Listing(list(members), list(folders), changed_ns)


def one(
    path: bytes = b"1.jpg", size: int = 10, mtime_ns: int = 5, ctime_ns: int = 6, inode: int = 7
) -> Member:
    return Member(path, size, mtime_ns, (ctime_ns, inode))


class Albums(MemoryStore):
    """
    A store that lists what the test says.
    """

    def __init__(self, **listings: Listing) -> None:
        super().__init__()
        self.listings = listings
        self.error: Exception | None = None

    def list(self, album: str) -> Deferred[Listing]:
        if self.error is not None:
            return fail(self.error)
        if album not in self.listings:
            return fail(NoSuchAlbum("no such album"))
        # Never the same object twice, as from a disk.
        listing = self.listings[album]
        return succeed(Listing(list(listing.members), list(listing.empty_folders), listing.changed_ns))


class CountingFacts(MemoryFacts):
    """
    A catalogue that tells what it was asked, and may be down.
    """

    def __init__(self) -> None:
        super().__init__()
        self.recalled: list[str] = []
        self.forgotten: list[str] = []
        self.error: Exception | None = None

    def recall(self, album: str) -> Deferred[Crcs]:
        self.recalled.append(album)
        return fail(self.error) if self.error else super().recall(album)

    def forget(self, album: str, keep: Collection[bytes]) -> Deferred[int]:
        self.forgotten.append(album)
        return fail(self.error) if self.error else super().forget(album, keep)


class PlanningCase(SynchronousTestCase):
    """Albums, a catalogue and a planner."""

    def setUp(self) -> None:
        self.facts = CountingFacts()
        self.store = Albums()
        self.planner = Planner(self.store, self.facts, at_once)

    def plan(self, name: str = "album", paths: Collection[bytes] = ()) -> Plan:
        return self.successResultOf(Deferred.fromCoroutine(self.planner.plan(name, paths)))

    def plan_of(self, listing: Listing) -> Plan:
        self.store.listings["album"] = listing
        return self.plan()

    def refused(self, name: str, error: type[Exception], paths: Collection[bytes] = ()) -> Any:
        return self.failureResultOf(Deferred.fromCoroutine(self.planner.plan(name, paths)), error).value


class LayingOutTests(PlanningCase):
    """What a plan says."""

    def test_entries(self) -> None:
        """Every member and every empty folder is an entry, in the order of its whole name as bytes."""
        members = [one(b"b"), one(b"a/z"), one(b"a.jpg"), one("\u00e9".encode())]
        plan = self.plan_of(album(*members, folders=[Folder(b"a/empty", 3)]))
        names = [entry.name for entry in plan.layout.entries]
        self.assertEqual(names, [b"a.jpg", b"a/empty/", b"a/z", b"b", "\u00e9".encode()])
        self.assertEqual(names, sorted(names))
        self.assertEqual(
            [m and m.path for m in plan.members], [b"a.jpg", None, b"a/z", b"b", "\u00e9".encode()]
        )

    def test_what_entries_say(self) -> None:
        """An entry has its member's size and time; a folder its own time and no size."""
        plan = self.plan_of(album(one(b"a", 99, 77), folders=[Folder(b"b", 3)]))
        self.assertEqual(
            [(e.name, e.size, e.mtime_ns) for e in plan.layout.entries], [(b"a", 99, 77), (b"b/", 0, 3)]
        )

    def test_made_in_a_thread(self) -> None:
        """The laying out of an album is left to a thread; nothing else waits for one."""
        threads = ByHand()
        self.store.listings["album"] = album(one())
        planning = Deferred.fromCoroutine(Planner(self.store, self.facts, threads).plan("album"))
        self.assertNoResult(planning)
        threads.run()
        self.assertEqual(self.successResultOf(planning).album, "album")

    def test_last_modified(self) -> None:
        """An archive was modified when anything in its album changed: whole seconds, rounded down."""
        self.assertEqual(self.plan_of(album(one(), changed_ns=1_999_999_999)).last_modified, 1)
        self.assertEqual(self.plan_of(album(one(), changed_ns=2_000_000_000)).last_modified, 2)

    def test_no_album(self) -> None:
        """What the store says of an album that is not there, or can't be read, is passed on."""
        self.refused("nothing", NoSuchAlbum)
        self.store.error = Unreadable(b"1.jpg", "permission denied")
        self.refused("album", Unreadable)


class EntityTagTests(PlanningCase):
    """The entity-tag stands for the bytes."""

    def etag(self, listing: Listing) -> bytes:
        return self.plan_of(listing).etag

    def test_form(self) -> None:
        """It is a strong one: quoted, without ``W/``, of characters that need no escape."""
        self.assertRegex(self.etag(album(one())), rb'\A"[0-9a-f]{32}"\Z')

    def test_every_change(self) -> None:
        """It changes with every kind of change that an album can undergo."""
        listings = {
            "as it was": album(one()),
            "nothing": album(),
            "renamed": album(one(b"2.jpg")),
            "moved": album(one(b"a/1.jpg")),
            "other size": album(one(size=11)),
            "other time": album(one(mtime_ns=50)),
            "other change time": album(one(ctime_ns=50)),
            "other inode": album(one(inode=50)),
            "one more": album(one(), one(b"2.jpg")),
            "one hidden among names": album(one(b"1.jpg "), one(b"1.jpg")),
            "folder": album(one(), folders=[Folder(b"a", 1)]),
            "older folder": album(one(), folders=[Folder(b"a", 0)]),
            "other folder": album(one(), folders=[Folder(b"b", 1)]),
        }
        tags = {self.etag(listing): what for what, listing in listings.items()}
        self.assertEqual(len(tags), len(listings))

    @given(_LISTINGS, _LISTINGS)
    def test_equal_only_for_equal_members(self, some: list[Member], others: list[Member]) -> None:
        """Two albums have one tag exactly where they have the same members."""
        self.setUp()
        self.assertEqual(self.etag(album(*some)) == self.etag(album(*others)), sorted(some) == sorted(others))

    @given(_LISTINGS, st.randoms(use_true_random=False))
    def test_neither_order_nor_memory(self, members: list[Member], random: Random) -> None:
        """It depends on the members alone: not on their order, the catalogue, or what was served before."""
        self.setUp()
        before = self.plan_of(album(*members))
        random.shuffle(members)
        self.facts.remember("album", [(member.path, member.version, 5) for member in members[::2]])
        self.planner = Planner(self.store, self.facts, at_once)  # a restart
        after = self.plan_of(album(*members, changed_ns=1))
        self.assertEqual((before.etag, before.layout.length), (after.etag, after.layout.length))
        self.assertEqual(before.layout.entries, after.layout.entries)


class PickingTests(PlanningCase):
    """An archive of some members."""

    def setUp(self) -> None:
        super().setUp()
        members = [one(b"IMG.jpg"), one(b"img.jpg"), one(b"a/1.jpg", 20), one(b"2.jpg")]
        self.whole = self.plan_of(album(*members, folders=[Folder(b"empty", 1)]))

    def names(self, paths: Collection[bytes]) -> list[bytes]:
        return [entry.name for entry in self.plan(paths=paths).layout.entries]

    def test_picked(self) -> None:
        """Only the members that are named, each once, in the order of names."""
        self.assertEqual(self.names([b"a/1.jpg", b"2.jpg", b"a/1.jpg"]), [b"2.jpg", b"a/1.jpg"])

    def test_same_names(self) -> None:
        """A member has the name that it has in the whole archive, and so never that of another."""
        name = {member.path: entry.name for entry, member in self.pairs()}
        for path in (b"IMG.jpg", b"img.jpg"):
            self.assertEqual(self.names([path]), [name[path]])
        self.assertNotEqual(name[b"IMG.jpg"].lower(), name[b"img.jpg"].lower())

    def pairs(self) -> list[tuple[Any, Member]]:
        members = self.whole.members
        return [(e, m) for e, m in zip(self.whole.layout.entries, members, strict=True) if m is not None]

    def test_unknown(self) -> None:
        """A path that is no member's is refused, even beside one that is; so is a folder's."""
        for paths in (
            [b"3.jpg"],
            [b"2.jpg", b"3.jpg"],
            [b"a"],
            [b"a/"],
            [b"empty"],
            [b"empty/"],
            [b"IMG.JPG"],
        ):
            self.refused("album", NoSuchMember, paths)

    def test_tags(self) -> None:
        """Every choice has a tag of its own, the same in any order; all members are not the whole album."""
        everything = [member.path for _, member in self.pairs()]
        tags = {self.plan(paths=paths).etag for paths in ([b"2.jpg"], [b"IMG.jpg"], everything)}
        self.assertEqual(len(tags | {self.whole.etag}), 4)
        self.assertEqual(self.plan(paths=everything).etag, self.plan(paths=everything[::-1]).etag)

    def test_shares_checksums(self) -> None:
        """What is found for a choice is known for the whole."""
        picked = self.plan(paths=[b"2.jpg"])
        member = next(member for member in picked.members if member is not None)
        picked.checksums.note(member, b"0123456789")
        self.assertIsNotNone(self.whole.checksums.get(member))

    def test_last_modified(self) -> None:
        """A choice was modified when its album was."""
        self.whole = self.plan_of(evolve(self.whole.listing, changed_ns=9_000_000_000))
        self.assertEqual(self.plan(paths=[b"2.jpg"]).last_modified, 9)

    def test_in_a_thread(self) -> None:
        """Picking is left to a thread."""
        threads = ByHand()
        planner = Planner(self.store, self.facts, threads)
        whole = Deferred.fromCoroutine(planner.plan("album"))
        threads.run()
        self.successResultOf(whole)
        picking = Deferred.fromCoroutine(planner.plan("album", [b"2.jpg"]))
        self.assertEqual(len(threads), 1)
        threads.run()
        self.assertEqual(len(self.successResultOf(picking).members), 1)


class RememberingTests(PlanningCase):
    """Plans that need not be made again."""

    def test_as_long_as_nothing_changes(self) -> None:
        """While the listing is equal, it is the same plan, and the catalogue is asked once."""
        plan = self.plan_of(album(one(), changed_ns=1))
        self.assertIs(self.plan_of(album(one(), changed_ns=1)), plan)
        self.assertEqual(self.facts.recalled, ["album"])

    def test_listed_each_time(self) -> None:
        """Any change in the listing makes another plan."""
        listings = [
            album(one()),
            album(one(), changed_ns=1),
            album(one(), folders=[Folder(b"a", 1)]),
            album(one(ctime_ns=50)),
            album(),
        ]
        plans = [self.plan_of(listing) for listing in listings]
        self.assertEqual(len({id(plan) for plan in plans}), len(listings))

    def test_what_is_still_true_counts(self) -> None:
        """A plan made again knows the checksums that were kept of members that did not change."""
        plan = self.plan_of(album(one(), one(b"2.jpg")))
        plan.checksums.note(one(), b"0123456789")
        self.successResultOf(plan.checksums.save())
        again = self.plan_of(album(one(), one(b"2.jpg", size=3)))
        self.assertEqual(again.checksums.get(one()), plan.checksums.get(one()))

    def test_two_at_once(self) -> None:
        """Two requests that come at once for an album get one plan, and so share the checksums."""
        threads = ByHand()
        planner = Planner(self.store, self.facts, threads)
        self.store.listings["album"] = album(one())
        both = [Deferred.fromCoroutine(planner.plan("album")) for _ in range(2)]
        threads.run()
        self.assertIs(*map(self.successResultOf, both))

    def test_bound(self) -> None:
        """Only so many members are remembered: those of the album asked for longest ago go first."""
        # The bound as it is would need 100,000 members.
        self.patch(plan_module, "_REMEMBERED_MEMBERS", 100)
        members = [one(b"%d" % number) for number in range(40)]
        for name in ("first", "second"):
            self.store.listings[name] = album(*members)
        first, second = self.plan("first"), self.plan("second")
        self.assertIs(self.plan("first"), first)
        self.store.listings["third"] = album(*members)
        third = self.plan("third")
        self.assertIs(self.plan("first"), first)
        self.assertIs(self.plan("third"), third)
        self.assertIsNot(self.plan("second"), second)

    def test_too_large_to_remember(self) -> None:
        """An album larger than the bound is planned each time, and is no reason to fail."""
        self.patch(plan_module, "_REMEMBERED_MEMBERS", 1)
        listing = album(one(), one(b"2.jpg"))
        self.assertIsNot(self.plan_of(listing), self.plan_of(listing))

    def test_small_albums_count_too(self) -> None:
        """A plan takes room even without members: empty albums without end are not all remembered."""
        self.patch(plan_module, "_REMEMBERED_MEMBERS", 100)
        self.store.listings = {f"album{number}": album() for number in range(101)}
        plans = {name: self.plan(name) for name in self.store.listings}
        self.assertIsNot(self.plan("album0"), plans["album0"])

    def test_gone(self) -> None:
        """An album that is gone is forgotten, once, here and in the catalogue; a wrong name asks nobody."""
        self.facts.remember("album", [(b"1.jpg", one().version, 5)])
        plan = self.plan_of(album(one()))
        listing = self.store.listings.pop("album")
        self.refused("album", NoSuchAlbum)
        self.refused("album", NoSuchAlbum)
        self.refused("wrong", NoSuchAlbum)
        self.assertEqual(self.facts.forgotten, ["album"])
        self.assertIsNot(self.plan_of(listing), plan)


class CatalogueDownTests(PlanningCase):
    """A catalogue that does not answer."""

    def setUp(self) -> None:
        super().setUp()
        self.facts.error = CatalogueUnavailable("catalogue.sqlite", "it is locked")

    def test_nothing_known(self) -> None:
        """An album is planned as if nothing were known of it, and the log says why."""
        with capturedLogs() as logs:
            plan = self.plan_of(album(one()))
        self.assertIsNone(plan.checksums.get(one()))
        self.assertIn("it is locked", str(logs[0]["reason"]))

    def test_cannot_forget(self) -> None:
        """An album that is gone is gone, whether its facts could be forgotten or not."""
        with capturedLogs() as logs:
            self.plan_of(album(one()))
            del self.store.listings["album"]
            self.refused("album", NoSuchAlbum)
        self.assertEqual(len(logs), 2)
