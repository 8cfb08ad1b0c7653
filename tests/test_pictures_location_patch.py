"""
Overwriting bytes in their place, and asking for bytes.
"""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.pictures.location.patch import Patch, filled, in_order, moved, overwrite, replaced, zeros
from fileserve.pictures.location.reading import Steps, Wanted, Window, run, run_over


@st.composite
def disjoint(draw: st.DrawFn) -> tuple[bytes, tuple[Patch, ...]]:
    """
    A file, and patches of it.
    """
    data = draw(st.binary(min_size=1, max_size=60))
    patches, at = [], 0
    while at < len(data):
        at += draw(st.integers(0, 10))
        new = draw(st.binary(min_size=1, max_size=8))[: max(0, len(data) - at)]
        times = draw(st.integers(1, len(data) - at)) if len(new) == 1 else 1
        if new:
            patches.append(Patch(at, new, times))
        at += len(new) * times
    return data, tuple(patches)


class PatchTests(SynchronousTestCase):
    """Patches of a file."""

    @given(disjoint(), st.integers(0, 60), st.integers(0, 60))
    def test_any_part(self, file: tuple[bytes, tuple[Patch, ...]], start: int, stop: int) -> None:
        """A part of a file that is overwritten is that part of the overwritten file."""
        data, patches = file
        whole = bytearray(data)
        for patch in patches:
            whole[patch.offset : patch.end] = patch.part(0, patch.length)
        part = bytearray(data[start:stop])
        overwrite(memoryview(part), start, patches)
        self.assertEqual(part, whole[start:stop])
        self.assertEqual(len(whole), len(data))

    def test_replaced(self) -> None:
        """What is as it should be needs no patch."""
        self.assertEqual(replaced(3, b"ab", b"ab"), [])
        self.assertEqual(replaced(3, b"ab", b"cd"), [Patch(3, b"cd")])

    def test_zeros(self) -> None:
        """Zeros without end take little memory, and none are none."""
        (patch,) = zeros(5, 100_000_005)
        self.assertEqual((patch.offset, patch.length, patch.end), (5, 100_000_000, 100_000_005))
        self.assertLess(patch.weight, 200)
        self.assertEqual(zeros(5, 5), [])

    def test_filled(self) -> None:
        """What begins in some way and goes on with one byte takes little memory, however long it is."""
        long = b"x" * 1_000_000
        patches = filled(7, long, b"ab", b" ")
        self.assertEqual(patches, [Patch(7, b"ab"), Patch(9, b" ", 999_998)])
        result = bytearray(long)
        overwrite(result, 7, patches)
        self.assertEqual(result, b"ab" + b" " * 999_998)
        self.assertEqual(filled(7, bytes(result), b"ab", b" "), [])
        self.assertEqual(filled(7, b"ab x", b"ab", b" "), [Patch(9, b" ", 2)])
        self.assertEqual(filled(7, b"xy", b"ab", b" "), [Patch(7, b"ab")])
        self.assertEqual(filled(7, b"xyz", b"longer", b" "), [Patch(7, b" ", 3)])

    def test_order(self) -> None:
        """Patches are moved and put in order."""
        patches = in_order(moved([Patch(9, b"b"), Patch(1, b"a")], 10))
        self.assertEqual(patches, (Patch(11, b"a"), Patch(19, b"b")))


class WindowTests(SynchronousTestCase):
    """Asking for bytes."""

    @given(
        st.binary(max_size=50), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20))), st.integers(1, 9)
    )
    def test_get(self, data: bytes, spans: list[tuple[int, int]], ahead: int) -> None:
        """What is got are the bytes of the file, fewer only at its end; nothing is wanted outside of it."""

        def read(offset: int, length: int) -> bytes:
            self.assertTrue(0 < length <= len(data) - offset)
            return data[offset : offset + length]

        def steps() -> Steps[list[bytes]]:
            view, got = Window(len(data), ahead), []
            for offset, length in spans:
                got.append((yield from view.get(offset, length)))
            return got

        expected = [data[offset : offset + length] for offset, length in spans]
        self.assertEqual(run(steps(), read), expected)

    @given(st.binary(max_size=40), st.integers(0, 45), st.integers(1, 9))
    def test_search(self, data: bytes, start: int, ahead: int) -> None:
        """A pattern is found where it stands first, also where the file is read in pieces."""
        data = data.replace(b"\1", b"ab")
        expected = data.find(b"ab", start)
        found = run_over(Window(len(data), ahead).search(re.compile(b"ab"), start, 2), data)
        self.assertEqual(found, None if expected < 0 else expected)

    def test_search_far(self) -> None:
        """It is found across the border between two pieces, and far behind."""
        for at in (0, 4095, 256 * 1024 - 1, 256 * 1024 + 4095, 700_000):
            data = bytes(at) + b"ab" + bytes(5)
            self.assertEqual(run_over(Window(len(data), 4096).search(re.compile(b"ab"), 0, 2), data), at)

    def test_blank(self) -> None:
        """Zeros stay as they are; what has others among them is overwritten."""
        data = bytes(300_000) + b"x" + bytes(700_000)
        patches = run_over(Window(len(data)).blank(10, len(data)), data)
        result = bytearray(data)
        overwrite(result, 0, patches)
        self.assertEqual((len(patches), any(result)), (1, False))

    def test_shorter(self) -> None:
        """Fewer bytes than were wanted are an error."""
        self.assertRaises(EOFError, run, Window(10).get(0, 10), lambda offset, length: b"x")
        self.assertEqual(run(Window(1).get(0, 10), lambda *wanted: b"x" * Wanted(*wanted).length), b"x")
