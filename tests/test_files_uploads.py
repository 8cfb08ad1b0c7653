"""
Tests of keeping bytes and rows in step: in which order they come and go, and what each failure leaves.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from fileserve.catalogue.interfaces import CatalogueUnavailable, NoSuchRecord, StoredFile
from fileserve.catalogue.memory import MemoryFacts, MemoryFiles
from fileserve.files.intake import Intake, Limits
from fileserve.files.uploads import Kept, Uploads
from fileserve.http.body import BodyLost
from fileserve.http.refusal import Refusal
from fileserve.storage.errors import NoSpace, StoreUnavailable
from fileserve.storage.memory import MemoryStore

from .filesupport import Bytes, Slowly, Spied
from .support import at_once, deferred

_AWAY = CatalogueUnavailable("films", "locked")
_STORE_AWAY = StoreUnavailable("away")


class UploadsCase(SynchronousTestCase):
    """Uploads over a store and a catalogue in memory, which write one journal."""

    def setUp(self) -> None:
        self.journal: list[str] = []
        self.memory = MemoryStore()
        self.rows = MemoryFiles()
        self.store: Any = Spied(self.memory, self.journal)
        self.files: Any = Spied(self.rows, self.journal)
        self.facts = MemoryFacts()
        self.uploads = self.make_uploads()

    def make_uploads(self) -> Uploads:
        """As in a process that just began."""
        limits = Limits(1024, 0)
        intake = Intake(self.store, at_once, limits, lambda: 0.0)
        return Uploads(self.store, self.files, self.facts, intake, lambda: 1_700_000_000_000_000)

    def store_file(self, source: Any = None, filename: str = "a.txt") -> Deferred[StoredFile]:
        return deferred(self.uploads.store(source or Bytes(b"hello"), filename, None))

    def stored(self) -> StoredFile:
        file: StoredFile = self.successResultOf(self.store_file())
        self.journal.clear()
        return file

    def kept(self, filename: str = "a.txt") -> Kept:
        kept: Kept = self.successResultOf(deferred(self.uploads.take(Bytes(b"hello"), filename)))
        return kept

    def shown(self) -> list[str]:
        """The short names of all rows."""
        return [file.short_name for file in self.successResultOf(self.rows.page(100)).files]

    def unsettled(self) -> list[tuple[str, bytes]]:
        unsettled: Any = self.rows.unsettled()
        return list(self.successResultOf(unsettled))

    def lying(self) -> list[str]:
        """The albums that have bytes in the store, of those that anybody heard of."""
        return sorted(self.memory._albums)

    def assert_nothing(self) -> None:
        """No bytes, no row, nothing on its way, nothing unsettled."""
        self.assertEqual(self.lying(), [])
        self.assertEqual(self.shown(), [])
        self.assertEqual(self.memory.incoming, set())
        self.assertEqual(self.unsettled(), [])

    def assert_in_step(self) -> None:
        """Each row has its bytes, all bytes a row, and nothing is unsettled."""
        self.assertEqual(self.lying(), sorted(self.shown()))
        self.assertEqual(self.unsettled(), [])


class StoreTests(UploadsCase):
    """Files that come."""

    def test_order(self) -> None:
        """First the note, then the bytes, then the row: bytes are never without a note or a row."""
        file = self.successResultOf(self.store_file())
        order = [name for name in self.journal if name in {"expect", "keep", "add"}]
        self.assertEqual(order, ["expect", "keep", "add"])
        self.assertEqual(self.successResultOf(self.rows.get(file.short_name)), file)
        self.assert_in_step()

    def test_bytes_wait_for_the_note(self) -> None:
        """S2-W7: bytes are not kept before it is durable that they are expected."""
        noted = self.files.hold("expect")
        storing = self.store_file()
        self.assertNotIn("keep", self.journal)
        noted.callback(None)
        self.successResultOf(storing)

    def test_row_waits_for_the_bytes(self) -> None:
        """S2-W7: a row is not made before the bytes are durable, and nobody is told before the row is."""
        durable = self.store.hold("keep")
        added = self.files.hold("add")
        storing = self.store_file()
        self.assertNotIn("add", self.journal)
        durable.callback(None)
        self.assertIn("add", self.journal)
        self.assertNoResult(storing)
        added.callback(None)
        self.successResultOf(storing)

    def test_what_is_known(self) -> None:
        """The row says what the bytes are; the facts are known of the version in the store."""
        file = self.successResultOf(self.store_file(filename="Звёзды/ё.txt"))
        self.assertEqual((file.filename, file.size, file.media_type), ("Звёзды/ё.txt", 5, "text/plain"))
        self.assertEqual(
            (file.crc32, file.status, file.created_us), (0x3610A686, "stored", 1_700_000_000_000_000)
        )
        member = self.successResultOf(self.memory.stat(file.short_name, file.path))
        (facts,) = self.successResultOf(self.facts.describe(file.short_name, [file.path])).items()
        self.assertEqual(facts[0], (file.path, member.version))
        self.assertEqual(facts[1].sha256, file.sha256)

    def test_names(self) -> None:
        """S2-W4, S2-W9: the name is kept as sent; the key is safe, and holds its last part only."""
        for sent, path in {
            'a/../.."b.txt': "_.._b.txt",
            "../../etc/passwd": "passwd",
            "C:\\Films\\CON.txt": "_CON.txt",
            ".hidden": "_.hidden",
            "фильм 1.mp4": "фильм 1.mp4",
            "": "file",
            "\u202egnp.exe": "_gnp.exe",
            "a\r\nb": "a__b",
        }.items():
            file = self.successResultOf(self.store_file(filename=sent))
            self.assertEqual(file.filename, sent)
            self.assertEqual(file.path.decode(), path)

    def test_long_name(self) -> None:
        """A name of 10 KB is kept as it was sent; the key has one that a disk takes."""
        file = self.successResultOf(self.store_file(filename="x" * 10_240 + ".txt"))
        self.assertEqual(len(file.filename), 10_244)
        self.assertLessEqual(len(file.path), 200)
        self.assertTrue(file.path.endswith(b".txt"))

    def test_nul(self) -> None:
        """A name with a NUL, which PostgreSQL can't hold, is refused before anything is read."""
        source = Slowly()
        refusal = self.failureResultOf(self.store_file(source, "a\0b"), Refusal).value
        self.assertEqual(refusal.status, 422)
        self.assertFalse(source.waits)
        self.assert_nothing()

    def test_same_again(self) -> None:
        """The same file sent again is another one, with another short name."""
        one, two = self.successResultOf(self.store_file()), self.successResultOf(self.store_file())
        self.assertNotEqual(one.short_name, two.short_name)
        self.assertEqual(self.shown(), [two.short_name, one.short_name])

    def test_too_large(self) -> None:
        """A length over the limit leaves nothing, not even a note."""
        waiting = deferred(self.uploads.store(Slowly(), "a", 1025))
        self.assertEqual(self.failureResultOf(waiting, Refusal).value.status, 413)
        self.assertNotIn("expect", self.journal)


