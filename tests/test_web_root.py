"""
Tests of the whole site in memory: every route and method, and what a client may send in their place.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urljoin
from zipfile import ZipFile

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred, fail
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from fileserve.storage.disk import DiskStore
from fileserve.storage.diskreader import DiskReader
from fileserve.storage.errors import Unreadable
from fileserve.storage.interfaces import Listing
from fileserve.storage.memory import MemoryStore

from .support import Answer, Connection, ask, at_once, parse, site_of, site_of_folder, write_album

_ALBUM = "3bea29ccabbbf64bdebcc055319c5745"
_GONE = "Archive does not exist or was removed"
_ROUTES = ("/", "/static/style.css", "/static/files.js", f"/archive/{_ALBUM}/", f"/archive/{_ALBUM}")
_BROWSER = ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8")

#: Names of albums that can't be, or lead out of the root, or are something else.
_NO_ALBUMS = (
    "nothing",
    "..",
    ".",
    "%2e%2e",
    "%2e%2e%2f%2e%2e%2fetc",
    "..%2f",
    "..%5c..%5c",
    "%2fetc%2fpasswd",
    ".hidden",
    "%00",
    _ALBUM + "%00",
    _ALBUM + "%0a",
    _ALBUM + ".",
    _ALBUM + "%20",
    _ALBUM + "%2f1.jpg",
    _ALBUM[:-1],
    _ALBUM.upper(),
    "%c0%ae%c0%ae",
    "%ff%fe",
    "%F0%9F%98%80",
    "a" * 129,
    "a" * 5000,
    "file",
    "link",
    "link-to-file",
    "pipe",
    "*",
    "{}",
    "%7Balbum%7D",
    "<script>",
    "%252e%252e",
)


def _undated(answer: Answer) -> list[tuple[str, str]]:
    """All headers but the date, which may be another second's."""
    return sorted((name, value) for name, value in answer.headers.items() if name != "Date")


