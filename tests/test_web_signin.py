"""
Tests of signing in and out: forms, links with a key, where one goes on, and what a wrong key gets.
"""

from __future__ import annotations

from urllib.parse import urljoin

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.web.signin import own_address

from .filesupport import KEY, FilesSite
from .sitesupport import Browser, Page, leads_to
from .support import Answer

#: Where a link may want to send somebody who signs in; all of it stays here.
_FOREIGN = (
    "https://evil.example/",
    "//evil.example/",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/%2fevil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "files/../../x",
    "../x",
    "..",
    "./..",
    "%2e%2e/x",
    "files//x",
    "files/\r\nSet-Cookie: x=y",
    "files/\t",
    " files/",
    "files/#x",
    "files/?x\n",
    "é",
    "@evil.example",
    "evil.example:80",
    "a" * 5000 + ":",
)


class SignInCase(SynchronousTestCase):
    """A site with one file, and a browser."""

    def setUp(self) -> None:
        self.site = FilesSite()
        self.browser = Browser(self.site)

    def assert_led(self, answer: Answer, target: str, path: str) -> None:
        self.assertEqual((answer.status, answer.body), (303, b""))
        self.assertEqual(leads_to(target, answer.headers["Location"]), path)

    def assert_signed_in(self, *, expected: bool = True) -> None:
        self.assertEqual(self.browser.get("/files/").status, 200 if expected else 303)


class FormTests(SignInCase):
    """The page and its form."""

    def test_form(self) -> None:
        """The page has a field for the key with its label, and says nothing of errors."""
        answer = self.browser.get("/sign-in")
        page = Page(answer)
        self.assertEqual(answer.status, 200)
        self.assertEqual(page.one("input", name="key")["type"], "password")
        page.one("label", **{"for": "key"})
        self.assertEqual(list(page.all("p", id="error")), [])
        self.assertEqual(leads_to("/sign-in", page.one("form", method="post")["action"]), "/sign-in")

    def test_right_key(self) -> None:
        """The right key, also with blanks that copying brings, begins a session and leads to the files."""
        for key in (KEY, f" {KEY}\r\n"):
            self.setUp()
            self.assert_led(self.browser.submit("/sign-in", key=key), "/sign-in", "/files/")
            self.assert_signed_in()

    def test_cookie(self) -> None:
        """The cookie is no script's and no other site's; behind TLS it never leaves in the clear."""
        answer = self.browser.submit("/sign-in", key=KEY)
        (cookie,) = answer.headers.get_all("Set-Cookie") or []
        self.assertTrue({"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; ")), cookie)
        self.assertNotIn(KEY, cookie)

    def test_wrong_key(self) -> None:
        """A wrong one is 401, and the page says so beside the field, without repeating it."""
        answer = self.browser.submit("/sign-in", key="wrong<script>", next="files/x/")
        page = Page(answer)
        self.assertEqual(answer.status, 401)
        self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")
        self.assertIsNone(answer.headers["Set-Cookie"])
        self.assertEqual(page.one("input", name="key")["aria-describedby"], "error")
        page.one("p", id="error", role="alert")
        self.assertIn("This is not the upload key.", page.text)
        self.assertNotIn(b"wrong", answer.body)
        self.assertEqual(page.one("input", name="next")["value"], "files/x/")
        self.assert_signed_in(expected=False)

    def test_no_key(self) -> None:
        """No key is no guess: it is refused, however often, and counts for nothing."""
        for body in (b"key=", b"", b"key=%20", b"next=files/"):
            for _ in range(11):
                answer = self.browser.send(body, "application/x-www-form-urlencoded", "/sign-in")
                self.assertEqual(answer.status, 401)
                self.assertIn("Enter the upload key.", Page(answer).text)
        self.assert_led(self.browser.submit("/sign-in", key=KEY), "/sign-in", "/files/")

    def test_too_many(self) -> None:
        """After ten wrong ones the page says how long to wait, also to who has the right one."""
        for _ in range(10):
            self.assertEqual(self.browser.submit("/sign-in", key="wrong").status, 401)
        self.site.clock.advance(20)
        answer = self.browser.submit("/sign-in", key=KEY)
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (429, "40"))
        self.assertIn("Try again in 40 seconds.", Page(answer).text)
        self.site.clock.advance(40)
        self.assert_led(self.browser.submit("/sign-in", key=KEY), "/sign-in", "/files/")

    def test_broken(self) -> None:
        """Whatever comes for a form is refused, and never an error of ours."""
        for body in (b"\xff" * 100, b"&" * 60_000, b"key=%ff%00%zz", b"=" * 1000, b"key=\xf0\x9f\x98\x80"):
            self.assertEqual(self.browser.send(body, "text/plain", "/sign-in").status, 401)
            self.setUp()
        self.assertEqual(self.browser.send(b"a" * 70_000, "text/plain", "/sign-in").status, 413)

    def test_signed_in_already(self) -> None:
        """Who is signed in needs no form."""
        self.browser.sign_in()
        self.assert_led(self.browser.get("/sign-in?next=files/x/"), "/sign-in", "/files/x/")