class FailureTests(UploadsCase):
    """Each step may fail; then there is no row, there are no bytes, and the books are right."""

    def test_each_step(self) -> None:
        """Wherever it fails, the failure is told and nothing is left."""
        steps: list[tuple[Spied, str, BaseException]] = [
            (self.store, "receive", _STORE_AWAY),
            (self.store, "write", NoSpace("full")),
            (self.store, "keep", NoSpace("full")),
            (self.files, "expect", _AWAY),
            (self.files, "add", _AWAY),
        ]
        for part, name, error in steps:
            part.fails[name] = error
            self.assertIs(self.failureResultOf(self.store_file()).value, error, name)
            part.fails.clear()
            self.memory.incoming.clear()  # a real store drops what it fails to keep; this one was not asked
            self.assert_nothing()

    def test_done_all_the_same(self) -> None:
        """A step that fails after it was done, as when an answer is lost, leaves nothing either."""
        for part, name, error in (
            (self.store, "keep", _STORE_AWAY),
            (self.files, "add", _AWAY),
        ):
            part.spoilt[name] = error
            self.failureResultOf(self.store_file(), type(error))
            part.spoilt.clear()
            self.assert_nothing()

    def test_source_is_lost(self) -> None:
        """A client that stops in the middle leaves no file, no row, and nothing unsettled."""
        source = Slowly()
        storing = self.store_file(source)
        source.give(b"half")
        source.fail(BodyLost())
        self.failureResultOf(storing, BodyLost)
        self.assert_nothing()

    def test_source_is_lost_before_the_note(self) -> None:
        """So it is where the note is not made yet: it is taken back as soon as it was made."""
        noted = self.files.hold("expect")
        source = Slowly()
        storing = self.store_file(source)
        source.fail(BodyLost())
        self.failureResultOf(storing, BodyLost)
        noted.callback(None)
        self.assert_nothing()

    def test_both_fail(self) -> None:
        """A note that fails after the source did is heard by nobody, and forgotten."""
        noted = self.files.hold("expect")
        self.files.spoilt["expect"] = _AWAY
        source = Slowly()
        storing = self.store_file(source)
        source.fail(BodyLost())
        self.failureResultOf(storing, BodyLost)
        noted.callback(None)
        self.assertEqual(self.shown(), [])

    def test_note_fails_late(self) -> None:
        """Bytes that have come are dropped where the note fails only then."""
        noted = self.files.hold("expect")
        self.files.fails["settle"] = _AWAY
        self.files.spoilt["expect"] = _AWAY
        storing = self.store_file()
        noted.callback(None)
        self.failureResultOf(storing, CatalogueUnavailable)
        self.assertEqual((self.lying(), self.memory.incoming), ([], set()))

    def test_left_for_later(self) -> None:
        """What can't be taken back while the catalogue is away goes with the next file that comes."""
        self.files.fails.update(add=_AWAY, remove=_AWAY)
        self.failureResultOf(self.store_file(), CatalogueUnavailable)
        self.assertEqual(len(self.lying()), 1)
        self.assertEqual(self.shown(), [])
        self.files.fails.clear()
        self.successResultOf(self.store_file())
        self.assert_in_step()

    def test_left_for_later_by_the_store(self) -> None:
        """So it does where it is the store that was away."""
        self.files.fails["add"] = _AWAY
        self.store.fails["delete"] = _STORE_AWAY
        self.failureResultOf(self.store_file(), CatalogueUnavailable)
        self.files.fails.clear()
        self.successResultOf(self.store_file())  # it is away still
        self.assertEqual(len(self.lying()), 2)
        self.store.fails.clear()
        self.successResultOf(self.store_file())
        self.assert_in_step()

    def test_left_for_the_next_start(self) -> None:
        """Where the process ends before, it goes at the next start."""
        self.files.fails.update(add=_AWAY, remove=_AWAY)
        self.failureResultOf(self.store_file(), CatalogueUnavailable)
        self.files.fails.clear()
        self.successResultOf(deferred(self.make_uploads().recover()))
        self.assert_nothing()

    def test_facts_are_not_needed(self) -> None:
        """Facts that can't be kept cost only time: the file is stored, and the log says so."""
        facts = Spied(self.facts)
        facts.fails["know"] = _AWAY
        self.uploads._facts = facts  # type: ignore[assignment]
        with capturedLogs() as logs:
            self.successResultOf(self.store_file())
        self.assertEqual([event["log_level"].name for event in logs], ["warn"])
        self.assert_in_step()


