"""
``fileserve.archive.names`` against Python's Windows paths and Unicode tables, and examples by hand.
"""

from __future__ import annotations

import ntpath
import os
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import PureWindowsPath
from typing import Literal

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.archive.names import safe_component, safe_names
from tests.nasty import NASTY, NASTY_PATHS

# Hypothesis judges the time an example takes, which says nothing on a busy machine.
patient = settings(deadline=None)

_FORMS: tuple[Literal["NFC", "NFD", "NFKC", "NFKD"], ...] = ("NFC", "NFD", "NFKC", "NFKD")
_CASES = (str.lower, str.upper, str.casefold)

# Classes of UAX #9 that change the direction of what follows.
_TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}

# What of a name makes trouble, often enough to meet, and to meet it twice.
_BYTES = b"a A b . .. _ : ? \\ \x07 \xff \xc3 %FF CON nul com1 .jpg .JPG ss fi i".split(b" ")
_ALIKE = "\u00e9 e\u0301 \u00df \ufb01 \u0131 \u0130 \u212a \u03c2 \u03a3 \u200c \u00b9"
_TEXTS = f"{_ALIKE} \u202e \u2028 \ufeff \u0958 \U0001f600"
_SPACED = [b" ", b" (2)", b" (3)", b"x" * 120, b"x" * 123, b"." * 90]
_fragments = st.sampled_from(_BYTES + _SPACED + [text.encode() for text in _TEXTS.split(" ")])
components = st.one_of(
    st.lists(_fragments, min_size=1, max_size=5).map(b"".join),
    st.binary(min_size=1, max_size=6),
    st.text(min_size=1, max_size=6).map(lambda text: text.encode("utf-8", "surrogatepass")),
).filter(lambda name: not set(name) & {0, 0x2F} and not name.startswith(b"."))
paths = st.builds(
    lambda names, end: b"/".join(names) + end,
    st.lists(components, min_size=1, max_size=3),
    st.sampled_from([b"", b"", b"", b"/"]),
)
path_lists = st.lists(paths, unique=True, max_size=12)


def faults(name: str) -> Iterator[str]:
    """All that some system has against one segment of a name."""
    if name in {"", ".", ".."} or name[-1] in ". ":
        yield "ends like no name on Windows"
    if set(name) & set('\\/:*?"<>|'):
        yield "has what Windows forbids"
    if any(unicodedata.category(each) in {"Cc", "Cs", "Zl", "Zp"} for each in name):
        yield "has a control character"
    if any(unicodedata.bidirectional(each) in _TURNING for each in name):
        yield "turns the direction of writing"
    if _is_device(name):
        yield "is a device on Windows"
    if PureWindowsPath(name).parts != (name,) or PureWindowsPath(name).drive:
        yield "is no single relative name on Windows"
    if len(name.encode()) > 255:
        yield "is too long"
    if not unicodedata.is_normalized("NFC", name):
        yield "is not in the normal form"


def _is_device(name: str) -> bool:
    if hasattr(ntpath, "isreserved"):  # since Python 3.13, which deprecates the other
        return bool(ntpath.isreserved(name))
    return PureWindowsPath(name).is_reserved()


def spellings(name: str) -> Iterator[str]:
    """What a name becomes for systems that tell neither case nor normal form apart, by all their rules."""
    for form in _FORMS:
        for case in _CASES:
            yield unicodedata.normalize(form, case(unicodedata.normalize(form, name)))


def nodes(names: dict[bytes, bytes]) -> dict[bytes, str]:
    """Every file and folder that paths speak of, each with what it is called in the archive."""
    found: dict[bytes, str] = {}
    for path, name in names.items():
        ends = [each.end() for each in re.finditer(rb"[^/]+/?", path)]
        for depth, end in enumerate(ends, 1):
            called = "/".join(name.decode().split("/")[:depth])
            assert found.setdefault(path[:end], called) == called, "one folder has two names"
    return found


plain_names = (
    st.from_regex(r"[a-z0-9_-]{1,4}(\.[a-z0-9_-]{1,3})?", fullmatch=True)
    .filter(lambda name: not _is_device(name))
    .map(str.encode)
)


