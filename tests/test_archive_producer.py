"""
Tests of how an archive is produced: its bytes, its patience, and what becomes of everything when it ends.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from random import Random
from shutil import rmtree
from typing import Any, cast
from zipfile import ZipFile

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyClass, verifyObject

from fileserve.archive.plan import Plan, Planner
from fileserve.archive.producer import ArchiveProducer
from fileserve.archive.runs import LARGE
from fileserve.archive.transfer import Transfer
from fileserve.archive.zipformat import DESCRIPTOR_ABOVE
from fileserve.catalogue.memory import MemoryFacts
from fileserve.http.producing import CHUNK
from fileserve.http.ranges import Span
from fileserve.http.site import Request
from fileserve.operations.counters import Counts
from fileserve.storage.disk import DiskStore
from fileserve.storage.errors import MemberChanged, Unreadable
from fileserve.storage.held import InThread
from fileserve.storage.interfaces import IAlbumReader

from .support import (
    ByHand,
    SlowConsumer,
    ask,
    at_once,
    deferred,
    open_descriptors,
    site_of_folder,
    write_album,
)

_RANDOM = Random(1)

#: Every way in which a member can be sent: none of it, gathered, by chunks, by windows of its file.
_MEMBERS = {
    "empty": b"",
    "small": b"123",
    "a/limit": _RANDOM.randbytes(LARGE),
    "a/over the limit": _RANDOM.randbytes(LARGE + 1),
    "b/chunks": _RANDOM.randbytes(2 * CHUNK + 77),
    "c/windows": _RANDOM.randbytes(2 * 1024 * 1024 + 1),
    "no member/": b"",
    "z": _RANDOM.randbytes(10_000),
}


class CountingStore(DiskStore):
    """
    A store that counts who reads.
    """

    readers = 0

    def reader(self, album: str) -> Any:
        self.readers += 1
        return super().reader(album)


class ProducingCase(SynchronousTestCase):
    """Albums on a disk, and producers of their archives; no test leaves a descriptor open."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        before = open_descriptors()
        self.addCleanup(lambda: self.assertEqual(open_descriptors(), before))
        self.counts = Counts()
        self.facts = MemoryFacts()
        self.use(at_once)

    def use(self, in_thread: InThread, clock: Callable[[], float] = lambda: 0.0) -> None:
        """Read with these threads from now on; nothing is known of any album."""
        self.store = CountingStore(str(self.root), in_thread, clock)
        self.planner = Planner(CountingStore(str(self.root), at_once), self.facts, at_once)

    def album(self, files: Mapping[str, bytes] = _MEMBERS) -> Path:
        return write_album(self.root, "album", files)

    def plan(self) -> Plan:
        return self.successResultOf(Deferred.fromCoroutine(self.planner.plan("album")))

    def cold_plan(self) -> Plan:
        """A plan that knows no checksum and computes them by `self.store`."""
        return self.successResultOf(
            Deferred.fromCoroutine(
                Planner(self.store_listing_at_once(), MemoryFacts(), at_once).plan("album")
            )
        )

    def store_listing_at_once(self) -> Any:
        store = self.store

        class Store(DiskStore):
            def reader(self, album: str) -> Any:
                return store.reader(album)

        return Store(str(self.root), at_once)

    def producer(
        self,
        plan: Plan,
        items: Iterable[bytes | Span] | None = None,
        pause: Callable[[], Deferred[None]] | None = None,
    ) -> ArchiveProducer:
        items = [Span(0, plan.layout.length)] if items is None else items
        transfer = Transfer("album", self.counts, logs=True)
        return ArchiveProducer(plan, items, self.store.reader("album"), transfer, pause)

    def begin(
        self, consumer: SlowConsumer, plan: Plan | None = None, items: Iterable[bytes | Span] | None = None
    ) -> Deferred[None]:
        plan = plan or self.plan()
        return self.producer(plan, items).produce_to(cast(Request, consumer))

    def bytes_of(
        self, plan: Plan, items: Iterable[bytes | Span] | None = None, *, sends_files: bool = False
    ) -> bytes:
        """What is produced for a consumer that takes everything."""
        consumer = SlowConsumer(10**12, sends_files=sends_files)
        self.successResultOf(self.begin(consumer, plan, items))
        return bytes(consumer.received)


