"""
Tests of what all producers of bodies do: their patience, how open members are sent, and how they end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import cast

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IProducer, IPushProducer
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyClass, verifyObject

from fileserve.http.producing import CHUNK, SMALL, PushProducer, abandon
from fileserve.http.ranges import Span
from fileserve.http.site import Request
from fileserve.storage.abilities import IDescriptor
from fileserve.storage.errors import MemberChanged, Unreadable
from fileserve.storage.held import InThread
from fileserve.storage.interfaces import Data, IOpenMember, Member

from .support import ByHand, SlowConsumer, at_once

_MIB = 1024 * 1024
_DATA = Random(2).randbytes(5 * _MIB + 77)
_WHOLE = (Span(0, len(_DATA)),)


@implementer(IOpenMember)
class MemberInMemory:
    """
    An open member without a file, as one of a bucket.

    :ivar done: what was asked of it, in order; others may add to it.
    """

    def __init__(self, data: bytes = _DATA, in_thread: InThread = at_once) -> None:
        self.member = Member(b"name", len(data), 0, ())
        self.done: list[tuple[str, int, int]] = []
        self.closed = 0
        self.changed = False
        self._data = data
        self._in_thread = in_thread

    def prepare(self, offset: int, length: int) -> Deferred[None]:
        self.done.append(("prepare", offset, length))
        return self._in_thread(lambda: None)

    def read(self, offset: int, length: int) -> Deferred[Data]:
        assert not self.closed
        self.done.append(("read", offset, length))
        return self._in_thread(lambda: self._data[offset : offset + length]).addCallback(self._checked)

    def _checked(self, data: Data) -> Data:
        self.check()
        return data

    def check(self) -> None:
        self.done.append(("check", 0, 0))
        if self.changed:
            raise MemberChanged(b"name", "it was replaced")

    def close(self) -> None:
        self.closed += 1


@implementer(IDescriptor)
class MemberInFile(MemberInMemory):
    """
    An open member that has a descriptor.
    """

    def __init__(self, path: Path, data: bytes = _DATA, in_thread: InThread = at_once) -> None:
        super().__init__(data, in_thread)
        path.write_bytes(data)
        self.path = path
        self._descriptor = os.open(path, os.O_RDONLY)

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


class Parts(PushProducer):
    """
    The least that a producer is: parts of one open member.

    :ivar counted: the sizes that it was told of.
    """

    def __init__(
        self,
        opened: MemberInMemory,
        items: Iterable[bytes | Span] = _WHOLE,
        pause: Callable[[], Deferred[None]] | None = None,
    ) -> None:
        super().__init__(items, pause)
        self.opened = opened
        self.counted: list[int] = []

    async def send_span(self, span: Span) -> None:
        await self.send_open(self.opened, span.start, span.stop)

    def handing_on(self, size: int) -> None:
        self.counted.append(size)

    def close(self) -> None:
        self.opened.close()

    def begin(self, consumer: SlowConsumer) -> Deferred[None]:
        return self.produce_to(cast(Request, consumer))


class PartsCase(SynchronousTestCase):
    """Open members, with and without a file."""

    def in_file(self, data: bytes = _DATA, in_thread: InThread = at_once) -> MemberInFile:
        opened = MemberInFile(Path(self.mktemp()), data, in_thread)
        self.addCleanup(lambda: self.assertGreater(opened.closed, 0))
        return opened


class FakeTests(PartsCase):
    """The members of these tests."""

    def test_interface(self) -> None:
        """They are what stores give."""
        verifyClass(IOpenMember, MemberInMemory)
        opened = self.in_file()
        verifyObject(IDescriptor, opened)
        opened.close()


class WrittenTests(PartsCase):
    """Sending by reading and writing."""

    def test_interface(self) -> None:
        """A producer is an ``IPushProducer``."""
        verifyObject(IPushProducer, Parts(MemberInMemory()))

    def test_items(self) -> None:
        """Bytes go as they are, spans as the bytes they name, in order."""
        consumer = SlowConsumer(10**9)
        items = (b"first", Span(1000, 2000), b"between", Span(3, 4), b"last")
        self.successResultOf(Parts(MemberInMemory(), items).begin(consumer))
        expected = b"first" + _DATA[1000:2000] + b"between" + _DATA[3:4] + b"last"
        self.assertEqual(bytes(consumer.received), expected)

    def test_chunks(self) -> None:
        """A member without a file goes in chunks, and so does one with a file where files can't be sent."""
        for opened, sends_files in ((MemberInMemory(), True), (self.in_file(), False)):
            consumer = SlowConsumer(10**9, sends_files=sends_files)
            self.successResultOf(Parts(opened).begin(consumer))
            self.assertEqual(bytes(consumer.received), _DATA)
            self.assertEqual(consumer.writes, [CHUNK] * 20 + [77])

    def test_small(self) -> None:
        """A small part is one reading and one writing, even where files can be sent."""
        for length in (1, 10_240, SMALL):
            opened = self.in_file()
            consumer = SlowConsumer(10**9, sends_files=True)
            self.successResultOf(Parts(opened, (Span(5, 5 + length),)).begin(consumer))
            self.assertEqual(bytes(consumer.received), _DATA[5 : 5 + length])
            self.assertEqual(consumer.writes, [length])
            self.assertEqual(opened.done, [("read", 5, length), ("check", 0, 0)])

    def test_room(self) -> None:
        """There is room for what the consumer takes, a chunk at the most; for a chunk where none can tell."""
        asked: list[int] = []

        class Asking(Parts):
            async def send_span(self, span: Span) -> None:
                asked.append(await self.room())

        for limit, sends_files in ((10, True), (10**9, True), (10, False)):
            consumer = SlowConsumer(limit, sends_files=sends_files)
            self.successResultOf(Asking(MemberInMemory()).begin(consumer))
        self.assertEqual(asked, [10, CHUNK, CHUNK])

    def test_counted(self) -> None:
        """A subclass is told of all that is handed on, read or not."""
        for sends_files in (False, True):
            producer = Parts(self.in_file(), (b"12345", *_WHOLE))
            self.successResultOf(producer.begin(SlowConsumer(10**9, sends_files=sends_files)))
            self.assertEqual(producer.counted[0], 5)
            self.assertEqual(sum(producer.counted), 5 + len(_DATA))


