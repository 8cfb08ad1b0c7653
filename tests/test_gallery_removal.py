"""
Tests of removing pictures: file, previews and facts go, the file first, and what fails later is no failure.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from fileserve.catalogue.interfaces import CatalogueUnavailable, MemberFacts
from fileserve.catalogue.memory import MemoryFacts
from fileserve.catalogue.memorypictures import MemoryPictures
from fileserve.gallery.removal import Removal
from fileserve.pictures.facts import PictureFacts
from fileserve.storage.errors import MemberChanged, NoSuchFile, StoreUnavailable
from fileserve.storage.memory import MemoryStore

from .filesupport import Spied
from .support import deferred

_AWAY = CatalogueUnavailable("films", "locked")
_SHA256 = "0f" * 32


class _Previews:
    """Notes whose previews are to be dropped."""

    def __init__(self) -> None:
        self.dropped: list[str] = []

    def drop(self, sha256: str) -> Deferred[None]:
        self.dropped.append(sha256)
        return succeed(None)


class RemovalTests(SynchronousTestCase):
    """Pictures that go."""

    def setUp(self) -> None:
        self.journal: list[str] = []
        self.memory = MemoryStore()
        self.seen = MemoryPictures()
        self.store = Spied(self.memory, self.journal)
        self.facts = Spied(MemoryFacts(self.seen), self.journal)
        self.kept = _Previews()
        self.previews = Spied(self.kept, self.journal)
        parts: Any = (self.facts, self.previews, self.store.delete)
        self.removal = Removal(*parts)
        for name in (b"a.jpg", b"b.jpg"):
            member = self.memory.put("album", name, name)
            self.facts.inner.know("album", name, member.version, MemberFacts(1, _SHA256, "image/jpeg"))
            self.seen.note("album", [(name, member.version, PictureFacts("image/jpeg", 1, 1))])

    def remove(self, path: bytes = b"a.jpg") -> Deferred[None]:
        return deferred(self.removal.remove("album", path))

    def lying(self) -> list[bytes]:
        return sorted(self.memory._albums["album"].files)

    def known(self) -> set[bytes]:
        """The members of which anything is remembered."""
        facts = self.successResultOf(self.facts.inner.recall("album"))
        seen = self.successResultOf(self.seen.known("album"))
        return {path for path, _ in [*facts, *seen]}

    def test_removed(self) -> None:
        """S3-F9: file, previews and facts go; those of others stay."""
        self.successResultOf(self.remove())
        self.assertEqual((self.lying(), self.known()), ([b"b.jpg"], {b"b.jpg"}))
        self.assertEqual(self.kept.dropped, [_SHA256])

    def test_order(self) -> None:
        """S3-W3: the file goes first; nothing of a picture that is still there is forgotten."""
        self.successResultOf(self.remove())
        self.assertEqual(self.journal, ["describe", "delete", "drop", "discard"])

    def test_gone(self) -> None:
        """S3-W4: of what is gone, or never was, that is told; nothing else goes for it."""
        for path in (b"no.jpg", b"../a.jpg", b""):
            self.failureResultOf(self.remove(path), NoSuchFile)
        self.assertEqual((self.lying(), self.known()), ([b"a.jpg", b"b.jpg"], {b"a.jpg", b"b.jpg"}))
        self.assertEqual(self.kept.dropped, [])

    def test_twice(self) -> None:
        """Of two who remove the same one hears that it is gone already."""
        self.successResultOf(self.remove())
        self.failureResultOf(self.remove(), NoSuchFile)

    def test_version(self) -> None:
        """One that is no longer the version that was meant stays, with all that belongs to it."""
        member = self.successResultOf(self.memory.stat("album", b"a.jpg"))
        wrong = deferred(self.removal.remove("album", b"a.jpg", "another"))
        self.failureResultOf(wrong, MemberChanged)
        self.assertEqual((self.lying(), self.kept.dropped), ([b"a.jpg", b"b.jpg"], []))
        self.successResultOf(deferred(self.removal.remove("album", b"a.jpg", member.version)))
        self.assertEqual(self.lying(), [b"b.jpg"])

    def test_nothing_known(self) -> None:
        """A picture of which nothing is known can be removed."""
        for facts in (None, MemberFacts(1)):
            member = self.memory.put("album", b"new.jpg", b"")
            if facts is not None:
                self.facts.inner.know("album", b"new.jpg", member.version, facts)
            self.successResultOf(self.remove(b"new.jpg"))
            self.assertEqual((self.lying(), self.kept.dropped), ([b"a.jpg", b"b.jpg"], []))

    def test_store_is_away(self) -> None:
        """A file that can't be removed keeps its previews and facts."""
        self.store.fails["delete"] = StoreUnavailable("away")
        self.failureResultOf(self.remove(), StoreUnavailable)
        self.assertEqual((self.lying(), self.known()), ([b"a.jpg", b"b.jpg"], {b"a.jpg", b"b.jpg"}))
        self.assertEqual(self.kept.dropped, [])

    def test_catalogue_is_away(self) -> None:
        """Without the catalogue the file goes all the same, and the log says what is left."""
        self.facts.fails.update(describe=_AWAY, discard=_AWAY)
        with capturedLogs() as logs:
            self.successResultOf(self.remove())
        self.assertEqual([event["log_level"].name for event in logs], ["warn", "critical"])
        self.assertEqual(len(self.flushLoggedErrors(CatalogueUnavailable)), 1)
        self.assertEqual(self.lying(), [b"b.jpg"])

    def test_previews_stay(self) -> None:
        """Previews that can't be removed keep nothing else."""
        self.previews.fails["drop"] = OSError("read-only")
        self.successResultOf(self.remove())
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertEqual((self.lying(), self.known()), ([b"b.jpg"], {b"b.jpg"}))

    def test_client_leaves(self) -> None:
        """Whoever leaves in the middle leaves nothing half removed."""
        for name in ("describe", "delete", "drop", "discard"):
            self.setUp()
            done = {"delete": self.store, "drop": self.previews}.get(name, self.facts).hold(name)
            removing = self.remove()
            removing.cancel()
            self.failureResultOf(removing, CancelledError)
            done.callback(None)
            self.assertEqual((self.lying(), self.known()), ([b"b.jpg"], {b"b.jpg"}))
            self.assertEqual(self.kept.dropped, [_SHA256])
