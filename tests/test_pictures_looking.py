"""
``fileserve.pictures.looking`` on pictures of every format, sound ones and broken ones; exiftool is the judge.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.pictures.facts import PictureFacts
from fileserve.pictures.formats import FORMATS
from fileserve.pictures.looking import look
from tests.exifblocks import (
    CAMERA,
    DATE_TIME,
    DATE_TIME_DIGITIZED,
    DATE_TIME_ORIGINAL,
    GPS,
    MAKE,
    MODEL,
    OFFSET_TIME,
    OFFSET_TIME_DIGITIZED,
    OFFSET_TIME_ORIGINAL,
    TAKEN,
    XMP_LOCATION,
    Raw,
    broken_blocks,
    camera_block,
    exif_block,
    looping_blocks,
)
from tests.exiftool import described
from tests.picturebombs import (
    BOMBS,
    SVG,
    gif_and_html,
    gif_and_script,
    jpeg_and_zip,
    png_chunk,
    png_text_bomb,
)
from tests.picturesamples import WITH_EXIF, sample

# Hypothesis judges the time an example takes, which says nothing on a busy machine.
patient = settings(deadline=None, max_examples=60)

#: What cameras write, and what they leave out.
WRITTEN: Mapping[str, Mapping[str, Any]] = {
    "nothing": {},
    "everything": {"exif": CAMERA, "gps": True},
    "everything in the order of Motorola": {"exif": CAMERA, "gps": True, "order": ">"},
    "no offset": {"exif": {DATE_TIME_ORIGINAL: "2020:02:29 23:59:59", OFFSET_TIME: "+09:00"}},
    "digitised": {
        "exif": {
            DATE_TIME_ORIGINAL: "0000:00:00 00:00:00",
            DATE_TIME_DIGITIZED: "2020:02:29 23:59:59",
            OFFSET_TIME_ORIGINAL: "+01:00",
            OFFSET_TIME_DIGITIZED: "-03:30",
        }
    },
    "changed": {
        "exif": {
            DATE_TIME: "2020:02:28 23:59:59",
            OFFSET_TIME: "+09:00",
            DATE_TIME_DIGITIZED: "    :  :     :  :  ",
        }
    },
    "no date": {"exif": {MAKE: "Canon", DATE_TIME_ORIGINAL: "2020:02:30 00:00:00"}},
    "UTF-8": {"exif": {MAKE: "Łódź 株式会社", MODEL: "Ünï  "}},
    "place alone": {"gps": True},
    "place in XMP": {"xmp": XMP_LOCATION},
}
_ASKED = ("-EXIF:all", "-XMP:GPSLatitude", "-ImageWidth", "-ImageHeight")
_DATES = (
    ("DateTimeOriginal", "OffsetTimeOriginal"),
    ("CreateDate", "OffsetTimeDigitized"),
    ("ModifyDate", "OffsetTime"),
)


def seen(data: bytes, media_type: str) -> PictureFacts:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return look(file, media_type)


def _text(value: object) -> str | None:
    return None if value is None else " ".join(str(value).split()) or None


def _date(told: Mapping[str, Any]) -> str | None:
    for date, offset in _DATES:
        try:
            moment = datetime.strptime(str(told.get(date)), "%Y:%m:%d %H:%M:%S").isoformat()  # noqa: DTZ007
        except ValueError:
            continue
        return moment + str(told.get(offset, ""))
    return None


def judged(told: Mapping[str, Any]) -> Mapping[str, object]:
    """Our facts in the words of exiftool."""
    return {
        "maker": _text(told.get("Make")),
        "model": _text(told.get("Model")),
        "taken": _date(told),
        "located": "GPSLatitude" in told or "GPSLongitude" in told,
    }


def ours(facts: PictureFacts) -> Mapping[str, object]:
    return {name: getattr(facts, name) for name in ("maker", "model", "taken", "located")}


class FormatTests(SynchronousTestCase):
    """Every format."""

    def test_size(self) -> None:
        """Width and height are told of every format."""
        for kind in FORMATS:
            facts = seen(sample(kind, width=64, height=48), kind)
            self.assertEqual((facts.media_type, facts.width, facts.height), (kind, 64, 48))

    def test_upright(self) -> None:
        """They are those of the picture as it is shown, whichever way it lies; its orientation is told."""
        for kind in WITH_EXIF:
            for orientation in range(1, 9):
                facts = seen(sample(kind, width=64, height=48, orientation=orientation), kind)
                upright = (64, 48) if orientation < 5 else (48, 64)
                self.assertEqual((facts.width, facts.height), upright, (kind, orientation))
                # AVIF and HEIC say "as it is" by saying nothing.
                told = facts.orientation or (1 if orientation == 1 else None)
                self.assertEqual(told, orientation, kind)

    def test_camera(self) -> None:
        """Of every format with EXIF all that a camera writes is told."""
        for kind in WITH_EXIF:
            facts = seen(sample(kind, exif=CAMERA, gps=True), kind)
            self.assertEqual((facts.maker, facts.model), ("NIKON CORPORATION", "NIKON D850"), kind)
            self.assertEqual((facts.taken, facts.located), (TAKEN, True), kind)

    def test_no_camera(self) -> None:
        """The others have none, and no place."""
        for kind in FORMATS:
            facts = seen(sample(kind), kind)
            self.assertEqual(
                ours(facts), {"maker": None, "model": None, "taken": None, "located": False}, kind
            )

    def test_unknown(self) -> None:
        """What is no picture, or another than it is said to be, has its type only."""
        for data, kind in (
            (sample("image/png"), "image/jpeg"),
            (sample("image/jpeg"), "image/png"),
            (sample("image/jpeg"), "image/svg+xml"),
            (SVG, "image/jpeg"),
            (SVG, "image/svg+xml"),
            (b"", "image/webp"),
            (b"", "text/plain"),
        ):
            self.assertEqual(seen(data, kind), PictureFacts(kind))


class JudgedTests(SynchronousTestCase):
    """exiftool reads the same."""

    def test_written(self) -> None:
        """What cameras write, in every format and combination, is what exiftool reads."""
        files = {
            f"{name} {number}.{FORMATS[kind].extension}": (kind, sample(kind, **what))
            for name, what in WRITTEN.items()
            for number, kind in enumerate(WITH_EXIF)
        }
        told = described({name: data for name, (_, data) in files.items()}, *_ASKED)
        self.assertEqual(set(told), set(files))
        for name, (kind, data) in files.items():
            self.assertEqual(ours(seen(data, kind)), judged(told[name]), name)

    def test_broken(self) -> None:
        """In broken EXIF less may be read, or more, but nothing else, and the picture's size always."""
        files = {
            f"{name} {kind[6:]}.{FORMATS[kind].extension}": (kind, sample(kind, block=block))
            for name, block in broken_blocks().items()
            for kind in ("image/jpeg", "image/png", "image/webp", "image/heic")
        }
        told = described({name: data for name, (_, data) in files.items()}, *_ASKED)
        for name, (kind, data) in files.items():
            facts = seen(data, kind)
            self.assertEqual({facts.width, facts.height}, {60, 40}, name)
            for what, theirs in judged(told[name]).items():
                if theirs is not None and "numbers for texts" not in name:
                    mine = getattr(facts, what)
                    self.assertTrue(mine is None or mine == theirs or not theirs, f"{name}: {what}")

    def test_looping(self) -> None:
        """Directories that lead in circles end, with what stands in them. (exiftool does not survive all.)"""
        for name, block in looping_blocks().items():
            for kind in ("image/jpeg", "image/png", "image/webp", "image/tiff", "image/heic", "image/avif"):
                facts = seen(sample(kind, block=block), kind)
                self.assertEqual((facts.width, facts.height), (60, 40), name)
                self.assertIn(facts.maker, {"Loop", None}, name)

    @patient
    @given(st.integers(0, 400), st.integers(0, 255))
    def test_changed_byte(self, at: int, value: int) -> None:
        """A wrong byte in EXIF spoils no more than EXIF."""
        block = bytearray(camera_block(CAMERA, gps=True))
        block[at % len(block)] = value
        facts = seen(sample("image/jpeg", block=bytes(block)), "image/jpeg")
        self.assertEqual({facts.width, facts.height}, {60, 40})


