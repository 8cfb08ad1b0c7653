"""
Tests of previews on the disk.
"""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.gallery.previewcache import PreviewCache
from fileserve.pictures.facts import Why
from fileserve.pictures.formats import WAY

from .support import open_descriptors

_KIB = 1024


def sha256(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def webp(size: int) -> bytes:
    return b"RIFF" + bytes(size - 4)


class CacheCase(SynchronousTestCase):
    """A cache with room for 100 KiB, and a clock."""

    def setUp(self) -> None:
        self.before = open_descriptors()
        self.now = 1_000_000_000.0
        self.directory = Path(self.mktemp())
        self.cache = self.opened()

    def tearDown(self) -> None:
        self.assertEqual(open_descriptors(), self.before)

    def opened(self, cap: int = 100 * _KIB) -> PreviewCache:
        return PreviewCache(str(self.directory), cap, lambda: self.now)

    def keep(self, name: str, size: int = 10 * _KIB) -> None:
        self.now += 1
        self.cache.keep(sha256(name), 320, "webp", webp(size))

    def here(self, *names: str) -> str:
        """Which of some previews are there, found without using any."""
        return "".join(each for each in names if self.path(each).exists())

    def path(self, name: str) -> Path:
        digest = sha256(name)
        return self.directory / digest[:2] / f"{digest}-320-{WAY}.webp"


class PreviewCacheTests(CacheCase):
    """Keeping and finding."""

    def test_keep(self) -> None:
        """What was kept is found, by content, size and format, also by another process later."""
        one, other = sha256("a"), sha256("b")
        self.assertIsNone(self.cache.read(one, 320, "webp"))
        self.cache.keep(one, 320, "webp", b"RIFF 320")
        self.cache.keep(one, 1280, "webp", b"RIFF 1280")
        self.cache.keep(one, 320, "jpeg", b"\xff\xd8\xff 320")
        for cache in (self.cache, self.opened()):
            self.assertEqual(cache.read(one, 320, "webp"), b"RIFF 320")
            self.assertEqual(cache.read(one, 1280, "webp"), b"RIFF 1280")
            self.assertEqual(cache.read(one, 320, "jpeg"), b"\xff\xd8\xff 320")
            self.assertIsNone(cache.read(one, 1280, "jpeg"))
            self.assertIsNone(cache.read(other, 320, "webp"))

    def test_another_way(self) -> None:
        """What was made in another way is not found any more, and goes with the rest."""
        self.keep("a")
        now = self.path("a")
        old = now.with_name(now.name.replace(f"-{WAY}.", f"-{WAY + 1}."))
        now.rename(old)
        self.assertIsNone(self.cache.read(sha256("a"), 320, "webp"))
        self.cache.drop(sha256("a"))
        self.assertFalse(old.exists())

    def test_where(self) -> None:
        """A preview lies where the documentation says, for no other user to read."""
        self.keep("a")
        self.assertTrue(self.path("a").is_file())
        self.assertEqual(self.path("a").parent.stat().st_mode & 0o777, 0o700)

    def test_again(self) -> None:
        """Keeping the same again replaces it."""
        self.keep("a", 10 * _KIB)
        self.keep("a", 20 * _KIB)
        self.assertEqual(len(self.cache.read(sha256("a"), 320, "webp") or b""), 20 * _KIB)
        self.assertEqual(len(list(self.path("a").parent.iterdir())), 1)

    def test_marks(self) -> None:
        """Why there is no preview is found again; but not that a decoder is missing, which may come."""
        self.assertIsNone(self.cache.why_not(sha256("a")))
        for why in (Why.BROKEN, Why.DEADLY, Why.TOO_LARGE):
            self.cache.mark(sha256("a"), why)
            self.assertEqual(self.opened().why_not(sha256("a")), why)
        self.cache.mark(sha256("b"), Why.UNSUPPORTED)
        self.assertIsNone(self.cache.why_not(sha256("b")))

    def test_tried_again(self) -> None:
        """A child's death is tried again after a day, the rest after 30, also if it is asked for often."""
        self.cache.mark(sha256("deadly"), Why.DEADLY)
        self.cache.mark(sha256("broken"), Why.BROKEN)
        for _ in range(23):
            self.now += 3600
            self.assertEqual(self.cache.why_not(sha256("deadly")), Why.DEADLY)
        self.now += 3600
        self.assertIsNone(self.cache.why_not(sha256("deadly")))
        self.assertEqual(self.cache.why_not(sha256("broken")), Why.BROKEN)
        self.cache.mark(sha256("deadly"), Why.DEADLY)
        self.assertEqual(self.cache.why_not(sha256("deadly")), Why.DEADLY)
        for _ in range(28):
            self.now += 24 * 3600
            self.assertEqual(self.cache.why_not(sha256("broken")), Why.BROKEN)
        self.now += 24 * 3600
        self.assertIsNone(self.cache.why_not(sha256("broken")))

    def test_drop(self) -> None:
        """Dropping forgets all that was kept of some bytes, and nothing else; nothing is no error."""
        one = sha256("a")
        self.cache.drop(one)
        for size in (320, 1280):
            self.cache.keep(one, size, "webp", webp(9))
        self.cache.mark(one, Why.BROKEN)
        sibling = one[:2] + sha256("b")[2:]
        self.cache.keep(sibling, 320, "webp", webp(9))
        self.cache.drop(one)
        self.assertEqual(os.listdir(self.directory / one[:2]), [f"{sibling}-320-{WAY}.webp"])

    def test_damaged(self) -> None:
        """What a loss of power made of a file is no preview, and goes."""
        for damage in (b"", bytes(4096)):
            self.keep("a")
            self.path("a").write_bytes(damage)
            self.assertIsNone(self.cache.read(sha256("a"), 320, "webp"))
            self.assertFalse(self.path("a").exists())
        self.cache.mark(sha256("a"), Why.BROKEN)
        mark = self.path("a").with_name(sha256("a") + ".none")
        for damage in (b"", b"\xff\xff", bytes(4096)):
            mark.write_bytes(damage)
            self.assertIsNone(self.cache.why_not(sha256("a")))
            self.assertFalse(mark.exists())

    def test_names(self) -> None:
        """No other name ever becomes a path."""
        for name in ("", "..", "../" * 21 + "a", "A" * 64, "a" * 63, "a" * 64 + "\n", "\u0660" * 64):
            with self.assertRaises(ValueError):
                self.cache.read(name, 320, "webp")
            with self.assertRaises(ValueError):
                self.cache.mark(name, Why.BROKEN)
            with self.assertRaises(ValueError):
                self.cache.drop(name)
        with self.assertRaises(ValueError):
            self.cache.keep("a" * 64, 320, "html", b"<")

    def test_failing_disk(self) -> None:
        """Where the disk takes nothing, that is raised, and nothing half stays."""
        self.keep("a")
        folder = self.path("a").parent
        self.path("a").unlink()
        self.path("a").mkdir()
        with self.assertRaises(OSError):
            self.keep("a")
        self.assertEqual(os.listdir(folder), [self.path("a").name])
        with self.assertRaises(OSError):
            self.cache.read(sha256("a"), 320, "webp")


class RoomTests(CacheCase):
    """Making room."""

    def test_cap(self) -> None:
        """Past the cap, what was kept first goes until 90 % are left; 8 KiB take two blocks of 4."""
        for name in "abcdefghijkl":
            self.keep(name, 8 * _KIB)
        self.assertEqual(self.here(*"abcdefghijkl"), "abcdefghijkl")  # 96 KiB
        self.keep("m", 8 * _KIB)
        self.assertEqual(self.here(*"abcdefghijklm"), "cdefghijklm")  # 88 KiB

    def test_used(self) -> None:
        """What was used lately stays, whenever it was kept; its use is noted at most once an hour."""
        for name in "abcdefghijkl":
            self.keep(name, 8 * _KIB)
        self.cache.read(sha256("b"), 320, "webp")
        self.assertLess(self.path("b").stat().st_mtime, self.path("c").stat().st_mtime)
        self.now += 3600
        self.cache.read(sha256("a"), 320, "webp")
        self.assertEqual(self.path("a").stat().st_mtime, self.now)
        self.keep("m", 8 * _KIB)
        self.assertEqual(self.here(*"abcdefghijklm"), "adefghijklm")

    def test_clock_set_back(self) -> None:
        """A time of use in the future is put right."""
        self.keep("a")
        self.now -= 10
        self.cache.read(sha256("a"), 320, "webp")
        self.assertEqual(self.path("a").stat().st_mtime, self.now)

    def test_marks_count(self) -> None:
        """Marks take room as well, a block each, and go as previews do."""
        for name in range(26):
            self.now += 1
            self.cache.mark(sha256(str(name)), Why.BROKEN)
        left = [name for name in range(26) if self.cache.why_not(sha256(str(name)))]
        self.assertEqual(left, list(range(4, 26)))  # 88 KiB

    def test_start(self) -> None:
        """At start, what is there is counted, and what is too much goes, as does what was left unfinished."""
        for name in "abcdefghij":
            self.keep(name, 10 * _KIB)
        draft = self.path("a").with_name(".draft-left-1")
        draft.write_bytes(b"x")
        stranger = self.directory / "notes.txt"
        stranger.write_bytes(bytes(500 * _KIB))
        (self.directory / "folder").mkdir()
        (self.directory / "folder" / "notes.txt").write_bytes(bytes(500 * _KIB))
        self.cache = self.opened(50 * _KIB)
        self.cache.sweep()
        self.assertEqual(self.here(*"abcdefghij"), "hij")  # of 12 KiB each
        self.assertFalse(draft.exists())
        self.assertTrue(stranger.exists())
        self.keep("k", 10 * _KIB)
        self.assertEqual(self.here(*"hijk"), "hijk")
        self.keep("l", 10 * _KIB)
        self.assertEqual(self.here(*"hijkl"), "jkl")

    def test_start_with_nothing(self) -> None:
        """A directory that is not there yet is no error."""
        self.cache.sweep()
        self.keep("a")

    def test_no_cap(self) -> None:
        """A cache for nothing keeps nothing, and fails nowhere."""
        self.cache = self.opened(0)
        self.keep("a")
        self.assertEqual(self.here("a"), "")

    def test_larger_than_the_cap(self) -> None:
        """What would not fit if it were alone is not kept, and nothing goes for it."""
        for name in "abc":
            self.keep(name)
        self.keep("d", 101 * _KIB)
        self.assertEqual(self.here(*"abcd"), "abc")

    def test_empty_folders(self) -> None:
        """Folders that hold nothing any more go at the next start; others, and what is not ours, stay."""
        self.keep("a")
        self.keep("b")
        self.cache.drop(sha256("a"))
        (self.directory / "folder").mkdir()
        self.cache.sweep()
        self.assertEqual({each.name for each in self.directory.iterdir()}, {sha256("b")[:2], "folder"})
        self.keep("a")
        self.assertEqual(self.here("a", "b"), "ab")

    def test_dropped_is_room(self) -> None:
        """What was dropped, or replaced by less, takes no room any more."""
        for _ in range(5):
            for name in "abcdefgh":
                self.keep(name, 8 * _KIB)
            self.keep("i", 28 * _KIB)
            self.keep("i", 8 * _KIB)
            self.assertEqual(self.here(*"abcdefghi"), "abcdefghi")
            for name in "abcdefghi":
                self.cache.drop(sha256(name))

    @given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(4, 60 * _KIB)), max_size=20))
    def test_never_more(self, kept: list[tuple[str, int]]) -> None:
        """Whatever is kept, no more than the cap is there afterwards, and what was kept last is."""
        self.directory = Path(self.mktemp())
        self.cache = self.opened()
        for name, size in kept:
            self.keep(name, size)
            files = [path for path in self.directory.rglob("*") if path.is_file()]
            self.assertLessEqual(sum(-(-path.stat().st_size // 4096) * 4096 for path in files), 100 * _KIB)
            self.assertEqual(self.here(name), name)

    def test_threads(self) -> None:
        """Several threads keep and read at once; in the end all is counted, and within the cap."""
        errors: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for n in range(60):
                    name = sha256(str((n * number) % 40))
                    self.cache.keep(name, 320, "webp", webp(4 * _KIB))
                    self.cache.read(name, 320, "webp")
                    if n % 7 == 0:
                        self.cache.drop(name)
            except BaseException as error:  # noqa: BLE001  # told by the test
                errors.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        self.assertEqual(errors, [])
        self.cache.sweep()
        files = [path for path in self.directory.rglob("*") if path.is_file()]
        self.assertLessEqual(sum(path.stat().st_size for path in files), 100 * _KIB)
        self.assertEqual(self.cache._taken, 4 * _KIB * len(files))
