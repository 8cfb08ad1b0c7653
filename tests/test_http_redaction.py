"""
``fileserve.http.redaction``: what a log shows, and what it never shows.
"""

from __future__ import annotations

from urllib.parse import unquote

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.http.redaction import log_path, shorten

# Hypothesis judges the time an example takes, which says nothing on a busy machine.
patient = settings(deadline=None)

SECRET = "3bea29ccabbbf64bdebcc055319c5745"

# DESIGN section 2: what an album may be called.
albums = st.from_regex(r"\A[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,127}\Z")

BEGINNINGS = (
    "/archive/", "/gallery/", "/upload/", "/api/v1/", "/api/v1/albums/", "/api/v1/files/", "/api/v1/get-url/",
    "/api/v1/download-full/", "/api/v1/download-stream/",
)  # fmt: skip


@st.composite
def misspelled(draw: st.DrawFn) -> str:
    """A beginning of ours as a client, a crawler or a slip of the pen may write it."""
    text = draw(st.sampled_from(BEGINNINGS))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(text)))
        more = draw(
            st.sampled_from(
                ("/", "/./", "/../", "/archive/", "%2F", "%2e/", "%00", ";", "x", "\\", "%", "//h")
            )
        )
        text = text[:place] + more + text[place:]
    return draw(
        st.sampled_from((text, text.upper(), text.title(), text.replace("a", "%61"), "http://host" + text))
    )


class ShortenTests(SynchronousTestCase):
    """Names shortened."""

    def test_table(self) -> None:
        """Eight characters of a long name, three of a short one, and never all."""
        for name, shown in (
            (SECRET, "3bea29cc…"),
            ("123456789", "12345678…"),
            ("12345678", "123…"),
            ("1234", "123…"),
            ("123", "12…"),
            ("1", "…"),
            ("", ""),
        ):
            self.assertEqual(shorten(name), shown)

    @patient
    @given(st.text(min_size=1))
    def test_never_whole(self, name: str) -> None:
        """What is shown before the ``…`` is shorter than the name."""
        shown = shorten(name)
        self.assertTrue(shown.endswith("…"))
        self.assertTrue(name.startswith(shown[:-1]))
        self.assertLess(len(shown[:-1]), len(name))