class LinkTests(SignInCase):
    """The link with the key."""

    def test_right_key(self) -> None:
        """It signs in, and leads on at once, so that the key is in no address bar, nor kept anywhere."""
        answer = self.browser.get(f"/sign-in?key={KEY}")
        self.assert_led(answer, "/sign-in", "/files/")
        self.assertNotIn(KEY, str(answer.headers))
        self.assert_signed_in()

    def test_wrong_key(self) -> None:
        """A wrong one is answered as in the form."""
        answer = self.browser.get("/sign-in?key=wrong")
        self.assertEqual(answer.status, 401)
        self.assertIn("This is not the upload key.", Page(answer).text)

    def test_other_sites(self) -> None:
        """Keys that another site's page or a picture brings are not tried, so nobody can lock others out."""
        for headers in (
            [("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Dest", "document")],
            [("Sec-Fetch-Site", "same-site"), ("Sec-Fetch-Dest", "document")],
            [("Sec-Fetch-Site", "none"), ("Sec-Fetch-Dest", "image")],
        ):
            for key in [KEY, *["wrong"] * 20]:
                answer = self.site.ask("GET", f"/sign-in?key={key}", None, headers)
                self.assertEqual(answer.status, 200)
        self.assertEqual(self.browser.get(f"/sign-in?key={KEY}").status, 303)

    def test_new_one(self) -> None:
        """It works for who is signed in too: the key is looked at."""
        self.browser.sign_in()
        self.assertEqual(self.browser.get("/sign-in?key=wrong").status, 401)


class GoingOnTests(SignInCase):
    """Where one goes on."""

    def test_back_to_where_one_was(self) -> None:
        """Who asks for a page and has to sign in first comes back to it, by the form and by a link."""
        for target in ("/files/", "/files/?after=0000000000000001", "/files/abc/", "/files/abc/delete"):
            self.setUp()
            answer = self.browser.get(target)
            self.assertEqual(answer.status, 303)
            at = leads_to(target, answer.headers["Location"])
            following = Page(self.browser.get(at)).one("input", name="next")["value"] or ""
            self.assert_led(self.browser.submit("/sign-in", key=KEY, next=following), "/sign-in", target)
            self.assert_led(self.browser.get(at), at, target)

    def test_foreign(self) -> None:
        """Nobody is led to another site, or out of ours."""
        for address in _FOREIGN:
            self.assertEqual(own_address(address), "files/", address)

    def test_own(self) -> None:
        """Our own addresses are taken, with a slash before them too."""
        for address in ("files/", "files/abc/delete", "gallery/a.b~c/", "files/?after=0a&x=%20"):
            self.assertEqual((own_address(address), own_address(f"/{address}")), (address, address))

    @given(st.text() | st.text("/\\.:?#%@a \t\n2e5cFf"))
    @example("/" * 50 + "a")
    @example("a:b")
    def test_any(self, text: str) -> None:
        """Whatever a link says, it leads below the home page."""
        for base in ("http://files.example/sign-in", "https://files.example/prefix/sign-in?next=x"):
            self.assertTrue(urljoin(base, own_address(text)).startswith(base.partition("sign-in")[0]))


class SignOutTests(SignInCase):
    """Signing out."""

    def setUp(self) -> None:
        super().setUp()
        self.browser.sign_in()

    def test_button(self) -> None:
        """Every page of who is signed in has a button for it, which takes the cookie away."""
        form = Page(self.browser.get("/files/")).one("form", action="../sign-out")
        self.assertEqual(form["method"], "post")
        self.assert_led(self.browser.submit("/sign-out"), "/sign-out", "/")
        self.assertEqual(self.browser.cookie, "")
        self.assert_signed_in(expected=False)

    def test_other_sites(self) -> None:
        """No other site's page signs anybody out."""
        for site in ("cross-site", "same-site", "none"):
            self.browser.comes_from = site
            answer = self.browser.submit("/sign-out")
            self.assertEqual((answer.status, answer.headers["Set-Cookie"]), (403, None), site)

    def test_link(self) -> None:
        """No link and no picture does."""
        self.assertEqual(self.browser.get("/sign-out").status, 405)
        self.assert_signed_in()

    def test_expires(self) -> None:
        """A session ends by itself after twelve hours."""
        self.site.clock.advance(12 * 3600 - 1)
        self.assert_signed_in()
        self.site.clock.advance(2)
        self.assert_signed_in(expected=False)


class HomeTests(SignInCase):
    """The home page."""

    def test_stranger(self) -> None:
        """A stranger is told what this is, and where to sign in; nothing of the files."""
        page = Page(self.browser.get("/"))
        page.one("a", href="./sign-in")
        self.assertNotIn("files/", str(page.elements))

    def test_signed_in(self) -> None:
        """Who is signed in finds the files, and out again."""
        page = Page(self.browser.sign_in().get("/"))
        page.one("a", href="files/")
        page.one("form", action="./sign-out", method="post")
        self.assertEqual([link for link in page.all("a") if "sign-in" in (link["href"] or "")], [])

    def test_not_kept(self) -> None:
        """No cache keeps a page: it is another one after signing in or out."""
        self.assertEqual(self.browser.get("/").headers["Cache-Control"], "no-store")
