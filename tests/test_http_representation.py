"""
Tests of answering GET and HEAD: status, headers and body, as Python's own HTTP client reads them.
"""

from __future__ import annotations

from collections.abc import Iterable
from email import message_from_bytes
from email.message import Message
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from fileserve.http.conditions import http_date
from fileserve.http.ranges import Span
from fileserve.http.refusal import Refusal
from fileserve.http.representation import Representation, describe
from fileserve.http.site import Request

from .support import Answer, Connection, ask, site_of_resource

_DATA = bytes(range(256)) * 4 + b"the end"
_CHANGED = 1_700_000_000
_NOW = _CHANGED + 1000
_ETAG = '"abc"'

_WHAT = Representation(
    media_type=b"application/zip",
    length=len(_DATA),
    etag=_ETAG.encode(),
    last_modified=_CHANGED,
    disposition=b'attachment; filename="archive.zip"',
    cache_control=b"private, no-transform",
)

_BEFORE, _THEN, _AFTER = (http_date(_CHANGED + by).decode() for by in (-1, 0, 1))


class Page(Resource):
    """
    Answers with `_DATA`, as `describe` says.
    """

    isLeaf = True

    def render(self, request: Request) -> int:
        # Twisted would set a Content-Length of its own for what is returned.
        request.write(self.body(request))
        request.finish()
        return NOT_DONE_YET

    def body(self, request: Request) -> bytes:
        try:
            items = describe(request, _WHAT, _NOW)
        except Refusal as refusal:
            request.setResponseCode(refusal.status)
            for name, value in refusal.headers.items():
                request.setHeader(name, value)
            return refusal.detail.encode()
        if request.method == b"HEAD":
            assert not items
        return b"".join(_DATA[i.start : i.stop] if isinstance(i, Span) else i for i in items)


class DescribingCase(SynchronousTestCase):
    """A page of bytes."""

    def get(self, *headers: tuple[str, str], method: str = "GET") -> Answer:
        return ask(site_of_resource(Page()), "/", method, headers)

    def head_of(self, *headers: tuple[str, str]) -> str:
        """The head of a response to HEAD as it was sent: our own lengths, and not Twisted's."""
        connection = Connection(site_of_resource(Page()))
        lines = [f"{name}: {value}" for name, value in headers]
        connection.send("\r\n".join(["HEAD / HTTP/1.1", "Host: x", *lines, "", ""]).encode())
        return connection.received().decode()


class WholeTests(DescribingCase):
    """A request without conditions."""

    _HEADERS = {  # noqa: RUF012
        "Content-Type": "application/zip",
        "Content-Length": str(len(_DATA)),
        "Content-Disposition": 'attachment; filename="archive.zip"',
        "ETag": _ETAG,
        "Last-Modified": _THEN,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-transform",
    }

    def test_get(self) -> None:
        """200, with all that is known, and the bytes."""
        answer = self.get()
        self.assertEqual((answer.status, answer.body), (200, _DATA))
        for name, value in self._HEADERS.items():
            self.assertEqual(answer.headers.get_all(name), [value], name)

    def test_head(self) -> None:
        """The same without the bytes."""
        head = self.head_of()
        self.assertTrue(head.startswith("HTTP/1.1 200 OK\r\n"))
        for name, value in self._HEADERS.items():
            self.assertIn(f"\r\n{name}: {value}\r\n", head)
        self.assertTrue(head.endswith("\r\n\r\n"))


