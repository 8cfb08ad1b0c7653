"""
Tests of what may enter the gallery and how it is named: names that every system takes, dates of any camera.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.gallery import rules
from fileserve.http.kinds import HEAD
from fileserve.http.refusal import Refusal
from fileserve.pictures.facts import PictureFacts
from fileserve.pictures.formats import FORMATS, Decoder, Format
from fileserve.storage.keys import member_path
from fileserve.storage.names import LONGEST_NAME, safe_name, split_extension

from .picturesamples import sample
from .uploadsupport import NOW

_JPEG, _PNG, _TIFF = FORMATS["image/jpeg"], FORMATS["image/png"], FORMATS["image/tiff"]
_DAY = timedelta(days=1)
_NOW = datetime.fromtimestamp(NOW, UTC)

_KINDS = st.sampled_from(list(FORMATS.values()))


class RulesCase(SynchronousTestCase):
    """Rules that refuse with a sentence."""

    def refused(self, status: int, rule: object, *args: object) -> str:
        refusal = self.assertRaises(Refusal, rule, *args)
        self.assertEqual(refusal.status, status)
        self.assertRegex(refusal.detail, r"^[A-Z][^\n]*\. (Choose|Save|Try) [^\n]*\.$")
        return str(refusal.detail)


class GivenNameTests(RulesCase):
    """Names that somebody typed."""

    def test_length(self) -> None:
        """S3-F2: 50 characters are taken, whatever they take in bytes; 51 are refused with 400."""
        for character in ("x", "ё", "\U0001f4f7"):
            self.assertEqual(rules.given_name(character * 50), character * 50)
            self.assertIn("50 characters", self.refused(400, rules.given_name, character * 51))

    def test_blanks(self) -> None:
        """Blanks around a name are none of it, and blanks alone are no name."""
        self.assertEqual(rules.given_name("  a b\r\n"), "a b")
        self.assertEqual(rules.given_name(" \t\n"), "")


class StoredNameTests(RulesCase):
    """Names under which pictures are kept."""

    def test_extension(self) -> None:
        """A right extension stays, a wrong one of pictures is replaced, what is none is kept and gets one."""
        for given_name, own, kind, expected in (
            ("photo1", "", _JPEG, "photo1.jpg"),
            ("photo1.JPEG", "", _JPEG, "photo1.JPEG"),
            ("photo1.png", "", _JPEG, "photo1.jpg"),
            ("a.b", "", _PNG, "a.b.png"),
            ("a.html", "", _PNG, "a.html.png"),
            ("a.svg", "", _PNG, "a.svg.png"),
            ("scan.tiff", "", _TIFF, "scan.tiff"),
            ("", "IMG_1.JPG", _JPEG, "IMG_1.JPG"),
            ("", "C:\\Pictures\\IMG 1.bmp", _PNG, "IMG 1.png"),
            ("given", "own.jpg", _JPEG, "given.jpg"),
            ("дом", "own.jpg", _JPEG, "дом.jpg"),
        ):
            self.assertEqual(rules.stored_name(given_name, own, kind), expected)

    def test_no_name_at_all(self) -> None:
        """S3-F4: without any name a picture is called "file", and never has an extension alone."""
        self.assertEqual(rules.stored_name("", "", _JPEG), "file.jpg")
        self.assertEqual(rules.stored_name("", ".jpeg", _JPEG), "_.jpeg")
        self.assertEqual(rules.stored_name(".jpeg", "", _JPEG), "_.jpeg")

    def test_climbing(self) -> None:
        """S3-W1: what looks like a path names a file of the album, and nothing outside."""
        for name in ("../escaped", "/etc/passwd", "sub/dir", "..\\..\\escaped", "..", "a/../../b", "\0/x"):
            path = rules.stored_name(name, "", _PNG).encode()
            self.assertEqual(member_path(path), path)
            self.assertNotIn(b"/", path)
            self.assertNotIn(b"\\", path)

    def test_dotted(self) -> None:
        """S3-W8: a name with dots in it says nothing of the kind: that is asked of the bytes."""
        self.assertEqual(rules.stored_name("a.b.png", "", _PNG), "a.b.png")
        self.assertEqual(rules.stored_name("a.b.png", "", _JPEG), "a.b.jpg")

    @given(st.text(), st.text(), _KINDS)
    @example("x" * 300, "", _JPEG)
    @example("ё" * 100, "", _JPEG)
    @example("x.png" + "." * 30, "", _JPEG)
    @example("con.png", "", _JPEG)
    @example("a . .png", "", _JPEG)
    def test_safe(self, typed: str, own: str, kind: Format) -> None:
        """Whatever was typed, the name is safe everywhere, has room for a number, and a right extension."""
        name = rules.stored_name(typed, own, kind)
        self.assertEqual(safe_name(name), name)
        self.assertIn(split_extension(name)[1][1:].lower(), kind.extensions)
        self.assertEqual(rules.stored_name(name, "", kind), name)
        for number in (2, 10_000):
            numbered = rules.numbered_name(name, number)
            self.assertLessEqual(len(numbered.encode()), LONGEST_NAME)
            self.assertEqual(split_extension(numbered)[1], split_extension(name)[1])

    def test_numbers(self) -> None:
        """The second of a name gets " (2)", and a number that is taken is passed over."""
        self.assertEqual([rules.numbered_name("a.jpg", number) for number in (1, 2)], ["a.jpg", "a (2).jpg"])
        self.assertEqual(rules.next_number("a.jpg", 1, set()), 2)
        self.assertEqual(rules.next_number("a.jpg", 1, {b"a.jpg", b"a (2).jpg", b"a (3).jpg"}), 4)
        self.assertEqual(rules.next_number("a.jpg", 4, {b"a (2).jpg"}), 5)


class FormatTests(RulesCase):
    """What is a picture."""

    def test_pictures(self) -> None:
        """S3-F3: each format of the table is known by its bytes, under whatever name."""
        for media_type, kind in FORMATS.items():
            if kind.decoder is Decoder.PILLOW:
                self.assertEqual(rules.format_by(sample(media_type)[:HEAD]), kind)

    def test_none(self) -> None:
        """What is no picture, a drawing with a script in it too, is refused with 415 and told what is one."""
        for head in (b"", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7\n", b"\xff\xd8"):
            self.assertIn("JPEG", self.refused(415, rules.format_by, head))

    def test_damaged(self) -> None:
        """S3-W4: what begins like a picture and can't be opened is refused, where there must be a decoder."""
        for media_type, kind in FORMATS.items():
            rules.require_whole(kind, PictureFacts(media_type, 1, 1))
            if kind.decoder is Decoder.PILLOW:
                self.assertIn(
                    "damaged", self.refused(415, rules.require_whole, kind, PictureFacts(media_type))
                )
            else:
                rules.require_whole(kind, PictureFacts(media_type))


