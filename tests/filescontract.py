"""
What every `IFiles` must do.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from fileserve.catalogue.interfaces import BadCursor, IFiles, NoSuchRecord, RecordExists, StoredFile

if TYPE_CHECKING:
    Contract = SynchronousTestCase
else:
    Contract = object

NOW_US = 1_790_000_000_000_000
STATUSES = ("stored", "processing", "processed", "failed")

#: What happens between two pages: so many files come, or one of those that are there goes.
doings = st.one_of(st.integers(1, 3), st.tuples(st.just("remove"), st.integers(0, 20)))


def stored(number: int, **changes: Any) -> StoredFile:
    values: dict[str, Any] = {
        "id": str(uuid.UUID(int=number)),
        "short_name": f"{number:022d}",
        "filename": f"{number}.jpg",
        "path": b"%d.jpg" % number,
        "size": number,
        "media_type": "image/jpeg",
        "sha256": f"{number:064x}",
        "crc32": number,
        "created_us": NOW_US + number,
    }
    return StoredFile(**{**values, **changes})


class FilesContract(Contract):
    """
    What every `IFiles` must do; a subclass's ``make_files`` says which.
    """

    def make_files(self) -> IFiles:
        raise NotImplementedError

    def setUp(self) -> None:
        self.files = self.make_files()

    def add(self, *numbers: int, **changes: Any) -> list[StoredFile]:
        added = [stored(number, **changes) for number in numbers]
        for file in added:
            self.assertIsNone(self.successResultOf(self.files.add(file)))
        return added

    def test_several_together(self) -> None:
        """Several files are there together, in order, and settled; or none of them, where one is there."""
        one, two, three = (stored(number) for number in (1, 2, 3))
        for file in (one, two, three):
            self.result(self.files.expect(file.short_name, file.path))  # type: ignore[arg-type]
        self.assertIsNone(self.successResultOf(self.files.add(one, two)))
        self.assertEqual(self.successResultOf(self.files.page(5)).files, [two, one])
        self.failureResultOf(self.files.add(three, two), RecordExists)
        self.assertEqual(self.successResultOf(self.files.page(5)).files, [two, one])
        self.assertEqual(self.unsettled(), [(three.short_name, three.path)])

    def pages(self, limit: int, processed: bool | None = None) -> list[Sequence[StoredFile]]:
        """All pages, one after the other."""
        page = self.successResultOf(self.files.page(limit, processed=processed))
        pages = [page.files]
        while page.next is not None:
            page = self.successResultOf(self.files.page(limit, page.next, processed))
            pages.append(page.files)
        return pages

    def result(self, waiting: Deferred[Sequence[tuple[str, bytes]]]) -> Sequence[tuple[str, bytes]]:
        return self.successResultOf(waiting)

    def unsettled(self) -> list[tuple[str, bytes]]:
        return sorted(self.result(self.files.unsettled()))

    def test_interface(self) -> None:
        """It provides ``IFiles``."""
        self.assertTrue(verifyObject(IFiles, self.files))

    def test_gets(self) -> None:
        """What was added is there again with all it had, under its short name and under its id."""
        odd = stored(
            2,
            filename='n\u00e4me "\U0001f600\n.jpg',
            path=b"\xff\xfe",
            size=2**63 - 1,
            crc32=2**32 - 1,
            status="failed",
            error="It's no picture",
            metadata={"width": 10, "where": [1.5, None], "text": "\0\u00e9"},
        )
        self.assertIsNone(self.successResultOf(self.files.add(odd)))
        for file in (*self.add(1), odd):
            self.assertEqual(self.successResultOf(self.files.get(file.short_name)), file)
            self.assertEqual(self.successResultOf(self.files.find(file.id)), file)
            self.assertIn([file], self.pages(1))

    def test_unknown(self) -> None:
        """A name that was never heard of is ``NoSuchRecord``, however strange it is."""
        self.add(1)
        for name in ("", "nobody", f"{1:021d}", "\0", "a\0" * 11, "\u00e9", "\ud800", "%", "x" * 100_000):
            for asked in (self.files.get(name), self.files.find(name), self.files.remove(name)):
                self.failureResultOf(asked, NoSuchRecord)

    def test_exists(self) -> None:
        """A second file of the same short name or id is refused, and the first stays as it is."""
        (first,) = self.add(1)
        again = stored(2, short_name=first.short_name), stored(2, id=first.id)
        for second in again:
            self.failureResultOf(self.files.add(second), RecordExists)
        self.assertEqual(self.pages(10), [[first]])

    def test_removes(self) -> None:
        """A file that was removed is not there any more, and the remover learns what it was."""
        one, two = self.add(1, 2)
        self.assertEqual(self.successResultOf(self.files.remove(one.short_name)), one)
        self.failureResultOf(self.files.get(one.short_name), NoSuchRecord)
        self.failureResultOf(self.files.find(one.id), NoSuchRecord)
        self.failureResultOf(self.files.remove(one.short_name), NoSuchRecord)
        self.assertEqual(self.pages(10), [[two]])

    def test_empty(self) -> None:
        """No files are one page of none, the last."""
        self.assertEqual(self.pages(10), [[]])

    def test_pages(self) -> None:
        """Pages are full, the newest first, and the last one says that it is."""
        newest = self.add(*range(7))[::-1]
        self.assertEqual(self.pages(3), [newest[:3], newest[3:6], newest[6:]])
        self.assertEqual(self.pages(7), [newest])
        self.assertEqual(self.pages(100), [newest])

    def test_order(self) -> None:
        """The order is that of coming, whatever the clock said."""
        files = self.add(3) + self.add(1) + self.add(2)
        self.assertEqual(self.pages(2), [[files[2], files[1]], [files[0]]])

    def test_processed(self) -> None:
        """Only the processed ones, or only the others; in the same order, in full pages."""
        files = [*self.add(*range(9), status="stored")]
        for number in range(9, 30):
            files += self.add(number, status=STATUSES[number % 4])
        newest = files[::-1]
        for processed in (True, False):
            expected = [file for file in newest if (file.status == "processed") == processed]
            for limit in (1, 4, 100):
                pages = self.pages(limit, processed)
                self.assertEqual([file for page in pages for file in page], expected)
                self.assertEqual({len(page) for page in pages[:-1]} - {limit}, set())

    def test_cursor(self) -> None:
        """A cursor may stand in a URL as it is; anything else is ``BadCursor``."""
        self.add(1, 2)
        cursor = self.successResultOf(self.files.page(1)).next
        assert cursor is not None
        self.assertRegex(cursor, "^[A-Za-z0-9_-]+$")
        bad = ("", "0", "x", cursor[:-1], cursor + "0", cursor.upper() + "A", " " + cursor[1:], "f" * 16)
        for other in (
            *bad,
            cursor + "\n",
            "\u0661" * 16,
            "-" + cursor[1:],
            "0x" + cursor[2:],
            "1_" * 8,
            "\0" * 16,
        ):
            self.failureResultOf(self.files.page(1, other), BadCursor)

    def test_cursor_of_a_file_that_went(self) -> None:
        """A cursor is as good when the file at which it stands is gone."""
        one, _two, three = self.add(1, 2, 3)
        cursor = self.successResultOf(self.files.page(2)).next
        self.successResultOf(self.files.remove(stored(2).short_name))
        page = self.successResultOf(self.files.page(2, cursor))
        self.assertEqual((page.files, page.next), ([one], None))
        self.assertEqual(self.pages(2), [[three, one]])

    def test_exact_while_files_come_and_go(self) -> None:
        """Whatever comes and goes between pages: what is there all the while comes exactly once."""
        numbers = count(1)

        @settings(max_examples=25, deadline=None, derandomize=True)
        @given(st.integers(0, 12), st.integers(1, 4), st.lists(st.lists(doings, max_size=4), max_size=8))
        def exact(before: int, limit: int, between: list[list[int | tuple[str, int]]]) -> None:
            there = [file.short_name for file in self.add(*(next(numbers) for _ in range(before)))]
            always = set(there)
            seen: list[str] = []
            cursor: str | None = None
            for number in count():
                page = self.successResultOf(self.files.page(limit, cursor))
                seen += [file.short_name for file in page.files]
                cursor = page.next
                if cursor is None:
                    break
                for doing in between[number] if number < len(between) else ():
                    if isinstance(doing, int):
                        there += [
                            file.short_name for file in self.add(*(next(numbers) for _ in range(doing)))
                        ]
                    elif there:
                        gone = there.pop(doing[1] % len(there))
                        always.discard(gone)
                        self.successResultOf(self.files.remove(gone))
            self.assertEqual(len(seen), len(set(seen)))
            self.assertLessEqual(always, set(seen))
            for name in there:
                self.successResultOf(self.files.remove(name))

        exact()

    def test_expected(self) -> None:
        """A place is unsettled from the moment it is expected until a row names it."""
        file, other = stored(1), stored(2)
        for one in (file, other):
            self.assertIsNone(self.successResultOf(self.files.expect(one.short_name, one.path)))
        expected = [(one.short_name, one.path) for one in (file, other)]
        self.assertEqual(self.unsettled(), expected)
        self.successResultOf(self.files.add(file))
        self.assertEqual(self.unsettled(), expected[1:])

    def test_removed_is_unsettled(self) -> None:
        """The place of a removed file is unsettled until it is told that nothing lies there."""
        (file,) = self.add(1)
        self.assertEqual(self.unsettled(), [])
        self.successResultOf(self.files.remove(file.short_name))
        self.assertEqual(self.unsettled(), [(file.short_name, file.path)])
        self.assertIsNone(self.successResultOf(self.files.settle(file.short_name, file.path)))
        self.assertEqual(self.unsettled(), [])

    def test_places(self) -> None:
        """Places are told apart by album and by the bytes of the path; to settle one settles no other."""
        places = [("a", b"b"), ("a", b"\xff"), ("A", b"b"), ("b", b"a"), ("b", b"a/b")]
        for place in places:
            self.successResultOf(self.files.expect(*place))
        self.assertEqual(self.unsettled(), sorted(places))
        self.successResultOf(self.files.settle("a", b"b"))
        self.successResultOf(self.files.settle("never", b"heard of"))
        self.assertEqual(self.unsettled(), sorted(places[1:]))

    def test_expected_twice(self) -> None:
        """To expect a place again is no trouble; it is one place."""
        for _ in range(2):
            self.successResultOf(self.files.expect("a", b"b"))
        self.assertEqual(self.unsettled(), [("a", b"b")])

    def test_named_is_settled(self) -> None:
        """A place that a file names is never among the unsettled, whoever expects it; it is settled."""
        (file,) = self.add(1)
        self.successResultOf(self.files.expect(file.short_name, file.path))
        self.successResultOf(self.files.expect(file.short_name, b"another"))
        self.assertEqual(self.unsettled(), [(file.short_name, b"another")])
        self.successResultOf(self.files.remove(file.short_name))
        self.successResultOf(self.files.settle(file.short_name, file.path))
        self.assertEqual(self.unsettled(), [(file.short_name, b"another")])

    def test_refused_addition_settles_nothing(self) -> None:
        """A file that is refused leaves its place unsettled: its bytes are to go."""
        (first,) = self.add(1)
        second = stored(2, short_name=first.short_name)
        self.successResultOf(self.files.expect(second.short_name, second.path))
        self.failureResultOf(self.files.add(second), RecordExists)
        self.assertEqual(self.unsettled(), [(second.short_name, second.path)])
