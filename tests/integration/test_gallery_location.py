"""
Tests of pictures without the place where they were taken, with exiftool as the judge.
"""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import TestCase
from zipfile import ZipFile

from PIL import Image

from tests import readers
from tests.picturesamples import CAMERA, XMP_LOCATION, sample

from .gallerysite import ALBUM, GalleryServer, original
from .processes import together
from .server import folder, need
from .trees import make_album

#: A place in words, which must not be left anywhere in a file.
_PLACE = b"Schulstr. 5, Kleinmachnow"

_STRIPPED = ("jpg", "png", "webp", "tif")


def exiftool(*words: str | Path) -> Any:
    """What exiftool says of some files, as JSON."""
    command = ["exiftool", "-j", "-G1", "-a", "-n", "-u", *map(str, words)]
    done = subprocess.run(command, check=True, capture_output=True, timeout=60)
    return json.loads(done.stdout)


def places(path: Path) -> Mapping[str, object]:
    """All that exiftool knows of where a picture was taken."""
    (found,) = exiftool(path)
    return {
        name: value
        for name, value in found.items()
        if "GPS" in name
        or name.rpartition(":")[2] in {"City", "Country", "Location", "Sub-location", "State"}
    }


def pictures(where: Path) -> dict[str, bytes]:
    """Pictures of four formats that say where they were taken, in every way that exiftool knows."""
    made = {}
    for kind, media_type in (("jpg", "jpeg"), ("png", "png"), ("webp", "webp"), ("tif", "tiff")):
        path = where / f"located.{kind}"
        xmp = None if kind == "tif" else XMP_LOCATION
        path.write_bytes(sample(f"image/{media_type}", width=90, exif=CAMERA, gps=True, xmp=xmp))
        subprocess.run(
            [
                "exiftool",
                "-q",
                "-overwrite_original",
                "-GPSLatitude=52.4009",
                "-GPSLatitudeRef=N",
                "-GPSLongitude=13.2236",
                "-GPSLongitudeRef=E",
                "-GPSDateStamp=2026:11:20",
                b"-GPSAreaInformation=" + _PLACE,
                "-XMP-exif:GPSLatitude=52.4009",
                "-XMP-exif:GPSLongitude=13.2236",
                str(path),
            ],
            check=True,
        )
        made[path.name] = path.read_bytes()
        assert _PLACE in made[path.name]
        assert len(places(path)) > 4, kind
    return made


class LocationCase(TestCase):
    """A server, and pictures that say where they were taken."""

    options: tuple[str, ...] = ()

    def setUp(self) -> None:
        need("exiftool")
        self.scratch = folder(self)
        self.pictures = pictures(self.scratch)
        self.server = GalleryServer(self, *self.options)
        self.album = self.server.album()

    def assert_stripped(self, before: bytes, after: bytes, name: str) -> None:
        """Nothing tells the place any more; the pixels, the camera and the length are the same."""
        self.assertNotEqual(before, after, name)
        self.assertEqual(len(before), len(after), name)
        self.assertNotIn(_PLACE, after, name)
        old, new = self.scratch / f"old-{name}", self.scratch / f"new-{name}"
        old.write_bytes(before)
        new.write_bytes(after)
        self.assertEqual(places(new), {}, name)
        (was,), (now) = exiftool(old), exiftool(new)[0]
        for each in ("IFD0:Model", "IFD0:Make", "ExifIFD:DateTimeOriginal", "File:MIMEType"):
            self.assertEqual(now.get(each), was.get(each), (name, each))
        self.assertNotIn("ExifTool:Error", now)
        self.assertEqual(now.get("ExifTool:Warning"), was.get("ExifTool:Warning"), name)
        with Image.open(old) as first, Image.open(new) as second:
            self.assertEqual(first.tobytes(), second.tobytes(), name)


