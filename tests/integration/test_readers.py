"""
Tests of archives as they come over HTTP, judged by the programs that people unpack them with.

``test_archive_readers`` judges every kind of archive without a server; here the members are on a disk, and
their checksums are computed while the archive is sent.
"""

from __future__ import annotations

import os
import subprocess
import zlib
from collections.abc import Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from fileserve.archive.names import safe_names
from tests import readers
from tests.nasty import NASTY_PATHS
from tests.sparse import crc32_of_zeros

from .clients import LOOPBACK
from .server import Server, environment, folder, need, start
from .trees import MIB, make_album

# All but those that refuse what they are given (see test_archive_readers).
READERS: Sequence[readers.Reader] = (
    readers.PythonZipfile(),
    readers.InfoZip(),
    readers.SevenZip(),
    readers.Bsdtar(),
    readers.JavaZipFile(),
    readers.JavaZipInputStream(),
    readers.StreamUnzip(),
)

HUGE = 5 << 30


class ReadersCase(SynchronousTestCase):
    """A root of one album, and its archive on the disk."""

    def setUp(self) -> None:
        self.where = folder(self)
        self.root = self.where / "root"

    def download(self, album: str) -> tuple[Server, Path]:
        """Fetch an archive of which nothing is known yet."""
        server = start(self, self.root)
        answer = server.ask(f"/archive/{album}/")
        self.assertEqual(len(answer.body), int(answer["Content-Length"]))
        path = self.where / "a.zip"
        path.write_bytes(answer.body)
        return server, path

    def judge(self, archive: Path, names: Sequence[bytes]) -> None:
        """Every reader finds every member, and nothing to complain of."""
        for reader in READERS:
            reader.require()
            self.assertEqual(sorted(reader.read(archive)), sorted(names), type(reader).__name__)


class NastyTreeTests(ReadersCase):
    """A tree of names that are harmful somewhere, made on a real disk."""

    def test_nasty_names(self) -> None:
        """All readers take the archive, and it holds the contents under the safe names."""
        made = [path for path in NASTY_PATHS if self.made(path)]
        # Names that begin with a dot are on the disk and no members.
        paths = [path for path in made if not any(name.startswith(b".") for name in path.split(b"/"))]
        self.assertGreater(len(paths), 100)
        _, archive = self.download("album")
        names = safe_names(paths)
        # `in` holds nothing but the folder in it, which holds nothing.
        self.judge(archive, [*names.values(), b"in/"])
        target = self.where / "unpacked"
        target.mkdir()
        readers.PythonZipfile().unpack(archive, target)
        for path, name in names.items():
            if not path.endswith(b"/"):
                unpacked = os.path.join(os.fsencode(target), name)
                with open(unpacked, "rb") as file:
                    self.assertEqual(file.read(), b"was " + path)

    def made(self, path: bytes) -> bool:
        """Whether this disk takes such a name, which it then has."""
        try:
            if path.endswith(b"/"):
                os.makedirs(os.path.join(os.fsencode(self.root), b"album", path))
            else:
                make_album(self.root, "album", {path: b"was " + path})
        except OSError:
            return False
        return True


class ManyMembersTests(ReadersCase):
    """More members than the old format can count."""

    def test_70_000_members(self) -> None:
        """All readers find all 70,000, cold; warm, the archive is the same."""
        folder_ = self.root / "album"
        folder_.mkdir(parents=True)
        at = os.open(folder_, os.O_DIRECTORY)
        for number in range(70_000):
            os.close(os.open(f"{number:05}.txt", os.O_CREAT | os.O_WRONLY, dir_fd=at))
        os.close(at)
        (folder_ / "69999.txt").write_bytes(b"the last")
        server, archive = self.download("album")
        self.assertEqual(server.ask("/archive/album/").body, archive.read_bytes())
        self.judge(archive, [b"%05d.txt" % number for number in range(70_000)])


class HugeMemberTests(ReadersCase):
    """A member of 5 GiB."""

    def test_5_gib(self) -> None:
        """
        Every byte of it comes, in memory that does not grow, with the right CRC-32; the member behind it,
        whose place needs Zip64, is found by its range.
        """
        need("curl")
        make_album(self.root, "album", {"huge.bin": HUGE, "small.txt": b"behind it"})
        server = start(self, self.root)
        length = int(server.ask("/archive/album/", "HEAD")["Content-Length"])
        server.ask("/archive/album/", Range="bytes=0-99")
        before = server.resident()
        url = f"http://{LOOPBACK}:{server.port}/archive/album/"
        done = subprocess.run(
            ["curl", "-fsS", "-o", "/dev/null", "-w", "%{size_download}", url],
            check=True, capture_output=True, env=environment(),
        )  # fmt: skip
        self.assertEqual(int(done.stdout), length)
        self.assertLess(server.resident(), before + 8 * MIB)
        tail = server.ask("/archive/album/", Range=f"bytes={HUGE}-").body
        self.assertIn(b"behind it", tail)
        crc = crc32_of_zeros(HUGE).to_bytes(4, "little")
        self.assertIn(b"PK\7\x08" + crc + HUGE.to_bytes(8, "little") * 2, tail)
        self.assertEqual(tail.count(crc), 2)
        self.assertIn(zlib.crc32(b"behind it").to_bytes(4, "little"), tail)
