"""
``fileserve.http.ranges`` against RFC 9110 section 14, Python's slices, werkzeug and the parser of ``email``.
"""

from __future__ import annotations

from collections.abc import Iterable
from email import message_from_bytes

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from werkzeug.http import parse_content_range_header, parse_range_header

from fileserve.http.ranges import (
    MOST_RANGES,
    NotSatisfiable,
    Span,
    content_range,
    parts,
    parts_length,
    unsatisfied_range,
    wanted,
)

# Hypothesis judges the time an example takes, which says nothing on a busy machine.
patient = settings(deadline=None)

positions = st.one_of(st.integers(0, 60), st.integers(0, 10**40))


@st.composite
def int_ranges(draw: st.DrawFn) -> str:
    """``first-last`` or ``first-``, never backwards."""
    first, last = sorted((draw(positions), draw(positions)))
    return draw(st.sampled_from((f"{first}-{last}", f"{first}-")))


range_specs = st.one_of(int_ranges(), positions.map(lambda number: f"-{number}"))


def slice_of(data: bytes, spec: str) -> bytes:
    """What Python's slices say that a range selects."""
    first, _, last = spec.partition("-")
    if not first:
        return data[-int(last) :] if int(last) else b""
    return data[int(first) : int(last) + 1] if last else data[int(first) :]


def assembled(pieces: Iterable[bytes | Span], data: bytes) -> bytes:
    """What is sent for the pieces of a framed body."""
    return b"".join(data[piece.start : piece.stop] if isinstance(piece, Span) else piece for piece in pieces)


