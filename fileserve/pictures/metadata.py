"""
Finds what a camera wrote in a picture that Pillow opened: its blocks of EXIF and XMP, wherever they stand.
"""

from __future__ import annotations

from collections.abc import Mapping

from PIL import ExifTags, Image

from .camera import Camera, camera

# How ImageMagick writes EXIF and XMP into texts of PNG: three lines, the last with the length, and then
# hexadecimal digits. The one for EXIF alone Pillow reads itself.
_EITHER_PROFILE, _XMP_PROFILE = "Raw profile type APP1", "Raw profile type xmp"
_EXIF_MARK = b"Exif\0\0"

# Adobe's XMP specification, part 3, section 1.1.3.1: XMP that does not fit into one segment of JPEG.
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/"


def camera_of(image: Image.Image) -> Camera:
    """
    Read what a camera wrote, and nothing where no block can be read.

    :param image: of which no pixels need be decoded.
    """
    either = _profile(image, _EITHER_PROFILE)
    if either.startswith(_EXIF_MARK):
        image.info.setdefault("exif", either)
    exif = _exif(image)
    main: Mapping[int, object] = exif or {}
    sub, gps = _directory(exif, ExifTags.IFD.Exif), _directory(exif, ExifTags.IFD.GPSInfo)
    return camera(main, sub, gps, _xmp(image) + either)


def _exif(image: Image.Image) -> Image.Exif | None:
    try:
        # The method of PNG would decode all pixels in search of EXIF behind them.
        return Image.Image.getexif(image)
    except Exception:  # noqa: BLE001 - whatever is wrong with a block, the picture may be sound
        return None


def _directory(exif: Image.Exif | None, tag: int) -> Mapping[int, object]:
    try:
        return exif.get_ifd(tag) if exif is not None else {}
    except Exception:  # noqa: BLE001 - as above
        return {}


def _xmp(image: Image.Image) -> bytes:
    """All there is; a search goes through it, so neither order nor borders matter."""
    xmp = image.info.get("xmp")
    pieces = [xmp.encode() if isinstance(xmp, str) else xmp, _profile(image, _XMP_PROFILE)]
    segments = getattr(image, "applist", ())  # of JPEG
    pieces += [data for name, data in segments if name == "APP1" and data.startswith(_EXTENDED_XMP)]
    return b"\n".join(piece for piece in pieces if isinstance(piece, bytes))


def _profile(image: Image.Image, name: str) -> bytes:
    lines = str(image.info.get(name, "")).split("\n")[3:]
    try:
        return bytes.fromhex("".join(lines))
    except ValueError:
        return b""
