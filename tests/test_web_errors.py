"""
Tests of how errors are told below the addresses of albums: as what, to whom, and what the log says.
"""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred, fail
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from fileserve.storage.errors import Unreadable
from fileserve.storage.interfaces import Listing, Member
from fileserve.storage.memory import MemoryStore

from .filesupport import FORM_TYPE, KEY, FilesSite, file_field, form
from .gallerysupport import picture

_SECRET = "3bea29ccabbbf64bdebcc055319c5745"

_DENIED = Unreadable(b"private/1.jpg", "permission denied")

_ANY = ("Accept", "*/*")


class _Denied(MemoryStore):
    """A store in which something can't be read."""

    def list(self, album: str) -> Deferred[Listing]:
        return fail(_DENIED)

    def stat(self, album: str, path: bytes) -> Deferred[Member]:
        return fail(_DENIED)


class UnreadableTests(SynchronousTestCase):
    """Something of an album can't be read."""

    def test_told(self) -> None:
        """It is one line in the log, which names it and not the album, and nobody else is told its name."""
        site = FilesSite(store=_Denied())
        for target in (
            f"/gallery/{_SECRET}/",
            f"/gallery/{_SECRET}/original/a.jpg",
            f"/gallery/{_SECRET}/preview/320/a.jpg",
            f"/api/v1/albums/{_SECRET}/",
            f"/api/v1/albums/{_SECRET}/a.jpg",
        ):
            for accept in ("text/html", "*/*"):
                with capturedLogs() as logs:
                    answer = site.ask("GET", target, headers=[("Accept", accept)])
                self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "60"), target)
                self.assertIn(
                    b"can&#39;t be read"
                    if accept == "text/html" and "/api/" not in target
                    else b"can't be read",
                    answer.body,
                )
                self.assertNotIn(b"private", answer.body)
                (event,) = [each for each in logs if each["log_level"] >= LogLevel.warn]
                self.assertNotIn("log_failure", event)
                self.assertIn("private/1.jpg: permission denied", formatEvent(event))
                self.assertNotIn(_SECRET[:8], formatEvent(event))

    def test_uploads(self) -> None:
        """An upload that it keeps from being taken in is told so beside the others."""
        site = FilesSite(store=_Denied())
        body = form(file_field("a.jpg", picture()), file_field("b.jpg", b"text"))
        with capturedLogs() as logs:
            answer = site.ask("POST", f"/upload/{_SECRET}/", body, [FORM_TYPE])
        self.assertEqual([each["status"] for each in json.loads(answer.body)["files"]], [503, 415])
        self.assertEqual([each for each in logs if "log_failure" in each], [])


class TypeTests(SynchronousTestCase):
    """Errors are problems where programs send and remove pictures, pages to browsers."""

    def assert_kind(self, kind: str, method: str, target: str, *accept: str, key: str | None = KEY) -> None:
        for each in accept:
            headers = [("Accept", each)] if each else []
            answer = FilesSite().ask(method, target, None, headers, key=key)
            self.assertGreaterEqual(answer.status, 400)
            self.assertEqual(answer.headers["Content-Type"], kind, (method, target, each))
            if kind == "application/problem+json":
                self.assertEqual(json.loads(answer.body)["status"], answer.status)

    def test_problems(self) -> None:
        """Whoever does not prefer HTML gets a problem, whatever the status."""
        accept = ("", "*/*", "application/json", "text/plain", "application/problem+json")
        for method, target, key in (
            ("POST", "/upload/", None),
            ("POST", "/upload/", KEY),
            ("POST", "/upload/.hidden/", KEY),
            ("PUT", "/upload/", KEY),
            ("DELETE", "/gallery/gallery/original/a.jpg", None),
            ("DELETE", "/gallery/gallery/original/a.jpg", KEY),
            ("DELETE", "/gallery/", KEY),
        ):
            self.assert_kind("application/problem+json", method, target, *accept, key=key)
            self.assert_kind("text/html; charset=utf-8", method, target, "text/html,*/*;q=0.8", key=key)

    def test_text(self) -> None:
        """Whoever reads pages without a browser gets a line."""
        for target in ("/gallery/nothing/", "/gallery/gallery/original/a.jpg"):
            self.assert_kind("text/plain; charset=utf-8", "GET", target, "", "*/*")
            self.assert_kind("application/problem+json", "GET", target, "application/json")
