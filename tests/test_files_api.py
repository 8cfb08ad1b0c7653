"""
Tests of the file API as requests see it (DESIGN section 8).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from fileserve.catalogue.interfaces import CatalogueUnavailable
from fileserve.catalogue.memory import MemoryFiles
from fileserve.files.intake import Limits
from fileserve.storage.abilities import IGivesLinks
from fileserve.storage.errors import StoreUnavailable
from fileserve.storage.memory import MemoryStore

from .filesupport import BOUNDARY, FORM_TYPE, FilesSite, Spied, file_field, form, head, problem
from .support import parse

_KEYS = {
    "id", "short_name", "filename", "size", "file_type", "sha256", "crc32", "path_in_storage", "created_at",
    "processed", "status", "error", "metadata", "url",
}  # fmt: skip

_HELLO = hashlib.sha256(b"hello").hexdigest()


class ApiCase(SynchronousTestCase):
    """A site over a store and a catalogue in memory."""

    def setUp(self) -> None:
        self.memory = MemoryStore()
        self.store = Spied(self.memory)
        self.rows = MemoryFiles()
        self.files = Spied(self.rows)
        self.site = self.make_site()

    def make_site(self, **options: Any) -> FilesSite:
        return FilesSite(self.store, self.files, **options)

    def json(self, target: str) -> Any:
        answer = self.site.ask("GET", target)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        return json.loads(answer.body)

    def assert_nothing_stored(self) -> None:
        self.assertEqual(self.site.rows(), [])
        self.assertEqual(self.memory.incoming, set())
        self.assertEqual(self.successResultOf(self.rows.unsettled()), [])
        self.assertEqual(self.memory._albums, {})


class PostTests(ApiCase):
    """Files in a form."""

    def test_one(self) -> None:
        """One file is answered with what is stored, and where: 201."""
        answer = self.site.post(file_field("a.txt", b"hello"))
        said = json.loads(answer.body)
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (201, "application/json"))
        self.assertEqual(set(said), _KEYS)
        self.assertEqual(
            (said["filename"], said["size"], said["file_type"], said["sha256"], said["crc32"]),
            ("a.txt", 5, "text/plain", _HELLO, "3610a686"),
        )
        self.assertEqual(said["path_in_storage"], said["short_name"] + "/a.txt")
        self.assertEqual((said["processed"], said["status"], said["error"]), (False, "stored", None))
        self.assertEqual(said["created_at"], "2026-09-21T14:13:20.000000Z")

    def test_location(self) -> None:
        """``Location`` is relative, and leads to the same description; ``url`` leads to the bytes."""
        for method, target, body, headers in (
            ("POST", "/api/v1/", form(file_field("a.txt", b"hello")), [FORM_TYPE]),
            ("PUT", "/api/v1/files/a.txt", b"hello", []),
        ):
            answer = self.site.ask(method, target, body, headers)
            said = json.loads(answer.body)
            self.assertNotIn("//", answer.headers["Location"])
            self.assertEqual(self.json(urljoin(target, answer.headers["Location"])), said)
            where = urljoin("/api/v1/", said["url"])
            self.assertEqual(self.site.ask("GET", where, key=None).body, b"hello")

    def test_several(self) -> None:
        """S1-W6: several files are all kept, and answered in order."""
        answer = self.site.post(file_field("p.jpg", b"1"), ('; name="note"', b"x"), file_field("r.bin", b"2"))
        said = json.loads(answer.body)
        self.assertEqual((answer.status, [file["filename"] for file in said]), (201, ["p.jpg", "r.bin"]))
        self.assertEqual(answer.headers["Location"], said[0]["short_name"])
        self.assertEqual(self.site.rows(), [file["short_name"] for file in reversed(said)])

    def test_no_file(self) -> None:
        """S1-W7: a form without a file is refused with a sentence: 422."""
        for fields in (
            [],
            [('; name="file"', b"text")],
            [file_field("a.txt", b"x", name="other")],
            [file_field("", b"")],
            [("; filename=a", b"x")],
        ):
            answer = self.site.post(*fields)
            self.assertEqual(answer.status, 422)
            self.assertEqual(problem(answer)["detail"], "The form needs a field 'file' with a file.")
        self.assert_nothing_stored()

    def test_no_name(self) -> None:
        """Bytes without a name are refused: 422."""
        self.assertEqual(self.site.post(file_field("", b"x")).status, 422)
        self.assert_nothing_stored()

    def test_no_form(self) -> None:
        """What is no form is refused: 415; one without a boundary: 400."""
        for kind, status in (
            ("text/plain", 415),
            ("application/x-www-form-urlencoded", 415),
            (b"\xff\xfe", 415),
            ("multipart/form-data", 400),
        ):
            answer = self.site.ask("POST", "/api/v1/", b"x=1", [("Content-Type", kind)])
            self.assertEqual(answer.status, status)
            problem(answer)
        self.assertEqual(self.site.ask("POST", "/api/v1/", b"x=1").status, 415)
        self.assertEqual(self.site.ask("POST", "/api/v1/").status, 415)
        self.assert_nothing_stored()

    def test_broken(self) -> None:
        """A form that breaks off, or breaks after a file, keeps none of its files."""
        whole = form(file_field("a.txt", b"1"), file_field("b.txt", b"2"))
        second = whole.rindex(b"; name")
        for body in (whole[:-30], whole[:-8], whole[:second] + b"-" + whole[second:]):
            answer = self.site.ask("POST", "/api/v1/", body, [FORM_TYPE])
            self.assertEqual(answer.status, 400)
            problem(answer)
            self.assert_nothing_stored()

    def test_too_many_parts(self) -> None:
        """A form of 10,000 parts is refused, and keeps none: 413."""
        answer = self.site.post(file_field("a", b"1"), *[('; name="x"', b"")] * 10_000)
        self.assertEqual(answer.status, 413)
        self.assert_nothing_stored()

    def test_one_is_too_large(self) -> None:
        """S1-W13, S2-W6: a file over the limit refuses the form, and none of it is kept: 413."""
        self.site = self.make_site(limits=Limits(max_upload=100, min_free=0))
        answer = self.site.post(file_field("a", b"x" * 100), file_field("b", b"x" * 101))
        self.assertEqual(answer.status, 413)
        self.assertEqual(problem(answer)["detail"], "No file of more than 100 bytes is taken here.")
        self.assert_nothing_stored()
        self.assertEqual(self.site.post(*[file_field("a", b"x" * 100)] * 5).status, 201)

    def test_all_or_nothing(self) -> None:
        """Whatever fails at the second file, the first is not kept."""
        for part, name, error in (
            (self.store, "write", StoreUnavailable("away")),
            (self.store, "keep", StoreUnavailable("away")),
            (self.files, "add", CatalogueUnavailable("films", "locked")),
            (self.files, "expect", CatalogueUnavailable("films", "locked")),
        ):
            connection = self.site.connect()
            first, second = form(file_field("a", b"1")), form(file_field("b", b"2"))
            first = first[: first.index(f"--{BOUNDARY}--".encode())]
            connection.send(head("POST", "/api/v1/", first + second, [FORM_TYPE]) + first + second[:40])
            part.fails[name] = error
            connection.send(second[40:])
            self.assertEqual(parse(connection.received()).status, 503, name)
            part.fails.clear()
            connection.leave()
            self.memory.incoming.clear()  # a real store drops what it fails to keep
            self.assert_nothing_stored()

    def test_client_leaves(self) -> None:
        """A client that leaves after the first of two files leaves nothing."""
        body = form(file_field("a", b"1"), file_field("b", b"2"))
        for stop in range(0, len(body), 9):
            connection = self.site.connect()
            connection.send(head("POST", "/api/v1/", body, [FORM_TYPE]) + body[:stop])
            connection.leave()
            self.assert_nothing_stored()

    def test_same_again(self) -> None:
        """The same request once more stores the same once more."""
        first, second = (json.loads(self.site.post(file_field("a", b"1")).body) for _ in range(2))
        self.assertNotEqual(first["short_name"], second["short_name"])
        self.assertEqual(len(self.site.rows()), 2)

    def test_name_of_any_kind(self) -> None:
        """S2-W4, S2-W9, S1-W5: names are given back as sent; keys hold what every system can take."""
        for name in (
            "Звёздные войны.txt",
            "../../etc/passwd",
            "C:\\CON",
            "\u202egpj.exe",
            "x" * 3000,
            "a\tb",
            "NUL.txt",
            "..",
        ):
            said = json.loads(self.site.post(file_field(name, b"1")).body)
            self.assertEqual(said["filename"], name if "\\" not in name else "CON")
            album, _, last = said["path_in_storage"].partition("/")
            self.assertEqual(album, said["short_name"])
            self.assertNotIn("/", last)
            self.assertFalse(last.startswith("."))
            self.assertLessEqual(len(last.encode()), 200)


class PutTests(ApiCase):
    """A file that is the body."""

    def test_put(self) -> None:
        """It is answered as one in a form."""
        answer = self.site.ask("PUT", "/api/v1/files/%D1%84%20x.txt", b"hello")
        said = json.loads(answer.body)
        self.assertEqual((answer.status, set(said), said["filename"]), (201, _KEYS, "ф x.txt"))
        self.assertEqual((said["size"], said["sha256"]), (5, _HELLO))

    def test_no_bytes(self) -> None:
        """A body of no bytes is a file of none, with a length or without."""
        for body in (b"", None):
            said = json.loads(self.site.ask("PUT", "/api/v1/files/a", body).body)
            self.assertEqual((said["size"], said["crc32"]), (0, "00000000"))

    def test_chunked(self) -> None:
        """A body without a length comes in chunks."""
        connection = self.site.connect()
        request = head("PUT", "/api/v1/files/a.txt", headers=[("Transfer-Encoding", "chunked")])
        connection.send(request + b"2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n")
        self.assertEqual(json.loads(parse(connection.received()).body)["sha256"], _HELLO)
        connection.leave()

    def test_bad_chunks(self) -> None:
        """Chunks with bad sizes end the connection, and leave nothing."""
        for chunk in (b"x\r\n", b"-1\r\n", b"5\r\nhello!!\r\n", b"f" * 2000, b"\r\n"):
            connection = self.site.connect()
            request = head("PUT", "/api/v1/files/a.txt", headers=[("Transfer-Encoding", "chunked")])
            connection.send(request + b"3\r\nabc\r\n" + chunk)
            self.assertEqual(parse(connection.received()).status, 400)
            self.assertTrue(connection.lost)
            self.assert_nothing_stored()

    def test_too_large(self) -> None:
        """S1-W13: a length over the limit is refused before the body is asked for: 413."""
        self.site = self.make_site(limits=Limits(max_upload=100, min_free=0))
        connection = self.site.connect()
        connection.send(head("PUT", "/api/v1/files/a", b"x" * 101, [("Expect", "100-continue")]))
        self.assertEqual(parse(connection.received()).status, 413)
        connection.leave()
        self.assert_nothing_stored()

    def test_too_large_in_chunks(self) -> None:
        """Without a length it is refused as soon as it is too large."""
        self.site = self.make_site(limits=Limits(max_upload=100, min_free=0))
        connection = self.site.connect()
        request = head("PUT", "/api/v1/files/a", headers=[("Transfer-Encoding", "chunked")])
        connection.send(request + b"65\r\n" + b"x" * 101)
        self.assertEqual(parse(connection.received()).status, 413)
        connection.leave()
        self.assert_nothing_stored()

    def test_no_room(self) -> None:
        """A file that would leave too little room is refused before the body is asked for: 507."""
        self.memory = MemoryStore(room=1000)
        self.store.inner = self.memory
        self.site = self.make_site(limits=Limits(max_upload=10_000, min_free=500))
        for method, target, headers in (
            ("PUT", "/api/v1/files/a", []),
            ("POST", "/api/v1/", [FORM_TYPE]),
            ("PUT", "/api/v1/albums/a/b", []),
        ):
            connection = self.site.connect()
            connection.send(head(method, target, b"x" * 501, [*headers, ("Expect", "100-continue")]))
            self.assertEqual(parse(connection.received()).status, 507)
            connection.leave()
        self.assert_nothing_stored()

    def test_store_is_full(self) -> None:
        """A disk that is full sooner than it said is told as such, and leaves nothing: 507."""
        self.memory = MemoryStore(room=1000)
        self.store.inner = self.memory
        self.memory.free = _much  # type: ignore[method-assign]
        self.assertEqual(self.site.ask("PUT", "/api/v1/files/a", b"x" * 1001).status, 507)
        self.assert_nothing_stored()
        self.assertEqual(self.site.ask("PUT", "/api/v1/files/a", b"x" * 999).status, 201)

    def test_part(self) -> None:
        """A body that is said to be a part, as ``curl -C`` sends it, is not stored as a whole: 400."""
        for target in ("/api/v1/files/a", "/api/v1/albums/films/a"):
            answer = self.site.ask("PUT", target, b"lo", [("Content-Range", "bytes 3-4/5")])
            self.assertEqual(answer.status, 400)
            problem(answer)
        self.assert_nothing_stored()

    def test_nul(self) -> None:
        """A name with a NUL is refused: 422."""
        self.assertEqual(self.site.ask("PUT", "/api/v1/files/a%00b", b"x").status, 422)
        self.assert_nothing_stored()

    def test_slash(self) -> None:
        """A name has no slash, however it is spelt."""
        for name in ("a/b", "a%2Fb", ""):
            self.assertEqual(self.site.ask("PUT", f"/api/v1/files/{name}", b"x").status, 404)
        self.assert_nothing_stored()


def _much() -> Deferred[int | None]:
    return succeed(1 << 60)


class PageTests(ApiCase):
    """The list of files."""

    def test_shape(self) -> None:
        """It has the files, the newest first, and what asks for more."""
        one, two = self.site.stored("1"), self.site.stored("2")
        self.assertEqual(self.json("/api/v1/"), {"files": [two, one], "next": None})

    def test_pages(self) -> None:
        """S1-W13: pages follow each other exactly, while files come and go."""
        names = [self.site.stored(str(number))["short_name"] for number in range(5)][::-1]
        page = self.json("/api/v1/?limit=2")
        self.assertEqual([file["short_name"] for file in page["files"]], names[:2])
        self.site.stored("new")
        self.site.ask("DELETE", f"/api/v1/{names[1]}")
        page = self.json(f"/api/v1/?limit=2&after={page['next']}")
        self.assertEqual([file["short_name"] for file in page["files"]], names[2:4])
        page = self.json(f"/api/v1/?limit=2&after={page['next']}")
        self.assertEqual([file["short_name"] for file in page["files"]], names[4:])
        self.assertIsNone(page["next"])

    def test_processed(self) -> None:
        """Only those that are processed, or only the others, can be asked for."""
        file = self.site.stored()
        self.assertEqual(self.json("/api/v1/?processed=false")["files"], [file])
        self.assertEqual(self.json("/api/v1/?processed=true")["files"], [])

    def test_bad_parameters(self) -> None:
        """What can't be understood is refused with a sentence: 422."""
        for query in (
            "limit=0",
            "limit=1001",
            "limit=x",
            "after=x",
            "after=%FF",
            "after=%00",
            "processed=maybe",
        ):
            answer = self.site.ask("GET", f"/api/v1/?{query}")
            self.assertEqual(answer.status, 422, query)
            problem(answer)

    def test_catalogue_is_away(self) -> None:
        """Without the catalogue there is no list: 503, and again when it is back."""
        self.files.fails["page"] = CatalogueUnavailable("films", "locked")
        answer = self.site.ask("GET", "/api/v1/")
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "5"))
        self.assertNotIn("films", answer.body.decode())
        self.files.fails.clear()
        self.json("/api/v1/")


