"""
Pictures of HEIF, as of telephones: pillow-heif opens them for Pillow.
"""

from __future__ import annotations

from typing import BinaryIO

import attrs
from pillow_heif import register_heif_opener

from .camera import Camera
from .formats import Format
from .pillowpicture import PillowPicture


class HeifPicture(PillowPicture):
    """
    An open picture. Its decoder turns it by what HEIF itself says; the orientation in EXIF counts no more.
    """

    def __init__(self, file: BinaryIO, form: Format) -> None:
        # One child uses one processor. Its small pictures may show another crop, and its depth nobody needs.
        register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)
        super().__init__(file, form)

    @property
    def to_turn(self) -> int:
        """It is upright."""
        return 1

    def camera(self) -> Camera:
        """What a camera wrote; pillow-heif keeps the orientation that EXIF had beside it."""
        assert self._image is not None
        written, kept = super().camera(), self._image.info.get("original_orientation")
        return attrs.evolve(written, orientation=kept) if kept in range(1, 9) else written
