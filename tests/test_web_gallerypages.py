"""
Tests of the pages of a gallery: what they show of which files, to whom, and what can be done there.
"""

from __future__ import annotations

import re
from html import unescape
from io import BytesIO
from typing import Any
from unittest.mock import Mock
from urllib.parse import quote
from zipfile import ZipFile

from PIL import Image
from twisted.trial.unittest import SynchronousTestCase

from fileserve.pictures.facts import PictureFacts
from fileserve.storage.errors import StoreUnavailable, Unreadable
from fileserve.storage.memory import MemoryStore

from .filesupport import KEY, FilesSite
from .gallerysupport import picture
from .sitesupport import Browser, Page, leads_to
from .support import Answer

_SECRET = "3bea29ccabbbf64bdebcc055319c5745"

_HOSTILE = (
    b"<script>alert(1)</script>.jpg".replace(b"/", b"_"),
    b"\"><img src=x onerror=alert(1)>'.jpg",
    b"{{ 7 * 7 }}{% raw %}.jpg",
    "photo\u202egnp.jpg".encode(),
    b"two\r\nSet-Cookie: x=y\n.jpg",
    b"100%25, of 50%.jpg",
    b"a?v=1#top&x=y.jpg",
    b"not \xff\xfe UTF-8.jpg",
    b"a" * 200 + b".jpg",
    b" .jpg",
    b"javascript:alert(1).jpg",
)

_FOLDERS = (b"a/b/c.jpg", b"a b/\xc3\xa9.jpg")


class GalleryCase(SynchronousTestCase):
    """A site, a stranger, and a browser that is signed in."""

    def setUp(self) -> None:
        self.use(FilesSite())

    def use(self, site: FilesSite) -> None:
        self.site = site
        self.stranger = Browser(site)
        self.browser = Browser(site).sign_in()

    def put(self, path: bytes, data: bytes, album: str = "gallery") -> None:
        """Put a file where others put them: into the store."""
        incoming = self.successResultOf(self.site.store.receive(album, path))
        self.successResultOf(incoming.write([data]))
        self.successResultOf(incoming.keep())

    def page(self, target: str = "/gallery/", browser: Browser | None = None) -> Page:
        answer = (browser or self.stranger).get(target)
        self.assertEqual(answer.status, 200, answer)
        return Page(answer)

    def tiles(self, page: Page) -> list[dict[str, str | None]]:
        """The links of the tiles, in order."""
        return list(page.all("a", **{"class": "view"}))

    def names(self, target: str = "/gallery/") -> list[str]:
        """The names of the files of a page, in order."""
        text = self.stranger.get(target).body.decode()
        return [unescape(name) for name in re.findall(r'class="called" title="([^"]*)"', text)]

    def ask(self, method: str, target: str, *headers: tuple[str, str], key: str | None = None) -> Answer:
        return self.site.ask(method, target, None, headers, key=key)


