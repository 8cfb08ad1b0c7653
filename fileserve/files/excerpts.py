"""
The beginning of a text file, to be shown in a page.
"""

from __future__ import annotations

import codecs
import re

from attrs import frozen

from fileserve.catalogue.interfaces import StoredFile
from fileserve.http.kinds import HEAD
from fileserve.http.refusal import Refusal
from fileserve.storage.errors import MemberChanged, NoSuchAlbum, NoSuchFile
from fileserve.storage.interfaces import IFileStore

from .downloads import GONE

#: So many bytes are shown.
LONGEST = 64 * 1024

# Characters that no text has, and HTML can't hold.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f]")


@frozen
class Excerpt:
    """
    What is shown of a text.
    """

    text: str
    #: Whether there is more of it.
    cut: bool


class Excerpts:
    """
    Reads them.
    """

    def __init__(self, store: IFileStore) -> None:
        self._store = store

    async def text(self, file: StoredFile) -> Excerpt:
        """
        The beginning of a file that is text.

        :raise Refusal: 404, it is gone; 503, it is just being changed.
        """
        try:
            member = await self._store.stat(file.short_name, file.path)
            reader = self._store.reader(file.short_name)
        except (NoSuchFile, NoSuchAlbum):
            raise Refusal(404, GONE) from None
        try:
            opened = await reader.open(member)
            try:
                data = bytes(await opened.read(0, min(LONGEST, member.size)))
            finally:
                opened.close()
        except MemberChanged:
            raise Refusal(503, "The file changed just now. Try again.", {b"Retry-After": b"1"}) from None
        finally:
            reader.close()
        cut = member.size > LONGEST
        return Excerpt(decoded(data, cut=cut), cut)


def decoded(data: bytes, *, cut: bool) -> str:
    """
    The text that some bytes are: UTF-16 if they say so, UTF-8 if they begin like it, else Windows-1252, which
    the letters of most old texts are in.

    :param cut: whether they may end within a character.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    else:
        encoding = "utf-8-sig" if _begins_as_utf8(data) else "cp1252"
    text = codecs.getincrementaldecoder(encoding)("replace").decode(data, final=not cut)
    return _CONTROLS.sub("\ufffd", text)


def _begins_as_utf8(data: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data[:HEAD])
    except UnicodeDecodeError:
        return False
    return True