class StoredTests(LocationCase):
    """``--strip-location``."""

    options = ("--strip-location",)

    def test_uploads(self) -> None:
        """What is stored says no place, and is what was sent in all else."""
        for name, data in self.pictures.items():
            answer = self.server.upload(data, filename=name)
            self.assertEqual(answer.status, 201, answer)
            stored = (self.album / name).read_bytes()
            self.assert_stripped(data, stored, name)
            self.assertEqual(self.server.request(original(name)).body, stored)
            self.assertEqual(self.server.upload(data, filename=f"again-{name}").status, 409)

    def test_without_a_place(self) -> None:
        """A picture that says no place is stored byte for byte."""
        for kind in ("jpeg", "png", "webp", "tiff", "gif", "bmp", "x-portable-anymap"):
            exif = CAMERA if kind in {"jpeg", "png", "webp", "tiff"} else None
            data = sample(f"image/{kind}", exif=exif)
            answer = self.server.upload(data, kind)
            self.assertEqual(answer.status, 201, (kind, answer))
            name = json.loads(answer.body)["name"]
            self.assertEqual((self.album / name).read_bytes(), data)
        for kind in ("heic", "avif"):
            data = sample(f"image/{kind}", exif=CAMERA)
            self.assertEqual(self.server.upload(data, kind).status, 201, kind)
            self.assertEqual((self.album / f"{kind}.{kind}").read_bytes(), data)

    def test_what_can_not_be_stripped(self) -> None:
        """A picture with a place that can't be taken out is refused, with a word on what to do."""
        for kind in ("heic", "avif"):
            answer = self.server.upload(sample(f"image/{kind}", exif=CAMERA, gps=True), kind)
            self.assertEqual(answer.status, 422, (kind, answer))
            self.assertIn("JPEG", json.loads(answer.body)["detail"])
        self.assertEqual(list(self.album.iterdir()), [])

    def test_without_the_option(self) -> None:
        """Off, as it is by default, nothing is changed."""
        server = GalleryServer(self)
        for name, data in self.pictures.items():
            self.assertEqual(server.upload(data, filename=name).status, 201)
            self.assertEqual((server.root / ALBUM / name).read_bytes(), data)