class PermissionTests(GalleryCase):
    """Who may."""

    def setUp(self) -> None:
        super().setUp()
        self.put(b"a.jpg", picture())
        self.original, self.delete = "/gallery/gallery/original/a.jpg", "/gallery/gallery/delete/a.jpg"

    def test_seeing(self) -> None:
        """To see takes nothing but the name; to delete, or the page that asks for it, signing in."""
        for target in ("/gallery/", "/gallery/gallery/", self.original, "/gallery/gallery/preview/320/a.jpg"):
            self.assertEqual(self.stranger.get(target).status, 200, target)
        answer = self.stranger.get(self.delete)
        self.assertEqual(answer.status, 303)
        self.assertEqual(
            leads_to(self.delete, answer.headers["Location"]),
            "/sign-in?next=gallery/gallery/delete/a.jpg",
        )
        self.assertEqual(self.stranger.submit(self.delete).status, 401)
        self.assertEqual(self.ask("DELETE", self.original).status, 401)
        self.assertEqual(self.names(), ["a.jpg"])

    def test_other_sites(self) -> None:
        """No other site's page deletes with the cookie of who is signed in."""
        for site in ("cross-site", "same-site", "none", ""):
            self.browser.comes_from = site
            self.assertEqual(self.browser.submit(self.delete).status, 403, site)
            deletion = self.browser._ask("DELETE", self.original, None, ())
            self.assertEqual(deletion.status, 403, site)
        self.assertEqual(self.names(), ["a.jpg"])

    def test_offers(self) -> None:
        """Nobody is offered what he may not do."""
        for browser, may in ((self.stranger, False), (self.browser, True)):
            page = self.page(browser=browser)
            self.assertEqual(len(list(page.all("a", **{"class": "delete"}))), may)
            self.assertEqual("data-pictures" in str(page.elements), may)
        self.use(FilesSite(open_uploads=True))
        self.put(b"a.jpg", picture())
        page = self.page()
        self.assertEqual(list(page.all("a", **{"class": "delete"})), [])
        self.assertIn("data-pictures", str(page.elements))

    def test_methods(self) -> None:
        """Any other method is told what is allowed."""
        for target, allowed in (
            ("/gallery/", "GET, HEAD, OPTIONS"),
            ("/gallery/gallery/", "GET, HEAD, OPTIONS"),
            (self.original, "DELETE, GET, HEAD, OPTIONS"),
            (self.delete, "GET, HEAD, OPTIONS, POST"),
            ("/gallery/gallery/preview/320/a.jpg", "GET, HEAD, OPTIONS"),
        ):
            for method in ("PUT", "PATCH"):
                answer = self.ask(method, target, key=KEY)
                self.assertEqual((answer.status, answer.headers["Allow"]), (405, allowed), target)

    def test_slashes(self) -> None:
        """An address without its slash leads to the one with it, wherever a proxy shows it."""
        for target in ("/gallery", f"/gallery/{_SECRET}", "/gallery?page=2", f"/gallery/{_SECRET}?page=2"):
            answer = self.stranger.get(target)
            path, mark, query = target.partition("?")
            self.assertEqual(answer.status, 308)
            self.assertEqual(leads_to(target, answer.headers["Location"]), f"{path}/{mark}{query}")


class AlbumTests(GalleryCase):
    """Which albums there are."""

    def test_empty(self) -> None:
        """The album for everybody is there before anything is in it; it has nothing to download."""
        for target in ("/gallery/", "/gallery/gallery/"):
            page = self.page(target)
            self.assertIn("No pictures yet.", page.text)
            self.assertNotIn("Download", page.text)

    def test_none(self) -> None:
        """There may be none for everybody; then no page leads there. Others there are all the same."""
        self.use(FilesSite(gallery=None))
        self.put(b"a.jpg", picture(), _SECRET)
        for target in ("/gallery/", "/gallery/gallery/", "/gallery/?page=1"):
            self.assertEqual(self.stranger.get(target).status, 404, target)
        self.assertEqual(self.names(f"/gallery/{_SECRET}/"), ["a.jpg"])
        self.assertEqual(list(self.page("/").all("a", href="./gallery/")), [])

    def test_unknown(self) -> None:
        """What is no album is 404, be it a name or not."""
        self.put(b"a.jpg", picture(), _SECRET)
        for name in (
            "nothing",
            _SECRET[:-1],
            "..",
            ".hidden",
            "%2e%2e",
            "a%00",
            "a" * 129,
            "%ff",
            "<script>",
        ):
            for target in ("", "original/a.jpg", "preview/320/a.jpg", "delete/a.jpg"):
                answer = self.browser.get(f"/gallery/{name}/{target}")
                self.assertEqual(answer.status, 404, (name, target))

    def test_secret(self) -> None:
        """A secret album is shown to who knows its name, which is no text of the page."""
        self.put(b"a.jpg", picture(), _SECRET)
        page = self.page(f"/gallery/{_SECRET}/")
        self.assertNotIn(_SECRET[:8], page.text)
        self.assertNotIn(_SECRET[:8], str(self.stranger.get(f"/gallery/{_SECRET}/").headers))
        self.assertEqual(self.names("/gallery/"), [])

    def test_home(self) -> None:
        """The home page leads to the gallery, and has a form for who signed in."""
        self.assertEqual(leads_to("/", next(self.page("/").all("a", href="gallery/"))["href"]), "/gallery/")
        self.assertEqual(list(self.page("/").all("form")), [])
        form = self.page("/", self.browser).one("form", enctype="multipart/form-data")
        self.assertEqual(leads_to("/", form["action"]), "/upload/")


