"""
Tests of previews and of the pictures themselves: what is sent, how long it is kept, and behind nginx.
"""

from __future__ import annotations

import io
from unittest import TestCase

from PIL import Image

from tests.picturesamples import sample

from .clients import ask
from .gallerypage import Page
from .gallerysite import ALBUM, HTML, GalleryCase, GalleryServer, original, photo
from .nginx import Nginx
from .processes import together
from .server import folder, start

#: What an ``<img>`` of a browser asks for.
WEBP = "image/webp,*/*;q=0.8"


class PreviewTests(GalleryCase):
    """Previews, and originals."""

    def test_sizes_and_formats(self) -> None:
        """S3-F6, S3-W16: upright, no larger than asked for or than the original; WebP for whom it suits."""
        self.drop("large.jpg", photo(0, 3000, 1500, orientation=6))
        self.drop("small.png", sample("image/png", width=100, height=50))
        for name, size, shape in (
            ("large.jpg", 320, (160, 320)),
            ("large.jpg", 1280, (640, 1280)),
            ("small.png", 320, (100, 50)),
            ("small.png", 1280, (100, 50)),
        ):
            for accept, kind in ((WEBP, "WEBP"), ("image/*", "JPEG"), ("*/*", "JPEG")):
                answer = self.preview(name, size, Accept=accept)
                self.assertEqual(answer["Content-Type"], f"image/{kind.lower()}")
                self.assertEqual(answer["Vary"], "Accept")
                with Image.open(io.BytesIO(answer.body)) as picture:
                    self.assertEqual((picture.format, picture.size), (kind, shape))
                    self.assertEqual(dict(picture.getexif()), {})
                self.assertNotIn(b"GPS", answer.body)

    def test_caching(self) -> None:
        """S3-W14: kept for a year under the address of the page; another address is asked for again."""
        self.drop("1.jpg", photo(0, 1600, 1200))
        target = self.seen("NIKON D850").previews[0]
        answer = self.server.preview(target, Accept=WEBP)
        self.assertEqual(answer["Cache-Control"], "private, max-age=31536000, immutable")
        self.assertEqual(int(answer["Content-Length"]), len(answer.body))
        etag = answer["ETag"]
        self.assertTrue(etag.startswith('W/"'))
        again = self.server.preview(target, Accept=WEBP, If_None_Match=etag)
        self.assertEqual((again.status, again.body, again["ETag"]), (304, b"", etag))
        self.assertEqual(self.server.preview(target, Accept=WEBP, If_None_Match='"other"').status, 200)
        jpeg = self.server.preview(target, Accept="image/*", If_None_Match=etag)
        self.assertEqual((jpeg.status, jpeg["Content-Type"]), (200, "image/jpeg"))
        plain = target.partition("?")[0]
        for other in (plain, f"{plain}?v=0123456789abcdef", f"{plain}?v="):
            self.assertEqual(self.server.preview(other)["Cache-Control"], "no-cache", other)

    def test_head(self) -> None:
        """S3-F8: HEAD says what GET does, of previews, originals and pages."""
        self.drop("1.jpg", photo(0, 1600, 1200))
        target = self.seen("NIKON D850").previews[0]
        for each in (target, original("1.jpg"), f"/gallery/{ALBUM}/", original("9.jpg"), "/gallery/no/"):
            get = self.server.request(each, Accept=WEBP)
            head = self.server.request(each, "HEAD", Accept=WEBP)
            self.assertEqual((head.status, head.body), (get.status, b""), each)
            for name in ("content-type", "content-length", "etag", "cache-control", "last-modified"):
                self.assertEqual(head.headers.get(name), get.headers.get(name), (each, name))

    def test_originals(self) -> None:
        """S3-F8, S3-W8, S3-W14: type by content, length, ranges and conditions, whatever the name is."""
        data = sample("image/png", width=300, height=200)
        self.drop("a.b.jpg", data)
        answer = self.server.request(original("a.b.jpg"))
        self.assertEqual((answer["Content-Type"], answer.body), ("image/png", data))
        self.assertEqual(int(answer["Content-Length"]), len(data))
        self.assertTrue(answer["Content-Disposition"].startswith("inline"))
        self.assertNotIn(ALBUM, answer["Content-Disposition"])
        part = self.server.request(original("a.b.jpg"), Range="bytes=10-19", If_Range=answer["ETag"])
        self.assertEqual((part.status, part.body), (206, data[10:20]))
        self.assertEqual(self.server.request(original("a.b.jpg"), If_None_Match=answer["ETag"]).status, 304)
        self.assertEqual(self.server.request(original("a.b.jpg"), If_Match='"x"').status, 412)

    def test_many_at_once(self) -> None:
        """So many at once as many visitors of a new album ask for: each gets its own."""
        names = [f"{number}.jpg" for number in range(300)]
        for number, name in enumerate(names):
            self.drop(name, photo(number, 1600, 1200))
        targets = [f"/gallery/{ALBUM}/preview/1280/{name}" for name in names]
        answers = together(self.server.request, targets, 200)
        self.assertEqual({answer.status for answer in answers}, {200})
        self.assertEqual({answer.body[:3] for answer in answers}, {b"\xff\xd8\xff"})

    def test_after_a_restart(self) -> None:
        """Previews and facts are kept: another process has them at its first look, and starts no child."""
        self.drop("1.jpg", photo(0, 1600, 1200))
        target = self.seen("NIKON D850").previews[0]
        before = self.server.preview(target)
        self.server.process.stop()
        again = GalleryServer(self, root=self.server.root, state=self.server.state)
        self.assertIn("NIKON D850", again.page().text)
        after = again.preview(target)
        self.assertEqual((after.body, after["ETag"]), (before.body, before["ETag"]))

    def test_cap(self) -> None:
        """Previews take no more room than ``--preview-cache``, and those that went are made again."""
        server = GalleryServer(self, "--preview-cache", "64K", root=self.server.root)
        names = [f"{number}.png" for number in range(40)]
        for number, name in enumerate(names):
            with Image.effect_noise((400, 300), 60 + number) as picture:
                picture.save(self.album / name)
        targets = [f"/gallery/{ALBUM}/preview/320/{name}" for name in names]
        sizes = [len(server.preview(target).body) for target in targets]
        self.assertGreater(sum(sizes), 4 * 65_536)
        self.assertLessEqual(sum(self.sizes(server)), 65_536)
        self.assertTrue(self.sizes(server))
        self.assertEqual({answer.status for answer in together(server.preview, targets)}, {200})

    def sizes(self, server: GalleryServer) -> list[int]:
        """What the previews take that are kept."""
        return [path.stat().st_size for path in server.kept()]


