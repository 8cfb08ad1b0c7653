"""
Tests of the pages of files: who may see them, what they take in, what they show, and of whatever names.
"""

from __future__ import annotations

import json
from html import unescape
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from fileserve.catalogue.interfaces import CatalogueUnavailable
from fileserve.catalogue.memory import MemoryFiles
from fileserve.files.intake import Limits
from fileserve.storage.errors import StoreUnavailable
from fileserve.storage.memory import MemoryStore
from fileserve.web.filespages import shown_how

from .filescontract import stored
from .filesupport import BOUNDARY, FORM_TYPE, KEY, FilesSite, file_field, form
from .sitesupport import Browser, Page, leads_to
from .support import Answer

_HOSTILE = (
    "<script>alert(1)</script>.txt",
    "\"><img src=x onerror=alert(1)>'",
    "</title></table></main>&lt;b&gt;",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "photo\u202egnp.exe",
    "two\r\nSet-Cookie: x=y\n.txt",
    "nul\x00.txt",
    "a" * 10_000 + ".txt",
    "\u0301" * 500,
    "../../etc/passwd",
    "..",
    "   ",
    "\udcff.txt",
)

_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0"
_PDF = b"%PDF-1.7\n"
_WAV = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\0\0\0\0"
_WEBM = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\1\x42\xf7\x81\1\x42\xf2\x81\4\x42\xf3\x81\x08\x42\x82\x84webm"


class PagesCase(SynchronousTestCase):
    """A site, and a browser that is signed in."""

    def setUp(self) -> None:
        self.site = FilesSite()
        self.browser = Browser(self.site).sign_in()

    def listing(self, target: str = "/files/") -> Page:
        answer = self.browser.get(target)
        self.assertEqual(answer.status, 200)
        return Page(answer)

    def names(self, target: str = "/files/") -> list[str]:
        """The names in a listing, from the top."""
        return [str(link["data-name"]) for link in self.listing(target).all("a") if "data-name" in link]

    def store(self, data: bytes, filename: str = "a.txt") -> str:
        """Take a file in; where its page is."""
        self.assertEqual(self.browser.upload(file_field(filename, data)).status, 303)
        return f"/files/{self.site.rows()[0]}/"

    def view(self, data: bytes, filename: str = "a.txt") -> Page:
        """The page of a file."""
        answer = self.browser.get(self.store(data, filename))
        self.assertEqual(answer.status, 200)
        return Page(answer)


class PermissionTests(PagesCase):
    """Who may."""

    def routes(self) -> tuple[str, ...]:
        path = self.store(b"hello")
        return "/files/", path, f"{path}link", f"{path}delete"

    def test_strangers(self) -> None:
        """Strangers are sent to sign in, whether or not there is such a file, and change nothing."""
        for open_uploads in (False, True):
            self.site = FilesSite(open_uploads=open_uploads)
            self.browser = Browser(self.site).sign_in()
            routes, stranger = self.routes(), Browser(self.site)
            for target in (*routes, "/files/nothing/"):
                answer = stranger.get(target)
                self.assertEqual((answer.status, answer.body), (303, b""), target)
                self.assertTrue(leads_to(target, answer.headers["Location"]).startswith("/sign-in?next="))
            self.assertEqual(stranger.upload(file_field("b.txt", b"x")).status, 401)
            self.assertEqual(stranger.submit(routes[-1]).status, 401)
            self.assertEqual(self.names(), ["a.txt"])

    def test_told_where_to_sign_in(self) -> None:
        """Whose session ended while a form was open is told so, with a way to sign in."""
        answer = Browser(self.site).upload(file_field("b.txt", b"x"))
        self.assertEqual((answer.status, answer.headers["WWW-Authenticate"]), (401, "Bearer"))
        self.assertEqual(len(list(Page(answer).all("a", href="../sign-in"))), 2)

    def test_other_sites(self) -> None:
        """No other site's page uploads or deletes with the cookie of who is signed in."""
        delete = self.routes()[-1]
        for site in ("cross-site", "same-site", "none", ""):
            self.browser.comes_from = site
            self.assertEqual(self.browser.upload(file_field("b.txt", b"x")).status, 403, site)
            self.assertEqual(self.browser.submit(delete).status, 403, site)
        self.assertEqual(self.names(), ["a.txt"])

    def test_key(self) -> None:
        """The upload key itself will do; a wrong one won't, and is not sent to sign in."""
        page, *_, delete = self.routes()
        for target in (page, delete):
            self.assertEqual(self.site.ask("GET", target).status, 200)
            self.assertEqual(self.site.ask("GET", target, key="wrong" * 5).status, 401)
        sent = self.site.ask("POST", "/files/", form(file_field("b.txt", b"x")), [FORM_TYPE])
        self.assertEqual(sent.status, 303)
        self.assertEqual(self.site.ask("POST", delete, b"").status, 303)
        self.assertEqual(self.names(), ["b.txt"])

    def test_methods(self) -> None:
        """Any other method is told what is allowed."""
        for target, allowed in zip(
            self.routes(),
            (
                "GET, HEAD, OPTIONS, POST",
                "GET, HEAD, OPTIONS",
                "GET, HEAD, OPTIONS",
                "GET, HEAD, OPTIONS, POST",
            ),
            strict=True,
        ):
            for method in ("PUT", "DELETE", "PATCH"):
                answer = self.site.ask(method, target)
                self.assertEqual((answer.status, answer.headers["Allow"]), (405, allowed))

    def test_slashes(self) -> None:
        """An address without its slash leads to the one with it, wherever a proxy shows it."""
        for target in ("/files", "/files/abc", "/files/a%3Ab", "/files/%C3%A9"):
            answer = self.browser.get(target)
            self.assertEqual(answer.status, 308)
            self.assertEqual(leads_to(target, answer.headers["Location"]), f"{target}/")


