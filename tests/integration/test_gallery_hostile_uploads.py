"""
Hostile pictures, uploaded by the form: each is stored and sound, or refused, and nothing is left over.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from urllib.parse import unquote

from .bombs import bombs, loops, polyglots
from .clients import Answer
from .gallerypage import Page
from .gallerysite import ALBUM, HTML, Field, original
from .hostilecase import HOSTILE_MANY, HOSTILE_SEED, HostileCase
from .mutants import mutants
from .processes import Watch, together

#: Of damaged pictures every eighth is uploaded.
_EIGHTH = 8

#: Names that people may give.
GIVEN = (
    "../../escaped", "sub/dir", "..", ".", ".hidden", "/etc/passwd", "a\\b", "con", "-rf", "%2e%2e%2f", " ",
    "<img src=x onerror=alert(1)>", "\"'&<>", "two\nlines", "nul\0byte", "\u202egpj.exe", "a.b.png",
)  # fmt: skip


class UploadedTests(HostileCase):
    """Files that come by the form."""

    def upload(self, file: tuple[str, bytes]) -> Answer:
        name, data = file
        return self.server.upload(data, filename=name)

    def test_mutants(self) -> None:
        """Of damaged pictures each is stored and sound, or refused with a reason; nothing is left over."""
        files = {
            f"{number}.{kind}": data
            for number, (kind, data) in enumerate(mutants(HOSTILE_MANY, HOSTILE_SEED + 1))
            if number % _EIGHTH == number // len(self.healthy) % _EIGHTH
        }
        with Watch(self.server.process) as watch:
            answers = together(self.upload, files.items())
        self.assert_taken_or_refused(answers)
        self.assertGreater(sum(answer.status == 201 for answer in answers), len(files) // 20)
        self.assertGreater(sum(answer.status == 415 for answer in answers), len(files) // 20)
        self.assert_well(watch)

    def test_bombs_and_loops_and_polyglots(self) -> None:
        """So it is with pictures made by hand; what is no picture is not taken, whatever its name says."""
        jpeg, gif = self.healthy["jpg"], self.healthy["gif"]
        files = {**bombs(), **loops(jpeg), **polyglots(jpeg, gif)}
        with Watch(self.server.process) as watch:
            answers = together(self.upload, files.items())
        self.assert_taken_or_refused(answers)
        for name, answer in zip(files, answers, strict=True):
            if name.startswith(("page.", "drawing", "nothing", "document", "script")):
                self.assertEqual(answer.status, 415, name)
        self.assert_well(watch)

    def test_names_of_what_is_refused(self) -> None:
        """S3-W2: a page that tells why a file was refused tells its name as text."""
        ours = {"Cookie": self.server.cookie(), "Accept": HTML, "Sec_Fetch_Site": "same-origin"}
        for name in GIVEN:
            fields = [Field("file", b"no picture", name), Field("file", b"nor this", f"{name}.svg")]
            # What somebody typed stands in the field again, letter for letter.
            fields.append(Field("name", name.replace("\u202e", "").encode()))
            for target in ("/upload/", f"/upload/{ALBUM}/"):
                answer = self.server.post(target, *fields, key=False, **ours)
                self.assertEqual(answer.status, 415, answer)
                self.assert_only_text(Page(target, answer.body.decode()))
        self.assertEqual(os.listdir(self.album), ["healthy.jpg"])

    def assert_taken_or_refused(self, answers: Sequence[Answer]) -> None:
        """What was told is what is there: every file that was taken, under a picture's name, and no other."""
        stored = []
        for answer in answers:
            self.assertIn(answer.status, {201, 409, 415, 422}, answer)
            told = json.loads(answer.body)
            if answer.status == 201:
                stored.append(told["name"])
            else:
                self.assertEqual(told["status"], answer.status)
                self.assertTrue(told["detail"].strip())
        self.assertEqual(sorted(os.listdir(self.album)), sorted(["healthy.jpg", *stored]))
        self.assertEqual(self.server.in_progress(), [])
        for page in self.pages(len(stored) + 1):
            self.assert_only_text(page)
        for name in stored:
            self.assert_harmless(self.server.request(original(name)))
            self.assert_preview(self.preview_of(name))

    def test_names(self) -> None:
        """S3-W1, S3-W2: a name that climbs, runs or hides becomes a harmless one within the album."""
        for number, name in enumerate(GIVEN):
            for given, own in ((name, "x.jpg"), ("", name)):
                data = self.healthy["jpg"] + f"{number}{given}".encode()
                answer = self.server.upload(data, given, own)
                self.assertIn(answer.status, {201, 400}, (name, answer))
        self.assertEqual(sorted(os.listdir(self.server.root)), sorted({ALBUM, *self._kept()}))
        stored = sorted(set(os.listdir(self.album)) - {"healthy.jpg"})
        self.assertGreater(len(stored), len(GIVEN))
        for name in stored:
            self.assertTrue(name.endswith(".jpg"), name)
            self.assertFalse(name.startswith("."), name)
            self.assertTrue((self.album / name).is_file())
        (page,) = self.pages(len(stored) + 1)
        self.assert_only_text(page)
        self.assertEqual(len(page.originals), len(stored) + 1)
        served = {unquote(address.rpartition("/")[2]) for address in page.originals}
        self.assertEqual(served, {"healthy.jpg", *stored})

    def _kept(self) -> set[str]:
        """What the store itself keeps in its root."""
        return {name for name in os.listdir(self.server.root) if name == ".incoming"}
