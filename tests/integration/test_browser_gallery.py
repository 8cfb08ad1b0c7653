"""
The gallery in a real Chromium: uploads, pictures in front of the page, deletion, archives, and who can't see.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from tests.gallerysupport import picture

from .server import missing
from .test_browser import BrowserCase

#: Creates what a drop or the clipboard carries; runs in the page.
_TRANSFER = """(files) => {
  const transfer = new DataTransfer();
  for (const [name, data] of files) {
    const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
  }
  return transfer;
}"""

_SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

_LOADED = """() => [...document.querySelectorAll("#listing img, .frame img")]
  .every((image) => image.complete && image.naturalWidth > 0)"""

_IN_FRONT = "() => document.querySelector('.frame img').naturalWidth > 0"

_HOSTILE = (
    "<img src=x onerror=document.title='bad'>\"'.jpg",
    "photo\u202egnp.jpg",
    "a" * 180 + ".jpg",
    "two\nlines\t, 100%25?x#y;z.jpg",
)


def _noise(seed: int, size: int) -> bytes:
    """A picture with so many bytes behind its end, so that sending it takes a while."""
    return picture(600, 400, f"hsl({seed * 40 % 360}, 60%, 50%)") + os.urandom(size)


class GalleryCase(BrowserCase):
    """A server with a gallery, and a browser."""

    def open_gallery(self, **options: Any) -> Any:
        """The gallery's page of somebody who signed in."""
        page = self.open(**options)
        self.sign_in(page)
        page.goto(self.base + "gallery/")
        return page

    def drop(self, page: Any, **files: bytes) -> None:
        """Drop pictures onto the page; an underscore in a name is its dot."""
        page.locator("body").dispatch_event("drop", {"dataTransfer": self._transfer(page, files.items())})

    def _transfer(self, page: Any, files: Iterable[tuple[str, bytes]]) -> Any:
        encoded = [[name.replace("_", "."), base64.b64encode(data).decode()] for name, data in files]
        return page.evaluate_handle(_TRANSFER, encoded)

    def shown(self, page: Any, *names: str) -> None:
        """Wait until these are the tiles."""
        page.wait_for_function(
            """(wanted) => {
              const names = [...document.querySelectorAll(".tile bdi")].map((each) => each.textContent);
              return JSON.stringify(names.sort()) === JSON.stringify(wanted);
            }""",
            arg=sorted(names),
        )

    def loaded(self, page: Any) -> None:
        """Wait until all is known, and scroll through the page until all its pictures are there."""
        page.locator("[data-pending]").first.wait_for(state="detached")
        page.evaluate(
            """async () => {
              for (const tile of document.querySelectorAll(".tile")) {
                tile.scrollIntoView();
                await new Promise(requestAnimationFrame);
              }
            }"""
        )
        page.wait_for_function(_LOADED)

    def put(self, name: bytes, data: bytes, album: str = "gallery") -> None:
        """Put a file into an album as others do: into its folder."""
        folder = self.root / album
        folder.mkdir(exist_ok=True)
        (folder / os.fsdecode(name)).write_bytes(data)