class ListingTests(PagesCase):
    """The table of files."""

    def test_empty(self) -> None:
        """Where nothing is stored, it says so."""
        self.assertIn("No files yet.", self.listing().text)

    def test_row(self) -> None:
        """A row has name, type, size, date and status."""
        self.store(bytes(62_945), "data.bin")
        text = self.listing().text
        for word in ("data.bin", "application/octet-stream", "61.47 KB", "21 Sep 2026, 14:13 UTC", "Stored"):
            self.assertIn(word, text)

    def test_links(self) -> None:
        """A row leads to the page of its file, the bytes, a link and the deletion of it."""
        self.store(b"hello")
        page = self.listing()
        (short_name,) = self.site.rows()
        for label in ("Download a.txt", "Link to a.txt", "Delete a.txt"):
            target = leads_to("/files/", page.one("a", **{"aria-label": label})["href"])
            self.assertIn(short_name, target)
            self.assertEqual(self.browser.get(target).status, 200)
        self.assertEqual(self.browser.get(f"/files/{short_name}/").status, 200)

    def test_status(self) -> None:
        """Each status is a word; what went wrong is told; and the actions are there all the same."""
        for number, (status, word) in enumerate(
            {
                "stored": "Stored",
                "processing": "Processing…",
                "processed": "Processed",
                "failed": "Failed",
            }.items()
        ):
            files = MemoryFiles()
            self.successResultOf(files.add(stored(number, status=status, error="<b>broken")))
            self.browser = Browser(FilesSite(files=files)).sign_in()
            page = self.listing()
            self.assertIn(word, page.text)
            self.assertIn("<b>broken", page.text)
            self.assertEqual(len([each for each in page.all("a") if "aria-label" in each]), 4)

    def test_pages(self) -> None:
        """Fifty a page, the newest first; page after page every file comes once, and there is a way back."""
        for number in range(120):
            self.successResultOf(self.site.files.add(stored(number)))
        seen: list[str] = []
        target: str | None = "/files/"
        while target:
            page = self.listing(target)
            names = self.names(target)
            self.assertLessEqual(len(names), 50)
            seen += names
            links = [str(link["href"]) for link in page.all("a") if str(link["href"]).startswith("./")]
            self.assertEqual("./" in links, target != "/files/")
            target = next((leads_to("/files/", link) for link in links if "after" in link), None)
        self.assertEqual(seen, [f"{number}.jpg" for number in reversed(range(120))])

    def test_no_such_page(self) -> None:
        """What is no cursor is 404."""
        for cursor in ("x", "%ff", "-1", "<script>"):
            self.assertEqual(self.browser.get(f"/files/?after={cursor}").status, 404)

    def test_catalogue_away(self) -> None:
        """Without the catalogue, it is to be tried again soon."""

        class Away(MemoryFiles):
            def page(self, *args: Any, **named: Any) -> Deferred[Any]:
                return fail(CatalogueUnavailable("films", "locked"))

        answer = Browser(FilesSite(files=Away())).sign_in().get("/files/")
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "5"))


