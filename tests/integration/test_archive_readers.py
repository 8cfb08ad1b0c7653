"""
Archives of ours as programs of others see them: nasty names, large and many members, nothing at all.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from fileserve.archive.names import safe_names
from fileserve.archive.zipformat import DESCRIPTOR_ABOVE, Entry
from tests import readers
from tests.integration.server import folder
from tests.nasty import NASTY_PATHS
from tests.sparse import Archive

# 2026-11-20T12:00:01Z: an odd second, which MS-DOS can't say.
_NOON = 1_795_176_001 * 1_000_000_000

_LONGEST_32 = 0xFFFFFFFF

if TYPE_CHECKING:
    Contract = SynchronousTestCase
else:
    Contract = object


def nasty_archive() -> tuple[Archive, dict[bytes, bytes]]:
    """
    All nasty names in one archive.

    :return: with it, what must come out: the data by name, for a folder none.
    """
    names = safe_names(NASTY_PATHS)
    bodies = {name: b"" if name.endswith(b"/") else b"was " + path for path, name in names.items()}
    entries = [Entry(name, len(bodies[name]), _NOON) for name in sorted(bodies)]
    return Archive(entries, bodies), bodies


def with_descriptor() -> Archive:
    """A member whose CRC-32 stands behind its data, and one that follows it."""
    entries = [Entry(b"large.bin", DESCRIPTOR_ABOVE + 1, _NOON), Entry(b"small.txt", 3, _NOON)]
    return Archive(entries, {b"small.txt": b"yes"})


def over_4_gib() -> Archive:
    """A member whose size needs Zip64, and two whose places need it."""
    entries = [
        Entry(b"a huge.bin", _LONGEST_32 + 2, _NOON),
        Entry(b"beyond.txt", 3, _NOON),
        Entry(b"folder/", 0, _NOON),
    ]
    return Archive(entries, {b"beyond.txt": b"yes"})


def tree(top: Path) -> dict[bytes, bytes]:
    """
    All files below a folder with their data, and all folders that hold nothing.
    """
    found = {}
    for above, folders, files in os.walk(os.fsencode(top)):
        here = os.path.relpath(above, os.fsencode(top))
        if not folders and not files:
            found[here + b"/"] = b""
        for name in files:
            path = os.path.join(above, name)
            assert not os.path.islink(path), path
            with open(path, "rb") as file:
                found[os.path.normpath(os.path.join(here, name))] = file.read()
    return found


class ReaderContract(Contract):
    """
    What every reader must make of our archives; a subclass says which reader.
    """

    reader: ClassVar[readers.Reader]

    def setUp(self) -> None:
        self.reader.require()
        self.folder = folder(self)

    def judged(self, archive: Archive) -> list[bytes]:
        """The names that the reader tells, in the order of their bytes."""
        return sorted(self.reader.read(archive.write(self.folder / "a.zip")))

    def test_empty(self) -> None:
        """An archive without members is sound."""
        self.assertEqual(self.judged(Archive([])), [])

    def test_nasty_names(self) -> None:
        """Names are told as they were made, and every member is sound."""
        archive, bodies = nasty_archive()
        self.assertEqual(self.judged(archive), sorted(bodies))

    def test_unpacks_nasty_names(self) -> None:
        """What is unpacked is what went in, all inside the folder and nothing outside of it."""
        archive, bodies = nasty_archive()
        packed = archive.write(self.folder / "a.zip")
        target = self.folder / "several" / "levels" / "deep"
        target.mkdir(parents=True)
        self.reader.unpack(packed, target)
        self.assertEqual(tree(target), bodies)
        outside = [path for path in tree(self.folder) if not path.startswith(b"several/levels/deep/")]
        self.assertEqual(outside, [b"a.zip"])

    def test_damage_is_seen(self) -> None:
        """The reader is a judge at all: it refuses a wrong CRC-32."""
        wrong = Archive([Entry(b"a.txt", 5, _NOON)], {b"a.txt": b"right"}).write(self.folder / "a.zip")
        wrong.write_bytes(wrong.read_bytes().replace(b"right", b"wrong"))
        self.assertRaises(readers.Rejected, self.reader.read, wrong)

    def test_times_and_sizes_at_the_edges(self) -> None:
        """Times that a field can't say, and members without data, do no harm."""
        seconds = [-(2**40), -(2**31) - 1, -(2**31), -1, 0, 2**31 - 1, 2**31, 2**32, 2**40]
        entries = [Entry(b"%d" % index, index % 2, at * 10**9) for index, at in enumerate(seconds)]
        self.assertEqual(self.judged(Archive(entries)), [entry.name for entry in entries])

    def test_crc_behind_the_data(self) -> None:
        """A member over 64 MiB, whose CRC-32 comes behind its data, is sound, and so is what follows it."""
        self.assertEqual(self.judged(with_descriptor()), [b"large.bin", b"small.txt"])

    def test_crc_before_the_data(self) -> None:
        """A member of exactly 64 MiB still has its CRC-32 before its data."""
        archive = Archive([Entry(b"large.bin", DESCRIPTOR_ABOVE, _NOON), Entry(b"small.txt", 3, _NOON)])
        self.assertEqual(self.judged(archive), [b"large.bin", b"small.txt"])

    def test_over_4_gib(self) -> None:
        """A member of over 4 GiB is sound, and so is what lies beyond it."""
        self.assertEqual(self.judged(over_4_gib()), [b"a huge.bin", b"beyond.txt", b"folder/"])

    def test_many_members(self) -> None:
        """With 65,535 members, the count that needs Zip64 first, and with 70,000, all are there."""
        entries = [Entry(b"%05d.txt" % number, 0, _NOON) for number in range(70_000)]
        for count in (65_535, 70_000):
            names = [entry.name for entry in entries[:count]]
            self.assertEqual(self.judged(Archive(entries[:count])), names)