class FakeTests(SynchronousTestCase):
    """The consumer of these tests."""

    def test_interface(self) -> None:
        """It is one, and it really pauses."""
        verifyClass(IConsumer, SlowConsumer)


class BytesTests(ProducingCase):
    """What is sent."""

    def assert_is_archive(self, data: bytes, files: Mapping[str, bytes]) -> None:
        with ZipFile(BytesIO(data)) as archive:
            self.assertIsNone(archive.testzip())
            self.assertEqual({name: archive.read(name) for name in archive.namelist()}, dict(files))

    def test_interface(self) -> None:
        """The producer is an ``IPushProducer``."""
        self.album()
        producer = self.producer(self.plan())
        verifyObject(IPushProducer, producer)
        self.successResultOf(producer.produce_to(cast(Request, SlowConsumer(10**9))))

    def test_whole(self) -> None:
        """Python's ``zipfile`` reads all members back, however they were sent, and the length is right."""
        self.album()
        for sends_files in (False, True):
            plan = self.cold_plan()
            data = self.bytes_of(plan, sends_files=sends_files)
            self.assertEqual(len(data), plan.layout.length)
            self.assert_is_archive(data, _MEMBERS)

    def test_empty_album(self) -> None:
        """An album without members is an archive without entries."""
        self.album({})
        self.assert_is_archive(self.bytes_of(self.plan()), {})

    def test_cold_and_warm(self) -> None:
        """The bytes are the same whether nothing is known yet, or all, or it was remembered elsewhere."""
        self.album()
        plan = self.plan()
        cold = self.bytes_of(plan)
        self.assertEqual(self.bytes_of(plan), cold)
        self.use(at_once)
        self.assertEqual(self.bytes_of(self.plan()), cold)

    def test_warm_reads_once(self) -> None:
        """A warm archive reads each member once: no checksum is computed."""
        self.album()
        plan = self.cold_plan()
        self.bytes_of(plan)
        self.store.readers = 0
        self.bytes_of(plan)
        self.assertEqual(self.store.readers, 1)

    def test_cold_small_members_are_read_once(self) -> None:
        """A small member is read for its data and its checksum at once, however little room a client has."""
        self.album({str(number): bytes(LARGE) for number in range(20)})
        for limit in (1, 10_000, CHUNK):
            self.store.readers = 0
            consumer = SlowConsumer(limit, sends_files=True)
            producing = self.begin(consumer, self.cold_plan())
            consumer.drain_all()
            self.successResultOf(producing)
            self.assertEqual(self.store.readers, 1, f"with room for {limit} bytes")

    def test_small_members_are_gathered(self) -> None:
        """Small members go into chunks together."""
        self.album({str(number): b"0123456789" for number in range(500)})
        consumer = SlowConsumer(10**9)
        self.successResultOf(self.begin(consumer))
        self.assertLess(len(consumer.writes), 5)

    def test_large_bodies_go_by_file(self) -> None:
        """Of large members nearly all goes from the file; their ends are read, so that they are checked."""
        self.album({"1": bytes(10 * 1024 * 1024)})
        consumer = SlowConsumer(10**9, sends_files=True)
        self.successResultOf(self.begin(consumer))
        self.assertLess(sum(consumer.writes), 64 * 1024)
        self.assertGreater(sum(consumer.writes), 1024)

    def test_descriptor(self) -> None:
        """A member over 64 MiB is sent without waiting for its checksum, which follows it."""
        folder = self.album({"1": b""})
        with (folder / "1").open("wb") as file:
            file.truncate(DESCRIPTOR_ABOVE + 1)
            file.seek(12345)
            file.write(b"hello")
        (folder / "1").read_bytes()  # so that it is cached
        threads = ByHand()
        self.use(threads)
        consumer = SlowConsumer(CHUNK)
        producing = self.begin(consumer, self.cold_plan())
        self.assertGreater(len(consumer.received), 1000)
        while not producing.called:
            consumer.drain_all()
            threads.run()
        self.successResultOf(producing)
        with ZipFile(BytesIO(consumer.received)) as archive:
            self.assertIsNone(archive.testzip())

    def test_pause_before_each_chunk(self) -> None:
        """With a pause, one is made before each chunk, and no file is sent past it."""
        self.album()
        pauses: list[Deferred[None]] = []

        def pause() -> Deferred[None]:
            pauses.append(Deferred())
            return pauses[-1]

        consumer = SlowConsumer(10**9, sends_files=True)
        plan = self.plan()
        producing = self.producer(plan, pause=pause).produce_to(cast(Request, consumer))
        while not producing.called:
            self.assertEqual(len(consumer.writes), len(pauses) - 1)
            pauses[-1].callback(None)
        self.successResultOf(producing)
        self.assertEqual(sum(consumer.writes), plan.layout.length)
        self.assertLessEqual(max(consumer.writes), CHUNK)


