"""
``fileserve.web.sessions``: what a cookie must be to count, and how it travels.
"""

from __future__ import annotations

from http.cookies import SimpleCookie

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.web.sessions import LASTS, Sessions, cookie_values, expired_cookie, set_cookie

NOW = 1_800_000_000.5
OURS = Sessions(b"k" * 32)
THEIRS = Sessions(b"x" * 32)

moments = st.floats(1, 10**11)


class SessionsTests(SynchronousTestCase):
    """Which values are sessions."""

    @given(moments, st.floats(0, LASTS, exclude_max=True))
    def test_lasts(self, began: float, later: float) -> None:
        """A session is valid from its begin for 12 hours, its first second included."""
        value = OURS.begin(began)
        self.assertEqual(OURS.valid(value, began + later), began + later - int(began) < LASTS)
        self.assertTrue(OURS.valid(value, began))

    @given(moments, st.floats(LASTS, 10**11))
    def test_ends(self, began: float, later: float) -> None:
        """After 12 hours it is valid no more."""
        self.assertFalse(OURS.valid(OURS.begin(began), began + later))

    def test_future(self) -> None:
        """A session of the future is none, but for a minute by which the clocks of two servers may differ."""
        self.assertTrue(OURS.valid(OURS.begin(NOW + 59), NOW))
        self.assertFalse(OURS.valid(OURS.begin(NOW + 62), NOW))

    @given(moments)
    def test_foreign(self, began: float) -> None:
        """What another key signed is no session."""
        self.assertFalse(OURS.valid(THEIRS.begin(began), began))

    @given(moments, st.data())
    def test_altered(self, began: float, data: st.DataObject) -> None:
        """A value with any other character at any place is no session, the last and the moment included."""
        value = OURS.begin(began)
        place = data.draw(st.integers(0, len(value) - 1))
        other = data.draw(st.sampled_from("0159AZaz-_.=") | st.characters())
        altered = value[:place] + other + value[place + 1 :]
        self.assertEqual(OURS.valid(altered, began), altered == value)

    @given(st.text(st.characters()))
    @example("")
    @example(".")
    @example("1800000000.")
    @example("1" * 10_000 + "." + "A" * 43)
    @example("١." + "A" * 43)
    def test_anything(self, value: str) -> None:
        """Whatever a client sends is no session, and no error."""
        self.assertFalse(OURS.valid(value, NOW))
        self.assertFalse(OURS.valid(OURS.begin(NOW) + value, NOW) and value != "")

    def test_key_is_not_printed(self) -> None:
        """The key does not get into a log."""
        self.assertNotIn("kkk", repr(OURS))


class CookieTests(SynchronousTestCase):
    """The headers that carry the value."""

    def test_set(self) -> None:
        """Scripts and other sites don't get the cookie; one of TLS never travels without it."""
        self.assertEqual(
            set_cookie("1.abc", secure=False),
            b"fileserve=1.abc; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax",
        )
        self.assertEqual(
            set_cookie("1.abc", secure=True),
            b"__Host-fileserve=1.abc; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax; Secure",
        )

    def test_expired(self) -> None:
        """Signing out sets the same cookie, which ends at once."""
        self.assertEqual(
            expired_cookie(secure=False), b"fileserve=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
        )
        self.assertEqual(
            expired_cookie(secure=True),
            b"__Host-fileserve=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure",
        )

    def test_there_and_back(self) -> None:
        """A client that understood ``Set-Cookie``, as Python's own does, sends what is a session."""
        for secure in (False, True):
            jar = SimpleCookie()
            jar.load(set_cookie(OURS.begin(NOW), secure).decode())
            sent = "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())
            (value,) = cookie_values([sent.encode()], secure)
            self.assertTrue(OURS.valid(value, NOW))

    def test_several(self) -> None:
        """Other cookies don't matter; of several of our name all are found, in all headers."""
        for headers, values in (
            ([], []),
            ([b""], []),
            ([b"other=1; theme=dark"], []),
            ([b"fileserve=a"], ["a"]),
            ([b"x=1;fileserve=a ;  fileserve=b; fileserver=c; Fileserve=d"], ["a", "b"]),
            ([b"fileserve=a; x=1", b"y; fileserve=b"], ["a", "b"]),
            ([b'fileserve="a"'], ["a"]),
            ([b"\xff\xfe=\x01; ={}; fileserve=a"], ["a"]),
            ([b"fileserve"], []),
        ):
            found = [value for value in cookie_values(headers, secure=False) if value]
            self.assertEqual(found, values, headers)

    def test_prefix_counts(self) -> None:
        """Over TLS only the cookie counts that nobody else can set, else only the other."""
        headers = [b"fileserve=plain; __Host-fileserve=host"]
        self.assertEqual(cookie_values(headers, secure=True), ["host"])
        self.assertEqual(cookie_values(headers, secure=False), ["plain"])

    @given(st.lists(st.binary()), st.booleans())
    def test_anything(self, headers: list[bytes], secure: bool) -> None:
        """Whatever the headers hold, there is no session in them, and no error."""
        self.assertFalse(any(OURS.valid(value, NOW) for value in cookie_values(headers, secure)))
