"""
Tests of forms with pictures: fields in any order, names that are too long, and nothing left of any form.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from fileserve.files.intake import Limits
from fileserve.gallery.picked import PictureForm, picture_form
from fileserve.http.body import BodyLost
from fileserve.http.refusal import Refusal
from fileserve.storage.errors import NoSpace

from .filesupport import BOUNDARY, Bytes, Slowly, file_field, form
from .support import deferred, open_descriptors
from .uploadsupport import WayIn, png

_MIB = 1024 * 1024
_TYPE = f"multipart/form-data; boundary={BOUNDARY}".encode()

Read = tuple[str, bytes | int]


class _Body(Bytes):
    """The body of a request."""

    length: int | None = None


class _SlowBody(Slowly):
    """A body of which the test says when it comes."""

    length: int | None = None


class _Gushing:
    """A field that goes on for ever."""

    length = None

    def __init__(self, head: bytes, piece: bytes = bytes(_MIB)) -> None:
        self._next = head
        self._piece = piece
        self.given = 0

    async def read(self) -> list[bytes]:
        piece, self._next = self._next, self._piece
        self.given += len(piece)
        return [piece]


def name_field(text: str) -> tuple[str, bytes]:
    """The field with the name."""
    return '; name="name"', text.encode()


class FormCase(SynchronousTestCase):
    """Forms that are read over a way in, in memory."""

    limits = Limits(8 * _MIB, 0)

    def setUp(self) -> None:
        self.way = WayIn(self.mktemp(), limits=self.limits)
        self.descriptors = open_descriptors()

    def reading(self, body: Any, content_type: bytes = _TYPE) -> Deferred[tuple[str, Sequence[Read]]]:
        """Reads a form: its name, and of each file the name and the bytes, or the status of its refusal."""

        async def read() -> tuple[str, Sequence[Read]]:
            async with picture_form(self.way.uploads, body, content_type) as filled:
                return filled.name, await self.contents(filled)

        return deferred(read())

    async def contents(self, filled: PictureForm) -> Sequence[Read]:
        found: list[Read] = []
        for each in filled.files:
            try:
                found.append((each.filename, await each.spool.read(0, 10 * _MIB)))
            except Refusal as refusal:
                found.append((each.filename, int(refusal.status)))
        return found

    def read(self, *fields: tuple[str, bytes]) -> tuple[str, Sequence[Read]]:
        result = self.successResultOf(self.reading(_Body(form(*fields))))
        self.assert_nothing_left()
        return result

    def refused(self, reading: Deferred[Any]) -> Refusal:
        refusal: Refusal = self.failureResultOf(reading, Refusal).value
        self.assertRegex(refusal.detail, r"^[A-Z][^\n]*\.$")
        self.assert_nothing_left()
        return refusal

    def assert_nothing_left(self) -> None:
        self.assertEqual((self.way.spools.left_open, open_descriptors()), (0, self.descriptors))


class FilledTests(FormCase):
    """Forms that are filled in as they should be."""

    def test_any_order(self) -> None:
        """The files come in the order of the form, the name from wherever it stands."""
        one, two = file_field("1.png", png(1)), file_field("2.png", png(2))
        for fields in permutations([one, two, name_field("Holiday")]):
            name, files = self.read(*fields)
            self.assertEqual(name, "Holiday")
            expected = [("1.png", png(1)), ("2.png", png(2))]
            self.assertEqual(files, expected if fields.index(one) < fields.index(two) else expected[::-1])

    def test_in_any_pieces(self) -> None:
        """However a form is cut up, it says the same."""
        whole = form(name_field("ё" * 50), file_field("1.png", png(1)), file_field("2.png", png(2)))
        for length in (1, 7, 100):
            body = _Body(*(whole[at : at + length] for at in range(0, len(whole), length)))
            name, files = self.successResultOf(self.reading(body))
            self.assertEqual((name, [data for _, data in files]), ("ё" * 50, [png(1), png(2)]))

    def test_no_name(self) -> None:
        """Without a name, or with blanks for one, there is none."""
        self.assertEqual(self.read(file_field("1.png", png()))[0], "")
        self.assertEqual(self.read(file_field("1.png", png()), name_field(" \r\n"))[0], "")

    def test_other_fields(self) -> None:
        """Fields of other names, and files in the field of the name, are passed over."""
        fields = [
            ('; name="other"', b"x"),
            file_field("n.txt", b"n" * 1000, "name"),
            ('; name="file"', b"text"),
        ]
        self.assertEqual(self.read(*fields, file_field("1.png", png())), ("", [("1.png", png())]))

    def test_file_without_a_name(self) -> None:
        """A file without a name, as scripts send it, is one, if it has bytes."""
        self.assertEqual(self.read(file_field("", b""), file_field("", png()))[1], [("", png())])

    def test_one_refused(self) -> None:
        """A file that is refused keeps none of the others from being read."""
        fields = [
            file_field("1.png", png(1)),
            file_field("2.txt", b"no picture"),
            file_field("3.png", png(3).ljust(9 * _MIB, b"\0")),
            file_field("4.png", b""),
            file_field("5.png", png(5)),
        ]
        expected: list[Read] = [
            ("1.png", png(1)),
            ("2.txt", 415),
            ("3.png", 413),
            ("4.png", 415),
            ("5.png", png(5)),
        ]
        self.assertEqual(self.read(*fields)[1], expected)

    def test_closed_at_the_end(self) -> None:
        """What was written aside is there within the context, and closed after it, however that ends."""
        for error in (None, ValueError()):

            async def read(error: Exception | None = error) -> None:
                body = _Body(form(file_field("1.png", png())))
                async with picture_form(self.way.uploads, body, _TYPE) as filled:
                    self.assertEqual(filled.files[0].spool.size, len(png()))
                    if error is not None:
                        raise error

            reading = deferred(read())
            if error is not None:
                self.failureResultOf(reading, ValueError)
            self.assert_nothing_left()


class RefusedTests(FormCase):
    """Forms that are not."""

    def test_no_file(self) -> None:
        """S3-W4: a form without a file is answered: 422, and what to do."""
        unpicked = file_field("", b"")
        for fields in (
            [],
            [name_field("x")],
            [unpicked],
            [unpicked, name_field("x")],
            [('; name="file"', b"x")],
        ):
            refusal = self.refused(self.reading(_Body(form(*fields))))
            self.assertEqual((refusal.status, refusal.detail), (422, "Choose a picture."))

    def test_name_too_long(self) -> None:
        """A name of 51 characters is refused with 400, before or after the file."""
        for fields in (
            [name_field("x" * 51), file_field("1.png", png())],
            [file_field("1.png", png()), name_field("ё" * 51)],
        ):
            self.assertEqual(self.refused(self.reading(_Body(form(*fields)))).status, 400)

    def test_name_of_megabytes(self) -> None:
        """S3-W7: of a name of 10 MB no more is read than shows that it is too long."""
        head = form(name_field("x" * 500)).partition(b"\r\n--" + BOUNDARY.encode() + b"--")[0]
        for piece in (b"x" * _MIB, b" " * _MIB):
            body = _Gushing(head, piece)
            self.assertEqual(self.refused(self.reading(body)).status, 400)
            self.assertLessEqual(body.given, len(head) + _MIB)

    def test_refused_for_ever(self) -> None:
        """What is no picture, and does not end, is not read for ever."""
        body = _Gushing(form(file_field("1.png", b"x")).partition(b"\r\n--" + BOUNDARY.encode() + b"--")[0])
        self.assertEqual(self.refused(self.reading(body)).status, 415)
        self.assertLess(body.given, 80 * _MIB)

    def test_too_many(self) -> None:
        """100 files are taken at once, and no more."""
        fields = [file_field("1.png", png())] * 100
        self.assertEqual(len(self.read(*fields)[1]), 100)
        self.assertEqual(self.refused(self.reading(_Body(form(*fields, fields[0])))).status, 413)

    def test_no_form(self) -> None:
        """What is no form, or a broken one, is refused, and what it brought so far is closed."""
        whole = form(file_field("1.png", png()), file_field("2.png", png(2)))
        self.assertEqual(self.refused(self.reading(_Body(whole), b"image/png")).status, 415)
        self.assertEqual(self.refused(self.reading(_Body(whole[:-30]))).status, 400)

    def test_no_room(self) -> None:
        """Where there is no room for a form, it is refused before anything is read."""
        self.way.memory._room = 1000
        body = _SlowBody()
        body.length = 1001
        way = WayIn(self.mktemp(), limits=Limits(_MIB, 0), store=self.way.memory)
        reading = deferred(self.enter(way, body))
        self.assertEqual(self.refused(reading).status, 507)
        self.assertFalse(body.waits)

    async def enter(self, way: WayIn, body: Any) -> None:
        async with picture_form(way.uploads, body, _TYPE):
            self.fail("it should be refused")


class EndingTests(FormCase):
    """Forms that do not come to their end."""

    def begun(self) -> tuple[_SlowBody, Deferred[Any]]:
        """One file came, and half of another."""
        whole = form(file_field("1.png", png(1)), file_field("2.png", png(2)))
        body = _SlowBody()
        reading = self.reading(body)
        body.give(whole[: len(whole) - 80])
        self.assertTrue(body.waits)
        self.assertEqual(self.way.spools.left_open, 2)
        return body, reading

    def test_client_leaves(self) -> None:
        """S3-W5: a client that leaves in the middle leaves no descriptor."""
        _, reading = self.begun()
        reading.cancel()
        self.failureResultOf(reading, CancelledError)
        self.assert_nothing_left()

    def test_connection_is_lost(self) -> None:
        """So does one that is lost."""
        body, reading = self.begun()
        body.fail(BodyLost())
        self.failureResultOf(reading, BodyLost)
        self.assert_nothing_left()

    def test_disk_is_full(self) -> None:
        """A full disk ends the form: the next file would fare no better."""
        body, reading = self.begun()
        self.way.spools.opened[-1]._least_free = 1 << 60
        body.give(bytes(1000))
        self.failureResultOf(reading, NoSpace)
        self.assert_nothing_left()
