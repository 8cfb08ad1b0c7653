"""
Tests of the HTTP server around any resource: bodies, forms of the target, the access log, coming to rest.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IAddress
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from twisted.web import http
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from fileserve.http.site import REQUEST_TIMEOUT, Request, Site

from .support import Answer, Connection, ask, parse, site_of_resource

_MIB = 1024 * 1024
_SECRET = "3bea29ccabbbf64bdebcc055319c5745"
_LOCAL = ip_network("127.0.0.0/8")


class Echo(Resource):
    """
    Answers with the path, unless it is told to wait.

    :ivar requests: all that came, in order.
    :ivar bodies: what was kept of their bodies.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []
        self.bodies: list[bytes] = []
        self.waits = False
        self.begins = b""

    def render(self, request: Request) -> Any:
        self.requests.append(request)
        assert request.content is not None
        self.bodies.append(request.content.read())
        if self.begins:
            request.write(self.begins)
        return NOT_DONE_YET if self.waits else b"path " + request.path


class SiteCase(SynchronousTestCase):
    """A site around an `Echo`, on a clock."""

    def setUp(self) -> None:
        self.echo = Echo()
        self.clock = Clock()
        self.site = self.site_of()

    def site_of(self, **options: Any) -> Site:
        return site_of_resource(self.echo, self.clock, **options)

    def connect(self) -> Connection:
        return Connection(self.site)


class TargetTests(SiteCase):
    """What the request line asks for."""

    def path(self, target: str) -> bytes:
        return ask(self.site, target).body.removeprefix(b"path ")

    def test_absolute_form(self) -> None:
        """A target that is a whole URL asks for its path."""
        for target, path in (
            ("http://files.example/a/b", b"/a/b"),
            ("HTTPS://files.example:8080/a", b"/a"),
            ("http://files.example", b"/"),
            ("http://files.example?x=1", b"/"),
            ("http://user@[::1]:80/a?x=/b", b"/a"),
        ):
            self.assertEqual(self.path(target), path, target)

    def test_query_of_an_absolute_form(self) -> None:
        """Its query is the request's."""
        ask(self.site, "http://files.example/a?file=1&file=2")
        self.assertEqual(self.echo.requests[0].args, {b"file": [b"1", b"2"]})

    def test_url_inside_a_path(self) -> None:
        """A URL in the middle of a path is a part of it."""
        for path in (b"/http://files.example/a", b"/a/https://b/c", b"//http://x/"):
            self.assertEqual(self.path(path.decode()), path)

    def test_origin_form(self) -> None:
        """A path is taken as it came, encoded as it is."""
        for path in (b"/", b"/a%2Fb//c/../", b"/%ff"):
            self.assertEqual(self.path(path.decode()), path)