class TimeKeeperContract(ReaderContract):
    """
    What readers do that know the field 0x5455.
    """

    def test_unpacks_times(self) -> None:
        """Times come out to the second, in any time zone; those that MS-DOS can't say, too."""
        seconds = [_NOON // 10**9, 0, 2**31 - 1]
        entries = [Entry(b"%d.txt" % at, 0, at * 10**9) for at in seconds]
        packed = Archive(entries).write(self.folder / "a.zip")
        target = self.folder / "unpacked"
        target.mkdir()
        self.reader.unpack(packed, target)
        self.assertEqual([(target / f"{at}.txt").stat().st_mtime for at in seconds], seconds)


class PythonZipfileTests(ReaderContract, SynchronousTestCase):
    """``zipfile`` of Python."""

    reader = readers.PythonZipfile()


class InfoZipTests(TimeKeeperContract, SynchronousTestCase):
    """``unzip``."""

    reader = readers.InfoZip()


class SevenZipTests(TimeKeeperContract, SynchronousTestCase):
    """``7z``."""

    reader = readers.SevenZip()


class BsdtarTests(TimeKeeperContract, SynchronousTestCase):
    """``bsdtar`` behind a pipe."""

    reader = readers.Bsdtar()


class JavaZipFileTests(ReaderContract, SynchronousTestCase):
    """``ZipFile`` of Java."""

    reader = readers.JavaZipFile()


class JavaZipInputStreamTests(ReaderContract, SynchronousTestCase):
    """``ZipInputStream`` of Java, which takes a CRC-32 behind the data for compressed members only."""

    reader = readers.JavaZipInputStream()

    def test_crc_behind_the_data(self) -> None:
        """It refuses a member over 64 MiB, as our documents say."""
        error = self.assertRaises(readers.Rejected, self.judged, with_descriptor())
        self.assertIn("only DEFLATED entries can have EXT descriptor", str(error))

    def test_over_4_gib(self) -> None:
        """It refuses one over 4 GiB for the same reason."""
        error = self.assertRaises(readers.Rejected, self.judged, over_4_gib())
        self.assertIn("only DEFLATED entries can have EXT descriptor", str(error))


class StreamUnzipTests(ReaderContract, SynchronousTestCase):
    """``stream-unzip`` of PyPI."""

    reader = readers.StreamUnzip()
