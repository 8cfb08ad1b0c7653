"""
``fileserve.web.paging``: the numbers of pages.
"""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.web.paging import page_links, page_number


class PageNumberTests(SynchronousTestCase):
    """Reading one."""

    @given(st.integers(1, 999_999_999))
    def test_number(self, number: int) -> None:
        """A number from 1 on is that number."""
        self.assertEqual(page_number(b"%d" % number), number)

    @given(st.binary() | st.integers(max_value=0).map(lambda number: b"%d" % number))
    @example(b"01")
    @example(b"1_0")
    @example(b" 1")
    @example("\u0661".encode())
    @example(b"9" * 5000)
    def test_none(self, text: bytes) -> None:
        """What is not written as such is none."""
        number = page_number(text)
        if number is not None:
            self.assertEqual(b"%d" % number, text)
            self.assertGreater(number, 0)


class PageLinksTests(SynchronousTestCase):
    """Which pages one leads to."""

    def test_examples(self) -> None:
        """The first, the last, those around, and a mark where more than one is left out."""
        for number, pages, links in (
            (1, 1, [1]),
            (1, 4, [1, 2, 3, 4]),
            (1, 9, [1, 2, 3, None, 9]),
            (5, 9, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
            (6, 11, [1, None, 4, 5, 6, 7, 8, None, 11]),
            (9, 9, [1, None, 7, 8, 9]),
        ):
            self.assertEqual(page_links(number, pages), links)

    @given(st.data())
    def test_any(self, data: st.DataObject) -> None:
        """They rise, are few, have the own one among them, and no gap is left unmarked."""
        pages = data.draw(st.integers(1, 10_000))
        number = data.draw(st.integers(1, pages))
        links = page_links(number, pages)
        self.assertLessEqual(len(links), 9)
        self.assertIn(number, links)
        self.assertEqual((links[0], links[-1]), (1, pages))
        before: int | None = 0
        last = 0
        for each in links:
            if each is not None:
                self.assertGreater(each, last)
                self.assertEqual(each == last + 1, before is not None)
                last = each
            before = each
