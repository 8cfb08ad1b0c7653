"""
Tests of a gallery by plain HTTP: pages, what is known of pictures, previews, originals and deletion.
"""

from __future__ import annotations

import io
import json
import os
import re

from PIL import Image

from tests.picturesamples import CAMERA, sample

from .clients import eventually
from .gallerypage import Page
from .gallerysite import ALBUM, HTML, GalleryCase, GalleryServer, original, photo
from .server import PROJECT


class PageTests(GalleryCase):
    """What a page shows."""

    def test_home(self) -> None:
        """S3-F1: the home page leads to the gallery, and has the form for who may upload."""
        stranger = Page("/", self.server.request("/", key=False).body.decode())
        self.assertIn("/gallery/", stranger.addresses("a", "href"))
        self.assertNotIn("form", {each.tag for each in stranger.elements})
        page = Page("/", self.server.request("/", key=False, Cookie=self.server.cookie()).body.decode())
        (form,) = [each for each in page.elements if each.attributes.get("enctype")]
        self.assertEqual(form.attributes["enctype"], "multipart/form-data")
        self.assertEqual(form.attributes["method"], "post")
        names = {each.attributes.get("name"): each.attributes.get("type") for each in page.elements}
        self.assertEqual((names["file"], names["name"]), ("file", "text"))
        self.assertEqual(stranger.dangers + page.dangers, [])

    def test_dropped_file(self) -> None:
        """S3-F7: a file that FTP put there is on the next page, and then all there is to say of it."""
        path = self.drop("1.jpg", photo(0, 1600, 1200))
        os.utime(path, (1_795_176_001, 1_795_176_001))
        self.assertIn("1.jpg", self.server.page().text)
        page = self.seen("NIKON D850")
        size = path.stat().st_size
        self.assertIn(f"{size / 1024:.2f}".rstrip("0").rstrip(".") + " KB", page.text)
        self.assertIn("20 Nov 2026, 21:52", page.text)
        self.assertIn("20 Nov 2026, 12:00 UTC", page.text)
        self.assertEqual(page.originals, [original("1.jpg")])
        self.assertEqual(self.server.request(original("1.jpg")).body, path.read_bytes())
        (preview,) = [each for each in page.elements if each.attributes.get("loading") == "lazy"]
        self.assertEqual((preview.attributes["width"], preview.attributes["height"]), ("1600", "1200"))
        self.assertIn("320w", preview.attributes["srcset"])
        self.assertIn("1280w", preview.attributes["srcset"])

    def test_replaced_file(self) -> None:
        """A file that is replaced on the disk has new facts and a new preview, under a new address."""
        path = self.drop("1.jpg", photo(1, 1600, 1200))
        before = self.seen("NIKON D850").previews[0]
        old = self.server.preview(before)
        other = sample("image/jpeg", width=300, height=900, exif={**CAMERA, 272: "D7"})
        path.with_name(".new").write_bytes(other)
        path.with_name(".new").rename(path)
        page = self.seen("NIKON D7")
        self.assertNotIn("D850", page.text)
        self.assertNotIn(before, page.previews)
        new = self.server.preview(page.previews[0])
        self.assertNotEqual((new["ETag"], new.body), (old["ETag"], old.body))
        with Image.open(io.BytesIO(new.body)) as picture:
            self.assertEqual(picture.size, (107, 320))

    def test_written_in_place(self) -> None:
        """So it is with one that is written to in place, which no folder tells."""
        path = self.drop("1.jpg", photo(1, 1600, 1200))
        before = self.seen("NIKON D850").previews
        path.write_bytes(sample("image/jpeg", exif={**CAMERA, 272: "D7"}))
        self.assertNotEqual(self.seen("NIKON D7").previews, before)

    def test_pages_and_order(self) -> None:
        """S3-W14: 48 on a page, the newest first, every one of them once; other pages are 404."""
        for number in range(100):
            path = self.drop(f"{number:03}.png", sample("image/png", width=8 + number, height=8))
            os.utime(path, (1_000_000_000 + number, 1_000_000_000 + number))
        pages = [self.server.page(number) for number in (1, 2, 3)]
        self.assertEqual([len(page.originals) for page in pages], [48, 48, 4])
        shown = [address for page in pages for address in page.originals]
        self.assertEqual(shown, [original(f"{number:03}.png") for number in reversed(range(100))])
        for wrong in ("0", "4", "-1", "x", "99999999999999999999999", ""):
            answer = self.server.request(f"/gallery/{ALBUM}/?page={wrong}", Accept=HTML)
            self.assertEqual(answer.status, 404, wrong)

    def test_no_pictures(self) -> None:
        """Files that are no pictures are tiles with their type, and are saved, not shown."""
        self.drop("notes.html", b"<html><script>alert(1)</script>")
        self.drop("film.mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(100))
        page = self.seen("text/html")
        self.assertIn("video/mp4", page.text)
        self.assertEqual((page.previews, page.dangers), ([], []))
        answer = self.server.request(original("notes.html"))
        self.assertTrue(answer["Content-Disposition"].startswith("attachment"))
        self.assertEqual(self.preview("notes.html").status, 404)

    def test_albums(self) -> None:
        """An album that does not exist is 404, the public one is empty then; sub-folders are shown."""
        for target in (
            "/gallery/nothing/",
            "/gallery/.hidden/",
            "/gallery/a%2Fb/",
            "/gallery/nothing/?page=2",
        ):
            self.assertEqual(self.server.request(target).status, 404, target)
        for target in ("original/x.jpg", "preview/320/x.jpg", "preview/999/x.jpg", "delete/x.jpg"):
            self.assertEqual(self.server.request(f"/gallery/nothing/{target}").status, 404, target)
        self.assertEqual(self.server.request("/gallery/", key=False).status, 200)
        self.drop("sub/Снег и лёд.jpg", photo(0, 1600, 1200))
        page = self.server.page()
        self.assertEqual(page.originals, [original("sub/Снег и лёд.jpg")])
        self.assertEqual(self.server.request(page.originals[0]).status, 200)
        public = self.server.request("/gallery/", key=False)
        shown = Page("/gallery/", public.body.decode())
        self.assertEqual(shown.originals, page.originals)

    def test_strangers_read_and_no_more(self) -> None:
        """S3-W12: who knows the name sees the album, and is offered neither deletion nor the form."""
        self.drop("1.jpg", photo(0, 1600, 1200))
        source = self.server.request(f"/gallery/{ALBUM}/", key=False).body.decode()
        self.assertNotIn("/delete/", source)
        source = self.server.request(
            f"/gallery/{ALBUM}/", key=False, Cookie=self.server.cookie()
        ).body.decode()
        self.assertIn("delete/1.jpg", source)

    def test_without_gallery(self) -> None:
        """An empty ``--gallery`` turns the public page off; albums are seen by who knows their names."""
        server = GalleryServer(self, "--gallery", "")
        (server.album("secret") / "1.jpg").write_bytes(photo(0, 1600, 1200))
        self.assertEqual(server.request("/gallery/").status, 404)
        self.assertEqual(server.request("/gallery/secret/").status, 200)

    def test_size_of_large_files(self) -> None:
        """S3-W11: from 1 GiB on sizes are in words as well."""
        with (self.album / "film.mp4").open("wb") as file:
            file.write(b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom")
            file.truncate(3 << 29)
        self.assertIn("1.5 GB", self.seen("video/mp4").text)

    def test_environment(self) -> None:
        """S3-F11: the environment says what options say; a start tells the address."""
        environ = {"FILESERVE_GALLERY": "holiday", "FILESERVE_STRIP_LOCATION": "on"}
        server = GalleryServer(self, environ=environ)
        data = photo()
        self.assertEqual(server.upload(data, "1", album="holiday").status, 201)
        self.assertNotEqual((server.root / "holiday" / "1.jpg").read_bytes(), data)
        shown = Page("/gallery/", server.request("/gallery/").body.decode())
        self.assertEqual(shown.originals, [original("1.jpg", "holiday")])
        self.assertIn(server.address("/"), server.process.log)

    def test_modules_that_are_gone(self) -> None:
        """S3-W15: nothing of ours needs what Python 3.13 has no more."""
        gone = re.compile(r"^\s*(?:import|from)\s+(?:cgi|imghdr)\b", re.MULTILINE)
        sources = [path.read_text(encoding="utf-8") for path in (PROJECT / "fileserve").rglob("*.py")]
        self.assertGreater(len(sources), 100)
        self.assertEqual([source for source in sources if gone.search(source)], [])

    def test_in_the_api(self) -> None:
        """The album API tells what the gallery knows: width and height, upright."""
        self.drop("1.jpg", photo(0, 640, 480, orientation=6))
        self.seen("NIKON D850")
        eventually(self.server.looked_at, "the facts to be kept")
        listing = json.loads(self.server.request(f"/api/v1/albums/{ALBUM}/").body)
        (member,) = listing["members"]
        self.assertEqual((member["name"], member["width"], member["height"]), ("1.jpg", 480, 640))
