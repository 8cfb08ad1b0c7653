"""
Tests of previews: from the cache, or made once for all who ask.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from PIL import Image
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from fileserve.catalogue.interfaces import MemberFacts
from fileserve.gallery.descriptors import Descriptors
from fileserve.gallery.previewcache import PreviewCache
from fileserve.gallery.previews import Previews
from fileserve.pictures.facts import NoPreview, Why
from fileserve.pictures.worker import Output
from fileserve.pictures.workshop import Busy, NoWorkers, Workshop
from fileserve.storage.disk import DiskStore
from fileserve.storage.errors import MemberChanged, NoSuchAlbum, StoreUnavailable
from fileserve.storage.interfaces import Member
from fileserve.storage.memory import MemoryStore
from fileserve.threads import Threads

from .support import ByHand, at_once, deferred, open_descriptors, write_album

JPEG = "image/jpeg"
_BEGINNINGS = {"webp": b"RIFF", "jpeg": b"\xff\xd8\xff"}


class Reading:
    """
    Knows members of a store in memory by reading them, and counts how often.
    """

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.asked = 0

    async def facts(self, album: str, member: Member, filename: str) -> MemberFacts:
        self.asked += 1
        reader = self.store.reader(album)
        opened = await reader.open(member)
        return MemberFacts(0, hashlib.sha256(await opened.read(0, member.size)).hexdigest(), JPEG)


class Painter:
    """
    A workshop in which the test makes the previews.
    """

    def __init__(self) -> None:
        self.size = 1
        self.jobs: list[tuple[bytes, Sequence[Output], Deferred[None]]] = []
        self.sizes: list[list[int]] = []
        #: What is written in place of a preview.
        self.rubbish: bytes | None = None

    def preview(self, descriptor: int, media_type: str, outputs: Sequence[Output]) -> Deferred[None]:
        assert media_type == JPEG
        copies = [Output(each.size, each.format, os.dup(each.descriptor)) for each in outputs]
        job: Deferred[None] = Deferred()
        self.jobs.append((os.pread(descriptor, 99, 0), copies, job))
        self.sizes.append([each.size for each in outputs])
        return job

    def make(self, result: Any = None) -> None:
        """
        Do the oldest job, or let it fail.
        """
        content, outputs, job = self.jobs.pop(0)
        for each in outputs:
            whole = _BEGINNINGS[each.format] + b" %d " % each.size + content
            os.pwrite(each.descriptor, whole if self.rubbish is None else self.rubbish, 0)
            os.close(each.descriptor)
        job.callback(result)

    def make_all(self) -> None:
        while self.jobs:
            self.make()


class PreviewsCase(SynchronousTestCase):
    """Members in memory, and a workshop that waits for the test."""

    def setUp(self) -> None:
        self.before = open_descriptors()
        self.store = MemoryStore()
        self.member = self.store.put("album", b"folder/a.jpg", b"A")
        self.knows = Reading(self.store)
        self.painter = Painter()
        self.threads: Any = at_once
        self.directory = Path(self.mktemp())
        self.cache = PreviewCache(str(self.directory / "previews"), 10**9)
        self.previews = self.opened()

    def tearDown(self) -> None:
        self.previews.stop()
        self.assertEqual(open_descriptors(), self.before)

    def opened(self) -> Previews:
        def in_thread(*work: Any) -> Any:
            return self.threads(*work)

        descriptors = Descriptors(self.store, str(self.directory / "copies"), in_thread)
        previews = Previews(descriptors, self.knows, self.cache, cast(Any, self.painter), in_thread)
        previews.start()
        return previews

    def get(self, size: int = 320, kind: str = "webp", member: Member | None = None) -> Deferred[bytes]:
        return deferred(self.previews.get("album", member or self.member, JPEG, size, kind))

    def assertGot(self, got: Deferred[bytes], value: bytes) -> None:
        self.assertEqual(self.successResultOf(got), value)

    def assertNone(self, got: Deferred[bytes], why: Why) -> None:
        self.assertEqual(self.failureResultOf(got, NoPreview).value.why, why)


class PreviewsTests(PreviewsCase):
    """What is given, and what is made for it."""

    def test_made_once(self) -> None:
        """A preview is made when it is asked for first; then it is there, also after a new start."""
        first = self.get()
        self.assertNoResult(first)
        self.painter.make()
        self.assertGot(first, b"RIFF 320 A")
        self.assertGot(self.get(), b"RIFF 320 A")
        self.previews = self.opened()
        self.assertGot(self.get(), b"RIFF 320 A")

    def test_formats(self) -> None:
        """The other format is made by itself."""
        for kind, start in _BEGINNINGS.items():
            got = self.get(kind=kind)
            self.painter.make()
            self.assertGot(got, start + b" 320 A")

    def test_both_sizes(self) -> None:
        """With the large preview comes the small one, of one decoding."""
        large = self.get(1280)
        self.painter.make_all()
        self.assertGot(large, b"RIFF 1280 A")
        self.assertGot(self.get(320), b"RIFF 320 A")
        self.assertEqual(self.painter.sizes, [[320, 1280]])

    def test_shared(self) -> None:
        """All who ask at the same time share one job; who leaves ends only his own waiting."""
        results = [self.get() for _ in range(5)]
        results[0].cancel()
        self.failureResultOf(results[0], CancelledError)
        self.assertEqual(len(self.painter.jobs), 1)
        self.painter.make()
        for each in results[1:]:
            self.assertGot(each, b"RIFF 320 A")

    def test_shared_from_the_start(self) -> None:
        """They do so also while the cache is still looked at."""
        self.threads = steps = ByHand()
        results = [self.get() for _ in range(5)]
        self.assertEqual(len(steps), 1)
        steps.run()
        self.painter.make()
        steps.run()
        for each in results:
            self.assertGot(each, b"RIFF 320 A")

    def test_shared_by_content(self) -> None:
        """So do those who ask for other files with the same bytes."""
        other = self.store.put("album", b"copy.jpg", b"A")
        results = [self.get(), self.get(member=other)]
        self.painter.make()
        for each in results:
            self.assertGot(each, b"RIFF 320 A")

    def test_nobody_waits(self) -> None:
        """A job for which nobody waits any more ends all the same, and its preview is kept."""
        got = self.get()
        got.cancel()
        self.failureResultOf(got, CancelledError)
        self.painter.make()
        self.assertGot(self.get(), b"RIFF 320 A")

    def test_small_waits_for_large(self) -> None:
        """The small preview is not made by itself while it is made along with the large one."""
        large, small = self.get(1280), self.get(320)
        self.painter.make_all()
        self.assertGot(large, b"RIFF 1280 A")
        self.assertGot(small, b"RIFF 320 A")
        self.assertEqual(len(self.painter.sizes), 1)

    def test_large_after_small(self) -> None:
        """The large preview is made after the small one that was begun before."""
        small, large = self.get(320), self.get(1280)
        self.painter.make_all()
        self.assertGot(small, b"RIFF 320 A")
        self.assertGot(large, b"RIFF 1280 A")
        self.assertEqual(self.painter.sizes, [[320], [320, 1280]])

    def test_new_version(self) -> None:
        """A file that was replaced has previews of its new bytes."""
        got = self.get()
        self.painter.make()
        self.successResultOf(got)
        member = self.store.put("album", b"folder/a.jpg", b"B")
        got = self.get(member=member)
        self.painter.make()
        self.assertGot(got, b"RIFF 320 B")

    def test_facts_once(self) -> None:
        """What the bytes of a version are is asked once."""
        got = self.get()
        self.painter.make()
        self.successResultOf(got)
        for _ in range(3):
            self.successResultOf(self.get())
        self.assertEqual(self.knows.asked, 1)

    def test_memory_is_bounded(self) -> None:
        """So much is not remembered that memory grows for ever."""
        self.patch(sys.modules[Previews.__module__], "_REMEMBERED", 10)
        for n in range(30):
            got = self.get(member=self.store.put("album", b"%d" % n, b"%d" % n))
            self.painter.make(Failure(NoPreview(Why.BROKEN)))
            self.assertNone(got, Why.BROKEN)
        self.assertEqual((len(self.previews._bytes), len(self.previews._hopeless)), (10, 10))

    def test_many_visitors(self) -> None:
        """Hundreds of previews may be asked for at once: none is refused, and few members are open."""
        members = [self.store.put("album", b"%d" % n, b"%d" % n) for n in range(300)]
        results = [self.get(member=each) for each in members]
        self.assertEqual(len(self.painter.jobs), 3)
        self.painter.make_all()
        for n, each in enumerate(results):
            self.assertGot(each, b"RIFF 320 %d" % n)

    def test_own_bounds(self) -> None:
        """Three members are open at once for one child; so many more may wait, and then it is enough."""
        self.patch(sys.modules[Previews.__module__], "_WAITING", 64)
        members = [self.store.put("album", b"%d" % n, b"%d" % n) for n in range(68)]
        results = [self.get(member=each) for each in members]
        self.failureResultOf(results.pop(), Busy)
        self.assertEqual(len(self.painter.jobs), 3)
        joined = self.get(member=members[66])  # needs no place of its own
        self.painter.make_all()
        for n, each in enumerate(results):
            self.assertGot(each, b"RIFF 320 %d" % n)
        self.assertGot(joined, b"RIFF 320 66")
        again = self.get(member=members[67])
        self.painter.make()
        self.assertGot(again, b"RIFF 320 67")


class FailureTests(PreviewsCase):
    """What is not given, and why."""

    def test_no_picture(self) -> None:
        """What is no picture has no preview, and is not even looked at."""
        got = deferred(self.previews.get("album", self.member, "text/html", 320, "webp"))
        self.assertNone(got, Why.UNSUPPORTED)
        self.assertEqual(self.knows.asked, 0)

    def test_remembered(self) -> None:
        """What no preview can be made of is not tried again, in no size or format, nor after a new start."""
        for n, why in enumerate([Why.BROKEN, Why.DEADLY, Why.TOO_LARGE]):
            member = self.store.put("album", b"b", b"%d" % n)
            got = self.get(member=member)
            self.painter.make(Failure(NoPreview(why)))
            self.assertNone(got, why)
            self.assertNone(self.get(1280, "jpeg", member), why)
            self.previews = self.opened()
            self.assertNone(self.get(member=member), why)

    def test_unsupported(self) -> None:
        """Where only a decoder is missing, it is tried again after a new start, when it may be there."""
        got = self.get()
        self.painter.make(Failure(NoPreview(Why.UNSUPPORTED)))
        self.assertNone(got, Why.UNSUPPORTED)
        self.assertNone(self.get(), Why.UNSUPPORTED)
        self.previews = self.opened()
        got = self.get()
        self.painter.make()
        self.assertGot(got, b"RIFF 320 A")

    def test_busy(self) -> None:
        """What could not be tried is tried again."""
        for error in (Busy(), NoWorkers()):
            got = self.get()
            self.painter.make(Failure(error))
            self.failureResultOf(got, Busy)
        got = self.get()
        self.painter.make()
        self.assertGot(got, b"RIFF 320 A")

    def test_changed_meanwhile(self) -> None:
        """What was made while the file became another is kept for neither; nor is it said to be broken."""
        for result in (None, Failure(NoPreview(Why.BROKEN))):
            member = self.store.put("album", b"b", b"B")
            got = self.get(member=member)
            self.store.put("album", b"b", b"C")
            self.painter.make(result)
            self.failureResultOf(got, MemberChanged)
        got = self.get(member=self.store.put("album", b"b", b"B"))
        self.painter.make()
        self.assertGot(got, b"RIFF 320 B")

    def test_other_file_changed(self) -> None:
        """What is wrong with one file is not told of another with the same bytes: that is tried by itself."""
        first = self.get()
        twin = self.store.put("album", b"twin", b"A")
        twins = [self.get(member=twin) for _ in range(2)]
        self.store.put("album", b"folder/a.jpg", b"B")
        self.painter.make()
        self.failureResultOf(first, MemberChanged)
        self.painter.make()
        for each in twins:
            self.assertGot(each, b"RIFF 320 A")

    def test_gone(self) -> None:
        """A member or an album that is gone is told as such, also once its bytes are known."""
        got = self.get()
        self.painter.make()
        self.successResultOf(got)
        self.successResultOf(self.store.delete("album", b"folder/a.jpg"))
        self.failureResultOf(self.get(1280), NoSuchAlbum)
        self.store.put("album", b"b", b"B")
        self.failureResultOf(self.get(1280), MemberChanged)

    def test_rubbish(self) -> None:
        """What a child calls a preview and is none is never given, and the picture is not tried again."""
        for n, rubbish in enumerate([b"<script>", b"", b"RIFF" + bytes(16 * 1024 * 1024)]):
            member = self.store.put("album", b"b", b"%d" % n)
            got = self.get(member=member)
            self.painter.rubbish = rubbish
            self.painter.make()
            self.assertNone(got, Why.DEADLY)
            self.assertNone(self.get(member=member), Why.DEADLY)

    def test_nobody_waits(self) -> None:
        """What fails for nobody is logged only if it was not to be expected."""
        for error in (Busy(), NoPreview(Why.BROKEN), MemberChanged(b"a", ""), StoreUnavailable()):
            got = self.get(member=self.store.put("album", b"b", repr(error).encode()))
            got.cancel()
            self.failureResultOf(got, CancelledError)
            self.painter.make(Failure(error))
        self.assertEqual(self.flushLoggedErrors(), [])
        got = self.get()
        got.cancel()
        self.failureResultOf(got, CancelledError)
        self.painter.make(Failure(ZeroDivisionError()))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_no_descriptors(self) -> None:
        """Where this process can open nothing more, the store is as good as away."""
        got = self.get()
        self.painter.make(Failure(OSError(24, "Too many open files")))
        self.failureResultOf(got, StoreUnavailable)


class CacheTests(PreviewsCase):
    """A cache that fails, and previews that are dropped."""

    def spoil(self) -> None:
        self.directory.mkdir(exist_ok=True)
        (self.directory / "previews").write_bytes(b"")

    def test_full(self) -> None:
        """Where the cache takes nothing, previews are given all the same, and made again."""
        self.spoil()
        with capturedLogs() as logs:
            for _ in range(2):
                got = self.get()
                self.painter.make()
                self.assertGot(got, b"RIFF 320 A")
        self.assertEqual({each["log_level"].name for each in logs}, {"warn"})

    def test_full_and_hopeless(self) -> None:
        """What no preview can be made of is then still not tried again."""
        self.spoil()
        got = self.get()
        self.painter.make(Failure(NoPreview(Why.DEADLY)))
        self.assertNone(got, Why.DEADLY)
        self.assertNone(self.get(1280, "jpeg"), Why.DEADLY)

    def test_drop(self) -> None:
        """What was dropped is gone in all sizes and formats, with why there was none."""
        got = self.get(1280)
        self.painter.make()
        self.successResultOf(got)
        hopeless = self.store.put("album", b"b", b"B")
        got = self.get(member=hopeless)
        self.painter.make(Failure(NoPreview(Why.BROKEN)))
        self.failureResultOf(got, NoPreview)
        for content in (b"A", b"B"):
            self.successResultOf(self.previews.drop(hashlib.sha256(content).hexdigest()))
        self.assertEqual([path for path in self.directory.rglob("*") if path.is_file()], [])
        for member in (self.member, hopeless):
            self.assertNoResult(self.get(member=member))
            self.painter.make()

    def test_dropped_meanwhile(self) -> None:
        """What is dropped while it is made is given to who waits, and not kept."""
        for result in (None, Failure(NoPreview(Why.BROKEN))):
            got = self.get()
            self.successResultOf(self.previews.drop(hashlib.sha256(b"A").hexdigest()))
            self.painter.make(result)
            (self.failureResultOf if result else self.successResultOf)(got)
            self.assertEqual([path for path in self.directory.rglob("*") if path.is_file()], [])
            self.assertEqual(self.previews._hopeless, {})

    def test_drop_fails(self) -> None:
        """Where dropping fails, that is logged, and nobody's removal fails of it; nor does a start."""
        self.spoil()
        with capturedLogs() as logs:
            self.successResultOf(self.previews.drop(hashlib.sha256(b"A").hexdigest()))
            self.previews = self.opened()
        self.assertEqual(len(logs), 2)