class SliceTests(ProducingCase):
    """Any part of an archive is that part of the whole."""

    def setUp(self) -> None:
        super().setUp()
        self.album()
        self.warm = self.plan()
        self.whole = self.bytes_of(self.warm)

    # The album is made once and only read.
    @settings(deadline=None, suppress_health_check=[HealthCheck.differing_executors], max_examples=150)
    @given(st.data(), st.booleans(), st.booleans())
    def test_any_spans(self, data: st.DataObject, sends_files: bool, cold: bool) -> None:
        """Whatever spans and bytes are asked for, in any order: those bytes, from a cold and a warm plan."""
        length = len(self.whole)
        items = data.draw(st.lists(st.binary(max_size=5) | _spans(length), max_size=3))
        plan = self.cold_plan() if cold else self.warm
        expected = b"".join(
            item if isinstance(item, bytes) else self.whole[item.start : item.stop] for item in items
        )
        self.assertEqual(self.bytes_of(plan, items, sends_files=sends_files), expected)

    def test_every_boundary(self) -> None:
        """Every span that begins or ends at, before or behind a boundary of pieces is right."""
        at, edges = 0, {0}
        for piece in self.warm.layout.pieces(0, self.warm.layout.length):
            at += piece.length
            edges.add(at)
        places = sorted({edge + by for edge in edges for by in (-1, 0, 1) if 0 <= edge + by <= at})
        for start in places:
            for stop in (start + 1, start + 30, at):
                if stop <= at and start < stop and (stop - start < LARGE or start % 7 == 0):
                    data = self.bytes_of(self.warm, [Span(start, stop)])
                    self.assertEqual(data, self.whole[start:stop], (start, stop))


