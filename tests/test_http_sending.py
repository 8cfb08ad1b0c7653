"""
Tests of what happens when a body can't be sent to its end: through Klein, on connections in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from http.client import IncompleteRead

from klein import Klein
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from fileserve.http.sending import send
from fileserve.http.site import Request

from .support import Connection, parse, site_of_resource


class Bodies:
    """
    An app whose one page is a body that the test produces.

    :ivar errors: what reached the error handler.
    """

    app = Klein()

    def __init__(self, produce: Callable[[Request], Deferred[None]]) -> None:
        self._produce = produce
        self.errors: list[Failure] = []

    def produce_to(self, request: Request) -> Deferred[None]:
        return self._produce(request)

    @app.route("/")
    def body(self, request: Request) -> Deferred[None]:
        request.setHeader(b"Content-Length", b"10")
        return Deferred.fromCoroutine(send(request, self))

    @app.handle_errors(Exception)  # type: ignore[arg-type]
    def failed(self, request: Request, failure: Failure) -> bytes:
        self.errors.append(failure)
        request.setResponseCode(500)
        request.setHeader(b"Content-Length", b"5")
        return b"error"


class SendingTests(SynchronousTestCase):
    """One request for a body of ten bytes."""

    def ask(self, produce: Callable[[Request], Deferred[None]]) -> Connection:
        self.bodies = Bodies(produce)
        connection = Connection(site_of_resource(self.bodies.app.resource()))
        self.addCleanup(connection.leave)
        connection.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        return connection

    def test_sent(self) -> None:
        """A body that was handed on wholly is a response, and the connection is good for another."""

        def produce(request: Request) -> Deferred[None]:
            request.write(b"0123456789")
            return succeed(None)

        connection = self.ask(produce)
        self.assertEqual(connection.answer().body, b"0123456789")
        self.assertFalse(connection.lost)

    def test_failure_before_the_first_byte(self) -> None:
        """A failure before the first byte is answered as an error like any other."""
        connection = self.ask(lambda request: fail(ZeroDivisionError()))
        answer = connection.answer()
        self.assertEqual((answer.status, answer.body), (500, b"error"))
        self.assertFalse(connection.lost)
        self.assertEqual(len(self.bodies.errors), 1)

    def test_failure_after_it(self) -> None:
        """A failure after it cuts the connection: the client sees that, and the log says why."""

        def produce(request: Request) -> Deferred[None]:
            request.write(b"01234")
            return fail(ZeroDivisionError())

        connection = self.ask(produce)
        self.assertTrue(connection.lost)
        data = connection.received()
        self.assertTrue(data.endswith(b"\r\n\r\n01234"), data)
        self.assertRaises(IncompleteRead, parse, data)
        self.assertEqual(self.bodies.errors, [])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_failure_after_the_last_byte(self) -> None:
        """Even where every byte was sent, a failure is no clean end."""

        def produce(request: Request) -> Deferred[None]:
            request.write(b"0123456789")
            return fail(ZeroDivisionError())

        self.assertTrue(self.ask(produce).lost)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_client_leaves(self) -> None:
        """When the client leaves, the producing is cancelled, and that is nothing to log."""
        cancelled: list[object] = []
        producing: Deferred[None] = Deferred(cancelled.append)
        connection = self.ask(lambda request: producing)
        connection.leave()
        self.assertEqual(len(cancelled), 1)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_stopped_by_the_transport(self) -> None:
        """A transport stops the producer before the loss is heard of: meanwhile nobody is answered."""
        producing: Deferred[None] = Deferred()
        connection = self.ask(lambda request: producing)
        producing.cancel()
        self.assertEqual(connection.received(), b"")
        self.assertEqual(self.bodies.errors, [])
        connection.leave()
        self.assertEqual(connection.received(), b"")
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_cut_while_cleaning_up(self) -> None:
        """A failure that comes when the client has left already is logged at the most, and breaks nothing."""
        producing: Deferred[None] = Deferred(lambda waiting: waiting.errback(ZeroDivisionError()))
        requests: list[Request] = []

        def produce(request: Request) -> Deferred[None]:
            request.write(b"01234")
            requests.append(request)
            return producing

        self.ask(produce).leave()
        self.assertEqual(self.flushLoggedErrors(AttributeError, RuntimeError, CancelledError), [])
        self.assertIsNone(requests[0].channel)
        self.flushLoggedErrors(ZeroDivisionError)
