"""
``fileserve.http.conditions`` against RFC 9110 section 13, werkzeug, Twisted and ``email.utils``.
"""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import datetimeToString
from werkzeug.http import parse_etags

from fileserve.http.conditions import (
    Conditions,
    Outcome,
    evaluate,
    http_date,
    parse_http_date,
    range_applies,
)

# Hypothesis judges the time an example takes, which says nothing on a busy machine.
patient = settings(deadline=None)

ETAG = b'"xyzzy"'
EXAMPLE = 784111777  # Sun, 06 Nov 1994 08:49:37 GMT, of RFC 9110 section 5.6.7
NOW = 1795132800  # Fri, 20 Nov 2026 00:00:00 GMT

LISTED, OTHER, JUNK = b'W/"a", "xyzzy"', b'"a", "b"', b'"xyzzy'
BEFORE, THEN, AFTER = (http_date(EXAMPLE + seconds) for seconds in (-1, 0, 1))

FIRST, LAST = -62135596800, 253402300799  # of the years 1 to 9999
all_times = st.integers(FIRST, LAST)
judged_times = st.integers(
    -30610224000, LAST
)  # from the year 1000 on: before it, the judges write three digits


def expected(conditions: Conditions, method: bytes) -> Outcome:
    """The steps of RFC 9110 section 13.2.2, for the values above only."""
    reading = method in (b"GET", b"HEAD")
    if conditions.if_match is not None:  # step 1
        if conditions.if_match != LISTED:
            return Outcome.PRECONDITION_FAILED
    elif conditions.if_unmodified_since == BEFORE:  # step 2
        return Outcome.PRECONDITION_FAILED
    if conditions.if_none_match is not None:  # step 3
        if conditions.if_none_match == LISTED:
            return Outcome.NOT_MODIFIED if reading else Outcome.PRECONDITION_FAILED
    elif reading and conditions.if_modified_since in (THEN, AFTER):  # step 4
        return Outcome.NOT_MODIFIED
    return Outcome.PROCEED


class OrderTests(SynchronousTestCase):
    """The order in which conditions count."""

    def test_all_combinations(self) -> None:
        """Every combination of headers that hold, fail, are junk or absent ends as section 13.2.2 says."""
        tags = (None, LISTED, OTHER, JUNK)
        dates = (None, BEFORE, THEN, AFTER, b"yesterday")
        for method in (b"GET", b"HEAD", b"PUT", b"DELETE"):
            for if_match, if_none_match in product(tags, tags):
                for if_modified_since, if_unmodified_since in product(dates, dates):
                    conditions = Conditions(
                        if_match=if_match,
                        if_none_match=if_none_match,
                        if_modified_since=if_modified_since,
                        if_unmodified_since=if_unmodified_since,
                    )
                    self.assertIs(
                        evaluate(conditions, method, ETAG, EXAMPLE),
                        expected(conditions, method),
                        (method, conditions),
                    )

    def test_no_conditions(self) -> None:
        """A request without conditions proceeds."""
        self.assertIs(evaluate(Conditions(), b"GET", ETAG, EXAMPLE), Outcome.PROCEED)

    def test_if_range_is_no_condition(self) -> None:
        """``If-Range`` never stops a request."""
        self.assertIs(evaluate(Conditions(if_range=OTHER), b"GET", ETAG, EXAMPLE), Outcome.PROCEED)

    def test_several_dates(self) -> None:
        """A date that came twice is no valid date, so it is ignored (sections 13.1.3 and 13.1.4)."""
        both = THEN + b", " + THEN
        for conditions in (Conditions(if_modified_since=both), Conditions(if_unmodified_since=BEFORE * 2)):
            self.assertIs(evaluate(conditions, b"GET", ETAG, EXAMPLE), Outcome.PROCEED)

    def test_century(self) -> None:
        """A two-digit year is read by the clock, or by the age of the file where no clock is given."""
        conditions = Conditions(if_modified_since=b"Friday, 20-Nov-26 00:00:00 GMT")
        self.assertIs(evaluate(conditions, b"GET", ETAG, 0, now=NOW), Outcome.NOT_MODIFIED)
        self.assertIs(evaluate(conditions, b"GET", ETAG, 0), Outcome.PROCEED)
        self.assertIs(evaluate(conditions, b"GET", ETAG, NOW), Outcome.NOT_MODIFIED)


