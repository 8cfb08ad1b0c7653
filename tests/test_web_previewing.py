"""
Tests of previews as they are sent: in which format, for how long, and what there is where there is none.
"""

from __future__ import annotations

from io import BytesIO

from PIL import Image

from .gallerysupport import picture
from .sitesupport import leads_to
from .test_web_gallerypages import GalleryCase


class PreviewTests(GalleryCase):
    """Previews."""

    def setUp(self) -> None:
        super().setUp()
        self.put(b"a.jpg", picture(2000, 1000, located=True))
        (tile,) = self.tiles(self.page())
        self.large = leads_to("/gallery/", tile["data-preview"])

    def test_formats(self) -> None:
        """WebP for who names it, JPEG for all others; caches are told that it depends on that."""
        for accept, kind in (
            ("image/avif,image/webp,image/apng,*/*;q=0.8", "webp"),
            ("image/webp", "webp"),
            ("image/webp;q=0, */*", "jpeg"),
            ("*/*", "jpeg"),
            ("image/*", "jpeg"),
            ("", "jpeg"),
        ):
            answer = self.ask("GET", self.large, ("Accept", accept))
            self.assertEqual(answer.headers["Content-Type"], f"image/{kind}", accept)
            self.assertEqual(answer.headers["Vary"], "Accept")
            image = Image.open(BytesIO(answer.body))
            self.assertEqual((image.format, image.size), (kind.upper(), (1280, 640)))
            self.assertEqual(dict(image.getexif()), {})

    def test_kept(self) -> None:
        """By the address of this version it may be kept for a year; by any other it is asked for again."""
        path, _, version = self.large.partition("?v=")
        for target, kept in (
            (self.large, "private, max-age=31536000, immutable"),
            (path, "no-cache"),
            (f"{path}?v={version[:-1]}", "no-cache"),
            (f"{path}?v=", "no-cache"),
            (f"{path}?v={version}&v=x", "no-cache"),
        ):
            answer = self.stranger.get(target)
            self.assertEqual((answer.status, answer.headers["Cache-Control"]), (200, kept), target)

    def test_not_modified(self) -> None:
        """Who has it is told so; each size, format and version is another one."""
        tags = set()
        for size in (320, 1280):
            for accept in ("image/webp", "*/*"):
                target = self.large.replace("/1280/", f"/{size}/")
                etag = self.ask("GET", target, ("Accept", accept)).headers["ETag"]
                same = self.ask("GET", target, ("Accept", accept), ("If-None-Match", etag))
                self.assertEqual((same.status, same.body, same.headers["ETag"]), (304, b"", etag))
                self.assertTrue(etag.startswith('W/"'), "its bytes may be others the next time")
                self.assertEqual(same.headers["Vary"], "Accept")
                tags.add(etag)
        self.assertEqual(len(tags), 4)

    def test_head(self) -> None:
        """``HEAD`` says the same without the bytes."""
        get, head = self.ask("GET", self.large), self.ask("HEAD", self.large)
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.headers["Content-Length"], str(len(get.body)))

    def test_harmless(self) -> None:
        """It is not to be guessed at, and runs nothing."""
        answer = self.stranger.get(self.large)
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
        self.assertTrue(answer.headers["Content-Security-Policy"].startswith("sandbox"))

    def test_sizes(self) -> None:
        """There are two sizes."""
        for size in ("0", "1", "319", "1281", "0320", "320.0", "%EF%BC%93", "-320", "999999999"):
            self.assertEqual(self.stranger.get(f"/gallery/gallery/preview/{size}/a.jpg").status, 404, size)

    def test_none(self) -> None:
        """What has none is 404, with the reason."""
        self.put(b"notes.txt", b"hello")
        self.put(b"broken.jpg", picture(500, 500)[:400])
        for name, why in (("notes.txt", "files of this kind"), ("broken.jpg", "can't be opened")):
            answer = self.ask("GET", f"/gallery/gallery/preview/320/{name}")
            self.assertEqual(answer.status, 404)
            self.assertIn(why, answer.body.decode())

    def test_busy(self) -> None:
        """When too many are wanted at once, it is to be asked for again in a moment."""
        self.site.studio.busy = True
        answer = self.stranger.get(self.large)
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "2"))
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.site.studio.busy = False
        self.assertEqual(self.stranger.get(self.large).status, 200)
