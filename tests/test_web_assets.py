"""
Tests of the stylesheet and the script: their types, and how browsers keep them.
"""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from .filesupport import FilesSite
from .sitesupport import Browser, Page, leads_to

_SCRIPTS = ("parts", "sending", "previews", "lightbox", "files", "upload", "gallery")

_ASSETS = {
    "/static/style.css": "text/css; charset=utf-8",
    "/static/gallery.css": "text/css; charset=utf-8",
    **{f"/static/{name}.js": "text/javascript; charset=utf-8" for name in _SCRIPTS},
}


class AssetsTests(SynchronousTestCase):
    """What pages are made with."""

    def setUp(self) -> None:
        self.site = FilesSite()

    def test_types(self) -> None:
        """Each has its type, which is not to be guessed at, and may be kept for a while."""
        for target, media_type in _ASSETS.items():
            answer = self.site.ask("GET", target, key=None)
            self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, media_type))
            self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(answer.headers["Cache-Control"], "max-age=3600")

    def test_not_modified(self) -> None:
        """Who has it is told that it is the same, without its bytes; other versions are sent whole."""
        for target in _ASSETS:
            etag = self.site.ask("GET", target, key=None).headers["ETag"]
            same = self.site.ask("GET", target, None, [("If-None-Match", etag)], key=None)
            self.assertEqual((same.status, same.body, same.headers["ETag"]), (304, b"", etag))
            for header in (
                ("If-None-Match", '"other"'),
                ("If-Modified-Since", "Fri, 20 Nov 2099 00:00:00 GMT"),
            ):
                self.assertEqual(self.site.ask("GET", target, None, [header], key=None).status, 200)

    def test_address(self) -> None:
        """Pages ask for the version that they need: the address tells it."""
        browser = Browser(self.site).sign_in()
        for target in ("/", "/files/", "/gallery/", "/upload/"):
            page = Page(browser.get(target))
            for link in [*page.all("link", rel="stylesheet"), *page.all("script")]:
                address = leads_to(target, link.get("href") or link.get("src"))
                answer = self.site.ask("GET", address, key=None)
                self.assertEqual(f'"{address.partition("?v=")[2]}"', answer.headers["ETag"])

    def test_imports(self) -> None:
        """A script imports others by the address of their version, and so it is another one with them."""
        for name in _SCRIPTS:
            script = self.site.ask("GET", f"/static/{name}.js", key=None).body.decode()
            imported = re.findall(r'from "\./([^"]*)"', script)
            self.assertEqual(len(imported), len(re.findall(r"^import|\bimport\(", script, re.MULTILINE)))
            for address in imported:
                answer = self.site.ask("GET", f"/static/{address}", key=None)
                self.assertEqual(answer.headers["ETag"], f'"{address.partition("?v=")[2]}"', (name, address))

    def test_nothing_else(self) -> None:
        """Nothing else is in that folder, nor by any other spelling outside of it."""
        for name in (
            "",
            "base.html",
            "../root.py",
            "..%2froot.py",
            "%2e%2e/root.py",
            "STYLE.CSS",
            "style.css/",
            "x.js",
        ):
            self.assertEqual(self.site.ask("GET", f"/static/{name}", key=None).status, 404, name)

    def test_scripts_make_no_markup(self) -> None:
        """Scripts write text, never markup: what a file is called can't become an element."""
        for name in _SCRIPTS:
            script = self.site.ask("GET", f"/static/{name}.js", key=None).body.decode()
            for word in (
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
                "http://",
                "https://",
            ):
                self.assertNotIn(word, script, name)
