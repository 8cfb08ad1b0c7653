"""
Tests of the routes below ``/api/``: what all of them have in common.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from fileserve.storage.memory import MemoryStore

from .filesupport import KEY, FilesSite, Spied, head, problem
from .support import Answer, parse


class ApiTests(SynchronousTestCase):
    """A site with one stored file and one album."""

    def setUp(self) -> None:
        self.memory = MemoryStore()
        self.store = Spied(self.memory)
        self.site = FilesSite(self.store)
        self.file = self.site.stored("a.txt", b"hello")
        self.name = self.file["short_name"]
        self.memory.put("films", b"a\nb.txt", b"line feed")

    def ask(self, method: str, target: str, *headers: tuple[str, Any], body: bytes | None = None) -> Answer:
        return self.site.ask(method, target, body, headers)

    def test_head(self) -> None:
        """HEAD says what GET does, on every route."""
        link = json.loads(self.ask("GET", f"/api/v1/get-url/{self.name}").body)
        for target in (
            "/api/v1",
            "/api/v1/",
            f"/api/v1/{self.name}",
            f"/api/v1/download-stream/{self.name}",
            f"/api/v1/download-full/{self.name}",
            f"/api/v1/get-url/{self.name}",
            link.removeprefix("http://files.example"),
            "/api/v1/albums/films",
            "/api/v1/albums/films/",
            "/api/v1/albums/films/a%0Ab.txt",
            "/api/openapi.json",
            "/api/openapi",
            "/api/v1/nobody",
            "/api/nothing",
        ):
            got, asked = self.ask("GET", target), self.ask("HEAD", target)
            self.assertEqual((asked.status, asked.body), (got.status, b""), target)
            self.assertEqual(_undated(asked), _undated(got), target)

    def test_slashes(self) -> None:
        """An address without the slash at its end leads to the one with it, by any method, relative."""
        for method, target, location in (
            ("GET", "/api/v1?limit=1", "v1/?limit=1"),
            ("POST", "/api/v1", "v1/"),
            ("GET", "/api/v1/albums/films?after=x", "films/?after=x"),
            ("GET", "/api/v1/albums/a%3A%2Fb", None),
            ("GET", "/api/v1/albums/a:b", "a%3Ab/"),
        ):
            answer = self.ask(method, target)
            self.assertEqual(answer.headers["Location"], location)
            self.assertEqual(answer.status, 404 if location is None else 308)

    def test_nothing_there(self) -> None:
        """What no route is for is a problem in JSON, as any other error: 404."""
        for target in ("/api/", "/api/v2/", "/api//v1/", "/api/v1/a/b/c", "/api/v1/files/", "/api/v1/%2F"):
            answer = self.ask("GET", target)
            self.assertEqual((answer.status, problem(answer)["title"]), (404, "Not Found"), target)
            self.assertEqual(answer.headers["Cache-Control"], "no-store")

    def test_line_feed_in_a_name(self) -> None:
        """S2-W4: a name may have any characters, and makes no header of its own."""
        answer = self.ask("GET", "/api/v1/albums/films/a%0Ab.txt")
        self.assertEqual((answer.status, answer.body), (200, b"line feed"))
        self.assertNotIn("\n", answer.headers["Content-Disposition"])

    def test_location(self) -> None:
        """Who asks for a member without its location by the wrong address is told the right one."""
        for said in ("location=strip", "location=", "location=keep&x=1", "location"):
            for method in ("GET", "HEAD"):
                answer = self.ask(method, f"/api/v1/albums/films/a%0Ab.txt?{said}")
                self.assertEqual(answer.status, 400, said)
                if method == "GET":
                    self.assertIn("/original/NAME?location=strip", problem(answer)["detail"])

    def test_odd_headers(self) -> None:
        """Headers of any bytes are no failure of ours."""
        for name in (
            "If-Match", "If-None-Match", "If-Range", "Range", "If-Modified-Since", "Accept", "Cookie",
            "Origin", "Sec-Fetch-Site", "Content-Type", "Expect", "User-Agent", "Referer", "X-Forwarded-For",
        ):  # fmt: skip
            for method, target, body in (
                ("GET", f"/api/v1/download-stream/{self.name}", None),
                ("GET", "/api/v1/", None),
                ("POST", "/api/v1/", b"x"),
                ("PUT", "/api/v1/albums/films/new", b"x"),
                ("DELETE", "/api/v1/albums/films/nobody", None),
                ("GET", "/api/nothing", None),
            ):
                answer = self.ask(method, target, (name, b"\xff\xfe\x80"), body=body)
                self.assertLess(answer.status, 500, (name, method, target))
                self.ask("DELETE", "/api/v1/albums/films/new")

    def test_failure_of_ours(self) -> None:
        """A failure of ours tells nothing of the inside, but where to find it in the log: 500."""
        self.store.fails["stat"] = RuntimeError("inside")
        answer = self.ask("GET", f"/api/v1/download-stream/{self.name}")
        self.assertEqual(answer.status, 500)
        self.assertNotIn(b"inside", answer.body)
        self.assertRegex(answer.headers["X-Request-Id"], r"^[0-9a-f]{16}$")
        self.assertEqual(problem(answer)["title"], "Internal Server Error")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_description(self) -> None:
        """S2-W8: the API is described, each operation under a name of its own."""
        answer = self.ask("GET", "/api/openapi.json")
        described = json.loads(answer.body)
        self.assertTrue(described["openapi"].startswith("3.1"))
        names = [
            operation["operationId"]
            for path in described["paths"].values()
            for method, operation in path.items()
            if method in {"get", "put", "post", "delete", "head"}
        ]
        self.assertEqual(len(names), len(set(names)))
        page = self.ask("GET", "/api/openapi")
        self.assertEqual((page.status, page.headers.get_content_type()), (200, "text/html"))

    def test_client_leaves_while_it_waits(self) -> None:
        """Nothing goes wrong when a client leaves while its answer is looked for."""
        for name, method, target in (
            ("stat", "GET", f"/api/v1/download-stream/{self.name}"),
            ("stat", "GET", f"/api/v1/{self.name}"),
            ("list", "GET", "/api/v1/albums/films/"),
            ("stat", "DELETE", "/api/v1/albums/films/a"),
        ):
            looked = self.store.hold(name)
            connection = self.site.connect()
            connection.send(head(method, target))
            connection.leave()
            looked.callback(None)
            self.store.waits.clear()

    def test_pipelined(self) -> None:
        """An upload and what comes behind it on the same connection are answered in order."""
        connection = self.site.connect()
        connection.send(
            head("PUT", "/api/v1/files/b.txt", b"12345") + b"12345" + head("GET", f"/api/v1/{self.name}")
        )
        received = connection.received()
        first, _, second = received[9:].partition(b"HTTP/1.1 ")
        self.assertTrue(first.startswith(b"201"))
        self.assertEqual(parse(b"HTTP/1.1 " + second).status, 200)
        connection.leave()

    def test_longer_than_said(self) -> None:
        """What comes after the said length is no part of the file, and no request either."""
        connection = self.site.connect()
        connection.send(head("PUT", "/api/v1/files/b.txt", b"12345") + b"12345 and more\r\n\r\n")
        received = connection.received()
        self.assertTrue(received.startswith(b"HTTP/1.1 201"))
        self.assertIn(b"HTTP/1.1 400", received)
        self.assertTrue(connection.lost)
        self.assertIn(b'"size": 5', received)

    def test_shorter_than_said(self) -> None:
        """A body that ends before its length leaves nothing."""
        connection = self.site.connect()
        connection.send(head("PUT", "/api/v1/files/b.txt", b"12345") + b"1234")
        self.assertEqual(connection.received(), b"")
        connection.leave()
        self.assertEqual(self.site.rows(), [self.name])
        self.assertEqual(self.memory.incoming, set())

    def test_two_lengths(self) -> None:
        """Two lengths, or a length beside chunks, are refused (RFC 9112 section 6.3)."""
        for lines in (
            b"Content-Length: 5\r\nContent-Length: 6",
            b"Content-Length: 5\r\nTransfer-Encoding: chunked",
            b"Content-Length: -5",
            b"Content-Length: x",
            b"Transfer-Encoding: gzip",
        ):
            connection = self.site.connect()
            connection.send(
                b"PUT /api/v1/files/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %b\r\n%b\r\n\r\nhello"
                % (KEY.encode(), lines)
            )
            received = connection.received()
            self.assertNotIn(b" 201 ", received, lines)
            connection.leave()
        self.assertEqual(self.site.rows(), [self.name])


def _undated(answer: Answer) -> dict[str, str]:
    """The headers of an answer, but for when it was given."""
    return {name: value for name, value in answer.headers.items() if name != "Date"}
