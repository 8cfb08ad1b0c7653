"""
Tests of uploads to a gallery that are not taken, and of those that are cut off: nothing of them stays.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from unittest import TestCase

from tests.picturesamples import sample

from .clients import eventually
from .gallerysite import ALBUM, HTML, UPLOAD, Field, GalleryServer, UploadCase, form, photo
from .server import folder
from .trees import MIB


class RefusedTests(UploadCase):
    """Uploads that are not taken; nothing of them stays."""

    def test_forms(self) -> None:
        """S3-W4: every form gets an answer that says what is wrong with it."""
        file = Field("file", photo(), "1.jpg")
        for status, fields in (
            (422, ()),
            (422, (Field("name", b"x"),)),
            (422, (Field("other", photo(), "1.jpg"),)),
            (422, (Field("file", b"", ""), Field("name", b"x"))),
            (400, (Field("name", b"n" * 51), file)),
            (400, (Field("name", b"n" * 10 * MIB), file)),
            (415, (Field("file", b"", "empty.jpg"),)),
            (415, (Field("file", b"GIF89a" + bytes(20), "broken.gif"),)),
            (415, (Field("file", b"text", "text.jpg"),)),
        ):
            answer = self.server.post(UPLOAD, *fields)
            self.assertEqual(answer.status, status, (fields and fields[0].name, answer.body[:200]))
            self.refused(status, answer)
        long = self.server.post(UPLOAD, Field("file", photo(), "n" * 10 * MIB + ".jpg"))
        self.assertIn(long.status, {400, 413})
        for body, kind, status in (
            (b"x=1", "application/x-www-form-urlencoded", 415),
            (b"x", "multipart/form-data", 400),
            (b"--x\r\n", "multipart/form-data; boundary=x", 400),
            (photo(), "image/jpeg", 415),
        ):
            self.assertEqual(
                self.server.request(UPLOAD, "POST", body, Content_Type=kind).status, status, kind
            )
        self.assert_nothing()

    def test_who_may(self) -> None:
        """S3-W12: strangers and other sites' pages upload nothing."""
        cookie = self.server.cookie()
        self.assertEqual(self.server.upload(photo(), key=False).status, 401)
        self.assertEqual(self.server.upload(photo(), key=False, Authorization="Bearer wrong").status, 401)
        for site in ("cross-site", "same-site", "none"):
            answer = self.server.upload(photo(), key=False, Cookie=cookie, Sec_Fetch_Site=site)
            self.assertEqual(answer.status, 403, site)
        self.assertEqual(self.server.upload(photo(), key=False, Cookie=cookie).status, 403)
        page = self.server.request(UPLOAD, key=False, Accept=HTML)
        self.assertEqual(page.status, 303)
        self.assertIn("sign-in", page["Location"])
        self.assert_nothing()

    def test_before_the_body(self) -> None:
        """A stranger who waits to be asked for the body is not asked."""
        head = self.server.upload_head(bytes(10 * MIB)).replace(self.server.key.encode(), b"wrong")
        with self.server.process.connect() as client:
            client.sendall(head.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
            self.assertTrue(client.recv(1 << 16).startswith(b"HTTP/1.1 401 "))

    def test_where_to(self) -> None:
        """S3-F2: what can't be an album is 404, and a path that is no form takes nothing."""
        for album in (".hidden", "a b", "..", "a%2Fb", "n" * 129):
            self.assertEqual(self.server.upload(photo(), album=album.replace(" ", "%20")).status, 404, album)
        for target in ("/", "/gallery/", f"/gallery/{ALBUM}/", "/anything"):
            self.assertIn(
                self.server.post(target, Field("file", photo(), "1.jpg")).status, {404, 405}, target
            )
        self.assertEqual(self.server.albums(), [])

    def test_client_leaves(self) -> None:
        """S3-W5: a client that leaves in the middle leaves nothing."""
        body = form(Field("file", photo() + bytes(4 * MIB), "1.jpg"))
        for part in (1, 200, 5_000, len(body) - 1):
            with self.server.process.connect() as client:
                client.sendall(self.server.upload_head(body) + body[:part])
                time.sleep(0.05)
        eventually(
            lambda: not any("spool" in each for each in self.server.process.descriptors()), "the spool"
        )
        self.assert_nothing()


class AgeTests(UploadCase):
    """The rule of age."""

    options = ("--photo-max-age", "30")

    def test_age(self) -> None:
        """S3-F12, S3-W10: what is older, or has no date, is refused by the date when it was taken."""
        now = datetime.now(UTC)
        for days, status in ((1, 201), (29, 201), (31, 422), (4000, 422)):
            taken = (now - timedelta(days=days)).strftime("%Y:%m:%d %H:%M:%S")
            fields = {306: "2001:01:01 00:00:00", 36867: taken}
            answer = self.server.upload(sample("image/jpeg", exif=fields), f"{days}")
            self.assertEqual(answer.status, status, days)
        for name, data in (
            ("none", sample("image/png")),
            ("wrong", photo(1, exif={36867: "0000:00:00 00:00:00", 306: ""})),
            ("garbage", photo(2, exif={36867: "yesterday at noon  ", 306: ""})),
        ):
            self.assertIn("when it was taken", self.refused(422, self.server.upload(data, name)))
        self.assertEqual(self.stored(), ["1.jpg", "29.jpg"])
        self.assert_well()


class KilledTests(TestCase):
    """Servers that die in the middle."""

    def test_in_the_middle_of_an_upload(self) -> None:
        """S3-W5: nothing of an upload is seen after a sudden death, and the next server takes it whole."""
        root, state = folder(self), folder(self)
        data = photo() + bytes(8 * MIB)
        body = form(Field("file", data, "1.jpg"))
        for part in (1_000, 3 * MIB, len(body) - 1):
            server = GalleryServer(self, root=root, state=state)
            with server.process.connect() as client:
                client.sendall(server.upload_head(body) + body[:part])
                eventually(server.spools, "the upload to be under way")
                server.process.kill()
            again = GalleryServer(self, root=root, state=state)
            again.wait_until_settled()
            self.assertEqual(again.albums(), [])
            self.assertEqual(again.kept("spool"), [])
            again.process.stop()
        last = GalleryServer(self, root=root, state=state)
        self.assertEqual(last.upload(data, "1").status, 201)