class SharedTests(LocationCase):
    """``?location=strip``."""

    def setUp(self) -> None:
        super().setUp()
        self.heic = sample("image/heic", exif=CAMERA, gps=True)
        self.plain = sample("image/png")
        self.members = {**self.pictures, "a.heic": self.heic, "plain.png": self.plain, "notes.txt": b"notes"}
        make_album(self.server.root, ALBUM, {**self.members, "sub/1.jpg": self.pictures["located.jpg"]})
        self.target = f"/archive/{ALBUM}/?location=strip"

    def test_originals(self) -> None:
        """An original without its place has a length, ranges and an entity-tag of its own."""
        for name, data in self.pictures.items():
            usual = self.server.request(original(name), key=False)
            self.assertEqual(usual.body, data)
            target = original(name) + "?location=strip"
            answer = self.server.request(target, key=False)
            self.assertEqual(answer.status, 200, answer)
            self.assert_stripped(data, answer.body, name)
            self.assertEqual(int(answer["Content-Length"]), len(data))
            self.assertNotEqual(answer["ETag"], usual["ETag"])
            self.assertEqual(self.server.request(target, If_None_Match=answer["ETag"]).status, 304)
            half = len(data) // 2
            for first, last in ((0, half), (half, len(data) - 1), (17, 400)):
                part = self.server.request(target, Range=f"bytes={first}-{last}", If_Range=answer["ETag"])
                self.assertEqual((part.status, part.body), (206, answer.body[first : last + 1]))
            head = self.server.request(target, "HEAD")
            self.assertEqual((head["ETag"], head["Content-Length"]), (answer["ETag"], str(len(data))))

    def test_original_that_can_not_be_stripped(self) -> None:
        """It is not given; and a query that is misspelt gives none either."""
        answer = self.server.request(original("a.heic") + "?location=strip", key=False)
        self.assertIn(answer.status, {404, 422}, answer)
        for wrong in ("location=stripped", "location=", "location=strip&location=keep", "location"):
            for target in (original("located.jpg"), f"/archive/{ALBUM}/"):
                self.assertEqual(self.server.request(f"{target}?{wrong}").status, 400, (target, wrong))

    def test_archive(self) -> None:
        """Every picture in the archive is without its place; what can't be is left out, and named."""
        usual = self.server.request(f"/archive/{ALBUM}/")
        answer = self.server.request(self.target, key=False)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(int(answer["Content-Length"]), len(answer.body))
        self.assertNotEqual(answer["ETag"], usual["ETag"])
        self.assertIn(self.heic, usual.body)
        archive = self.scratch / "a.zip"
        archive.write_bytes(answer.body)
        for reader in (readers.InfoZip(), readers.SevenZip(), readers.PythonZipfile()):
            reader.require()
            self.assertNotIn(b"a.heic", reader.read(archive))
        with ZipFile(io.BytesIO(answer.body)) as opened:
            held = {name: opened.read(name) for name in opened.namelist()}
        self.assertIn("a.heic", held.pop("NOT-INCLUDED.txt").decode())
        for name in [name for name in held if name.rpartition(".")[2] in _STRIPPED and "plain" not in name]:
            before = self.pictures[name.replace("sub/1.jpg", "located.jpg")]
            self.assert_stripped(before, held.pop(name), name.replace("/", "-"))
        self.assertEqual(held.pop("plain.png"), self.plain)
        self.assertLessEqual(set(held), {"notes.txt"})

    def test_extracted(self) -> None:
        """In anything that was unpacked exiftool finds no place."""
        archive, unpacked = self.scratch / "a.zip", self.scratch / "unpacked"
        archive.write_bytes(self.server.request(self.target).body)
        unpacked.mkdir()
        readers.InfoZip().unpack(archive, unpacked)
        for found in exiftool("-r", unpacked):
            self.assertEqual([name for name in found if "GPS" in name], [], found["SourceFile"])

    def test_resumed(self) -> None:
        """S3-W14: the archive is the same each time, in parts, at once, and from another process."""
        whole = self.server.request(self.target)
        for first in (0, 1, 1000, len(whole.body) // 2, len(whole.body) - 1):
            part = self.server.request(self.target, Range=f"bytes={first}-", If_Range=whole["ETag"])
            self.assertEqual((part.status, part.body), (206, whole.body[first:]))
        again = together(lambda _: self.server.request(self.target).body, range(4))
        self.assertEqual(set(again), {whole.body})
        self.assertEqual(self.server.request(self.target, If_None_Match=whole["ETag"]).status, 304)
        head = self.server.request(self.target, "HEAD")
        self.assertEqual((head["ETag"], int(head["Content-Length"])), (whole["ETag"], len(whole.body)))
        self.server.process.stop()
        other = GalleryServer(self, root=self.server.root)
        afresh = other.request(self.target)
        self.assertEqual((afresh.body, afresh["ETag"]), (whole.body, whole["ETag"]))

    def test_note_that_is_there_already(self) -> None:
        """A file of the note's name is in the archive too, as it is."""
        (self.album / "NOT-INCLUDED.txt").write_bytes(b"mine")
        with ZipFile(io.BytesIO(self.server.request(self.target).body)) as opened:
            self.assertIsNone(opened.testzip())
            notes = [opened.read(name) for name in opened.namelist() if "NOT-INCLUDED" in name]
        self.assertEqual(len(notes), 2)
        self.assertIn(b"mine", notes)
        self.assertEqual(sum(b"a.heic" in note for note in notes), 1)

    def test_replaced_file(self) -> None:
        """With another picture the archive without places is another one, and has no place either."""
        before = self.server.request(self.target)
        path = self.album / "located.jpg"
        path.write_bytes(sample("image/jpeg", width=100, exif=CAMERA, gps=True, xmp=XMP_LOCATION))
        after = self.server.request(self.target)
        self.assertNotEqual(after["ETag"], before["ETag"])
        self.assertEqual(
            self.server.request(self.target, Range="bytes=0-9", If_Range=before["ETag"]).status, 200
        )
        with ZipFile(io.BytesIO(after.body)) as opened:
            self.assert_stripped(path.read_bytes(), opened.read("located.jpg"), "located.jpg")

    def test_picked(self) -> None:
        """Members are picked as ever; one that is left out is told of, and an unknown one is 404."""
        answer = self.server.request(f"{self.target}&file=located.jpg&filename=x.zip")
        with ZipFile(io.BytesIO(answer.body)) as opened:
            self.assertIn("located.jpg", opened.namelist())
            self.assertNotIn("located.png", opened.namelist())
            self.assert_stripped(self.pictures["located.jpg"], opened.read("located.jpg"), "located.jpg")
        self.assertEqual(self.server.request(f"{self.target}&file=no.jpg").status, 404)
        self.assertEqual(self.server.request("/archive/nothing/?location=strip").status, 404)
