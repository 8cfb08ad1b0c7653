"""
Pictures of OpenEXR: light of any strength, brought to what a screen can show.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
import OpenEXR
from PIL import Image

from .camera import Camera
from .facts import NoPreview, Why
from .formats import Format
from .opening import check_pixels


class ExrPicture:
    """
    An open picture (`fileserve.pictures.opening.Picture`): the first part of a file.
    """

    to_turn = 1

    def __init__(self, file: BinaryIO, form: Format) -> None:
        self._file = file
        header = _read(file, header_only=True).parts[0].header
        (left, top), (right, bottom) = header["dataWindow"]
        self.size = int(right) - int(left) + 1, int(bottom) - int(top) + 1
        self._located = not {"latitude", "longitude"}.isdisjoint(header)

    def camera(self) -> Camera:
        """No camera writes OpenEXR; a place may be noted."""
        return Camera(located=self._located)

    def pixels(self, least: tuple[int, int]) -> Image.Image:
        """Decode it, and make it smaller while it is still light."""
        check_pixels(self.size)
        channels = _read(self._file, header_only=False).parts[0].channels
        *colours, alpha = [_smaller(plane, least) for plane in _planes(channels)]
        shown = [_displayed(_unassociated(plane, alpha)) for plane in colours]
        bands = [Image.fromarray(each) for each in (*shown, _eight_bit(alpha))]
        return Image.merge("LA" if len(colours) == 1 else "RGBA", bands)


def _read(file: BinaryIO, *, header_only: bool) -> Any:
    # It takes a name. Whoever opened the file anew had it from there too (proc_pid_fd(5)).
    return OpenEXR.File(f"/proc/self/fd/{file.fileno()}", separate_channels=True, header_only=header_only)


def _planes(channels: Mapping[str, Any]) -> list[Any]:
    """Red, green and blue, or brightness, or whatever comes first; and last how opaque they are."""
    colours = [name for name in "RGB" if name in channels]
    if len(colours) < 3:
        colours = ["Y"] if "Y" in channels else sorted(set(channels) - {"A"})[:1]
    planes = [channels[name].pixels for name in [*colours, *("A" if "A" in channels else "")]]
    # What could not be decoded is left out with no more than a line on the standard output.
    if not colours or any(plane is None or plane.shape != planes[0].shape for plane in planes):
        raise NoPreview(Why.BROKEN)
    return planes if "A" in channels else [*planes, np.ones_like(planes[0])]


def _smaller(plane: Any, least: tuple[int, int]) -> Any:
    """Means of as many pixels each as leave twice the wanted size, for a better filter to end with."""
    height, width = plane.shape
    factor = max(1, min(width // (2 * least[0]), height // (2 * least[1])))
    light = np.nan_to_num(plane[: height // factor * factor, : width // factor * factor].astype(np.float32))
    blocks = light.reshape(height // factor, factor, width // factor, factor)
    return blocks.mean(axis=(1, 3), dtype=np.float32)


def _unassociated(plane: Any, alpha: Any) -> Any:
    """Colours of OpenEXR are multiplied by how opaque they are."""
    return np.divide(plane, alpha, out=plane.copy(), where=alpha > 0)


def _displayed(plane: Any) -> Any:
    """Light from 0 to 1 in the curve of sRGB (IEC 61966-2-1); what is brighter is white."""
    light = np.clip(plane, 0, 1)
    return _eight_bit(np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055))


def _eight_bit(plane: Any) -> Any:
    return (np.clip(plane, 0, 1) * 255 + 0.5).astype(np.uint8)
