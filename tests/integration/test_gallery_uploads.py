"""
Tests of uploading pictures by the form: by programs and browsers, twice, at once, wrong, and cut off.
"""

from __future__ import annotations

import hashlib
import io
import json
from functools import partial
from typing import Any

from PIL import Image

from tests.picturesamples import sample

from .gallerypage import Page
from .gallerysite import ALBUM, HTML, UPLOAD, Field, GalleryServer, UploadCase, form, original, photo
from .processes import together
from .trees import MIB

_ROUNDS = 25


class TakenTests(UploadCase):
    """Uploads that are taken."""

    def test_by_a_program(self) -> None:
        """S3-F2, S3-F5, S3-F10: a program gets 201, where the picture is, and all that is known of it."""
        data = photo()
        answer = self.server.upload(data, "holiday")
        self.assertEqual(answer.status, 201, answer)
        told = json.loads(answer.body)
        expected = {
            "name": "holiday.jpg",
            "size": len(data),
            "file_type": "image/jpeg",
            "sha256": hashlib.sha256(data).hexdigest(),
            "width": 60,
            "height": 40,
            "taken": "2026-11-20T21:52:00+01:00",
        }
        self.assertEqual({name: told[name] for name in expected}, expected)
        self.assertIn("NIKON", told["maker"])
        self.assertIn("D850", told["model"])
        self.assertEqual((self.server.album() / "holiday.jpg").read_bytes(), data)
        self.assertEqual(self.server.request(original("holiday.jpg")).body, data)
        page = self.server.page()
        self.assertEqual(page.originals, [original("holiday.jpg")])
        self.assertIn("NIKON D850", page.text)
        self.assertIn("20 Nov 2026, 21:52", page.text)
        self.assert_well()

    def test_by_a_browser(self) -> None:
        """A browser's form is answered by the way to the gallery, where the picture is."""
        cookie = self.server.cookie()
        ours: dict[str, Any] = {"Cookie": cookie, "Accept": HTML, "Sec_Fetch_Site": "same-origin"}
        page = self.server.request(UPLOAD, key=False, **ours)
        self.assertEqual(page.status, 200)
        fields = {each.attributes.get("name") for each in Page(UPLOAD, page.body.decode()).elements}
        self.assertLessEqual({"file", "name"}, fields)
        answer = self.server.upload(photo(), filename="Закат.JPG", key=False, **ours)
        self.assertEqual(answer.status, 303, answer)
        self.assertFalse(answer["Location"].startswith(("http:", "/")), answer["Location"])
        self.assertEqual(self.stored(), ["Закат.JPG"])
        error = self.server.upload(b"no picture", filename="x.jpg", key=False, **ours)
        self.assertEqual((error.status, error["Content-Type"]), (415, "text/html; charset=utf-8"))
        shown = Page(UPLOAD, error.body.decode())
        self.assertIn("file", {each.attributes.get("name") for each in shown.elements})
        self.assertEqual(shown.dangers, [])

    def test_names(self) -> None:
        """S3-F3, S3-F4, S3-W8: the name given, else the file's own, with the extension of what it is."""
        for number, (given, own, kept) in enumerate(
            (
                ("photo1", "IMG_1.PNG", "photo1.jpg"),
                ("", "IMG_2.jpeg", "IMG_2.jpeg"),
                ("", "wrong.png", "wrong.jpg"),
                ("a.b", "x.jpg", "a.b.jpg"),
                ("c.d.png", "x.jpg", "c.d.jpg"),
                ("Снег и лёд", "x.jpg", "Снег и лёд.jpg"),
                ("n" * 50, "x.jpg", "n" * 50 + ".jpg"),
            )
        ):
            answer = self.server.upload(photo(number), given, own)
            self.assertEqual((answer.status, json.loads(answer.body).get("name")), (201, kept), (given, own))
            self.assertEqual(self.server.request(original(kept)).body, photo(number))
        nameless = self.server.upload(photo(99), "", "")
        self.assertIn(nameless.status, {201, 422})

    def test_every_format(self) -> None:
        """S3-F3: every format is taken, by its content, and gets the extension of what it is."""
        kinds: tuple[str, ...] = ("png", "gif", "webp", "tiff", "bmp", "avif", "heic")
        kinds += ("x-portable-anymap", "x-xbitmap", "x-sgi", "x-sun-raster", "x-exr")
        for kind in kinds:
            answer = self.server.upload(sample(f"image/{kind}"), "picture", "wrong.jpg")
            self.assertEqual(answer.status, 201, (kind, answer))
            told = json.loads(answer.body)
            self.assertEqual((told["file_type"], told["width"], told["height"]), (f"image/{kind}", 60, 40))
            self.assertNotIn(told["name"], {"picture.jpg", "wrong.jpg"})
            preview = self.server.preview(f"/gallery/{ALBUM}/preview/320/{told['name']}", Accept="image/webp")
            self.assertEqual(preview.status, 200, kind)
            with Image.open(io.BytesIO(preview.body)) as picture:
                self.assertEqual(picture.size, (60, 40))

    def test_name_after_the_file(self) -> None:
        """The name counts wherever it stands in the form."""
        answer = self.server.post(UPLOAD, Field("file", photo(), "1.jpg"), Field("name", b"later"))
        self.assertEqual((answer.status, self.stored()), (201, ["later.jpg"]))

    def test_several_in_one_form(self) -> None:
        """Each file of a form is taken or refused by itself, and it is told which."""
        files = (photo(1), b"no picture", photo(2), photo(1))
        fields = [Field("file", data, f"{number}.jpg") for number, data in enumerate(files)]
        answer = self.server.post(UPLOAD, *fields)
        self.assertGreaterEqual(answer.status, 400)
        self.assertEqual(self.stored(), ["0.jpg", "2.jpg"])
        for name in ("1.jpg", "3.jpg"):
            self.assertIn(name, answer.body.decode())
        self.assert_well()
        both = self.server.post(UPLOAD, Field("file", photo(3), "3.jpg"), Field("file", photo(4), "4.jpg"))
        self.assertEqual(both.status, 201, both)
        self.assertEqual({each["name"] for each in json.loads(both.body)}, {"3.jpg", "4.jpg"})

    def test_open_uploads(self) -> None:
        """With open uploads strangers add pictures, and remove none."""
        server = GalleryServer(self, "--open-uploads")
        self.assertEqual(server.request(UPLOAD, key=False, Accept=HTML).status, 200)
        self.assertEqual(server.upload(photo(), "a", key=False).status, 201)
        self.assertEqual(server.request(original("a.jpg"), "DELETE", key=False).status, 401)

    def test_stalled_upload_blocks_nobody(self) -> None:
        """S3-W6: while an upload stalls all others are served."""
        body = form(Field("file", photo(), "1.jpg"))
        with self.server.process.connect() as client:
            client.sendall(self.server.upload_head(body) + body[:-1000])
            self.assertEqual(self.server.upload(photo(2), "other").status, 201)
            self.assertEqual(self.server.page().originals, [original("other.jpg")])
            client.sendall(body[-1000:])
            self.assertTrue(client.recv(1 << 16).startswith(b"HTTP/1.1 201 "))

    def test_large_picture(self) -> None:
        """S3-W7: a picture of 150 MB is taken, in little memory."""
        self.server.upload(photo())
        before = self.server.process.resident()
        data = photo(1) + bytes(150 * MIB)
        self.assertEqual(self.server.upload(data, "large").status, 201)
        self.assertLess(self.server.process.resident() - before, 24 * MIB)
        limited = GalleryServer(self, "--max-upload", "1M")
        self.assertEqual(limited.upload(data[: 4 * MIB], "large").status, 413)
        self.assertEqual(limited.albums(), [])


