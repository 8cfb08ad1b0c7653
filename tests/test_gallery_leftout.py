"""
What is said of files that are left out.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from fileserve.gallery.leftout import may_be_note, note
from fileserve.storage.interfaces import Member


def members(*paths: bytes) -> list[Member]:
    return [Member(path, 1, 5 + index, ()) for index, path in enumerate(paths)]


class NoteTests(SynchronousTestCase):
    """`note`."""

    def test_text(self) -> None:
        """A sentence that says why, then one name a line, sorted, whatever bytes it is made of."""
        made = note(members(b"z.heic", b"a/\xff\n.mp4", "ä\u202e".encode()), (), "mark-")
        why, empty, *names, end = made.text.decode().split("\n")
        self.assertIn("location", why)
        self.assertEqual((empty, names, end), ("", ["a/\\xff\\n.mp4", "z.heic", "ä\\u202e"], ""))

    def test_member(self) -> None:
        """It is as long as its text, as old as the newest, and its version follows from the text."""
        made, again = (note(members(b"a", b"b"), (), "mark-") for _ in range(2))
        self.assertEqual(made, again)
        self.assertEqual((made.member.size, made.member.mtime_ns), (len(made.text), 6))
        self.assertTrue(str(made.member.stamp).startswith("mark-"))
        self.assertNotEqual(made.member.stamp, note(members(b"a", b"c"), (), "mark-").member.stamp)

    def test_name_taken(self) -> None:
        """Where its name is taken, it gets a number."""
        taken = {b"NOT-INCLUDED.txt", b"NOT-INCLUDED (2).txt"}
        for names, path in (((), b"NOT-INCLUDED.txt"), (taken, b"NOT-INCLUDED (3).txt")):
            made = note(members(b"a"), names, "")
            self.assertEqual(made.member.path, path)
            self.assertTrue(may_be_note(path))
        self.assertFalse(may_be_note(b"a/NOT-INCLUDED.txt"))
        self.assertFalse(may_be_note(b"a.jpg"))
