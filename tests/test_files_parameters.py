"""
Tests of parameters of a query.
"""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import quote_from_bytes

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.files.parameters import number, switch
from fileserve.http.refusal import Refusal


class Query:
    """What has a query."""

    def __init__(self, **values: bytes) -> None:
        self.query = {name.encode(): [value] for name, value in values.items()}


def asked(value: bytes) -> Any:
    return cast(Any, Query(n=value))


class NumberTests(SynchronousTestCase):
    """Numbers."""

    @given(st.integers(1, 1000))
    def test_number(self, value: int) -> None:
        """A number from 1 to the most is that number, with zeros before it too."""
        self.assertEqual(number(asked(b"%d" % value), b"n", 7, 1000), value)
        self.assertEqual(number(asked(b"00%d" % value), b"n", 7, 1000), value)

    def test_not_said(self) -> None:
        """Nothing said, or nothing after the sign, is the default."""
        self.assertEqual(number(cast(Any, Query()), b"n", 7, 1000), 7)
        self.assertEqual(number(asked(b""), b"n", 7, 1000), 7)

    @given(st.binary(min_size=1).filter(lambda text: not text.isdigit()))
    def test_no_number(self, text: bytes) -> None:
        """Anything else is refused, with a sentence: 422."""
        refusal = self.assertRaises(Refusal, number, asked(text), b"n", 7, 1000)
        self.assertEqual((refusal.status, refusal.detail), (422, "'n' is a number from 1 to 1000."))

    def test_out_of_range(self) -> None:
        """So is a number that is too small, or too large, however large."""
        for text in (b"0", b"1001", b"-1", b"1.0", b"9" * 5000, "٣".encode(), b"1_0", b" 1"):
            self.assertRaises(Refusal, number, asked(text), b"n", 7, 1000)


class SwitchTests(SynchronousTestCase):
    """Yes or no."""

    def test_switch(self) -> None:
        """True and false, in any case, as word and as digit; nothing said is neither."""
        for text in (b"1", b"true", b"True"):
            self.assertIs(switch(asked(text), b"n"), True)
        for text in (b"0", b"false", b"FALSE"):
            self.assertIs(switch(asked(text), b"n"), False)
        self.assertIsNone(switch(asked(b""), b"n"))
        self.assertIsNone(switch(cast(Any, Query()), b"n"))

    def test_neither(self) -> None:
        """Anything else is refused: 422."""
        for text in (b"yes", b"2", b"\xff", quote_from_bytes(b"\0").encode()):
            refusal = self.assertRaises(Refusal, switch, asked(text), b"n")
            self.assertEqual((refusal.status, refusal.detail), (422, "'n' is true or false."))
