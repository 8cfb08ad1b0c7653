"""
Tests of removing pictures: by programs and by browsers, by strangers, and by several at once.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .bombs import slow_jpeg
from .clients import PATIENCE, eventually
from .gallerysite import ALBUM, HTML, GalleryCase, original, photo
from .processes import children, processor_time, together


class DeletionTests(GalleryCase):
    """Removing pictures."""

    def setUp(self) -> None:
        super().setUp()
        self.drop("1.jpg", photo(1, 1600, 1200))
        self.drop("2.jpg", photo(2, 1600, 1200))
        for name in ("1.jpg", "2.jpg"):
            for size in (320, 1280):
                self.assertEqual(self.preview(name, size).status, 200)
        eventually(lambda: self.server.page() and self.server.looked_at() == 2, "the facts")

    def rows(self, name: str) -> int:
        """How often the catalogue names a file."""
        found = 0
        for table in ("facts", "pictures"):
            query = f"SELECT count(*) FROM {table} WHERE path = ?"
            found += self.server.catalogue(query, name.encode())[0][0]
            found += self.server.catalogue(query, name)[0][0]
        return found

    def assert_gone(self, name: str) -> None:
        """Neither file, nor preview, nor a row is there."""
        self.assertEqual(self.server.request(original(name)).status, 404)
        self.assertEqual(self.preview(name).status, 404)
        self.assertFalse((self.album / name).exists())
        self.assertEqual(self.rows(name), 0)

    def test_by_a_program(self) -> None:
        """S3-F9: the file, its previews and all that was known of it are gone, and of others nothing is."""
        before = self.server.kept()
        self.assertGreater(self.rows("1.jpg"), 0)
        answer = self.server.request(original("1.jpg"), "DELETE")
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assert_gone("1.jpg")
        left = self.server.kept()
        self.assertEqual(len(left) * 2, len(before))
        self.assertLess(set(left), set(before))
        self.assertEqual(self.preview("2.jpg").status, 200)
        self.assertEqual(self.server.request(original("1.jpg"), "DELETE").status, 404)

    def test_by_a_browser(self) -> None:
        """S3-W12: a page asks, its form removes, wherever the server is reached; what is gone is 404."""
        cookie = self.server.cookie()
        target = f"/gallery/{ALBUM}/delete/1.jpg"
        asked = self.server.request(target, key=False, Cookie=cookie, Accept=HTML)
        self.assertEqual(asked.status, 200)
        self.assertTrue((self.album / "1.jpg").exists())
        ours: dict[str, Any] = {"Cookie": cookie, "Sec_Fetch_Site": "same-origin", "Accept": HTML}
        done = self.server.request(target, "POST", b"", key=False, **ours)
        self.assertEqual((done.status, done["Location"]), (303, "../"))
        self.assert_gone("1.jpg")
        self.assertEqual(self.server.request(target, "POST", b"", key=False, **ours).status, 404)
        self.assertEqual(self.server.request(target, key=False, **ours).status, 404)

    def test_from_another_site(self) -> None:
        """S3-W12: another site's page removes nothing, nor does a stranger."""
        cookie = self.server.cookie()
        for method, target in (("DELETE", original("1.jpg")), ("POST", f"/gallery/{ALBUM}/delete/1.jpg")):
            for site in ("cross-site", "same-site", "none"):
                answer = self.server.request(target, method, b"", False, Cookie=cookie, Sec_Fetch_Site=site)
                self.assertEqual(answer.status, 403, (method, site))
            foreign: dict[str, Any] = {"Cookie": cookie, "Origin": "http://evil.example"}
            self.assertEqual(self.server.request(target, method, b"", False, **foreign).status, 403)
            self.assertEqual(self.server.request(target, method, b"", key=False).status, 401)
        self.assertTrue((self.album / "1.jpg").exists())

    def test_nothing_that_is_not_there(self) -> None:
        """S3-W4: what was never there, or lies elsewhere, is 404, and nothing happens."""
        (self.server.root / "outside.jpg").write_bytes(b"x")
        for name in (
            "9.jpg",
            "../outside.jpg",
            "..%2Foutside.jpg",
            ".hidden",
            "",
            "1.jpg/",
            "1.jpg/2.jpg",
            "%00",
        ):
            for album in (ALBUM, "nothing", "..", "%2e%2e"):
                target = f"/gallery/{album}/original/{name}"
                self.assertIn(self.server.request(target, "DELETE").status, {404, 405}, target)
        self.assertTrue((self.server.root / "outside.jpg").exists())
        self.assertEqual(sorted(os.listdir(self.album)), ["1.jpg", "2.jpg"])

    def test_same_bytes_twice(self) -> None:
        """Of two files with the same bytes, as FTP may bring them, the other one has its preview still."""
        self.drop("copy.jpg", (self.album / "1.jpg").read_bytes())
        self.assertEqual(self.preview("copy.jpg").status, 200)
        self.assertEqual(self.server.request(original("1.jpg"), "DELETE").status, 204)
        self.assert_gone("1.jpg")
        self.assertEqual(self.preview("copy.jpg").status, 200)

    def test_while_its_preview_is_made(self) -> None:
        """A preview that is done when its picture is gone is not kept."""
        self.drop("slow.jpg", slow_jpeg(500))
        before = self.server.kept()
        pid = self.server.process.process.pid
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(self.preview, "slow.jpg")
            eventually(lambda: any(processor_time(each) > 1 for each in children(pid)), "a child at work")
            self.assertEqual(self.server.request(original("slow.jpg"), "DELETE").status, 204)
            self.assertIn(slow.result(PATIENCE).status, {200, 404})
        eventually(lambda: self.server.kept() == before, "the preview to be gone")
        self.assert_gone("slow.jpg")

    def test_at_once(self) -> None:
        """Of several that remove one picture at once, one does."""
        answers = together(lambda _: self.server.request(original("1.jpg"), "DELETE").status, range(8), 8)
        self.assertEqual(sorted(answers), [204, *[404] * 7])
