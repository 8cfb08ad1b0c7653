"""
Tests of bodies that come from S3, and of what watches them.
"""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone, ResponseFailed

from fileserve.storage.s3body import Body, Lost, Silence, TooLong, reason_of

from .s3script import Endless, ScriptCase, answer
from .support import deferred, until


class SilenceTests(SynchronousTestCase):
    """An exchange in which nothing happens for too long is cut, once."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.cut: list[float] = []
        self.silence = Silence(self.clock, 10, lambda: self.cut.append(self.clock.seconds()))

    def test_cut(self) -> None:
        """It is cut when nothing was heard for so long, counted from what was heard last."""
        for _ in range(5):
            self.clock.advance(4)
            self.silence.heard()
        self.assertFalse(self.silence.broken)
        self.clock.pump([1] * 30)
        self.assertEqual(self.cut, [30])
        self.assertTrue(self.silence.broken)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_rest(self) -> None:
        """The time in which it is we who hold back does not count."""
        self.clock.advance(5)
        self.silence.rest()
        self.clock.pump([5] * 20)
        self.silence.listen()
        self.clock.pump([1] * 9)
        self.assertEqual(self.cut, [])
        self.clock.pump([1] * 10)
        self.assertEqual(len(self.cut), 1)

    def test_stop(self) -> None:
        """Nothing is left of one that is over, however often that is said."""
        self.silence.stop()
        self.silence.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class _Transport:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")


class BodyTests(SynchronousTestCase):
    """A body is read in whatever lengths."""

    def body(self, length: int | None = None) -> Body:
        self.clock = Clock()
        self.aborted: list[None] = []
        body = Body(length, Silence(self.clock, 10, list), lambda: self.aborted.append(None))
        self.transport = _Transport()
        body.makeConnection(self.transport)
        return body

    def test_reads(self) -> None:
        """What came in pieces is read in others; whoever wants more than came waits."""
        body = self.body()
        reading = deferred(body.read(5))
        for piece in (b"1", b"23", b"456"):
            self.assertNoResult(reading)
            body.dataReceived(piece)
        self.assertEqual(self.successResultOf(reading), b"12345")
        self.assertEqual(self.successResultOf(deferred(body.read(1))), b"6")
        rest = deferred(body.rest(3))
        body.dataReceived(b"789")
        self.assertNoResult(rest)
        body.connectionLost(Failure(ResponseDone()))
        self.assertEqual(self.successResultOf(rest), b"789")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_last_bytes(self) -> None:
        """The last bytes are given when the connection is free for the next request, and not before."""
        body = self.body(6)
        reading = deferred(body.read(6))
        body.dataReceived(b"123456")
        self.assertNoResult(reading)
        body.connectionLost(Failure(ResponseDone()))
        self.assertEqual(self.successResultOf(reading), b"123456")

    def test_too_long(self) -> None:
        """All that is left has a limit; beyond it the connection is closed."""
        body = self.body()
        rest = deferred(body.rest(3))
        body.dataReceived(b"1234")
        self.failureResultOf(rest, TooLong)
        self.assertEqual(self.aborted, [None])

    def test_lost(self) -> None:
        """What came before the connection was lost can be read, and then the reason is told."""
        body = self.body()
        body.dataReceived(b"123")
        body.connectionLost(Failure(ResponseFailed([Failure(ConnectionLost("gone."))])))
        self.assertEqual(self.successResultOf(deferred(body.read(2))), b"12")
        failure = self.failureResultOf(deferred(body.read(2)), Lost)
        self.assertIn("gone", str(failure.value))

    def test_wants_more_than_is_held(self) -> None:
        """One read may want more than is held else."""
        body = self.body()
        reading = deferred(body.read(3_000_000))
        for _ in range(30):
            body.dataReceived(bytes(100_000))
        self.assertEqual(len(self.successResultOf(reading)), 3_000_000)

    def test_reasons(self) -> None:
        """The innermost error is told, without a full stop; one without words by its name."""
        self.assertEqual(reason_of(ResponseFailed([Failure(OSError("it broke."))])), "it broke")
        self.assertEqual(reason_of(ValueError()), "ValueError")


class PausingTests(ScriptCase):
    """A body is taken as it is wanted."""

    async def test_pauses(self) -> None:
        """Whoever reads slowly lets the server wait, however long; some MiB is held, no more."""
        size = 40 * 1024 * 1024
        sent = Endless(size)
        self.play(sent)
        reply = await self.client(silence=0.3).fetch(b"key", {})
        await reply.body.read(1)
        await deferLater(reactor, 0.8)
        self.assertLess(sent.written, 12 * 1024 * 1024)  # sockets hold some MiB on both sides
        left = size - 1
        while left:
            left -= len(await reply.body.read(min(left, 100_000)))
        self.assertEqual(sent.written, size)

    async def test_closing(self) -> None:
        """A body that is not wanted any more closes its connection; twice is no harm."""
        sent = Endless(1 << 40)
        self.play(sent)
        reply = await self.client().fetch(b"key", {})
        await reply.body.read(10)
        reply.body.close()
        reply.body.close()
        await until(lambda: sent.stopped)

    async def test_end(self) -> None:
        """More than there is can't be read."""
        self.play(answer(200, b"12345"))
        reply = await self.client().fetch(b"key", {})
        self.assertEqual(await reply.body.read(2), b"12")
        await self.assertFailure(deferred(reply.body.read(4)), EOFError)