class ScriptTests(GalleryCase):
    """With the scripts."""

    def test_visit(self) -> None:
        """Uploading by drop, looking by keyboard, deleting, and downloading what is left"""
        page = self.open_gallery(accept_downloads=True)
        self.throttle(page, 300_000)
        self.drop(page, one_jpg=_noise(1, 300_000), two_jpg=_noise(2, 300_000), three_jpg=_noise(3, 300_000))
        page.get_by_role("progressbar", name="one.jpg").wait_for()
        page.get_by_text(re.compile(r"^[1-9][0-9]? %$")).first.wait_for()
        self.throttle(page, -1)
        self.said(page, "3 files are uploaded.")
        self.shown(page, "one.jpg", "two.jpg", "three.jpg")
        self.assertEqual(page.get_by_role("progressbar").count(), 0)
        self.loaded(page)
        self.look_by_keys(page)
        page.get_by_role("link", name="Delete two.jpg").click()
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        page.get_by_role("link", name="Delete two.jpg").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        self.said(page, "The picture is deleted.")
        self.shown(page, "one.jpg", "three.jpg")
        page.get_by_text("2 files").wait_for()
        self.assertEqual(page.locator(".tile a:focus").count(), 1)
        with page.expect_download() as download:
            page.get_by_role("link", name="Download all").click()
        with ZipFile(download.value.path()) as archive:
            self.assertEqual(archive.namelist(), ["one.jpg", "three.jpg"])
            self.assertIsNone(archive.testzip())
        self.assertEqual(self.complaints, [])

    def look_by_keys(self, page: Any) -> None:
        """All of the pictures, one after the other."""
        links = page.locator("a.view")
        names = [links.nth(number).get_by_role("img").get_attribute("alt") for number in range(3)]
        links.first.focus()
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog")
        dialog.wait_for()
        self.assertTrue(dialog.evaluate("dialog => dialog.contains(document.activeElement)"))
        for key, at in (
            ("ArrowRight", 1),
            ("ArrowRight", 2),
            ("ArrowRight", 2),
            ("Home", 0),
            ("ArrowLeft", 0),
            ("End", 2),
            ("ArrowLeft", 1),
        ):
            page.keyboard.press(key)
            dialog.get_by_role("heading", name=names[at]).wait_for()
            self.assertEqual(dialog.get_by_role("status").text_content(), f"{names[at]}, {at + 1} of 3")
            page.wait_for_function(_LOADED)
        original = dialog.get_by_role("link", name="Open the original").get_attribute("href") or ""
        self.assertTrue(original.endswith(f"gallery/original/{names[1]}"), original)
        page.keyboard.press("Escape")
        self.assertFalse(dialog.is_visible())
        page.locator(f"a.view:focus img[alt='{names[1]}']").wait_for()

    def test_pointer(self) -> None:
        """The pictures turn by buttons and by swipes; beside one it is left; the page stays."""
        for number in range(3):
            self.put(b"%d.jpg" % number, picture(300, 200 + number))
        page = self.open(viewport={"width": 390, "height": 600})
        page.goto(self.base + "gallery/")
        self.loaded(page)
        page.locator("a.view").nth(0).click()
        dialog = page.get_by_role("dialog")
        status = dialog.get_by_role("status")
        dialog.get_by_role("button", name="Next picture").click()
        self.assertIn("2 of 3", status.inner_text())
        for begin, end, at in ((300, 100, "3 of 3"), (100, 300, "2 of 3"), (200, 190, "2 of 3")):
            page.mouse.move(begin, 250)
            page.mouse.down()
            page.mouse.move(end, 255, steps=5)
            page.mouse.up()
            self.assertIn(at, status.inner_text())
        self.assertEqual(page.evaluate("getComputedStyle(document.documentElement).overflowY"), "hidden")
        dialog.get_by_role("button", name="Previous picture").click()
        previous = dialog.get_by_role("button", name="Previous picture")
        self.assertIn("1 of 3", status.inner_text())
        self.assertEqual(previous.get_attribute("aria-disabled"), "true")
        page.mouse.click(200, 100)
        self.assertFalse(dialog.is_visible())
        page.locator("a.view").nth(2).click()
        dialog.get_by_role("button", name="Close").click()
        self.assertFalse(dialog.is_visible())
        self.assertEqual(self.complaints, [])

    def test_refused(self) -> None:
        """Each refused picture says why, and leads on: to the same one, to another try, to signing in."""
        page = self.open_gallery()
        same = _noise(1, 10)
        self.drop(page, first_jpg=same)
        self.said(page, "The file is uploaded.")
        self.drop(page, second_jpg=same, text_jpg=b"hello")
        rows = page.get_by_role("list", name="Uploads").get_by_role("listitem")
        page.locator(".failed").nth(1).wait_for()
        there = rows.filter(has_text="second.jpg")
        self.assertIn("in the album already, as 'first.jpg'", there.inner_text())
        link = there.get_by_role("link", name="See the one that is there").get_attribute("href")
        self.assertEqual(link, self.base + "gallery/gallery/original/first.jpg")
        self.assertIn("not a picture", rows.filter(has_text="text.jpg").inner_text())
        self.assertEqual(page.get_by_role("button", name="Retry").count(), 0)
        self.assertEqual(page.get_by_role("button", name=re.compile("^Cancel")).count(), 0)
        for name in ("second.jpg", "text.jpg"):
            page.get_by_role("button", name=f"Dismiss {name}").click()
        self.drop(
            page, **{f"{number}_jpg": picture(number) for number in range(1, 5)}, a_jpg=same, b_jpg=b"x"
        )
        self.said(page, "4 uploaded, 2 refused")
        for name in ("a.jpg", "b.jpg"):
            page.get_by_role("button", name=f"Dismiss {name}").click()
        for path in (self.root / "gallery").glob("[1-4].jpg"):
            path.unlink()
        self.throttle(page, 0)
        self.drop(page, third_jpg=_noise(3, 10))
        page.get_by_text("The connection to the server was lost.").first.wait_for()
        self.throttle(page, -1)
        cookies = page.context.cookies()
        page.context.clear_cookies()
        page.get_by_role("button", name="Retry third.jpg").click()
        sign_in = rows.get_by_role("link", name="Sign in")
        sign_in.wait_for()
        self.assertIn("sign-in?next=upload/", sign_in.get_attribute("href") or "")
        page.context.add_cookies(cookies)
        page.get_by_role("button", name="Retry third.jpg").click()
        self.shown(page, "first.jpg", "third.jpg")
        # Chromium itself complains of what was refused, and of what it could not load.
        self.assertEqual([each for each in self.complaints if "Failed to load resource" not in each], [])

    def test_not_deleted(self) -> None:
        """What can't be deleted stays, and the page says why; what is gone already goes."""
        self.put(b"a.jpg", picture())
        self.put(b"b.jpg", picture(3))
        page = self.open_gallery()
        page.context.clear_cookies()
        page.get_by_role("link", name="Delete a.jpg").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        self.said(page, "You are not signed in any more.")
        self.assertEqual(page.locator(".tile").count(), 2)
        self.sign_in(page)
        page.goto(self.base + "gallery/")
        (self.root / "gallery" / "b.jpg").unlink()
        for name in ("b.jpg", "a.jpg"):
            page.get_by_role("link", name=f"Delete {name}").click()
            page.get_by_role("dialog").get_by_role("button", name="Delete").click()
            self.said(page, "The picture is deleted.")
        page.get_by_text("No pictures any more.").wait_for()

    def test_form(self) -> None:
        """A single picture's name can be chosen, several keep theirs; what was pasted goes as it is."""
        for address in ("upload/", "", "gallery/"):
            page = self.open_gallery()
            page.goto(self.base + address)
            field, chooser = page.get_by_label("Name"), page.get_by_label("Add pictures")
            number = 10 * len(address) + 1
            one, two, three = (
                {"name": f"{number}.{each}.jpg", "mimeType": "image/jpeg", "buffer": picture(number + each)}
                for each in range(3)
            )
            chooser.set_input_files([one])
            self.assertEqual(field.input_value(), f"{number}.0")
            field.fill(f"Morning {number}")
            page.get_by_role("button", name="Upload", exact=True).click()
            self.said(page, "The file is uploaded.")
            self.assertEqual(field.input_value(), "")
            chooser.set_input_files([two, three])
            self.assertFalse(field.is_enabled())
            page.get_by_role("button", name="Upload", exact=True).click()
            self.said(page, "2 files are uploaded.")
            self.assertTrue(field.is_enabled())
            pasted = self._transfer(page, [("image_png", picture(number + 3))])
            page.evaluate(
                "data => document.body.dispatchEvent("
                "new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }))",
                pasted,
            )
            self.said(page, "The file is uploaded.")
            stored = {path.name for path in (self.root / "gallery").iterdir()}
            self.assertIn(f"Morning {number}.jpg", stored)
            self.assertIn(f"{number}.1.jpg", stored)
            if address != "gallery/":
                page.get_by_text(f"Stored as Morning {number}.jpg.").wait_for()
                page.locator(".done").get_by_role("link", name="Gallery").first.click()
                page.get_by_role("heading", name="Gallery").wait_for()
            page.locator(".tile bdi").get_by_text(f"Morning {number}.jpg").wait_for()
            page.context.close()
        self.assertEqual(self.complaints, [])

    def test_filled_in(self) -> None:
        """What was not known when the page came is filled in, and all else of the page stays as it is."""
        self.put(b"a.jpg", picture())
        self.put(b"b.jpg", picture(3))
        page = self.open()
        page.goto(self.base + "gallery/")
        self.loaded(page)
        asked: list[str] = []

        def unknown(route: Any) -> None:
            asked.append(route.request.url)
            response = route.fetch()
            text = response.text()
            if len(asked) < 3:
                text = re.sub(r'(data-tile="a\.jpg[^>]*?)>', r"\1 data-pending>", text)
                text = text.replace("<bdi>a.jpg</bdi>", "<bdi>not yet</bdi>")
            route.fulfill(response=response, body=text)

        page.route(re.compile("/gallery/$"), unknown)
        page.goto(self.base + "gallery/")
        self.shown(page, "not yet", "b.jpg")
        page.evaluate("document.querySelector('img[alt=\"b.jpg\"]').id = 'kept'")
        page.get_by_role("link", name="b.jpg").focus()
        self.shown(page, "a.jpg", "b.jpg")
        self.assertEqual((len(asked), page.locator("#kept").count()), (3, 1))
        self.assertTrue(
            page.get_by_role("link", name="b.jpg").evaluate("each => each === document.activeElement")
        )
        self.assertEqual(self.complaints, [])

    def test_previews_later(self) -> None:
        """A preview for which the server had no time comes later; one that there is not is not waited for."""
        self.put(b"a.jpg", picture())
        self.put(b"broken.jpg", picture(800, 600)[:1500])
        page = self.open()
        refused: list[str] = []

        def busy(route: Any) -> None:
            refused.append(route.request.url)
            if len(refused) < 3:
                route.fulfill(status=503, headers={"Retry-After": "1"}, body="Try again soon.")
            else:
                route.continue_()

        page.route(re.compile(r"/preview/320/a\.jpg"), busy)
        page.goto(self.base + "gallery/")
        page.get_by_text("No preview").wait_for()
        page.wait_for_function(_LOADED)
        self.assertEqual(page.locator("#listing img").count(), 1)
        page.get_by_role("link", name="broken.jpg No preview").click()
        self.assertTrue(page.url.endswith("/original/broken.jpg"), page.url)
        self.assertEqual([each for each in self.complaints if "Failed to load resource" not in each], [])

    def test_pages(self) -> None:
        """On the last page, the last picture that is deleted leads to the page before."""
        for number in range(49):
            self.put(b"%d.txt" % number, b"%d" % number)
        page = self.open_gallery()
        page.get_by_role("link", name="Next").click()
        page.get_by_role("link", name=re.compile("^Delete ")).click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        self.said(page, "The picture is deleted.")
        self.assertTrue(page.url.endswith("/gallery/?page=1"), page.url)
        self.assertEqual(page.locator(".tile").count(), 48)
        self.assertEqual(self.complaints, [])


