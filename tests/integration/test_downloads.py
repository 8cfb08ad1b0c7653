"""
Tests of downloading albums with real clients: whole, in parts, resumed, on conditions, and refused.
"""

from __future__ import annotations

import io
import subprocess
import zipfile
from collections.abc import Callable
from email.parser import BytesParser
from email.policy import HTTP
from email.utils import formatdate, parsedate_to_datetime

from twisted.trial.unittest import SynchronousTestCase

from .clients import Answer
from .server import environment, folder, need, start
from .trees import MIB, make_album, noise

ALBUM = "3bea29ccabbbf64bdebcc055319c5745"
TARGET = f"/archive/{ALBUM}/"
GONE = b"Archive does not exist or was removed"

MEMBERS = {
    "1.jpg": noise(300_000, 1),
    "2.jpg": b"two",
    "empty": b"",
    "sub/3.jpg": noise(5 * MIB, 3),
    "sub/größe.jpg": b"four",
}


class DownloadCase(SynchronousTestCase):
    """A server of one album, and the whole archive of it."""

    def setUp(self) -> None:
        self.root = folder(self) / "root"
        make_album(self.root, ALBUM, MEMBERS)
        self.server = start(self, self.root)
        self.url = f"http://127.0.0.1:{self.server.port}{TARGET}"

    def get(self, target: str = TARGET, method: str = "GET", **headers: str) -> Answer:
        return self.server.ask(target, method, **headers)

    def curl(self, *arguments: str) -> None:
        need("curl")
        subprocess.run(["curl", "-fsS", *arguments], check=True, env=environment())


class WholeTests(DownloadCase):
    """An archive as a whole, and what is said of it."""

    def test_whole_by_curl(self) -> None:
        """The archive holds every member under its path, sorted by its bytes, and is as long as promised."""
        target = self.root / "a.zip"
        self.curl("-o", str(target), self.url)
        with zipfile.ZipFile(target) as archive:
            names = sorted(MEMBERS, key=str.encode)
            self.assertEqual(archive.namelist(), names)
            self.assertEqual({name: archive.read(name) for name in names}, MEMBERS)
        self.assertEqual(int(self.get(method="HEAD")["Content-Length"]), target.stat().st_size)

    def test_headers(self) -> None:
        """All that clients and proxies need stands in the headers, and the secret name in none of them."""
        answer = self.get()
        expected = {
            "content-type": "application/zip",
            "content-disposition": 'attachment; filename="archive.zip"',
            "content-length": str(len(answer.body)),
            "accept-ranges": "bytes",
            "cache-control": "private, no-transform",
            "x-accel-buffering": "no",
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
        }
        self.assertEqual({name: answer.headers.get(name) for name in expected}, expected)
        self.assertTrue(answer["ETag"].startswith('"'), answer["ETag"])
        self.assertNotIn("transfer-encoding", answer.headers)
        self.assertNotIn(ALBUM, str(answer.headers))

    def test_head_is_get_without_a_body(self) -> None:
        """HEAD answers with the same headers, no body, and begins no transfer."""
        head = self.get(method="HEAD")
        self.assertEqual(self.server.metric("fileserve_archives_started_total"), 0)
        get = self.get()
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual({**head.headers, "date": ""}, {**get.headers, "date": ""})

    def test_filename(self) -> None:
        """``filename`` is what the file is called at the client, in both forms where ASCII does not do."""
        offered = {
            "filename=holiday.zip": 'attachment; filename="holiday.zip"',
            "filename=%D0%BC%D0%BE%D1%80%D0%B5.zip": "filename*=UTF-8''%D0%BC%D0%BE%D1%80%D0%B5.zip",
            "filename=a%22b%5Cc%2Fd%0D%0AX-Evil%3A1": 'attachment; filename="a_b_c_d__X-Evil:1"',
            "filename=": 'attachment; filename="archive.zip"',
        }
        for query, expected in offered.items():
            answer = self.get(f"{TARGET}?{query}", "HEAD")
            self.assertEqual(answer.status, 200, query)
            self.assertNotIn("x-evil", answer.headers)
            self.assertIn(expected, answer["Content-Disposition"])

    def test_picked_members(self) -> None:
        """``file`` picks members, in any order; another choice has another ETag."""
        answer = self.get(f"{TARGET}?file=sub/3.jpg&file=2.jpg")
        with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
            self.assertEqual(archive.namelist(), ["2.jpg", "sub/3.jpg"])
        again = self.get(f"{TARGET}?file=2.jpg&file=sub%2F3.jpg&file=2.jpg")
        self.assertEqual((again.body, again["ETag"]), (answer.body, answer["ETag"]))
        self.assertNotEqual(self.get(method="HEAD")["ETag"], answer["ETag"])

    def test_empty_album(self) -> None:
        """An album that holds nothing is an archive that holds nothing."""
        make_album(self.root, "hollow", {})
        with zipfile.ZipFile(io.BytesIO(self.get("/archive/hollow/").body)) as archive:
            self.assertEqual(archive.namelist(), [])


