"""
Tests of giving files out, over a store in memory and over a disk, as requests see it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from fileserve.catalogue.interfaces import CatalogueUnavailable
from fileserve.catalogue.memory import MemoryFacts, MemoryFiles
from fileserve.http.representation import entity_tag
from fileserve.storage.disk import DiskStore
from fileserve.storage.errors import StoreUnavailable
from fileserve.storage.interfaces import Member
from fileserve.storage.memory import MemoryStore

from .filesupport import FilesSite, Spied, head, problem
from .support import Answer, at_once, open_descriptors

_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(100)
_HTML = b"<!DOCTYPE html><script>alert(1)</script>"
_SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


class DownloadsCase(SynchronousTestCase):
    """A site over a store in memory."""

    def setUp(self) -> None:
        self.site = FilesSite()

    def get(
        self, file: dict[str, Any], *, saved: bool = False, method: str = "GET", **headers: str
    ) -> Answer:
        route = "download-full" if saved else "download-stream"
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        return self.site.ask(method, f"/api/v1/{route}/{file['short_name']}", headers=named, key=None)


class SendTests(DownloadsCase):
    """Whole files."""

    def test_whole(self) -> None:
        """S2-W2: a file comes with its length, its type and validators."""
        answer = self.get(self.site.stored("a.txt", b"hello"))
        self.assertEqual((answer.status, answer.body), (200, b"hello"))
        self.assertEqual(answer.headers["Content-Length"], "5")
        self.assertEqual(answer.headers["Content-Type"], "text/plain; charset=utf-8")
        self.assertEqual(answer.headers["Accept-Ranges"], "bytes")
        self.assertRegex(answer.headers["ETag"], r'^"[0-9a-f]{32}"$')
        self.assertEqual(answer.headers["Last-Modified"], "Mon, 21 Sep 2026 14:13:20 GMT")
        self.assertEqual(answer.headers["Cache-Control"], "private, no-transform")

    def test_large(self) -> None:
        """S1-W4: a file of any size goes out in chunks; here some that are no multiple of anything."""
        data = bytes(range(256)) * 12_345 + b"end"
        self.assertEqual(self.get(self.site.stored("a.bin", data)).body, data)

    def test_no_bytes(self) -> None:
        """A file of no bytes is sent, whole and to be saved, by GET and by HEAD."""
        file = self.site.stored("a.txt", b"")
        for saved in (False, True):
            for method in ("GET", "HEAD"):
                answer = self.get(file, saved=saved, method=method)
                self.assertEqual((answer.status, answer.body), (200, b""))
                self.assertEqual(answer.headers["Content-Length"], "0")

    def test_head(self) -> None:
        """S2-W2: HEAD says what GET would, without a body."""
        file = self.site.stored("a.txt", b"hello")
        got, asked = self.get(file), self.get(file, method="HEAD")
        self.assertEqual(asked.status, 200)
        self.assertEqual(asked.body, b"")
        self.assertEqual(asked.headers.items(), got.headers.items())

    def test_gone(self) -> None:
        """An unknown name, and one whose file was removed, are not found."""
        file = self.site.stored()
        self.get(file)
        self.site.ask("DELETE", f"/api/v1/{file['short_name']}")
        for each in (file, {"short_name": "nobody"}, {"short_name": "%00"}, {"short_name": "%FF"}):
            for saved in (False, True):
                answer = self.get(each, saved=saved)
                self.assertEqual(answer.status, 404)
        self.assertEqual(problem(self.get(file))["detail"], "File was not found")


class NameTests(DownloadsCase):
    """Under which name a file is saved, and whether it is shown."""

    def test_name(self) -> None:
        """S2-W1, S1-W5: the name is quoted, encoded, and whole, with its extension."""
        file = self.site.stored("Звёздные войны.txt", b"x")
        self.assertEqual(
            self.get(file).headers["Content-Disposition"],
            "inline; filename=\"________ _____.txt\"; filename*=UTF-8''%D0%97%D0%B2%D1%91%D0%B7%D0%B4%D0%BD"
            "%D1%8B%D0%B5%20%D0%B2%D0%BE%D0%B9%D0%BD%D1%8B.txt",
        )
        plain = self.site.stored("m.mp4", b"x")
        self.assertEqual(
            self.get(plain, saved=True).headers["Content-Disposition"], 'attachment; filename="m.mp4"'
        )

    def test_no_header_can_be_made(self) -> None:
        """A name can neither end a header nor its quotes."""
        answer = self.get(self.site.stored('a\r\nX-Evil: 1";x="', b"x"))
        self.assertNotIn("X-Evil", answer.headers)
        self.assertEqual(answer.headers["Content-Disposition"].count('"'), 2 * answer.body.count(b"x"))

    def test_shown(self) -> None:
        """What can't run anything is shown, under the type that its content has."""
        for data, kind in (
            (_PNG, "image/png"),
            (b"%PDF-1.7\n", "application/pdf"),
            (b"some text", "text/plain; charset=utf-8"),
        ):
            answer = self.get(self.site.stored("a.html", data))
            self.assertEqual(answer.headers["Content-Type"], kind)
            self.assertTrue(answer.headers["Content-Disposition"].startswith("inline; "))
            self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
            self.assertIn("default-src 'none'", answer.headers["Content-Security-Policy"])

    def test_not_shown(self) -> None:
        """S1-W10: HTML, SVG and what nobody knows are only saved, whatever their names say."""
        for data in (_HTML, _SVG, b"\x00\x01\x02", b""):
            for name in ("a.html", "a.png", "a.txt", "a"):
                answer = self.get(self.site.stored(name, data))
                self.assertTrue(answer.headers["Content-Disposition"].startswith("attachment; "))
                self.assertIn("sandbox", answer.headers["Content-Security-Policy"])
                self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")

    def test_saved(self) -> None:
        """What could be shown is saved where it was asked for so."""
        answer = self.get(self.site.stored("a.png", _PNG), saved=True)
        self.assertEqual(answer.headers["Content-Disposition"], 'attachment; filename="a.png"')
        self.assertEqual(answer.headers["Content-Type"], "image/png")

    def test_album_name_is_not_told(self) -> None:
        """S2-W4: the secret name stands in no header."""
        file = self.site.stored()
        answer = self.get(file)
        self.assertNotIn(file["short_name"], str(answer.headers))