class PlainTests(GalleryCase):
    """Without a script."""

    def test_visit(self) -> None:
        """Everything works by forms and links."""
        page = self.open_gallery(java_script_enabled=False)
        page.get_by_label("Add pictures").set_input_files(
            [
                {"name": f"{number}.jpg", "mimeType": "image/jpeg", "buffer": picture(number + 10, 20)}
                for number in range(3)
            ]
        )
        page.get_by_role("button", name="Upload", exact=True).click()
        page.get_by_role("heading", name="Gallery").wait_for()
        self.assertEqual(page.locator(".tile").count(), 3)
        page.locator("img").nth(2).scroll_into_view_if_needed()
        page.get_by_label("Add pictures").set_input_files(
            {"name": "again.jpg", "mimeType": "image/jpeg", "buffer": picture(10, 20)}
        )
        page.get_by_label("Name").fill("Morning")
        page.get_by_role("button", name="Upload", exact=True).click()
        self.assertIn("in the album already", page.get_by_role("alert").inner_text())
        self.assertEqual(page.get_by_label("Name").input_value(), "Morning")
        page.get_by_role("link", name="See the one that is there").click()
        self.assertTrue(page.url.endswith("/gallery/gallery/original/0.jpg"), page.url)
        for left in (2, 1, 0):
            page.goto(self.base + "gallery/")
            page.get_by_role("link", name=re.compile("^Delete ")).first.click()
            page.get_by_role("button", name="Delete").click()
            page.get_by_role("heading", name="Gallery").wait_for()
            self.assertEqual(page.locator(".tile").count(), left)
        # Chromium itself complains of what was refused.
        self.assertEqual([each for each in self.complaints if "409 (Conflict)" not in each], [])

    def test_nothing_that_needs_it(self) -> None:
        """Nothing is there that would need a script."""
        self.put(b"a.jpg", picture())
        page = self.open_gallery(java_script_enabled=False)
        self.assertEqual(page.locator("progress, dialog, .hint:visible, [role=status]").count(), 0)


