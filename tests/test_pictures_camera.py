"""
``fileserve.pictures.camera``: what a camera wrote, out of values of every kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.pictures.camera import Camera, camera, name
from tests.exifblocks import (
    DATE_TIME,
    DATE_TIME_DIGITIZED,
    DATE_TIME_ORIGINAL,
    GPS_IFD,
    MAKE,
    MODEL,
    OFFSET_TIME,
    OFFSET_TIME_DIGITIZED,
    OFFSET_TIME_ORIGINAL,
    ORIENTATION,
    XMP_LOCATION,
)

# Hypothesis judges the time an example takes, which says nothing on a busy machine.
patient = settings(deadline=None)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30) | st.binary(max_size=30),
    lambda inner: st.tuples(inner, inner) | st.lists(inner, max_size=3),
    max_leaves=4,
)
_TAGS = (
    MAKE, MODEL, ORIENTATION, DATE_TIME, DATE_TIME_ORIGINAL, DATE_TIME_DIGITIZED, OFFSET_TIME,
    OFFSET_TIME_ORIGINAL, OFFSET_TIME_DIGITIZED, GPS_IFD, 2, 4,
)  # fmt: skip
tags = st.dictionaries(st.sampled_from(_TAGS), values)
dates = st.datetimes(min_value=datetime(1000, 1, 1)).map(lambda moment: moment.replace(microsecond=0))  # noqa: DTZ001


def taken(date: object, offset: object = None) -> str | None:
    return camera({}, {DATE_TIME_ORIGINAL: date, OFFSET_TIME_ORIGINAL: offset}, {}).taken


def made_by(maker: object, model: object = None) -> tuple[str | None, str | None]:
    found = camera({MAKE: maker, MODEL: model}, {}, {})
    return found.maker, found.model


class Broken(Mapping[int, object]):
    """Fields that fail when they are asked for, as Pillow's do, which decodes them then."""

    def __getitem__(self, key: int) -> object:
        raise ValueError(key)

    def __iter__(self) -> Iterator[int]:
        raise ValueError

    def __len__(self) -> int:
        return 1


class TextTests(SynchronousTestCase):
    """Makers and models."""

    def test_tidy(self) -> None:
        """Texts end at a NUL, are of one line, and have no blanks around them."""
        for raw, shown in {
            "Canon": "Canon",
            "NIKON CORPORATION   ": "NIKON CORPORATION",
            "Canon\0EOS\0": "Canon",
            "\0": None,
            "": None,
            "   ": None,
            "  SONY \r\n DSC": "SONY DSC",
            "A\x1b[31mB": "A [31mB",
            "x" * 200: "x" * 100,
            "x" * 99 + " y": "x" * 99,
            b"Apple\0": "Apple",
            b"\xff\xfe": "ÿþ",
        }.items():
            self.assertEqual(made_by(raw)[0], shown, raw)

    def test_encodings(self) -> None:
        """UTF-8, which Pillow takes for Latin-1, is read rightly, and so is Latin-1."""
        self.assertEqual(made_by("Müller 株式会社".encode().decode("latin-1"))[0], "Müller 株式会社")
        self.assertEqual(made_by("Müller")[0], "Müller")
        self.assertEqual(made_by("株式会社")[0], "株式会社")

    def test_no_text(self) -> None:
        """Numbers, and lists of whatever, are no names."""
        for value in (17, 1.5, (1, 2), ["Canon"], None, object()):
            self.assertEqual(made_by(value, value), (None, None))

    def test_mixed_up(self) -> None:
        """Fields count in the wrong one of the two directories as well."""
        found = camera({DATE_TIME_ORIGINAL: "2026:11:20 21:52:00"}, {MAKE: "Canon", MODEL: "EOS"}, {})
        self.assertEqual((found.maker, found.model, found.taken), ("Canon", "EOS", "2026-11-20T21:52:00"))


