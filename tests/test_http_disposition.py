"""
``fileserve.http.disposition`` against the examples of the RFCs, werkzeug and the parser of ``email``.
"""

from __future__ import annotations

import re
from email.message import Message

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from werkzeug.http import parse_options_header

from fileserve.http.disposition import attachment, inline

# Hypothesis judges the time an example takes, which says nothing on a busy machine.
patient = settings(deadline=None)

# What st.text() leaves out are the lone surrogates, that names of undecodable bytes have.
any_names = st.text(st.characters(codec=None), max_size=400) | st.text(
    st.sampled_from("a.é照😀 \u0301\u202e\ud800\udcff\r\n\x00\"'\\/%;=*\uff0f\u2025\u2100"), max_size=400
)

ATTR_CHARS = re.compile(r"(?:[A-Za-z0-9!#$&+.^_`|~-]|%[0-9A-F]{2})+")  # RFC 8187 section 3.2.1


def fallback(name: str) -> str:
    """The ``filename`` that an old client sees, as ``email`` reads it."""
    message = Message()
    message["Content-Disposition"] = attachment(name).decode("ascii")
    _, (parameter, found), *_ = message.get_params([], "content-disposition")
    assert parameter == "filename"
    return found


def offered(name: str) -> str:
    """The name that a client of today offers to its user, as werkzeug reads it."""
    return parse_options_header(attachment(name).decode("ascii"))[1]["filename"]


class HeaderTests(SynchronousTestCase):
    """The form of the header."""

    def test_plain_name(self) -> None:
        """A name of plain ASCII needs no ``filename*``."""
        self.assertEqual(attachment("archive.zip"), b'attachment; filename="archive.zip"')
        self.assertEqual(inline("a b;c=d.jpg"), b'inline; filename="a b;c=d.jpg"')

    def test_both_names(self) -> None:
        """The ASCII name stands first, then ``filename*`` in UTF-8 (RFC 6266 section 5, appendix D)."""
        self.assertEqual(
            attachment("€ rates"), b"attachment; filename=\"_ rates\"; filename*=UTF-8''%E2%82%AC%20rates"
        )
        self.assertEqual(
            inline("Naïve file.txt"),
            b"inline; filename=\"Naive file.txt\"; filename*=UTF-8''Na%C3%AFve%20file.txt",
        )

    def test_only_attr_chars_stay(self) -> None:
        """Of ASCII only what RFC 8187 names attr-char stands in ``filename*`` as it is."""
        ascii_name = "".join(map(chr, range(0x21, 0x7F))).replace("/", "").replace("\\", "")
        value = attachment(ascii_name).partition(b"filename*=UTF-8''")[2].decode()
        plain = re.sub("%..", "", value)
        self.assertEqual(set(plain), set(re.findall(r"[A-Za-z0-9!#$&+.^_`|~-]", ascii_name)))

    @patient
    @given(any_names)
    @example("a\r\nSet-Cookie: evil=1\r\n\r\n<script>")
    @example('"; filename="evil.exe')
    @example("a\\")
    def test_any_name_makes_a_header(self, name: str) -> None:
        """Every string makes one header of printable ASCII, of the form of RFC 6266 section 4.1."""
        form = r"""(?:attachment|inline); filename="([^"%/\\]+)"(?:; filename\*=UTF-8''(\S+))?"""
        for header in (attachment(name), inline(name)):
            self.assertTrue(all(0x20 <= byte < 0x7F for byte in header), header)
            found = re.fullmatch(form, header.decode())
            assert found is not None, header
            if found[2] is not None:
                self.assertTrue(ATTR_CHARS.fullmatch(found[2]), header)

    @patient
    @given(any_names)
    def test_any_name_is_harmless(self, name: str) -> None:
        """Whatever was asked for, both names are one name in a folder, without what hides or steers."""
        for found in (fallback(name), offered(name)):
            self.assertTrue(found.strip(" ."), found)
            self.assertLessEqual(len(found.encode()), 255)
            self.assertIsNone(
                re.search(r"[/\\\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]", found)
            )
        self.assertTrue(fallback(name).isascii())

    @patient
    @given(
        st.text(st.characters(categories=["L", "N", "S", "Pc", "Pd", "Ps", "Pe"]), min_size=1, max_size=60)
    )
    @example("a'b\"c%41;d=e*f?g<h>i|j:k")
    def test_clients_read_the_name(self, name: str) -> None:
        """A name without anything harmful in it reaches a client of today as it is."""
        self.assertEqual(offered(name), name)


