"""
What can be said of a picture without looking at all of it.
"""

from __future__ import annotations

from enum import StrEnum

from attrs import frozen


@frozen
class PictureFacts:
    """
    What was seen at the head of one version of a file; what is not known is ``None``.

    A file that is no picture, or one that no decoder here can open, has a media type only.
    """

    media_type: str
    #: Pixels, upright: as the picture is shown, after its orientation was applied.
    width: int | None = None
    height: int | None = None
    #: 1 to 8, as in EXIF (CIPA DC-008, tag 0x0112).
    orientation: int | None = None
    #: Tidied, at most 100 characters. `fileserve.pictures.camera.name` makes one name of both.
    maker: str | None = None
    model: str | None = None
    #: When it was taken, by the camera's clock: ``2026-11-20T21:52:00``, with the offset behind it where the
    #: camera noted one: ``2026-11-20T21:52:00+01:00``.
    taken: str | None = None
    #: Whether it says where it was taken.
    located: bool | None = None


class Why(StrEnum):
    """
    Why there is no preview of a picture.
    """

    #: No decoder of this format is installed; one may be some day.
    UNSUPPORTED = "unsupported"
    #: It has more pixels than are decoded, or takes more memory.
    TOO_LARGE = "too large"
    #: The decoder can make nothing of it.
    BROKEN = "broken"
    #: The decoder died of it, or did not come to an end.
    DEADLY = "deadly"


class NoPreview(Exception):
    """
    There is no preview of this picture.

    :ivar why: a `Why`.
    """

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why