class NameTests(SynchronousTestCase):
    """What to call a camera."""

    def test_names(self) -> None:
        """The maker is said once, and without what kind of a firm it is."""
        for maker, model, both in (
            ("Canon", "Canon EOS 5D", "Canon EOS 5D"),
            ("NIKON CORPORATION", "NIKON D850", "NIKON D850"),
            ("NIKON CORPORATION", "COOLPIX P900", "NIKON COOLPIX P900"),
            ("NIKON", "NIKON-D70", "NIKON-D70"),
            ("EASTMAN KODAK COMPANY", "KODAK DC290", "KODAK DC290"),
            ("SAMSUNG TECHWIN CO., LTD.", "NV30", "SAMSUNG TECHWIN NV30"),
            ("LEICA CAMERA AG", "LEICA M10", "LEICA M10"),
            ("Google", "Pixel 8", "Google Pixel 8"),
            ("Apple", "iPhone 17", "Apple iPhone 17"),
            ("Canon", "Canonet", "Canon Canonet"),
            ("Canon", None, "Canon"),
            (None, "EOS", "EOS"),
            ("", "", None),
            (None, None, None),
            ("Co", "X", "Co X"),
            (",", "X", "X"),
        ):
            self.assertEqual(name(maker, model), both)

    @patient
    @given(st.text(max_size=30) | st.none(), st.text(max_size=30) | st.none())
    def test_any(self, maker: str | None, model: str | None) -> None:
        """Whatever they are, the model is told in full."""
        self.assertTrue((name(maker, model) or "").endswith(model or ""))


class DateTests(SynchronousTestCase):
    """When it was taken."""

    def test_written(self) -> None:
        """Dates are read as cameras write them, and as programs do."""
        for raw, offset, moment in (
            ("2026:11:20 21:52:00", None, "2026-11-20T21:52:00"),
            ("2026:11:20 21:52:00", "+01:00", "2026-11-20T21:52:00+01:00"),
            ("2026:11:20 21:52:00", "-03:30", "2026-11-20T21:52:00-03:30"),
            ("2026:11:20 21:52:00", "Z", "2026-11-20T21:52:00+00:00"),
            ("2026:11:20 21:52:00\0", "+01:00\0", "2026-11-20T21:52:00+01:00"),
            ("2026-11-20T21:52:00", None, "2026-11-20T21:52:00"),
            ("2026-11-20T21:52:00Z", None, "2026-11-20T21:52:00+00:00"),
            ("2026-11-20T21:52:00.25+0200", "+01:00", "2026-11-20T21:52:00+02:00"),
            ("2026/11/20 21:52:00", None, "2026-11-20T21:52:00"),
            (" 2026:11:20  21:52:00 ", None, "2026-11-20T21:52:00"),
            ("2026: 1: 5  9: 2: 3", None, "2026-01-05T09:02:03"),
            (b"2026:11:20 21:52:00", None, "2026-11-20T21:52:00"),
            # An offset that is none does not spoil the date.
            ("2026:11:20 21:52:00", "   :  ", "2026-11-20T21:52:00"),
            ("2026:11:20 21:52:00", "+25:00", "2026-11-20T21:52:00"),
            ("2026:11:20 21:52:00", "+01:75", "2026-11-20T21:52:00"),
            ("2026:11:20 21:52:00", 60, "2026-11-20T21:52:00"),
        ):
            self.assertEqual(taken(raw, offset), moment, raw)

    def test_no_dates(self) -> None:
        """What is no date, though it looks like one, is none."""
        for raw in (
            "0000:00:00 00:00:00",
            "    :  :     :  :  ",
            "2026:02:30 12:00:00",
            "2026:13:01 12:00:00",
            "2026:11:20 24:00:00",
            "2026:11:20",
            "yesterday",
            "2026:11:20 21:52:00 and more",
            "",
            20261120,
            (2026, 11, 20),
            None,
        ):
            self.assertIsNone(taken(raw), raw)

    def test_order(self) -> None:
        """The first that is a date counts, with its own offset and no other's."""
        every = {
            DATE_TIME_ORIGINAL: "2001:01:01 01:01:01",
            DATE_TIME_DIGITIZED: "2002:02:02 02:02:02",
            OFFSET_TIME_DIGITIZED: "+02:00",
            OFFSET_TIME: "+03:00",
        }
        main = {DATE_TIME: "2003:03:03 03:03:03"}
        self.assertEqual(camera(main, every, {}).taken, "2001-01-01T01:01:01")
        every[DATE_TIME_ORIGINAL] = "0000:00:00 00:00:00"
        self.assertEqual(camera(main, every, {}).taken, "2002-02-02T02:02:02+02:00")
        del every[DATE_TIME_DIGITIZED]
        self.assertEqual(camera(main, every, {}).taken, "2003-03-03T03:03:03+03:00")

    @patient
    @given(dates, st.none() | st.integers(-14 * 60, 14 * 60))
    def test_all(self, moment: datetime, minutes: int | None) -> None:
        """Every date with every offset comes back as Python reads it (``fromisoformat`` judges)."""
        sign, size = "-" if (minutes or 0) < 0 else "+", abs(minutes or 0)
        offset = None if minutes is None else f"{sign}{size // 60:02}:{size % 60:02}"
        found = taken(f"{moment:%Y:%m:%d %H:%M:%S}".rjust(19, "0"), offset)
        assert found is not None
        read = datetime.fromisoformat(found)
        self.assertEqual(read.replace(tzinfo=None), moment)
        self.assertEqual(read.utcoffset(), None if minutes is None else timedelta(minutes=minutes))