class LocationTests(RulesCase):
    """Pictures that may say where they were taken, and can't be made not to."""

    def test_seen_to_have_none(self) -> None:
        """Where a decoder saw that there is none, it is taken; where nobody knows, it is refused with 422."""
        heic = FORMATS["image/heic"]
        rules.require_no_location(heic, PictureFacts("image/heic", located=False), "It can't be.")
        for located in (True, None):
            picture = PictureFacts("image/heic", located=located)
            text = self.refused(422, rules.require_no_location, heic, picture, "It can't be.")
            self.assertIn(" It can't be. ", text)

    def test_odd(self) -> None:
        """An odd file of a format that is looked through here is refused, whatever a decoder saw."""
        for kind in (_JPEG, _PNG, _TIFF):
            picture = PictureFacts(kind.media_type, 1, 1, located=False)
            self.refused(422, rules.require_no_location, kind, picture, "It can't be.")


class AgeTests(RulesCase):
    """How old a picture may be."""

    def require(self, taken: str | None, days: int | None = 30) -> None:
        rules.require_recent(PictureFacts("image/jpeg", 1, 1, taken=taken), days, NOW)

    def test_off(self) -> None:
        """Where the age does not matter, no date does."""
        for taken in (None, "1900-01-01T00:00:00", "nonsense"):
            self.require(taken, None)

    def test_no_date(self) -> None:
        """S3-W4: without a date, or with one that can't be, a picture is refused and told what to do."""
        for taken in (
            None,
            "",
            "nonsense",
            "0000:00:00 00:00:00",
            "2026-13-41T25:61:61",
            "2026-11-20T12:00+99:00",
        ):
            self.assertIn("does not say when", self.refused(422, self.require, taken))

    def test_too_old(self) -> None:
        """The text says when it was taken and how old it may be."""
        text = self.refused(422, self.require, "2021-03-01T10:00:00+01:00")
        self.assertIn("2021-03-01", text)
        self.assertIn("the last 30 days", text)
        self.assertIn("the last day,", self.refused(422, self.require, "2021-03-01T10:00:00", 1))

    def test_edge(self) -> None:
        """With an offset the age is exact to the second."""
        oldest = _NOW - 30 * _DAY
        for zone in (UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=9, minutes=30))):
            self.require(oldest.astimezone(zone).isoformat())
            too_old = (oldest - timedelta(seconds=1)).astimezone(zone).isoformat()
            self.refused(422, self.require, too_old)

    def test_of_the_future(self) -> None:
        """A clock that is ahead by up to two days, in whatever zone, passes; more is refused and told."""
        ahead = _NOW + 2 * _DAY
        self.require(ahead.isoformat())
        self.require((ahead + timedelta(hours=14)).replace(tzinfo=None).isoformat())
        for taken in ((ahead + timedelta(seconds=1)).isoformat(), "9999-12-31T23:59:59"):
            text = self.refused(422, self.require, taken)
            self.assertIn(f"{taken[:10]}, is in the future: set the camera's clock. ", text)
        self.require("9999-12-31T23:59:59", None)

    def test_no_decoder(self) -> None:
        """Where nothing here decodes a picture, it is not the picture that does not say its date."""
        heic = PictureFacts("image/heic")
        text = self.refused(422, rules.require_recent, heic, 30, NOW)
        self.assertIn("can't read the date of such a file. Save it as a JPEG", text)
        rules.require_recent(heic, None, NOW)

    @given(
        st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - the camera's clock
        st.integers(1, 10_000),
        st.integers(-12 * 60, 14 * 60),
    )
    def test_generous(self, taken: datetime, days: int, minutes: int) -> None:
        """Without an offset no picture is refused that would be taken with its right one, whichever it is."""
        zone = timezone(timedelta(minutes=minutes))
        try:
            self.require(taken.replace(tzinfo=zone).isoformat(), days)
        except Refusal:
            return
        self.require(taken.isoformat(), days)

    @given(st.datetimes(timezones=st.timezones() | st.none(), allow_imaginary=False), st.integers(1, 10**7))
    def test_any_date(self, taken: datetime, days: int) -> None:
        """S3-W4: no date, however far away, is more than refused."""
        try:
            self.require(taken.isoformat(), days)
        except Refusal as refusal:
            self.assertEqual(refusal.status, 422)