class UploadTests(PagesCase):
    """The form."""

    def assert_refused(self, answer: Answer, status: int, text: str) -> None:
        """The page again, with the error beside the field."""
        self.assertEqual(answer.status, status)
        page = Page(answer)
        page.one("p", id="error", role="alert")
        self.assertIn("error", str(page.one("input", type="file")["aria-describedby"]).split())
        self.assertIn(text, page.text)
        self.assertEqual(self.names(), [])

    def test_form(self) -> None:
        """It takes several files, and needs no script."""
        page = self.listing()
        form_element = page.one("form", action="./", method="post", enctype="multipart/form-data")
        self.assertEqual(form_element["data-upload"], str(64 * 1024 * 1024))
        self.assertIn("multiple", page.one("input", type="file", name="file"))
        page.one("label", **{"for": "file"})
        self.assertIn("Up to 64 MB each.", page.text)

    def test_several(self) -> None:
        """All files of a form are stored, and the browser goes back to the listing."""
        fields = [file_field(f"{number}.txt", bytes(number)) for number in range(3)]
        answer = self.browser.upload(*fields)
        self.assertEqual((answer.status, leads_to("/files/", answer.headers["Location"])), (303, "/files/"))
        self.assertEqual(sorted(self.names()), ["0.txt", "1.txt", "2.txt"])

    def test_none(self) -> None:
        """A form without a file, or with the nothing that browsers send for none, is told to choose one."""
        for fields in (
            (),
            (file_field("", b""),),
            (('; name="file"', b"text"),),
            (file_field("a", b"", "other"),),
        ):
            self.assert_refused(self.browser.upload(*fields), 422, "Choose at least one file.")

    def test_nameless(self) -> None:
        """A file without a name is not dropped silently."""
        self.assert_refused(self.browser.upload(file_field("", b"data")), 422, "has no name")

    def test_empty_file(self) -> None:
        """A file of no bytes is a file, also beside a field without one."""
        self.assertEqual(self.browser.upload(file_field("empty.txt", b""), file_field("", b"")).status, 303)
        self.assertEqual(self.names(), ["empty.txt"])

    def test_too_large(self) -> None:
        """One file too many bytes long, and none of the form is kept."""
        self.browser = Browser(FilesSite(limits=Limits(max_upload=10, min_free=0))).sign_in()
        answer = self.browser.upload(file_field("a", b"small"), file_field("b", b"much larger"))
        self.assert_refused(answer, 413, "10 bytes")

    def test_no_room(self) -> None:
        """Where there is no room, it says so."""
        self.browser = Browser(FilesSite(store=MemoryStore(room=3))).sign_in()
        self.assert_refused(self.browser.upload(file_field("a", b"data")), 507, "no room")

    def test_no_form(self) -> None:
        """What is no form is 415, what is a broken one is 400."""
        self.assert_refused(self.browser.submit("/files/", file="x"), 415, "multipart/form-data")
        self.assert_refused(self.browser.send(b"", "multipart/form-data"), 400, "broken")
        self.assert_refused(
            self.browser.send(b"--x", f"multipart/form-data; boundary={BOUNDARY}"), 400, "broken"
        )

    def test_store_away(self) -> None:
        """While the store is away, the listing is there."""

        class Away(MemoryStore):
            def receive(self, *args: Any, **named: Any) -> Deferred[Any]:
                return fail(StoreUnavailable("away"))

        self.browser = Browser(FilesSite(store=Away())).sign_in()
        answer = self.browser.upload(file_field("a", b"data"))
        self.assert_refused(answer, 503, "Try again soon.")
        self.assertEqual(answer.headers["Retry-After"], "5")