class LogPathTests(SynchronousTestCase):
    """URIs made fit for a log."""

    def test_routes(self) -> None:
        """Our own words are shown, and of everything after them as much as of a secret."""
        for uri, shown in (
            ("/", "/"),
            ("", ""),
            ("/favicon.ico", "/favicon.ico"),
            ("/healthz", "/healthz"),
            (f"/archive/{SECRET}", "/archive/3bea29cc…"),
            (f"/archive/{SECRET}/", "/archive/3bea29cc…/"),
            ("/gallery/", "/gallery/"),
            (f"/gallery/{SECRET}/holiday.jpg", "/gallery/3bea29cc…/holiday.…"),
            (f"/upload/{SECRET}", "/upload/3bea29cc…"),
            ("/api/openapi.json", "/api/openapi.json"),
            ("/api/v1/", "/api/v1/"),
            (f"/api/v1/{SECRET}", "/api/v1/3bea29cc…"),
            (f"/api/v1/albums/{SECRET}/a.jpg", "/api/v1/albums/3bea29cc…/a.j…"),
            (f"/api/v1/download-stream/{SECRET}", "/api/v1/download-stream/3bea29cc…"),
        ):
            self.assertEqual(log_path(uri.encode()), shown, uri)

    def test_other_spellings(self) -> None:
        """Where the beginning is not ours, everything is shortened; percent-encoding hides nothing."""
        for uri, shown in (
            (f"/%61rchive/{SECRET}/", "/archive/3bea29cc…/"),
            (f"/archive%2F{SECRET}%2F", "/archive/3bea29cc…/"),
            (f"/archive/%33{SECRET[1:]}/", "/archive/3bea29cc…/"),
            (f"//archive//{SECRET}", "//arc…//3bea29cc…"),
            (f"/./archive/{SECRET}", "/…/arc…/3bea29cc…"),
            (f"/Archive/{SECRET}", "/Arc…/3bea29cc…"),
            (f"/archive{SECRET}", "/archive3…"),
            (f"/archives/{SECRET}", "/arc…/3bea29cc…"),
            (f"/%2561rchive/{SECRET}", "/%61rchiv…/3bea29cc…"),
            (f"http://host/archive/{SECRET}", "htt…//hos…/arc…/3bea29cc…"),
            (SECRET, "3bea29cc…"),
            ("*", "…"),
        ):
            self.assertEqual(log_path(uri.encode()), shown, uri)

    def test_album_named_like_a_route(self) -> None:
        """A word of ours is a name like others where an album's name stands."""
        self.assertEqual(log_path(b"/archive/gallery/"), "/archive/gal…/")
        self.assertEqual(log_path(b"/archive/archive/"), "/archive/arc…/")

    def test_query(self) -> None:
        """Of a query the names are shown; the values, and what may be a value alone, are not."""
        for query, shown in (
            ("key=hunter2", "key=…"),
            ("filename=a.zip&file=b&file=c", "filename=…&file=…&file=…"),
            ("key=", "key=…"),
            (SECRET, "…"),
            (f"{SECRET}=", "3bea29cc…=…"),
            ("key%3Dhunter2", "…"),
            ("key=a=b", "key=…"),
            ("a=1&&b", "a=…&&…"),
            ("a=1?b=2", "a=…"),
            ("", ""),
        ):
            self.assertEqual(log_path(f"/sign-in?{query}".encode()), f"/sign-in?{shown}", query)

    def test_escapes(self) -> None:
        """What could end a line, a word or a quoted string is escaped, encoded by the client or not."""
        for uri, shown in (
            (b"/\r\n", r"/\r…"),
            (b"/%0d%0aGET", r"/\r\nG…"),
            (b'/"', "/…"),
            (b'/a"b', r"/a\"…"),
            (b"/%22'x", r"/\"\'…"),
            (b"/%5cxx", r"/\\x…"),
            (b"/%20%09x", r"/\x20\t…"),
            (b"/\x1b[31m", r"/\x1b[3…"),
            (b"/%C2%85x", r"/\x85…"),
            (b"/%E2%80%AExx", r"/\u202ex…"),
            (b"/%ff\xfex", "/\ufffd\ufffd…"),
            ("/фото.jpg".encode(), "/фот…"),
            (b"/?a%0a=1", r"/?a\n=…"),
        ):
            self.assertEqual(log_path(uri), shown, uri)

    def test_long(self) -> None:
        """What is longer than 512 characters is cut, and shows it."""
        self.assertEqual(log_path(b"/ab" * 171), ("/a…" * 171)[:511] + "…")
        self.assertEqual(log_path(b"/" * 512), "/" * 512)
        self.assertEqual(log_path(b"/" * 513), "/" * 511 + "…")

    def test_cut_beside_a_backslash(self) -> None:
        """A cut leaves no backslash that would escape what follows."""
        self.assertEqual(log_path(b"/" * 510 + b"%0a%0a"), "/" * 510 + "…")

    @patient
    @given(albums)
    @example("archive")
    def test_every_route_hides_the_album(self, album: str) -> None:
        """After each of our beginnings exactly the shortened name is shown."""
        for beginning in ("/archive/", "/gallery/", "/upload/", "/api/v1/albums/"):
            self.assertEqual(log_path(f"{beginning}{album}/".encode()), f"{beginning}{shorten(album)}/")

    @patient
    @given(misspelled(), st.text("0123456789abcdef", min_size=12, max_size=64), st.text(max_size=20))
    def test_every_spelling_hides_the_album(self, beginning: str, album: str, after: str) -> None:
        """However a request is written, a secret name in it does not reach the log, nor all but its end."""
        assume(album not in beginning + after)
        for uri in (
            f"{beginning}{album}{after}",
            f"{beginning}{album}/{after}",
            f"/?{beginning}&{album}&{after}",
        ):
            shown = log_path(uri.encode(errors="replace"))
            self.assertNotIn(album[:10], shown)
            self.assertNotIn(album[:10], unquote(shown))

    @patient
    @given(st.binary() | st.text().map(lambda text: text.encode(errors="replace")))
    @example(b"/%0a" * 400)
    @example(b'/"\\' * 400)
    def test_one_word(self, uri: bytes) -> None:
        """Any URI is one word of printable characters, without a quote that is not escaped."""
        shown = log_path(uri)
        self.assertTrue(shown.isprintable(), shown)
        self.assertEqual(shown.split(), [shown] if shown else [])
        self.assertLessEqual(len(shown), 512)
        bare = shown.replace("\\\\", "").replace('\\"', "").replace("\\'", "")
        self.assertNotIn('"', bare)
        self.assertNotIn("'", bare)
        self.assertFalse(bare.endswith("\\"), shown)
