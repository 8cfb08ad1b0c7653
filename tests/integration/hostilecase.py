"""
A gallery to which hostile pictures come, and what must hold of all that it answers.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from unittest import TestCase

from PIL import Image

from fileserve.http.kinds import INLINE

from .clients import Answer, eventually
from .gallerypage import Page
from .gallerysite import ALBUM, GalleryServer
from .mutants import samples
from .processes import Watch

#: How many damaged pictures, and by which chance.
HOSTILE_MANY, HOSTILE_SEED = 2_000, 20261121

_PAGE = 48

#: The beginnings of what previews are.
_WEBP, _JPEG = b"RIFF", b"\xff\xd8\xff"


class HostileCase(TestCase):
    """A server with a healthy picture among all that comes."""

    def setUp(self) -> None:
        self.server = GalleryServer(self, "--logging")
        self.pid = self.server.process.process.pid
        self.album = self.server.album()
        self.healthy = samples()
        (self.album / "healthy.jpg").write_bytes(self.healthy["jpg"])

    def drop(self, files: Mapping[str, bytes]) -> None:
        """Put files into the album, as FTP does."""
        for name, data in files.items():
            (self.album / name).write_bytes(data)

    def pages(self, members: int) -> Sequence[Page]:
        """All pages of the album, after all of its members were looked at."""
        self.server.page()
        eventually(lambda: self.server.looked_at() == members, f"facts of {members} files")
        return [self.server.page(number) for number in range(1, -(-members // _PAGE) + 1)]

    def assert_only_text(self, page: Page) -> None:
        """Nothing on a page runs, or leads elsewhere."""
        self.assertEqual(page.dangers, [], page.address)
        self.assertNotIn("<img src=x", page.source)
        self.assertNotIn("document.title='bad'", page.source)
        self.assertNotIn("\u202e", page.source)

    def assert_preview(self, answer: Answer) -> None:
        """A preview that is sent is one; another answer says that there is none."""
        self.assertIn(answer.status, {200, 404})
        if answer.status == 200:
            self.assertTrue(answer.body.startswith((_WEBP, _JPEG)), answer.body[:20])
            with Image.open(io.BytesIO(answer.body)) as picture:
                picture.load()
                self.assertLessEqual(max(picture.size), 320)
                self.assertEqual(dict(picture.getexif()), {})

    def assert_harmless(self, answer: Answer) -> None:
        """What anybody's bytes are sent with keeps a browser from running them."""
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer["X-Content-Type-Options"], "nosniff")
        self.assertIn("default-src 'none'", answer["Content-Security-Policy"])
        if answer["Content-Type"] != "application/pdf":  # whose viewer is no page of ours
            self.assertIn("sandbox", answer["Content-Security-Policy"])
        if not answer["Content-Disposition"].startswith("attachment"):
            self.assertIn(answer["Content-Type"].encode(), set(INLINE.values()))

    def assert_well(self, watch: Watch) -> None:
        """The same process is there, was healthy all the while, and still makes previews."""
        self.assertIsNone(self.server.process.process.poll())
        self.assertEqual(set(watch.seen), {200})
        fresh = self.healthy["png"]
        (self.album / "fresh.png").write_bytes(fresh)
        answer = self.server.preview(f"/gallery/{ALBUM}/preview/320/fresh.png", Accept="image/webp")
        self.assertEqual((answer.status, answer["Content-Type"]), (200, "image/webp"))
        answer = self.server.preview(f"/gallery/{ALBUM}/preview/320/healthy.jpg")
        self.assertEqual((answer.status, answer["Content-Type"]), (200, "image/jpeg"))
        for trouble in ("Traceback", "Unhandled", '" 500 '):
            self.assertNotIn(trouble, self.server.process.log)

    def preview_of(self, name: str) -> Answer:
        """The small preview of a file, asked for as an image of a page."""
        return self.server.preview(f"/gallery/{ALBUM}/preview/320/{name}", Accept="image/webp,*/*")
