"""
Which formats of pictures there are, and which decoder gives what of each: the one table.

Media types are those that `fileserve.http.signatures` proves. ``docs/pictures.rst`` says the same for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from attrs import frozen

#: No picture with more pixels is decoded. In four bytes each they take 400 MB, and a filter needs them twice.
MOST_PIXELS = 100_000_000

#: The way in which previews are made. A way that makes others of the same bytes has the next number: it is in
#: the addresses that browsers keep, and in the names of the cache.
WAY = 1


class Decoder(StrEnum):
    """
    What opens a picture; the value is the project's name where packages of Python are found.
    """

    PILLOW = "Pillow"
    HEIF = "pillow-heif"
    EXR = "OpenEXR"


@frozen
class Format:
    """
    One format of pictures.
    """

    media_type: str
    #: The usual ending of a name, without its dot.
    extension: str
    #: All endings that are right for it, in lower case.
    extensions: frozenset[str]
    decoder: Decoder
    #: What the decoder calls it.
    name: str
    #: Whether cameras' EXIF is read from it.
    exif: bool = False
    #: Whether previews are made of it, where its decoder is installed.
    previews: bool = True


def _format(media_type: str, extensions: str, decoder: Decoder, name: str, *, exif: bool = False) -> Format:
    """The first of the extensions is the usual one."""
    each = extensions.split()
    return Format(media_type, each[0], frozenset(each), decoder, name, exif)


#: All formats that are pictures here, by media type.
FORMATS: Mapping[str, Format] = {
    each.media_type: each
    for each in (
        _format("image/jpeg", "jpg jpeg jpe jfif", Decoder.PILLOW, "JPEG", exif=True),
        _format("image/png", "png apng", Decoder.PILLOW, "PNG", exif=True),
        _format("image/gif", "gif", Decoder.PILLOW, "GIF"),
        _format("image/webp", "webp", Decoder.PILLOW, "WEBP", exif=True),
        _format("image/tiff", "tif tiff", Decoder.PILLOW, "TIFF", exif=True),
        _format("image/bmp", "bmp dib", Decoder.PILLOW, "BMP"),
        _format("image/avif", "avif avifs", Decoder.PILLOW, "AVIF", exif=True),
        _format("image/heic", "heic heif hif", Decoder.HEIF, "HEIF", exif=True),
        _format("image/heif", "heif heic hif", Decoder.HEIF, "HEIF", exif=True),
        _format("image/x-portable-anymap", "ppm pgm pbm pnm", Decoder.PILLOW, "PPM"),
        _format("image/x-xbitmap", "xbm", Decoder.PILLOW, "XBM"),
        _format("image/x-sgi", "rgb sgi rgba bw", Decoder.PILLOW, "SGI"),
        _format("image/x-sun-raster", "ras sun", Decoder.PILLOW, "SUN"),
        _format("image/x-exr", "exr", Decoder.EXR, "OpenEXR"),
    )
}

#: Those whose decoder is an extra: what can't be opened today may be, once it is installed.
OPTIONAL = frozenset(each.media_type for each in FORMATS.values() if each.decoder is not Decoder.PILLOW)


def is_picture(media_type: str | None) -> bool:
    """
    Whether files of this kind are pictures.
    """
    return media_type in FORMATS


def format_of(media_type: str) -> Format | None:
    """
    What is known of the pictures of one kind; ``None`` for what is no picture.
    """
    return FORMATS.get(media_type)
