"""
Tests of members as open files.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from fileserve.gallery.descriptors import Descriptors, NoCopy
from fileserve.storage.disk import DiskStore
from fileserve.storage.errors import MemberChanged, NoSuchAlbum
from fileserve.storage.interfaces import Member
from fileserve.storage.memory import MemoryStore

from .support import ByHand, at_once, deferred, open_descriptors, write_album

_MIB = 1024 * 1024


class DescriptorsCase(SynchronousTestCase):
    """Files of a store, and what is done while they are open."""

    def setUp(self) -> None:
        self.directory = self.mktemp()
        self.threads: Any = at_once
        self.before = open_descriptors()

    def tearDown(self) -> None:
        self.assertEqual(open_descriptors(), self.before)

    def use(self, store: Any) -> None:
        self.descriptors = Descriptors(store, self.directory, self.in_thread)

    def in_thread(self, *work: Any) -> Any:
        return self.threads(*work)

    def opened(self, member: Member, body: Callable[[int], object], album: str = "album") -> Deferred[Any]:
        async def use() -> object:
            async with self.descriptors.opened(album, member) as descriptor:
                result = body(descriptor)
                return await result if isinstance(result, Deferred) else result

        return deferred(use())


def _content(descriptor: int) -> bytes:
    return os.pread(descriptor, 4 * _MIB, 0)


class DiskTests(DescriptorsCase):
    """Members that are files."""

    def setUp(self) -> None:
        super().setUp()
        root = self.mktemp()
        self.file = write_album(root, "album", {"a": b"content"}) / "a"
        store = DiskStore(root, at_once)
        (self.member,) = self.successResultOf(store.list("album")).members
        self.use(store)

    def test_own(self) -> None:
        """The file itself is opened; nothing is copied."""
        self.assertEqual(self.successResultOf(self.opened(self.member, _content)), b"content")
        self.assertFalse(os.path.exists(self.directory))

    def test_another_version(self) -> None:
        """Another version is not opened."""
        self.file.write_bytes(b"other content")
        self.failureResultOf(self.opened(self.member, _content), MemberChanged)

    def test_changed_meanwhile(self) -> None:
        """What was read of another version is not to be used, whether it made sense or not."""
        self.failureResultOf(self.opened(self.member, lambda _: self.file.write_bytes(b"o")), MemberChanged)

    def test_changed_and_failed(self) -> None:
        """What went wrong with another version says nothing of this one."""

        def body(_: int) -> None:
            self.file.write_bytes(b"other")
            raise ZeroDivisionError

        self.failureResultOf(self.opened(self.member, body), MemberChanged)

    def test_fails(self) -> None:
        """What goes wrong while the right version is open is told as it is."""
        self.failureResultOf(self.opened(self.member, lambda _: 1 / 0), ZeroDivisionError)

    def test_no_album(self) -> None:
        """An album that is gone is told as such."""
        self.failureResultOf(self.opened(self.member, _content, album="other"), NoSuchAlbum)


class CopiesTests(DescriptorsCase):
    """Members that are no files."""

    def setUp(self) -> None:
        super().setUp()
        self.store = MemoryStore()
        self.data = os.urandom(2 * _MIB + 1)
        self.member = self.store.put("album", b"a", self.data)
        self.use(self.store)

    def test_copy(self) -> None:
        """All bytes are there, in a file without a name."""

        def body(descriptor: int) -> bytes:
            self.assertEqual(os.listdir(self.directory), [])
            self.assertIn(os.path.abspath(self.directory), os.readlink(f"/proc/self/fd/{descriptor}"))
            return _content(descriptor)

        self.assertEqual(self.successResultOf(self.opened(self.member, body)), self.data)

    def test_empty(self) -> None:
        """A file without bytes has a descriptor, too."""
        self.assertEqual(self.successResultOf(self.opened(self.store.put("album", b"b", b""), _content)), b"")

    def test_changed_meanwhile(self) -> None:
        """What was replaced meanwhile is noticed."""
        put = lambda _: self.store.put("album", b"a", b"other")  # noqa: E731
        self.failureResultOf(self.opened(self.member, put), MemberChanged)

    def test_cancelled(self) -> None:
        """A copy for which nobody waits any more is closed as soon as no thread writes to it."""
        self.threads = steps = ByHand()
        opening = self.opened(self.member, _content)
        opening.cancel()
        self.failureResultOf(opening, CancelledError)
        self.assertEqual(open_descriptors(), self.before + 1)
        steps.run()

    def test_two_at_once(self) -> None:
        """Two members are copied at once; the third waits for its turn. As many as are needed stay open."""
        self.threads = steps = ByHand()
        done: Deferred[None] = Deferred()
        results = [self.opened(self.member, lambda _: done) for _ in range(3)]
        self.assertEqual(len(steps), 2)
        steps.run()
        self.assertEqual(open_descriptors(), self.before + 3)
        done.callback(None)
        for each in results:
            self.successResultOf(each)

    def test_no_room(self) -> None:
        """Where a copy can't be written, the store is as good as away, and the text names no folder."""
        self.threads = lambda *_: at_once(_full)
        self.assertUnavailable()

    def test_no_folder(self) -> None:
        """So it is where no copy can be made at all."""
        Path(self.directory).write_bytes(b"")
        self.assertUnavailable()

    def test_room_is_left(self) -> None:
        """A copy that would take the room that is to be left free is given up at its beginning."""
        steps: list[object] = []
        about = os.statvfs(".")
        free = about.f_bavail * about.f_frsize
        self.descriptors = Descriptors(self.store, self.directory, self.in_thread, free)

        def counted(*work: Any) -> Any:
            steps.append(work)
            return at_once(*work)

        self.threads = counted
        self.assertUnavailable()
        self.assertEqual(len(steps), 1)

    def assertUnavailable(self) -> None:
        failure = self.failureResultOf(self.opened(self.member, _content), NoCopy)
        self.assertNotIn(self.directory, failure.getErrorMessage())


def _full() -> None:
    raise OSError(28, "No space left on device")