class PartTests(DownloadsCase):
    """Ranges and conditions."""

    def test_range(self) -> None:
        """S2-W2: one range is a part, several are several parts, and none that fits is 416."""
        file = self.site.stored("a.txt", b"0123456789")
        part = self.get(file, Range="bytes=2-4")
        self.assertEqual((part.status, part.body), (206, b"234"))
        self.assertEqual(part.headers["Content-Range"], "bytes 2-4/10")
        self.assertEqual(self.get(file, Range="bytes=-3").body, b"789")
        several = self.get(file, Range="bytes=0-1,8-9")
        self.assertEqual(several.status, 206)
        self.assertTrue(several.headers["Content-Type"].startswith("multipart/byteranges"))
        none = self.get(file, Range="bytes=10-")
        self.assertEqual((none.status, none.headers["Content-Range"]), (416, "bytes */10"))
        self.assertEqual(problem(none)["detail"], "There are only 10 bytes.")

    def test_conditions(self) -> None:
        """Who has it already is told so, and what was asked of another version is not sent."""
        file = self.site.stored("a.txt", b"0123456789")
        etag = self.get(file).headers["ETag"]
        unchanged = self.get(file, If_None_Match=etag)
        self.assertEqual((unchanged.status, unchanged.body), (304, b""))
        self.assertEqual(self.get(file, If_Match='"other"').status, 412)
        self.assertEqual(self.get(file, If_Range='"other"', Range="bytes=0-1").status, 200)
        self.assertEqual(self.get(file, If_Range=etag, Range="bytes=0-1").status, 206)

    def test_resumed_by_another_process(self) -> None:
        """Another process gives the same entity-tag, so that a download can go on there."""
        file = self.site.stored("a.txt", b"0123456789")
        other = FilesSite(self.site.store, self.site.files, self.site.facts)
        target = f"/api/v1/download-stream/{file['short_name']}"
        headers = [("Range", "bytes=5-"), ("If-Range", self.get(file).headers["ETag"])]
        self.assertEqual(other.ask("GET", target, headers=headers, key=None).body, b"56789")


