"""
Looks at a picture without decoding it.
"""

from __future__ import annotations

from typing import BinaryIO

from .facts import NoPreview, PictureFacts
from .opening import opened

# Orientations of EXIF from this on lie on their side.
_SIDEWAYS = 5

# The longest side that any of the formats can say (PNG 11.2.1); a larger number is no size.
_LONGEST_SIDE = 2**31 - 1


def look(file: BinaryIO, media_type: str) -> PictureFacts:
    """
    Say what can be seen of a picture.

    :param media_type: what its signature proves.
    :return: no more than the type, where it is no picture, or no decoder here can open it.
    """
    try:
        with opened(file, media_type) as picture:
            width, height = picture.size if picture.to_turn < _SIDEWAYS else picture.size[::-1]
            seen = picture.camera()
    except NoPreview:
        return PictureFacts(media_type)
    if not 1 <= min(width, height) <= max(width, height) <= _LONGEST_SIDE:
        return PictureFacts(media_type)
    return PictureFacts(
        media_type, width, height, seen.orientation, seen.maker, seen.model, seen.taken, seen.located
    )
