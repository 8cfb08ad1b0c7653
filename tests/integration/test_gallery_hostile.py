"""
Hostile pictures, dropped into albums: the server lives, answers as it should, and runs nothing.
"""

from __future__ import annotations

import io
import os
from collections import Counter
from pathlib import Path
from zipfile import ZipFile

from .bombs import bombs, directories, loops, polyglots
from .gallerypage import Page
from .gallerysite import ALBUM, HTML, original
from .hostilecase import HOSTILE_MANY, HOSTILE_SEED, HostileCase
from .mutants import mutants
from .processes import Watch, together

#: Names that no page may take for anything but text. A name on a disk is any bytes but NUL and the slash.
NAMES = (
    b"<img src=x onerror=alert(1)>.jpg",
    b'"onload=alert(1) x=".jpg',
    b"'><svg onload=alert(1)>.jpg",
    b"{{ 7*7 }}{% raw %}.jpg",
    b"javascript:alert(1).jpg",
    b"two\nlines\r\ttab.jpg",
    "photo\u202egpj.exe".encode(),
    b"\xff\xfe not text.jpg",
    b"%2e%2e%2fetc%2fpasswd.jpg",
    b"question?mark#hash&amp;%00.jpg",
    "n\u00f3mbre \u0417\u0432\u0451\u0437\u0434\u044b \U0001f600.jpg".encode(),
    b"x" * 251 + b".jpg",
)  # fmt: skip


class DroppedTests(HostileCase):
    """Files that lie in an album."""

    def test_mutants(self) -> None:
        """Of 2,000 damaged pictures of every format pages, previews and originals are what they should be."""
        damaged = enumerate(mutants(HOSTILE_MANY, HOSTILE_SEED))
        files = {f"{number:04}.{kind}": data for number, (kind, data) in damaged}
        with Watch(self.server.process) as watch:
            self.drop(files)
            for page in self.pages(len(files) + 1):
                self.assert_only_text(page)
                self.assertTrue(page.originals)
            previews = together(self.preview_of, files)
            together(lambda name: self.assert_harmless(self.server.request(original(name))), files)
        for answer in previews:
            self.assert_preview(answer)
        made = Counter(answer.status for answer in previews)
        # Both kinds are there, else nothing was judged.
        self.assertGreater(made[200], HOSTILE_MANY // 20)
        self.assertGreater(made[404], HOSTILE_MANY // 20)
        self.assert_well(watch)

    def test_archives_of_mutants(self) -> None:
        """An archive of damaged pictures without their places is whole, and the same each time."""
        self.drop(
            {
                f"{number:04}.{kind}": data
                for number, (kind, data) in enumerate(mutants(HOSTILE_MANY, HOSTILE_SEED))
            }
        )
        with Watch(self.server.process) as watch:
            target = f"/archive/{ALBUM}/?location=strip"
            answer = self.server.request(target)
            self.assertEqual((answer.status, int(answer["Content-Length"])), (200, len(answer.body)))
            with ZipFile(io.BytesIO(answer.body)) as opened:
                self.assertIsNone(opened.testzip())
                self.assertGreater(len(opened.namelist()), HOSTILE_MANY // 4)
            again = self.server.request(target, Range="bytes=100000-", If_Range=answer["ETag"])
            self.assertEqual((again.status, again.body), (206, answer.body[100_000:]))
        self.assert_well(watch)

    def test_directories_without_end(self) -> None:
        """To look for places in a TIFF that says all of it a thousand times takes neither memory nor time."""
        self.drop(directories())
        targets = [f"{original(name)}?location=strip" for name in directories()]
        targets.append(f"/archive/{ALBUM}/?location=strip")
        self.server.request(targets[0])
        before = self.server.process.resident()
        with Watch(self.server.process) as watch:
            for target in targets:
                self.assertIn(self.server.request(target).status, {200, 404, 422}, target)
                self.assertLess(self.server.process.resident() - before, 64 << 20, target)
        self.assert_well(watch)

    def test_bombs_and_loops_and_polyglots(self) -> None:
        """So it is with pictures made by hand to hurt."""
        jpeg, gif = self.healthy["jpg"], self.healthy["gif"]
        files = {**bombs(), **loops(jpeg), **polyglots(jpeg, gif)}
        with Watch(self.server.process) as watch:
            self.drop(files)
            for page in self.pages(len(files) + 1):
                self.assert_only_text(page)
            for name, answer in zip(files, together(self.preview_of, files, 2), strict=True):
                self.assert_preview(answer)
                if name.startswith(("900", "claims", "268", "page.", "drawing", "nothing", "magic")):
                    self.assertEqual(answer.status, 404, name)
            for name, data in files.items():
                sent = self.server.request(original(name))
                self.assert_harmless(sent)
                self.assertEqual(sent.body, data)
        self.assert_well(watch)

    def test_names(self) -> None:
        """S3-W2, S3-W9: names with markup, quotes and marks of direction are text, and lead to files."""
        for number, name in enumerate(NAMES):
            Path(os.fsdecode(os.path.join(os.fsencode(self.album), name))).write_bytes(
                self.healthy["jpg"] + bytes([number])
            )
        with Watch(self.server.process) as watch:
            (page,) = self.pages(len(NAMES) + 1)
            self.assert_only_text(page)
            self.assertEqual(len(page.originals), len(NAMES) + 1)
            for address in page.originals:
                self.assert_harmless(self.server.request(address))
            self.assertEqual(len(page.previews), len(NAMES) + 1)
            for address in page.previews:
                self.assertEqual(self.server.preview(address).status, 200, address)
            cookie = self.server.cookie()
            deleting = [address.replace("/original/", "/delete/") for address in page.originals]
            for address in deleting:
                asked = self.server.request(address, key=False, Cookie=cookie, Accept=HTML)
                self.assertEqual(asked.status, 200, address)
                self.assert_only_text(Page(address, asked.body.decode()))
        self.assert_well(watch)

    def test_camera_says_markup(self) -> None:
        """What a camera calls itself is text too."""
        self.drop(loops(self.healthy["jpg"]))
        (page,) = self.pages(len(loops(self.healthy["jpg"])) + 1)
        self.assert_only_text(page)
        self.assertIn("&lt;script&gt;", page.source)
