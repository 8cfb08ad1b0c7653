"""
The pages in a real Chromium: with and without scripts, wide and narrow, on this machine and by a name.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import zlib
from typing import Any, cast
from urllib.parse import quote

from twisted.trial.unittest import TestCase

from .server import Server, folder, missing, need, start

#: A name that is no address of this machine: without TLS a browser trusts it less.
_HOST = "files.example"

_HOSTILE = (
    "<img src=x onerror=document.title='bad'>\"'.html",
    "photo\u202egnp.exe",
    "a" * 9000 + ".txt",
    "two\nlines\t.txt",
    "Z" + "\u0301\u0302\u0303" * 60 + ".txt",
)

#: Creates what a drop carries; runs in the page.
_DROP = """(names) => {
  const transfer = new DataTransfer();
  for (const name of names) transfer.items.add(new File(["dropped " + name], name, { type: "text/plain" }));
  return transfer;
}"""

_SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def _png() -> bytes:
    """A red dot."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0\xff\0\0")) + chunk(b"IEND", b"")


class BrowserCase(TestCase):
    """A server, and a browser of which every complaint is noted."""

    timeout = 180

    def setUp(self) -> None:
        need("chromium")
        try:
            from playwright.sync_api import sync_playwright  # noqa: PLC0415
        except ImportError:
            missing("playwright is not installed")
        self.state = folder(self)
        self.root = folder(self)
        self.server: Server = start(self, self.root, state=self.state)
        self.base = f"http://127.0.0.1:{self.server.port}/"
        self.key = (self.state / "upload-key").read_text().strip()
        self.complaints: list[str] = []
        self.sessions: dict[Any, Any] = {}
        playwright = sync_playwright().start()
        self.addCleanup(playwright.stop)
        options = [f"--host-resolver-rules=MAP {_HOST} 127.0.0.1"]
        if os.geteuid() == 0:
            options.append("--no-sandbox")
        self.browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
        self.addCleanup(self.browser.close)

    def open(self, **options: Any) -> Any:
        """A page of a fresh profile."""
        context = self.browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        self.addCleanup(context.close)
        context.set_default_timeout(20_000)
        page = context.new_page()
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        return page

    def _note(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def sign_in(self, page: Any, base: str | None = None) -> None:
        """By the form, as a stranger who came for the files."""
        page.goto((base or self.base) + "files/")
        page.get_by_label("Upload key").fill(self.key)
        page.get_by_role("main").get_by_role("button", name="Sign in").click()
        page.get_by_role("heading", name="Files").wait_for()
        self.assertTrue(page.url.endswith("/files/"), page.url)

    def names(self, page: Any) -> list[str]:
        return cast(list[str], page.locator("tbody th").all_inner_texts())

    def wait_for_rows(self, page: Any, number: int) -> None:
        page.locator("tbody tr").nth(number - 1).wait_for()
        self.assertEqual(page.locator("tbody tr").count(), number)

    def files(self, *sizes: int) -> list[dict[str, Any]]:
        """Files to pick."""
        return [
            {"name": f"picked {number}.txt", "mimeType": "text/plain", "buffer": b"x" * size}
            for number, size in enumerate(sizes)
        ]

    def said(self, page: Any, text: str) -> None:
        """Wait until the page tells something, to eyes and to screen readers."""
        page.get_by_role("status").filter(has_text=text).wait_for()

    def store(self, filename: str, data: bytes) -> None:
        answer = self.server.exchange(
            f"PUT /api/v1/files/{quote(filename, safe='')} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            f"Authorization: Bearer {self.key}\r\nContent-Length: {len(data)}\r\n\r\n".encode()
            + data
        )
        assert answer.startswith(b"HTTP/1.1 201 "), answer

    def throttle(self, page: Any, upload: int) -> None:
        """So many bytes leave the browser in a second; -1 is no bound, 0 is none."""
        if page not in self.sessions:
            self.sessions[page] = page.context.new_cdp_session(page)
            self.sessions[page].send("Network.enable")
        self.sessions[page].send(
            "Network.emulateNetworkConditions",
            {"offline": not upload, "latency": 0, "downloadThroughput": -1, "uploadThroughput": upload},
        )


class ScriptTests(BrowserCase):
    """With the script."""

    def test_visit(self) -> None:
        """Signing in, uploading by field and by drop, viewing, copying, deleting, signing out"""
        page = self.open(permissions=["clipboard-read", "clipboard-write"])
        self.sign_in(page)
        self.throttle(page, 200_000)
        page.get_by_label("Upload files").set_input_files(self.files(200_000, 200_000, 200_000))
        page.get_by_role("progressbar", name="picked 0.txt").wait_for()
        page.get_by_text(re.compile(r"^[1-9][0-9]? %$")).first.wait_for()
        self.throttle(page, -1)
        self.said(page, "3 files are uploaded.")
        self.wait_for_rows(page, 3)
        dropped = page.evaluate_handle(_DROP, ["notes.txt", "Звёздные войны.txt"])
        page.locator("form.upload").dispatch_event("drop", {"dataTransfer": dropped})
        self.said(page, "2 files are uploaded.")
        self.wait_for_rows(page, 5)
        self.assertEqual(page.get_by_role("progressbar").count(), 0)
        self.assertIn("Звёздные войны.txt", self.names(page))
        page.get_by_role("link", name="notes.txt", exact=True).click()
        self.assertEqual(page.locator("pre").inner_text(), "dropped notes.txt")
        page.get_by_role("link", name="All files").click()
        page.get_by_role("link", name="Copy link to notes.txt").click()
        self.said(page, "The link is copied.")
        link = page.evaluate("navigator.clipboard.readText()")
        self.assertEqual(self.server.ask(link.removeprefix(self.base[:-1])).body, b"dropped notes.txt")
        page.get_by_role("link", name="Delete notes.txt").click()
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        page.get_by_role("link", name="Delete notes.txt").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        self.said(page, "The file is deleted.")
        self.assertEqual((page.locator("tbody tr").count(), "notes.txt" in self.names(page)), (4, False))
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("link", name="Sign in").wait_for()
        page.goto(self.base + "files/")
        self.assertIn("/sign-in?next=files/", page.url)
        self.assertEqual(self.complaints, [])

    def test_view(self) -> None:
        """A picture is really shown, and so are sound and PDF; the policy forbids none of it."""
        wave = struct.pack(
            "<4sI8sIHHIIHH4sI", b"RIFF", 836, b"WAVEfmt ", 16, 1, 1, 8000, 8000, 1, 8, b"data", 800
        )
        self.store("dot.png", _png())
        self.store("tone.wav", wave + b"\x80" * 800)
        self.store(
            "page.pdf", b"%PDF-1.4\ntrailer<</Root<</Pages<</Kids[<</MediaBox[0 0 9 9]>>]/Count 1>>>>>>\n"
        )
        page = self.open()
        self.sign_in(page)
        for name in ("dot.png", "tone.wav", "page.pdf"):
            page.get_by_role("link", name=name, exact=True).click()
            page.wait_for_load_state("networkidle")
            if name == "dot.png":
                self.assertEqual(page.locator(".shown img").evaluate("image => image.naturalWidth"), 1)
            if name == "tone.wav":
                self.assertEqual(page.locator("audio").evaluate("audio => audio.duration"), 0.1)
            if name == "page.pdf":
                page.get_by_text("open it").wait_for(state="hidden")
            page.go_back()
        self.assertEqual(self.complaints, [])

    def test_failed_upload(self) -> None:
        """An upload that failed says why, and goes on by its button; one can be given up."""
        page = self.open()
        self.sign_in(page)
        self.throttle(page, 0)
        page.get_by_label("Upload files").set_input_files(self.files(10, 20))
        page.locator(".failed").nth(1).wait_for()
        self.assertIn("The connection to the server was lost.", page.locator(".sending").inner_text())
        self.throttle(page, -1)
        page.get_by_role("button", name="Cancel picked 1.txt").click()
        page.get_by_role("button", name="Retry picked 0.txt").click()
        self.wait_for_rows(page, 1)
        self.assertEqual(self.names(page), ["picked 0.txt"])
        # Chromium itself complains of what it could not load.
        self.assertTrue(all("ERR_INTERNET_DISCONNECTED" in each for each in self.complaints), self.complaints)

    def test_session_over(self) -> None:
        """Whose session is over is told so, and nothing is stored."""
        page = self.open()
        self.sign_in(page)
        page.context.clear_cookies()
        page.get_by_label("Upload files").set_input_files(self.files(10))
        self.said(page, "You are not signed in any more.")

    def test_without_tls(self) -> None:
        """By a name and without TLS, where a browser says less of where requests come from, all works too."""
        page = self.open()
        self.sign_in(page, f"http://{_HOST}:{self.server.port}/")
        self.assertFalse(page.evaluate("window.isSecureContext"))
        page.get_by_label("Upload files").set_input_files(self.files(10, 10))
        self.wait_for_rows(page, 2)
        page.get_by_role("link", name="Copy link to picked 0.txt").click()
        self.assertIn("/api/v1/linked/", page.get_by_role("dialog").get_by_label("Link").input_value())
        page.get_by_role("dialog").get_by_role("button", name="Close").click()
        page.get_by_role("link", name="Delete picked 0.txt").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        self.said(page, "The file is deleted.")
        page.get_by_role("link", name="picked 1.txt", exact=True).click()
        page.get_by_role("link", name="Delete", exact=True).click()
        page.get_by_role("button", name="Delete").click()
        page.get_by_text("No files yet.").wait_for()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_role("link", name="Sign in").wait_for()
        self.assertEqual(self.complaints, [])

    def test_keyboard(self) -> None:
        """All can be reached by the keyboard alone, and what has the focus shows it."""
        self.store("notes.txt", b"hello")
        page = self.open()
        page.goto(self.base + "sign-in")
        page.locator("#key:focus").wait_for()
        page.keyboard.type(self.key)
        page.keyboard.press("Enter")
        self.wait_for_rows(page, 1)
        reached = []
        for _ in range(9):
            page.keyboard.press("Tab")
            focused = page.locator(":focus")
            reached.append(
                focused.get_attribute("aria-label") or focused.inner_text() or focused.get_attribute("id")
            )
            self.assertEqual(
                focused.evaluate("each => getComputedStyle(each).outlineStyle"), "solid", reached
            )
        for name in ("Gallery", "Files", "Sign out", "file", "notes.txt", "Delete notes.txt"):
            self.assertIn(name, reached)
        page.get_by_role("link", name="Delete notes.txt").focus()
        page.keyboard.press("Enter")
        page.get_by_role("dialog").wait_for()
        page.keyboard.press("Escape")
        self.assertEqual(page.get_by_role("dialog").count(), 0)
        self.assertEqual(self.names(page), ["notes.txt"])


class PlainTests(BrowserCase):
    """Without a script."""

    def test_visit(self) -> None:
        """Everything works by forms and links."""
        page = self.open(java_script_enabled=False)
        for base in (self.base, f"http://{_HOST}:{self.server.port}/"):
            self.sign_in(page, base)
            page.get_by_label("Upload files").set_input_files(self.files(10, 10, 10))
            page.get_by_role("button", name="Upload", exact=True).click()
            self.wait_for_rows(page, 3)
            page.get_by_role("link", name="picked 0.txt", exact=True).click()
            self.assertEqual(page.locator("pre").inner_text(), "x" * 10)
            page.get_by_role("link", name="Link", exact=True).click()
            link = page.get_by_label("To copy").input_value()
            self.assertIn(f"{base}api/v1/linked/", link)
            page.get_by_role("link", name="Back to the file").click()
            for left in (2, 1, 0):
                page.goto(base + "files/")
                page.get_by_role("link", name="Delete").first.click()
                page.get_by_role("button", name="Delete").click()
                page.get_by_role("heading", name="Files").wait_for()
                self.assertEqual(page.locator("tbody tr").count(), left)
            page.get_by_role("button", name="Sign out").click()
            page.get_by_role("link", name="Sign in").wait_for()
        self.assertEqual(self.complaints, [])

    def test_nothing_that_needs_it(self) -> None:
        """Nothing is there that would need a script."""
        page = self.open(java_script_enabled=False)
        self.sign_in(page)
        self.assertEqual(page.locator("progress, dialog, .hint, [role=status]").count(), 0)


class LayoutTests(BrowserCase):
    """On a phone and on a desk."""

    def test_no_sideways_scrolling(self) -> None:
        """No page is wider than the screen, whatever files are called; no name is more than text."""
        for name in _HOSTILE:
            self.store(name, b"word " * 5000 + b"x" * 5000)
        for width in (390, 1280):
            for scheme in ("light", "dark"):
                page = self.open(viewport={"width": width, "height": 844}, color_scheme=scheme)
                self.sign_in(page)
                self.wait_for_rows(page, len(_HOSTILE))
                paths = page.locator("tbody th a").evaluate_all("links => links.map(link => link.href)")
                for target in (
                    self.base,
                    self.base + "files/",
                    *paths,
                    *(path + action for path in paths for action in ("link", "delete")),
                ):
                    page.goto(target)
                    self.assertEqual(page.evaluate(_SIDEWAYS), 0, (target, width))
                    self.assertNotEqual(page.title(), "bad")
                page.context.close()
        self.assertEqual(self.complaints, [])
