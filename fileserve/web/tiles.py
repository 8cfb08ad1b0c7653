"""
What the pages of a gallery show of one member of an album.

Pure: a member and what was seen in it go in, words and numbers for a template come out.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from attrs import frozen

from fileserve.http.representation import entity_tag
from fileserve.pictures import camera
from fileserve.pictures.facts import PictureFacts
from fileserve.pictures.formats import MOST_PIXELS, WAY, is_picture
from fileserve.storage.interfaces import Member

from . import wording

#: Long sides of previews, in pixels.
SIZES = (320, 1280)

#: The narrowest and the widest shape of a tile, width to height in tenths; what is narrower or wider is cut
#: at its edges. The stylesheet has a class for each one between them.
NARROWEST, WIDEST = 7, 30

#: The shape of what is no picture.
_USUAL = 10


@frozen
class Tile:
    """
    One member, as a tile of the page.
    """

    member: Member
    #: What was seen in it; ``None`` where nobody looked yet.
    facts: PictureFacts | None
    #: Whether it is known that no preview of it can be made.
    is_hopeless: bool = False

    @property
    def name(self) -> str:
        """
        Its path as a line of text.
        """
        return shown_path(self.member.path)

    @property
    def address(self) -> str:
        """
        Its path as it stands in addresses.
        """
        return quote(self.member.path)

    @property
    def version(self) -> str:
        """
        What the address of a preview tells it by.
        """
        return version_of(self.member)

    @property
    def uploaded_us(self) -> int:
        """
        When it came: microseconds since 1970 UTC.
        """
        return self.member.mtime_ns // 1000

    @property
    def camera(self) -> str:
        """
        What it was taken with; nothing where that is not known.
        """
        return "" if self.facts is None else camera.name(self.facts.maker, self.facts.model) or ""

    @property
    def is_picture(self) -> bool:
        """
        Whether it is a picture that can be shown.
        """
        if self.facts is None or self.pixels is None or self.is_hopeless:
            return False
        width, height = self.pixels
        return is_picture(self.facts.media_type) and width * height <= MOST_PIXELS

    @property
    def kind(self) -> str:
        """
        What stands where a picture would, of what is none or can't be shown.
        """
        if self.facts is None:
            return "Just a moment…"
        if is_picture(self.facts.media_type) and self.pixels is not None:
            return "No preview"
        return wording.name(self.facts.media_type, 60)

    @property
    def pixels(self) -> tuple[int, int] | None:
        """
        Width and height.
        """
        if self.facts is None or not self.facts.width or not self.facts.height:
            return None
        return self.facts.width, self.facts.height

    @property
    def tenths(self) -> int:
        """
        Its shape: see `NARROWEST`.
        """
        if self.pixels is None:
            return _USUAL
        width, height = self.pixels
        return max(NARROWEST, min(WIDEST, round(10 * width / height)))

    @property
    def previews(self) -> Sequence[tuple[int, int]]:
        """
        The previews that there are: each one's size, and its width in pixels.
        """
        if self.pixels is None:
            return ()
        width, height = self.pixels
        longest = max(width, height)
        # A size that makes it no smaller than the one before is the same picture once more.
        sizes = [size for before, size in zip((0, *SIZES), SIZES, strict=False) if longest > before]
        return [(size, max(1, round(width * min(size, longest) / longest))) for size in sizes]


def shown_path(path: bytes) -> str:
    """
    A member's path as a line of text that hides nothing; bytes that are no text show as U+FFFD.
    """
    return wording.name(path.decode("utf-8", "replace"))


def version_of(member: Member) -> str:
    """
    A short text that is another one for other bytes, and for previews that are made in another way.
    """
    return f"{entity_tag(member)[1:17].decode()}-{WAY}"