class BackPressureTests(ProducingCase):
    """A consumer that is slow."""

    def setUp(self) -> None:
        super().setUp()
        self.album({**_MEMBERS, **{f"many/{number}": bytes(3000) for number in range(400)}})
        self.whole = self.bytes_of(self.plan())

    def test_peak(self) -> None:
        """Nothing is written to a paused consumer: it never holds more than a chunk over its limit."""
        for limit in (0, 1, 65_536, CHUNK, 1_000_000):
            for sends_files in (False, True):
                for plan in (self.plan(), self.cold_plan()):
                    consumer = SlowConsumer(limit, sends_files=sends_files)
                    producing = self.begin(consumer, plan)
                    self.assertNoResult(producing)
                    consumer.drain_all()
                    self.successResultOf(producing)
                    self.assertEqual(bytes(consumer.received), self.whole)
                    self.assertEqual(consumer.unasked, 0)
                    self.assertLessEqual(consumer.peak, limit + CHUNK)
                    self.assertLessEqual(max(consumer.writes), CHUNK)

    def test_from_within(self) -> None:
        """A chunk is no larger where a part of the archive begins within a small member."""
        self.album({str(number): bytes(LARGE - number % 3 * 50_000) for number in range(20)})
        plan = self.plan()
        for start in range(0, plan.layout.length, 77_777):
            for sends_files in (False, True):
                consumer = SlowConsumer(10**9, sends_files=sends_files)
                self.successResultOf(self.begin(consumer, plan, [Span(start, plan.layout.length)]))
                self.assertLessEqual(max(consumer.writes), CHUNK, start)

    def test_waits_for_ever(self) -> None:
        """A consumer that takes nothing gets one chunk and nothing more."""
        consumer = SlowConsumer(0)
        producing = self.begin(consumer)
        self.assertNoResult(producing)
        self.assertEqual(len(consumer.writes), 1)
        producing.cancel()
        self.failureResultOf(producing, CancelledError)

    def test_needless_resume(self) -> None:
        """Resuming what is not paused does nothing; pausing twice is pausing once."""
        consumer = SlowConsumer(0)
        producing = self.begin(consumer)
        producer = consumer.producer
        producer.pauseProducing()
        consumer.drain()
        self.assertEqual(len(consumer.writes), 2)
        producer.resumeProducing()
        consumer.paused = False
        producer.resumeProducing()
        producer.resumeProducing()
        self.assertGreaterEqual(len(consumer.writes), 3)
        consumer.drain_all()
        self.successResultOf(producing)
        self.assertEqual(bytes(consumer.received), self.whole)

    def test_reads_nothing_while_paused(self) -> None:
        """While the consumer is paused, nothing is read for it."""
        threads = ByHand()
        self.use(threads, _jumping_clock())
        consumer = SlowConsumer(0)
        producing = self.begin(consumer)
        pauses = 0
        while not producing.called:
            if consumer.paused:
                pauses += 1
                self.assertEqual(len(threads), 0)
                consumer.drain()
            else:
                threads.step()
        self.successResultOf(producing)
        self.assertGreater(pauses, 10)

    def test_paused_while_reading(self) -> None:
        """A consumer that is paused while a thread reads for it is not written to when that is done."""
        threads = ByHand()
        self.use(threads, _jumping_clock())
        consumer = SlowConsumer(10**9)
        producing = self.begin(consumer)
        self.assertGreater(len(threads), 0)
        producer = consumer.producer
        producer.pauseProducing()
        before = len(consumer.writes)
        threads.run()
        self.assertEqual(len(consumer.writes), before)
        producer.resumeProducing()
        while not producing.called:
            threads.run()
        self.successResultOf(producing)
        self.assertEqual(bytes(consumer.received), self.whole)


class EndingTests(ProducingCase):
    """How it ends; that every file is closed then, `setUp` sees."""

    def test_finished(self) -> None:
        """When it has finished, it has unregistered itself, once, and its files are closed already."""
        self.album()
        plan, before = self.plan(), open_descriptors()
        consumer = SlowConsumer(10**9)
        seen: list[tuple[int, int]] = []
        producing = self.begin(consumer, plan)
        producing.addCallback(lambda _: seen.append((consumer.unregistered, open_descriptors())))
        self.successResultOf(producing)
        self.assertEqual(seen, [(1, before)])
        self.assertEqual(consumer.registered, 1)
        self.assertEqual(self.counts.outcomes, {"finished": 1, "interrupted": 0, "failed": 0})
        self.assertEqual(self.counts.bytes_sent, plan.layout.length)

    def test_failed(self) -> None:
        """When it fails, it has unregistered itself, once, and its files are closed already."""
        folder = self.album()
        plan, before = self.plan(), open_descriptors()
        (folder / "z").write_bytes(b"changed")
        consumer = SlowConsumer(10**9)
        seen: list[tuple[int, int]] = []

        def look(failure: Failure) -> Failure:
            seen.append((consumer.unregistered, open_descriptors()))
            return failure

        producing = self.begin(consumer, plan)
        producing.addErrback(look)
        self.failureResultOf(producing, MemberChanged)
        self.assertEqual(seen, [(1, before)])
        self.assertEqual(self.counts.outcomes, {"finished": 0, "interrupted": 0, "failed": 1})

    def test_consumer_gone(self) -> None:
        """When its consumer is gone, it ends at once and unregisters nothing."""
        self.album()
        consumer = SlowConsumer(0)
        producing = self.begin(consumer)
        consumer.producer.stopProducing()
        self.failureResultOf(producing, CancelledError)
        self.assertEqual(consumer.unregistered, 0)
        self.assertEqual(self.counts.outcomes, {"finished": 0, "interrupted": 1, "failed": 0})
        consumer.drain()
        self.assertEqual(len(consumer.writes), 1)

    def test_checksums_are_kept(self) -> None:
        """What was found is kept in the catalogue, however it ends."""
        self.album({"1": b"123", "2": bytes(CHUNK), "3": bytes(CHUNK)})
        consumer = SlowConsumer(0)
        producing = self.begin(consumer)
        producing.cancel()
        self.failureResultOf(producing, CancelledError)
        self.assertIn(b"1", {path for path, _ in self.successResultOf(self.facts.recall("album"))})

    def test_head(self) -> None:
        """For ``HEAD`` nothing is produced and no member is opened; the length is that of ``GET``."""
        self.album()
        site = site_of_folder(self.root, counts=self.counts)
        head = ask(site, "/archive/album/", "HEAD")
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(self.counts.started, 0)
        get = ask(site, "/archive/album/")
        self.assertEqual(head.headers["Content-Length"], str(len(get.body)))
        self.assertEqual(self.counts.started, 1)