class ShowTests(ApiCase):
    """One file."""

    def test_show(self) -> None:
        """It is described to whoever knows its name."""
        file = self.site.stored()
        answer = self.site.ask("GET", f"/api/v1/{file['short_name']}", key=None)
        self.assertEqual((answer.status, json.loads(answer.body)), (200, file))

    def test_as_it_is_now(self) -> None:
        """One that somebody changed in the store is described as it is now."""
        file = self.site.stored("a.txt", b"hello")
        self.memory.put(file["short_name"], b"a.txt", b"%PDF-1.7 changed")
        now = self.json(f"/api/v1/{file['short_name']}")
        self.assertEqual((now["size"], now["file_type"]), (16, "application/pdf"))
        self.assertEqual(now["sha256"], hashlib.sha256(b"%PDF-1.7 changed").hexdigest())
        self.assertEqual((now["id"], now["created_at"]), (file["id"], file["created_at"]))

    def test_gone(self) -> None:
        """An unknown name, and a file whose bytes are gone, are not found."""
        file = self.site.stored()
        self.memory.delete(file["short_name"], b"a.txt")
        for name in (file["short_name"], "nobody", "albums", "files", "%FF", "%00", "x" * 3000):
            answer = self.site.ask("GET", f"/api/v1/{name}")
            self.assertEqual((answer.status, problem(answer)["detail"]), (404, "File was not found"))

    def test_client_leaves(self) -> None:
        """Computing what is in a file ends when nobody waits for it."""
        file = self.site.stored("a.txt", b"hello")
        self.memory.put(file["short_name"], b"a.txt", bytes(5_000_000))
        self.site.contents._in_thread = lambda *_: self._computing()
        self.left = 0
        connection = self.site.connect()
        connection.send(head("GET", f"/api/v1/{file['short_name']}"))
        connection.leave()
        self.assertEqual(self.left, 1)

    def _computing(self) -> Deferred[None]:
        def cancelled(_: Deferred[None]) -> None:
            self.left += 1

        return Deferred(cancelled)