class LayoutTests(GalleryCase):
    """On a phone and on a desk."""

    def everywhere(self, look: Callable[[Any, str], None]) -> None:
        """Look at each page, wide and narrow, light and dark, and with a picture in front."""
        for width, height in ((390, 844), (1280, 900)):
            for scheme in ("light", "dark"):
                page = self.open_gallery(viewport={"width": width, "height": height}, color_scheme=scheme)
                for target in ("", "upload/", "gallery/gallery/delete/1.jpg", "gallery/?page=2", "gallery/"):
                    page.goto(self.base + target)
                    look(page, target)
                self.drop(page, bad_jpg=b"hello")
                page.locator(".failed").wait_for()
                look(page, "with an upload that was refused")
                page.locator("a[data-preview]").first.click()
                page.wait_for_function(_IN_FRONT)
                look(page, "with a picture in front")
                page.context.close()

    def fill(self) -> None:
        """Pictures of all shapes, names of all kinds, and what is no picture."""
        shapes = ((300, 200), (200, 300), (2000, 100), (50, 2000), (1, 1), (200, 200))
        for number, (width, height) in enumerate(shapes):
            facts: dict[str, Any] = {}
            if number % 2:
                facts = {"maker": "Canon", "model": "Canon EOS 5D", "taken": "2026:11:20 21:52:00"}
            self.put(b"%d.jpg" % number, picture(width, height, **facts))
        for number, name in enumerate(_HOSTILE):
            self.put(name.encode(), picture(30 + number, 20))
        self.put(b"not \xff UTF-8.txt", b"hello")
        for number in range(50):
            self.put(b"old %d.txt" % number, b"%d" % number)
            os.utime(self.root / "gallery" / f"old {number}.txt", (10**9, 10**9))

    def test_no_sideways_scrolling(self) -> None:
        """No page is wider than the screen, whatever files are called; no name is more than text."""
        self.fill()

        def look(page: Any, what: str) -> None:
            self.assertEqual(page.evaluate(_SIDEWAYS), 0, (what, page.viewport_size))
            self.assertNotEqual(page.title(), "bad")

        self.everywhere(look)
        self.assertEqual([each for each in self.complaints if "415 (Unsupported" not in each], [])

    def test_accessible(self) -> None:
        """axe-core finds nothing serious on any page."""
        path = os.environ.get("FILESERVE_TEST_AXE", "")
        if not Path(path).is_file():
            missing("axe-core is not installed: FILESERVE_TEST_AXE names no file")
        axe = Path(path).read_text(encoding="utf-8")
        self.fill()

        def look(page: Any, what: str) -> None:
            page.evaluate(axe)
            found = page.evaluate("axe.run()")["violations"]
            serious = [
                (each["id"], [node["html"] for node in each["nodes"]])
                for each in found
                if each["impact"] in {"serious", "critical"}
            ]
            self.assertEqual(serious, [], (what, page.viewport_size))

        self.everywhere(look)


class ContentTests(GalleryCase):
    """What is sent to whom."""

    def test_without_location(self) -> None:
        """The page leads to an archive in which no picture says where it was taken."""
        self.put(b"a.jpg", picture(located=True))
        page = self.open(accept_downloads=True)
        page.goto(self.base + "gallery/")
        with page.expect_download() as download:
            page.get_by_role("link", name="without locations").click()
        with ZipFile(download.value.path()) as archive:
            self.assertEqual(archive.namelist(), ["a.jpg"])
            stripped = archive.read("a.jpg")
        whole = self.server.ask("/gallery/gallery/original/a.jpg").body
        self.assertEqual(len(stripped), len(whole))
        self.assertNotEqual(BytesIO(stripped).read(), whole)
