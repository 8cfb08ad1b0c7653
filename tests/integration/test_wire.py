"""
Tests of bytes on the wire that no good client sends: refused or dropped, and the server goes on.
"""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase

from .clients import PATIENCE
from .server import folder, start
from .test_hostile import request
from .trees import MIB, make_album

TARGET = b"/archive/album/"
MEMBER = b"the only member"

REQUEST = request(TARGET)
_OPEN = REQUEST[:-2]  # one more field may follow

# What is no request: answered with 400, or dropped without an answer.
BROKEN = {
    "no Host": REQUEST.replace(b"Host: x\r\n", b""),
    "two Hosts": _OPEN + b"Host: y\r\n\r\n",
    "bytes in Host": REQUEST.replace(b"Host: x", b"Host: \xff"),
    "a giant field": _OPEN + b"X: " + b"a" * MIB + b"\r\n\r\n",
    "many fields": _OPEN + b"X: a\r\n" * 100_000 + b"\r\n",
    "a giant target": request(b"/archive/" + b"a" * MIB + b"/"),
    "a giant query": request(TARGET + b"?file=" + b"a" * MIB),
    "one endless line": b"A" * MIB,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "text before it": b"garbage\r\n" + REQUEST,
    "bytes before it": bytes(range(256)) * 8 + b"\r\n" + REQUEST,
    "HTTP/0.9": b"GET /archive/album/\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": b"GET / HTTP/9.9\r\n\r\n",
    "no target": b"GET  HTTP/1.1\r\n\r\n",
    "control characters": b"G\0T /\x01 HTTP/1.1\r\n\r\n",
    "bytes in the target": request(b"/archive/\xff/"),
    "a field without a colon": _OPEN + b"Field\r\n\r\n",
    "a space before the colon": _OPEN + b"Field : x\r\n\r\n",
    "NUL in a field": _OPEN + b"Field: \0\r\n\r\n",
    "a negative length": _OPEN + b"Content-Length: -5\r\n\r\n",
    "a length with a sign": _OPEN + b"Content-Length: +5\r\n\r\nhello",
    "two lengths": _OPEN + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "length and chunks": _OPEN + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": _OPEN + b"Transfer-Encoding: gzip\r\n\r\n",
    "a chunk of no size": _OPEN + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
    "a chunk of a negative size": _OPEN + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    "a chunk without its end": _OPEN + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
    "a giant chunk extension": _OPEN + b"Transfer-Encoding: chunked\r\n\r\n5;" + b"a" * MIB,
    "giant trailers": _OPEN + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: a\r\n" * 100_000,
}

# What is odd, and is a request for the album all the same.
ODD = {
    "a line end before it": b"\r\n" + REQUEST,
    "HTTP/1.0": b"GET /archive/album/ HTTP/1.0\r\n\r\n",
    "a body": _OPEN + b"Content-Length: 5\r\n\r\nhello",
    "a body in chunks": _OPEN + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "a body that waits": _OPEN + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
    "another protocol": _OPEN + b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    "ranges without end": _OPEN + b"Range: bytes=" + b"0-0," * 3000 + b"0-0\r\n\r\n",
    "odd conditions": _OPEN + b'If-None-Match: "\xff, W/\r\nIf-Modified-Since: Mon, 99 Foo 9 9:9\r\n\r\n',
    "an empty Host": REQUEST.replace(b"Host: x", b"Host:"),
    "a Host with empty labels": REQUEST.replace(b"Host: x", b"Host: a..b"),
    "a Host that is a dot": REQUEST.replace(b"Host: x", b"Host: ."),
    "a Host with a long label": REQUEST.replace(b"Host: x", b"Host: " + b"a" * 64),
    "a Host with many ports": REQUEST.replace(b"Host: x", b"Host: a:b:99999999"),
    "a Host in brackets": REQUEST.replace(b"Host: x", b"Host: [::1"),
    "odd preferences": _OPEN + b'Accept: ;;q=,,text/html;q=a;level="\xff, */*;q=1e999\r\n\r\n',
    "odd cookies": _OPEN + b'Cookie: =;;a=\xff;"\r\nAuthorization: Basic !!!\r\n\r\n',
    "odd addresses": _OPEN + b"X-Forwarded-For: \xff, 1.2.3.4.5, ::::, [\r\n\r\n",
    "very many parameters": request(TARGET + b"?" + b"a=b&" * 3000),
}


