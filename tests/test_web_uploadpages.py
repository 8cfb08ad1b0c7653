"""
Tests of the pages by which pictures come into a gallery: who may, what comes in, and what each one is told.
"""

from __future__ import annotations

import json
from typing import Any

from attrs import evolve
from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase

from fileserve.gallery.uploading import UploadRules
from fileserve.storage.errors import NoSpace, NoSuchAlbum, StoreUnavailable
from fileserve.storage.interfaces import Listing
from fileserve.storage.memory import MemoryStore

from .filesupport import FORM_TYPE, KEY, LIMITS, FilesSite, file_field, form
from .gallerysupport import picture
from .sitesupport import Browser, Page, leads_to
from .support import Answer

_SECRET = "3bea29ccabbbf64bdebcc055319c5745"

_HOSTILE = (
    "<script>alert(1)</script>.jpg",
    "\"><img src=x onerror=alert(1)>'.jpg",
    "photo\u202egnp.jpg",
    "two\r\nSet-Cookie: x=y\n.jpg",
    "../../etc/passwd",
    "..",
    "C:\\fakepath\\a.jpg",
    "CON.jpg",
    "a" * 3000 + ".jpg",
    "nul\x00.jpg",
)


def name_field(name: str) -> tuple[str, bytes]:
    """The name in a form."""
    return '; name="name"', name.encode()


class UploadCase(SynchronousTestCase):
    """A site, and a browser that is signed in."""

    def setUp(self) -> None:
        self.use(FilesSite())

    def use(self, site: FilesSite) -> None:
        self.site = site
        self.browser = Browser(site).sign_in()

    def names(self, album: str = "gallery") -> list[str]:
        """What is in an album."""
        nothing = Listing([], [], 0)
        found = self.site.store.list(album).addErrback(lambda failure: failure.trap(NoSuchAlbum) and nothing)
        return sorted(member.path.decode() for member in self.successResultOf(found).members)

    def page(self, *fields: tuple[str, bytes], status: int, target: str = "/upload/") -> Page:
        """Send a form as a browser; the page that tells what was wrong."""
        answer = self.browser.upload(*fields, target=target)
        self.assertEqual(answer.status, status, answer)
        return Page(answer)

    def send(
        self, *fields: tuple[str, bytes], target: str = "/upload/gallery/", accept: str = "", **how: Any
    ) -> Answer:
        """Send a form as a program."""
        headers = [FORM_TYPE, ("Accept", accept)] if accept else [FORM_TYPE]
        return self.site.ask("POST", target, form(*fields), headers, **how)