class ConditionTests(DescribingCase):
    """Conditions, in the order of RFC 9110 section 13.2.2."""

    def test_statuses(self) -> None:
        """Each combination of conditions, for GET and HEAD alike."""
        for status, *headers in (
            (200, ("If-Match", _ETAG)),
            (200, ("If-Match", "*")),
            (412, ("If-Match", '"other"')),
            (412, ("If-Match", "W/" + _ETAG)),
            (200, ("If-Match", '"other"'), ("If-Match", _ETAG)),
            (200, ("If-Unmodified-Since", _THEN)),
            (412, ("If-Unmodified-Since", _BEFORE)),
            (200, ("If-Match", _ETAG), ("If-Unmodified-Since", _BEFORE)),
            (304, ("If-None-Match", _ETAG)),
            (304, ("If-None-Match", "W/" + _ETAG)),
            (304, ("If-None-Match", '"other"'), ("If-None-Match", _ETAG)),
            (200, ("If-None-Match", '"other"')),
            (304, ("If-Modified-Since", _THEN)),
            (200, ("If-Modified-Since", _BEFORE)),
            (200, ("If-None-Match", '"other"'), ("If-Modified-Since", _AFTER)),
            (412, ("If-Match", '"other"'), ("If-None-Match", _ETAG)),
            (304, ("If-None-Match", _ETAG), ("Range", "bytes=0-1")),
            (412, ("If-Match", '"other"'), ("Range", "bytes=0-1")),
            (200, ("If-Modified-Since", "nonsense")),
        ):
            for method in ("GET", "HEAD"):
                self.assertEqual(self.get(*headers, method=method).status, status, (method, headers))

    def test_not_modified(self) -> None:
        """A 304 has what tells the versions apart, and nothing of a body (RFC 9110 section 15.4.5)."""
        answer = self.get(("If-None-Match", _ETAG))
        for name, value in (("ETag", _ETAG), ("Cache-Control", "private, no-transform")):
            self.assertEqual(answer.headers[name], value)
        self.assertIn("Date", answer.headers)
        for name in (
            "Content-Length",
            "Content-Type",
            "Content-Disposition",
            "Content-Range",
            "Transfer-Encoding",
        ):
            self.assertNotIn(name, answer.headers)
        self.assertEqual(answer.body, b"")

    def test_failed(self) -> None:
        """A 412 tells the version there is."""
        self.assertEqual(self.get(("If-Match", '"other"')).headers["ETag"], _ETAG)