class WantedTests(SynchronousTestCase):
    """What ``wanted`` makes of a ``Range`` for some length."""

    def test_examples_of_the_rfc(self) -> None:
        """The examples of section 14.1.2, for 10000 bytes, are those bytes."""
        for header, spans in (
            (b"bytes=0-499", [(0, 500)]),
            (b"bytes=500-999", [(500, 1000)]),
            (b"bytes=-500", [(9500, 10000)]),
            (b"bytes=9500-", [(9500, 10000)]),
            (b"bytes=0-0,-1", [(0, 1), (9999, 10000)]),
            (b"bytes= 0-0, -1", [(0, 1), (9999, 10000)]),
            (b"bytes= 0-999, 4500-5499, -1000", [(0, 1000), (4500, 5500), (9000, 10000)]),
            (b"bytes=500-600,601-999", [(500, 601), (601, 1000)]),
        ):
            self.assertEqual(wanted(header, 10000), tuple(Span(*span) for span in spans), header)

    def test_overlapping_ranges_of_the_rfc(self) -> None:
        """The last example of section 14.1.2 asks for a hundred bytes twice, so the whole is sent."""
        self.assertIsNone(wanted(b"bytes=500-700,601-999", 10000))

    def test_overlap_in_any_order(self) -> None:
        """Overlap is noticed in whatever order the ranges stand, and when one lies within another."""
        for header in (
            b"bytes=5-,0-5",
            b"bytes=3-4,0-9",
            b"bytes=0-9,3-4",
            b"bytes=1-1,1-1",
            b"bytes=-3,8-8",
        ):
            self.assertIsNone(wanted(header, 10), header)

    def test_only_what_exists_can_overlap(self) -> None:
        """Ranges beyond the end overlap nothing, for nothing is sent of them."""
        self.assertEqual(wanted(b"bytes=20-30,25-35,0-1", 10), (Span(0, 2),))

    def test_malformed(self) -> None:
        """A header that is not well formed counts as none, even where a part of it would do."""
        for header in (
            b"", b"bytes", b"bytes=", b"bytes=,", b"bytes= , ,", b"bytes=-", b"bytes=a-b", b"bytes=0",
            b"bytes=1-0", b"bytes=0-1,5-4", b"bytes=0-1,junk", b"bytes=0-1;2-3", b"bytes=0 - 1", b"bytes=--1",
            b"bytes=+1-2", b"bytes=0x1-2", b"bytes=1_0-20", b"bytes=1.0-2", b"bytes =0-1", b" =0-1", b"=0-1",
            b"bytes=0-1 2-3", b"bytes=0-1\n", b"bytes=\xb2-\xb3", b"bytes=0-1, bytes=2-3", b"\xff\x00",
        ):  # fmt: skip
            self.assertIsNone(wanted(header, 100), header)

    def test_no_header(self) -> None:
        """Without a ``Range`` the whole is sent, even if it is empty."""
        self.assertIsNone(wanted(None, 100))
        self.assertIsNone(wanted(None, 0))

    def test_other_unit(self) -> None:
        """A unit that we do not know is ignored (section 14.2)."""
        self.assertIsNone(wanted(b"seconds=1-2", 100))

    def test_unit_in_any_case(self) -> None:
        """Names of range units are case-insensitive (section 14.1)."""
        self.assertEqual(wanted(b"ByTeS=1-2", 100), (Span(1, 3),))

    def test_empty_elements_and_white_space(self) -> None:
        """Empty elements do not count, and space and tab around commas are allowed (section 5.6.1)."""
        self.assertEqual(wanted(b"bytes=, 1-2 ,,\t5-6\t, ", 100), (Span(1, 3), Span(5, 7)))

    def test_order_is_kept(self) -> None:
        """Parts come in the order asked for, those that do not exist left out."""
        self.assertEqual(wanted(b"bytes=50-51,200-300,-0,0-1", 100), (Span(50, 52), Span(0, 2)))

    def test_not_satisfiable(self) -> None:
        """Where nothing asked for exists, the exception carries the length."""
        for header in (b"bytes=100-", b"bytes=100-100", b"bytes=-0", b"bytes=-000", b"bytes=500-600,-0"):
            error = self.assertRaises(NotSatisfiable, wanted, header, 100)
            self.assertEqual(error.length, 100)

    def test_nothing_of_nothing(self) -> None:
        """No part of an empty representation exists, a suffix neither."""
        for header in (b"bytes=0-", b"bytes=0-0", b"bytes=-1"):
            self.assertRaises(NotSatisfiable, wanted, header, 0)

    def test_at_most_sixteen(self) -> None:
        """Sixteen ranges are served, seventeen are not; empty elements are no ranges."""
        specs = [b"%d-%d" % (number * 2, number * 2) for number in range(MOST_RANGES + 1)]
        self.assertEqual(MOST_RANGES, 16)
        self.assertEqual(len(wanted(b"bytes=" + b",,".join(specs[:-1]), 100) or ()), 16)
        self.assertIsNone(wanted(b"bytes=" + b",".join(specs), 100))

    def test_thousands_of_digits(self) -> None:
        """Numbers longer than ``int`` takes are numbers like others."""
        huge = b"9" * 10_000
        self.assertEqual(wanted(b"bytes=5-" + huge, 10), (Span(5, 10),))
        self.assertEqual(wanted(b"bytes=-" + huge, 10), (Span(0, 10),))
        self.assertEqual(wanted(b"bytes=" + b"0" * 10_000 + b"5-6", 10), (Span(5, 7),))
        self.assertRaises(NotSatisfiable, wanted, b"bytes=%b-%b0" % (huge, huge), 10)
        self.assertIsNone(wanted(b"bytes=%b0-%b" % (huge, huge), 10))

    @patient
    @given(st.lists(range_specs, min_size=1, max_size=MOST_RANGES), st.binary(max_size=50))
    @example(["0-9", "10-19", "-31"], bytes(range(50)))
    def test_selects_what_slices_select(self, specs: list[str], data: bytes) -> None:
        """Any well-formed header selects the slices of the data that its numbers name, or none of them."""
        slices = [part for part in (slice_of(data, spec) for spec in specs) if part]
        header = ("bytes=" + ",".join(specs)).encode()
        if not slices:
            self.assertRaises(NotSatisfiable, wanted, header, len(data))
            return
        spans = wanted(header, len(data))
        if spans is None:  # then some byte was asked for twice
            numbers = [list(slice_of(bytes(range(len(data))), spec)) for spec in specs]
            asked = [number for part in numbers for number in part]
            self.assertGreater(len(asked), len(set(asked)))
        else:
            self.assertEqual([data[span.start : span.stop] for span in spans], slices)

    @patient
    @given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=MOST_RANGES))
    def test_serves_no_byte_twice(self, pairs: list[tuple[int, int]]) -> None:
        """What is sent is never longer than the whole, whatever is asked for."""
        header = b"bytes=" + b",".join(b"%d-%d" % (min(pair), max(pair)) for pair in pairs)
        spans = wanted(header, 100) or ()
        sent = [number for span in spans for number in range(span.start, span.stop)]
        self.assertEqual(len(sent), len(set(sent)))

    @patient
    @given(int_ranges() | st.integers(0, 60).map(lambda number: f"-{number}"), st.integers(0, 2**63 - 1))
    @example("-60", 60)
    def test_agrees_with_werkzeug(self, spec: str, length: int) -> None:
        """One range is what werkzeug finds, but for a suffix longer than the whole, which it refuses."""
        header = f"bytes={spec}"
        if spec.startswith("-"):
            length = max(length, int(spec[1:]))
        theirs = parse_range_header(header)
        expected = theirs.range_for_length(length) if theirs is not None else None
        try:
            (span,) = wanted(header.encode(), length) or ()
        except NotSatisfiable:
            self.assertIsNone(expected)
        else:
            self.assertEqual((span.start, span.stop), expected)

    @patient
    @given(
        st.binary(max_size=40) | st.text("bytes=0123456789-, \t", max_size=40).map(str.encode),
        st.integers(0, 2**63 - 1),
    )
    def test_any_bytes(self, junk: bytes, length: int) -> None:
        """Whatever the header says, the parts, if there are any, are not empty and lie within the whole."""
        for header in (junk, b"bytes=" + junk):
            try:
                spans = wanted(header, length)
            except NotSatisfiable:
                continue
            for span in spans or ():
                self.assertTrue(0 <= span.start < span.stop <= length, (header, span))


