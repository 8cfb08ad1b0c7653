"""
``fileserve.storage.names`` against Python's Windows paths and Unicode tables, and examples by hand.
"""

from __future__ import annotations

import os
import tempfile
import unicodedata
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.storage.keys import member_path
from fileserve.storage.names import LONGEST_NAME, numbered, safe_name, safe_segment, split_extension
from tests.nasty import NASTY_PATHS
from tests.test_archive_names import faults

# Hypothesis judges the time an example takes, which says nothing on a busy machine.
patient = settings(deadline=None)

# What of a name makes trouble, often enough to meet. Lone surrogates are what a client's bytes that are no
# UTF-8, or a JSON escape, can become.
_TROUBLE = (
    *(".", "..", "/", "\\", "CON", "nul", "com1", ".jpg", ".JPG", "e\u0301", "%FF"),
    *':*?"<>|\x00\x07\x1b\x7f\x85\u202e\u2066\u2028\ufeff\udcff\udc80\ud83d\udfff\u0958\U0001f600_a',
)
sent = st.one_of(
    st.text(st.characters(), max_size=12),
    st.lists(st.sampled_from([*_TROUBLE, " ", " (2)", "x" * 190, "\u00e9" * 99, "." * 90]), max_size=6).map(
        "".join
    ),
)


class SafeNameTests(SynchronousTestCase):
    """What ``safe_name`` makes of the name that a client sent."""

    def test_examples(self) -> None:
        """Each thing that some system can't take is replaced by as little as possible."""
        for filename, name in (
            ("IMG_0001.JPG", "IMG_0001.JPG"),
            ("Звёздные войны.txt", "Звёздные войны.txt"),
            ("写真 👩‍👧 (2).tar.gz", "写真 👩‍👧 (2).tar.gz"),
            ("e\u0301tude", "\u00e9tude"),
            # only the last segment is the name
            ("C:\\fakepath\\photo.jpg", "photo.jpg"),
            ("../../etc/passwd", "passwd"),
            ("..\\..\\up.txt", "up.txt"),
            ("a/b\\c", "c"),
            ("/", "file"),
            ("folder/", "file"),
            # nothing, and next to nothing
            ("", "file"),
            (".", "file"),
            ("..", "file"),
            (" . . ", "file"),
            ("?", "_"),
            ("\0", "_"),
            # hidden, also after mending
            (".htaccess", "_.htaccess"),
            ("..hidden.txt", "_..hidden.txt"),
            (".jpg", "_.jpg"),
            ("x/.CON", "_.CON"),
            # what lies about itself
            ("photo\u202egpj.exe", "photo_gpj.exe"),
            ("a\r\nSet-Cookie: b.txt", "a__Set-Cookie_ b.txt"),
            ("a\0.jpg", "a_.jpg"),
            ("CON", "_CON"),
            ("nul.tar.gz", "_nul.tar.gz"),
            ("photo.jpg. ", "photo.jpg"),
            ("file.txt:stream", "file.txt_stream"),
            # what is no text
            ("caf\udce9.jpg", "caf%E9.jpg"),
            ("a\ud83d.txt", "a_.txt"),
            ("\ud800", "_"),
            # too long
            ("x" * 10_000 + ".jpeg", "x" * 195 + ".jpeg"),
            ("\u00e9" * 200 + ".txt", "\u00e9" * 98 + ".txt"),
            ("." * 300, "file"),
            ("CON" + " " * 300 + ".txt", "_CON.txt"),
        ):
            self.assertEqual(safe_name(filename), name, ascii(filename))

    @patient
    @given(sent)
    @example("." + "x" * 10_000)
    @example("\u202e" * 10_000)
    @example(".a" * 101)
    def test_any(self, filename: str) -> None:
        """Whatever was sent, the name is one that every system takes, not hidden, short and final."""
        name = safe_name(filename)
        self.assertEqual(list(faults(name)), [])
        self.assertFalse(name.startswith("."))
        self.assertLessEqual(len(name.encode()), 200)
        self.assertEqual(member_path(name.encode()), name.encode())
        self.assertEqual(safe_name(name), name)

    def test_nasty(self) -> None:
        """Every name that is known to make trouble becomes one that makes none."""
        for path in NASTY_PATHS:
            name = safe_name(path.decode("utf-8", "surrogateescape"))
            self.assertEqual(list(faults(name)), [], path)

    @patient
    @given(sent.filter(lambda stem: "." not in stem), st.from_regex(r"\.[A-Za-z0-9]{1,20}", fullmatch=True))
    @example("x" * 10_000, "." + "e" * 20)
    @example("", ".jpg")
    def test_extension_stays(self, stem: str, extension: str) -> None:
        """The extension says what a file is, so it stays when a name is mended or cut."""
        self.assertEqual(os.path.splitext(safe_name(stem + extension))[1], extension)

    @patient
    @given(st.text(max_size=5), st.sampled_from("/\\"), sent.filter(lambda name: not set(name) & set("/\\")))
    def test_path_does_not_matter(self, folder: str, separator: str, name: str) -> None:
        """What stands before the last separator leaves no trace."""
        self.assertEqual(safe_name(folder + separator + name), safe_name(name))

    @patient
    @given(sent)
    def test_on_a_disk(self, filename: str) -> None:
        """A disk takes the name, and lists it as it is."""
        name = safe_name(filename)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / name).write_bytes(b"")
            self.assertEqual(os.listdir(folder), [name])

    @patient
    @given(sent, st.integers(2, 10**20))
    def test_room_for_a_number(self, filename: str, number: int) -> None:
        """A number that tells two files apart finds room without cutting the name."""
        name = safe_name(filename)
        stem, extension = split_extension(name)
        other = numbered(name, number)
        self.assertEqual(other, f"{stem} ({number}){extension}")
        self.assertEqual(list(faults(other)), [])


class SafeSegmentTests(SynchronousTestCase):
    """What ``safe_segment`` makes of one segment, as long as it is asked for."""

    @patient
    @given(
        sent.filter(lambda text: not any("\ud800" <= each < "\udc80" or each > "\udcff" for each in text)),
        st.integers(60, LONGEST_NAME),
    )
    def test_length(self, text: str, longest: int) -> None:
        """No name is longer than was asked for, whatever is put before or cut off, and it is safe still."""
        name = safe_segment(text, longest)
        self.assertLessEqual(len(name.encode()), longest)
        self.assertEqual(list(faults(name)), [])

    def test_hidden_stays(self) -> None:
        """A segment of a disk's path may begin with a dot: whether it may be shown is decided elsewhere."""
        self.assertEqual(safe_segment(".hidden"), ".hidden")

    def test_normal_form(self) -> None:
        """A name that is safe but for its form changes its form only."""
        decomposed = unicodedata.normalize("NFD", "Ёжик café 가.txt")
        self.assertEqual(safe_segment(decomposed), "Ёжик café 가.txt")