class WholeSiteCase(SynchronousTestCase):
    """The site over a root with one album."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.folder = write_album(self.root, _ALBUM, {"1.jpg": b"one", "a/2.jpg": b"two"})
        self.site = site_of_folder(self.root)

    def ask(self, target: str | bytes, method: str = "GET", *headers: tuple[str, str | bytes]) -> Answer:
        return ask(self.site, target, method, headers)


class RouteTests(WholeSiteCase):
    """Every route with every method."""

    def test_get(self) -> None:
        """``GET`` answers 200, with type and length; an archive without its slash leads to the one with."""
        for route in _ROUTES:
            answer = self.ask(route)
            self.assertEqual(answer.status, 308 if route.endswith(_ALBUM) else 200, route)
            self.assertIn("Content-Type", answer.headers)
            self.assertEqual(answer.headers["Content-Length"], str(len(answer.body)))

    def test_head(self) -> None:
        """``HEAD`` answers with the same status and headers, and without a body."""
        for route in (*_ROUTES, "/nothing", "/archive/nothing/"):
            get, head = self.ask(route), self.ask(route, "HEAD")
            self.assertEqual((head.status, head.body), (get.status, b""))
            self.assertEqual(_undated(head), _undated(get), route)

    def test_other_methods(self) -> None:
        """Any other method is 405 and told what is allowed, be it known to HTTP or not; names have a case."""
        for route in _ROUTES:
            for method in (
                "POST",
                "PUT",
                "DELETE",
                "PATCH",
                "TRACE",
                "CONNECT",
                "FOO",
                "get",
                "Head",
                "M-SEARCH",
            ):
                answer = self.ask(route, method)
                self.assertEqual(answer.status, 405, (route, method))
                self.assertEqual(answer.headers["Allow"], "GET, HEAD, OPTIONS")

    def test_options(self) -> None:
        """``OPTIONS`` tells what is allowed, and nothing else."""
        for route in (*_ROUTES, "*"):
            answer = self.ask(route, "OPTIONS")
            self.assertEqual((answer.status, answer.body), (204, b""), route)
            self.assertEqual(answer.headers["Allow"], "GET, HEAD, OPTIONS")
            self.assertNotIn("Content-Type", answer.headers)
            self.assertNotIn("Content-Length", answer.headers)

    def test_no_route(self) -> None:
        """What is no route is 404, whatever the method."""
        for target in ("/nothing", "/static/", "/static/style.css/", "/static/../style.css", "/api/", "//x"):
            for method in ("GET", "HEAD", "POST", "OPTIONS", "FOO"):
                self.assertEqual(self.ask(target, method).status, 404, (target, method))

    def test_wrong_beginning(self) -> None:
        """A target that is no path, or begins with two slashes, is not taken for another one."""
        for target in (
            f"xarchive/{_ALBUM}/",
            f"//archive/{_ALBUM}/",
            f"archive/{_ALBUM}/",
            "xstatic/style.css",
        ):
            self.assertEqual(self.ask(target).status, 404, target)

    def test_one_host(self) -> None:
        """In HTTP/1.1 a request names its host, once (RFC 9112 section 3.2)."""
        for hosts, status in ((0, 400), (1, 200), (2, 400)):
            connection = Connection(self.site)
            connection.send(b"GET / HTTP/1.1\r\n" + b"Host: x\r\n" * hosts + b"\r\n")
            self.assertEqual(connection.answer().status, status, hosts)

    def test_common_headers(self) -> None:
        """Every response says who answers, and not with what, and that no page is to be told where from."""
        for target, method in (
            *[(route, "GET") for route in _ROUTES],
            ("/nothing", "GET"),
            ("/", "POST"),
            ("/", "OPTIONS"),
            ("*", "OPTIONS"),
            ("*", "GET"),
        ):
            answer = self.ask(target, method)
            self.assertEqual(answer.headers.get_all("Server"), ["fileserve"], (target, method))
            self.assertEqual(answer.headers.get_all("Referrer-Policy"), ["no-referrer"])
            self.assertNotIn("twisted", str(answer.headers).lower())

    def test_no_sniffing(self) -> None:
        """No type of what is sent is to be guessed."""
        for target in ("/", f"/archive/{_ALBUM}/", "/nothing", f"/archive/{_ALBUM}/?file=nothing"):
            self.assertEqual(self.ask(target).headers["X-Content-Type-Options"], "nosniff", target)


class RedirectTests(WholeSiteCase):
    """The address of an archive without its slash."""

    def test_relative(self) -> None:
        """``Location`` is relative, and so right behind every proxy, and keeps the query as it came."""
        for query in ("", "?file=a%2F2.jpg&filename=x%20y", "?"):
            answer = self.ask(f"/archive/{_ALBUM}{query}")
            location = answer.headers["Location"]
            self.assertEqual(location, f"{_ALBUM}/{query}")
            url = urljoin(f"https://files.example/sub/archive/{_ALBUM}", location)
            self.assertTrue(url.startswith(f"https://files.example/sub/archive/{_ALBUM}/"), url)

    def test_absolute_form(self) -> None:
        """So it is when the request came with a whole URL."""
        answer = self.ask(f"http://elsewhere.example/archive/{_ALBUM}?x=1")
        self.assertEqual(answer.headers["Location"], f"{_ALBUM}/?x=1")

    def test_tells_nothing(self) -> None:
        """It does not tell whether there is such an album."""
        self.assertEqual(self.ask("/archive/nothing").status, 308)

    def test_impossible(self) -> None:
        """What can't be an album is 404."""
        for name in ("..", ".hidden", "a%00", "a" * 129, "%0d%0aX:y"):
            self.assertEqual(self.ask(f"/archive/{name}").status, 404, name)