class FileTests(PartsCase):
    """Sending from a file."""

    def begin(self, opened: MemberInFile, consumer: SlowConsumer) -> Deferred[None]:
        """Begin with a consumer whose parts of files stand among what is done."""
        send_file = consumer.send_file

        def noted(descriptor: int, offset: int, length: int) -> Deferred[None]:
            opened.done.append(("send", offset, length))
            return send_file(descriptor, offset, length)

        consumer.send_file = noted  # type: ignore[method-assign]
        return Parts(opened).begin(consumer)

    def test_windows(self) -> None:
        """Each window is made ready while the one before is sent; the end is read, after a check."""
        opened, consumer = self.in_file(), SlowConsumer(10**9, sends_files=True, files_by_hand=True)
        producing = self.begin(opened, consumer)
        first = [("prepare", 0, 2 * _MIB), ("send", 0, 2 * _MIB), ("prepare", 2 * _MIB, 2 * _MIB)]
        self.assertEqual(opened.done, first)
        consumer.send_next_file()
        rest = len(_DATA) - 4 * _MIB - 16 * 1024
        second = [("send", 2 * _MIB, 2 * _MIB), ("prepare", 4 * _MIB, rest)]
        self.assertEqual(opened.done, first + second)
        consumer.send_next_file()
        consumer.send_next_file()
        self.successResultOf(producing)
        at = 4 * _MIB + rest
        last = [("send", 4 * _MIB, rest), ("check", 0, 0), ("read", at, 16 * 1024), ("check", 0, 0)]
        self.assertEqual(opened.done, first + second + last)
        self.assertEqual(bytes(consumer.received), _DATA)

    def test_just_over_small(self) -> None:
        """The smallest part that goes from the file is sent whole, once."""
        consumer = SlowConsumer(10**9, sends_files=True)
        self.successResultOf(Parts(self.in_file(), (Span(9, 10 + SMALL),)).begin(consumer))
        self.assertEqual(bytes(consumer.received), _DATA[9 : 10 + SMALL])
        self.assertEqual(consumer.writes, [16 * 1024])

    def test_paused(self) -> None:
        """A consumer that pauses after the headers gets no file until it goes on."""
        opened = self.in_file()
        consumer = SlowConsumer(0, sends_files=True)
        producing = Parts(opened, (b"header", *_WHOLE)).begin(consumer)
        self.assertEqual(bytes(consumer.received), b"header")
        consumer.drain_all()
        self.successResultOf(producing)
        self.assertEqual(bytes(consumer.received), b"header" + _DATA)
        self.assertEqual(consumer.unasked, 0)

    def test_replaced(self) -> None:
        """A member that is another one by the time its windows are sent is told before its end is."""
        opened, consumer = self.in_file(), SlowConsumer(10**9, sends_files=True)
        opened.changed = True
        self.failureResultOf(self.begin(opened, consumer), MemberChanged)
        self.assertEqual(len(consumer.received), len(_DATA) - 16 * 1024)

    def test_shorter(self) -> None:
        """A file that ends too early is a member that changed."""
        opened, consumer = self.in_file(), SlowConsumer(10**9, sends_files=True)
        os.truncate(opened.path, 3 * _MIB)
        error = self.failureResultOf(self.begin(opened, consumer), MemberChanged).value
        self.assertEqual(cast(MemberChanged, error).path, b"name")

    def test_disk_fails(self) -> None:
        """An error of the disk is told with the name of the member."""
        consumer = SlowConsumer(10**9, sends_files=True)
        consumer.send_file = lambda *_: fail(OSError(5, "Input/output error"))  # type: ignore[method-assign]
        error = self.failureResultOf(Parts(self.in_file()).begin(consumer), Unreadable).value
        self.assertEqual((cast(Unreadable, error).path, str(error)), (b"name", "name: Input/output error"))

    def test_pause_between(self) -> None:
        """Who wants a pause before each chunk gets chunks, and no file past it."""
        pauses: list[Deferred[None]] = []

        def pause() -> Deferred[None]:
            pauses.append(Deferred())
            return pauses[-1]

        consumer = SlowConsumer(10**9, sends_files=True)
        producing = Parts(self.in_file(), pause=pause).begin(consumer)
        while not producing.called:
            self.assertEqual(len(consumer.writes), len(pauses) - 1)
            pauses[-1].callback(None)
        self.assertEqual(consumer.writes, [CHUNK] * 20 + [77])


