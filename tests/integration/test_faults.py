"""
Tests of what goes wrong below the server: members that change, that can't be read, and a sudden death.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .clients import eventually
from .server import ENDPOINT, Server, folder, launch, need, start
from .trees import MIB, make_album, noise

ALBUM = "3bea29ccabbbf64bdebcc055319c5745"
TARGET = f"/archive/{ALBUM}/"
LAST = "z-last.bin"


def truncate(path: Path) -> None:
    """Make it shorter."""
    os.truncate(path, 1000)


def grow(path: Path) -> None:
    """Make it longer."""
    with path.open("ab") as file:
        file.write(b"more")


def rewrite(path: Path) -> None:
    """Write into it, with its size and time kept."""
    times = path.stat()
    with path.open("r+b") as file:
        file.write(b"other bytes")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def replace(path: Path) -> None:
    """Put another file in its place, of the same size and time."""
    times = path.stat()
    other = path.with_name(".other")
    other.write_bytes(path.read_bytes()[::-1])
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(path)


def put_pipe(path: Path) -> None:
    """Put a pipe in its place, which would never give a byte."""
    path.unlink()
    os.mkfifo(path)


def put_link(path: Path) -> None:
    """Put a link out of the root in its place."""
    path.unlink()
    path.symlink_to("/etc/passwd")


CHANGES: list[Callable[[Path], None]] = [truncate, grow, rewrite, replace, Path.unlink, put_pipe, put_link]


class ChangedMemberTests(SynchronousTestCase):
    """A member is not any more what it was when the download began."""

    def setUp(self) -> None:
        self.root = folder(self)
        self.server = start(self, self.root)

    def change_during_download(self, size: int, change: Callable[[Path], None]) -> None:
        """
        The client has the beginning and reads no further while the last member changes.

        What lies before the last member is more than the buffers between us can hold.
        """
        members: dict[str, bytes | int] = {"a-first.bin": 24 * MIB, LAST: noise(size)}
        album = make_album(self.root, f"{ALBUM}-{change.__name__}-{size}", members)
        download = self.server.download(f"/archive/{album.name}/")
        download.read(1000)
        change(album / LAST)
        self.assertFalse(download.finish(), f"{change.__name__} of {size} bytes was not noticed")
        self.assertGreater(download.received, 1 * MIB)

    def check_each_change(self, size: int) -> None:
        for number, change in enumerate(CHANGES, 1):
            self.change_during_download(size, change)
            lines = [line for line in self.server.log.splitlines() if "failed" in line]
            self.assertEqual(len(lines), number, change.__name__)
            self.assertIn(f"Archive {ALBUM[:8]}…: failed: {LAST}: ", lines[-1])
        self.assertNotIn(ALBUM, self.server.log)
        self.assertEqual(self.server.metric("fileserve_open_transfers"), 0)
        self.assertFalse([name for name in self.server.descriptors() if LAST in name])

    def test_large_member(self) -> None:
        """However a member changed that is sent past the program: the connection is cut, the log names it."""
        self.check_each_change(3 * MIB)

    def test_small_member(self) -> None:
        """However a member changed that is read into a chunk: the connection is cut, the log names it."""
        self.check_each_change(30_000)

    def test_shrinks_while_it_is_sent(self) -> None:
        """A member that loses its end while its beginning is on its way does not stop the server."""
        for change in (truncate, grow, rewrite):
            album = make_album(self.root, f"{ALBUM}-{change.__name__}", {LAST: 100 * MIB})
            self.server.ask(f"/archive/{album.name}/", "HEAD")
            download = self.server.download(f"/archive/{album.name}/")
            download.read(MIB)
            change(album / LAST)
            self.assertFalse(download.finish(), change.__name__)
        self.server.wait_for_log(f"failed: {LAST}: ")

    def test_cut_is_seen_by_every_client(self) -> None:
        """The response says how long it is and ends before: no client takes it for whole."""
        album = make_album(self.root, ALBUM, {"a-first.bin": 24 * MIB, LAST: noise(MIB)})
        download = self.server.download(TARGET)
        (album / LAST).unlink()
        self.assertFalse(download.finish())
        self.assertLess(download.received, download.length)
        self.assertNotIn("transfer-encoding", download.head.lower())

    def test_next_download(self) -> None:
        """After a cut, the album as it is now can be downloaded."""
        self.change_during_download(MIB, grow)
        answer = self.server.ask(f"/archive/{ALBUM}-grow-{MIB}/")
        self.assertEqual((answer.status, len(answer.body)), (200, int(answer["Content-Length"])))


class UnreadableTests(SynchronousTestCase):
    """A member, or a folder in an album, that the server has no permission to read."""

    def setUp(self) -> None:
        self.root = folder(self) / "root"
        self.album = make_album(self.root, ALBUM, {"1.txt": b"one", "sub/2.txt": b"two"})
        make_album(self.root, "other", {"1.txt": b"one"})
        before: list[str] = []
        if os.geteuid() == 0:
            # The superuser reads everything, until he gives that up.
            need("setpriv")
            before = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
        self.server = start(self, self.root, before=before)

    def refused(self, path: Path, mode: int) -> None:
        """A 500 before the first byte, which says nothing of the inside; the log has its number."""
        before = path.stat().st_mode
        path.chmod(mode)
        self.addCleanup(path.chmod, before)
        answer = self.server.ask(TARGET)
        self.assertEqual(answer.status, 500)
        self.assertNotIn(path.name.encode(), answer.body)
        self.assertNotIn("content-disposition", answer.headers)
        self.assertIn(answer["X-Request-Id"], self.server.log)
        self.assertIn(path.name, self.server.log)
        self.assertNotIn(ALBUM, self.server.log)
        path.chmod(before)
        self.assertEqual(self.server.ask(TARGET).status, 200)

    def test_member(self) -> None:
        """A member that can't be opened: 500 before the first byte."""
        self.refused(self.album / "1.txt", 0)

    def test_folder(self) -> None:
        """A folder that can't be listed: the same."""
        self.refused(self.album / "sub", 0)

    def test_folder_that_can_only_be_listed(self) -> None:
        """A folder whose names are seen and whose files are not: the same."""
        self.refused(self.album / "sub", 0o444)

    def test_others_are_served(self) -> None:
        """What is wrong with one album does not touch another."""
        self.refused(self.album / "1.txt", 0)
        self.assertEqual(self.server.ask("/archive/other/").status, 200)

    def test_head(self) -> None:
        """HEAD tells it as well, and so does a range."""
        (self.album / "1.txt").chmod(0)
        self.assertEqual(self.server.ask(TARGET, "HEAD").status, 500)
        self.assertEqual(self.server.ask(TARGET, Range="bytes=0-1").status, 500)