class ArchiveTests(WholeSiteCase):
    """The archive of an album."""

    def setUp(self) -> None:
        super().setUp()
        self.url = f"/archive/{_ALBUM}/"

    def names(self, answer: Answer) -> list[str]:
        with ZipFile(BytesIO(answer.body)) as archive:
            self.assertIsNone(archive.testzip())
            return archive.namelist()

    def test_headers(self) -> None:
        """It has all headers that DESIGN names; the secret name is in none of them."""
        answer = self.ask(self.url)
        self.assertEqual(self.names(answer), ["1.jpg", "a/2.jpg"])
        for name, value in {
            "Content-Type": "application/zip",
            "Content-Disposition": 'attachment; filename="archive.zip"',
            "Content-Length": str(len(answer.body)),
            "Cache-Control": "private, no-transform",
            "X-Accel-Buffering": "no",
            "Accept-Ranges": "bytes",
        }.items():
            self.assertEqual(answer.headers.get_all(name), [value], name)
        self.assertNotIn(_ALBUM[:8], str(answer.headers))

    def test_not_modified(self) -> None:
        """Who has it already is told so, without a body and what describes one."""
        answer = self.ask(self.url, "GET", ("If-None-Match", self.ask(self.url).headers["ETag"]))
        self.assertEqual((answer.status, answer.body), (304, b""))
        for name in ("Content-Type", "Content-Length", "Content-Disposition", "Transfer-Encoding"):
            self.assertNotIn(name, answer.headers)

    def test_ranges(self) -> None:
        """Its parts are parts of it."""
        whole = self.ask(self.url).body
        answer = self.ask(self.url, "GET", ("Range", "bytes=10-19"))
        self.assertEqual((answer.status, answer.body), (206, whole[10:20]))

    def test_refused(self) -> None:
        """A failed condition and an impossible range are errors that name what there is, no archives."""
        etag = self.ask(self.url).headers["ETag"]
        failed = self.ask(self.url, "GET", ("If-Match", '"other"'))
        self.assertEqual((failed.status, failed.headers["ETag"]), (412, etag))
        beyond = self.ask(self.url, "GET", ("Range", "bytes=99999-"))
        self.assertEqual(beyond.status, 416)
        self.assertRegex(beyond.headers["Content-Range"], r"\Abytes \*/\d+\Z")
        for answer in (failed, beyond):
            self.assertNotIn("Content-Disposition", answer.headers)
            self.assertEqual(answer.headers["Cache-Control"], "no-store")
            self.assertIn("text/plain", answer.headers["Content-Type"])

    def test_picked_members(self) -> None:
        """``file`` picks members; an unknown one, or one that can't be, is 404 like an unknown album."""
        self.assertEqual(self.names(self.ask(f"{self.url}?file=a/2.jpg")), ["a/2.jpg"])
        self.assertEqual(len(self.names(self.ask(f"{self.url}?file=a%2F2.jpg&file=1.jpg&file=1.jpg"))), 2)
        for path in (
            "3.jpg",
            "",
            "a",
            "../file",
            "%2e%2e/file",
            "/1.jpg",
            "a//2.jpg",
            "a/./2.jpg",
            "1.jpg%00",
            "%ff",
        ):
            answer = self.ask(f"{self.url}?file=1.jpg&file={path}")
            self.assertEqual((answer.status, answer.body), (404, _GONE.encode()), path)

    def test_semicolon(self) -> None:
        """A semicolon is part of a value."""
        answer = self.ask(f"{self.url}?filename=a;b.zip")
        self.assertEqual(answer.headers["Content-Disposition"], 'attachment; filename="a;b.zip"')

    def test_encoded_slash(self) -> None:
        """A slash that is encoded separates nothing."""
        for url in (self.url.replace("/archive/", "/archive%2F"), self.url.rstrip("/") + "%2f"):
            self.assertEqual(self.ask(url).status, 404, url)

    def test_filename(self) -> None:
        """``filename`` is the name that is offered, made harmless."""
        for name, offered in (
            ("Trip%20to%20Rome.zip", 'filename="Trip to Rome.zip"'),
            ("", 'filename="archive.zip"'),
        ):
            answer = self.ask(f"{self.url}?filename={name}")
            self.assertEqual(answer.headers["Content-Disposition"], f"attachment; {offered}")
        for name in (
            "a%0d%0aX-Evil:%20yes",
            "%22;x=%22",
            "..%2f..%2fetc",
            "%ff",
            "%F0%9F%98%80.zip",
            "a" * 9000,
        ):
            answer = self.ask(f"{self.url}?filename={name}")
            self.assertEqual(answer.status, 200)
            self.assertNotIn("X-Evil", answer.headers)
            self.assertTrue(answer.headers["Content-Disposition"].isascii())

    def test_gone(self) -> None:
        """Whatever is no album, and for whatever reason, is the same 404."""
        write_album(self.root, "other", {})
        (self.root / "file").write_bytes(b"secret")
        (self.root / "link").symlink_to(_ALBUM)
        (self.root / "link-to-file").symlink_to("/etc/passwd")
        expected = None
        for name in _NO_ALBUMS:
            answer = self.ask(f"/archive/{name}/")
            seen = (answer.status, answer.body, _undated(answer))
            expected = expected or seen
            self.assertEqual(seen, expected, name)
        assert expected is not None
        self.assertEqual(expected[:2], (404, _GONE.encode()))

    def test_below_an_album(self) -> None:
        """There are no addresses below an archive, nor for archives as such."""
        for target in (f"{self.url}1.jpg", f"{self.url}/", f"/archive//{_ALBUM}/", "/archive/", "/archive"):
            answer = self.ask(target)
            self.assertEqual((answer.status, answer.body), (404, _GONE.encode()), target)


