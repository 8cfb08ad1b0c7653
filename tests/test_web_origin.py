"""
``fileserve.web.origin``: which requests come from our own pages.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.web.origin import from_our_pages

OURS = "https://files.example"
SAME = b"https://files.example"


class FromOurPagesTests(SynchronousTestCase):
    """The two headers, and every way in which they say nothing."""

    def test_table(self) -> None:
        """``Sec-Fetch-Site`` decides where it is, then ``Origin``; neither is no."""
        for fetch_site, origin, ours in (
            ([b"same-origin"], None, True),
            # a page that sends no referrer: see the module
            ([b"same-origin"], [b"null"], True),
            ([b"same-site"], [SAME], False),
            ([b"cross-site"], [SAME], False),
            ([b"none"], None, False),
            ([b""], [SAME], False),
            ([b"Same-Origin"], [SAME], False),
            ([b"same-origin", b"same-origin"], [SAME], False),
            ([b"same-origin, cross-site"], None, False),
            (None, None, False),
            ([], [], False),
            (None, [SAME], True),
            ([], [SAME], True),
            (None, [b"null"], False),
            (None, [b""], False),
            (None, [b"http://files.example"], False),
            (None, [b"https://files.example:8443"], False),
            (None, [b"https://files.example.evil"], False),
            (None, [b"https://evil.files.example"], False),
            (None, [b"https://files.example/"], False),
            (None, [SAME, SAME], False),
        ):
            self.assertIs(from_our_pages(fetch_site, origin, OURS), ours, (fetch_site, origin))

    @given(st.lists(st.binary(), min_size=1), st.none() | st.lists(st.binary() | st.just(SAME)))
    def test_other_words(self, fetch_site: list[bytes], origin: list[bytes] | None) -> None:
        """Any other word for where a request comes from is no."""
        self.assertEqual(from_our_pages(fetch_site, origin, OURS), fetch_site == [b"same-origin"])

    @given(st.text(), st.text())
    def test_only_the_same(self, origin: str, ours: str) -> None:
        """Without it, the origin must be ours to the letter."""
        said = [origin.encode("utf-8", "replace")]
        self.assertEqual(from_our_pages(None, said, ours), origin == ours)