class ViewTests(PagesCase):
    """The page of one file."""

    def source(self, page: Page, tag: str, attribute: str = "src") -> Answer:
        """What an element of a page shows."""
        (element,) = page.all(tag)
        return self.browser.get(leads_to("/files/x/", element[attribute]))

    def test_facts(self) -> None:
        """It says what there is to say."""
        text = self.view(b"hello").text
        digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
        for word in ("a.txt", "text/plain", "5 B", "21 Sep 2026", "Stored", digest):
            self.assertIn(word, text)

    def test_text(self) -> None:
        """Text is text, whatever stands in it."""
        for text in ("notes: </pre></main><b>&lt;", "\n\n  first\tlines", "Звёздные & войны"):
            page = self.view(text.encode())
            self.assertIn("\n" + text, page.text)
            self.assertEqual(page.tags.count("script"), 1)
            self.assertEqual(page.tags.count("pre"), 1)

    def test_long_text(self) -> None:
        """Of a long text there is the beginning, with a way to all of it."""
        page = self.view(b"a" * 65_536 + b"the end")
        self.assertIn("This is the beginning", page.text)
        self.assertNotIn("the end", page.text)
        self.assertTrue(any("download-stream" in str(link["href"]) for link in page.all("a")))
        self.assertNotIn("This is the beginning", self.view(b"a" * 65_536).text)

    def test_picture(self) -> None:
        """A picture is shown, with its name for who can't see it."""
        page = self.view(_PNG, "a.png")
        self.assertEqual(page.one("img")["alt"], "a.png")
        self.assertEqual(self.source(page, "img").headers["Content-Type"], "image/png")

    def test_sound_and_film(self) -> None:
        """Sound and film have a player, and are not fetched whole before somebody plays them."""
        for data, tag, media_type in ((_WAV, "audio", "audio/wav"), (_WEBM, "video", "video/webm")):
            page = self.view(data)
            self.assertEqual(page.one(tag)["preload"], "metadata")
            self.assertEqual(self.source(page, tag).headers["Content-Type"], media_type)

    def test_pdf(self) -> None:
        """A PDF is shown where the browser can, else there is a link."""
        page = self.view(_PDF)
        self.assertEqual(self.source(page, "object", "data").headers["Content-Type"], "application/pdf")
        self.assertIn("open it", page.text)

    def test_dangerous(self) -> None:
        """What could run something is not shown, nor what is not known."""
        for data in (
            b"<!doctype html><script>alert(1)</script>",
            b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
            b"\0\1\2",
            b"",
        ):
            page = self.view(data)
            self.assertIn("This type is not shown here", page.text)
            self.assertEqual(
                {"img", "object", "iframe", "video", "audio", "embed", "pre"} & set(page.tags), set()
            )

    def test_kinds(self) -> None:
        """Only what browsers show is shown, and by the element for it."""
        for media_type, how in {
            "image/jpeg": "picture",
            "image/tiff": "",
            "image/svg+xml": "",
            "text/csv": "text",
            "application/json": "text",
            "text/html": "",
            "application/zip": "",
            "video/mp4": "film",
            "audio/mpeg": "sound",
            "application/pdf": "document",
            "": "",
        }.items():
            self.assertEqual(shown_how(media_type), how, media_type)

    def test_gone(self) -> None:
        """There is no page of what there is not."""
        for name in ("nothing", "..", "%2e%2e", "%00", "%ff", "a" * 3000):
            self.assertEqual(self.browser.get(f"/files/{name}/").status, 404, name)

    def test_policy(self) -> None:
        """Nothing but what a page needs is allowed, and nothing stands in it that is forbidden."""
        path = self.store(b"hello")
        for target, more in (
            ("/files/", "; connect-src 'self'"),
            (path, "; connect-src 'self'; media-src 'self'; object-src 'self'; frame-src 'self'"),
            (f"{path}link", ""),
            (f"{path}delete", ""),
            ("/sign-in?key=wrong", ""),
        ):
            answer = self.browser.get(target)
            policy = answer.headers["Content-Security-Policy"]
            self.assertTrue(policy.endswith(f"; frame-ancestors 'none'{more}"), policy)
            self.assertNotIn("unsafe", policy)
            for tag, attributes in Page(answer).elements:
                self.assertFalse([name for name in attributes if name.startswith("on") or name == "style"])
                self.assertNotEqual(tag, "style")
                self.assertTrue(tag != "script" or attributes["src"])