class AtOnceTests(UploadCase):
    """Two uploads at the same time."""

    def test_same_bytes(self) -> None:
        """S3-W13: of the same bytes at once, under any names, one is stored, and the other is told where."""
        for turn in range(_ROUNDS):
            data = photo(turn)
            names = (f"{turn}a", f"{turn}b", f"{turn}a", f"{turn}c")
            answers = together(partial(self.server.upload, data), names)
            self.assertEqual(sorted(answer.status for answer in answers), [201, 409, 409, 409])
            for answer in answers:
                if answer.status == 409:
                    self.assertTrue(self.refused(409, answer))
            self.assertEqual(len(self.stored()), turn + 1)
        self.assert_well()

    def test_same_bytes_later(self) -> None:
        """S3-F2, S3-W13: by SHA-256, within the album only; also of files that were dropped there."""
        data = photo()
        self.assertEqual(self.server.upload(data, "a").status, 201)
        told = self.server.upload(data, "b")
        self.refused(409, told)
        self.assertIn(original("a.jpg"), told.body.decode())
        self.assertEqual(self.server.upload(data, "b", album="other").status, 201)
        (self.server.album() / "dropped.jpg").write_bytes(photo(1))
        self.refused(409, self.server.upload(photo(1), "c"))
        self.assertEqual(self.server.request(original("a.jpg"), "DELETE").status, 204)
        self.assertEqual(self.server.upload(data, "b").status, 201)
        self.assertEqual(self.stored(), ["b.jpg", "dropped.jpg"])

    def test_same_name(self) -> None:
        """S3-W3: two pictures of one name at once are both there, the second one as the second."""
        for turn in range(_ROUNDS):
            pictures = [photo(1000 + 2 * turn + each) for each in (0, 1)]
            answers = together(partial(self.server.upload, name=f"same{turn}"), pictures)
            self.assertEqual([answer.status for answer in answers], [201, 201])
            names = [json.loads(answer.body)["name"] for answer in answers]
            self.assertEqual(sorted(names), [f"same{turn} (2).jpg", f"same{turn}.jpg"])
            for name, data in zip(names, pictures, strict=True):
                self.assertEqual(self.server.request(original(name)).body, data)
        self.assertEqual(self.server.request(original("same0.jpg"), "DELETE").status, 204)
        self.assertEqual(self.server.request(original("same0 (2).jpg"), "DELETE").status, 204)
        self.assert_well()
