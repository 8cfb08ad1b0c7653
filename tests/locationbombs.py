"""
What it costs to look for a location in files of strangers, and how such files are made.
"""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from fileserve.pictures.location.patch import Patch
from fileserve.pictures.location.reading import run
from fileserve.pictures.location.rules import Unstrippable, patching, refusing

MIB = 1024 * 1024

#: What one file may cost, however long it is: memory; what remembering its patches takes; reads beside those
#: that go through it; bytes read beside the file itself, twice.
_MEMORY = 48 * MIB
_WEIGHT = 8 * MIB
_READS = 25_000
_READ = 64 * MIB


class Bomb:
    """
    A file that is not held in memory: pieces, each so many times.
    """

    def __init__(self, *pieces: bytes | tuple[bytes, int]) -> None:
        self._pieces = [each if isinstance(each, tuple) else (each, 1) for each in pieces]
        self.size = sum(len(piece) * times for piece, times in self._pieces)
        self.reads = self.read_bytes = 0

    def read(self, offset: int, length: int) -> bytes:
        assert length > 0
        assert 0 <= offset <= offset + length <= self.size
        self.reads, self.read_bytes = self.reads + 1, self.read_bytes + length
        data, at = bytearray(), 0
        for piece, times in self._pieces:
            start, stop = max(offset - at, 0), min(offset + length - at, len(piece) * times)
            if start < stop:
                first = start // len(piece)
                some = piece * (-(-stop // len(piece)) - first)
                data += some[start - first * len(piece) : stop - first * len(piece)]
            at += len(piece) * times
        return bytes(data)


class Cost(NamedTuple):
    """
    What looking at a file took, and came to: patches, or ``None`` where it was refused.
    """

    memory: int
    reads: int
    read: int
    patches: Sequence[Patch] | None


def cost(bomb: Bomb, kind: str) -> Cost:
    """
    Look at a file, and judge it; the two agree.
    """
    tracemalloc.start()
    try:
        try:
            patches = run(patching(bomb.size, kind), bomb.read)
        except Unstrippable:
            patches = None
        result = Cost(tracemalloc.get_traced_memory()[1], bomb.reads, bomb.read_bytes, patches)
    finally:
        tracemalloc.stop()
    try:
        run(refusing(bomb.size, kind), bomb.read)
    except Unstrippable:
        assert patches is None, "what is refused has no patches"
    else:
        assert patches is not None, "what passed is not refused later"
    return result


class BombCase(SynchronousTestCase):
    """
    Looks at files, and adds up.
    """

    kind: str

    def costs(self, bombs: Mapping[str, Bomb]) -> Mapping[str, Sequence[Patch] | None]:
        """
        See that none costs more than it may.
        """
        found = {}
        for name, bomb in bombs.items():
            taken = cost(bomb, self.kind)
            patches = taken.patches or ()
            self.assertLess(taken.memory, _MEMORY, name)
            self.assertLess(sum(patch.weight for patch in patches), _WEIGHT, name)
            self.assertLess(taken.reads, _READS + bomb.size // 4096, name)
            self.assertLess(taken.read, _READ + 2 * bomb.size, name)
            ends = [0, *(patch.end for patch in patches)]
            self.assertTrue(all(a <= b.offset for a, b in zip(ends, patches, strict=False)), name)
            self.assertLessEqual(ends[-1], bomb.size)
            found[name] = taken.patches
        return found

    def refused(self, **bombs: Bomb) -> None:
        """
        They are refused.
        """
        for name, patches in self.costs(bombs).items():
            self.assertIsNone(patches, name)

    def pass_(self, **bombs: Bomb) -> None:
        """
        They are not, and something goes.
        """
        for name, patches in self.costs(bombs).items():
            self.assertTrue(patches, name)


Field = tuple[int, int, int, int]


def directory(fields: Sequence[Field], following: int = 0) -> bytes:
    entries = b"".join(struct.pack("<HHII", *field) for field in fields)
    return struct.pack("<H", len(fields)) + entries + struct.pack("<I", following)


def tiff(fields: Sequence[Field], behind: bytes = b"") -> bytes:
    """A structure of one directory, and what stands behind that."""
    return b"II*\0\x08\0\0\0" + directory(fields) + behind


def behind(fields: int) -> int:
    """Where what stands behind a directory of so many fields begins."""
    return 8 + 2 + 12 * fields + 4