class CancellingTests(ProducingCase):
    """Cancelled at every step."""

    def steps(self, consumer: SlowConsumer, threads: ByHand, producing: Deferred[None]) -> Iterator[None]:
        """Go on step by step: a thread's work, a part of a file, room at the consumer."""
        while not producing.called:
            yield
            if len(threads):
                threads.step()
            elif consumer.has_file:
                consumer.send_next_file()
            else:
                consumer.drain()

    def known(self, plan: Plan) -> int:
        """Of how many members the checksum is known."""
        return sum(member is not None and plan.checksums.get(member) is not None for member in plan.members)

    def cancel_at_every_step(self, *, sends_files: bool) -> int:
        step = 0
        while True:
            threads = ByHand()
            self.use(threads, _jumping_clock())
            counts = self.counts = Counts()
            plan, before = self.cold_plan(), open_descriptors()
            consumer = SlowConsumer(0, sends_files=sends_files, files_by_hand=True)
            producing = self.begin(consumer, plan)
            steps = self.steps(consumer, threads, producing)
            if sum(1 for _ in zip(range(step), steps, strict=False)) < step or producing.called:
                self.successResultOf(producing)
                self.assertEqual(len(consumer.received), plan.layout.length)
                return step
            consumer.producer.stopProducing()
            self.failureResultOf(producing, CancelledError)
            received, known = len(consumer.received), self.known(plan)
            threads.run()
            self.assertEqual(len(consumer.received), received)
            self.assertEqual(self.known(plan), known, "a checksum was computed for nobody")
            self.assertEqual(open_descriptors(), before, f"at step {step}")
            self.assertEqual((consumer.unregistered, consumer.has_file), (0, False))
            self.assertEqual((counts.open_transfers, counts.outcomes["interrupted"]), (0, 1))
            step += 1

    def test_written(self) -> None:
        """Whenever a client leaves that is written to, every file is closed and no work goes on."""
        self.album({**_MEMBERS, "d/large": bytes(3 * LARGE)})
        self.assertGreater(self.cancel_at_every_step(sends_files=False), 20)

    def test_files(self) -> None:
        """So it is for one that files are sent to."""
        self.album({**_MEMBERS, "d/large": bytes(3 * LARGE)})
        self.assertGreater(self.cancel_at_every_step(sends_files=True), 20)

    def test_work_that_others_need(self) -> None:
        """A checksum that another transfer waits for is computed to its end."""
        self.album({"1": bytes(CHUNK), "2": bytes(CHUNK)})
        threads = ByHand()
        self.use(threads, _jumping_clock())
        plan = self.cold_plan()
        consumers = [SlowConsumer(10**9) for _ in range(3)]
        producing = [self.begin(consumer, plan) for consumer in consumers]
        threads.step()
        for gone in producing[:2]:
            gone.cancel()
            self.failureResultOf(gone, CancelledError)
        while not producing[2].called:
            threads.run()
        self.successResultOf(producing[2])
        self.assertEqual(len(consumers[2].received), plan.layout.length)


