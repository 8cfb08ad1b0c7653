"""
Tests of noticing what is in albums: on a disk and in memory, with a fake workshop, once with the real one.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, cast

from PIL import ExifTags, Image
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from fileserve.catalogue.interfaces import CatalogueUnavailable
from fileserve.catalogue.memory import MemoryFacts
from fileserve.catalogue.memorypictures import MemoryPictures
from fileserve.catalogue.pictureinterfaces import Seen
from fileserve.gallery.descriptors import Descriptors, NoCopy
from fileserve.gallery.heads import BATCH, Heads
from fileserve.gallery.noticing import Noticing
from fileserve.pictures.facts import PictureFacts
from fileserve.pictures.workshop import Busy, NoWorkers, Workshop
from fileserve.storage.disk import DiskStore
from fileserve.storage.diskreader import DiskReader
from fileserve.storage.errors import StoreUnavailable
from fileserve.storage.interfaces import IFileStore, Listing, Member
from fileserve.storage.memory import MemoryStore
from fileserve.threads import Threads
from tests.support import at_once, open_descriptors, until, write_album

#: The beginning of a JPEG file, as far as its kind goes.
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00"


def facts_of(data: bytes) -> PictureFacts:
    """What the workshop here sees in a file: its length."""
    return PictureFacts("image/jpeg", len(data))


class FakeWorkshop:
    """
    Sees the length of each file, at once or when the test says so.

    :ivar looked: what was in the files of each batch.
    """

    def __init__(self) -> None:
        self.looked: list[list[bytes]] = []
        self.refusals: list[Exception] = []
        self.by_hand = False
        self.waiting: list[tuple[Deferred[list[PictureFacts]], list[PictureFacts]]] = []

    def look(self, files: Sequence[tuple[int, str]], urgent: bool = True) -> Deferred[list[PictureFacts]]:
        assert not urgent
        assert 0 < len(files) <= 16
        assert {kind for _, kind in files} == {"image/jpeg"}
        if self.refusals:
            return fail(self.refusals.pop(0))
        # Now, because the descriptors are the caller's.
        datas = [os.pread(descriptor, 1_000_000, 0) for descriptor, _ in files]
        self.looked.append(datas)
        found = [facts_of(data) for data in datas]
        if not self.by_hand:
            return succeed(found)
        waiting: Deferred[list[PictureFacts]] = Deferred()
        self.waiting.append((waiting, found))
        return waiting

    def answer(self) -> None:
        """Answer the oldest batch."""
        waiting, found = self.waiting.pop(0)
        waiting.callback(found)

    @property
    def files(self) -> list[bytes]:
        return [data for batch in self.looked for data in batch]


class FakesTests(SynchronousTestCase):
    """The fakes."""

    def test_fakes(self) -> None:
        """What stands here for the workshop is asked as the real one is."""
        self.assertEqual(inspect.signature(FakeWorkshop.look), inspect.signature(Workshop.look))


class BrokenPictures(MemoryPictures):
    """
    A memory that fails where it is told to.
    """

    def __init__(self) -> None:
        super().__init__()
        self.broken: dict[str, Exception] = {}
        self.noted: list[int] = []
        self.asked = 0

    def note(self, album: str, seen: Any) -> Deferred[None]:
        if "note" in self.broken:
            return fail(self.broken["note"])
        seen = list(seen)
        self.noted.append(len(seen))
        return super().note(album, seen)

    def describe(self, album: str, paths: Any) -> Deferred[Seen]:
        return fail(self.broken["describe"]) if "describe" in self.broken else super().describe(album, paths)

    def known(self, album: str) -> Deferred[Any]:
        self.asked += 1
        return fail(self.broken["known"]) if "known" in self.broken else super().known(album)


class NoticingCase(SynchronousTestCase):
    """
    An album, and what notices what is in it.
    """

    def setUp(self) -> None:
        before = open_descriptors()
        self.addCleanup(lambda: self.assertEqual(open_descriptors(), before))
        self.clock = Clock()
        self.workshop = FakeWorkshop()
        self.pictures = BrokenPictures()
        self.facts = MemoryFacts(self.pictures)
        self.store: Any = self.make_store()
        self.noticing = self.make_noticing()
        self.addCleanup(self.noticing.stop)

    def make_store(self) -> IFileStore:
        self.root = Path(self.mktemp())
        self.root.mkdir()
        return DiskStore(str(self.root), at_once)

    def make_noticing(self) -> Noticing:
        descriptors = Descriptors(self.store, self.mktemp(), at_once)
        heads = Heads(self.store, self.workshop, descriptors, at_once, self.clock)
        noticing = Noticing(self.pictures, heads, at_once, self.clock, self.facts.forget)
        noticing.start()
        return noticing

    def put(self, path: bytes, data: bytes = JPEG, album: str = "album") -> Member:
        write_album(self.root, album, {os.fsdecode(path): data})
        member: Member = self.successResultOf(self.store.stat(album, path))
        return member

    def put_many(self, count: int, album: str = "album") -> list[Member]:
        files = [(b"%04d.jpg" % number, JPEG + b"%d" % number) for number in range(count)]
        return [self.put(path, data, album) for path, data in files]

    def members(self) -> list[Member]:
        listing: Listing = self.successResultOf(self.store.list("album"))
        return sorted(listing.members)

    def begin(
        self, members: Sequence[Member] | None = None, everything: Sequence[Member] | None = None
    ) -> Deferred[Seen]:
        everything = self.members() if everything is None else everything
        members = everything[:48] if members is None else members
        return Deferred.fromCoroutine(self.noticing.known("album", members, everything))

    def known(self, *arguments: Sequence[Member]) -> dict[bytes, PictureFacts]:
        return self.plain(self.successResultOf(self.begin(*arguments)))

    def plain(self, seen: Seen) -> dict[bytes, PictureFacts]:
        return {path: facts for (path, _), facts in seen.items()}

    def kept(self) -> set[bytes]:
        return {path for path, _ in self.successResultOf(self.pictures.known("album"))}


class LookingTests(NoticingCase):
    """What is looked at, and how often."""

    def test_pictures(self) -> None:
        """What was seen of a dropped picture is told, and kept; its name does not matter."""
        self.put(b"a/b.txt", JPEG + b"...")
        self.assertEqual(self.known(), {b"a/b.txt": facts_of(JPEG + b"...")})
        kept = self.successResultOf(self.pictures.describe("album", [b"a/b.txt"]))
        self.assertEqual(self.plain(kept), {b"a/b.txt": facts_of(JPEG + b"...")})

    def test_others(self) -> None:
        """Of a file that is no picture its kind is known; no child looks at it, whatever its name."""
        self.put(b"a.jpg", b"Some text.")
        self.put(b"b.jpg", b"")
        self.put(b"c", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
        kinds = {path: facts.media_type for path, facts in self.known().items()}
        expected = {b"a.jpg": "text/plain", b"b.jpg": "application/octet-stream", b"c": "image/svg+xml"}
        self.assertEqual((kinds, self.workshop.looked), (expected, []))

    def test_whole_album(self) -> None:
        """All members are looked at sixteen at once, those of the page first; they are kept in batches."""
        members = self.put_many(500)
        page = members[450:498]
        expected = {member.path: facts_of(JPEG + b"%d" % int(member.path[:4])) for member in page}
        self.assertEqual(self.known(page, members), expected)
        self.assertEqual(sorted(self.workshop.files), sorted(JPEG + b"%d" % number for number in range(500)))
        self.assertEqual(self.workshop.files[:48], [JPEG + b"%d" % number for number in range(450, 498)])
        self.assertLessEqual(max(map(len, self.workshop.looked)), BATCH)
        self.assertLess(len(self.workshop.looked), 36)
        self.assertEqual(len(self.kept()), 500)
        self.assertLess(len(self.pictures.noted), 5)

    def test_once(self) -> None:
        """What is known is not looked at again; an album is compared with the catalogue once a listing."""
        members = self.put_many(20)
        first = self.known(members, members)
        for everything in (members, list(members)):
            self.assertEqual(self.known(members, everything), first)
        self.assertEqual((len(self.workshop.files), self.pictures.asked), (20, 1))

    def test_kept_by_others(self) -> None:
        """What the catalogue knows already is not looked at, after a restart for instance."""
        members = self.put_many(20)
        self.known()
        self.noticing = self.make_noticing()
        self.put(b"new.jpg", JPEG)
        self.assertEqual(len(self.known()), 21)
        self.assertEqual(self.workshop.files[20:], [JPEG])
        self.assertEqual(len(members), 20)

    def test_new_version(self) -> None:
        """A file that was changed is looked at again, also where only its page knows of that."""
        old = self.put(b"a.jpg", JPEG)
        self.known()
        new = self.put(b"a.jpg", JPEG + b"more")
        self.assertEqual(self.known([new], [old]), {b"a.jpg": facts_of(JPEG + b"more")})
        self.assertEqual(self.known([new], [new]), {b"a.jpg": facts_of(JPEG + b"more")})
        self.assertEqual(self.workshop.files, [JPEG, JPEG + b"more"])

    def test_old_version_is_not_told(self) -> None:
        """What was seen of another version is not said of this one."""
        self.put(b"a.jpg", JPEG)
        self.known()
        self.workshop.refusals = [NoWorkers()]
        self.assertEqual(self.known([self.put(b"a.jpg", JPEG + b"more")]), {})

    def test_empty_album(self) -> None:
        """An album without members asks nobody anything."""
        self.assertEqual(self.known([], []), {})
        self.assertEqual(self.pictures.asked, 0)

    def test_forgets_what_is_gone(self) -> None:
        """What is known of members that are gone is dropped when the album is compared next."""
        self.put_many(3)
        self.known()
        self.successResultOf(self.store.delete("album", b"0001.jpg"))
        self.known()
        self.assertEqual(self.kept(), {b"0000.jpg", b"0002.jpg"})

    def test_vanished(self) -> None:
        """What vanished, or is another version by now, is not looked for while the listing is the same."""
        gone, changed, stays = (self.put(name) for name in (b"gone.jpg", b"changed.jpg", b"stays.jpg"))
        self.successResultOf(self.store.delete("album", gone.path))
        self.put(changed.path, JPEG + b"more")
        listing = [gone, changed, stays]
        for _ in range(3):
            self.assertEqual(self.known(listing, listing), {b"stays.jpg": facts_of(JPEG)})
        self.assertEqual((self.workshop.files, self.pictures.asked), ([JPEG], 1))
        self.put(gone.path)
        self.assertEqual(len(self.known()), 3)

    def test_album_gone(self) -> None:
        """An album that is gone meanwhile is no trouble."""
        member = self.put(b"a.jpg")
        self.successResultOf(self.store.delete("album", b"a.jpg"))
        self.assertEqual(self.known([member], [member]), {})


class WaitingTests(NoticingCase):
    """Nobody waits longer than a moment."""

    def setUp(self) -> None:
        super().setUp()
        self.workshop.by_hand = True

    def test_a_moment(self) -> None:
        """After a moment what is known by then is told; the looking goes on."""
        members = self.put_many(48)
        asked = self.begin()
        self.workshop.answer()
        self.clock.advance(0.19)
        self.assertNoResult(asked)
        self.clock.advance(0.01)
        self.assertEqual(self.plain(self.successResultOf(asked)).keys(), {m.path for m in members[:16]})
        while self.workshop.waiting:
            self.workshop.answer()
        self.assertEqual(len(self.known()), 48)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_own_members(self) -> None:
        """Who asks waits for his own members, not for the others of the album."""
        members = self.put_many(100)
        asked = self.begin(members[90:])
        self.assertEqual(len(self.workshop.waiting), 1)
        self.workshop.answer()
        self.assertEqual(len(self.successResultOf(asked)), 10)
        self.assertEqual(len(self.workshop.waiting), 4)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_nothing_missing(self) -> None:
        """Who misses nothing does not wait while others are looked at."""
        members = self.put_many(20)
        known = [(member.path, member.version, facts_of(b"")) for member in members[:5]]
        self.successResultOf(self.pictures.note("album", known))
        self.assertEqual(len(self.known(members[:5], members)), 5)
        self.assertEqual(len(self.workshop.waiting), 1)

    def test_shared(self) -> None:
        """Several who ask share the looking, and what was seen is told before it is kept."""
        members = self.put_many(40)
        first, second = self.begin(members[:20]), self.begin(members[10:30])
        while self.workshop.waiting:
            self.workshop.answer()
        self.assertEqual((len(self.successResultOf(first)), len(self.successResultOf(second))), (20, 20))
        self.assertEqual(len(self.workshop.files), 40)

    def test_seen_and_not_kept(self) -> None:
        """Who comes between the seeing and the keeping is told."""
        members = self.put_many(48)
        asked = self.begin()
        self.workshop.answer()
        self.assertEqual(self.kept(), set())
        self.assertEqual(len(self.known(members[:16], members)), 16)
        self.assertNoResult(asked)
        self.assertEqual(len(self.workshop.files), 48)

    def test_comes_first(self) -> None:
        """The page that somebody asks for while others are looked at comes next."""
        members = self.put_many(200)
        self.begin(members[:16])
        self.workshop.answer()
        asked = self.begin(members[180:196])
        self.workshop.answer()
        self.assertEqual(self.workshop.looked[-1], [JPEG + b"%d" % number for number in range(180, 196)])
        while self.workshop.waiting:
            self.workshop.answer()
        self.assertEqual(len(self.successResultOf(asked)), 16)
        self.assertEqual(len(self.workshop.files), 200)

    def test_new_listing_meanwhile(self) -> None:
        """What comes while others are looked at is looked at afterwards."""
        self.put_many(20)
        self.begin()
        self.put(b"new.jpg", JPEG + b"new")
        asked = self.begin([])
        self.successResultOf(asked)
        while self.workshop.waiting:
            self.workshop.answer()
        self.assertEqual(max(self.workshop.files), JPEG + b"new")
        self.assertEqual((len(self.workshop.files), len(self.kept())), (21, 21))

    def test_few_at_once(self) -> None:
        """Four batches are under way at once, of all albums together."""
        members = self.put_many(200)
        self.begin([], members)
        others = self.put_many(100, "other")
        Deferred.fromCoroutine(self.noticing.known("other", [], others))
        self.assertEqual(len(self.workshop.waiting), 4)
        while self.workshop.waiting:
            self.assertLessEqual(len(self.workshop.waiting), 4)
            self.workshop.answer()
        self.assertEqual(len(self.workshop.files), 300)

    def test_leaving(self) -> None:
        """Who leaves ends nothing but the waiting."""
        self.put_many(20)
        asked = self.begin()
        asked.cancel()
        self.failureResultOf(asked, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        while self.workshop.waiting:
            self.workshop.answer()
        self.assertEqual(len(self.kept()), 20)

    def test_stop(self) -> None:
        """At the end nobody waits any more, and nothing begins again."""
        self.put_many(40)
        asked = self.begin()
        self.noticing.stop()
        self.assertEqual(self.successResultOf(asked), {})
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.known(), {})
        self.assertEqual(len(self.workshop.looked), 3)

    def test_bounded(self) -> None:
        """What is remembered of albums is bounded; one that was forgotten is compared again."""
        self.workshop.by_hand = False
        for number in range(1001):
            members = [self.put(b"a.txt", b"text", f"album{number}")]
            self.successResultOf(Deferred.fromCoroutine(self.noticing.known(f"album{number}", [], members)))
        self.assertEqual(len(self.noticing._looks), 1000)
        self.assertNotIn("album0", self.noticing._looks)


class TroubleTests(NoticingCase):
    """Nothing that goes wrong surfaces."""

    def test_busy(self) -> None:
        """Where the workshop has no room, it is asked again in a while."""
        self.put_many(3)
        self.workshop.refusals = [Busy(), Busy()]
        asked = self.begin()
        self.clock.advance(0.2)
        self.assertEqual(self.successResultOf(asked), {})
        self.clock.pump([0.3, 0.5])
        self.assertEqual(len(self.known()), 3)

    def test_no_workers(self) -> None:
        """Where nothing can look at pictures, it is left until somebody asks again."""
        self.put_many(3)
        self.workshop.refusals = [NoWorkers()]
        self.assertEqual(self.known(), {})
        self.assertEqual(len(self.known()), 3)

    def test_catalogue_away(self) -> None:
        """Without a catalogue the pictures of a page are looked at, and no others; later it comes right."""
        members = self.put_many(100)
        error = CatalogueUnavailable("here", "away")
        for broken in (["describe", "known", "note"], ["known"], ["note"]):
            self.pictures.broken = dict.fromkeys(broken, error)
            self.assertEqual(len(self.known(members[:10], members)), 10, broken)
        self.assertEqual(self.kept(), set())
        self.pictures.broken = {}
        self.assertEqual(len(self.known(members[:10], members)), 10)
        self.assertEqual(len(self.kept()), 100)

    def test_catalogue_refuses(self) -> None:
        """What else a database raises is logged by its kind only: its text may name secrets."""
        self.put_many(3)
        self.pictures.broken = {"note": ValueError("secret")}
        self.assertEqual(len(self.known()), 3)

    def test_store_away(self) -> None:
        """Where the store is away it is tried again when somebody asks."""
        members = self.put_many(3)
        reader = self.store.reader
        self.patch(self.store, "reader", _raises(StoreUnavailable("away")))
        self.assertEqual(self.known(members, members), {})
        self.patch(self.store, "reader", reader)
        self.assertEqual(len(self.known(members, members)), 3)

    def test_bug(self) -> None:
        """What nobody expected is logged, and a page is shown nevertheless."""
        members = self.put_many(3)
        self.workshop.refusals = [ZeroDivisionError()]
        self.assertEqual(self.known(members, members), {})
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(self.known(members, members)), 3)


def _raises(error: Exception) -> Any:
    def raises(*_: object) -> None:
        raise error

    return raises


class FilesTests(NoticingCase):
    """Files that come, change and go behind our back."""

    def test_dropped(self) -> None:
        """Files that come as they do by FTP are looked at, at any depth, and all of them are closed again."""
        files = {f"{number}/{number}.jpg": JPEG + b"%d" % number for number in range(40)}
        write_album(self.root, "album", {**files, "text.jpg": b"text"})
        self.assertEqual(len(self.known()), 41)
        self.assertEqual(sorted(self.workshop.files), sorted(files.values()))

    def test_changed_while_it_is_looked_at(self) -> None:
        """What was seen of a file that was changed meanwhile is of no version."""
        member = self.put(b"a.jpg")
        self.workshop.by_hand = True
        asked = self.begin([member], [member])
        (self.root / "album/a.jpg").write_bytes(JPEG + b"more")
        self.workshop.answer()
        self.assertEqual((self.successResultOf(asked), self.kept()), ({}, set()))

    def test_unreadable(self) -> None:
        """What is no file any more, or can't be read, does not keep the others from being seen."""
        members = [self.put(name) for name in (b"a.jpg", b"b.jpg", b"c.jpg")]
        (self.root / "album/a.jpg").unlink()
        (self.root / "album/a.jpg").symlink_to("c.jpg")
        (self.root / "album/b.jpg").unlink()
        os.mkfifo(self.root / "album/b.jpg")
        self.assertEqual(self.known(members, members).keys(), {b"c.jpg"})

    def test_stopped_while_looking(self) -> None:
        """At the end all files are closed."""
        for number in range(40):
            self.put(b"%d.jpg" % number)
        self.workshop.by_hand = True
        self.begin()
        self.noticing.stop()

    def test_one_fails(self) -> None:
        """When one of a batch fails as none should, the others are closed."""
        members = [self.put(b"%d.jpg" % number) for number in range(20)]
        opened: list[Member] = []

        async def open_some(reader: DiskReader, member: Member) -> Any:
            opened.append(member)
            if len(opened) == 10:
                raise ZeroDivisionError
            return reader._open(member)

        # A disk that fails like that can be had by no argument.
        self.patch(DiskReader, "open", open_some)
        self.known(members, members)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class CopiedTests(LookingTests):
    """Members that are no files, of which copies are looked at."""

    def make_store(self) -> IFileStore:
        return MemoryStore()

    def put(self, path: bytes, data: bytes = JPEG, album: str = "album") -> Member:
        return cast(MemoryStore, self.store).put(album, path, data)

    def test_whole_album(self) -> None:
        """All members are looked at, those of the page first; they are kept in batches."""
        members = self.put_many(300)
        self.assertEqual(len(self.known(members[250:298], members)), 48)
        self.assertEqual(self.workshop.files[:48], [JPEG + b"%d" % number for number in range(250, 298)])
        self.assertEqual((len(self.workshop.files), len(self.kept())), (300, 300))

    def test_only_pictures(self) -> None:
        """What is no picture is not copied: it may be large."""
        self.put(b"a.mp4", b"\0\0\0\x18ftypmp42" + bytes(100))
        self.patch(Descriptors, "opened", _raises(ZeroDivisionError()))
        self.assertEqual(self.known().keys(), {b"a.mp4"})

    def test_no_room(self) -> None:
        """Where there is no room for a copy, the others are known, and it is not tried again at once."""
        self.put(b"a.jpg")
        self.put(b"b.txt", b"text")
        self.patch(Descriptors, "_temporary", _raises(NoCopy("no room")))
        self.assertEqual(self.known().keys(), {b"b.txt"})
        self.assertEqual(self.known().keys(), {b"b.txt"})
        self.assertEqual(self.pictures.asked, 1)

    def test_store_away_while_copying(self) -> None:
        """Where the store is away when a picture is copied, it is looked at when somebody asks again."""
        self.put(b"a.jpg")
        away = self.patch(Descriptors, "_fill", _raises(StoreUnavailable("away")))
        self.assertEqual(self.known(), {})
        away.restore()
        self.assertEqual(self.known().keys(), {b"a.jpg"})