class LeavingTests(UploadsCase):
    """The client leaves, at any moment."""

    def leave_at(self, part: Spied, name: str) -> None:
        """The client leaves while one step is under way, and the step goes on."""
        done = part.hold(name)
        storing = self.store_file()
        storing.cancel()
        self.failureResultOf(storing, CancelledError)
        done.callback(None)
        part.waits.clear()

    def test_while_bytes_come(self) -> None:
        """While bytes come: nothing is left."""
        storing = self.store_file(Slowly())
        storing.cancel()
        self.failureResultOf(storing, CancelledError)
        self.assert_nothing()

    def test_at_each_step_before_the_row(self) -> None:
        """While the place is noted, or the bytes are made durable: nothing is left."""
        for part, name in ((self.files, "expect"), (self.store, "write"), (self.store, "keep")):
            self.leave_at(part, name)
            self.assert_nothing()

    def test_at_the_row(self) -> None:
        """The row is the last step, and is not taken back: the file is whole."""
        self.leave_at(self.files, "add")
        self.assertEqual(len(self.shown()), 1)
        self.assert_in_step()

    def test_at_the_row_which_fails(self) -> None:
        """Where that fails although nobody waits, nothing is left, and the log tells."""
        self.files.spoilt["add"] = _AWAY
        with capturedLogs() as logs:
            self.leave_at(self.files, "add")
        self.assertTrue(any("failed" in event["log_format"] for event in logs))
        self.flushLoggedErrors(CatalogueUnavailable)
        self.assert_nothing()