def _write_one_byte(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"x")


def _replace(path: Path) -> None:
    other = path.with_name(".other")
    other.write_bytes(path.read_bytes())
    other.rename(path)


def _become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _become_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _become_link(path: Path) -> None:
    path.rename(path.with_name(".real"))
    path.symlink_to(".real")


#: What may happen to a member.
_CHANGES: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: os.truncate(path, path.stat().st_size - 1),
    "emptied": lambda path: os.truncate(path, 0),
    "grown": lambda path: os.truncate(path, path.stat().st_size + 1),
    "written to": _write_one_byte,
    "replaced": _replace,
    "deleted": Path.unlink,
    "a folder now": _become_folder,
    "a pipe now": _become_pipe,
    "a link now": _become_link,
}


class ChangedMemberTests(ProducingCase):
    """A member is no longer what the plan says."""

    def assert_cut(self, name: str, consumer: SlowConsumer, producing: Deferred[None], whole: bytes) -> None:
        error = self.failureResultOf(producing, MemberChanged).value
        assert isinstance(error, MemberChanged)
        self.assertEqual(error.path, name.encode())
        self.assertLess(len(consumer.received), len(whole))
        self.assertEqual(consumer.unregistered, 1)
        self.assertEqual(self.counts.outcomes, {"finished": 0, "interrupted": 0, "failed": 1})

    def each(self, name: str, *, warm: bool = True) -> Iterator[tuple[str, Path, SlowConsumer, Plan, bytes]]:
        """Each kind of change, for each kind of consumer, with an album made anew."""
        for what in _CHANGES:
            for sends_files in (False, True):
                self.root = Path(self.mktemp())
                self.use(at_once)
                folder = self.album()
                plan = self.plan()
                whole = self.bytes_of(plan)
                plan = plan if warm else self.cold_plan()
                self.counts = Counts()
                consumer = SlowConsumer(0, sends_files=sends_files, files_by_hand=sends_files)
                yield what, folder / name, consumer, plan, whole

    def finish(self, consumer: SlowConsumer) -> None:
        while consumer.paused or consumer.has_file:
            if consumer.has_file:
                consumer.send_next_file()
            else:
                consumer.drain()

    def test_before_sending(self) -> None:
        """Changed between plan and sending, in whatever way, warm or cold: cut, and the log names it."""
        for name in ("small", "a/limit", "b/chunks", "c/windows"):
            for warm in (True, False):
                for what, path, consumer, plan, whole in self.each(name, warm=warm):
                    _CHANGES[what](path)
                    with capturedLogs() as logs:
                        producing = self.begin(consumer, plan)
                        self.finish(consumer)
                    self.assert_cut(name, consumer, producing, whole)
                    said = [str(event["error"]) for event in logs if "error" in event]
                    self.assertTrue(any(name in text for text in said), (what, said))

    def test_while_it_is_sent(self) -> None:
        """Changed while its own data is being sent: cut, before the client has all of it."""
        for what, path, consumer, plan, whole in self.each("c/windows"):
            start = whole.index(_MEMBERS["c/windows"][:100])
            producing = self.begin(consumer, plan)
            while len(consumer.received) <= start:
                if consumer.has_file:
                    if len(consumer.received) == start:
                        break  # it is about to go from the file
                    consumer.send_next_file()
                else:
                    consumer.drain()
            self.assertNoResult(producing)
            _CHANGES[what](path)
            self.finish(consumer)
            self.assert_cut("c/windows", consumer, producing, whole)
            self.assertLess(len(consumer.received), start + len(_MEMBERS["c/windows"]))

    def test_before_its_turn(self) -> None:
        """Changed while another member is being sent: cut when its turn comes."""
        for what, path, consumer, plan, whole in self.each("z"):
            producing = self.begin(consumer, plan)
            self.assertNoResult(producing)
            _CHANGES[what](path)
            self.finish(consumer)
            self.assert_cut("z", consumer, producing, whole)

    def test_after_its_turn(self) -> None:
        """What was sent wholly may change: the client has what the plan says."""
        for what, path, consumer, plan, whole in self.each("small"):
            producing = self.begin(consumer, plan)
            while len(consumer.received) < len(whole) - 2000:
                if consumer.has_file:
                    consumer.send_next_file()
                else:
                    consumer.drain()
            _CHANGES[what](path)
            self.finish(consumer)
            self.successResultOf(producing)
            self.assertEqual(bytes(consumer.received), whole, what)

    def test_album_removed(self) -> None:
        """An album that is removed under way is cut off."""
        folder = self.album()
        plan = self.cold_plan()
        consumer = SlowConsumer(0)
        producing = self.begin(consumer, plan)
        rmtree(folder)
        self.finish(consumer)
        self.failureResultOf(producing, MemberChanged)