class NameTests(SynchronousTestCase):
    """What becomes of names."""

    def test_fallback(self) -> None:
        """The ASCII name is the nearest there is; what has none, and what old clients misread, is ``_``."""
        for name, expected in (
            ("café.jpg", "cafe.jpg"),
            ("cafe\u0301.jpg", "cafe.jpg"),
            ("ﬁn Å №5.txt", "fin A No5.txt"),
            ("照片.jpg", "__.jpg"),
            ("한글.zip", "__.zip"),
            ("Фото 1.png", "____ 1.png"),
            ("100%.txt", "100_.txt"),
            ("%41.txt", "_41.txt"),
            ('say "hi".txt', "say _hi_.txt"),
            ("a\uff0fb\uff02c\uff05\uff3c.txt", "a_b_c__.txt"),
            ("\u2100.txt", "a_c.txt"),
            ("\u2025", "download"),
            ("\u0301", "download"),
        ):
            self.assertEqual(fallback(name), expected, name)

    def test_harmful(self) -> None:
        """Separators, controls, what reorders text, and what is no text become ``_`` in the real name."""
        for name, expected in (
            ("../../etc/passwd", ".._.._etc_passwd"),
            ("C:\\evil\\é.exe", "C:_evil_é.exe"),
            ("a\x00b\rc\nd\x7fe\x85f", "a_b_c_d_e_f"),
            ("photo\u202egpj.exe", "photo_gpj.exe"),
            ("\u2066a\u2069\u200f\u061c\u2028", "_a____"),
            ("\ud83d\udcff.jpg", "__.jpg"),
        ):
            self.assertEqual(offered(name), expected, name)

    def test_kept(self) -> None:
        """Joiners, that Persian and emoji need, and leading dots are part of a name."""
        for name in (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645.txt",
            "👩\u200d🚀.png",
            ".profile",
            "a..b",
            "...and more",
        ):
            self.assertEqual(offered(name), name)

    def test_nothing_left(self) -> None:
        """A name that is empty or a folder's own is replaced by a neutral one."""
        for name in ("", " ", ".", "..", "...", ". .", "\t", "\u3000", "." * 1000):
            expected = "_" if name == "\t" else "download"
            self.assertEqual(attachment(name), b'attachment; filename="%b"' % expected.encode(), name)

    def test_long(self) -> None:
        """A long name is cut before its extension, to 255 bytes of UTF-8 and between characters."""
        self.assertEqual(offered("a" * 10_000 + ".jpg"), "a" * 251 + ".jpg")
        self.assertEqual(offered("é" * 5_000 + ".jpg"), "é" * 125 + ".jpg")
        self.assertEqual(offered("😀" * 2_500), "😀" * 63)
        self.assertEqual(offered("a" * 255), "a" * 255)

    def test_long_extension(self) -> None:
        """What is too long for an extension is cut too."""
        self.assertEqual(offered("a." + "b" * 10_000), "a." + "b" * 253)
        self.assertEqual(offered("a" * 300 + "." + "b" * 31), "a" * 223 + "." + "b" * 31)

    def test_long_fallback(self) -> None:
        """The ASCII name may be longer than the real one, and is cut as well."""
        name = "⒇" * 80 + ".jpg"  # three bytes each, `(20)` in ASCII
        self.assertEqual(offered(name), name)
        self.assertEqual(fallback(name), ("(20)" * 80)[:251] + ".jpg")