class RealTests(TestCase):
    """A disk, real threads, and the real child."""

    timeout = 120

    def setUp(self) -> None:
        self.root = self.mktemp()
        self.disk = Threads(cast(Any, reactor), "disk", 4)
        self.disk.start()
        self.addCleanup(self.disk.stop)
        self.workshop = Workshop(cast(Any, reactor), Threads(cast(Any, reactor), "pictures", 2), 2)
        self.workshop.start()
        self.addCleanup(self.workshop.stop)
        self.store = DiskStore(self.root, self.disk.run)
        state = self.mktemp()
        self.previews = Previews(
            Descriptors(self.store, state, self.disk.run),
            cast(Any, self),
            PreviewCache(os.path.join(state, "previews"), 10**9),
            self.workshop,
            self.disk.run,
        )

    async def facts(self, album: str, member: Member, filename: str) -> MemberFacts:
        """What a file of this test is known to be."""
        with open(os.path.join(os.fsencode(self.root), album.encode(), member.path), "rb") as file:
            return MemberFacts(0, hashlib.sha256(file.read()).hexdigest())

    async def test_page(self) -> None:
        """All previews of a page are asked for at once, and are what they ought to be."""
        files = {f"{n}.jpg": _jpeg(n) for n in range(12)} | {"broken.jpg": _jpeg(99)[:200]}
        write_album(self.root, "album", files)
        members = (await self.store.list("album")).members
        results = await gatherResults(
            [
                deferred(self.previews.get("album", each, JPEG, size, kind)).addErrback(_why)
                for each in members
                for size, kind in ((320, "webp"), (1280, "webp"), (320, "jpeg"), (320, "webp"))
            ]
        )
        broken = [each.path for each in members].index(b"broken.jpg") * 4
        self.assertEqual(results[broken : broken + 4], [Why.BROKEN] * 4)
        del results[broken : broken + 4]
        for n, data in enumerate(cast(Any, results)):
            with Image.open(io.BytesIO(data)) as image:
                self.assertEqual(image.format, "JPEG" if n % 4 == 2 else "WEBP")
                self.assertEqual(image.size, (640, 400) if n % 4 == 1 else (320, 200))


def _jpeg(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (640, 400), (shade, 0, 255 - shade)).save(file, "JPEG")
    return file.getvalue()


def _why(failure: Failure) -> Why:
    failure.trap(NoPreview)
    return cast(NoPreview, failure.value).why
