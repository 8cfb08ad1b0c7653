"""
``fileserve.web.location``: the parameter that leaves out where pictures were taken.
"""

from __future__ import annotations

from typing import Any, cast

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from fileserve.http.refusal import Refusal
from fileserve.http.request import Request
from fileserve.web.location import strips_location


@frozen
class _Asking:
    """As much of a request as is looked at."""

    query: dict[bytes, list[bytes]]


def _stripped(*said: bytes) -> bool:
    query: Any = {b"location": list(said)} if said else {b"other": [b"strip"]}
    return strips_location(cast(Request, _Asking(query)))


class LocationTests(SynchronousTestCase):
    """The parameter."""

    def test_said(self) -> None:
        """It is ``strip``, or is left away."""
        self.assertTrue(_stripped(b"strip"))
        self.assertFalse(_stripped())

    def test_misspelt(self) -> None:
        """Anything else is refused, so that nobody is given what he wanted left out."""
        for said in ([b""], [b"Strip"], [b"none"], [b"strip", b"strip"], [b"", b"strip"]):
            refused = self.assertRaises(Refusal, _stripped, *said)
            self.assertEqual(refused.status, 400)