class LinkTests(ApiCase):
    """Links that work for a while."""

    def link(self, file: dict[str, Any], query: str = "") -> str:
        link = self.json(f"/api/v1/get-url/{file['short_name']}{query}")
        self.assertIsInstance(link, str)
        self.assertTrue(link.startswith("http://files.example/"))
        return str(link).removeprefix("http://files.example")

    def test_works(self) -> None:
        """S2-W3: a link gives the bytes without further permission, and does not give the short name away."""
        file = self.site.stored("a.txt", b"hello")
        link = self.link(file)
        self.assertNotIn(file["short_name"], link)
        answer = self.site.ask("GET", link, key=None)
        self.assertEqual((answer.status, answer.body), (200, b"hello"))
        self.assertEqual(self.site.ask("HEAD", link, key=None).headers["Content-Length"], "5")
        part = self.site.ask("GET", link, headers=[("Range", "bytes=1-2")], key=None)
        self.assertEqual((part.status, part.body), (206, b"el"))

    def test_expires(self) -> None:
        """After its time it works no more: 410."""
        link = self.link(self.site.stored(), "?expires=60")
        self.site.clock.advance(59)
        self.assertEqual(self.site.ask("GET", link, key=None).status, 200)
        self.site.clock.advance(1)
        self.assertEqual(self.site.ask("GET", link, key=None).status, 410)

    def test_a_day(self) -> None:
        """Unless told otherwise, its time is a day."""
        link = self.link(self.site.stored())
        self.site.clock.advance(86_399)
        self.assertEqual(self.site.ask("GET", link, key=None).status, 200)
        self.site.clock.advance(1)
        self.assertEqual(self.site.ask("GET", link, key=None).status, 410)

    def test_changed_by_somebody(self) -> None:
        """A link that anything was changed in is none of ours: 403."""
        file, other = self.site.stored("a"), self.site.stored("b")
        link = self.link(file)
        expires = re.search(r"expires=(\d+)", link)
        assert expires is not None
        for changed in (
            link.replace(file["id"], other["id"]),
            link.replace(expires[1], str(int(expires[1]) + 1)),
            link[:-1],
            link + "&expires=99999999999",
            link.partition("?")[0],
        ):
            self.assertEqual(self.site.ask("GET", changed, key=None).status, 403)

    def test_removed(self) -> None:
        """A link to a file that was removed finds nothing."""
        file = self.site.stored()
        link = self.link(file)
        self.site.ask("DELETE", f"/api/v1/{file['short_name']}")
        self.assertEqual(self.site.ask("GET", link, key=None).status, 404)

    def test_refused(self) -> None:
        """No link is given to what is not there, for too long, or direct where there is no S3."""
        file = self.site.stored()
        for name, query, status in (
            ("nobody", "", 404),
            (file["short_name"], "?expires=604801", 422),
            (file["short_name"], "?expires=0", 422),
            (file["short_name"], "?direct=maybe", 422),
            (file["short_name"], "?direct=1", 422),
        ):
            answer = self.site.ask("GET", f"/api/v1/get-url/{name}{query}")
            self.assertEqual(answer.status, status)
            problem(answer)