class SeveralTests(UploadsCase):
    """Several files together."""

    def test_all(self) -> None:
        """They are seen together, and not before."""
        kept = [self.kept(), self.kept()]
        self.assertEqual(self.shown(), [])
        self.successResultOf(deferred(self.uploads.add(kept)))
        self.assertEqual(self.shown(), [each.file.short_name for each in reversed(kept)])
        self.assert_in_step()

    def test_none(self) -> None:
        """Where one row fails, there is none, and no bytes are left."""
        kept = [self.kept(), self.kept()]
        self.files.fails["add"] = _AWAY
        self.failureResultOf(deferred(self.uploads.add(kept)), CatalogueUnavailable)
        self.files.fails.clear()
        self.assert_nothing()

    def test_dropped(self) -> None:
        """They can be dropped as long as they were not added, whoever waits for it or not."""
        kept = [self.kept(), self.kept()]
        deleted = self.store.hold("delete")
        dropping = self.uploads.drop(kept)
        dropping.cancel()
        self.failureResultOf(dropping, CancelledError)
        deleted.callback(None)
        self.assert_nothing()

    def test_one_that_stays_does_not_keep_the_others(self) -> None:
        """A file that can't be removed now does not keep the others from it."""
        kept = [self.kept(), self.kept()]
        self.store.fails["delete"] = _STORE_AWAY
        self.successResultOf(self.uploads.drop(kept[:1]))
        self.store.fails.clear()
        self.successResultOf(self.uploads.drop(kept[1:]))
        self.assertEqual(self.lying(), [kept[0].file.short_name])
        self.assertEqual([place for place, _ in self.unsettled()], self.lying())

    def test_catalogue_is_away(self) -> None:
        """A catalogue that is away, which may take long to say so, is asked once, not for each of them."""
        kept = [self.kept() for _ in range(5)]
        self.files.fails["remove"] = _AWAY
        self.journal.clear()
        self.successResultOf(self.uploads.drop(kept))
        self.assertEqual(self.journal, ["remove"])
        self.files.fails.clear()
        self.successResultOf(self.store_file())
        self.assert_in_step()


class RemoveTests(UploadsCase):
    """Files that go."""

    def remove(self, short_name: str) -> Deferred[None]:
        return deferred(self.uploads.remove(short_name))

    def test_order(self) -> None:
        """S1-W8, S2-W6: the row goes first, then the bytes, and nothing is left on the disk."""
        file = self.stored()
        self.successResultOf(self.remove(file.short_name))
        self.assertEqual(self.journal, ["remove", "delete", "settle"])
        self.assert_nothing()
        self.assertEqual(self.successResultOf(self.facts.albums()), [])

    def test_bytes_wait_for_the_row(self) -> None:
        """Bytes are not touched before it is durable that the row is gone."""
        file = self.stored()
        removed = self.files.hold("remove")
        removing = self.remove(file.short_name)
        self.assertNotIn("delete", self.journal)
        removed.callback(None)
        self.successResultOf(removing)

    def test_unknown(self) -> None:
        """A name that nobody has, or no longer, is told."""
        file = self.stored()
        self.successResultOf(self.remove(file.short_name))
        for name in (file.short_name, "nobody", ""):
            self.failureResultOf(self.remove(name), NoSuchRecord)

    def test_row_fails(self) -> None:
        """Where the row can't be removed, the file stays, whole."""
        file = self.stored()
        self.files.fails["remove"] = _AWAY
        self.failureResultOf(self.remove(file.short_name), CatalogueUnavailable)
        self.assertEqual(self.lying(), [file.short_name])
        self.assert_in_step()

    def test_bytes_fail(self) -> None:
        """Where its bytes can't be removed, nobody is told so; it goes with the next that goes well."""
        file, other = self.stored(), self.stored()
        self.store.fails["delete"] = _STORE_AWAY
        self.failureResultOf(self.remove(file.short_name), StoreUnavailable)
        self.assertEqual(self.shown(), [other.short_name])
        self.assertEqual(self.unsettled(), [(file.short_name, file.path)])
        self.store.fails.clear()
        self.successResultOf(self.remove(other.short_name))
        self.assert_nothing()

    def test_bytes_are_gone_already(self) -> None:
        """A file whose bytes somebody removed from the disk can be removed."""
        file = self.stored()
        self.memory.delete(file.short_name, file.path)
        self.successResultOf(self.remove(file.short_name))
        self.assert_nothing()

    def test_settling_fails(self) -> None:
        """It is gone all the same; the note goes at the next start."""
        file = self.stored()
        self.files.fails["settle"] = _AWAY
        self.successResultOf(self.remove(file.short_name))
        self.assertEqual(len(self.unsettled()), 1)
        self.files.fails.clear()
        self.successResultOf(deferred(self.make_uploads().recover()))
        self.assert_nothing()

    def test_client_leaves(self) -> None:
        """Removing goes on to its end when the client leaves."""
        for part, name in ((self.files, "remove"), (self.store, "delete"), (self.files, "settle")):
            file = self.stored()
            done = part.hold(name)
            removing = self.remove(file.short_name)
            removing.cancel()
            self.failureResultOf(removing, CancelledError)
            done.callback(None)
            part.waits.clear()
            self.assert_nothing()

    def test_by_its_place(self) -> None:
        """A stored file can be removed by where it lies; what else lies there is none of ours."""
        file = self.stored()
        self.memory.put(file.short_name, b"other", b"")
        for album, path in ((file.short_name, b"other"), ("album", file.path)):
            self.assertFalse(self.successResultOf(deferred(self.uploads.remove_member(album, path))))
        self.assertEqual(self.shown(), [file.short_name])
        self.assertTrue(
            self.successResultOf(deferred(self.uploads.remove_member(file.short_name, file.path)))
        )
        self.assertEqual(self.shown(), [])


