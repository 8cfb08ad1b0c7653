"""
``fileserve.web.accepting``: what a client likes to get.
"""

from __future__ import annotations

from typing import cast

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from fileserve.http.request import Request
from fileserve.web.accepting import names_type, preferred_type


class _Asking:
    """As much of a request as is looked at."""

    def __init__(self, *accept: str) -> None:
        self.requestHeaders = Headers({b"Accept": [each.encode("latin-1") for each in accept]})


def asking(*accept: str) -> Request:
    """A request with these headers ``Accept``."""
    return cast(Request, _Asking(*accept))


class PreferredTests(SynchronousTestCase):
    """Which of some types is liked most."""

    def test_preferred(self) -> None:
        """The one with the highest quality; of equal ones the first; none of what is not taken."""
        for accept, preferred in (
            (["*/*"], "text/plain"),
            (["text/html"], "text/html"),
            (["text/html;q=0.4", "text/plain;q=0.3"], "text/html"),
            (["application/json, text/html;q=0.9"], "application/json"),
            (["text/html,application/xhtml+xml,*/*;q=0.8"], "text/html"),
            (["image/png"], None),
            ([], None),
            (["\xff,;;q=,"], None),
            (["text/html" + "," * 10**6], "text/html"),
            (["x/y," * 10**5 + "text/html"], None),
        ):
            said = preferred_type(asking(*accept), "text/plain", "text/html", "application/json")
            self.assertEqual(said, preferred, accept[:1])


class NamesTests(SynchronousTestCase):
    """Whether a type is taken by its name."""

    def test_names(self) -> None:
        """It is named, and not refused; a pattern is no name."""
        for accept, named in (
            ("image/webp", True),
            ("image/avif,image/webp,*/*;q=0.8", True),
            ("image/webp;q=0.1", True),
            ("IMAGE/WebP", True),
            ("image/webp;q=0", False),
            ("image/*", False),
            ("*/*", False),
            ("image/webpx", False),
            ("", False),
        ):
            self.assertEqual(names_type(asking(accept), "image/webp"), named, accept)
        self.assertFalse(names_type(asking(), "image/webp"))