class PatienceTests(PartsCase):
    """A consumer that is slow."""

    def test_peak(self) -> None:
        """Nothing is written to a paused consumer: it never holds more than a chunk over its limit."""
        for limit in (0, 1, CHUNK, _MIB):
            for opened in (MemberInMemory(), self.in_file()):
                consumer = SlowConsumer(limit, sends_files=True)
                producing = Parts(opened, (*_WHOLE, b"between", *_WHOLE)).begin(consumer)
                consumer.drain_all()
                self.successResultOf(producing)
                self.assertEqual(bytes(consumer.received), _DATA + b"between" + _DATA)
                self.assertEqual(consumer.unasked, 0)
                self.assertLessEqual(consumer.peak, limit + CHUNK)

    def test_reads_nothing_while_paused(self) -> None:
        """While the consumer is paused, nothing is read for it."""
        threads = ByHand()
        consumer = SlowConsumer(0)
        producing = Parts(MemberInMemory(in_thread=threads)).begin(consumer)
        while not producing.called:
            if consumer.paused:
                self.assertEqual(len(threads), 0)
                consumer.drain()
            else:
                threads.step()
        self.assertEqual(bytes(consumer.received), _DATA)

    def test_paused_while_reading(self) -> None:
        """A consumer that is paused while it is read for is not written to when that is done."""
        threads = ByHand()
        consumer = SlowConsumer(10**9)
        producing = Parts(MemberInMemory(in_thread=threads)).begin(consumer)
        producer = consumer.producer
        producer.pauseProducing()
        producer.pauseProducing()
        threads.run()
        self.assertEqual(consumer.writes, [])
        producer.resumeProducing()
        producer.resumeProducing()
        self.assertEqual(consumer.writes, [CHUNK])
        threads.run()
        self.successResultOf(producing)
        self.assertEqual(bytes(consumer.received), _DATA)

    def test_last_chunk(self) -> None:
        """It has not finished before the consumer has room again: so the next body of a client waits too."""
        consumer = SlowConsumer(0)
        producing = Parts(MemberInMemory(), (Span(0, 10),)).begin(consumer)
        self.assertEqual(len(consumer.received), 10)
        self.assertNoResult(producing)
        consumer.drain()
        self.successResultOf(producing)