@implementer(IGivesLinks)
class LinkingStore(MemoryStore):
    """A store that gives links, as S3 does."""

    def link(self, album: str, path: bytes, expires: int, headers: Mapping[str, str]) -> str:
        return json.dumps([album, path.decode(), expires, dict(headers)])


class DirectLinkTests(SynchronousTestCase):
    """Links with which files are read past this server."""

    def test_direct(self) -> None:
        """
        S2-W3: they say how long, and what S3 is to answer: the type by content, the whole name, and that what
        could run is saved.
        """
        site = FilesSite(LinkingStore())
        html, text = b"<!DOCTYPE html><script>", b"text"
        for name, data, kind, disposition in (
            ("a.png", html, "text/html", 'attachment; filename="a.png"'),
            ("b.html", text, "text/plain; charset=utf-8", 'inline; filename="b.html"'),
        ):
            file = site.stored(name, data)
            answer = site.ask("GET", f"/api/v1/get-url/{file['short_name']}?direct=1&expires=60")
            headers = {"Content-Type": kind, "Content-Disposition": disposition}
            self.assertEqual(json.loads(json.loads(answer.body)), [file["short_name"], name, 60, headers])

    def test_changed(self) -> None:
        """The type is that of the bytes that are there now."""
        store = LinkingStore()
        site = FilesSite(store)
        file = site.stored("a.txt", b"text")
        store.put(file["short_name"], b"a.txt", b"<!DOCTYPE html><script>")
        answer = site.ask("GET", f"/api/v1/get-url/{file['short_name']}?direct=1")
        headers = json.loads(json.loads(answer.body))[3]
        self.assertTrue(headers["Content-Disposition"].startswith("attachment"))


class DeleteTests(ApiCase):
    """Files that go."""

    def test_gone(self) -> None:
        """S1-W8, S2-W6: bytes and row are gone; the same once more finds nothing."""
        file = self.site.stored()
        answer = self.site.ask("DELETE", f"/api/v1/{file['short_name']}")
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assert_nothing_stored()
        self.assertEqual(self.site.ask("DELETE", f"/api/v1/{file['short_name']}").status, 404)

    def test_with_a_body(self) -> None:
        """A body that nobody wants does no harm, and neither does what comes after it."""
        file = self.site.stored()
        connection = self.site.connect()
        connection.send(head("DELETE", f"/api/v1/{file['short_name']}", b"body") + b"body")
        answer = parse(connection.received())
        self.assertEqual((answer.status, answer.headers["Content-Length"]), (204, None))
        if not connection.lost:
            connection.send(b"more")
        connection.leave()

    def test_store_is_away(self) -> None:
        """Where bytes can't be removed, nobody is told that they are: 503."""
        file = self.site.stored()
        self.store.fails["delete"] = StoreUnavailable("away")
        self.assertEqual(self.site.ask("DELETE", f"/api/v1/{file['short_name']}").status, 503)
        self.assertEqual(self.site.rows(), [])
