"""
The pictures that somebody picked in a form, each written aside as it comes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from attrs import frozen

from fileserve.http.forms import Form, Part
from fileserve.http.refusal import Refusal

from .interfaces import Source
from .rules import LONGEST_NAME, given_name, name_too_long
from .spool import Spool

#: In one form.
_MOST_FILES = 100

#: Bytes of a name that may have so few characters in UTF-8, with blanks around it.
_LONGEST_TEXT = 4 * LONGEST_NAME + 64

#: Bytes of refused files that are read on, for the sake of the others; more than that ends the form.
_MOST_SKIPPED = 64 * 1024 * 1024


class Spooling(Protocol):
    """
    Writes pictures aside: `fileserve.gallery.uploading.PictureUploads`.
    """

    async def admit_form(self, length: int | None) -> None:
        """Raises a refusal (507) where there is no room for so many bytes."""

    async def spool(self, source: Source) -> Spool:
        """Take all of a source; raises a refusal (413 or 415)."""


class Body(Source, Protocol):
    """
    The body of a request: `fileserve.http.body.Body`.
    """

    @property
    def length(self) -> int | None:
        """Bytes, if that is known."""


@frozen
class Picked:
    """
    One file of a form.
    """

    #: As it was sent; may be empty.
    filename: str
    content: Spool | Refusal

    @property
    def spool(self) -> Spool:
        """
        Its bytes.

        :raise Refusal: 413 or 415, it was not taken.
        """
        if isinstance(self.content, Refusal):
            raise self.content
        return self.content


@frozen
class PictureForm:
    """
    What somebody filled in.
    """

    files: Sequence[Picked]
    #: That the picture shall have; empty for none.
    name: str


@asynccontextmanager
async def picture_form(
    uploads: Spooling, body: Body, content_type: bytes, typed: Callable[[str], object] = str
) -> AsyncIterator[PictureForm]:
    """
    Read a form: its fields ``file``, as many as there are, and ``name``, in any order. To be used as a
    context manager, which closes what was written aside.

    A file that is refused does not keep the others from being read.

    :param typed: is told the name as it was typed, or the beginning of a long one, also where it is refused.
    :raise Refusal: 400, the name is too long, or the form is broken; 413, there are too many files, or too
        much of them is refused; 415, it is no form; 422, no file was picked; 507.
    :raise Exception: what reading or writing raises.
    """
    reading = _Reading(uploads, typed)
    try:
        form = Form(body, content_type)
        await uploads.admit_form(body.length)
        async for part in form.parts():
            await reading.take(part)
        if not reading.files:
            raise Refusal(422, "Choose a picture.")
        yield PictureForm(reading.files, reading.name)
    finally:
        reading.close()


class _Reading:
    """
    A form that is being read.
    """

    def __init__(self, uploads: Spooling, typed: Callable[[str], object]) -> None:
        self._uploads = uploads
        self._typed = typed
        self._skipped = 0
        self.files: list[Picked] = []
        self.name = ""

    async def take(self, part: Part) -> None:
        if part.name == "file" and part.filename is not None:
            first = await part.read()
            # Where no file was picked, browsers send one without bytes and name (HTML section 4.10.21.4).
            if first or part.filename:
                await self._take_file(part.filename, _Rest(first, part.read))
        elif part.name == "name" and part.filename is None:
            self.name = await _name(part, self._typed)

    async def _take_file(self, filename: str, source: _Rest) -> None:
        if len(self.files) == _MOST_FILES:
            raise Refusal(413, f"Send no more than {_MOST_FILES} pictures at once.")
        content: Spool | Refusal
        try:
            content = await self._uploads.spool(source)
        except Refusal as refusal:
            if source.is_broken:
                raise
            content = refusal
            await self._skip(source, refusal)
        self.files.append(Picked(filename, content))

    async def _skip(self, source: _Rest, refusal: Refusal) -> None:
        while pieces := await source.read():
            self._skipped += sum(map(len, pieces))
            if self._skipped > _MOST_SKIPPED:
                raise refusal

    def close(self) -> None:
        for each in self.files:
            if isinstance(each.content, Spool):
                each.content.close()


class _Rest:
    """
    A file in a form, of which something was read already.

    :ivar is_broken: whether the form itself can't be read on.
    """

    def __init__(self, first: list[bytes], read: Callable[[], Awaitable[list[bytes]]]) -> None:
        self._first = first
        self._read = read
        self.is_broken = False

    async def read(self) -> list[bytes]:
        first, self._first = self._first, []
        try:
            return first or await self._read()
        except Refusal:
            self.is_broken = True
            raise


async def _name(part: Part, typed: Callable[[str], object]) -> str:
    value = b""
    # No more is read of a long one than tells that it is.
    while len(value) <= _LONGEST_TEXT and (pieces := await part.read()):
        value += b"".join(pieces)
    typed(value[:_LONGEST_TEXT].decode("utf-8", "replace"))
    if len(value) > _LONGEST_TEXT:
        raise name_too_long()
    return given_name(value.decode("utf-8", "replace"))