class PageTests(WholeSiteCase):
    """Pages for people."""

    def test_home(self) -> None:
        """The home page says what this is, and no album's name."""
        answer = self.ask("/")
        self.assertEqual(answer.headers["Content-Type"], "text/html; charset=utf-8")
        self.assertIn(b"ZIP", answer.body)
        self.assertNotIn(_ALBUM[:8].encode(), answer.body)

    def test_policy(self) -> None:
        """Pages are sent with a strict policy and have nothing that it forbids."""
        for target, *headers in (("/",), ("/nothing", _BROWSER), ("/archive/x/", _BROWSER)):
            answer = self.ask(target, "GET", *headers)
            policy = answer.headers["Content-Security-Policy"]
            self.assertIn("default-src 'none'", policy)
            self.assertNotIn("unsafe", policy)
            page = _Page(answer.body.decode())
            self.assertEqual(page.inline, [], target)

    def test_links(self) -> None:
        """Every link of every page leads somewhere, at whatever depth, also below a proxy's prefix."""
        for target in ("/", "/nothing", "/a/b/c/", "/archive/x/", "/archive/.x", "/a%2Fb/c"):
            page = _Page(self.ask(target, "GET", _BROWSER).body.decode())
            self.assertIn("stylesheet", page.kinds)
            for link in page.links:
                at = urljoin(f"http://x/prefix{target}", link)
                self.assertTrue(at.startswith("http://x/prefix/"), (target, link))
                self.assertEqual(self.ask(at.removeprefix("http://x/prefix")).status, 200, (target, link))

    def test_escaped(self) -> None:
        """What a client sends does not become markup."""
        answer = self.ask("/%3Cscript%3E", "GET", _BROWSER)
        self.assertNotIn(b"<script", answer.body)


class _Page(HTMLParser):
    """What is in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.kinds: set[str | None] = set()
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.kinds.add(values.get("rel"))
        for name in ("href", "src"):
            link = values.get(name)
            if link and not link.startswith("data:"):
                self.links.append(link)
        if tag == "style" or (tag == "script" and "src" not in values) or "style" in values:
            self.inline.append(tag)
        self.inline += [name for name in values if name.startswith("on")]


class ErrorFormTests(WholeSiteCase):
    """The form of errors."""

    def test_by_accept(self) -> None:
        """A page for who prefers ``text/html``, a line for the rest."""
        for accept, html in (
            (None, False),
            ("*/*", False),
            ("text/*", False),
            ("application/json", False),
            ("text/plain", False),
            ("text/html", True),
            (_BROWSER[1], True),
            ("text/html;q=0.5, text/plain", False),
            ("text/plain;q=0.5, text/html", True),
            ("text/html;q=0", False),
        ):
            answer = self.ask("/nothing", "GET", *([("Accept", accept)] if accept else []))
            kind = "text/html" if html else "text/plain"
            self.assertEqual(answer.headers["Content-Type"], f"{kind}; charset=utf-8", accept)
            self.assertEqual(answer.headers["Vary"], "Accept")
        self.assertEqual(self.ask("/nothing").body.count(b"\n"), 0)

    def test_in_a_page(self) -> None:
        """The page says what the line says."""
        self.assertIn(_GONE.encode(), self.ask("/archive/x/", "GET", _BROWSER).body)

    def test_problem(self) -> None:
        """Below ``/api/`` an error is a problem (RFC 9457), whatever is preferred."""
        for headers in ((), (_BROWSER,)):
            answer = self.ask("/api/v1/nothing", "GET", *headers)
            self.assertEqual(answer.status, 404)
            self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
            problem = json.loads(answer.body)
            self.assertEqual(set(problem), {"title", "status", "detail"})
            self.assertEqual((problem["title"], problem["status"]), ("Not Found", 404))

    def test_method_in_a_page(self) -> None:
        """A 405 is answered in either form too."""
        answer = self.ask("/", "POST", _BROWSER)
        self.assertEqual((answer.status, answer.headers["Allow"]), (405, "GET, HEAD, OPTIONS"))
        self.assertIn("text/html", answer.headers["Content-Type"])

    @given(st.binary(max_size=60))
    @example(b"text/html;q=\xff, , ;;;q=1e999")
    @example(b"a" * 60)
    def test_any_accept(self, accept: bytes) -> None:
        """Whatever is accepted, an answer comes."""
        self.setUp()
        value = re.sub(rb"[\x00\r\n]", b"", accept)
        self.assertEqual(self.ask("/nothing", "GET", ("Accept", value)).status, 404)


class BrokenStore(MemoryStore):
    """
    A store that fails.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def list(self, album: str) -> Deferred[Listing]:
        return fail(self.error)


