"""
Tests of the CRC-32 values of an album: what is known, computed once for all who wait, and kept.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.exc import DataError
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyClass

from fileserve.archive.checksums import Checksums
from fileserve.catalogue.interfaces import CatalogueUnavailable, Crcs, IFacts, MemberFacts
from fileserve.catalogue.memory import MemoryFacts
from fileserve.storage.errors import MemberChanged, NoSuchAlbum, Unreadable
from fileserve.storage.interfaces import Buffer, IAlbumReader, IOpenMember, Member, Part


def member(path: bytes, size: int = 3, stamp: int = 1) -> Member:
    return Member(path, size, 0, (stamp, 1))


@implementer(IAlbumReader)
class Reader:
    """
    Reads an album whose checksums are told by the test.

    :ivar computing: what was begun and has not ended.
    """

    def __init__(self) -> None:
        self.opened = self.closed = self.begun = 0
        self.computing: dict[bytes, Deferred[int]] = {}
        self.cancelled: list[bytes] = []

    def __call__(self, album: str) -> IAlbumReader:
        assert album == "album"
        self.opened += 1
        return self

    def crc32(self, member: Member) -> Deferred[int]:
        self.begun += 1
        computing: Deferred[int] = Deferred(lambda _: self.cancelled.append(member.path))
        self.computing[member.path] = computing
        return computing

    def read_into(self, buffers: Sequence[Buffer], parts: Sequence[Part]) -> Deferred[None]:
        raise NotImplementedError

    def open(self, member: Member) -> Deferred[IOpenMember]:
        raise NotImplementedError

    def close(self) -> None:
        self.closed += 1


@implementer(IFacts)
class DownFacts:
    """
    A catalogue that answers everything with an error.
    """

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.asked: list[str] = []

    def recall(self, album: str) -> Deferred[Crcs]:
        return fail(self.error)

    def remember(self, album: str, crcs: Iterable[tuple[bytes, str, int]]) -> Deferred[None]:
        self.asked.append("remember")
        return fail(self.error)

    def forget(self, album: str, keep: Collection[bytes]) -> Deferred[int]:
        self.asked.append("forget")
        return fail(self.error)

    def know(self, album: str, path: bytes, version: str, facts: MemberFacts) -> Deferred[None]:
        raise NotImplementedError

    def describe(
        self, album: str, paths: Collection[bytes]
    ) -> Deferred[Mapping[tuple[bytes, str], MemberFacts]]:
        raise NotImplementedError

    def albums(self) -> Deferred[Sequence[str]]:
        raise NotImplementedError

    def discard(self, album: str, path: bytes) -> Deferred[None]:
        raise NotImplementedError


class FakesTests(SynchronousTestCase):
    """The fakes."""

    def test_fakes(self) -> None:
        """What stands here for a reader and for a catalogue has all that they have."""
        verifyClass(IAlbumReader, Reader)
        verifyClass(IFacts, DownFacts)


class ChecksumsCase(SynchronousTestCase):
    """An album of three members, of which one is empty."""

    def setUp(self) -> None:
        self.facts = MemoryFacts()
        self.reader = Reader()
        self.one, self.two, self.empty = member(b"1"), member(b"2"), member(b"empty", 0)
        self.checksums = self.checksums_of({})

    def checksums_of(self, known: Crcs, facts: Any = None) -> Checksums:
        members = [self.one, self.two, self.empty]
        return Checksums("album", members, known, facts or self.facts, self.reader)

    def kept(self) -> Crcs:
        return self.successResultOf(self.facts.recall("album"))


class KnowingTests(ChecksumsCase):
    """What is known without reading."""

    def test_recalled(self) -> None:
        """A value of the catalogue counts for the version it was computed of, and for no other."""
        checksums = self.checksums_of({(b"1", self.one.version): 7, (b"2", "another version"): 8})
        self.assertEqual(checksums.get(self.one), 7)
        self.assertIsNone(checksums.get(self.two))

    def test_empty(self) -> None:
        """The value of no bytes is 0, and nobody has to know it."""
        self.assertEqual(self.checksums.get(self.empty), zlib.crc32(b""))
        self.assertEqual(self.successResultOf(self.checksums.compute(self.empty)), 0)

    def test_noted(self) -> None:
        """The value of data that was read anyhow is known from then on, and is kept when saved."""
        self.assertEqual(self.checksums.note(self.one, b"abc"), zlib.crc32(b"abc"))
        self.assertEqual(self.checksums.get(self.one), zlib.crc32(b"abc"))
        self.assertEqual(self.kept(), {})
        self.successResultOf(self.checksums.save())
        self.assertEqual(self.kept(), {(b"1", self.one.version): zlib.crc32(b"abc")})

    def test_known_needs_no_reading(self) -> None:
        """What is known is told at once."""
        self.checksums.note(self.one, bytearray(b"abc"))
        self.assertEqual(self.successResultOf(self.checksums.compute(self.one)), zlib.crc32(b"abc"))
        self.assertEqual(self.reader.opened, 0)

    def test_two_readings_differ(self) -> None:
        """When two readings of one version differ, the version lies, and neither value is told."""
        self.checksums.note(self.one, b"abc")
        error = self.assertRaises(MemberChanged, self.checksums.note, self.one, b"abd")
        self.assertEqual(error.path, b"1")
        computing = self.checksums.compute(self.two)
        self.checksums.note(self.two, b"abc")
        self.reader.computing[b"2"].callback(1)
        self.failureResultOf(computing, MemberChanged)


class SharingTests(ChecksumsCase):
    """One computation for all who wait."""

    def test_read_once(self) -> None:
        """However many ask, the member is read once, all get the value, and the reader is closed."""
        waiting = [self.checksums.compute(self.one) for _ in range(5)]
        self.reader.computing[b"1"].callback(42)
        self.assertEqual([self.successResultOf(each) for each in waiting], [42] * 5)
        self.assertEqual((self.reader.begun, self.reader.opened, self.reader.closed), (1, 1, 1))
        self.assertEqual(self.checksums.get(self.one), 42)

    def test_different_members(self) -> None:
        """Different members are computed beside each other."""
        one, two = self.checksums.compute(self.one), self.checksums.compute(self.two)
        self.reader.computing[b"2"].callback(2)
        self.assertNoResult(one)
        self.assertEqual(self.successResultOf(two), 2)
        self.reader.computing[b"1"].callback(1)
        self.assertEqual(self.successResultOf(one), 1)

    def test_some_leave(self) -> None:
        """Those who leave do not disturb those who stay."""
        waiting = [self.checksums.compute(self.one) for _ in range(4)]
        for each in waiting[:3]:
            each.cancel()
            self.failureResultOf(each, CancelledError)
        self.assertEqual(self.reader.cancelled, [])
        self.reader.computing[b"1"].callback(42)
        self.assertEqual(self.successResultOf(waiting[3]), 42)

    def test_all_leave(self) -> None:
        """When the last one leaves, the reading ends and its reader is closed."""
        waiting = [self.checksums.compute(self.one) for _ in range(3)]
        for each in waiting:
            self.assertEqual(self.reader.cancelled, [])
            each.cancel()
            self.failureResultOf(each, CancelledError)
        self.assertEqual(self.reader.cancelled, [b"1"])
        self.assertEqual(self.reader.closed, 1)
        self.assertIsNone(self.checksums.get(self.one))

    def test_again_after_all_left(self) -> None:
        """Who asks after all have left is served by a new reading."""
        self.failureResultOf(_cancelled(self.checksums.compute(self.one)), CancelledError)
        again = self.checksums.compute(self.one)
        self.assertEqual(self.reader.begun, 2)
        self.reader.computing[b"1"].callback(42)
        self.assertEqual(self.successResultOf(again), 42)

    def test_failure(self) -> None:
        """A failure reaches all who wait; who asks again later gets another reading."""
        waiting = [self.checksums.compute(self.one) for _ in range(3)]
        self.reader.computing[b"1"].errback(Unreadable(b"1", "the disk fails"))
        for each in waiting:
            self.failureResultOf(each, Unreadable)
        self.assertEqual(self.reader.closed, 1)
        again = self.checksums.compute(self.one)
        self.reader.computing[b"1"].callback(42)
        self.assertEqual(self.successResultOf(again), 42)

    def test_one_makes_another_leave(self) -> None:
        """Who gets the value may make another one leave who waits for it: nothing breaks."""
        waiting = [self.checksums.compute(self.one) for _ in range(3)]
        waiting[0].addCallback(lambda _: waiting[1].cancel())
        self.reader.computing[b"1"].callback(42)
        self.failureResultOf(waiting[1], CancelledError)
        self.assertEqual(self.successResultOf(waiting[2]), 42)

    def test_asking_from_a_callback(self) -> None:
        """Who asks again while the value is handed out gets it at once."""
        again = []
        first = self.checksums.compute(self.one)
        first.addCallback(lambda _: again.append(self.successResultOf(self.checksums.compute(self.one))))
        self.reader.computing[b"1"].callback(42)
        self.assertEqual(again, [42])

    def test_album_gone(self) -> None:
        """An album that is gone by now is a member that changed: the error names the member."""

        def gone(_: str) -> IAlbumReader:
            raise NoSuchAlbum("no such album")

        checksums = Checksums("album", [self.one], {}, self.facts, gone)
        error = self.failureResultOf(checksums.compute(self.one), MemberChanged).value
        assert isinstance(error, MemberChanged)
        self.assertEqual(error.path, b"1")


class KeepingTests(ChecksumsCase):
    """What is written to the catalogue."""

    def test_nothing_new(self) -> None:
        """Where nothing was found, nothing is written."""
        facts = DownFacts(AssertionError("asked"))
        known = {(b"1", self.one.version): 1, (b"2", self.two.version): 2}
        self.successResultOf(self.checksums_of(known, facts).save())
        self.assertEqual(facts.asked, [])

    def test_once(self) -> None:
        """What was saved is not saved again."""
        self.checksums.note(self.one, b"abc")
        self.successResultOf(self.checksums.save())
        self.facts.forget("album", ())
        self.successResultOf(self.checksums.save())
        self.assertEqual(self.kept(), {})

    def test_in_between(self) -> None:
        """Values are saved before finding them again would be much work, so that a crash loses little."""
        members = [member(b"%d" % number, size=300 * 1024 * 1024) for number in range(9)]
        checksums = Checksums("album", members, {}, self.facts, self.reader)
        for each in members:
            checksums.note(each, b"abc")
        self.assertEqual(len(self.kept()), 8)
        self.successResultOf(checksums.save())
        self.assertEqual(len(self.kept()), 9)

    def test_forgets(self) -> None:
        """What the catalogue has of members that are gone is forgotten, after the new is kept."""
        self.facts.remember("album", [(b"gone", "v", 1), (b"1", self.one.version, 7)])
        checksums = self.checksums_of(self.kept())
        checksums.note(self.two, b"abc")
        self.successResultOf(checksums.save())
        expected = {(b"1", self.one.version): 7, (b"2", self.two.version): zlib.crc32(b"abc")}
        self.assertEqual(self.kept(), expected)


class CatalogueDownTests(ChecksumsCase):
    """A catalogue that does not answer costs time only."""

    def test_saving(self) -> None:
        """That values can't be kept is logged with the reason, and is no failure."""
        checksums = self.checksums_of({}, DownFacts(CatalogueUnavailable("catalogue.sqlite", "it is locked")))
        checksums.note(self.one, b"abc")
        with capturedLogs() as logs:
            self.assertIsNone(self.successResultOf(checksums.save()))
        self.assertIn("it is locked", str(logs[0]["reason"]))
        self.assertEqual(checksums.get(self.one), zlib.crc32(b"abc"))

    def test_no_values_in_the_log(self) -> None:
        """What a database says of values is not logged: a secret name may be among them."""
        error = DataError("INSERT", {}, Exception("3bea29ccabbbf64bdebcc055319c5745 is too long"))
        checksums = self.checksums_of({}, DownFacts(error))
        checksums.note(self.one, b"abc")
        with capturedLogs() as logs:
            self.successResultOf(checksums.save())
        self.assertEqual(len(logs), 1)
        self.assertNotIn("3bea29cc", str(logs[0]))

    def test_forgetting(self) -> None:
        """Nor is it a failure when what is gone can't be forgotten."""
        facts = DownFacts(CatalogueUnavailable("catalogue.sqlite", "it is locked"))
        checksums = self.checksums_of({(b"gone", "v"): 1}, facts)
        with capturedLogs() as logs:
            self.assertIsNone(self.successResultOf(checksums.save()))
        self.assertEqual(facts.asked, ["forget"])
        self.assertEqual(len(logs), 1)


def _cancelled(waiting: Deferred[int]) -> Deferred[int]:
    waiting.cancel()
    return waiting
