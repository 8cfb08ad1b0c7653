"""
Pictures that Pillow opens.
"""

from __future__ import annotations

import importlib
from typing import BinaryIO

from PIL import Image, features

from . import pngtail, webphead
from .camera import Camera
from .facts import NoPreview, Why
from .formats import MOST_PIXELS, Format
from .metadata import camera_of
from .opening import check_pixels

# Pillow would import all of its fifty plug-ins to find one of these; five others it has from the start.
_PLUGINS = {
    "AVIF": "PIL.AvifImagePlugin",
    "SGI": "PIL.SgiImagePlugin",
    "SUN": "PIL.SunImagePlugin",
    "TIFF": "PIL.TiffImagePlugin",
    "WEBP": "PIL.WebPImagePlugin",
    "XBM": "PIL.XbmImagePlugin",
}

# What a Pillow that somebody built may lack.
_FEATURES = {"AVIF": "avif", "WEBP": "webp"}


class PillowPicture:
    """
    An open picture (`fileserve.pictures.opening.Picture`).
    """

    def __init__(self, file: BinaryIO, form: Format) -> None:
        self._image = _image(file, form)
        # Of a picture too large to be opened nothing but its size is known.
        self.size = self._image.size if self._image is not None else webphead.size(file)
        self._camera = camera_of(self._image) if self._image is not None else Camera()

    @property
    def to_turn(self) -> int:
        """How the pixels still must be turned; those of TIFF Pillow turns itself."""
        turned = self._image is None or self._image.format == "TIFF"
        return 1 if turned else self._camera.orientation or 1

    def camera(self) -> Camera:
        """What a camera wrote."""
        return self._camera

    def pixels(self, least: tuple[int, int]) -> Image.Image:
        """Decode it; a JPEG at the least of its scales (1/2, 1/4, 1/8) that is not too small."""
        check_pixels(self.size)
        assert self._image is not None  # else it were too large
        self._image.draft(None, least)
        self._image.load()
        return self._image


def _image(file: BinaryIO, form: Format) -> Image.Image | None:
    if form.name in _FEATURES and not features.check(_FEATURES[form.name]):
        raise NoPreview(Why.UNSUPPORTED)
    if form.name == "WEBP":
        width, height = webphead.size(file)
        if width * height > MOST_PIXELS:  # to open it is to allocate its pixels, twice
            return None
    if form.name in _PLUGINS:
        importlib.import_module(_PLUGINS[form.name])
    image = Image.open(file, formats=[form.name])
    if form.name == "PNG":
        image.info.update(pngtail.metadata(file))
    return image