class KilledTests(SynchronousTestCase):
    """``kill -9`` while the index of checksums is written."""

    def setUp(self) -> None:
        where = folder(self)
        self.root, self.state = where / "root", where / "state"
        members = {f"{number:05}.txt": b"%d" % number for number in range(12_000)}
        make_album(self.root, ALBUM, members)

    def killed_during_download(self, after: int) -> Server:
        """Start cold, kill when so many bytes of the archive were sent."""
        server = start(self, self.root, state=self.state)
        download = server.download(TARGET)
        download.read(after)
        server.kill()
        download.socket.close()
        return server

    def remembered(self) -> int:
        """How many checksums the catalogue holds; and it is sound."""
        with sqlite3.connect(self.state / "catalogue.sqlite") as catalogue:
            self.assertEqual(catalogue.execute("PRAGMA integrity_check").fetchone(), ("ok",))
            count: int = catalogue.execute("SELECT count(*) FROM facts").fetchone()[0]
        catalogue.close()
        return count

    def test_next_start_works(self) -> None:
        """Wherever in it the server was killed, the next one starts, and sends the same archive."""
        expected = start(self, self.root).ask(TARGET).body
        for after in (1000, 300_000, 700_000, 1_200_000):
            self.killed_during_download(after)
            self.remembered()
        server = start(self, self.root, state=self.state)
        self.assertEqual(server.ask(TARGET).body, expected)
        eventually(lambda: self.remembered() == 12_000, "all checksums in the catalogue")

    def test_killed_while_the_catalogue_is_made(self) -> None:
        """A catalogue that was half made, or just made, is finished by the next start."""
        options = ("--path", str(self.root), "--state", str(self.state), "--listen", ENDPOINT)
        for _ in range(4):
            server = launch(self, *options)
            eventually((self.state / "catalogue.sqlite").exists, "the catalogue's file")
            server.kill()
        server = start(self, self.root, state=self.state)
        self.assertEqual(server.ask(TARGET, "HEAD").status, 200)
        self.assertEqual(self.remembered(), 0)