class RemovedTests(UploadsCase):
    """Whoever keeps something made of a file hears that it is gone."""

    def test_told(self) -> None:
        """The SHA-256 is told once the file is gone, and not where its removal failed."""
        told: list[str] = []
        intake = Intake(self.store, at_once, Limits(1024, 0), lambda: 0.0)
        self.uploads = Uploads(self.store, self.files, self.facts, intake, lambda: 0, removed=told.append)
        kept, gone = self.stored(), self.stored()
        self.store.fails["delete"] = StoreUnavailable("away")
        self.failureResultOf(deferred(self.uploads.remove(kept.short_name)), StoreUnavailable)
        self.assertEqual(told, [])
        del self.store.fails["delete"]
        self.successResultOf(deferred(self.uploads.remove(gone.short_name)))
        self.assertEqual(told, [gone.sha256])
        self.flushLoggedErrors()


class RecoverTests(UploadsCase):
    """What a crash left between store and catalogue."""

    def setUp(self) -> None:
        super().setUp()
        self.crashed: list[Deferred[Any]] = []

    def crash_at(self, part: Spied, name: str, begin: Callable[[], Any]) -> None:
        """The process ends while one step is under way."""
        # Kept, with what it waits for: a process that ends does not clean up after itself,
        # as a coroutine does that is thrown away.
        self.crashed += [part.hold(name), deferred(begin())]
        part.waits.clear()
        self.memory.incoming.clear()  # a disk's own cleaning
        self.uploads = self.make_uploads()

    def test_at_each_step(self) -> None:
        """Wherever a process ends, the next one finds what it left."""
        for part, name in (
            (self.files, "expect"),
            (self.store, "write"),
            (self.store, "keep"),
            (self.files, "add"),
        ):
            self.crash_at(part, name, self.store_file)
            self.successResultOf(deferred(self.uploads.recover()))
            self.assert_nothing()

    def test_while_removing(self) -> None:
        """A file whose row is gone does not come back."""
        for part, name in ((self.store, "delete"), (self.files, "settle")):
            self.crash_at(part, name, partial(self.uploads.remove, self.stored().short_name))
            self.successResultOf(deferred(self.uploads.recover()))
            self.assert_nothing()

    def test_nothing_else_is_touched(self) -> None:
        """Files that have rows stay, and so do albums that were never ours."""
        self.memory.put("album", b"a.txt", b"mine")
        file = self.stored()
        self.successResultOf(deferred(self.make_uploads().recover()))
        self.assertEqual(self.lying(), sorted(["album", file.short_name]))
        self.assertEqual(self.shown(), [file.short_name])

    def test_files_that_come_meanwhile(self) -> None:
        """A file that came in while leftovers were looked for is none of them."""
        looked = self.files.hold("unsettled")
        added = self.files.hold("add")
        recovering = deferred(self.uploads.recover())
        storing = self.store_file()
        del self.files.waits["unsettled"]
        looked.callback(None)  # and finds the place, which has no row yet
        added.callback(None)
        file = self.successResultOf(storing)
        self.successResultOf(recovering)
        self.assertEqual(self.lying(), [file.short_name])
        self.assert_in_step()

    def test_looked_for_late(self) -> None:
        """Nor is one that is on its way when they are looked for again, after the store was away."""
        self.store.fails["clean"] = _STORE_AWAY
        self.failureResultOf(deferred(self.uploads.recover()), StoreUnavailable)
        self.store.fails.clear()
        added = self.files.hold("add")
        storing = self.store_file()
        self.successResultOf(deferred(self.uploads.recover()))
        added.callback(None)
        self.assertEqual(self.lying(), [self.successResultOf(storing).short_name])

    def test_away(self) -> None:
        """While the store or the catalogue is away, it fails, and can be called again."""
        self.crash_at(self.files, "add", self.store_file)
        for part, name, error in (
            (self.store, "clean", _STORE_AWAY),
            (self.files, "unsettled", _AWAY),
            (self.store, "delete", _STORE_AWAY),
        ):
            part.fails[name] = error
            self.failureResultOf(deferred(self.uploads.recover()), type(error))
            part.fails.clear()
        self.successResultOf(deferred(self.uploads.recover()))
        self.assert_nothing()
