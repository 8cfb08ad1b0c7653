"""
Tests of the processes that decode: none outlives its server, and none is there without need.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from .bombs import slow_jpeg
from .clients import eventually
from .gallerysite import ALBUM, GalleryCase, photo
from .processes import children, processor_time


class ProcessTests(GalleryCase):
    """A server with children at work, and idle."""

    def at_work(self) -> Sequence[int]:
        """Its children, one of which is busy with a picture."""
        self.drop("slow.jpg", slow_jpeg(3_000))
        pid = self.server.process.process.pid
        with self.server.process.connect() as client:
            client.sendall(
                b"GET /gallery/%b/preview/320/slow.jpg HTTP/1.1\r\nHost: x\r\n\r\n" % ALBUM.encode()
            )
            eventually(
                lambda: [each for each in children(pid) if processor_time(each) > 1], "a child at work"
            )
        return children(pid)

    def assert_gone(self, pids: Sequence[int]) -> None:
        """None of them is there any more."""
        self.assertTrue(pids)
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), f"{pids} to be gone", 10)

    def test_stopped(self) -> None:
        """SIGTERM ends the server and its children, also one that is at work."""
        pids = self.at_work()
        self.assertEqual(self.server.process.stop(), -signal.SIGTERM)
        self.assert_gone(pids)
        self.assertNotIn("Traceback", self.server.process.log)
        self.assertNotIn("Unhandled", self.server.process.log)

    def test_killed(self) -> None:
        """Children of a server that died suddenly end by themselves, as soon as they look up."""
        self.drop("1.jpg", photo())
        self.assertEqual(self.preview("1.jpg").status, 200)
        pids = children(self.server.process.process.pid)
        self.server.process.kill()
        self.assert_gone(pids)

    def test_killed_at_work(self) -> None:
        """So does one that is at work then."""
        pids = self.at_work()
        self.server.process.kill()
        self.assertTrue(pids)
        eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "the children to be gone")

    def test_not_without_need(self) -> None:
        """A server of which no preview and no facts were asked has no child at all."""
        self.assertEqual(self.server.request("/").status, 200)
        self.assertEqual(self.server.request(f"/archive/{ALBUM}/").status, 200)
        self.assertEqual(children(self.server.process.process.pid), [])

    def test_what_children_have(self) -> None:
        """A child has no file of the server's open, no secret in its environment, and is in no way urgent."""
        self.drop("1.jpg", photo())
        self.assertEqual(self.preview("1.jpg").status, 200)
        pids = children(self.server.process.process.pid)
        self.assertTrue(pids)
        for pid in pids:
            links = [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()]
            for link in links:
                self.assertNotIn(str(self.server.state), link)
                self.assertNotIn(str(self.server.root), link)
            self.assertLessEqual(sum("socket" in link for link in links), 1)
            names = {
                each.partition(b"=")[0] for each in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            }
            self.assertLessEqual(names - {b""}, {b"PATH", b"LANG"})
            limits = Path(f"/proc/{pid}/limits").read_text()
            for name in ("Max address space", "Max cpu time", "Max file size"):
                (line,) = [line for line in limits.splitlines() if line.startswith(name)]
                self.assertNotIn("unlimited", line.split()[3:4], line)
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            self.assertEqual(int(stat[16]), 10)