class EndingTests(PartsCase):
    """How it ends."""

    def seen(self, producing: Deferred[None], opened: MemberInMemory, consumer: SlowConsumer) -> list[object]:
        """What stands at the moment when the end is told: the outcome, how often closed and unregistered."""
        told: list[object] = []

        def look(result: object) -> None:
            outcome = result.type if isinstance(result, Failure) else result
            told.extend((outcome, opened.closed, consumer.unregistered))

        producing.addBoth(look)
        return told

    def test_finished(self) -> None:
        """When it has finished, all was given back already, and it has unregistered itself, once."""
        opened, consumer = MemberInMemory(), SlowConsumer(10**9)
        self.assertEqual(self.seen(Parts(opened).begin(consumer), opened, consumer), [None, 1, 1])

    def test_failed(self) -> None:
        """So it is when it fails."""
        opened, consumer = MemberInMemory(), SlowConsumer(10**9)
        opened.changed = True
        self.assertEqual(self.seen(Parts(opened).begin(consumer), opened, consumer), [MemberChanged, 1, 1])
        self.assertEqual(consumer.received, b"")

    def test_consumer_gone(self) -> None:
        """When the consumer is gone, it ends at once and unregisters nothing."""
        opened, consumer = MemberInMemory(), SlowConsumer(0)
        producing = Parts(opened).begin(consumer)
        consumer.producer.stopProducing()
        self.assertEqual(self.seen(producing, opened, consumer), [CancelledError, 1, 0])
        consumer.drain()
        self.assertEqual(len(consumer.writes), 1)

    def test_not_taken(self) -> None:
        """A request that takes no producer any more changes nothing: all is given back."""

        class Gone(SlowConsumer):
            def registerProducer(self, producer: IProducer, streaming: bool) -> None:
                raise AttributeError

        opened, consumer = MemberInMemory(), Gone(10**9)
        self.assertEqual(self.seen(Parts(opened).begin(consumer), opened, consumer), [AttributeError, 1, 0])

    def cancelled_at(self, step: int, opened: MemberInMemory, threads: ByHand) -> bool:
        """Cancel after so many steps, of a thread, a file or the consumer. Tell whether it came to that."""
        consumer = SlowConsumer(0, sends_files=True, files_by_hand=True)
        producing = Parts(opened, (b"header", *_WHOLE, b"between", Span(0, 10))).begin(consumer)
        for _ in range(step):
            if len(threads):
                threads.step()
            elif consumer.has_file:
                consumer.send_next_file()
            else:
                consumer.drain()
        if producing.called:
            return False
        received = len(consumer.received)
        consumer.producer.stopProducing()
        self.failureResultOf(producing, CancelledError)
        threads.run()
        self.assertEqual((opened.closed, consumer.unregistered, consumer.has_file), (1, 0, False))
        self.assertEqual(len(consumer.received), received)
        return True

    def test_cancelled(self) -> None:
        """At whatever step it is cancelled, the member is closed, and nothing is sent any more."""
        for in_file in (False, True):
            step, threads = 0, ByHand()
            while self.cancelled_at(
                step,
                self.in_file(in_thread=threads) if in_file else MemberInMemory(in_thread=threads),
                threads,
            ):
                step += 1
            self.assertGreater(step, 8)


class AbandonTests(SynchronousTestCase):
    """Waiting no longer."""

    def test_cancels(self) -> None:
        """What is waited for is cancelled."""
        cancelled: list[object] = []
        abandon(Deferred(cancelled.append))
        self.assertEqual(len(cancelled), 1)

    def test_failure(self) -> None:
        """Nobody hears of its failure; what has succeeded already is left alone."""
        abandon(fail(ZeroDivisionError()))
        abandon(succeed(None))
        self.assertEqual(self.flushLoggedErrors(), [])
