"""
Tests of what the objects of an album are to us.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.storage.errors import NoSuchAlbum, StoreUnavailable
from fileserve.storage.interfaces import Folder, Member
from fileserve.storage.s3listing import Contents, may_be_member, member_of
from fileserve.storage.s3xml import Object

_NAMES = st.sampled_from(["a", "b", ".c", "", "d e", ".."])
_PATHS = st.lists(_NAMES, min_size=1, max_size=4).map("/".join).filter(bool)


def _is_shown(path: str) -> bool:
    return all(name and name[0] != "." for name in path.split("/"))


class ContentsTests(SynchronousTestCase):
    """Objects become members and empty folders."""

    @given(st.dictionaries(_PATHS, st.integers(1, 100)))
    def test_as_on_a_disk(self, found: dict[str, int]) -> None:
        """Members are those without a hidden or empty name; a marked folder without members is empty."""
        contents = Contents(b"prefix/album/")
        for path, when in found.items():
            contents.add(Object(b"prefix/album/" + path.encode(), when, when * 10, f"e{when}"))
        if not found:
            self.assertRaises(NoSuchAlbum, contents.listing)
            return
        listing = contents.listing()
        clean = {path for path in found if _is_shown(path.removesuffix("/"))}
        members = {path for path in clean if not path.endswith("/")}
        self.assertEqual(
            listing.members,
            [Member(p.encode(), w, w * 10, f"e{w}") for p, w in found.items() if p in members],
        )
        marked = {path.removesuffix("/") for path in clean - members}
        steps = {"/".join(m.split("/")[:depth]) for m in marked for depth in range(1, m.count("/") + 2)}
        empty = {step for step in steps if not any(member.startswith(step + "/") for member in members)}
        self.assertEqual({folder.path.decode() for folder in listing.empty_folders}, empty)
        self.assertEqual(listing.changed_ns, max(found.values()) * 10)

    def test_times_of_folders(self) -> None:
        """A marked folder has the time of its mark; one that is only above a mark has that one's."""
        contents = Contents(b"album/")
        contents.add(Object(b"album/a/b/c/", 0, 3, "e"))
        contents.add(Object(b"album/a/b/", 0, 2, "e"))
        contents.add(Object(b"album/", 0, 9, "e"))
        folders = sorted(contents.listing().empty_folders)
        self.assertEqual([folder.path for folder in folders], [b"a", b"a/b", b"a/b/c"])
        self.assertEqual(folders[1:], [Folder(b"a/b", 2), Folder(b"a/b/c", 3)])

    def test_may_be_member(self) -> None:
        """Hidden names, and names that are not UTF-8, are no member's."""
        for path, may in (
            (b"a/b", True),
            (b"\xc3\xa9", True),
            (b"\xe9", False),
            (b"a/.b", False),
            (b"a//b", False),
        ):
            self.assertEqual(may_be_member(path), may)

    def test_headers(self) -> None:
        """The headers of an object tell the same as its line in a listing; else they are no answer."""
        headers = {"Last-Modified": "Thu, 01 Jan 1970 00:00:05 GMT", "Content-Length": "7", "ETag": '"e"'}
        self.assertEqual(
            member_of(b"a", lambda name: headers.get(name, "")), Member(b"a", 7, 5_000_000_000, "e")
        )
        for missing in ("Last-Modified", "Content-Length"):
            less = {name: value for name, value in headers.items() if name != missing}
            self.assertRaises(StoreUnavailable, member_of, b"a", lambda name, less=less: less.get(name, ""))
