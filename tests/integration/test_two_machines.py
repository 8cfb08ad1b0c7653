"""
Two processes as on two machines: one S3, one PostgreSQL, and nothing else in common.
"""

from __future__ import annotations

import io
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import ZipFile

from twisted.trial.unittest import SynchronousTestCase

from tests.postgres import fresh_database
from tests.s3server import OWNER, S3Server, new_server

from .clients import eventually
from .gallerypage import Page
from .gallerysite import FORM, UPLOAD, Field, form, original, photo
from .server import Server, folder, start

_KEY = "a-key-that-both-of-them-know"
_BEARER = {"Authorization": f"Bearer {_KEY}"}
_MIB = 1024 * 1024


class TwoMachinesTests(SynchronousTestCase):
    """What one of them does, the other sees at once."""

    s3: S3Server

    def setUp(self) -> None:
        self.s3 = new_server()
        self.addCleanup(self.s3.remove)
        self.s3.start()
        self.location = self.s3.fresh_location()
        self.database = fresh_database(self)
        self.one, self.other = self.machine(), self.machine()

    def machine(self) -> Server:
        """A server with a state directory of its own."""
        state = folder(self)
        key = state / "key"
        key.write_text(_KEY + "\n")
        storage = f"s3://{self.location.bucket}/{self.location.prefix}?endpoint={self.location.endpoint}"
        options = ("--storage", storage, "--database", self.database, "--upload-key-file", str(key))
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        environ = {**dict(zip(names, OWNER, strict=True)), "AWS_EC2_METADATA_DISABLED": "true"}
        return start(self, Path(state), *options, state=state, environ=environ)

    def store(self, server: Server, name: str, data: bytes) -> str:
        """Take a file in; its short name."""
        answer = server.ask(f"/api/v1/files/{name}", "PUT", data, **_BEARER)
        self.assertEqual(answer.status, 201, answer.body)
        short: str = json.loads(answer.body)["short_name"]
        return short

    def names(self, server: Server) -> list[str]:
        """The short names that a server lists."""
        files = json.loads(server.ask("/api/v1/", **_BEARER).body)["files"]
        return [file["short_name"] for file in files]

    def test_stored_files(self) -> None:
        """A file that one took in is listed, sent and linked to by the other, and removed for both."""
        data = os.urandom(20 * _MIB)
        short = self.store(self.one, "film.mp4", data)
        self.assertEqual(self.names(self.other), [short])
        for server in (self.one, self.other):
            self.assertEqual(server.ask(f"/api/v1/download-full/{short}").body, data)
            part = server.ask(f"/api/v1/download-full/{short}", Range="bytes=17000000-17000099")
            self.assertEqual((part.status, part.body), (206, data[17_000_000:17_000_100]))
        link = json.loads(self.other.ask(f"/api/v1/get-url/{short}", **_BEARER).body)
        target = link[link.index("/api/") :]
        self.assertEqual(self.one.ask(target).body, data)
        self.assertEqual(self.other.ask(f"/api/v1/{short}", "DELETE", **_BEARER).status, 204)
        for server in (self.one, self.other):
            self.assertEqual(self.names(server), [])
            for gone in (f"/api/v1/{short}", f"/api/v1/download-stream/{short}", target):
                self.assertEqual(server.ask(gone).status, 404, gone)

    def test_archives(self) -> None:
        """An album put together by both downloads from either as the same bytes, whole and in part."""
        contents = {"1.jpg": b"1" * 1000, "2.jpg": os.urandom(5 * _MIB), "sub/3.jpg": b""}
        for number, (name, data) in enumerate(contents.items()):
            server = (self.one, self.other)[number % 2]
            self.assertEqual(server.ask(f"/api/v1/albums/holiday/{name}", "PUT", data, **_BEARER).status, 201)
        archive = self.one.ask("/archive/holiday/")
        again = self.other.ask("/archive/holiday/")
        self.assertEqual(archive.status, 200)
        self.assertEqual(archive.body, again.body)
        self.assertEqual(archive["ETag"], again["ETag"])
        with ZipFile(io.BytesIO(archive.body)) as opened:
            self.assertIsNone(opened.testzip())
            self.assertEqual({name: opened.read(name) for name in opened.namelist()}, contents)
        part = self.other.ask("/archive/holiday/", Range="bytes=1000-5000000")
        self.assertEqual((part.status, part.body), (206, archive.body[1000:5_000_001]))

    def upload(self, server: Server, data: bytes, name: str) -> int:
        """Send a picture to the gallery; the status."""
        return server.ask(UPLOAD, "POST", form(Field("file", data, name)), **_BEARER, **FORM).status

    def shown(self, server: Server) -> Page:
        """The page of the gallery."""
        return Page("/gallery/", server.ask("/gallery/").body.decode())

    def test_same_picture_at_both(self) -> None:
        """S3-W13: of the same picture that comes to both at once one is stored, and one is told so."""
        for turn in range(10):
            data = photo(turn)
            with ThreadPoolExecutor(2) as pool:
                coming = [
                    pool.submit(self.upload, server, data, f"{turn}-{number}.jpg")
                    for number, server in enumerate((self.one, self.other))
                ]
                self.assertEqual(sorted(each.result() for each in coming), [201, 409])
        for server in (self.one, self.other):
            self.assertEqual(len(self.shown(server).originals), 10)
            self.assertEqual(self.upload(server, photo(3), "again.jpg"), 409)

    def test_gallery(self) -> None:
        """A picture that one took in is shown, previewed and removed by the other, and gone for both."""
        self.assertEqual(self.upload(self.one, photo(1, 900, 600), "1.jpg"), 201)
        self.assertEqual(self.upload(self.other, photo(2, 900, 600), "1.jpg"), 201)
        first, second = original("1.jpg"), original("1 (2).jpg")
        for server in (self.one, self.other):
            page = self.shown(server)
            self.assertEqual(set(page.originals), {first, second})
            self.assertIn("NIKON D850", page.text)
            self.assertEqual(server.ask(first).body, photo(1, 900, 600))
            for preview in page.previews:
                answer = server.ask(preview, Accept="image/webp")
                self.assertEqual((answer.status, answer["Content-Type"]), (200, "image/webp"))
                self.assertIn("immutable", answer["Cache-Control"])
        self.assertEqual(self.other.ask(first, "DELETE", **_BEARER).status, 204)
        for server in (self.one, self.other):
            self.assertEqual(self.shown(server).originals, [second])
            self.assertEqual(server.ask(first).status, 404)
            self.assertEqual(server.ask(first.replace("original", "preview/320")).status, 404)
        stripped = self.one.ask(f"{second}?location=strip")
        self.assertEqual(stripped.status, 200)
        self.assertEqual(len(stripped.body), len(photo(2, 900, 600)))
        self.assertNotEqual(stripped.body, photo(2, 900, 600))
        archives = [server.ask("/archive/gallery/?location=strip") for server in (self.one, self.other)]
        self.assertEqual(archives[0].body, archives[1].body)
        self.assertIn(stripped.body, archives[0].body)

    def test_s3_away(self) -> None:
        """While S3 is away requests that need it get 503; once it is back all is as before."""
        short = self.store(self.one, "a.txt", b"hello")
        self.s3.stop()
        self.assertEqual(self.one.ask(f"/api/v1/download-full/{short}").status, 503)
        self.assertEqual(self.one.ask("/api/v1/files/b.txt", "PUT", b"1", **_BEARER).status, 503)
        self.assertEqual(self.names(self.one), [short])
        self.s3.start()
        eventually(lambda: self.one.ask(f"/api/v1/download-full/{short}").body == b"hello", "S3 to be back")
        self.store(self.other, "c.txt", b"2")