class ConnectionTests(SiteCase):
    """How connections live."""

    _REQUEST = b"GET /a?b HTTP/1.1\r\nHost: x\r\nUser-Agent: test\r\n\r\n"

    def test_kept(self) -> None:
        """A connection is good for several requests, also when they come at once; answers come in order."""
        connection = self.connect()
        for _ in range(2):
            connection.send(self._REQUEST)
            self.assertEqual(connection.answer().body, b"path /a")
        connection.send(self._REQUEST + self._REQUEST.replace(b"/a", b"/c"))
        data = connection.received()
        self.assertLess(data.index(b"path /a"), data.index(b"path /c"))
        self.assertFalse(connection.lost)

    @settings(deadline=None)
    @given(st.lists(st.integers(1, 30), max_size=20))
    def test_in_any_pieces(self, sizes: list[int]) -> None:
        """A request may come in pieces of any size, down to one byte."""
        self.setUp()
        connection = self.connect()
        at = 0
        for size in sizes + [1] * len(self._REQUEST):
            connection.send(self._REQUEST[at : at + size])
            at += size
            if at >= len(self._REQUEST):
                break
        self.assertEqual(connection.answer().body, b"path /a")

    def test_close(self) -> None:
        """HTTP/1.0, and who asks for it, are answered and let go."""
        for request in (
            b"GET /a HTTP/1.0\r\n\r\n",
            b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        ):
            connection = self.connect()
            connection.send(request)
            self.assertTrue(connection.lost)
            self.assertEqual(connection.answer().body, b"path /a")

    def test_incomplete_request(self) -> None:
        """When nothing comes of a request for a minute, the connection is closed; any byte counts."""
        connection = self.connect()
        for byte in b"GET /":
            connection.send(bytes([byte]))
            self.clock.advance(REQUEST_TIMEOUT - 1)
        self.assertFalse(connection.lost)
        self.clock.advance(1)
        self.assertTrue(connection.lost)

    def test_answering_takes_any_time(self) -> None:
        """While a request is being answered no time counts here; then it does again."""
        self.echo.waits = True
        connection = self.connect()
        connection.send(self._REQUEST)
        self.clock.advance(10 * REQUEST_TIMEOUT)
        self.assertFalse(connection.lost)
        self.echo.requests[0].finish()
        self.clock.advance(REQUEST_TIMEOUT)
        self.assertTrue(connection.lost)

    def test_slow_reader(self) -> None:
        """A connection that is to be closed has its time to send what it has, and no more than that."""
        self.site.linger = 500
        connection = self.connect()
        connection.send(self._REQUEST)
        connection.transport.loseConnection = lambda: None  # type: ignore[method-assign]  # it is still sending
        self.clock.advance(REQUEST_TIMEOUT)
        self.clock.advance(499)
        self.assertFalse(connection.transport.aborted)
        self.clock.advance(1)
        self.assertTrue(connection.transport.aborted)

    def test_no_timer_left(self) -> None:
        """When a connection is lost, so is the timer that would cut it."""
        connection = self.connect()
        connection.send(self._REQUEST)
        connection.transport.loseConnection = lambda: None  # type: ignore[method-assign]  # it is still sending
        self.clock.advance(REQUEST_TIMEOUT)
        connection.channel.connectionLost()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_early_requests(self) -> None:
        """Of what comes before an answer only so much is taken, also while the client reads nothing."""
        self.echo.waits = True
        connection = self.connect()
        connection.send(self._REQUEST)
        connection.channel.pauseProducing()
        for _ in range(4):
            connection.send(b"x" * 1024)
        self.assertEqual(connection.transport.producerState, "producing")
        connection.send(b"x" * 64 * 1024)
        self.assertEqual(connection.transport.producerState, "paused")

    def test_no_other_protocol(self) -> None:
        """HTTP/2 is not offered, even where Twisted could speak it: files can't be sent through it."""
        self.patch(http, "H2_ENABLED", True)
        self.assertNotIn(b"h2", self.site.acceptableProtocols())

    def test_inside_stays_inside(self) -> None:
        """What goes wrong in a resource is logged, and told to nobody."""
        self.echo.render = lambda request: 1 / 0  # type: ignore[method-assign]
        answer = ask(self.site, "/a")
        self.assertEqual(answer.status, 500)
        self.assertNotIn(b"Zero", answer.body)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_sends_no_files_in_memory(self) -> None:
        """A transport that is none of ours is written to."""
        ask(self.site, "/a")
        self.assertFalse(self.echo.requests[0].sends_files)


