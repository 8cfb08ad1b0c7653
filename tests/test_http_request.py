"""
Tests of requests with bodies: routed before the body comes, read with back-pressure, answered early, lost.
"""

from __future__ import annotations

import gc
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from fileserve.http.body import HELD, BodyLost
from fileserve.http.refusal import Refusal
from fileserve.http.site import REQUEST_TIMEOUT, Request

from .support import Connection, deferred, site_of_resource

_MIB = 1024 * 1024


class Taker(Resource):
    """
    Takes requests, and leaves it to the test to read their bodies and to answer.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.early: bytes | None = None

    def render(self, request: Request) -> Any:
        self.requests.append(request)
        return NOT_DONE_YET if self.early is None else self.early


class RequestCase(SynchronousTestCase):
    """A site around a `Taker`, on a clock, and one connection."""

    def setUp(self) -> None:
        self.taker = Taker()
        self.clock = Clock()
        self.connection = Connection(site_of_resource(self.taker, self.clock))

    def begin(self, *headers: bytes, target: bytes = b"/a", version: bytes = b"1.1") -> Request:
        """Send the head of a request; it is routed at once."""
        lines = [b"PUT %b HTTP/%b" % (target, version), b"Host: x", *headers]
        self.connection.send(b"\r\n".join(lines) + b"\r\n\r\n")
        return self.taker.requests[-1]

    def answer(self, request: Request, body: bytes = b"done") -> None:
        request.setHeader(b"Content-Length", b"%d" % len(body))
        request.write(body)
        request.finish()

    @property
    def held(self) -> bool:
        """Whether the connection was told to read no more."""
        return self.connection.transport.producerState == "paused"

    def read(self, request: Request) -> bytes:
        """What comes of reading once; something is there."""
        return b"".join(self.successResultOf(deferred(request.body.read())))


class ReadingTests(RequestCase):
    """Bodies that somebody reads."""

    def test_routed_first(self) -> None:
        """A request is routed when its headers have come, with its target and headers."""
        request = self.begin(b"Content-Length: 5", b"X-Test: yes", target=b"/a/b?c=d")
        self.assertEqual((request.method, request.path, request.query), (b"PUT", b"/a/b", {b"c": [b"d"]}))
        self.assertEqual(request.getHeader(b"X-Test"), b"yes")
        self.assertEqual(request.body.length, 5)
        self.assertFalse(request.complete)

    def test_pieces(self) -> None:
        """Pieces are read as they come; at the end, and from then on, there are none."""
        request = self.begin(b"Content-Length: 10")
        reading = deferred(request.body.read())
        self.assertNoResult(reading)
        self.connection.send(b"012")
        self.assertEqual(self.successResultOf(reading), [b"012"])
        self.connection.send(b"345")
        self.connection.send(b"6789")
        self.assertEqual(self.read(request), b"3456789")
        for _ in range(2):
            self.assertEqual(self.read(request), b"")

    def test_chunked(self) -> None:
        """A body of unknown length is read the same way."""
        request = self.begin(b"Transfer-Encoding: chunked")
        self.assertIsNone(request.body.length)
        self.connection.send(b"3\r\n012\r\n4\r\n34")
        self.assertEqual(self.read(request), b"01234")
        reading = deferred(request.body.read())
        self.connection.send(b"56\r\n0\r\n\r\n")
        self.assertEqual(b"".join(self.successResultOf(reading)), b"56")
        self.assertEqual(self.read(request), b"")

    def test_no_body(self) -> None:
        """A request without a body has an empty one."""
        self.connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        body = self.taker.requests[0].body
        self.assertEqual((body.length, body.ended), (0, True))
        self.assertEqual(self.successResultOf(deferred(body.read())), [])
        self.assertEqual(self.successResultOf(deferred(body.whole(0))), b"")

    def test_next_request(self) -> None:
        """What comes behind a body is the next request, and is answered after the first."""
        first = self.begin(b"Content-Length: 5")
        self.connection.send(b"12345GET /b HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(self.read(first), b"12345")
        self.answer(first)
        self.assertEqual([request.path for request in self.taker.requests], [b"/a", b"/b"])
        self.assertNotIn(b"close", self.connection.received())

    @settings(deadline=None, max_examples=50)
    @given(st.lists(st.binary(min_size=1, max_size=50), min_size=1), st.data())
    def test_any_division(self, pieces: list[bytes], data: st.DataObject) -> None:
        """However a body arrives, and whenever it is read, it is whole and in order."""
        self.setUp()
        whole = b"".join(pieces)
        request = self.begin(b"Content-Length: %d" % len(whole))
        got = b""
        for piece in pieces:
            self.connection.send(piece)
            if data.draw(st.booleans()):
                got += self.read(request)
        got += self.read(request)
        self.assertEqual(got, whole)

    def test_back_pressure(self) -> None:
        """A connection is held when 1 MiB waits to be read, and goes on when it was read."""
        request = self.begin(b"Content-Length: %d" % (3 * HELD))
        for _ in range(2):
            self.connection.send(bytes(HELD - 1))
            self.assertFalse(self.held)
            self.connection.send(b"1")
            self.assertTrue(self.held)
            self.assertEqual(len(self.read(request)), HELD)
            self.assertFalse(self.held)

    def test_many_small_pieces(self) -> None:
        """Pieces of two bytes, which take more memory than that, are held sooner."""
        request = self.begin(b"Transfer-Encoding: chunked")
        self.connection.send(b"2\r\nab\r\n" * 20_000)
        self.assertTrue(self.held)
        self.assertEqual(len(self.read(request)), 40_000)
        self.assertFalse(self.held)

    def test_no_timeout_while_held(self) -> None:
        """A client that waits for us is not timed out; one that sends nothing is."""
        request = self.begin(b"Content-Length: %d" % (3 * HELD))
        self.connection.send(bytes(HELD))
        self.clock.pump([REQUEST_TIMEOUT + 1] * 3)
        self.assertFalse(self.connection.lost)
        self.read(request)
        self.clock.advance(REQUEST_TIMEOUT - 1)
        self.assertFalse(self.connection.lost)
        self.clock.advance(1)
        self.assertTrue(self.connection.lost)

    def test_whole(self) -> None:
        """A small body is read whole."""
        request = self.begin(b"Content-Length: 6")
        reading = deferred(request.body.whole(6))
        self.connection.send(b"012")
        self.assertNoResult(reading)
        self.connection.send(b"345")
        self.assertEqual(self.successResultOf(reading), b"012345")

    def test_whole_of_a_large_one(self) -> None:
        """One that is longer than what is taken is refused, before it comes where its length is told."""
        request = self.begin(b"Content-Length: 7")
        refusal = self.failureResultOf(deferred(request.body.whole(6)), Refusal).value
        self.assertEqual(refusal.status, 413)
        self.setUp()
        request = self.begin(b"Transfer-Encoding: chunked")
        reading = deferred(request.body.whole(6))
        self.connection.send(b"6\r\n012345\r\n")
        self.assertNoResult(reading)
        self.connection.send(b"1\r\n6\r\n")
        self.assertEqual(self.failureResultOf(reading, Refusal).value.status, 413)

    def test_held_while_the_response_drains(self) -> None:
        """That the client takes more of the response does not let more of its request in."""
        request = self.begin(b"Content-Length: %d" % (3 * HELD))
        self.connection.send(bytes(HELD))
        self.assertTrue(self.held)
        self.connection.channel.resumeProducing()
        self.assertTrue(self.held)
        self.read(request)
        self.assertFalse(self.held)

    def test_tiny_chunks(self) -> None:
        """A body in chunks of a byte is handed on in few pieces, and its reader told once for all of them."""
        request = self.begin(b"Transfer-Encoding: chunked")
        reading = deferred(request.body.read())
        self.connection.send(b"1\r\nx\r\n" * 1000)
        self.assertEqual(self.successResultOf(reading), [b"x" * 1000])

    def test_whole_of_tiny_chunks(self) -> None:
        """Such a body is read whole, and refused where it is too long."""
        request = self.begin(b"Transfer-Encoding: chunked")
        reading = deferred(request.body.whole(1000))
        for _ in range(10):
            self.connection.send(b"1\r\nx\r\n" * 100)
        self.assertNoResult(reading)
        self.connection.send(b"1\r\nx\r\n")
        self.assertEqual(self.failureResultOf(reading, Refusal).value.status, 413)


class ContinueTests(RequestCase):
    """Clients that wait to be asked for the body (RFC 9110 section 10.1.1)."""

    _ASKED = b"HTTP/1.1 100 Continue\r\n\r\n"

    def test_asked_when_read(self) -> None:
        """The body is asked for when it is read for the first time, and only then."""
        request = self.begin(b"Content-Length: 6", b"Expect: 100-continue")
        self.assertEqual(self.connection.received(), b"")
        reading = deferred(request.body.read())
        self.assertEqual(self.connection.received(), self._ASKED)
        self.connection.send(b"012")
        self.successResultOf(reading)
        self.connection.send(b"345")
        self.read(request)
        self.assertEqual(self.connection.received(), b"")
        self.answer(request)
        self.assertEqual(self.connection.answer().body, b"done")
        self.assertFalse(self.connection.lost)

    def test_refused(self) -> None:
        """Who is answered before is never asked, and the connection closes: the client may send it or not."""
        self.taker.early = b"no"
        self.begin(b"Content-Length: 6", b"Expect: 100-Continue")
        answer = self.connection.answer()
        self.assertEqual((answer.status, answer.body, answer.headers["Connection"]), (200, b"no", "close"))
        self.assertFalse(self.connection.lost)
        self.clock.advance(5)
        self.assertTrue(self.connection.lost)

    def test_not_expected(self) -> None:
        """Nobody else is asked, nor is a client of HTTP/1.0, which knows no such answer."""
        for version, header in ((b"1.1", b"X: y"), (b"1.0", b"Expect: 100-continue")):
            self.setUp()
            request = self.begin(b"Content-Length: 6", header, version=version)
            deferred(request.body.read()).addErrback(lambda _: None)
            self.assertEqual(self.connection.received(), b"")
            self.connection.leave()


class EarlyAnswerTests(RequestCase):
    """Answers before the body has come to its end."""

    def test_sent_at_once(self) -> None:
        """The answer is sent at once, whole, and says that the connection will close."""
        self.taker.early = b"no"
        self.begin(b"Content-Length: 10000000")
        answer = self.connection.answer()
        self.assertEqual((answer.body, answer.headers["Connection"]), (b"no", "close"))

    def test_rest_is_dropped(self) -> None:
        """The rest is dropped as it comes; then the connection closes."""
        self.taker.early = b"no"
        for header, pieces in (
            (b"Content-Length: 10000000", [bytes(100_000)] * 100),
            (b"Transfer-Encoding: chunked", [b"1000\r\n" + bytes(0x1000) + b"\r\n"] * 100 + [b"0\r\n\r\n"]),
        ):
            self.setUp()
            self.taker.early = b"no"
            request = self.begin(header)
            for piece in pieces:
                self.assertFalse(self.connection.lost)
                self.connection.send(piece)
            self.assertTrue(self.connection.lost)
            self.assertFalse(self.connection.transport.aborted)
            self.assertEqual(self.successResultOf(deferred(request.body.read())), [])
            self.clock.advance(10)

    def test_small_rest(self) -> None:
        """A small body is under way already, so the connection is kept for the next request."""
        self.taker.early = b"no"
        self.begin(b"Content-Length: 5")
        self.connection.send(b"12345GET /b HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual([request.path for request in self.taker.requests], [b"/a", b"/b"])
        self.assertNotIn(b"close", self.connection.received())
        self.clock.advance(10)
        self.assertFalse(self.connection.lost)

    def test_bound(self) -> None:
        """After 16 MiB the connection closes, whatever length was promised, or none."""
        for header in (b"Content-Length: 5000000000", b"Transfer-Encoding: chunked"):
            self.setUp()
            self.taker.early = b"no"
            self.begin(header)
            sent = 0
            while not self.connection.lost:
                chunk = bytes(_MIB)
                self.connection.send(chunk if b"Length" in header else b"100000\r\n" + chunk + b"\r\n")
                sent += _MIB
                self.assertLess(sent, 20 * _MIB)
            self.assertGreaterEqual(sent, 16 * _MIB)
            self.clock.advance(10)

    def test_time(self) -> None:
        """After 5 seconds the connection closes, however little comes."""
        self.taker.early = b"no"
        self.begin(b"Content-Length: 5000000000")
        self.clock.advance(4.9)
        self.connection.send(b"x")
        self.assertFalse(self.connection.lost)
        self.clock.advance(0.1)
        self.assertTrue(self.connection.lost)

    def test_held(self) -> None:
        """A connection that was held when the answer was given goes on, to drop the rest."""
        request = self.begin(b"Content-Length: %d" % (3 * HELD))
        self.connection.send(bytes(HELD))
        self.assertTrue(self.held)
        self.answer(request)
        self.assertFalse(self.held)
        self.connection.send(bytes(2 * HELD))
        self.assertTrue(self.connection.lost)

    def test_not_logged_as_interrupted(self) -> None:
        """Such a request was answered: losing the connection after that is no interruption."""
        site = site_of_resource(self.taker, self.clock, access=True)
        self.connection = Connection(site)
        self.taker.early = b"no"
        with capturedLogs() as logs:
            self.begin(b"Content-Length: 10000000")
            self.connection.leave()
        lines = [event for event in logs if event["log_namespace"] == "fileserve.access"]
        self.assertEqual([event["interrupted"] for event in lines], [""])


class ManyRequestsTests(RequestCase):
    """Many requests that come at once."""

    def test_others_first(self) -> None:
        """After 16 answers in a row others have their turn; then it goes on, to the last."""
        self.taker.early = b"no"
        request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
        self.connection.send(request * 40)
        self.assertEqual(len(self.taker.requests), 16)
        self.assertTrue(self.held)
        self.clock.advance(0)  # which lets all turns happen that are due
        self.assertEqual(len(self.taker.requests), 40)
        self.assertFalse(self.held)
        self.connection.send(request)
        self.assertEqual(len(self.taker.requests), 41)

    def test_lost_meanwhile(self) -> None:
        """A client that left is not answered any more."""
        self.taker.early = b"no"
        self.connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 40)
        self.connection.leave()
        self.clock.advance(1)
        self.assertEqual(len(self.taker.requests), 16)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class BrokenTests(RequestCase):
    """What is no HTTP."""

    def test_endless_length(self) -> None:
        """A length of thousands of digits is refused as any other that is none."""
        self.connection.send(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"1" * 5000 + b"\r\n\r\n")
        self.assertTrue(self.connection.received().startswith(b"HTTP/1.1 400 "))
        self.assertTrue(self.connection.lost)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_within_an_answer(self) -> None:
        """A broken request whose answer is under way is cut: no other answer gets into that one."""
        request = self.begin(b"Transfer-Encoding: chunked")
        request.setHeader(b"Content-Length", b"100")
        request.write(b"begun")
        self.connection.send(b"zz\r\n")
        self.assertTrue(self.connection.transport.aborted)
        self.assertTrue(self.connection.received().endswith(b"begun"))


class LostTests(RequestCase):
    """Clients that leave before their request is complete."""

    def test_reading(self) -> None:
        """Who reads hears it, now or when asking for more than has come."""
        request = self.begin(b"Content-Length: 10")
        reading = deferred(request.body.read())
        self.connection.leave()
        self.failureResultOf(reading, BodyLost)
        self.failureResultOf(deferred(request.body.read()), BodyLost)

    def test_whole(self) -> None:
        """No part of a body is taken for the whole."""
        request = self.begin(b"Content-Length: 10")
        self.connection.send(b"01234")
        reading = deferred(request.body.whole(100))
        self.connection.leave()
        self.failureResultOf(reading, BodyLost)

    def test_nobody_reads(self) -> None:
        """Nothing is logged where nobody reads."""
        self.begin(b"Content-Length: 10")
        self.connection.leave()
        self.taker.requests.clear()
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_cancelled(self) -> None:
        """Who stops waiting for a piece can read it later."""
        request = self.begin(b"Content-Length: 10")
        reading: Deferred[Any] = deferred(request.body.read())
        reading.cancel()
        self.failureResultOf(reading, CancelledError)
        self.connection.send(b"01234")
        self.assertEqual(self.read(request), b"01234")

    def test_bad_chunk(self) -> None:
        """A body whose chunks are broken ends the connection, and is not taken for whole."""
        for bad in (b"zz\r\n", b"-1\r\n", b"5\r\n0123456\r\n"):
            self.setUp()
            request = self.begin(b"Transfer-Encoding: chunked")
            reading = deferred(request.body.whole(100))
            self.connection.send(bad)
            self.assertTrue(self.connection.lost, bad)
            self.failureResultOf(reading, BodyLost)
