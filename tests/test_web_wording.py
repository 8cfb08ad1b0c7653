"""
``fileserve.web.wording``: sizes, moments and names as people read them.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.web.wording import moment, name, size, taken

#: The classes of characters that turn the writing (UAX 9), and the categories that are no text to be seen.
_TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
_UNSEEN = {"Cc", "Cs", "Zl", "Zp"}

_UNITS = ["B", "KB", "MB", "GB", "TB", "PB", "EB"]


class SizeTests(SynchronousTestCase):
    """Numbers of bytes."""

    def test_examples(self) -> None:
        """Two decimals at the most, and none that is zero at the end; a unit is 1024 of the one before."""
        for count, text in {
            0: "0 B",
            1: "1 B",
            1023: "1023 B",
            1024: "1 KB",
            1536: "1.5 KB",
            62_945: "61.47 KB",
            100 * 1024: "100 KB",
            1_048_575: "1 MB",
            1_048_576: "1 MB",
            5 * 1024**3: "5 GB",
            2**63 - 1: "8 EB",
            2**80: "1048576 EB",
        }.items():
            self.assertEqual(size(count), text)

    @given(st.integers(0, 2**70))
    @example(1_048_570)
    @example(1_048_571)
    @example(1024**3 - 1)
    def test_true(self, count: int) -> None:
        """It is never further from the truth than its last digit, and always in the unit that fits."""
        number, unit = size(count).split(" ")
        scale = 1024 ** _UNITS.index(unit)
        self.assertLessEqual(abs(Decimal(number) * scale - count), Decimal(scale) / 200)
        if unit != "EB":
            self.assertLess(Decimal(number), 1024)
        if unit != "B":
            self.assertGreaterEqual(Decimal(number), 1)


class MomentTests(SynchronousTestCase):
    """Moments."""

    def test_example(self) -> None:
        """Day, month, year, hour and minute, in UTC."""
        self.assertEqual(moment(1_795_211_535_999_999), "20 Nov 2026, 21:52 UTC")
        self.assertEqual(moment(0), "1 Jan 1970, 00:00 UTC")

    @given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001
    def test_read_back(self, at: datetime) -> None:
        """Python reads the same minute in it."""
        microseconds = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        read = datetime.strptime(moment(microseconds), "%d %b %Y, %H:%M UTC").replace(tzinfo=UTC)
        self.assertEqual(read, at.replace(second=0, microsecond=0))


def _zone(minutes: int) -> timezone:
    return timezone(timedelta(minutes=minutes))


class TakenTests(SynchronousTestCase):
    """When a picture was taken."""

    def test_examples(self) -> None:
        """The camera's clock, with its offset where that is known."""
        for text, said in {
            "2026-11-20T21:52:00": "20 Nov 2026, 21:52",
            "2026-11-20T21:52:59+01:00": "20 Nov 2026, 21:52 +01:00",
            "2026-11-20T21:52:00-09:30": "20 Nov 2026, 21:52 -09:30",
            "2026-11-20T21:52:00+00:00": "20 Nov 2026, 21:52 +00:00",
            "0001-01-01T00:00:00": "1 Jan 1, 00:00",
        }.items():
            self.assertEqual(taken(text), said)

    def test_nonsense(self) -> None:
        """What is no moment stays as it is, as harmless as a name."""
        self.assertEqual(taken("some day"), "some day")
        self.assertEqual(taken("\u202eyad emos"), "\ufffdyad emos")

    @given(st.datetimes(timezones=st.none() | st.integers(-1439, 1439).map(_zone)))
    def test_read_back(self, at: datetime) -> None:
        """Python reads the same minute in it, and the same offset."""
        day, minute, *offset = re.split(r",? (?=[\d+-]+:)", taken(at.isoformat()))
        self.assertTrue(day.startswith(f"{at.day} "))
        self.assertEqual(minute, f"{at:%H:%M}")
        self.assertEqual(offset, [at.isoformat()[-6:]] if at.tzinfo else [])


class CalendarTests(SynchronousTestCase):
    """Moments that no calendar has."""

    def test_nearest(self) -> None:
        """They are the nearest that there is."""
        self.assertEqual(moment(10**30), "31 Dec 9999, 23:59 UTC")
        self.assertEqual(moment(-(10**30)), "1 Jan 1, 00:00 UTC")


class NameTests(SynchronousTestCase):
    """Names of files."""

    def test_harmless(self) -> None:
        """What people call their files stays as it is, in every script."""
        for filename in (
            "a.txt",
            "Звёздные войны.mkv",
            "שלום.pdf",
            "می\u200cخواهم.txt",
            "👨\u200d👩\u200d👧.png",
            "<b>&'\"",
        ):
            self.assertEqual(name(filename), filename)

    def test_hostile(self) -> None:
        """What hides something shows that there is something."""
        self.assertEqual(name("photo\u202egnp.exe"), "photo\ufffdgnp.exe")
        self.assertEqual(name("two\r\nlines\t.txt"), "two\ufffd\ufffdlines\ufffd.txt")
        for blank in ("", " ", "\u3000 "):
            self.assertEqual(name(blank), "(no name)")

    def test_long(self) -> None:
        """Of a long one, beginning and end stay, and so its extension."""
        shown = name("b" + "a" * 10_000 + ".txt")
        self.assertEqual(len(shown), 120)
        self.assertTrue(shown.startswith("baaa"))
        self.assertTrue(shown.endswith("aaa.txt"))
        self.assertIn("…", shown)

    @given(
        st.text(max_size=300)
        | st.text(st.characters(categories=("Cc", "Cf", "Cs", "Zl", "Zp")), max_size=300)
    )
    def test_any(self, filename: str) -> None:
        """Whatever it is, it is one line that can be sent, of bounded length, and turns nothing."""
        shown = name(filename)
        shown.encode()
        self.assertTrue(shown.strip())
        self.assertLessEqual(len(shown), 120)
        self.assertLessEqual({unicodedata.bidirectional(each) for each in shown} & _TURNING, set())
        self.assertLessEqual({unicodedata.category(each) for each in shown} & _UNSEEN, set())