class AccessLogTests(SiteCase):
    """The access log."""

    def setUp(self) -> None:
        super().setUp()
        self.site = self.site_of(access=True, trusted=(_LOCAL,))

    def line(
        self,
        target: str = "/",
        method: str = "GET",
        headers: Any = (),
        peer: IAddress | None = None,
    ) -> str:
        """The one line that a request gives."""
        with capturedLogs() as logs:
            self.answer: Answer = ask(self.site, target, method, headers, peer)
        lines = [formatEvent(event) for event in logs if "client" in event]
        self.assertEqual(len(lines), 1)
        self.assertNotIn("Unable to format", lines[0])
        return lines[0]

    def test_off(self) -> None:
        """Without it, nothing is logged."""
        self.site = self.site_of()
        with capturedLogs() as logs:
            ask(self.site, "/")
        self.assertEqual(logs, [])

    def test_line(self) -> None:
        """A line has the client, the request line, the status, the bytes of the body and the program."""
        line = self.line("/archive/x?file=1", headers=[("User-Agent", "curl/8")])
        sent = len(b"path /archive/x")
        self.assertEqual(line, f'192.0.2.7 "GET /archive/…?file=…" 200 {sent} "curl/8"')

    def test_no_program(self) -> None:
        """A client that does not say what it is, is a dash."""
        self.assertTrue(self.line().endswith(' "-"'))

    def test_secrets(self) -> None:
        """A secret name is never written whole, wherever in the target it stands."""
        for target in (
            f"/archive/{_SECRET}/",
            f"//archive//{_SECRET}",
            f"http://files.example/archive/{_SECRET}/",
            f"/%61rchive/%33{_SECRET[1:]}/",
            f"/?{_SECRET}",
            f"/?file={_SECRET}",
        ):
            self.assertNotIn(_SECRET[:16], self.line(target), target)

    def test_no_injection(self) -> None:
        """Nothing that a client sends ends the line, ends a quoted word, or moves the cursor."""
        nasty = bytes(byte for byte in range(1, 256) if byte not in b"\r\n")
        line = self.line("/a%0a%0d%22%1b[2J", headers=[("User-Agent", nasty), ("X-Forwarded-For", nasty)])
        self.assertTrue(line.isprintable(), line)
        self.assertRegex(line, r'\A\S+ "GET [^"]*" 200 \d+ ".*"\Z')
        agent = line.partition(" 200 ")[2].split(" ", 1)[1]
        self.assertIsNone(re.search(r'(?<!\\)"', agent[1:-1]))

    @given(st.binary(max_size=40), st.binary(max_size=40))
    def test_any_bytes(self, agent: bytes, forwarded: bytes) -> None:
        """Whatever bytes come, there is one printable line, and a client that is an address."""
        self.setUp()
        clean = [re.sub(rb"[\x00\r\n]", b"", each) for each in (agent, forwarded)]
        headers = [("User-Agent", clean[0]), ("X-Forwarded-For", clean[1])]
        line = self.line(headers=headers, peer=IPv4Address("TCP", "127.0.0.1", 1))
        self.assertTrue(line.isprintable())
        self.assertRegex(line.split(" ", 1)[0], r"\A[0-9a-f.:]+\Z")

    def test_client(self) -> None:
        """The client is the peer, or whom a trusted proxy vouches for; over a UNIX socket the latter."""
        said = [("X-Forwarded-For", "198.51.100.1")]
        for peer, headers, client in (
            (IPv4Address("TCP", "192.0.2.7", 1), said, "192.0.2.7"),
            (IPv4Address("TCP", "127.0.0.1", 1), said, "198.51.100.1"),
            (IPv4Address("TCP", "127.0.0.1", 1), [("X-Forwarded-For", b"\xff, 1.2.3.\xb2")], "127.0.0.1"),
            (IPv4Address("TCP", "127.0.0.1", 1), [*said, ("X-Forwarded-For", "127.0.0.2")], "198.51.100.1"),
            (IPv6Address("TCP", "2001:db8::1", 1), said, "2001:db8::1"),
            (UNIXAddress(None), said, "198.51.100.1"),
            (UNIXAddress(b"/run/socket"), [], "unix"),
        ):
            self.assertEqual(self.line(headers=headers, peer=peer).split(" ", 1)[0], client)

    def test_interrupted(self) -> None:
        """An answer that was not sent to its end is logged as that, once."""
        self.echo.waits, self.echo.begins = True, b"12345"
        connection = self.connect()
        with capturedLogs() as logs:
            connection.send(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n")
            connection.leave()
        lines = [formatEvent(event) for event in logs]
        self.assertEqual(lines, ['192.0.2.7 "GET /…" 200 5 interrupted "-"'])

    def test_braces(self) -> None:
        """Braces, which formatting could take for its own, are text."""
        line = self.line("/{client}", headers=[("User-Agent", "{0.__class__}{")])
        self.assertIn("{0.__class__}{", line)

    def test_repr(self) -> None:
        """Nor does a request in any other log line tell a secret name."""
        self.line(f"/archive/{_SECRET}/")
        self.assertNotIn(_SECRET[:16], repr(self.echo.requests[0]))
        self.assertIn("/archive/", repr(self.echo.requests[0]))


class RestTests(SiteCase):
    """Coming to rest."""

    _REQUEST = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"

    def test_nobody(self) -> None:
        """A site without connections is at rest."""
        self.successResultOf(self.site.rest(30))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_connections_are_counted(self) -> None:
        """Open connections are counted, however they end."""
        one, two = self.connect(), self.connect()
        self.assertEqual(self.site.connections, 2)
        one.leave()
        self.assertEqual(self.site.connections, 1)
        two.channel.abort()
        self.assertEqual(self.site.connections, 0)

    def test_idle(self) -> None:
        """Who asks for nothing is let go at once."""
        connection = self.connect()
        connection.send(self._REQUEST)
        resting = self.site.rest(30)
        self.assertTrue(connection.lost)
        self.successResultOf(resting)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_transfers_go_on(self) -> None:
        """What is being answered goes on, to its end; then the connection is closed and the site at rest."""
        self.echo.waits = True
        busy = [self.connect(), self.connect()]
        for connection in busy:
            connection.send(self._REQUEST)
        resting = self.site.rest(30)
        self.clock.advance(29)
        for connection, request in zip(busy, self.echo.requests, strict=True):
            self.assertNoResult(resting)
            request.write(b"done")
            request.finish()
            self.assertTrue(connection.lost)
            self.assertIn(b"done", connection.received())
        self.successResultOf(resting)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cut(self) -> None:
        """What takes longer is cut."""
        self.echo.waits, self.echo.begins = True, b"1"
        connection = self.connect()
        connection.send(self._REQUEST)
        resting = self.site.rest(30)
        self.clock.advance(30)
        self.assertTrue(connection.lost)
        self.successResultOf(resting)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_more_requests(self) -> None:
        """The next request on such a connection is not taken any more."""
        self.echo.waits = True
        connection = self.connect()
        connection.send(self._REQUEST + self._REQUEST)
        self.site.rest(30)
        self.echo.requests[0].finish()
        self.assertTrue(connection.lost)
        self.assertEqual(len(self.echo.requests), 1)

    def test_half_a_request(self) -> None:
        """A connection on which half a request came is not kept for more; what is answered is whole."""
        for sent in (1, len(b"GET /a HTTP/1.1\r\nHo"), len(self._REQUEST) - 2):
            connection = self.connect()
            connection.send(self._REQUEST[:sent])
            resting = self.site.rest(30)
            if not connection.lost:
                connection.send(self._REQUEST[sent:])
            self.assertTrue(connection.lost, "it is kept for another request")
            answer = connection.received()
            self.assertEqual(parse(answer).body if answer else b"path /a", b"path /a")
            self.successResultOf(resting)

    def test_everybody_leaves(self) -> None:
        """When the last client leaves by itself, nothing has to be waited for."""
        self.echo.waits = True
        connection = self.connect()
        connection.send(self._REQUEST)
        resting = self.site.rest(30)
        connection.leave()
        self.successResultOf(resting)
        self.assertEqual(self.clock.getDelayedCalls(), [])