class OddTests(SynchronousTestCase):
    """EXIF where few look, bombs, and files that are two things."""

    def test_behind_the_pixels(self) -> None:
        """EXIF and XMP count behind the pixels of a PNG too, and nothing is decoded to find them."""
        whole = sample("image/png")
        end = png_chunk(b"IEND", b"")
        block, xmp = (
            camera_block(CAMERA, gps=True),
            b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(XMP_LOCATION),
        )
        late = whole.removesuffix(end) + png_chunk(b"eXIf", block) + end
        self.assertEqual(seen(late, "image/png").taken, TAKEN)
        self.assertTrue(seen(late, "image/png").located)
        late = whole.removesuffix(end) + png_chunk(b"iTXt", xmp) + end
        self.assertTrue(seen(late, "image/png").located)
        self.assertFalse(seen(late[: -len(xmp)], "image/png").located)  # it breaks off, and is no error

    def test_raw_profiles(self) -> None:
        """EXIF and XMP count in the texts that ImageMagick writes into PNG."""
        for name, data in {
            b"exif": b"Exif\0\0" + camera_block(CAMERA, gps=True),
            b"APP1": b"Exif\0\0" + camera_block(CAMERA, gps=True),
            b"xmp": XMP_LOCATION,
        }.items():
            text = b"\n%s\n%8d\n%s\n" % (name, len(data), data.hex().encode())
            chunk = png_chunk(b"zTXt", b"Raw profile type " + name + b"\0\0" + zlib.compress(text))
            whole = sample("image/png")
            facts = seen(whole[:33] + chunk + whole[33:], "image/png")
            self.assertTrue(facts.located, name)
            self.assertEqual(facts.taken, None if name == b"xmp" else TAKEN)

    def test_extended_xmp(self) -> None:
        """A place counts in XMP that goes on in a second segment of a JPEG."""
        data = b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32 + bytes(8) + XMP_LOCATION
        whole = sample("image/jpeg")
        segment = b"\xff\xe1" + (len(data) + 2).to_bytes(2) + data
        self.assertTrue(seen(whole[:2] + segment + whole[2:], "image/jpeg").located)

    def test_version_of_gps(self) -> None:
        """Many cameras write a directory of GPS that names no place."""
        block = exif_block({MAKE: "Canon"}, None, {0: GPS[0]})
        self.assertIs(seen(sample("image/jpeg", block=block), "image/jpeg").located, False)

    def test_unreadable_place(self) -> None:
        """Where the directory of GPS can't be read, nobody can say."""
        block = broken_blocks()["pointers to nowhere"]
        self.assertIsNone(seen(sample("image/jpeg", block=block), "image/jpeg").located)

    def test_bombs(self) -> None:
        """The size that a bomb claims is told, and nothing is decoded for it."""
        for kind, make in BOMBS.items():
            facts = seen(make(), kind)
            assert facts.width is not None
            assert facts.height is not None
            self.assertGreater(facts.width * facts.height, 100_000_000, kind)

    def test_text_bomb(self) -> None:
        """A text that grows to much more than anybody writes is no picture's."""
        self.assertEqual(seen(png_text_bomb(), "image/png"), PictureFacts("image/png"))

    def test_no_size(self) -> None:
        """Sizes of nothing, or of more than there can be, are none."""
        one = {259: 1, 262: 1, 258: 8, 273: 8, 277: 1, 278: 1, 279: 1}
        for width in (0, 2**32 - 1):
            side = Raw(4, 1, width.to_bytes(4, "little"))
            self.assertEqual(
                seen(exif_block({**one, 256: side, 257: 1}), "image/tiff"), PictureFacts("image/tiff")
            )

    def test_polyglots(self) -> None:
        """What is something else as well is a picture all the same, and nothing of the rest is told."""
        for data, kind, size in (
            (gif_and_html(), "image/gif", (60, 40)),
            (gif_and_script(), "image/gif", (10799, 1)),
            (jpeg_and_zip(), "image/jpeg", (60, 40)),
        ):
            facts = seen(data, kind)
            self.assertEqual((facts.width, facts.height), size)
            self.assertEqual((facts.maker, facts.model), (None, None))

    @patient
    @given(st.sampled_from(sorted(FORMATS)), st.floats(0, 1))
    def test_cut(self, kind: str, kept: float) -> None:
        """However a file is cut, nothing is raised, and what is told of its size is right."""
        whole = sample(kind, width=64, height=48)
        facts = seen(whole[: int(len(whole) * kept)], kind)
        self.assertIn((facts.width, facts.height), {(64, 48), (None, None)})