class ContentRangeTests(SynchronousTestCase):
    """The two forms of ``Content-Range``."""

    def test_examples_of_the_rfc(self) -> None:
        """The first and the last of 1234 bytes are counted from zero; a 416 names the length only."""
        self.assertEqual(content_range(Span(42, 1234), 1234), b"bytes 42-1233/1234")
        self.assertEqual(unsatisfied_range(1234), b"bytes */1234")

    @patient
    @given(st.integers(0, 2**63), st.integers(1, 2**63), st.integers(0, 2**63))
    def test_werkzeug_reads_it(self, start: int, length: int, after: int) -> None:
        """Werkzeug finds the same span and length in it."""
        span = Span(start, start + length)
        theirs = parse_content_range_header(content_range(span, span.stop + after).decode())
        assert theirs is not None
        self.assertEqual((theirs.start, theirs.stop, theirs.length), (start, span.stop, span.stop + after))


class PartsTests(SynchronousTestCase):
    """The framing of ``multipart/byteranges``."""

    def test_example(self) -> None:
        """The body has the form of the example in RFC 9110 section 14.6."""
        data = b"0123456789"
        body = assembled(parts((Span(0, 2), Span(7, 10)), b"THIS", b"text/plain", 10), data)
        self.assertEqual(
            body,
            b"--THIS\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n"
            b"--THIS\r\nContent-Type: text/plain\r\nContent-Range: bytes 7-9/10\r\n\r\n789\r\n"
            b"--THIS--\r\n",
        )

    @patient
    @given(st.data(), st.binary(min_size=1, max_size=200))
    def test_email_reads_it(self, draw: st.DataObject, data: bytes) -> None:
        """The parser of ``email`` finds each part with its range and its bytes."""
        inside = st.integers(0, len(data) - 1)
        pairs = draw.draw(st.lists(st.tuples(inside, inside).map(sorted), min_size=1, max_size=5))
        spans = [Span(first, last + 1) for first, last in pairs]
        head = b"Content-Type: multipart/byteranges; boundary=a2d9cf5e1b7046f7\r\n\r\n"
        body = assembled(parts(spans, b"a2d9cf5e1b7046f7", b"application/zip", len(data)), data)
        found = message_from_bytes(head + body)
        self.assertEqual(found.defects, [])
        self.assertEqual(
            [(part["Content-Range"], part.get_payload(decode=True)) for part in found.walk()][1:],
            [(content_range(span, len(data)).decode(), data[span.start : span.stop]) for span in spans],
        )

    @patient
    @given(
        st.lists(st.tuples(st.integers(0, 500), st.integers(1, 500)), max_size=MOST_RANGES),
        st.text("abc123", min_size=1, max_size=70).map(str.encode),
        st.sampled_from((b"application/zip", b"text/plain; charset=utf-8")),
    )
    def test_length_is_the_length(
        self, pairs: list[tuple[int, int]], boundary: bytes, media_type: bytes
    ) -> None:
        """The promised length is that of what is sent."""
        data = bytes(1000)
        spans = [Span(start, start + length) for start, length in pairs]
        body = assembled(parts(spans, boundary, media_type, 1000), data)
        self.assertEqual(parts_length(spans, boundary, media_type, 1000), len(body))

    def test_length_reads_nothing(self) -> None:
        """The length of parts of any size is known without their bytes."""
        small = parts_length((Span(0, 1),), b"b", b"t/t", 10**15)
        large = parts_length((Span(0, 9 * 10**14),), b"b", b"t/t", 10**15)
        self.assertEqual(large - small, 9 * 10**14 - 1 + len("899999999999999") - len("0"))