class OtherTests(SynchronousTestCase):
    """Orientation, location, and whatever may come."""

    def test_orientation(self) -> None:
        """1 to 8 are orientations, alone or first of several, and nothing else is."""
        for value in range(1, 9):
            self.assertEqual(camera({ORIENTATION: value}, {}, {}).orientation, value)
        self.assertEqual(camera({ORIENTATION: (6, 6)}, {}, {}).orientation, 6)
        for other in (0, 9, -1, 1.5, "6", b"\6", (), None):
            self.assertIsNone(camera({ORIENTATION: other}, {}, {}).orientation, other)

    def test_located(self) -> None:
        """A latitude or a longitude is a location, in EXIF or XMP; a version, or an altitude, is none."""
        for gps, xmp, found in (
            ({}, b"", False),
            ({0: b"\2\3\0\0"}, b"", False),
            ({6: 1.0}, b"", False),
            ({2: (1.0, 2.0, 3.0)}, b"", True),
            ({4: (0.0, 0.0, 0.0)}, b"", True),
            ({2: "anything"}, b"", True),
            ({}, XMP_LOCATION, True),
            ({}, b"<exif:GPSLongitude>4,9W</exif:GPSLongitude>", True),
            ({}, "<exif:GPSLatitude>4,9W".encode("utf-16-le"), True),
            ({}, b"exif:GPSVersionID='2.3.0.0'", False),
            ({}, b"the word GPS", False),
        ):
            self.assertIs(camera({}, {}, gps, xmp).located, found, (gps, xmp))

    def test_unreadable_location(self) -> None:
        """Where a directory of GPS is said to be, and nobody can read it, nobody can say."""
        self.assertIsNone(camera({GPS_IFD: 500}, {}, {}).located)
        self.assertTrue(camera({GPS_IFD: 500}, {}, {2: 1}).located)
        self.assertTrue(camera({GPS_IFD: 500}, {}, {}, XMP_LOCATION).located)

    def test_nothing(self) -> None:
        """Without fields, or with fields that can't be read, nothing is known."""
        self.assertEqual(camera({}, {}, {}), Camera(located=False))
        self.assertEqual(camera(Broken(), Broken(), Broken()), Camera(located=False))

    @patient
    @given(tags, tags, tags, st.binary(max_size=60))
    @example({MAKE: "\ud800"}, {}, {}, b"")
    @example({}, {DATE_TIME_ORIGINAL: "9999:12:31 23:59:59", OFFSET_TIME_ORIGINAL: "-14:00"}, {}, b"")
    def test_any(
        self, main: Mapping[int, object], sub: Mapping[int, object], gps: Mapping[int, object], xmp: bytes
    ) -> None:
        """Whatever the values are, what comes out can be shown."""
        found = camera(main, sub, gps, xmp)
        for text in (found.maker, found.model):
            if text is not None:
                self.assertTrue(0 < len(text) <= 100)
                self.assertNotRegex(text.encode().decode(), "[\x00-\x1f\x7f]|^ | $")
        if found.taken is not None:
            datetime.fromisoformat(found.taken)
        self.assertIn(found.orientation, {None, *range(1, 9)})