class FailingDiskTests(ProducingCase):
    """A disk that fails under way."""

    def test_while_a_file_is_sent(self) -> None:
        """An error of the disk below ``sendfile`` is told with the name of the member."""
        self.album({"1": bytes(10 * CHUNK)})

        class Failing(SlowConsumer):
            def send_file(self, descriptor: int, offset: int, length: int) -> Deferred[None]:
                return fail(OSError(5, "Input/output error"))

        with capturedLogs() as logs:
            producing = self.begin(Failing(10**9, sends_files=True))
        error = self.failureResultOf(producing, Unreadable).value
        assert isinstance(error, Unreadable)
        self.assertEqual((error.path, error.reason), (b"1", "Input/output error"))
        self.assertTrue(any("1: Input/output error" in str(event.get("error")) for event in logs))

    def test_while_a_window_is_prepared(self) -> None:
        """An error while the next window is made ready ends the part of the file that is being sent."""
        self.album({"1": bytes(20 * CHUNK)})
        plan = self.plan()
        self.bytes_of(plan)
        reader = self.store.reader("album")
        consumer = SlowConsumer(10**9, sends_files=True, files_by_hand=True)
        transfer = Transfer("album", self.counts, logs=False)
        items = [Span(0, plan.layout.length)]
        failing = cast(IAlbumReader, _FailingWindows(reader))
        producing = ArchiveProducer(plan, items, failing, transfer).produce_to(cast(Request, consumer))
        self.failureResultOf(producing, Unreadable)
        self.assertFalse(consumer.has_file)
        self.assertEqual(consumer.unregistered, 1)


class _FailingWindows:
    """A reader whose open members can make ready their first window only."""

    def __init__(self, reader: IAlbumReader) -> None:
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def open(self, member: Any) -> Deferred[Any]:
        opened: Any = deferred(self._reader.open(member))

        def prepare(offset: int, _: int) -> Deferred[None]:
            return fail(Unreadable(member.path, "Input/output error")) if offset else succeed(None)

        def failing(opened: Any) -> Any:
            opened.prepare = prepare
            return opened

        return cast(Deferred[Any], opened.addCallback(failing))


def _spans(length: int) -> st.SearchStrategy[Span]:
    """Spans of any length, and as many short ones."""
    stops = st.integers(1, length)
    long = stops.flatmap(lambda stop: st.integers(0, stop - 1).map(lambda start: Span(start, stop)))
    short = stops.flatmap(
        lambda stop: st.integers(max(0, stop - 300), stop - 1).map(lambda start: Span(start, stop))
    )
    return long | short


def _jumping_clock() -> Callable[[], float]:
    """A clock by which everything takes a second, so that all is left to threads."""
    now = [0.0]

    def tell() -> float:
        now[0] += 1.0
        return now[0]

    return tell