class ChangedTests(DownloadsCase):
    """Files that are not what they were when they came."""

    def replace(self, file: dict[str, Any], data: bytes) -> Member:
        assert isinstance(self.site.store, MemoryStore)
        return self.site.store.put(file["short_name"], file["filename"].encode(), data)

    def test_served_as_it_is(self) -> None:
        """A file that somebody changed in the store is served as it is, with a new entity-tag and type."""
        file = self.site.stored("a.txt", b"hello")
        before = self.get(file)
        member = self.replace(file, _HTML)
        after = self.get(file)
        self.assertEqual(after.body, _HTML)
        self.assertEqual(after.headers["ETag"], entity_tag(member).decode())
        self.assertNotEqual(after.headers["ETag"], before.headers["ETag"])
        self.assertTrue(after.headers["Content-Disposition"].startswith("attachment"))
        self.assertEqual(self.get(file, If_None_Match=before.headers["ETag"]).status, 200)

    def test_removed_by_another_process(self) -> None:
        """What another process removed is not found, also by one that just sent it."""
        file = self.site.stored()
        self.get(file)
        other = FilesSite(self.site.store, self.site.files, self.site.facts)
        self.assertEqual(other.ask("DELETE", f"/api/v1/{file['short_name']}").status, 204)
        self.assertEqual(self.get(file).status, 404)

    def test_taken_by_another(self) -> None:
        """What somebody puts where a removed file lay is not given out under its short name."""
        file = self.site.stored("a.txt", b"hello")
        self.assertEqual(self.get(file).body, b"hello")
        self.successResultOf(self.site.files.remove(file["short_name"]))
        self.replace(file, b"another's")
        self.assertEqual(self.get(file).status, 404)

    def test_changed_just_now(self) -> None:
        """What changes while it is opened is to be asked for again: 503."""
        file = self.site.stored("a.txt", b"hello")
        store = Spied(self.site.store)
        stale = self.successResultOf(self.site.store.stat(file["short_name"], b"a.txt"))
        self.replace(file, b"other")
        store.inner = _Stale(self.site.store, stale)
        # With facts it is seen when it is opened to be sent, without them already when it is looked at.
        for facts in (self.site.facts, MemoryFacts()):
            site = FilesSite(store, self.site.files, facts)
            answer = site.ask("GET", f"/api/v1/download-stream/{file['short_name']}")
            self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "1"))
        answer = site.ask("GET", f"/api/v1/{file['short_name']}")
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "1"))

    def test_away(self) -> None:
        """A store or a catalogue that is away is told as such, and is asked again the next time."""
        file = self.site.stored()
        store, files = Spied(self.site.store), Spied(self.site.files)
        site = FilesSite(store, files, self.site.facts)
        target = f"/api/v1/download-stream/{file['short_name']}"
        files.fails["get"] = CatalogueUnavailable("films", "locked")
        self.assertEqual(site.ask("GET", target).status, 503)
        files.fails.clear()
        store.fails["stat"] = StoreUnavailable("away")
        self.assertEqual(site.ask("GET", target).status, 503)
        store.fails.clear()
        self.assertEqual(site.ask("GET", target).status, 200)


class _Stale:
    """A store that tells of a version that is no longer there."""

    def __init__(self, store: Any, stale: Member) -> None:
        self._store = store
        self._stale = stale

    def stat(self, album: str, path: bytes) -> Deferred[Member]:
        stale: Deferred[Member] = Deferred()
        stale.callback(self._stale)
        return stale

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class DiskTests(SynchronousTestCase):
    """On a disk, where files are opened."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.root.mkdir()
        self.site = FilesSite(DiskStore(str(self.root), at_once), MemoryFiles(), MemoryFacts())

    def test_nothing_stays_open(self) -> None:
        """S1-W4, S2-W5: nothing stays open or behind: whole, part, HEAD, 304, 416, 404, or left halfway."""
        file = self.site.stored("a.bin", bytes(3_000_000))
        target = f"/api/v1/download-stream/{file['short_name']}"
        before = open_descriptors()
        etag = self.site.ask("HEAD", target).headers["ETag"]
        for headers in (
            [],
            [("Range", "bytes=5-9")],
            [("If-None-Match", etag)],
            [("Range", "bytes=9999999-")],
        ):
            self.site.ask("GET", target, headers=headers)
            self.assertEqual(open_descriptors(), before)
        leaving = self.site.connect()
        leaving.send(head("GET", target))
        leaving.leave()
        self.assertEqual(open_descriptors(), before)
        self.assertEqual(sorted(os.listdir(self.root)), sorted([".incoming", file["short_name"]]))
        self.assertEqual(os.listdir(self.root / file["short_name"]), ["a.bin"])
        self.site.ask("DELETE", f"/api/v1/{file['short_name']}")
        self.site.ask("GET", target)
        self.assertEqual(open_descriptors(), before)

    def test_changed_on_the_disk(self) -> None:
        """A file changed on the disk has new facts and a new entity-tag; one removed is gone."""
        file = self.site.stored("a.txt", b"hello")
        path = self.root / file["short_name"] / "a.txt"
        target = f"/api/v1/download-stream/{file['short_name']}"
        before = self.site.ask("GET", target).headers["ETag"]
        path.write_bytes(_PNG)
        os.utime(path, ns=(1, 1))
        after = self.site.ask("GET", target)
        self.assertEqual((after.headers["Content-Type"], after.body), ("image/png", _PNG))
        self.assertNotEqual(after.headers["ETag"], before)
        path.unlink()
        self.assertEqual(self.site.ask("GET", target).status, 404)
