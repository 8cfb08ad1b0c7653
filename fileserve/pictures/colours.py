"""
Brings the pixels of a picture to what every screen shows: eight bits of sRGB, transparent where it was.
"""

from __future__ import annotations

import io
import math

from PIL import Image, ImageCms

# What can be made smaller as it is; the rest is brought to one of these before.
_PLAIN = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB"})
_TRANSPARENT = frozenset({"PA", "RGBa"})


def plain(image: Image.Image) -> Image.Image:
    """
    The same picture in a mode on which filters can be used, of eight bits.
    """
    if image.mode in {"L", "RGB", "1", "P"} and "transparency" in image.info:
        return image.convert("RGBA")
    if image.mode in _PLAIN:
        return image
    if image.mode.startswith("I;16"):
        return image.convert("I").point([level >> 8 for level in range(65_536)], "L")
    if image.mode in {"I", "F"}:
        return _levelled(image)
    if image.mode == "1":
        return image.convert("L")
    return image.convert("RGBA" if image.mode in _TRANSPARENT or image.has_transparency_data else "RGB")


def on_screen(image: Image.Image, profile: bytes | None) -> Image.Image:
    """
    The same picture in sRGB, of mode RGB or RGBA, without its profile or anything else beside the pixels.

    :param image: in a mode of `plain`; small, since this takes its time.
    :param profile: the ICC profile of its colours. One that does not fit is passed over.
    """
    alpha = image.getchannel("A") if image.mode in {"LA", "RGBA"} else None
    if alpha is not None:
        image = image.convert("L" if image.mode == "LA" else "RGB")
    if image.mode == "YCbCr":
        image = image.convert("RGB")
    shown = _converted(image, profile)
    if alpha is not None and alpha.getextrema() != (255, 255):
        shown.putalpha(alpha)
    shown.info = {}
    return shown


def opaque(image: Image.Image) -> Image.Image:
    """
    A picture of `on_screen` on white.
    """
    if image.mode == "RGB":
        return image
    paper = Image.new("RGB", image.size, (255, 255, 255))
    paper.paste(image, mask=image.getchannel("A"))
    return paper


def _levelled(image: Image.Image) -> Image.Image:
    """Numbers of 32 bits, of which nobody says what is black: 0, and white the most they may be, or are."""
    low, high = image.getextrema()
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    if not (math.isfinite(low) and math.isfinite(high)):
        low, high = 0.0, 1.0
    white = next((each for each in (1.0, 255.0, 65_535.0) if high <= each), high)
    black = min(0.0, low)
    scale = 255 / (white - black)
    return image.convert("F").point(lambda level: level * scale - black * scale).convert("L")


def _converted(image: Image.Image, profile: bytes | None) -> Image.Image:
    """In a new image of mode RGB."""
    try:
        if profile:
            return _by_profile(image, ImageCms.ImageCmsProfile(io.BytesIO(profile)))
        if image.mode == "LAB":
            return _by_profile(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        pass  # it is broken, or for another mode than this
    return image.convert("RGB").copy() if image.mode != "LAB" else image.getchannel("L").convert("RGB")


def _by_profile(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    # Nearly all pictures have this one, and to go from sRGB to sRGB takes as long as to make them smaller.
    if image.mode == "RGB" and ImageCms.getProfileDescription(profile).startswith("sRGB"):
        return image.copy()
    screen = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    shown = ImageCms.profileToProfile(image, profile, screen, outputMode="RGB")
    assert shown is not None  # it is none only where the image is to be changed in place
    return shown