class LinkTests(PagesCase):
    """A link for others."""

    def test_link(self) -> None:
        """It works for everybody, for a day, and does not tell the short name."""
        path = self.store(b"hello")
        link = str(Page(self.browser.get(f"{path}link")).one("input", id="link")["value"])
        self.assertNotIn(path.split("/")[2], link)
        target = link.removeprefix("http://files.example")
        self.assertEqual(self.site.ask("GET", target, key=None).body, b"hello")
        self.site.clock.advance(86_400)
        self.assertEqual(self.site.ask("GET", target, key=None).status, 410)

    def test_gone(self) -> None:
        """There is none to what there is not."""
        self.assertEqual(self.browser.get("/files/nothing/link").status, 404)


class DeletionTests(PagesCase):
    """Deleting a file."""

    def test_asked_first(self) -> None:
        """The page that asks names the file and its size, and removes nothing."""
        path = self.store(b"hello")
        page = Page(self.browser.get(f"{path}delete"))
        self.assertIn("a.txt, 5 B", " ".join(page.text.split()))
        self.assertEqual(leads_to(f"{path}delete", page.one("a", href="../")["href"]), "/files/")
        self.assertEqual(self.names(), ["a.txt"])

    def test_done(self) -> None:
        """The button removes bytes and row."""
        path = self.store(b"hello")
        answer = self.browser.submit(f"{path}delete")
        self.assertEqual(leads_to(f"{path}delete", answer.headers["Location"]), "/files/")
        self.assertEqual(self.names(), [])
        self.failureResultOf(self.site.store.list(path.split("/")[2]))
        self.assertEqual(self.browser.submit(f"{path}delete").status, 404)

    def test_bytes_gone(self) -> None:
        """A file whose bytes somebody took away can be removed as well."""
        path = self.store(b"hello")
        self.successResultOf(self.site.store.delete(path.split("/")[2], b"a.txt"))
        self.assertEqual(self.browser.get(path).status, 404)
        self.assertEqual(self.browser.get(f"{path}delete").status, 200)
        self.assertEqual(self.browser.submit(f"{path}delete").status, 303)
        self.assertEqual(self.names(), [])


class HostileNameTests(SynchronousTestCase):
    """Names of whoever uploads."""

    def setUp(self) -> None:
        self.site = FilesSite()
        self.file = self.successResultOf(self.site.files.get(self.site.stored()["short_name"]))

    def pages(self, filename: str) -> list[Page]:
        """Every page that shows a file of this name."""
        files = MemoryFiles()
        self.successResultOf(files.add(evolve(self.file, filename=filename)))
        browser = Browser(FilesSite(self.site.store, files, self.site.facts)).sign_in()
        path = f"/files/{self.file.short_name}/"
        answers = [browser.get(target) for target in ("/files/", path, f"{path}link", f"{path}delete")]
        self.assertEqual([answer.status for answer in answers], [200] * 4, filename)
        return [Page(answer) for answer in answers]

    def test_only_text(self) -> None:
        """Whatever a file is called, pages have the same elements, attributes and addresses as ever."""
        expected = [self.shape(page) for page in self.pages("a.txt")]
        for filename in _HOSTILE:
            self.assertEqual([self.shape(page) for page in self.pages(filename)], expected, filename)

    def shape(self, page: Page) -> list[tuple[str, list[str], str | None]]:
        """What of a page does not depend on names."""
        return [
            (tag, sorted(attributes), attributes.get("href") or attributes.get("src"))
            for tag, attributes in page.elements
        ]

    def test_bounded(self) -> None:
        """No name makes a page long, or turns its writing."""
        for filename in _HOSTILE:
            for page in self.pages(filename):
                self.assertLess(len(page.text), 3000)
                self.assertNotIn("\u202e", page.text)
                self.assertNotIn("\x00", page.text)

    def test_readable(self) -> None:
        """What can be read of a name is read."""
        for page in self.pages("<b>&amp;\"'.txt"):
            self.assertIn("<b>&amp;\"'.txt", page.text)

    def test_uploaded(self) -> None:
        """So it is with what came by the form; and the API gives the name back as it was sent."""
        site = FilesSite()
        browser = Browser(site).sign_in()
        sent = "<img src=x>'%00 \u202e é.txt"
        self.assertEqual(browser.upload(file_field(sent, b"x")).status, 303)
        page = Page(browser.get("/files/"))
        self.assertNotIn("img", page.tags)
        listed = json.loads(site.ask("GET", "/api/v1/", key=KEY).body)["files"]
        self.assertEqual([unescape(file["filename"]) for file in listed], [sent])