class PermissionTests(UploadCase):
    """Who may."""

    def test_strangers(self) -> None:
        """Strangers are sent to sign in, and take nothing in."""
        stranger = Browser(self.site)
        for target in ("/upload/", f"/upload/{_SECRET}/"):
            answer = stranger.get(target)
            self.assertEqual(answer.status, 303)
            self.assertEqual(leads_to(target, answer.headers["Location"]), f"/sign-in?next={target[1:]}")
            refused = stranger.upload(file_field("a.jpg", picture()), target=target)
            self.assertEqual((refused.status, refused.headers["WWW-Authenticate"]), (401, "Bearer"))
        self.assertEqual((self.names(), self.names(_SECRET)), ([], []))

    def test_told_to_scripts(self) -> None:
        """Whose session ended while a page was open is told so in a way that its script understands."""
        answer = self.send(file_field("a.jpg", picture()), accept="application/json", key=None)
        self.assertEqual((answer.status, json.loads(answer.body)["status"]), (401, 401))

    def test_open(self) -> None:
        """Where everybody may upload, everybody gets the form."""
        self.use(FilesSite(open_uploads=True))
        stranger = Browser(self.site)
        self.assertEqual(stranger.get("/upload/").status, 200)
        self.assertEqual(stranger.upload(file_field("a.jpg", picture()), target="/upload/").status, 303)
        self.assertEqual(self.names(), ["a.jpg"])

    def test_other_sites(self) -> None:
        """No other site's page uploads with the cookie of who is signed in."""
        for site in ("cross-site", "same-site", "none", ""):
            self.browser.comes_from = site
            answer = self.browser.upload(file_field("a.jpg", picture()), target="/upload/")
            self.assertEqual(answer.status, 403, site)
        self.assertEqual(self.names(), [])

    def test_key(self) -> None:
        """The upload key itself will do; a wrong one won't."""
        self.assertEqual(self.send(file_field("a.jpg", picture())).status, 201)
        self.assertEqual(self.send(file_field("b.jpg", picture(3)), key="wrong" * 5).status, 401)
        self.assertEqual(self.site.ask("GET", "/upload/").status, 200)
        self.assertEqual(self.names(), ["a.jpg"])

    def test_methods(self) -> None:
        """Any other method is told what is allowed; an address without its slash leads to the one with it."""
        for target in ("/upload/", f"/upload/{_SECRET}/"):
            for method in ("PUT", "DELETE", "PATCH"):
                answer = self.site.ask(method, target)
                self.assertEqual((answer.status, answer.headers["Allow"]), (405, "GET, HEAD, OPTIONS, POST"))
            answer = self.browser.get(target[:-1])
            self.assertEqual(
                (answer.status, leads_to(target[:-1], answer.headers["Location"])), (308, target)
            )

    def test_no_album(self) -> None:
        """There is no form for what can't be an album, nor for everybody's where there is none."""
        for name in ("..", ".hidden", "%2e%2e", "a%00", "a" * 129, "%ff", "a%2fb"):
            self.assertEqual(self.browser.get(f"/upload/{name}/").status, 404, name)
            answer = self.browser.upload(file_field("a.jpg", picture()), target=f"/upload/{name}/")
            self.assertEqual(answer.status, 404, name)
        self.use(FilesSite(gallery=None))
        self.assertEqual(self.browser.get("/upload/").status, 404)
        answer = self.browser.upload(file_field("a.jpg", picture()), target="/upload/")
        self.assertEqual(answer.status, 404)
        self.assertEqual(self.browser.get(f"/upload/{_SECRET}/").status, 200)