class RefusedTests(DownloadCase):
    """What gives no archive."""

    def test_gone(self) -> None:
        """An unknown album, a name that can't be one and an unknown member: the same 404, word by word."""
        unknown = ["/archive/unknown/", "/archive/a%20b/", f"{TARGET}?file=1.jpg&file=9.jpg", "/archive/"]
        for target in unknown:
            answer = self.get(target)
            self.assertEqual((answer.status, answer.body), (404, GONE), target)
            self.assertEqual(answer["Content-Type"], "text/plain; charset=utf-8")

    def test_page_for_browsers(self) -> None:
        """Whoever prefers HTML gets the same text as a page."""
        answer = self.get("/archive/unknown/", Accept="text/html,*/*;q=0.8")
        self.assertEqual((answer.status, answer["Content-Type"]), (404, "text/html; charset=utf-8"))
        self.assertIn(GONE, answer.body)

    def test_redirect(self) -> None:
        """Without the slash, 308 to a relative reference that keeps the query."""
        answer = self.get(f"/archive/{ALBUM}?filename=x.zip")
        self.assertEqual((answer.status, answer["Location"]), (308, f"{ALBUM}/?filename=x.zip"))

    def test_curl_follows(self) -> None:
        """The redirect leads a real client to the archive."""
        target = self.root / "a.zip"
        self.curl("-L", "-o", str(target), self.url.rstrip("/"))
        self.assertEqual(target.read_bytes(), self.get().body)

    def test_methods(self) -> None:
        """Other methods are 405 with Allow, spelling included; OPTIONS is told it without an error."""
        for method in ("POST", "PUT", "DELETE", "PATCH", "get", "BREW"):
            answer = self.get(method=method)
            self.assertEqual((answer.status, answer["Allow"]), (405, "GET, HEAD, OPTIONS"), method)
        answer = self.get(method="OPTIONS")
        self.assertEqual((answer.status, answer.body, answer["Allow"]), (204, b"", "GET, HEAD, OPTIONS"))


class ConditionTests(DownloadCase):
    """Conditions of RFC 9110 section 13, in their order."""

    def test_conditions(self) -> None:
        """Each condition alone, and each pair in which one wins."""
        get = self.get(method="HEAD")
        etag, changed = get["ETag"], get["Last-Modified"]
        past = "Mon, 01 Jan 2001 00:00:00 GMT"
        cases = [
            (304, {"If-None-Match": etag}),
            (304, {"If-None-Match": f'"other", W/{etag}'}),
            (304, {"If-None-Match": "*"}),
            (200, {"If-None-Match": '"other"'}),
            (304, {"If-Modified-Since": changed}),
            (200, {"If-Modified-Since": past}),
            (200, {"If-Modified-Since": "yesterday"}),
            (200, {"If-None-Match": '"other"', "If-Modified-Since": changed}),
            (200, {"If-Match": etag}),
            (200, {"If-Match": "*"}),
            (412, {"If-Match": '"other"'}),
            (412, {"If-Match": f"W/{etag}"}),
            (200, {"If-Unmodified-Since": changed}),
            (412, {"If-Unmodified-Since": past}),
            (200, {"If-Match": etag, "If-Unmodified-Since": past}),
            (412, {"If-Match": '"other"', "If-None-Match": etag}),
            (304, {"If-None-Match": etag, "Range": "bytes=0-1"}),
        ]
        for status, headers in cases:
            for method in ("GET", "HEAD"):
                self.assertEqual(self.get(method=method, **headers).status, status, (method, headers))

    def test_not_modified(self) -> None:
        """A 304 has no body and still says what is current."""
        etag = self.get(method="HEAD")["ETag"]
        answer = self.get(If_None_Match=etag)
        self.assertEqual((answer.body, answer["ETag"]), (b"", etag))
        self.assertEqual(answer["Cache-Control"], "private, no-transform")

    def test_changed_album(self) -> None:
        """What is added, rewritten or deleted changes the ETag."""
        seen = {self.get(method="HEAD")["ETag"]}
        path = self.root / ALBUM / "2.jpg"
        changes: list[Callable[[], object]] = [
            lambda: path.write_bytes(b"owt"),
            path.unlink,
            lambda: path.write_bytes(b"two"),
        ]
        for number, change in enumerate(changes, 2):
            change()
            seen.add(self.get(method="HEAD")["ETag"])
            self.assertEqual(len(seen), number)