class InternalErrorTests(SynchronousTestCase):
    """Errors of ours."""

    _INSIDE = "a secret of the inside"

    def fails(self, error: Exception, *headers: tuple[str, str]) -> tuple[Answer, str]:
        """What the client and the log are told of an error."""
        with capturedLogs() as logs:
            answer = ask(site_of(BrokenStore(error)), f"/archive/{_ALBUM}/", "GET", headers)
        self.flushLoggedErrors()
        failures = [event for event in logs if event["log_level"] is LogLevel.critical]
        self.assertEqual(len(failures), 1)
        return answer, formatEvent(failures[0]) + failures[0]["log_failure"].getTraceback()

    def test_told(self) -> None:
        """A client is told nothing of the inside, but a number that the log has with the traceback."""
        for headers in ((), (_BROWSER,)):
            answer, log = self.fails(RuntimeError(self._INSIDE), *headers)
            self.assertEqual(answer.status, 500)
            self.assertNotIn(self._INSIDE.encode(), answer.body)
            self.assertNotIn(b"Traceback", answer.body)
            identity = answer.headers["X-Request-Id"]
            self.assertRegex(identity, r"\A[0-9a-f]{16}\Z")
            self.assertIn(identity, log)
            self.assertIn(self._INSIDE, log)
            self.assertNotIn(_ALBUM[:12], log)

    def test_each_has_its_own(self) -> None:
        """Two failures have two numbers."""
        numbers = {self.fails(RuntimeError())[0].headers["X-Request-Id"] for _ in range(2)}
        self.assertEqual(len(numbers), 2)

    def test_unreadable(self) -> None:
        """A member that can't be read is a 500 before the first byte, and the log names it."""
        answer, log = self.fails(Unreadable(b"a/1.jpg", "permission denied"))
        self.assertEqual(answer.status, 500)
        self.assertIn("a/1.jpg", log)
        self.assertNotIn(b"1.jpg", answer.body)

    def test_while_reading(self) -> None:
        """A failure before the first byte, after the headers were set, leaves none of them."""
        root = Path(self.mktemp())
        folder = write_album(root, _ALBUM, {"1.jpg": b"one"})

        class Store(DiskStore):
            """A store whose album changes after it was listed."""

            def reader(self, album: str) -> DiskReader:
                (folder / "1.jpg").write_bytes(b"changed")
                return super().reader(album)

        answer = ask(site_of(Store(str(root), at_once)), f"/archive/{_ALBUM}/")
        self.assertEqual(answer.status, 500)
        for name in ("ETag", "Content-Disposition", "Last-Modified", "Accept-Ranges", "X-Accel-Buffering"):
            self.assertNotIn(name, answer.headers)
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.flushLoggedErrors()