class RealTests(TestCase):
    """With real child processes, threads and time."""

    async def test_real(self) -> None:
        """What a camera wrote is known, of each picture that lies in a folder."""
        root = Path(self.mktemp())
        pictures = {f"{number}.jpg": picture(100 + number) for number in range(40)}
        write_album(root, "album", {**pictures, "a.txt": b"text"})
        time = cast(Any, reactor)
        threads = Threads(time, "disk", 4)
        workshop = Workshop(time, Threads(time, "pictures", 2), 2)
        store, memory = DiskStore(str(root), threads.run), MemoryPictures()
        heads = Heads(store, workshop, Descriptors(store, self.mktemp(), threads.run), threads.run, time)
        noticing = Noticing(memory, heads, threads.run, time, MemoryFacts(memory).forget)
        for part in (threads, workshop, noticing):
            part.start()
            self.addCleanup(part.stop)
        members = (await store.list("album")).members
        seen = await noticing.known("album", members, members, moment=60)
        self.assertEqual(len(seen), 41)
        for (path, _), facts in seen.items():
            name = path.decode()
            expected = PictureFacts("text/plain") if name == "a.txt" else seen_in(100 + int(name[:-4]))
            self.assertEqual(facts, expected)
        known: list[Any] = []

        def all_kept() -> bool:
            known[:] = cast(Any, memory.known("album").result)
            return len(known) == 41

        await until(all_kept)


def picture(width: int) -> bytes:
    """A picture that a camera took, upright."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Canon"
    exif[ExifTags.Base.Model] = "Canon EOS 5D"
    exif[ExifTags.Base.Orientation] = 6
    file = BytesIO()
    Image.new("RGB", (width, 10)).save(file, "JPEG", exif=exif)
    return file.getvalue()


def seen_in(width: int) -> PictureFacts:
    """What is seen in it."""
    return PictureFacts("image/jpeg", 10, width, 6, "Canon", "Canon EOS 5D", None, False)
