"""
Which bytes of a file or archive a client asked for (RFC 9110 section 14), and how several parts are framed.

Pure: a header's value goes in, spans come out.  It is for the caller to know when a ``Range`` counts
at all: on GET only, after the conditions, and with a true ``If-Range`` (``conditions.range_applies``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

from attrs import frozen

# RFC 9110 section 14.2 lets a server ignore a Range of "many small ranges"; nobody who resumes or
# downloads in parallel asks for so many in one request.
MOST_RANGES = 16

# Section 14.1.2; the whole of one element, after the white space around it is gone.
_RANGE_SPEC = re.compile(rb"(?P<first>[0-9]+)-(?P<last>[0-9]*)|-(?P<suffix>[0-9]+)")

# No file is longer than 2**63 - 1 bytes, which has 19 digits.  int() refuses more than 4300.
_MOST_DIGITS = 19
_BEYOND_ANY_FILE = 10**_MOST_DIGITS


@frozen
class Span:
    """
    Consecutive bytes of a representation, never none of them.

    :param start: the first byte, counted from zero.
    :param stop: the byte after the last one.
    """

    start: int
    stop: int

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.stop - self.start


class NotSatisfiable(Exception):
    """
    A well-formed ``Range`` asks for nothing that exists: status 416.

    :ivar length: the bytes there are, for ``unsatisfied_range``.
    """

    def __init__(self, length: int) -> None:
        super().__init__(f"No range that was asked for lies within the {length} bytes there are.")
        self.length = length


def wanted(header: bytes | None, length: int) -> tuple[Span, ...] | None:
    """
    Decide what to send.

    :param header: the value of ``Range``, if there is one.
    :param length: the bytes of the whole, less than 2**63.
    :return: the parts in the order asked for, without those that do not exist; or ``None`` where the
        whole is to be sent: no header, another unit than bytes, a malformed one, more than 16 ranges,
        ranges that overlap.
    :raise NotSatisfiable: when the header is well formed and none of its parts exists.  Of an empty
        representation none does: a ``Content-Range`` cannot name an empty part.
    """
    specs = _range_specs(header or b"")
    if specs is None:
        return None
    spans = tuple(span for spec in specs if (span := _span(spec, length)) is not None)
    if not spans:
        raise NotSatisfiable(length)
    return None if _overlap(spans) else spans


def content_range(span: Span, length: int) -> bytes:
    """
    ``Content-Range`` of a part of `length` bytes (RFC 9110 section 14.4).
    """
    return b"bytes %d-%d/%d" % (span.start, span.stop - 1, length)


def unsatisfied_range(length: int) -> bytes:
    """
    ``Content-Range`` of a 416 answer (RFC 9110 section 15.5.17).
    """
    return b"bytes */%d" % length


def parts(spans: Iterable[Span], boundary: bytes, media_type: bytes, length: int) -> Iterator[bytes | Span]:
    """
    Frame several parts as ``multipart/byteranges`` (RFC 9110 section 14.6, RFC 2046 section 5.1.1).

    :param boundary: 1 to 70 letters and digits that do not occur in the parts; the caller names them
        in ``Content-Type`` too.
    :param media_type: what the whole would have been sent as.
    :param length: the bytes of the whole.
    :return: what to send, in order: bytes as they are, and each ``Span`` for the bytes it names.
    """
    before = b""
    for span in spans:
        yield b"%b--%b\r\nContent-Type: %b\r\nContent-Range: %b\r\n\r\n" % (
            before,
            boundary,
            media_type,
            content_range(span, length),
        )
        yield span
        before = b"\r\n"
    yield b"%b--%b--\r\n" % (before, boundary)


def parts_length(spans: Iterable[Span], boundary: bytes, media_type: bytes, length: int) -> int:
    """
    The ``Content-Length`` of what ``parts`` frames, in bytes; found by framing it.
    """
    return sum(
        piece.length if isinstance(piece, Span) else len(piece)
        for piece in parts(spans, boundary, media_type, length)
    )


def _range_specs(header: bytes) -> list[re.Match[bytes]] | None:
    """The elements of a well-formed ``Range`` of bytes; empty ones do not count (section 5.6.1)."""
    unit, _, elements = header.partition(b"=")
    if unit.lower() != b"bytes":
        return None
    specs = []
    for element in filter(None, (element.strip(b" \t") for element in elements.split(b","))):
        spec = _RANGE_SPEC.fullmatch(element)
        if spec is None or _runs_backwards(spec):
            return None
        specs.append(spec)
    return specs if 0 < len(specs) <= MOST_RANGES else None


def _runs_backwards(spec: re.Match[bytes]) -> bool:
    """Such a range is invalid, even where no byte of it exists (section 14.1.1)."""
    return bool(spec["last"]) and _order(spec["last"]) < _order(spec["first"])


def _order(digits: bytes) -> tuple[int, bytes]:
    """What sorts decimal numbers of any length without computing them."""
    significant = digits.lstrip(b"0")
    return len(significant), significant


def _number(digits: bytes) -> int:
    """A decimal number; one beyond any file counts as just beyond any file."""
    significant = digits.lstrip(b"0")
    return int(b"0" + significant) if len(significant) <= _MOST_DIGITS else _BEYOND_ANY_FILE


def _span(spec: re.Match[bytes], length: int) -> Span | None:
    """The bytes that one element asks for and that exist."""
    if spec["suffix"]:
        start, stop = length - min(_number(spec["suffix"]), length), length
    else:
        start = _number(spec["first"])
        stop = min(_number(spec["last"]) + 1, length) if spec["last"] else length
    return Span(start, stop) if start < stop else None


def _overlap(spans: Iterable[Span]) -> bool:
    """Whether a byte would be sent twice."""
    ordered = sorted(spans, key=lambda span: span.start)
    return any(one.stop > following.start for one, following in pairwise(ordered))