class RangeTests(DownloadCase):
    """Parts of an archive are slices of the whole."""

    def setUp(self) -> None:
        super().setUp()
        answer = self.get()
        self.whole, self.etag, self.changed = answer.body, answer["ETag"], answer["Last-Modified"]

    def test_single(self) -> None:
        """One range is the slice, wherever it begins and ends: 206 with Content-Range."""
        size = len(self.whole)
        for first, last in [(0, 0), (1, 30), (299_990, 300_300), (0, size - 1), (size - 70, size - 1)]:
            answer = self.get(Range=f"bytes={first}-{last}")
            self.assertEqual((answer.status, answer["Content-Range"]), (206, f"bytes {first}-{last}/{size}"))
            self.assertEqual(answer.body, self.whole[first : last + 1])
        self.assertEqual(self.get(Range=f"bytes={size - 9}-").body, self.whole[-9:])
        self.assertEqual(self.get(Range="bytes=-9").body, self.whole[-9:])
        self.assertEqual(self.get(Range=f"bytes=1-{size * 9}").body, self.whole[1:])
        self.assertEqual(self.get(Range=f"bytes=-{size * 9}").body, self.whole)

    def test_several(self) -> None:
        """Several are the parts of a multipart/byteranges, each with its place, of the promised length."""
        size = len(self.whole)
        answer = self.get(Range=f"bytes=0-9, 400000-{size - 100},-5")
        self.assertEqual((answer.status, int(answer["Content-Length"])), (206, len(answer.body)))
        self.assertNotIn("content-range", answer.headers)
        head = f"Content-Type: {answer['Content-Type']}\r\n\r\n".encode()
        parts = BytesParser(policy=HTTP.clone(linesep="\r\n")).parsebytes(head + answer.body)
        places = [part["Content-Range"] for part in parts.iter_parts()]
        expected = [(0, 9), (400_000, size - 100), (size - 5, size - 1)]
        self.assertEqual(places, [f"bytes {first}-{last}/{size}" for first, last in expected])
        at = 0
        for (first, last), place in zip(expected, places, strict=True):
            at = answer.body.index(b"\r\n\r\n", answer.body.index(place.encode(), at)) + 4
            slice_ = self.whole[first : last + 1]
            self.assertEqual(answer.body[at : at + len(slice_)], slice_)
            at += len(slice_)

    def test_unsatisfiable(self) -> None:
        """Where no range can be satisfied: 416 with the size, and nothing of the archive."""
        size = len(self.whole)
        for text in (f"bytes={size}-", "bytes=-0", f"bytes={size}-{size + 1},-0"):
            answer = self.get(Range=text)
            self.assertEqual((answer.status, answer["Content-Range"]), (416, f"bytes */{size}"), text)
            self.assertLess(len(answer.body), 100)

    def test_ignored(self) -> None:
        """What is no range, another unit, too many or overlapping ones, and any on HEAD: the whole."""
        many = ",".join(f"{at}-{at}" for at in range(0, 40, 2))
        for text in ("bytes=9-1", "bytes=a-b", "seconds=1-2", "bytes", f"bytes={many}", "bytes=0-9,5-20,7-8"):
            answer = self.get(Range=text)
            self.assertEqual((answer.status, len(answer.body)), (200, len(self.whole)), text)
        self.assertEqual(self.get(method="HEAD", Range="bytes=0-1").status, 200)

    def test_if_range(self) -> None:
        """A part is sent only of the very version that the client has; else the whole."""
        date = parsedate_to_datetime(self.changed).timestamp()
        for status, value in [
            (206, self.etag),
            (200, f"W/{self.etag}"),
            (200, '"other"'),
            (200, formatdate(date - 1, usegmt=True)),
            (200, formatdate(date + 1, usegmt=True)),
        ]:
            self.assertEqual(self.get(Range="bytes=0-9", If_Range=value).status, status, value)


class ResumedTests(DownloadCase):
    """Downloads that broke off."""

    def test_curl_resumes(self) -> None:
        """``curl`` killed after 1 MiB goes on with ``-C -`` and has the same bytes in the end."""
        need("curl")
        target = self.root / "a.zip"
        with subprocess.Popen(["curl", "-sS", self.url], stdout=subprocess.PIPE, env=environment()) as first:
            assert first.stdout is not None
            target.write_bytes(first.stdout.read(MIB))
            first.kill()
        self.curl("-C", "-", "-o", str(target), self.url)
        self.assertEqual(target.read_bytes(), self.get().body)