class SafeNamesTests(SynchronousTestCase):
    """What ``safe_names`` promises for any paths."""

    def assert_safe(self, names: dict[bytes, bytes]) -> None:
        for path, name in names.items():
            self.assertEqual(name.endswith(b"/"), path.endswith(b"/"), path)
            segments = name.decode().removesuffix("/").split("/")
            self.assertEqual(len(segments), path.removesuffix(b"/").count(b"/") + 1, path)
            self.assertEqual([list(faults(segment)) for segment in segments], [[] for _ in segments], path)

    def assert_unique(self, names: dict[bytes, bytes]) -> None:
        called = nodes(names)
        for spelt in zip(*(spellings(name) for name in called.values()), strict=True):
            self.assertEqual(len(set(spelt)), len(called), called)

    @patient
    @given(path_lists)
    @example(NASTY_PATHS)
    def test_safe_and_unique(self, given_paths: list[bytes]) -> None:
        """Every path gets a name that all systems take, and that none takes for another's."""
        names = safe_names(given_paths)
        self.assertEqual(set(names), set(given_paths))
        self.assert_safe(names)
        self.assert_unique(names)

    @patient
    @given(st.data(), path_lists)
    def test_any_order(self, data: st.DataObject, given_paths: list[bytes]) -> None:
        """The order in which a disk lists paths does not matter, nor does a path that comes twice."""
        shuffled = data.draw(st.permutations(given_paths + given_paths[:1]))
        self.assertEqual(safe_names(iter(shuffled)), safe_names(given_paths))

    @patient
    @given(path_lists)
    @example(NASTY_PATHS)
    def test_safe_names_stay(self, given_paths: list[bytes]) -> None:
        """Names that were made safe are safe, so they stay as they are."""
        names = safe_names(given_paths).values()
        self.assertEqual(safe_names(names), {name: name for name in names})

    @patient
    @given(st.sets(plain_names), st.sets(components.map(b"?".__add__)), st.sets(plain_names))
    @example({b"a", b"a-2"}, {b"?a"}, {b"_a"})
    def test_plain_names_stay(self, plain: set[bytes], hostile: set[bytes], folders: set[bytes]) -> None:
        """Plain names stay as they are, whatever the hostile ones beside them become."""
        inside = {folder + b"/" + name for folder in folders - plain for name in plain}
        names = safe_names(plain | hostile | inside)
        for path in plain | inside:
            self.assertEqual(names[path], path)

    def test_plain_name_that_looks_numbered(self) -> None:
        """A name that another one could get by being numbered stays its owner's."""
        self.assertEqual(safe_names([b"A", b"a", b"a (2)"]), {b"A": b"A", b"a": b"a (3)", b"a (2)": b"a (2)"})

    @patient
    @given(
        components.filter(lambda stem: b"." not in stem),
        st.from_regex(r"\.[A-Za-z0-9]{1,20}", fullmatch=True),
        st.integers(1, 7),
    )
    @example(b"x" * 250, "." + "e" * 20, 7)
    def test_extension_stays(self, stem: bytes, extension: str, twins: int) -> None:
        """The extension says what a file is, so it stays when names are mended, cut or numbered."""
        alike = [b"f/%b%c%b" % (stem, each, extension.encode()) for each in b':*?<>|"'[:twins]]
        for name in safe_names(alike).values():
            self.assertEqual(os.path.splitext(name.decode())[1], extension)

    def test_numbers(self) -> None:
        """Those that become alike are numbered in the order of their bytes, unchanged ones first."""
        self.assertEqual(
            safe_names(NASTY["mended alike"]),
            {
                b"M_N": b"M_N",
                b"m_n (2)": b"m_n (2)",
                b"m_n": b"m_n (3)",
                b"m:n": b"m_n (4)",
                b"m?n": b"m_n (5)",
                b"m|n": b"m_n (6)",
            },
        )

    def test_thousands_alike(self) -> None:
        """However many become alike, each gets the next number, within the length that systems take."""
        stem = b"x" * 235
        marks = [f"{number:012b}".translate({ord("0"): ":", ord("1"): "?"}) for number in range(3000)]
        alike = [stem + mark.encode() + b".jpg" for mark in marks]
        names = safe_names(alike)
        self.assertEqual(names[alike[0]], stem + b"____________.jpg")
        self.assertEqual(names[alike[-1]], stem + b"_________ (3000).jpg")
        self.assert_unique(names)
        self.assert_safe(names)

    def test_file_and_folder(self) -> None:
        """A file and a folder never share a name, for a disk can't hold both."""
        self.assertEqual(
            safe_names([b"a:b", b"a_b/inside", b"a?b/"]),
            {b"a_b/inside": b"a_b/inside", b"a:b": b"a_b (2)", b"a?b/": b"a_b (3)/"},
        )

    def test_folders_that_become_alike(self) -> None:
        """What lies in two folders does not meet in one."""
        self.assertEqual(
            safe_names([b"A/x", b"a/x", b"a/y/z"]),
            {b"A/x": b"A/x", b"a/x": b"a (2)/x", b"a/y/z": b"a (2)/y/z"},
        )

    def test_not_from_a_disk(self) -> None:
        """Even paths with empty segments, which no disk has, stay relative and apart."""
        names = safe_names([b"/etc/passwd", b"a//b", b"a/b", b"//", b"/"])
        self.assertFalse([name for name in names.values() if name.startswith(b"/") or b"//" in name])
        self.assertEqual(len({name.rstrip(b"/") for name in names.values()}), 5)

    def test_passed_over(self) -> None:
        """What an old file system of Apple does not see makes no difference."""
        names = safe_names([b"zerowidth", "zero\u200cwidth".encode()])
        self.assertEqual(list(names.values()), [b"zerowidth", "zero\u200cwidth (2)".encode()])

    def test_nothing(self) -> None:
        """No paths, no names."""
        self.assertEqual(safe_names([]), {})

    def test_characters_that_case_or_form_makes_alike(self) -> None:
        """Of every two characters that some rule of case or form makes alike, one gets a number."""
        rules: list[Callable[[str], str]] = [str.lower, str.upper, str.title, str.casefold, str.swapcase]
        rules += [partial(unicodedata.normalize, form) for form in _FORMS]
        pairs = {frozenset({text, rule(text)}) for text in _assigned() for rule in rules} - {
            frozenset({text}) for text in _assigned()
        }
        self.assertGreater(len(pairs), 10_000)
        for pair in pairs:
            self.assert_unique(safe_names(text.encode() for text in pair))


