"""
Tests of forms: whatever way they are cut up they say the same, and broken ones are refused with a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase

from fileserve.http.body import BodyLost
from fileserve.http.forms import Form
from fileserve.http.refusal import Refusal

from .filesupport import BOUNDARY, Bytes, Slowly, file_field, form
from .support import deferred

_TYPE = f"multipart/form-data; boundary={BOUNDARY}".encode()

Read = tuple[str, str | None, bytes]

_CONTENT = st.one_of(
    st.binary(max_size=40),
    # What could be taken for the end of a part.
    st.lists(st.sampled_from([b"\r", b"\n", b"-", BOUNDARY.encode(), b"\r\n--", b"\r\n--" + b"----a"])).map(
        b"".join
    ),
).filter(lambda data: b"\r\n--" + BOUNDARY.encode() not in b"\r\n" + data)

_NAMES = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters='"\r\n\0\\%'), min_size=1, max_size=20
)


async def read_all(parsed: Form) -> list[Read]:
    """Every part of a form, whole."""
    parts = []
    async for part in parsed.parts():
        data = b""
        while pieces := await part.read():
            data += b"".join(pieces)
        parts.append((part.name, part.filename, data))
    return parts


class FormCase(SynchronousTestCase):
    """Forms whose bytes are all there."""

    def parts(self, *pieces: bytes, content_type: bytes = _TYPE) -> Sequence[Read]:
        return self.successResultOf(deferred(read_all(Form(Bytes(*pieces), content_type))))

    def refused(self, *pieces: bytes, content_type: bytes = _TYPE) -> Refusal:
        """What a broken form is answered."""

        async def read() -> Any:
            return await read_all(Form(Bytes(*pieces), content_type))

        refusal: Refusal = self.failureResultOf(deferred(read()), Refusal).value
        self.assertRegex(refusal.detail, r"^[A-Z].*\.$")
        self.assertTrue(refusal.detail.isprintable(), refusal.detail)
        return refusal


class FormTests(FormCase):
    """What a form holds."""

    @given(
        st.lists(st.tuples(_NAMES, st.none() | _NAMES, _CONTENT), max_size=4),
        st.lists(st.integers(0, 600), max_size=6),
    )
    def test_divided_anywhere(self, fields: list[Read], cuts: list[int]) -> None:
        """Any parts with any contents, cut into pieces anywhere, are read as they were sent."""
        said = [
            (f'; name="{name}"' + ("" if filename is None else f'; filename="{filename}"'), data)
            for name, filename, data in fields
        ]
        body = form(*said)
        places = [0, *sorted(cut for cut in cuts if cut < len(body)), len(body)]
        pieces = [body[start:stop] for start, stop in pairwise(places) if start < stop]
        self.assertEqual(self.parts(*pieces), fields)

    def test_byte_by_byte(self) -> None:
        """A form that comes one byte at a time is read as one that comes at once."""
        body = form(('; name="a"', b"1\r\n--x"), file_field("b.bin", bytes(100)))
        expected = [("a", None, b"1\r\n--x"), ("file", "b.bin", bytes(100))]
        self.assertEqual(self.parts(body), expected)
        self.assertEqual(self.parts(*[body[at : at + 1] for at in range(len(body))]), expected)

    def test_unread_parts_are_skipped(self) -> None:
        """What of a part is left unread does not show up in the next one."""
        body = form(file_field("a", b"x" * 1000), ('; name="b"', b"text"), file_field("c", b"last"))
        pieces = [body[at : at + 50] for at in range(0, len(body), 50)]

        async def read() -> list[str]:
            found = []
            async for part in Form(Bytes(*pieces), _TYPE).parts():
                if part.filename == "a":
                    found.append(str(len(b"".join(await part.read())) < 1000))
                elif part.filename == "c":
                    found.append(await part.text())
            return found

        self.assertEqual(self.successResultOf(deferred(read())), ["True", "last"])

    def test_end_of_a_part_stays(self) -> None:
        """Reading on at the end of a part gives nothing, and not the next part."""

        async def read() -> list[list[bytes]]:
            parsed = Form(Bytes(form(('; name="a"', b"1"), ('; name="b"', b"2"))), _TYPE)
            return [await part.read() for _ in "." async for part in parsed.parts() for _ in range(3)]

        self.assertEqual(self.successResultOf(deferred(read())), [[b"1"], [], [], [b"2"], [], []])

    def test_no_more_is_read_than_is_asked_for(self) -> None:
        """While nobody reads on, nothing more is taken from the connection."""
        source = Slowly()
        parsed = Form(source, _TYPE)
        parts = parsed.parts()
        first = deferred(anext(parts))
        source.give(form(file_field("a", b"x" * 500))[:200])
        part = self.successResultOf(first)
        self.assertFalse(source.waits)
        self.successResultOf(deferred(part.read()))
        self.assertFalse(source.waits)
        reading = deferred(part.read())
        self.assertTrue(source.waits)
        source.fail(BodyLost())
        self.failureResultOf(reading, BodyLost)

    def test_no_parts(self) -> None:
        """A form may be empty."""
        self.assertEqual(self.parts(form()), [])

    def test_preamble_and_epilogue(self) -> None:
        """Text around the parts is no part (RFC 2046 section 5.1.1)."""
        body = b"for old readers\r\n" + form(('; name="a"', b"1")) + b"goodbye"
        self.assertEqual(self.parts(body), [("a", None, b"1")])

    def test_same_name_again(self) -> None:
        """A name may come several times, in order."""
        body = form(file_field("1", b"a"), file_field("2", b"b"), ('; name="file"', b"c"))
        self.assertEqual(self.parts(body), [("file", "1", b"a"), ("file", "2", b"b"), ("file", None, b"c")])

    def test_no_name(self) -> None:
        """A part without a name has an empty one."""
        self.assertEqual(self.parts(form((' ; filename="a"', b"1"))), [("", "a", b"1")])

    def test_empty_filename(self) -> None:
        """An empty file name is told from none: browsers send it where no file was picked."""
        self.assertEqual(self.parts(form(file_field("", b""))), [("file", "", b"")])

    def test_filename_as_sent(self) -> None:
        """Names come as they were sent, in UTF-8, with what browsers escape."""
        sent = {
            "Звёздные войны.txt": "Звёздные войны.txt",
            "a%22b.txt": 'a"b.txt',
            "100% sure.txt": "100% sure.txt",
            "../../etc/passwd": "../../etc/passwd",
            "x; filename*=utf-8''y": "x; filename*=utf-8''y",
        }
        for said, name in sent.items():
            self.assertEqual(self.parts(form(file_field(said, b"")))[0][1], name)

    def test_extended_filename(self) -> None:
        """``filename*`` (RFC 8187), which some clients send, counts more than ``filename``."""
        for said in (
            "; name=file; filename*=UTF-8''%D0%B2%20x.txt",
            "; name=file; filename=\"=?utf-8?B?0LI=?=\"; filename*=utf-8'ru'%D0%B2%20x.txt",
        ):
            self.assertEqual(self.parts(form((said, b"")))[0][1], "в x.txt")

    def test_extended_filename_that_is_none(self) -> None:
        """Bytes that are not UTF-8 in it show as such; another charset is not looked at."""
        self.assertEqual(self.parts(form(("; name=file; filename*=utf-8''%FF", b"")))[0][1], "\ufffd")
        self.assertEqual(self.parts(form(("; name=f; filename=a; filename*=x''%FF", b"")))[0][1], "a")

    def test_boundary_of_any_bytes(self) -> None:
        """A boundary that is not ASCII is taken as it is."""
        body = b'--\xe9\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--\xe9--'
        content_type = b'Multipart/Form-Data; boundary="\xe9"'
        self.assertEqual(self.parts(body, content_type=content_type), [("a", None, b"1")])

    def test_nested(self) -> None:
        """A multipart part of old (RFC 7578 section 4.3) is bytes like any others."""
        inner = form(file_field("x", b"1"), boundary="inner")
        said = '; name="file"\r\nContent-Type: multipart/mixed; boundary=inner'
        self.assertEqual(self.parts(form((said, inner))), [("file", None, inner)])


class TextTests(FormCase):
    """Fields that are no files."""

    def text(self, data: bytes) -> Any:
        async def read() -> str:
            async for part in Form(Bytes(form(('; name="key"', data))), _TYPE).parts():
                return await part.text()
            raise AssertionError

        return deferred(read())

    def test_text(self) -> None:
        """It is UTF-8; what is not shows as such."""
        self.assertEqual(self.successResultOf(self.text("ключ".encode() + b"\xff")), "ключ\ufffd")

    def test_too_long(self) -> None:
        """More than a field holds is refused: 413."""
        refusal = self.failureResultOf(self.text(b"x" * 65_537), Refusal).value
        self.assertEqual(refusal.status, 413)


class BrokenFormTests(FormCase):
    """Forms that can't be read: each is refused with a sentence."""

    def test_other_type(self) -> None:
        """What is no form is a media type that is not supported: 415."""
        for content_type in (b"", b"text/plain", b"multipart/mixed; boundary=x", b"\xff; boundary=x"):
            self.assertEqual(self.refused(content_type=content_type).status, 415)

    def test_no_boundary(self) -> None:
        """A form without a boundary, or with one that can't be, is refused before anything is read."""
        for options in (b"", b"; boundary=", b'; boundary=""', b"; charset=utf-8", b'; boundary="a\nb"'):
            self.assertEqual(self.refused(content_type=b"multipart/form-data" + options).status, 400)

    def test_wrong_boundary(self) -> None:
        """Another boundary than the one that was told never comes: 400 at the end."""
        self.assertEqual(self.refused(form(('; name="a"', b"1"), boundary="other")).status, 400)

    def test_wrong_boundary_of_much(self) -> None:
        """Of what has no boundary only so much is read, however much there is."""
        source = Bytes(*[bytes(16 * 1024)] * 1000)
        self.failureResultOf(deferred(read_all(Form(source, _TYPE))), Refusal)
        self.assertGreater(len(source.left), 990)

    def test_much_after_the_end(self) -> None:
        """So is it after the last part."""
        source = Bytes(form(('; name="a"', b"1")), *[bytes(16 * 1024)] * 1000)
        self.failureResultOf(deferred(read_all(Form(source, _TYPE))), Refusal)
        self.assertGreater(len(source.left), 990)

    def test_missing_end(self) -> None:
        """Wherever a form ends early, it is refused, and never taken for whole."""
        body = form(file_field("a.txt", b"content"))
        for stop in range(len(body) - 2):  # what follows the last "--" is not needed
            self.assertEqual(self.refused(*[body[:stop]] if stop else []).status, 400)

    def test_giant_header(self) -> None:
        """A header of a part has a bound: 413."""
        for pieces in (
            [form(file_field("a" * 10_000, b""))],
            [b"--" + BOUNDARY.encode() + b"\r\nContent-Disposition: form-data; name=", *[b"a" * 1000] * 20],
        ):
            self.assertEqual(self.refused(*pieces).status, 413)

    def test_many_headers(self) -> None:
        """So has their number."""
        said = "; name=a" + "".join(f"\r\nX-{number}: 1" for number in range(20))
        self.assertEqual(self.refused(form((said, b""))).status, 413)

    def test_10_000_parts(self) -> None:
        """So has the number of parts."""
        self.assertEqual(self.refused(form(*[('; name="a"', b"")] * 10_000)).status, 413)

    def test_bad_headers(self) -> None:
        """Headers that say nothing, or something else, are refused."""
        for head in (
            b"Content-Type: text/plain",
            b"Content-Disposition: attachment; name=a",
            b"no colon",
            b"Bad Name: x",
            b" : continued",
            b'Content-Disposition: form-data; name="\xff\xfe"',
            b"Content-Disposition: form-data; name=a\r\nContent-Length: 5",
            b"Content-Disposition: form-data; name=a\r\nContent-Length: -1",
            b"Content-Disposition: form-data; name=a\r\nContent-Length: " + b"9" * 4000,
        ):
            body = b"--%b\r\n%b\r\n\r\nx\r\n--%b--" % (BOUNDARY.encode(), head, BOUNDARY.encode())
            self.assertIn(self.refused(body).status, {400, 413}, head)

    def test_bare_line_feeds(self) -> None:
        """Lines end with CR LF."""
        body = form(('; name="a"', b"1")).replace(b"\r\n", b"\n")
        self.assertEqual(self.refused(body).status, 400)

    @given(st.binary(max_size=300))
    def test_noise(self, noise: bytes) -> None:
        """Noise is refused or read, never a failure of ours."""
        delimiter = b"--" + BOUNDARY.encode()
        for body in (noise, delimiter + noise, delimiter + b"\r\n" + noise + b"\r\n" + delimiter + b"--"):
            reading = deferred(read_all(Form(Bytes(body), _TYPE)))
            reading.addErrback(lambda failure: failure.trap(Refusal))
            self.successResultOf(reading)

    @given(st.binary(max_size=60))
    def test_noise_for_a_type(self, noise: bytes) -> None:
        """So is noise in the header."""
        for content_type in (
            noise,
            b"multipart/form-data; boundary=" + noise,
            b"multipart/form-data" + noise,
        ):
            reading = succeed(content_type).addCallback(lambda value: Form(Bytes(), value))
            reading.addErrback(lambda failure: failure.trap(Refusal))
            self.successResultOf(reading)