class FormTests(UploadCase):
    """What browsers send."""

    def test_form(self) -> None:
        """The form has a field for files and one for a name, and says how large a file may be."""
        for target in ("/upload/", f"/upload/{_SECRET}/"):
            page = Page(self.browser.get(target))
            self.assertEqual(
                leads_to(target, page.one("form", enctype="multipart/form-data")["action"]), target
            )
            self.assertIn("multiple", page.one("input", name="file"))
            self.assertTrue((page.one("input", name="file")["accept"] or "").startswith("image/*,"))
            self.assertEqual(page.one("input", name="name")["maxlength"], "50")
            self.assertIn("64 MB", page.text)
            self.assertNotIn(_SECRET[:8], page.text)

    def test_taken(self) -> None:
        """Who sent a picture gets to the gallery in which it is."""
        for target, gallery, album in (
            ("/upload/", "/gallery/", "gallery"),
            (f"/upload/{_SECRET}/", f"/gallery/{_SECRET}/", _SECRET),
        ):
            answer = self.browser.upload(file_field("a.jpg", picture()), target=target)
            self.assertEqual((answer.status, answer.body), (303, b""))
            self.assertEqual(leads_to(target, answer.headers["Location"]), gallery)
            self.assertEqual(self.names(album), ["a.jpg"])
            self.assertIn("a.jpg", Page(self.browser.get(gallery)).text)

    def test_named(self) -> None:
        """It has the name that was given, wherever in the form that stands, or its own."""
        data = [picture(width) for width in range(1, 5)]
        self.browser.upload(name_field("Morning"), file_field("1.jpg", data[0]), target="/upload/")
        self.browser.upload(file_field("2.jpg", data[1]), name_field("Evening"), target="/upload/")
        self.browser.upload(file_field("3.jpg", data[2]), name_field("  "), target="/upload/")
        self.browser.upload(file_field("4.jpg", data[3]), name_field("Morning"), target="/upload/")
        self.assertEqual(self.names(), ["3.jpg", "Evening.jpg", "Morning (2).jpg", "Morning.jpg"])

    def test_several(self) -> None:
        """Several of one form are all taken."""
        fields = [file_field(f"{width}.jpg", picture(width)) for width in (1, 2, 3)]
        self.assertEqual(self.browser.upload(*fields, target="/upload/").status, 303)
        self.assertEqual(self.names(), ["1.jpg", "2.jpg", "3.jpg"])

    def test_several_named(self) -> None:
        """A name is for one picture: of several each keeps its own, whoever sends them."""
        fields = [name_field("Morning"), *[file_field(f"{width}.jpg", picture(width)) for width in (1, 2)]]
        self.assertEqual(self.browser.upload(*fields, target="/upload/").status, 303)
        self.assertEqual(self.send(*fields, target=f"/upload/{_SECRET}/").status, 201)
        for album in ("gallery", _SECRET):
            self.assertEqual(self.names(album), ["1.jpg", "2.jpg"])

    def test_gallery(self) -> None:
        """The form leads to the gallery where there is one: a secret one begins with its first picture."""

        def leads(page: Page, name: str) -> bool:
            return any(leads_to(target, each["href"]) == f"/gallery/{name}" for each in page.all("a"))

        for target, name, there in (
            (f"/upload/{_SECRET}/", f"{_SECRET}/", False),
            ("/upload/", "", True),
            ("/upload/gallery/", "gallery/", True),
        ):
            self.assertEqual(leads(Page(self.browser.get(target)), name), there, target)
            refused = self.page(file_field("a.jpg", b"text"), status=415, target=target)
            self.assertEqual(leads(refused, name), there, target)
            self.browser.upload(file_field("a.jpg", picture()), target=target)
            self.assertTrue(leads(Page(self.browser.get(target)), name), target)

    def test_hints(self) -> None:
        """The rules in force are told before anything is chosen, and no others."""
        for rules, words in (
            (UploadRules(), []),
            (UploadRules(max_age_days=30), ["within the last 30 days."]),
            (UploadRules(max_age_days=1), ["within the last day."]),
            (UploadRules(strip_location=True), ["is removed"]),
            (UploadRules(max_age_days=0, strip_location=True), ["within the last 0 days.", "is removed"]),
        ):
            self.use(FilesSite(wanted=rules))
            for target in ("/upload/", "/gallery/", "/"):
                text = Page(self.browser.get(target)).text
                said = [word for word in ("within the last", "is removed") if word in text]
                self.assertEqual(len(said), len(words))
                for word in words:
                    self.assertIn(word, text)

    def test_wrong(self) -> None:
        """What was wrong stands beside the field, with its status; the name need not be typed again."""
        long = name_field("x" * 51)
        for status, word, fields in (
            (422, "Choose a picture", [name_field("Morning")]),
            (422, "Choose a picture", [file_field("", b"")]),
            (415, "not a picture", [file_field("a.jpg", b"<html><script>"), name_field("Morning")]),
            (415, "damaged", [file_field("a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), name_field("Morning")]),
            (400, "more than 50 characters", [file_field("a.jpg", picture()), long]),
        ):
            page = self.page(*fields, status=status)
            self.assertIn(word, page.text)
            self.assertEqual(page.one("p", id="error")["role"], "alert")
            (field,) = page.all("input", **{"aria-invalid": "true"})
            self.assertEqual(field["name"], "name" if status == 400 else "file")
            self.assertIn("error", (field["aria-describedby"] or "").split())
            typed = [data.decode() for said, data in fields if said == '; name="name"']
            self.assertEqual(page.one("input", name="name")["value"], "".join(typed))
        self.assertEqual(self.names(), [])

    def test_twice(self) -> None:
        """The same bytes once more are refused, with a link to those that are there."""
        for target, album in (("/upload/", "gallery"), (f"/upload/{_SECRET}/", _SECRET)):
            self.browser.upload(file_field("a é.jpg", picture()), target=target)
            page = self.page(file_field("b.jpg", picture()), status=409, target=target)
            (link,) = [each for each in page.all("a") if "original" in (each["href"] or "")]
            following = leads_to(target, link["href"])
            self.assertEqual(following, f"/gallery/{album}/original/a%20%C3%A9.jpg")
            self.assertEqual(self.browser.get(following).body, picture())

    def test_some_wrong(self) -> None:
        """Of several in one form each is told what became of it, and those that are right are taken."""
        self.browser.upload(file_field("old.jpg", picture(9)), target="/upload/")
        page = self.page(
            file_field("good.jpg", picture(1)),
            file_field("bad.jpg", b"text"),
            file_field("again.jpg", picture(9)),
            status=415,
        )
        self.assertEqual(self.names(), ["good.jpg", "old.jpg"])
        text = " ".join(page.text.split())
        self.assertIn("good.jpg: It is stored.", text)
        self.assertIn("bad.jpg: This file is not a picture.", text)
        self.assertIn("again.jpg: This picture is in the album already", text)
        links = [leads_to("/upload/", each["href"]) for each in page.all("a")]
        for name in ("good", "old"):
            self.assertIn(f"/gallery/gallery/original/{name}.jpg", links)
        self.assertEqual(page.one("ul", id="error")["role"], "alert")

    def test_rules(self) -> None:
        """What the options forbid is refused with what to do about it."""
        self.use(FilesSite(wanted=UploadRules(max_age_days=30)))
        for data, word in (
            (picture(), "does not say when"),
            (picture(taken="2020:01:01 00:00:00"), "too old"),
        ):
            self.assertIn(word, self.page(file_field("a.jpg", data), status=422).text)
        self.assertEqual(self.names(), [])

    def test_too_large(self) -> None:
        """A file over the limit is refused, and the rest of the form read."""
        self.use(FilesSite(limits=evolve(LIMITS, max_upload=2000)))
        page = self.page(
            file_field("large.jpg", picture() + bytes(3000)), file_field("a.jpg", picture()), status=413
        )
        self.assertIn("large.jpg", page.text)
        self.assertEqual(self.names(), ["a.jpg"])

    def test_no_form(self) -> None:
        """What is no form is refused as such."""
        for body, kind, status in (
            (b"x", "text/plain", 415),
            (b"x", "multipart/form-data", 400),
            (b"--b\r\n", "multipart/form-data; boundary=b", 400),
        ):
            answer = self.browser.send(body, kind, "/upload/")
            self.assertEqual(answer.status, status, kind)
            self.assertIn("error", [each.get("id") for _, each in Page(answer).elements])

    def test_hostile_names(self) -> None:
        """No name is more than text, neither on the page that refuses it nor in the gallery."""
        for number, filename in enumerate(_HOSTILE, 1):
            encoded = filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A").encode()
            field = b'; name="file"; filename="' + encoded + b'"'
            for data, status in ((b"text", 415), (picture(number), 303)):
                body = (
                    b"------a-boundary\r\nContent-Disposition: form-data"
                    + field
                    + b"\r\n\r\n"
                    + data
                    + b"\r\n------a-boundary--\r\n"
                )
                answer = self.browser.send(body, FORM_TYPE[1], "/upload/")
                self.assertEqual(answer.status, status, (filename, answer))
                if status == 415:
                    page = Page(answer)
                    self.assertEqual((page.tags.count("script"), page.tags.count("img")), (1, 0))
                    self.assertNotIn("\u202e", page.text)
        page = Page(self.browser.get("/gallery/"))
        self.assertEqual(len(list(page.all("img"))), len(_HOSTILE))
        self.assertEqual(page.tags.count("script"), 2)
        self.assertNotIn("\u202e", page.text)


class ProgramTests(UploadCase):
    """What programs, and the page's own script, send."""

    def test_one(self) -> None:
        """Of one picture they are told what it is and where."""
        data = picture(60, 40, maker="Canon", model="Canon EOS 5D", taken="2026:11:20 21:52:00")
        for number, accept in enumerate(
            ("", "*/*", "application/json", "application/json, text/html;q=0.5"), 1
        ):
            album = f"album{number}"
            answer = self.send(file_field("a b.jpg", data), target=f"/upload/{album}/", accept=accept)
            self.assertEqual(answer.status, 201, answer)
            self.assertEqual(answer.headers["Content-Type"], "application/json")
            self.assertEqual(answer.headers["Vary"], "Accept")
            said = json.loads(answer.body)
            self.assertEqual(answer.headers["Location"], said["url"])
            target = leads_to(f"/upload/{album}/", said.pop("url"))
            self.assertEqual(target, f"/gallery/{album}/original/a%20b.jpg")
            self.assertEqual(self.browser.get(target).body, data)
            self.assertEqual(len(said.pop("sha256")), 64)
            self.assertEqual(
                said,
                {
                    "name": "a b.jpg",
                    "size": len(data),
                    "file_type": "image/jpeg",
                    "width": 60,
                    "height": 40,
                    "maker": "Canon",
                    "model": "Canon EOS 5D",
                    "taken": "2026-11-20T21:52:00",
                },
            )

    def test_several(self) -> None:
        """Of several they get an array, in the order of the form."""
        answer = self.send(*[file_field(f"{width}.jpg", picture(width)) for width in (3, 1, 2)])
        self.assertEqual(answer.status, 201)
        self.assertEqual([each["name"] for each in json.loads(answer.body)], ["3.jpg", "1.jpg", "2.jpg"])

    def test_wrong(self) -> None:
        """Why a picture was refused is a problem with its status; of the same bytes it says where."""
        self.send(file_field("a.jpg", picture()))
        for status, fields in (
            (422, [name_field("x")]),
            (415, [file_field("b.jpg", b"text")]),
            (400, [name_field("x" * 51), file_field("b.jpg", picture(3))]),
            (409, [file_field("b.jpg", picture())]),
        ):
            answer = self.send(*fields, accept="application/json")
            self.assertEqual(answer.status, status)
            self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
            self.assertEqual(answer.headers["Cache-Control"], "no-store")
            said = json.loads(answer.body)
            self.assertEqual(said["status"], status)
            self.assertTrue(said["title"] and said["detail"].endswith("."), said)
        self.assertEqual(leads_to("/upload/gallery/", said["url"]), "/gallery/gallery/original/a.jpg")

    def test_some_wrong(self) -> None:
        """Of several they are told what became of each."""
        answer = self.send(file_field("a.jpg", picture()), file_field("b.jpg", b"text"))
        self.assertEqual(answer.status, 415)
        stored, refused = json.loads(answer.body)["files"]
        self.assertEqual((stored["name"], stored["width"]), ("a.jpg", 60))
        self.assertEqual((refused["name"], refused["status"]), ("b.jpg", 415))
        self.assertEqual(self.names(), ["a.jpg"])

    def test_again(self) -> None:
        """What passes says when to try again."""
        self.site.studio.busy = True
        answer = self.send(file_field("a.jpg", picture()))
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "2"))
        self.site.studio.busy = False
        self.assertEqual(self.send(file_field("a.jpg", picture())).status, 201)


class FaultTests(UploadCase):
    """When the store is away, or full."""

    def test_store(self) -> None:
        """It is told as what it is, and nothing is left."""
        for error, status in ((StoreUnavailable("away"), 503), (NoSpace(), 507)):

            class Failing(MemoryStore):
                """A store that takes nothing in."""

                def receive(self, *_: object) -> Any:
                    return fail(error)  # noqa: B023 - used within the loop

            self.use(FilesSite(store=Failing()))
            self.page(file_field("a.jpg", picture()), status=status)
            self.assertEqual(self.send(file_field("a.jpg", picture()), key=KEY).status, status)
            self.assertEqual(self.names(), [])