class NastyRequestTests(WholeSiteCase):
    """What nobody should send: never a 500, never a word in the log but the access log's."""

    def assert_answered(self, answer: Answer, *statuses: int) -> None:
        self.assertIn(answer.status, statuses)
        self.assertEqual(self.flushLoggedErrors(), [])

    def raw(self, data: bytes, peer: Any = None) -> bytes:
        connection = Connection(self.site, peer)
        connection.send(data)
        received = connection.received()
        connection.leave()
        return received

    def test_hosts(self) -> None:
        """Nothing depends on the name that a client calls us by, be it a name or not."""
        for host in (
            b"",
            b"a" * 64,
            b"a" * 300,
            b"a..b",
            b".",
            b"..",
            b"\xff",
            b"\xc3\xa4.example",
            b"xn--\xff",
            b"xn--a",
            b"[::1]:80",
            b"[",
            b"x:y:z",
            b"a b",
            b"<script>",
            b"\xe2\x98\x83" * 70,
        ):
            for target in ("/", f"/archive/{_ALBUM}/", "/nothing"):
                data = self.raw(f"GET {target} HTTP/1.1\r\nHost: ".encode() + host + b"\r\n\r\n")
                self.assert_answered(parse(data), 404 if target == "/nothing" else 200, 400)

    def test_no_host(self) -> None:
        """HTTP/1.0 knows no host: such a request is answered, by TCP and by a UNIX socket."""
        for addresses in ((), (UNIXAddress(None), UNIXAddress(b"/run/socket"))):
            connection = Connection(self.site, *addresses)
            connection.send(b"GET / HTTP/1.0\r\n\r\n")
            self.assert_answered(connection.answer(), 200)

    def test_paths(self) -> None:
        """Paths of any bytes."""
        for target in (
            b"/%ff",
            b"/\xff",
            b"/%00",
            b"/%",
            b"/%zz",
            b"/%2f",
            b"/%2F%2F",
            b"//",
            b"///archive///",
            b"/..",
            b"/../../etc/passwd",
            b"/%2e%2e/%2e%2e/etc/passwd",
            b"/archive/%ff/",
            b"/archive/\xff",
            b"/archive/" + b"/" * 3000,
            b"/" + b"a/" * 3000,
            b"/?" + b"&" * 3000,
            b"/?file=%ff&%00=%00",
            b"/archive/..%2f..%2f/?file=../../etc/passwd",
            b"http://",
            b"http:///",
            b"https://[::1/",
            b"*",
            b"x",
            b"?",
            b"#",
            b"/;",
            b"/\\",
        ):
            self.assert_answered(self.ask(target), 200, 400, 404, 405)
            self.assert_answered(self.ask(target, "OPTIONS"), 200, 204, 400, 404)

    def test_methods(self) -> None:
        """Methods of any bytes; what is none is refused."""
        for method in ("get", "GETT", "A" * 3000, "!#$%&'*+-.^_`|~", "G\xffT", "\xff", "G:T", "1"):
            data = self.raw(method.encode("latin-1") + b" / HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assert_answered(parse(data), 400, 405)

    def test_no_http(self) -> None:
        """What is no request is refused or waited for, and the connection closed."""
        for data in (
            b"\r\n\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET\r\n\r\n",
            b"GET /\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"GET / HTTP/1.1\r\nno header\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n",
            b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"GET / HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 1000 + b"\r\n",
            b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n",
        ):
            received = self.raw(data)
            if received:
                self.assertTrue(
                    received.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 200 ", b"HTTP/9.9 ")), received[:50]
                )
            self.assertNotIn(b" 500 ", received[:20])
            self.assertEqual(self.flushLoggedErrors(), [])

    @settings(deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    @given(st.binary(max_size=200))
    def test_anything(self, data: bytes) -> None:
        """Whatever bytes come, in whatever place of a request, the next client is served."""
        archive = f"GET /archive/{_ALBUM}/ HTTP/1.1\r\nHost: x\r\n".encode()
        for request in (
            data,
            b"GET " + data + b" HTTP/1.1\r\nHost: x\r\n\r\n",
            data + b" / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"GET /nothing HTTP/1.1\r\nHost: x\r\n" + data + b"\r\n\r\n",
            b"GET /nothing HTTP/1.1\r\nHost: " + data + b"\r\n\r\n",
            b"GET /nothing HTTP/1.1\r\nHost: x\r\nAccept: " + data + b"\r\n\r\n",
            archive + b"Range: " + data + b"\r\nIf-None-Match: " + data + b"\r\n\r\n",
            archive + b"Range: bytes=" + data + b"\r\n\r\n",
        ):
            received = self.raw(request)
            self.assertNotIn(b" 500 ", received[:20], request)
            self.assertEqual(self.flushLoggedErrors(), [], request)
        self.assertEqual(self.ask("/").status, 200)

    @settings(deadline=None, suppress_health_check=[HealthCheck.differing_executors])
    @given(st.text(max_size=30) | st.sampled_from([unquote(name, errors="replace") for name in _NO_ALBUMS]))
    def test_any_album(self, name: str) -> None:
        """Whatever an album is called that there is not, it is the same 404."""
        answer = self.ask(f"/archive/{quote(name, safe='')}/")
        self.assertEqual((answer.status, answer.body), (404, _GONE.encode()))