class WireTests(SynchronousTestCase):
    """A server with one album, asked in every way but the right one."""

    def setUp(self) -> None:
        self.root = folder(self) / "root"
        make_album(self.root, "album", {"1.txt": MEMBER})
        self.server = start(self, self.root)
        self.server.exchange(REQUEST)
        self.before = self.server.resident()
        self.addCleanup(self.unharmed)  # runs before those that `start` added

    def unharmed(self) -> None:
        """Whatever was sent, the next client is served, nothing was logged as an error, nothing is kept."""
        self.assertIn(MEMBER, self.server.exchange(REQUEST))
        self.assertNotIn("Traceback", self.server.log)
        self.assertNotIn("Unhandled", self.server.log)
        self.assertLess(self.server.resident(), self.before + 8 * MIB)

    def test_broken(self) -> None:
        """What is no request is answered with 400 or dropped, and never with anything of the album."""
        for what, data in BROKEN.items():
            response = self.server.exchange(data)
            self.assertIn(response[:12], (b"", b"HTTP/1.1 400"), what)
            self.assertNotIn(MEMBER, response, what)

    def test_odd(self) -> None:
        """What a request carries in vain does not keep it from its answer."""
        for what, data in ODD.items():
            response = self.server.exchange(data).removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.assertEqual(response[8:12], b" 200", what)
            self.assertIn(MEMBER, response, what)

    def test_odd_over_a_unix_socket(self) -> None:
        """The same over a UNIX socket, which has neither a host nor a port to fall back on."""
        path = folder(self) / "http.sock"
        start(self, self.root, listen=[f"unix:{path}"])
        for what, data in ODD.items():
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(PATIENCE)
                client.connect(str(path))
                client.sendall(data)
                self.assertIn(MEMBER, self.to_the_end(client), what)

    def test_byte_by_byte(self) -> None:
        """A request that comes a byte at a time is a request."""
        with self.server.connect() as client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in REQUEST:
                client.sendall(bytes([byte]))
            self.assertIn(MEMBER, self.to_the_end(client))

    def to_the_end(self, client: socket.socket) -> bytes:
        return b"".join(iter(lambda: client.recv(1 << 16), b""))

    def test_half_requests(self) -> None:
        """Requests cut off at any byte are forgotten with their connections."""
        for end in range(len(REQUEST)):
            with self.server.connect() as client:
                client.sendall(REQUEST[:end])

    def test_pipelining(self) -> None:
        """Requests sent ahead are answered one after the other, in order, however many there are."""
        kept = REQUEST.replace(b"close", b"keep-alive")
        missing = kept.replace(b"album", b"nothing")
        response = self.server.exchange((kept + missing) * 500 + REQUEST)
        self.assertEqual(response.count(MEMBER), 501)
        self.assertEqual(response.count(b"HTTP/1.1 404"), 500)
        self.assertLess(response.index(b"HTTP/1.1 200"), response.index(b"HTTP/1.1 404"))

    def test_bodies(self) -> None:
        """A body that nobody asked for is read and dropped, so that the client can read its answer."""
        posted = b"POST" + _OPEN[3:] + b"Content-Length: %d\r\n\r\n" % (10 * MIB) + bytes(10 * MIB)
        self.assertEqual(self.server.exchange(posted)[:12], b"HTTP/1.1 405")

    def test_huge_bodies(self) -> None:
        """One that does not end is cut off, in memory that does not grow."""
        self.pour(_OPEN + b"Content-Length: 999999999999\r\n\r\n", bytes(MIB))
        chunk = b"%x\r\n" % MIB + bytes(MIB) + b"\r\n"
        self.pour(_OPEN + b"Transfer-Encoding: chunked\r\n\r\n", chunk)

    def pour(self, head: bytes, piece: bytes) -> None:
        """Send until the server has had enough."""
        with self.server.connect() as client:
            client.sendall(head)
            with self.assertRaises(ConnectionError):
                for _ in range(200):
                    client.sendall(piece)