class EntityTagTests(SynchronousTestCase):
    """Lists of entity-tags."""

    def strongly(self, field: bytes, etag: bytes = ETAG) -> bool:
        """Whether ``If-Match`` lets the request proceed."""
        return evaluate(Conditions(if_match=field), b"GET", etag, 0) is Outcome.PROCEED

    def weakly(self, field: bytes, etag: bytes = ETAG) -> bool:
        """Whether ``If-None-Match`` finds the client's copy current."""
        return evaluate(Conditions(if_none_match=field), b"GET", etag, 0) is Outcome.NOT_MODIFIED

    def test_examples_of_the_rfc(self) -> None:
        """The examples of sections 13.1.1 and 13.1.2 match as they say there."""
        for field, strong, weak in (
            (b'"xyzzy"', True, True),
            (b'"xyzzy", "r2d2xxxx", "c3piozzzz"', True, True),
            (b"*", True, True),
            (b'W/"xyzzy"', False, True),
            (b'W/"xyzzy", W/"r2d2xxxx", W/"c3piozzzz"', False, True),
            (b'"r2d2xxxx", "c3piozzzz"', False, False),
        ):
            self.assertEqual((self.strongly(field), self.weakly(field)), (strong, weak), field)

    def test_empty_elements_and_white_space(self) -> None:
        """Empty elements do not count, and space and tab around commas are allowed (section 5.6.1)."""
        for field in (b' ,, "a"\t,\t"xyzzy" ,', b'"xyzzy",', b',"xyzzy"', b' "xyzzy" '):
            self.assertTrue(self.strongly(field), field)

    def test_comma_inside(self) -> None:
        """A comma inside quotes separates nothing."""
        self.assertTrue(self.strongly(b'"a,b", "c"', b'"a,b"'))
        self.assertFalse(self.strongly(b'"a,"xyzzy",b"'))
        self.assertFalse(self.weakly(b'"a, \\"xyzzy"'))

    def test_any_etagc(self) -> None:
        """An entity-tag may have every character of section 8.8.3, and no other."""
        allowed = bytes([0x21, *range(0x23, 0x7F), *range(0x80, 0x100)])
        etag = b'"' + allowed + b'"'
        self.assertTrue(self.strongly(b'"a", ' + etag, etag))
        for number in set(range(256)) - set(allowed):
            etag = b'"' + bytes([number]) + b'"'
            self.assertFalse(self.weakly(etag, etag), number)

    def test_malformed(self) -> None:
        """A malformed list matches nothing, even where a good entity-tag stands in it."""
        for field in (
            b"", b" ", b",", b"xyzzy", b'"xyzzy', b'xyzzy"', b'"xyzzy" "a"', b'"xyzzy"; "a"', b'w/"xyzzy"',
            b'W/ "xyzzy"', b'W/"xyzzy" junk', b'"xyzzy", junk', b'junk, "xyzzy"', b'*, "xyzzy"', b"**",
            b'"xyzzy"\n', b'"xyzzy", "a" b', b"'xyzzy'", b'"xyzzy", \x00',
        ):  # fmt: skip
            self.assertFalse(self.strongly(field), field)
            self.assertFalse(self.weakly(field), field)

    def test_hostile_lists(self) -> None:
        """Lists that invite backtracking are malformed like others; square time would take an hour each."""
        for evil in (
            b" " * 10**6 + b"x",
            b'"a"' + b" \t" * 500_000 + b"x",
            b"," * 10**6 + b'"',
            b'"' + b"W/" * 10**6,
        ):
            self.assertFalse(self.weakly(b'"xyzzy",' + evil))

    @patient
    @given(
        st.lists(st.tuples(st.booleans(), st.text("ab,W/*-", min_size=1, max_size=3)), min_size=1),
        st.text("ab,W/*-", min_size=1, max_size=3),
    )
    def test_agrees_with_werkzeug(self, tags: list[tuple[bool, str]], ours: str) -> None:
        """On well-formed lists both comparisons are werkzeug's, but for an empty tag, which it loses."""
        field = ", ".join(f'{"W/" if weak else ""}"{tag}"' for weak, tag in tags)
        theirs = parse_etags(field)
        etag = f'"{ours}"'.encode()
        self.assertEqual(self.strongly(field.encode(), etag), theirs.contains(ours))
        self.assertEqual(self.weakly(field.encode(), etag), theirs.contains_weak(ours))

    @patient
    @given(st.binary(max_size=30) | st.text('"W/,* \ta', max_size=30).map(str.encode))
    def test_any_bytes(self, field: bytes) -> None:
        """Whatever strongly matches also weakly matches, and nothing raises."""
        if self.strongly(field):
            self.assertTrue(self.weakly(field))


