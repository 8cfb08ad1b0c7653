"""
Tests of what is in a file now.
"""

from __future__ import annotations

import hashlib
import zlib
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from fileserve.catalogue.interfaces import CatalogueUnavailable, MemberFacts
from fileserve.catalogue.memory import MemoryFacts
from fileserve.files.contents import Contents
from fileserve.storage.disk import DiskStore
from fileserve.storage.errors import MemberChanged
from fileserve.storage.interfaces import Member
from fileserve.storage.memory import MemoryStore

from .filesupport import Spied
from .support import ByHand, at_once, deferred, open_descriptors, write_album

_MIB = 1024 * 1024


class ContentsTests(SynchronousTestCase):
    """Facts of members of a store in memory."""

    def setUp(self) -> None:
        self.store = MemoryStore()
        self.facts = Spied(MemoryFacts())
        self.threads: Any = at_once
        self.contents = Contents(self.store, cast(Any, self.facts), self.in_thread)
        self.member = self.store.put("album", b"a", b"%PDF-1.7\n")

    def in_thread(self, *work: Any) -> Any:
        return self.threads(*work)

    def type_of(self, member: Member, filename: str = "a") -> Deferred[str]:
        return deferred(self.contents.media_type("album", member, filename))

    def facts_of(self, member: Member, filename: str = "a") -> Deferred[MemberFacts]:
        return deferred(self.contents.facts("album", member, filename))

    def test_type(self) -> None:
        """The type is told by the first bytes, and by the name where that tells kinds of text apart."""
        self.assertEqual(self.successResultOf(self.type_of(self.member)), "application/pdf")
        text = self.store.put("album", b"b", b"a,b\n")
        self.assertEqual(self.successResultOf(self.type_of(text, "b.csv")), "text/csv")

    def test_type_is_remembered(self) -> None:
        """What the catalogue knows of this version is not looked up in the file."""
        self.facts.inner.know("album", b"a", self.member.version, MemberFacts(1, "ab", "video/mp4"))
        self.assertEqual(self.successResultOf(self.type_of(self.member)), "video/mp4")

    def test_facts(self) -> None:
        """Facts that nobody knows are computed from the bytes, and remembered."""
        data = bytes(range(256)) * 4096 * 3 + b"the end"
        member = self.store.put("album", b"b", data)
        facts = self.successResultOf(self.facts_of(member))
        self.assertEqual(facts.sha256, hashlib.sha256(data).hexdigest())
        self.assertEqual(facts.crc32, zlib.crc32(data))
        self.store.delete("album", b"b")
        self.assertEqual(self.successResultOf(self.facts_of(member)), facts)

    def test_known_in_part(self) -> None:
        """A CRC alone, which an archive computed, is not enough."""
        self.facts.inner.remember("album", [(b"a", self.member.version, 1)])
        facts = self.successResultOf(self.facts_of(self.member))
        self.assertEqual(facts.sha256, hashlib.sha256(b"%PDF-1.7\n").hexdigest())

    def test_another_version(self) -> None:
        """What is known of another version does not count."""
        self.successResultOf(self.facts_of(self.member))
        member = self.store.put("album", b"a", b"plain text")
        self.assertEqual(self.successResultOf(self.type_of(member)), "text/plain")
        self.assertEqual(self.successResultOf(self.facts_of(member)).crc32, zlib.crc32(b"plain text"))

    def test_changed(self) -> None:
        """A version that is no longer there is told."""
        self.store.put("album", b"a", b"other")
        self.failureResultOf(self.facts_of(self.member), MemberChanged)
        self.failureResultOf(self.type_of(self.member), MemberChanged)

    def test_no_bytes(self) -> None:
        """A file of no bytes has facts, too."""
        member = self.store.put("album", b"b", b"")
        self.assertEqual(self.successResultOf(self.facts_of(member)).crc32, 0)
        self.assertEqual(self.successResultOf(self.type_of(member)), "application/octet-stream")

    def test_catalogue_is_away(self) -> None:
        """Without the catalogue everything is found in the file, and the log says why it took longer."""
        away = CatalogueUnavailable("films", "locked")
        self.facts.fails.update(describe=away, know=away)
        with capturedLogs() as logs:
            self.successResultOf(self.type_of(self.member))
            self.successResultOf(self.facts_of(self.member))
        self.assertEqual({event["log_level"].name for event in logs}, {"warn"})

    def test_catalogue_is_locked(self) -> None:
        """The answer does not wait for the catalogue, nor do others; meanwhile nothing is read again."""
        locked = self.facts.hold("know")
        members = [self.store.put("album", b"%d" % n, b"%d" % n) for n in range(5)]
        for each in members:
            facts = self.successResultOf(self.facts_of(each))
            self.store.delete("album", each.path)
            self.assertEqual(self.successResultOf(self.facts_of(each)), facts)
        locked.callback(None)
        found = self.successResultOf(deferred(self.contents.remembered("album", members)))
        self.assertEqual(len(found), 5)
        self.assertEqual(self.contents._untold, {})

    def test_remembered(self) -> None:
        """What is known of a page of members is found in one look."""
        other = self.store.put("album", b"b", b"")
        self.successResultOf(self.facts_of(self.member))
        self.facts.journal.clear()
        found = self.successResultOf(deferred(self.contents.remembered("album", [self.member, other])))
        self.assertEqual(list(found), [(b"a", self.member.version)])
        self.assertEqual(self.facts.journal, ["describe"])

    def test_asked_by_many(self) -> None:
        """However many ask, a version is read once or twice, and not by all of them at once."""
        self.threads = ByHand()
        data = bytes(3 * _MIB)
        member = self.store.put("album", b"b", data)
        asking = [self.facts_of(member) for _ in range(10)]
        hashed = 0
        while len(self.threads):
            self.threads.step()
            hashed += 1
        for each in asking:
            self.assertEqual(self.successResultOf(each).crc32, zlib.crc32(data))
        self.assertLessEqual(hashed, 6)

    def test_cancelled(self) -> None:
        """Whoever leaves stops the reading, and others get their turn."""
        self.threads = ByHand()
        member = self.store.put("album", b"b", bytes(3 * _MIB))
        asking = [self.facts_of(member) for _ in range(4)]
        for each in asking[:3]:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        self.threads.run()
        self.successResultOf(asking[3])


class DiskContentsTests(SynchronousTestCase):
    """On a disk."""

    def test_everything_is_closed(self) -> None:
        """Nothing stays open, whether it was read, had changed, or was left in the middle."""
        root = self.mktemp()
        write_album(root, "album", {"a": bytes(3 * _MIB)})
        store, threads = DiskStore(root, at_once), ByHand()
        contents = Contents(store, MemoryFacts(), threads)
        before = open_descriptors()
        member = self.successResultOf(store.stat("album", b"a"))
        self.successResultOf(deferred(contents.media_type("album", member, "a")))
        reading = deferred(contents.facts("album", member, "a"))
        self.assertGreater(open_descriptors(), before)
        reading.cancel()
        self.failureResultOf(reading, CancelledError)
        threads.run()
        write_album(root, "album", {"a": b"changed"})
        self.failureResultOf(deferred(contents.facts("album", member, "a")), MemberChanged)
        self.assertEqual(open_descriptors(), before)
