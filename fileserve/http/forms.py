"""
Forms of ``multipart/form-data`` (RFC 7578), read as a stream.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import AsyncIterator
from typing import Protocol
from urllib.parse import unquote

from multipart import (
    MultipartError,
    MultipartSegment,
    ParserLimitReached,
    PushMultipartParser,
    parse_options_header,
)

from .refusal import Refusal

#: No form of ours has more fields, and nobody picks more files at once by hand.
_MOST_PARTS = 1000

#: A field that is no file holds a line of text; in bytes.
_LONGEST_TEXT = 64 * 1024

#: Who sends more than this before, between or after the parts sends no form: the
#: boundary is another one. The headers of one part are less; in bytes.
_MOST_OUTSIDE = 64 * 1024

#: RFC 8187 section 3.2.1. RFC 7578 section 4.2 has no use for it, and some clients have.
_EXTENDED = re.compile(r""";\s*filename\*\s*=\s*utf-8'[^']*'([^;"\s]*)""", re.IGNORECASE)
# Good without the quote at the end too: else each quote without one would be looked at anew.
_QUOTED = re.compile(r'"(?:\\.|[^"\\])*(?:"|\\?\Z)')


class Source(Protocol):
    """
    What bytes come from.
    """

    async def read(self) -> list[bytes]:
        """Wait for more; none at the end."""


class Part:
    """
    One field of a form. To be read before the next one is asked for; what is left unread is skipped.

    :ivar name: of the field; empty where it has none.
    :ivar filename: as it was sent, so it may be empty; ``None`` for a field that is no file.
    """

    def __init__(self, form: Form, segment: MultipartSegment) -> None:
        self._form = form
        self.name = segment.name or ""
        self.filename = _filename(segment)

    async def read(self) -> list[bytes]:
        """
        Wait for more of its data.

        :return: pieces, some 1 MiB together at the most; none at the end.
        :raise Refusal: 400, the form is broken.
        """
        return await self._form.read_part()

    async def text(self) -> str:
        """
        Read the value of a field that is no file.

        :raise Refusal: 413, it is too long for one; 400, the form is broken.
        """
        value = b""
        while pieces := await self.read():
            value += b"".join(pieces)
            if len(value) > _LONGEST_TEXT:
                raise Refusal(413, f"The field {self.name[:50]!r} is too long.")
        return value.decode("utf-8", "replace")


class Form:
    """
    The body of a request, parsed as it comes.

    :param content_type: the header's value.
    :raise Refusal: 415, it is no such form; 400, it names no boundary.
    """

    def __init__(self, body: Source, content_type: bytes) -> None:
        # ISO 8859-1 there and back leaves a boundary of any bytes as it is.
        kind, options = parse_options_header(content_type.decode("latin-1"))
        if kind != "multipart/form-data":
            raise Refusal(415, "Send a form of the type multipart/form-data.")
        self._body = body
        self._events: deque[MultipartSegment | bytes | bytearray | None] = deque()
        self._in_part = False
        self._outside = 0
        self._ended = False
        try:
            self._parser = PushMultipartParser(
                options.get("boundary", "").encode("latin-1"),
                max_segment_count=_MOST_PARTS,
                header_charset="utf8",
            )
        except MultipartError as error:
            raise _broken(error) from None

    async def parts(self) -> AsyncIterator[Part]:
        """
        The fields, in the order in which they come.

        :raise Refusal: 400, the form is broken; 413, it has too many fields.
        """
        while True:
            while self._events:
                event = self._events.popleft()
                if isinstance(event, MultipartSegment):
                    yield Part(self, event)
            if self._ended:
                return
            await self._parse_more()

    async def read_part(self) -> list[bytes]:
        """
        Read on in the present part: see `Part.read`.
        """
        while not self._events and not self._ended:
            await self._parse_more()
        pieces: list[bytes] = []
        while self._events and isinstance(self._events[0], bytes | bytearray):
            pieces.append(bytes(self._events.popleft() or b""))
        return pieces

    async def _parse_more(self) -> None:
        pieces = await self._body.read()
        self._ended = not pieces
        try:
            for piece in pieces:
                self._parse(piece)
            if self._ended:
                self._parser.close()
        except MultipartError as error:
            raise _broken(error) from None

    def _parse(self, piece: bytes) -> None:
        before = len(self._events)
        self._events.extend(self._parser.parse(piece))
        if len(self._events) > before:
            self._in_part = self._events[-1] is not None
            self._outside = 0
        elif not self._in_part:
            self._outside += len(piece)
            if self._outside > _MOST_OUTSIDE:
                raise Refusal(400, "The form is broken: its boundary does not come.")


def _filename(segment: MultipartSegment) -> str | None:
    extended = _EXTENDED.search(_QUOTED.sub("", segment.header("Content-Disposition") or ""))
    return unquote(extended[1]) if extended else segment.filename


def _broken(error: MultipartError) -> Refusal:
    if isinstance(error, ParserLimitReached):
        return Refusal(413, f"The form is too large: {error.args[0]}.")
    return Refusal(400, f"The form is broken: {error.args[0]}.")
