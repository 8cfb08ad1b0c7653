"""
Pictures that kill or hold the process that decodes them: that costs a child, and nobody else anything.
"""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from unittest import TestCase

from .bombs import slow_jpeg
from .clients import PATIENCE, Answer, eventually
from .gallerysite import ALBUM, GalleryServer, photo
from .processes import Watch, children, processor_time, together

#: Scans that keep a decoder busy for some 9 seconds: long enough to be met at work.
_A_WHILE = 2_000

#: Scans that would keep it busy for more than the 30 seconds that a child has.
_TOO_LONG = 30_000

#: Seconds of a child's work that nothing but a slow picture takes.
_AT_WORK = 1.0


class DeadlyTests(TestCase):
    """A server with healthy pictures, and a deadly one."""

    def setUp(self) -> None:
        self.server = GalleryServer(self)
        self.pid = self.server.process.process.pid
        self.album = self.server.album()
        for number in range(20):
            (self.album / f"{number}.jpg").write_bytes(photo(number))

    def preview(self, name: str) -> Answer:
        return self.server.preview(f"/gallery/{ALBUM}/preview/320/{name}")

    def others(self) -> set[int]:
        """Statuses of previews of all healthy pictures, asked for together."""
        return {answer.status for answer in together(self.preview, [f"{n}.jpg" for n in range(20)])}

    def busy(self) -> list[int]:
        """Children that have something slow at work."""
        return [each for each in children(self.pid) if processor_time(each) > _AT_WORK]

    def assert_lives(self, watch: Watch) -> None:
        self.assertIsNone(self.server.process.process.poll())
        self.assertEqual(set(watch.seen), {200})
        self.assertNotIn("Traceback", self.server.process.log)
        self.assertNotIn("Unhandled", self.server.process.log)

    def test_child_is_killed(self) -> None:
        """When a child dies at work, that picture has no preview, at once and later, and all others have."""
        (self.album / "slow.jpg").write_bytes(slow_jpeg(_A_WHILE))
        with Watch(self.server.process) as watch, ThreadPoolExecutor(2) as pool:
            slow = pool.submit(self.preview, "slow.jpg")
            (victim,) = eventually(self.busy, "a child at work")
            queued = pool.submit(self.others)
            os.kill(victim, signal.SIGKILL)
            self.assertEqual(slow.result(PATIENCE).status, 404)
            self.assertEqual(queued.result(PATIENCE), {200})
        self.assertEqual(self.preview("slow.jpg").status, 404)
        self.assertEqual(self.busy(), [])
        self.assert_lives(watch)

    def test_children_are_killed_while_they_look(self) -> None:
        """When children die while an album is looked at, all of its pictures are known in the end."""
        for number in range(20, 1_000):
            (self.album / f"{number}.jpg").write_bytes(photo(number))
        self.server.page()
        for victim in eventually(lambda: children(self.pid), "children"):
            os.kill(victim, signal.SIGKILL)
        eventually(lambda: self.server.page() and self.server.looked_at() == 1_000, "facts of all")
        unknown = self.server.catalogue("SELECT count(*) FROM pictures WHERE width IS NULL")
        self.assertEqual(unknown, [(0,)])

    def test_new_version_of_a_deadly_picture(self) -> None:
        """What is remembered is that version: other bytes under the same name have a preview."""
        path = self.album / "slow.jpg"
        path.write_bytes(slow_jpeg(_A_WHILE))
        with ThreadPoolExecutor(1) as pool:
            slow = pool.submit(self.preview, "slow.jpg")
            (victim,) = eventually(self.busy, "a child at work")
            os.kill(victim, signal.SIGKILL)
            self.assertEqual(slow.result(PATIENCE).status, 404)
        path.write_bytes(photo())
        self.assertEqual(self.preview("slow.jpg").status, 200)

    def test_too_much_work(self) -> None:
        """A child that works longer than it may is ended; meanwhile and then others have their previews."""
        (self.album / "slow.jpg").write_bytes(slow_jpeg(_TOO_LONG))
        with Watch(self.server.process) as watch, ThreadPoolExecutor(1) as pool:
            slow = pool.submit(self.preview, "slow.jpg")
            eventually(self.busy, "a child at work")
            self.assertEqual(self.others(), {200})
            self.assertEqual(slow.result(2 * PATIENCE).status, 404)
        self.assertEqual(self.preview("slow.jpg").status, 404)
        self.assertEqual(self.busy(), [])
        self.assert_lives(watch)

    def test_asked_for_together(self) -> None:
        """Requests for one preview share one job, which goes on when the clients leave."""
        (self.album / "slow.jpg").write_bytes(slow_jpeg(_A_WHILE // 4))
        clients = [self.server.process.connect() for _ in range(20)]
        for client in clients:
            client.sendall(b"GET /gallery/gallery/preview/320/slow.jpg HTTP/1.1\r\nHost: x\r\n\r\n")
        eventually(self.busy, "a child at work")
        for client in clients[1:]:
            client.close()
        with clients[0] as kept:
            self.assertTrue(kept.recv(1 << 16).startswith(b"HTTP/1.1 200 "))
        # Some 2 seconds of work each: had they been made one by one it would show here.
        self.assertLess(sum(map(processor_time, children(self.pid))), 15)
        self.assertEqual(self.preview("slow.jpg").status, 200)
