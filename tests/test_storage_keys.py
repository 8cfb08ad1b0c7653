"""
``fileserve.storage.keys`` against the operating system's own idea of a path, and RFC 3986.
"""

from __future__ import annotations

import posixpath
import re
import string
from urllib.parse import quote

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.storage.keys import BadKey, album_name, display_path, is_member_name, member_path

# Hypothesis judges the time an example takes, which says nothing on a busy machine.
patient = settings(deadline=None)

UNRESERVED = string.ascii_letters + string.digits + "-._~"

# What of a path makes trouble, often enough to meet.
fragments = st.sampled_from([b"a", b"b.jpg", b".", b"..", b"/", b"//", b"\0", b"\\", b" ", b"\xff", b"\n"])
disk_names = st.binary(min_size=1, max_size=5).filter(lambda name: not set(name) & {0, 0x2F})
paths = st.one_of(st.binary(max_size=12), st.lists(fragments, max_size=6).map(b"".join))


class AlbumNameTests(SynchronousTestCase):
    """Which segments of a URL name an album."""

    def test_examples(self) -> None:
        """Names as people and programs make them are taken as they are."""
        for name in ("3bea29ccabbbf64bdebcc055319c5745", "a", "~", "-", "_x", "a.b", "A..Z", "x" * 128):
            self.assertEqual(album_name(name), name)

    def test_refused(self) -> None:
        """Nothing that climbs, hides, is too long, or ends in what a regular expression may overlook."""
        climbing = ("", ".", "..", ".hidden", "a/b", "/", "a\\b")
        for name in (*climbing, "x" * 129, "a\n", "a\0", "a b", "%2e", "é", "٣", "\udcff"):
            self.assertRaises(BadKey, album_name, name)

    @patient
    @given(st.text(st.sampled_from(UNRESERVED), min_size=1, max_size=128))
    def test_unreserved(self, name: str) -> None:
        """Every text of 1 to 128 unreserved characters is a name, but for those that begin with a dot."""
        if name.startswith("."):
            self.assertRaises(BadKey, album_name, name)
        else:
            self.assertEqual(album_name(name), name)

    @patient
    @given(st.text(max_size=200))
    def test_what_is_taken(self, segment: str) -> None:
        """Whatever is taken stands in a URL as it is, and is one visible name inside a folder."""
        try:
            name = album_name(segment)
        except BadKey:
            return
        self.assertEqual(quote(name, safe="~"), name)
        self.assertEqual(posixpath.normpath(posixpath.join("/root", name)), f"/root/{name}")
        self.assertFalse(name.startswith("."))
        self.assertLessEqual(len(name), 128)

    def test_error_is_a_value_error(self) -> None:
        """Who knows nothing of keys may catch ``ValueError``."""
        self.assertRaises(ValueError, album_name, "..")


class MemberPathTests(SynchronousTestCase):
    """Which paths name a member inside its album."""

    def test_examples(self) -> None:
        """Any bytes may be a name, for a disk takes any."""
        common = (b"1.jpg", b"2024/summer/1.jpg", "Фото.jpg".encode())
        for path in (*common, b"a\\b", b"\xff\xfe", b" ", b"~", b"C:", b"a..b", b"a\n"):
            self.assertEqual(member_path(path), path)

    def test_refused(self) -> None:
        """Nothing that climbs, is absolute, hides at any depth, is empty, or ends early for C."""
        climbing = (b".", b"..", b"a/..", b"../a", b"a/../b", b"a/./b", b"/a", b"/")
        for path in (*climbing, b"", b"a/", b"a//b", b".a", b"a/.b", b".a/b", b"a\0", b"\0", b"a/\0/b"):
            self.assertRaises(BadKey, member_path, path)

    @patient
    @given(paths)
    @example(b"a/b.jpg")
    def test_what_is_taken(self, path: bytes) -> None:
        """Whatever is taken lies inside the album and means itself: no other path names the same file."""
        try:
            taken = member_path(path)
        except BadKey:
            return
        self.assertEqual(taken, path)
        self.assertEqual(posixpath.normpath(posixpath.join(b"/root/album", path)), b"/root/album/" + path)
        self.assertNotIn(b"\0", path)
        self.assertFalse(re.search(rb"(^|/)\.", path))

    @patient
    @given(st.lists(disk_names, min_size=1))
    def test_made_of_member_names(self, names: list[bytes]) -> None:
        """A path is a member's exactly when each of its names belongs to an album, as a walk has it."""
        path = b"/".join(names)
        if all(map(is_member_name, names)):
            self.assertEqual(member_path(path), path)
        else:
            self.assertRaises(BadKey, member_path, path)


class MemberNameTests(SynchronousTestCase):
    """Which names in a folder belong to an album."""

    def test_hidden(self) -> None:
        """A name that begins with a dot never does: uploads in progress lie under such names."""
        for name in (b".", b"..", b".htaccess", b".a.jpg", b"..."):
            self.assertFalse(is_member_name(name), name)
        for name in (b"a", b"a.", b"-", b" .a", b"\xff.", "．a".encode()):
            self.assertTrue(is_member_name(name), name)


class DisplayPathTests(SynchronousTestCase):
    """How a path is spelt in a log line."""

    def test_plain(self) -> None:
        """What can be read is spelt as it is, in any script."""
        self.assertEqual(display_path("2024/Отпуск на море.jpg".encode()), "2024/Отпуск на море.jpg")

    def test_escaped(self) -> None:
        """What is not UTF-8, ends the line, drives a terminal or turns the writing is spelt out."""
        for path, spelt in (
            (b"caf\xe9.jpg", "caf\\xe9.jpg"),
            (b"a\nb", "a\\nb"),
            (b"\x1b[31m", "\\x1b[31m"),
            ("c1\x85\u2028".encode(), "c1\\x85\\u2028"),
            ("photo\u202egpj.exe".encode(), "photo\\u202egpj.exe"),
            (b"\xed\xb3\xbf", "\\xed\\xb3\\xbf"),
        ):
            self.assertEqual(display_path(path), spelt)

    @patient
    @given(paths)
    def test_any(self, path: bytes) -> None:
        """Whatever the bytes, the text is one printable line that any log can encode."""
        text = display_path(path)
        self.assertTrue(text.isprintable(), text)
        self.assertEqual(text.encode("utf-8").decode("utf-8"), text)