class ProxyTests(TestCase):
    """Behind the nginx of our documents."""

    def test_gallery(self) -> None:
        """A page, an upload, a preview and a deletion go through."""
        root, state = folder(self) / "root", folder(self)
        root.mkdir()
        options = ("--trust-proxy", "127.0.0.1", "--min-free", "0")
        server = start(self, root, *options, state=state)
        nginx = Nginx(self, f"127.0.0.1:{server.port}")
        permitted = {"Authorization": f"Bearer {(state / 'upload-key').read_text().strip()}"}
        data = photo() + bytes(4 << 20)
        body = b'--x\r\nContent-Disposition: form-data; name="file"; filename="1.jpg"\r\n\r\n' + data
        kind = "multipart/form-data; boundary=x"
        said = ask(
            nginx.port, f"/upload/{ALBUM}/", "POST", body + b"\r\n--x--\r\n", Content_Type=kind, **permitted
        )
        self.assertEqual(said.status, 201, said.body)
        page = Page("/gallery/", ask(nginx.port, "/gallery/", Accept=HTML).body.decode())
        self.assertEqual(page.originals, [original("1.jpg")])
        preview = ask(nginx.port, page.previews[0], Accept=WEBP)
        self.assertEqual((preview.status, preview["Content-Type"]), (200, "image/webp"))
        self.assertEqual(preview["Cache-Control"], "private, max-age=31536000, immutable")
        again = ask(nginx.port, page.previews[0], Accept=WEBP, If_None_Match=preview["ETag"])
        self.assertEqual(again.status, 304)
        self.assertEqual(ask(nginx.port, original("1.jpg")).body, data)
        self.assertEqual(ask(nginx.port, original("1.jpg"), "DELETE", **permitted).status, 204)
        self.assertEqual(ask(nginx.port, original("1.jpg")).status, 404)
        self.assertEqual(nginx.errors, "")