class RangeTests(DescribingCase):
    """Ranges."""

    def test_one(self) -> None:
        """One range is a 206 with its place and its length."""
        for text, start, stop in (("0-0", 0, 1), ("5-", 5, len(_DATA)), ("-7", len(_DATA) - 7, len(_DATA))):
            answer = self.get(("Range", f"bytes={text}"))
            self.assertEqual((answer.status, answer.body), (206, _DATA[start:stop]))
            self.assertEqual(answer.headers["Content-Range"], f"bytes {start}-{stop - 1}/{len(_DATA)}")
            self.assertEqual(answer.headers["Content-Length"], str(stop - start))
            self.assertEqual(answer.headers["Content-Type"], "application/zip")
            self.assertEqual(answer.headers["ETag"], _ETAG)

    def test_one_of_several_exists(self) -> None:
        """Where only one of several exists, it is sent as one."""
        answer = self.get(("Range", "bytes=9999-,0-1"))
        self.assertEqual(answer.headers["Content-Range"], f"bytes 0-1/{len(_DATA)}")
        self.assertEqual(answer.body, _DATA[:2])

    def parts(self, answer: Answer) -> list[Message]:
        head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
        message = message_from_bytes(head + answer.body)
        self.assertTrue(message.is_multipart())
        self.assertEqual(message.defects, [])
        return [part for part in message.get_payload() if isinstance(part, Message)]

    def test_several(self) -> None:
        """Several ranges are parts, each with its place, in the order asked for; none stands in the head."""
        answer = self.get(("Range", "bytes=1000-1003, 65-69, -3"))
        self.assertEqual(answer.status, 206)
        self.assertNotIn("Content-Range", answer.headers)
        self.assertEqual(answer.headers["Content-Length"], str(len(answer.body)))
        parts = self.parts(answer)
        places = [(1000, 1004), (65, 70), (len(_DATA) - 3, len(_DATA))]
        self.assertEqual(
            [part["Content-Range"] for part in parts], [f"bytes {a}-{b - 1}/{len(_DATA)}" for a, b in places]
        )
        self.assertEqual([part["Content-Type"] for part in parts], ["application/zip"] * 3)
        for a, b in places:
            self.assertIn(b"\r\n\r\n" + _DATA[a:b] + b"\r\n--", answer.body)

    def test_boundary(self) -> None:
        """The boundary is another one each time, so that no upload can hold it."""
        types = {self.get(("Range", "bytes=0-1,5-6")).headers["Content-Type"] for _ in range(5)}
        self.assertEqual(len(types), 5)

    def test_none_exists(self) -> None:
        """Where none exists: 416, with the length there is."""
        for text in ("9999-", "-0", "5000-6000,7000-"):
            answer = self.get(("Range", f"bytes={text}"))
            self.assertEqual(answer.status, 416)
            self.assertEqual(answer.headers["Content-Range"], f"bytes */{len(_DATA)}")

    def test_ignored(self) -> None:
        """What is no range of bytes, or too much of it, or comes with HEAD, is the whole."""
        many = "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 40, 2))
        for text in ("lines=1-2", "bytes=2-1", "bytes=a-b", "bytes=", "bytes=0-9,5-14", many):
            answer = self.get(("Range", text))
            self.assertEqual((answer.status, answer.body), (200, _DATA), text)
        self.assertEqual(self.get(("Range", "bytes=0-1"), ("Range", "bytes=5-6")).status, 200)
        head = self.head_of(("Range", "bytes=0-1"))
        self.assertTrue(head.startswith("HTTP/1.1 200 "))
        self.assertIn(f"\r\nContent-Length: {len(_DATA)}\r\n", head)
        self.assertNotIn("Content-Range", head)

    def test_if_range(self) -> None:
        """A range counts only for the version that the client has a part of."""
        for status, value in (
            (206, _ETAG),
            (206, _THEN),
            (200, '"other"'),
            (200, "W/" + _ETAG),
            (200, _AFTER),
        ):
            self.assertEqual(self.get(("Range", "bytes=0-1"), ("If-Range", value)).status, status, value)
        self.assertEqual(self.get(("Range", "bytes=9999-"), ("If-Range", '"other"')).status, 200)

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 1100), st.integers(0, 1100)), min_size=1, max_size=5))
    def test_any_ranges(self, pairs: list[tuple[int, int]]) -> None:
        """Whatever is asked for, what comes is what its own head says."""
        text = ",".join(f"{min(pair)}-{max(pair)}" for pair in pairs)
        answer = self.get(("Range", f"bytes={text}"))
        if answer.status == 206 and "Content-Range" in answer.headers:
            self.assert_place(answer.headers["Content-Range"], answer.body)
        elif answer.status == 206:
            parts = list(_split(answer))
            self.assertGreater(len(parts), 1)
            for place, data in parts:
                self.assert_place(place, data)
        elif answer.status == 200:
            self.assertEqual(answer.body, _DATA)
        else:
            self.assertEqual(answer.status, 416)
            self.assertTrue(all(min(pair) >= len(_DATA) for pair in pairs))

    def assert_place(self, place: str, data: bytes) -> None:
        first, last = place.removeprefix("bytes ").partition("/")[0].split("-")
        self.assertEqual(data, _DATA[int(first) : int(last) + 1])
        self.assertTrue(place.endswith(f"/{len(_DATA)}"))


def _split(answer: Answer) -> Iterable[tuple[str, Any]]:
    """The parts of a multipart response, split by hand: their bytes are no text."""
    boundary = answer.headers["Content-Type"].partition("boundary=")[2].encode()
    body = b"\r\n" + answer.body
    before, *parts, after = body.split(b"\r\n--" + boundary)
    assert (before, after) == (b"", b"--\r\n")
    for part in parts:
        head, _, data = part.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().strip().split("\r\n"))
        yield fields["Content-Range"], data