class TileTests(GalleryCase):
    """What is shown of a file."""

    def test_facts(self) -> None:
        """A picture has name, size, camera, the date it was taken and the one it came."""
        self.put(b"Morning.jpg", picture(maker="Canon", model="Canon EOS 5D", taken="2026:11:20 21:52:00"))
        text = self.page().text
        for word in (
            "Morning.jpg",
            "Canon EOS 5D",
            "20 Nov 2026, 21:52\n",
            "21 Sep 2026, 14:13 UTC",
            "1 file\n",
        ):
            self.assertIn(word, text + "\n")
        self.assertNotIn("Canon Canon", text)

    def test_left_out(self) -> None:
        """What a picture does not say is not spoken of."""
        self.put(b"a.jpg", picture())
        text = self.page().text
        self.assertNotIn("Camera", text)
        self.assertNotIn("Taken", text)
        self.assertIn("Uploaded", text)

    def test_previews(self) -> None:
        """A picture is shown by its previews, each with its true width, loaded when it is looked at."""
        self.put(b"a.jpg", picture(1600, 2000))
        image = self.page().one("img")
        self.assertEqual((image["alt"], image["width"], image["height"]), ("a.jpg", "1600", "2000"))
        self.assertEqual(image["loading"], "lazy")
        for described, width in zip((image["srcset"] or "").split(", "), (256, 1024), strict=True):
            address, said = described.split(" ")
            self.assertEqual(said, f"{width}w")
            answer = self.stranger.get(leads_to("/gallery/", address))
            self.assertEqual(Image.open(BytesIO(answer.body)).width, width)
        self.assertTrue((image["srcset"] or "").startswith(f"{image['src']} "))

    def test_small(self) -> None:
        """A picture that is smaller than a preview is not offered twice."""
        for width, height, widths in ((300, 200, ["300w"]), (320, 10, ["320w"]), (321, 10, ["320w", "321w"])):
            self.use(FilesSite())
            self.put(b"a.jpg", picture(width, height))
            srcset = self.page().one("img")["srcset"] or ""
            self.assertEqual([each.split(" ")[1] for each in srcset.split(", ")], widths)

    def test_no_picture(self) -> None:
        """What is no picture, or can't be opened, is a tile with its type."""
        self.put(b"notes.txt", b"hello")
        self.put(b"fake.jpg", b"<html><script>alert(1)</script>")
        self.put(b"broken.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
        page = self.page()
        self.assertEqual(list(page.all("img")), [])
        for kind in ("text/plain", "text/html", "image/png"):
            self.assertIn(kind, page.text)
        self.assertEqual([each.get("data-preview") for each in self.tiles(page)], [None] * 3)

    def test_links(self) -> None:
        """A tile leads to the original, a larger preview, and to deletion, from either address."""
        self.put(b"a.jpg", picture())
        for target in ("/gallery/", "/gallery/gallery/"):
            page = self.page(target, self.browser)
            (tile,) = self.tiles(page)
            original = leads_to(target, tile["href"])
            self.assertEqual(original, "/gallery/gallery/original/a.jpg")
            self.assertEqual(self.stranger.get(leads_to(target, tile["data-preview"])).status, 200)
            delete = page.one("a", **{"class": "delete"})
            self.assertEqual(delete["aria-label"], "Delete a.jpg")
            self.assertEqual(leads_to(target, delete["data-delete"]), original)
            self.assertEqual(self.browser.get(leads_to(target, delete["href"])).status, 200)

    def test_pending(self) -> None:
        """What nobody looked at yet is shown as such, marked, and known at the next look."""
        self.site.studio.busy = True
        self.put(b"a.jpg", picture())
        answers = self.site.clock
        asked = Browser(self.site)
        connection = self.site.connect()
        connection.send(b"GET /gallery/ HTTP/1.1\r\nHost: files.example\r\nAccept: text/html\r\n\r\n")
        answers.advance(0.3)
        page = Page(connection.answer())
        connection.leave()
        self.assertEqual(len([each for each in page.all("li") if "data-pending" in each]), 1)
        self.assertIn("Just a moment", page.text)
        self.site.studio.busy = False
        answers.pump([1] * 10)
        page = self.page(browser=asked)
        self.assertEqual([each for each in page.all("li") if "data-pending" in each], [])
        self.assertEqual(len(list(page.all("img"))), 1)

    def test_other_version(self) -> None:
        """Another version has other addresses, so that nobody keeps seeing the one before."""
        self.put(b"a.jpg", picture(colour="red"))
        (before,) = self.tiles(self.page())
        self.successResultOf(self.site.store.delete("gallery", b"a.jpg"))
        self.site.clock.advance(60)
        self.put(b"a.jpg", picture(colour="blue"))
        (after,) = self.tiles(self.page())
        self.assertNotEqual(before["data-preview"], after["data-preview"])

    def test_hostile_names(self) -> None:
        """No name is more than text; by each of them all links work."""
        for path in (*_HOSTILE, *_FOLDERS):
            self.use(FilesSite())
            self.put(path, picture())
            page = self.page(browser=self.browser)
            self.assertEqual([tag for tag in page.tags if tag == "script"], ["script"] * 2, path)
            self.assertEqual(len(list(page.all("img"))), 1, path)
            (tile,) = self.tiles(page)
            original, delete = (
                leads_to("/gallery/", reference)
                for reference in (tile["href"], page.one("a", **{"class": "delete"})["href"])
            )
            self.assertEqual(original, f"/gallery/gallery/original/{quote(path)}")
            image = page.one("img")
            for address in (image["src"], tile["data-preview"], (image["srcset"] or "").split(" ")[0]):
                self.assertEqual(self.stranger.get(leads_to("/gallery/", address)).status, 200, path)
            self.assertEqual(self.stranger.get(original).body, picture())
            asked = Page(self.browser.get(delete))
            self.assertEqual(asked.tags.count("script"), 0)
            self.assertNotIn("\u202e", page.text + asked.text)
            gone = self.browser.submit(delete)
            self.assertEqual(gone.status, 303)
            self.assertEqual(leads_to(delete, gone.headers["Location"]), "/gallery/gallery/")
            self.assertEqual(self.names(), [])


class PagingTests(GalleryCase):
    """Albums of more than one page."""

    def setUp(self) -> None:
        super().setUp()
        for number in range(100):
            self.put(b"%03d.txt" % number, b"%d" % number)
            self.site.clock.advance(1)

    def test_order(self) -> None:
        """The newest first, 48 a page; page after page each file comes once."""
        names = [f"{number:03}.txt" for number in reversed(range(100))]
        self.assertEqual(self.names(), names[:48])
        self.assertEqual(self.names("/gallery/?page=2"), names[48:96])
        self.assertEqual(self.names("/gallery/gallery/?page=3"), names[96:])

    def test_links(self) -> None:
        """Each page says where it is, and leads to the others."""
        for target in ("/gallery/?page=2", "/gallery/gallery/?page=2"):
            page = self.page(target)
            self.assertIn("100 files, page 2 of 3", page.text)
            path = target.partition("?")[0]
            for rel, number in (("prev", 1), ("next", 3)):
                reference = page.one("a", rel=rel)["href"]
                self.assertEqual(leads_to(target, reference), f"{path}?page={number}")
            self.assertEqual(page.one("a", **{"aria-current": "page"})["href"], "?page=2")
        self.assertEqual(list(self.page("/gallery/").all("a", rel="prev")), [])
        self.assertEqual(list(self.page("/gallery/?page=3").all("a", rel="next")), [])

    def test_no_such_page(self) -> None:
        """Any other page is 404."""
        for number in ("0", "4", "-1", "x", "", "1.0", "01", "9" * 5000, "%D9%A1", "%00"):
            self.assertEqual(self.stranger.get(f"/gallery/?page={number}").status, 404, number)
        self.use(FilesSite())
        self.assertEqual(self.stranger.get("/gallery/?page=2").status, 404)

    def test_archive(self) -> None:
        """All can be downloaded at once."""
        page = self.page()
        (link,) = [each for each in page.all("a") if (each["href"] or "").endswith("archive/gallery/")]
        answer = self.stranger.get(leads_to("/gallery/", link["href"]))
        self.assertEqual(len(ZipFile(BytesIO(answer.body)).namelist()), 100)


class OriginalTests(GalleryCase):
    """The files themselves."""

    def test_sent(self) -> None:
        """A picture is shown, whole or in part; what could run is saved."""
        data = picture()
        self.put(b"a.jpg", data)
        self.put(b"page.jpg", b"<html><script>alert(1)</script>")
        answer = self.stranger.get("/gallery/gallery/original/a.jpg", ("Range", "bytes=0-3"))
        self.assertEqual((answer.status, answer.body), (206, data[:4]))
        self.assertEqual(answer.headers["Content-Type"], "image/jpeg")
        self.assertTrue(answer.headers["Content-Disposition"].startswith("inline"))
        self.assertTrue(answer.headers["Content-Security-Policy"].startswith("sandbox"))
        answer = self.stranger.get("/gallery/gallery/original/page.jpg")
        self.assertTrue(answer.headers["Content-Disposition"].startswith("attachment"))

    def test_gone(self) -> None:
        """What is not there is 404, however it is asked for."""
        self.put(b"a.jpg", picture())
        for path in ("b.jpg", "a.jpg/", "a.jpg/b", ".hidden", "..", "%2e%2e%2fa.jpg", "", "a%00.jpg"):
            for below in ("original", "preview/320", "delete"):
                answer = self.browser.get(f"/gallery/gallery/{below}/{path}")
                self.assertEqual(answer.status, 404, (below, path))

    def test_delete(self) -> None:
        """A picture goes by its address; then it is 404, its previews too."""
        self.put(b"a.jpg", picture())
        preview = "/gallery/gallery/preview/320/a.jpg"
        self.assertEqual(self.stranger.get(preview).status, 200)
        target = "/gallery/gallery/original/a.jpg"
        answer = self.ask("DELETE", target, key=KEY)
        self.assertEqual((answer.status, answer.body), (204, b""))
        for method, gone in (("DELETE", target), ("GET", target), ("GET", preview)):
            self.assertEqual(self.ask(method, gone, key=KEY).status, 404)
        self.assertEqual(self.successResultOf(self.site.facts.describe("gallery", [b"a.jpg"])), {})

    def test_delete_this(self) -> None:
        """Who wants one version gone removes no other."""
        target = "/gallery/gallery/original/a.jpg"
        self.put(b"a.jpg", picture())
        etag = self.stranger.get(target).headers["ETag"]
        for header, status in (
            (("If-Match", '"other"'), 412),
            (("If-Match", etag), 204),
            (("If-Match", etag), 404),
        ):
            self.assertEqual(self.ask("DELETE", target, header, key=KEY).status, status, header)

    def test_why_not_deleted(self) -> None:
        """The script is told why a picture was not deleted as a problem."""
        for target, key, status in (("b.jpg", KEY, 404), ("b.jpg", None, 401)):
            answer = self.ask(
                "DELETE", f"/gallery/gallery/original/{target}", ("Accept", "application/json"), key=key
            )
            self.assertEqual(answer.status, status)
            self.assertEqual(answer.headers["Content-Type"], "application/problem+json")

    def test_last_one(self) -> None:
        """With its last file an album is gone; who deleted it gets to where a new one can be begun."""
        self.put(b"a.jpg", picture(), _SECRET)
        target = f"/gallery/{_SECRET}/delete/a.jpg"
        answer = self.browser.submit(target)
        following = leads_to(target, answer.headers["Location"])
        self.assertEqual(following, f"/upload/{_SECRET}/")
        self.assertEqual(self.browser.get(following).status, 200)

    def test_ask_to_delete(self) -> None:
        """The page that asks names the file, changes nothing, and leads back."""
        self.put(b"a/b.jpg", picture())
        target = "/gallery/gallery/delete/a/b.jpg"
        page = Page(self.browser.get(target))
        self.assertIn("a/b.jpg", page.text)
        (back,) = [each for each in page.all("a") if each["href"] == "../../"]
        self.assertEqual(leads_to(target, back["href"]), "/gallery/gallery/")
        self.assertEqual(self.names(), ["a/b.jpg"])


class LocationTests(GalleryCase):
    """Files without the place where they were taken."""

    def setUp(self) -> None:
        super().setUp()
        self.data = picture(located=True)
        self.put(b"a.jpg", self.data)

    def located(self, data: bytes) -> bool:
        return bool(Image.open(BytesIO(data)).getexif().get_ifd(0x8825))

    def test_original(self) -> None:
        """An original without it has the same length, another validator, and can be asked for in part."""
        target = "/gallery/gallery/original/a.jpg"
        whole, stripped = self.stranger.get(target), self.stranger.get(f"{target}?location=strip")
        self.assertTrue(self.located(whole.body))
        self.assertFalse(self.located(stripped.body))
        self.assertEqual(len(stripped.body), len(self.data))
        self.assertNotEqual(whole.headers["ETag"], stripped.headers["ETag"])
        part = self.stranger.get(f"{target}?location=strip", ("Range", "bytes=10-99"))
        self.assertEqual((part.status, part.body), (206, stripped.body[10:100]))

    def test_archive(self) -> None:
        """So has an archive, to which the page leads."""
        (link,) = [each for each in self.page().all("a") if "location=strip" in (each["href"] or "")]
        with ZipFile(BytesIO(self.stranger.get(leads_to("/gallery/", link["href"])).body)) as archive:
            self.assertFalse(self.located(archive.read("a.jpg")))
        with ZipFile(BytesIO(self.stranger.get("/archive/gallery/").body)) as archive:
            self.assertTrue(self.located(archive.read("a.jpg")))

    def test_misspelt(self) -> None:
        """Who misspells it gets nothing rather than the location."""
        for said in ("Strip", "keep", "", "strip&location=strip", "strip%20", "%ff"):
            for target in ("/gallery/gallery/original/a.jpg", "/archive/gallery/"):
                self.assertEqual(self.stranger.get(f"{target}?location={said}").status, 400, said)

    def test_not_possible(self) -> None:
        """A file of which nobody can say that it tells no location is not given out as such."""
        self.put(b"film.bin", b"\0\0\0\x18ftypmp42" + bytes(100))
        self.assertEqual(self.stranger.get("/gallery/gallery/original/film.bin?location=strip").status, 404)


class PolicyTests(GalleryCase):
    """What the pages may do in a browser."""

    def test_policy(self) -> None:
        """No script or style within a page, nothing from elsewhere; and no page is kept."""
        self.put(b"a.jpg", picture())
        for target in ("/", "/gallery/", "/gallery/gallery/", "/gallery/gallery/delete/a.jpg", "/upload/"):
            answer = self.browser.get(target)
            policy = answer.headers["Content-Security-Policy"]
            self.assertIn("default-src 'none'", policy)
            self.assertNotIn("unsafe", policy)
            self.assertEqual(answer.headers["Cache-Control"], "no-store")
            page = Page(answer)
            for tag, attributes in page.elements:
                self.assertNotIn("style", attributes, (target, tag))
                self.assertFalse([name for name in attributes if name.startswith("on")], (target, tag))
            self.assertTrue(all(each.get("src") for each in page.all("script")))

    def test_scripts(self) -> None:
        """What the pages load is there, and so is what that imports, each by the address of its version."""
        for target in ("/", "/gallery/", "/upload/"):
            waiting = [
                leads_to(target, each["src"]) for each in self.page(target, self.browser).all("script")
            ]
            self.assertTrue(waiting)
            for address in waiting:
                answer = self.stranger.get(address)
                self.assertEqual(
                    (answer.status, answer.headers["ETag"]), (200, f'"{address[-16:]}"'), address
                )
                waiting += [
                    f"/static/{name}" for name in re.findall(r'from "\./([^"]*)"', answer.body.decode())
                ]


class FaultTests(GalleryCase):
    """When something is away."""

    def test_deleted_all_the_same(self) -> None:
        """Whatever is wrong with the rest of an album, what was deleted is not told to be there."""
        for error in (Unreadable(b"b.jpg", "denied"), StoreUnavailable("away"), RuntimeError()):
            for album in ("gallery", _SECRET):
                self.use(FilesSite())
                self.put(b"a.jpg", picture(), album)
                self.patch(self.site.galleries.order, "page", Mock(side_effect=error))
                target = f"/gallery/{album}/delete/a.jpg"
                answer = self.browser.submit(target)
                self.assertEqual(answer.status, 303)
                self.assertEqual(leads_to(target, answer.headers["Location"]), f"/gallery/{album}/")
                self.assertEqual(self.stranger.get(f"/gallery/{album}/original/a.jpg").status, 404)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_no_preview(self) -> None:
        """Once it turned out that there is no preview, the page does not ask for it any more."""
        self.put(b"broken.jpg", picture(800, 600)[:1500])
        image = self.page().one("img")
        self.assertEqual(self.stranger.get(leads_to("/gallery/", image["src"])).status, 404)
        page = self.page()
        self.assertEqual(list(page.all("img")), [])
        self.assertIn("No preview", page.text)

    def test_any_date(self) -> None:
        """A file may have a date that no calendar has."""
        for seconds, shown in ((10**12, "31 Dec 9999, 23:59 UTC"), (-(10**12), "1 Jan 1, 00:00 UTC")):
            moment_ns = seconds * 10**9
            self.use(FilesSite(store=MemoryStore(now_ns=lambda: moment_ns)))  # noqa: B023 - used within
            self.put(b"a.jpg", picture())
            self.assertIn(shown, self.page().text)
            for target in ("/gallery/gallery/original/a.jpg", "/api/v1/albums/gallery/"):
                self.assertEqual(self.stranger.get(target).status, 200, target)

    def test_noticed_nonsense(self) -> None:
        """Facts that make no sense do not break a page."""
        self.put(b"a.jpg", picture())
        member = self.successResultOf(self.site.store.stat("gallery", b"a.jpg"))
        for facts in (
            PictureFacts("image/jpeg", 0, 0),
            PictureFacts("image/jpeg", 1, 2**31, taken="when?", maker="<b>", model="\u202e"),
            PictureFacts("image/jpeg", 2**31, 1),
            PictureFacts("<script>"),
        ):
            noted: Any = self.site.pictures.note("gallery", [(b"a.jpg", member.version, facts)])
            self.successResultOf(noted)
            page = self.page()
            self.assertEqual(page.tags.count("script"), 1)
            self.assertNotIn("\u202e", page.text)
