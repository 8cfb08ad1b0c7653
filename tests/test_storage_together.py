"""
Tests of small files that are kept together: what one thread does for many, and what each of them is told.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from fileserve.storage.draft import Draft, keep_together
from fileserve.storage.errors import FileExists, StoreUnavailable
from fileserve.storage.folders import Place
from fileserve.storage.interfaces import Member
from fileserve.storage.together import Together

from .support import ByHand, open_descriptors, write_album


class TogetherCase(SynchronousTestCase):
    """A root; after each test nothing is open, and nothing in progress."""

    def setUp(self) -> None:
        before = open_descriptors()
        self.addCleanup(lambda: self.assertEqual(open_descriptors(), before))
        self.root = Path(self.mktemp()).absolute()
        (self.root / ".incoming").mkdir(parents=True)
        self.addCleanup(lambda: self.assertEqual(os.listdir(self.root / ".incoming"), []))

    def draft(self, album: str, path: bytes = b"1.jpg") -> Draft:
        return Draft(Place(str(self.root), album, path), None, Lock())

    def albums(self) -> list[str]:
        return sorted(name for name in os.listdir(self.root) if name != ".incoming")


class KeepTogetherTests(TogetherCase):
    """Several drafts, step by step."""

    def test_all(self) -> None:
        """Each has its own bytes in its own place, and is told of its own member."""
        kept = keep_together([(self.draft(f"a{number}"), [b"x" * number]) for number in range(5)])
        sizes = [member.size for member in kept if isinstance(member, Member)]
        self.assertEqual(sizes, [0, 1, 2, 3, 4])
        self.assertEqual((self.root / "a4/1.jpg").read_bytes(), b"xxxx")

    def test_one_album(self) -> None:
        """Several may come into one album, of which each makes what folders are missing."""
        kept = keep_together([(self.draft("a", b"b/%d.jpg" % number), [b"1"]) for number in range(3)])
        self.assertTrue(all(isinstance(member, Member) for member in kept))
        self.assertEqual(len(os.listdir(self.root / "a/b")), 3)

    def test_only_the_guilty(self) -> None:
        """What keeps one of them out keeps no other out, and nothing of that one is left."""
        write_album(self.root, "a1", {"1.jpg": b"old"})
        kept = keep_together([(self.draft(album), [b"new"]) for album in ("a0", "a1", "a2", "a2")])
        self.assertEqual([type(each) for each in kept], [Member, FileExists, Member, FileExists])
        self.assertEqual((self.root / "a1/1.jpg").read_bytes(), b"old")
        self.assertEqual(self.albums(), ["a0", "a1", "a2"])

    def test_durable(self) -> None:
        """Every file is durable before one has its place, and every folder after all have; the root once."""
        synced: list[str] = []
        sync, rename = os.fsync, os.mkdir

        def fsync(descriptor: int) -> None:
            synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
            sync(descriptor)

        def mkdir(*args: Any, **named: Any) -> None:
            synced.append("mkdir")
            rename(*args, **named)

        # What reaches the disk can't be seen without a power failure; what is asked of the system can.
        self.patch(os, "fsync", fsync)
        self.patch(os, "mkdir", mkdir)
        albums = ["a0", "a1", "a2"]
        keep_together([(self.draft(album), [b"1"]) for album in albums])
        files, folders = synced[:3], synced[6:]
        self.assertEqual({os.path.dirname(name) for name in files}, {str(self.root / ".incoming")})
        self.assertEqual(synced[3:6], ["mkdir"] * 3)
        expected = [self.root, *(self.root / name for name in albums)]
        self.assertEqual(sorted(folders), sorted(map(str, expected)))

    def test_root_fails(self) -> None:
        """A file whose album may not be durable is not kept."""
        sync = os.fsync

        def fsync(descriptor: int) -> None:
            if os.readlink(f"/proc/self/fd/{descriptor}") == str(self.root):
                raise OSError(5, "Input/output error")
            sync(descriptor)

        self.patch(os, "fsync", fsync)
        kept = keep_together([(self.draft(album), [b"1"]) for album in ("a0", "a1")])
        self.assertEqual([str(each) for each in kept], ["Input/output error"] * 2)
        self.assertEqual(self.albums(), [])


class TogetherTests(TogetherCase):
    """Who goes with whom."""

    def setUp(self) -> None:
        super().setUp()
        self.threads = ByHand()
        self.together = Together(self.threads)

    def keep(self, album: str) -> Deferred[Member]:
        return self.together.keep(self.draft(album), [b"1"])

    def test_alone(self) -> None:
        """Who comes when nothing is under way is kept at once."""
        for album in ("a0", "a1"):
            keeping = self.keep(album)
            self.threads.step()
            self.assertEqual(self.successResultOf(keeping).size, 1)
        self.assertEqual(len(self.threads), 0)

    def test_gathered(self) -> None:
        """Those that come meanwhile are kept by one thread next, and told when it ends."""
        keeping = [self.keep(f"a{number}") for number in range(10)]
        self.assertEqual(len(self.threads), 1)
        self.threads.step()
        self.successResultOf(keeping[0])
        self.assertNoResult(keeping[1])
        self.threads.step()
        for each in keeping[1:]:
            self.assertEqual(self.successResultOf(each).size, 1)
        self.assertEqual((len(self.threads), len(self.albums())), (0, 10))

    def test_bounded(self) -> None:
        """However many come, no thread is given so many that they take all descriptors; none is forgotten."""
        keeping = [self.keep(f"a{number}") for number in range(200)]
        turns = 0
        while len(self.threads):
            self.threads.step()
            turns += 1
        self.assertGreater(turns, 3)
        for each in keeping:
            self.successResultOf(each)

    def test_failure(self) -> None:
        """One that can't be kept is told why, and the others are not."""
        write_album(self.root, "a1", {"1.jpg": b"old"})
        keeping = [self.keep(f"a{number}") for number in range(3)]
        self.threads.run()
        self.failureResultOf(keeping[1], FileExists)
        for each in (keeping[0], keeping[2]):
            self.successResultOf(each)

    def test_thread_fails(self) -> None:
        """Where a thread itself fails, all of its files have failed, and the next ones go on."""
        broken = [True]

        def in_thread(work: Callable[..., Any], *args: object) -> Deferred[Any]:
            return self.threads(fails if broken.pop() else work, *args)

        def fails(_: object) -> None:
            broken.append(False)
            raise StoreUnavailable("no thread")

        together = Together(in_thread)
        first = together.keep(self.draft("a0"), [b"1"])
        second = together.keep(self.draft("a1"), [b"1"])
        self.threads.run()
        self.failureResultOf(first, StoreUnavailable)
        self.assertEqual(self.successResultOf(second).size, 1)
