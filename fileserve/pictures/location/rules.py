"""
Taking the location out of a file of any kind, or saying that it can't be done.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from . import jpeg, png, tiff, webp
from .ifd import NotUnderstood
from .patch import Patch, Unstrippable, in_order
from .reading import Steps, TooMuchError, Window, run

__all__ = ["VERSION", "Patch", "Unstrippable", "patches", "patching", "refusing"]

#: To be changed whenever the same file would become another than before.
VERSION = 2

# Kinds that have no place for a location, or none that a reader knows; a text that is no XML is only what
# it says.
_WITHOUT = frozenset(
    {
        "image/bmp", "image/x-portable-anymap", "image/x-xbitmap", "image/x-sgi", "image/x-sun-raster",
        "text/plain", "text/markdown", "text/csv", "text/tab-separated-values", "text/vtt",
        "application/x-subrip",
    }
)  # fmt: skip

# XMP beside its picture, tracks and maps are XML, and say so or not; UTF-8 or twice as wide.
_XML = re.compile(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?[\s\0]*<")

# GIF keeps XMP in an application extension (XMP part 3, section 1.1.2).
_GIF_XMP = re.compile(rb"XMP DataXMP")


def patches(read: Callable[[int, int], bytes], size: int, media_type: str) -> Sequence[Patch]:
    """
    What takes the location out of a file, in order; nothing where it has none. Blocks as reading does, and
    may read all of it.

    :param read: gives the bytes from an offset on, so many.
    :param size: bytes of the file.
    :param media_type: as its content says.
    :raise Unstrippable: it can't be done.
    :raise EOFError: the file is shorter than it was.
    """
    return run(patching(size, media_type), read)


def patching(size: int, media_type: str, head: bytes = b"") -> Steps[Sequence[Patch]]:
    """
    The same as a rule that says which bytes it wants.

    :param head: the file's first bytes, as far as somebody read them already.
    """
    rule, ahead = _RULES.get(media_type, (None, 1))
    if size and rule is not None:
        return in_order((yield from rule(Window(size, ahead, head))))
    yield from refusing(size, media_type, head)
    return ()


def refusing(size: int, media_type: str, head: bytes = b"") -> Steps[None]:
    """
    Find out whether it can be done, as a rule that reads as little as will do. For a file that it lets pass,
    neither `patching` nor `patches` is refused.

    :param head: the file's first bytes, as far as somebody read them already.
    :raise Unstrippable: it can't.
    """
    if not size:
        return
    rule, ahead = _RULES.get(media_type, (None, 1))
    view = Window(size, ahead, head)
    if media_type == "image/jpeg":
        yield from jpeg.refuse(view)
    elif media_type == "image/tiff":
        yield from _of_tiff(view)
    elif media_type == "image/gif":
        if (yield from view.search(_GIF_XMP, 0, 11)) is not None:
            raise Unstrippable("Out of the metadata of a GIF file a location can't be taken.")
    elif media_type in _WITHOUT:
        if media_type.partition("/")[0] != "image" and _XML.match((yield from view.get(0, 64))):
            raise _unknown(media_type)
    elif rule is None:
        raise _unknown(media_type)


def _of_tiff(view: Window) -> Steps[list[Patch]]:
    try:
        return (yield from tiff.location_patches(view))
    except (NotUnderstood, TooMuchError) as error:
        raise Unstrippable(f"Its location can't be taken out: {error}.") from None


def _unknown(media_type: str) -> Unstrippable:
    return Unstrippable(f"Out of files of this kind ({media_type}) a location can't be taken.")


# To each kind its rule, and how much is read at once.
_RULES: Mapping[str, tuple[Callable[[Window], Steps[list[Patch]]], int]] = {
    "image/jpeg": (jpeg.location_patches, jpeg.AHEAD),
    "image/tiff": (_of_tiff, tiff.AHEAD),
    "image/png": (png.location_patches, png.AHEAD),
    "image/webp": (webp.location_patches, webp.AHEAD),
}