class SafeComponentTests(SynchronousTestCase):
    """What ``safe_component`` makes of one segment."""

    def test_examples(self) -> None:
        """Each thing that some system can't take is replaced by as little as possible."""
        for raw, name in (
            (b"IMG_0001.JPG", "IMG_0001.JPG"),
            (
                b"#1 [best] 100% (2), 'new' & {old}; a+b=c!.jpg",
                "#1 [best] 100% (2), 'new' & {old}; a+b=c!.jpg",
            ),
            ("Отпуск, 写真 👩‍👧.jpg".encode(), "Отпуск, 写真 👩‍👧.jpg"),
            (b"..\\..\\up.txt", ".._.._up.txt"),
            (b"C:\\x", "C__x"),
            (b"a\nb\x1b\x7f", "a_b__"),
            (b"trailing. . .", "trailing"),
            (b"photo.jpg. ", "photo.jpg"),
            (b". .", "_"),
            (b"..", "_"),
            (b"", "_"),
            (b"caf\xe9.jpg", "caf%E9.jpg"),
            (b"\xed\xa0\x80", "%ED%A0%80"),
            ("photo\u202egpj.exe".encode(), "photo_gpj.exe"),
            ("e\u0301tude".encode(), "\u00e9tude"),
            (b"CON", "_CON"),
            (b"nul .tar.gz", "_nul .tar.gz"),
            ("com\u00b9.x".encode(), "_com\u00b9.x"),
            (b"aux. ", "_aux"),
            (b"COM10.txt", "COM10.txt"),
            (b"console", "console"),
            (b"x" * 256, "x" * 255),
            (b"x" * 252 + b".jpg", "x" * 251 + ".jpg"),
            (b"\xff" * 255, "%FF" * 85),
            ("\u00e9".encode() * 126 + b".jpg", "\u00e9" * 125 + ".jpg"),
        ):
            self.assertEqual(safe_component(raw), name)

    def test_cut_to_what_is_no_name(self) -> None:
        """What is left after cutting is looked at as well: no device, no hidden file, no trailing space."""
        for raw, name in (
            (b"CON" + b" " * 250 + b"more.jpg", "_CON.jpg"),
            (b". " * 200 + b"x.jpg", "_.jpg"),
            (b"NUL." + b"x" * 300, "_NUL." + "x" * 250),
            (b"x" * 200 + b" " * 100 + b"y", "x" * 200),
        ):
            self.assertEqual(safe_component(raw), name)

    @patient
    @given(components)
    def test_any(self, raw: bytes) -> None:
        """Whatever the bytes, no system has anything against the name, and it is not mended again."""
        name = safe_component(raw)
        self.assertEqual(list(faults(name)), [])
        self.assertEqual(safe_component(name.encode()), name)


def _assigned() -> Iterator[str]:
    """Each character that there is, inside a name, but for those that some form makes a slash of."""
    for code in (*range(0xD800), *range(0xE000, 0x20000), *range(0x2F800, 0x2FA20)):
        text = f"x{chr(code)}y"
        if unicodedata.category(chr(code)) not in {"Cn", "Co"} and "/" not in unicodedata.normalize(
            "NFKC", text
        ):
            yield text