class IfRangeTests(SynchronousTestCase):
    """When a ``Range`` counts."""

    def test_table(self) -> None:
        """Only the very entity-tag, or the very date of a file that was left alone for a minute, will do."""
        old, young = EXAMPLE + 60, EXAMPLE + 59
        for if_range, now, applies in (
            (None, young, True),
            (ETAG, young, True),
            (b'W/"xyzzy"', old, False),
            (b'"other"', old, False),
            (b'"xyzzy", "xyzzy"', old, False),
            (b"*", old, False),
            (b"xyzzy", old, False),
            (b"", old, False),
            (THEN, old, True),
            (THEN, young, False),
            (THEN, EXAMPLE - 1, False),
            (b"Sunday, 06-Nov-94 08:49:37 GMT", old, True),
            (b"Sun Nov  6 08:49:37 1994", old, True),
            (BEFORE, old, False),
            (AFTER, NOW, False),
            (THEN + b", " + THEN, old, False),
            (b"junk", old, False),
        ):
            self.assertIs(range_applies(if_range, ETAG, EXAMPLE, now), applies, (if_range, now))


class HttpDateTests(SynchronousTestCase):
    """Dates, written and read."""

    def test_examples_of_the_rfc(self) -> None:
        """The three forms of section 5.6.7 are the same second."""
        for text in (
            b"Sun, 06 Nov 1994 08:49:37 GMT",
            b"Sunday, 06-Nov-94 08:49:37 GMT",
            b"Sun Nov  6 08:49:37 1994",
        ):
            self.assertEqual(parse_http_date(text, NOW), EXAMPLE, text)
        self.assertEqual(http_date(EXAMPLE), b"Sun, 06 Nov 1994 08:49:37 GMT")

    def test_no_dates(self) -> None:
        """What is not exactly one of the three forms, or no day or time that exists, is no date."""
        for text in (
            b"", b"junk", b"0", b"\xff\xfe", b"784111777", b"1994-11-06T08:49:37Z",
            b"06 Nov 1994 08:49:37 GMT", b"Sun, 06 Nov 1994 08:49:37", b"Sun, 06 Nov 1994 08:49:37 UTC",
            b"Sun, 06 Nov 1994 08:49:37 +0000", b"Sun, 06 Nov 1994 08:49:37 EST",
            b"Sun, 6 Nov 1994 08:49:37 GMT", b"sun, 06 nov 1994 08:49:37 gmt", b"Sun, 06 Nov 94 08:49:37 GMT",
            b"Sun, 06 Nov 1994 8:49:37 GMT", b"Sun, 06 Nov 1994 08:49 GMT", b"Sun,  06 Nov 1994 08:49:37 GMT",
            b"Sun, 06 Nov 1994 08:49:37 GMT\n", b" Sun, 06 Nov 1994 08:49:37 GMT",
            b"Sun, 31 Feb 1994 08:49:37 GMT", b"Sun, 29 Feb 2023 08:49:37 GMT",
            b"Sun, 00 Nov 1994 08:49:37 GMT", b"Sun, 06 Nov 0000 08:49:37 GMT",
            b"Sun, 06 Nov 1994 24:00:00 GMT", b"Sun, 06 Nov 1994 08:60:37 GMT",
            b"Sun, 06 Nov 1994 08:49:61 GMT", b"Sun, 06 Foo 1994 08:49:37 GMT",
            b"Foo, 06 Nov 1994 08:49:37 GMT", b"Sun, 06-Nov-94 08:49:37 GMT",
            b"Sunday, 06-Nov-1994 08:49:37 GMT", b"Sunday, 06 Nov 94 08:49:37 GMT",
            b"Sun Nov 6 08:49:37 1994", b"Sun Nov  6 08:49:37 1994 GMT", b"Sun Nov  6 08:49:37 94",
            b"Sun Feb 30 08:49:37 1994", "Sun, ٠٦ Nov 1994 08:49:37 GMT".encode(),
        ):  # fmt: skip
            self.assertIsNone(parse_http_date(text, NOW), text)

    def test_leap_second(self) -> None:
        """Second 60 is allowed by the grammar, and is the second after it."""
        self.assertEqual(
            parse_http_date(b"Sat, 31 Dec 2016 23:59:60 GMT", NOW),
            parse_http_date(b"Sun, 01 Jan 2017 00:00:00 GMT", NOW),
        )

    def test_two_digit_years(self) -> None:
        """A year that would be more than 50 years ahead is the last one with those digits."""
        for digits, now, year in (
            (b"94", NOW, 1994),
            (b"26", NOW, 2026),
            (b"76", NOW, 2076),
            (b"77", NOW, 1977),
            (b"00", NOW, 2000),
            (b"70", 0, 1970),
            (b"20", 0, 2020),
            (b"21", 0, 1921),
            (b"05", 4070908800, 2105),  # in 2099
        ):
            found = parse_http_date(b"Monday, 01-Mar-%b 00:00:00 GMT" % digits, now)
            assert found is not None
            self.assertEqual(time.gmtime(found).tm_year, year, (digits, now))

    @patient
    @given(all_times, st.integers())
    def test_round_trip(self, seconds: int, now: int) -> None:
        """What ``http_date`` writes is read as the same second, whatever the clock says."""
        self.assertEqual(parse_http_date(http_date(seconds), now), seconds)

    @patient
    @given(judged_times)
    def test_twisted_writes_the_same(self, seconds: int) -> None:
        """Twisted writes the same date."""
        self.assertEqual(http_date(seconds), datetimeToString(seconds))

    @patient
    @given(judged_times)
    def test_email_reads_it(self, seconds: int) -> None:
        """The parser of ``email`` reads the same second."""
        self.assertEqual(parsedate_to_datetime(http_date(seconds).decode()).timestamp(), seconds)

    @patient
    @given(judged_times)
    def test_reads_asctime(self, seconds: int) -> None:
        """What C's ``asctime`` writes is read."""
        self.assertEqual(parse_http_date(time.asctime(time.gmtime(seconds)).encode(), NOW), seconds)

    @patient
    @given(st.integers())
    def test_times_beyond_the_calendar(self, seconds: int) -> None:
        """A file may have any time; one that no date can say is written as the nearest."""
        written = parse_http_date(http_date(seconds), NOW)
        self.assertEqual(written, sorted((FIRST, seconds, LAST))[1])

    @patient
    @given(
        st.binary(max_size=40) | st.text("SunNovday, 0123456789:-GMT", max_size=32).map(str.encode),
        st.integers(),
    )
    def test_any_bytes(self, text: bytes, now: int) -> None:
        """Whatever is read as a date can be written, and read again as the same."""
        found = parse_http_date(text, now)
        if found is not None:
            self.assertEqual(parse_http_date(http_date(found), now), found)

    @patient
    @given(
        st.from_regex(r"\A(?:Sun|Mon), [0-9]{2} (?:Jan|Feb) [0-9]{4} [0-2][0-9]:[0-9]{2}:[0-9]{2} GMT\Z")
        | st.from_regex(
            r"\A(?:Sunday|Monday), [0-3][0-9]-(?:Jan|Feb)-[0-9]{2} [0-2][0-9]:[0-9]{2}:[0-9]{2} GMT\Z"
        )
        | st.from_regex(r"\A(?:Sun|Mon) (?:Jan|Feb) [ 0-3][0-9] [0-2][0-9]:[0-9]{2}:[0-9]{2} [0-9]{4}\Z"),
        st.integers(),
    )
    def test_any_digits(self, text: str, now: int) -> None:
        """Dates with impossible days and hours are refused, and never raise."""
        found = parse_http_date(text.encode(), now)
        if found is not None:
            self.assertTrue(FIRST <= found <= LAST + 1, text)
