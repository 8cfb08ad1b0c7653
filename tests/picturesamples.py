"""
Pictures of every format for the tests, with what cameras write into them.

The encoders are Pillow's, pillow-heif's and OpenEXR's; where one of the last two is not installed, a test
that needs it is skipped with a printed reason, or fails where ``FILESERVE_REQUIRE_ALL`` is set.
"""

from __future__ import annotations

import io
import re
import struct
import tempfile
from collections.abc import Callable, Mapping
from importlib.util import find_spec

from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from fileserve.pictures.formats import FORMATS, Decoder
from tests.exifblocks import CAMERA, ORIENTATION, TAKEN, XMP_LOCATION, Fields, camera_block, exif_block
from tests.integration.server import missing

__all__ = [
    "CAMERA",
    "ORIENTATION",
    "TAKEN",
    "WITH_EXIF",
    "XMP_LOCATION",
    "claims_size",
    "drawn",
    "need_decoder",
    "sample",
    "srgb",
]


def drawn(width: int = 60, height: int = 40, mode: str = "RGB") -> Image.Image:
    """
    A picture that shows which way up it is: its quarters are red, green, blue and (below right) grey.
    """
    image = Image.new("RGB", (width, height), (128, 128, 128))
    left, top = width // 2, height // 2
    image.paste((255, 0, 0), (0, 0, left, top))
    image.paste((0, 255, 0), (left, 0, width, top))
    image.paste((0, 0, 255), (0, top, left, height))
    return image if mode == "RGB" else image.convert(mode)


def sample(
    media_type: str,
    *,
    width: int = 60,
    height: int = 40,
    exif: Fields | None = None,
    gps: bool = False,
    orientation: int | None = None,
    order: str = "<",
    block: bytes | None = None,
    xmp: bytes | None = None,
    icc: bytes | None = None,
    mode: str = "RGB",
) -> bytes:
    """
    A picture of one of the formats in `FORMATS`.

    :param width: of the stored pixels, before any orientation.
    :param exif: fields by tag, as `exif_block` takes them; `CAMERA` is a good one.
    :param gps: whether it says in EXIF where it was taken.
    :param orientation: as in EXIF, for formats that have it.
    :param block: a whole block of EXIF in place of all these.
    :param mode: of Pillow.
    :raise SkipTest: nothing here writes this format.
    """
    # Pillow reads what it is to write into AVIF, and would not write what is broken.
    written = _filler(block) if block is not None and media_type == "image/avif" else block
    if block is None and (exif is not None or gps or orientation is not None):
        written = camera_block(exif, gps=gps, orientation=orientation, order=order)
    form = FORMATS[media_type]
    if written is not None and not form.exif:
        raise ValueError(f"{media_type} has no EXIF")
    need_decoder(form.decoder)
    if media_type in _BY_HAND:
        return _BY_HAND[media_type](drawn(width, height))
    options = {"exif": _exif_option(media_type, written), "xmp": xmp, "icc_profile": icc}
    found = {name: value for name, value in options.items() if value is not None}
    whole = _saved(media_type, drawn(width, height, mode), found)
    if written is not None and block is not None and written != block:
        assert whole.count(written) == 1
        return whole.replace(written, block)
    return whole


def _filler(block: bytes) -> bytes:
    """As long, and sound: a description of nothing."""
    blank = exif_block({0x010E: "12345"})
    if len(block) < len(blank):
        raise ValueError("This block is too short for AVIF.")
    return exif_block({0x010E: "12345" + "x" * (len(block) - len(blank))})[: len(block)]


def need_decoder(decoder: Decoder) -> None:
    """
    Go on only where this is installed.

    :raise SkipTest: it is not.
    """
    module = {Decoder.PILLOW: "PIL", Decoder.HEIF: "pillow_heif", Decoder.EXR: "OpenEXR"}[decoder]
    if find_spec(module) is None:
        missing(f"{decoder.value} is not installed")


def _exif_option(media_type: str, block: bytes | None) -> object:
    if block is None:
        return None
    # In JPEG, and in HEIC for many a reader, the block has a mark before it.
    return b"Exif\0\0" + block if media_type in {"image/jpeg", "image/heic", "image/heif"} else block


def _saved(media_type: str, image: Image.Image, options: Mapping[str, object]) -> bytes:
    if FORMATS[media_type].decoder is Decoder.HEIF:
        return _heif(media_type, image, options)
    out = io.BytesIO()
    name = FORMATS[media_type].name
    if media_type == "image/png" and "xmp" in options:
        options = {**options, "pnginfo": _png_xmp(options["xmp"])}
    image.save(out, name, **options)
    return out.getvalue()


def _png_xmp(xmp: object) -> object:
    assert isinstance(xmp, bytes)
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", xmp.decode())
    return info


def _heif(media_type: str, image: Image.Image, options: Mapping[str, object]) -> bytes:
    import pillow_heif  # noqa: PLC0415 - an extra

    if not pillow_heif.libheif_info()["HEIF"]:
        missing("this pillow-heif writes no HEIC")
    out = io.BytesIO()
    pillow_heif.from_pillow(image).save(out, **options)
    written = out.getvalue()
    return written if media_type == "image/heic" else written.replace(b"heic", b"mif1", 2)


def _exr(image: Image.Image) -> bytes:
    import numpy as np  # noqa: PLC0415 - comes with OpenEXR
    import OpenEXR  # noqa: PLC0415 - an extra

    pixels = np.asarray(image).astype("float32") / 255
    with tempfile.NamedTemporaryFile(suffix=".exr") as file:
        header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
        with OpenEXR.File(header, {"RGB": pixels}) as out:
            out.write(file.name)
        return file.read()


def _sun(image: Image.Image) -> bytes:
    """The magic, width, height, depth, length, type, and the map of colours: none."""
    rows = [image.crop((0, y, image.width, y + 1)).tobytes("raw", "BGR") for y in range(image.height)]
    body = b"".join(row + b"\0" * (len(row) % 2) for row in rows)
    return struct.pack(">8I", 0x59A66A95, image.width, image.height, 24, len(body), 1, 0, 0) + body


def _xbm(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.convert("1").save(out, "XBM")
    return out.getvalue()


_BY_HAND: Mapping[str, Callable[[Image.Image], bytes]] = {
    "image/x-sun-raster": _sun,
    "image/x-xbitmap": _xbm,
    "image/x-exr": _exr,
}

#: Formats in which cameras' facts are read.
WITH_EXIF = tuple(each.media_type for each in FORMATS.values() if each.exif)


def srgb() -> bytes:
    """
    A colour profile that every screen has.
    """
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def claims_size(whole: bytes, width: int, height: int) -> bytes:
    """
    A JPEG whose header says another size.
    """
    start = re.search(rb"\xff[\xc0\xc2]\0\x11\x08", whole)
    assert start is not None
    at = start.end()
    return whole[:at] + struct.pack(">HH", height, width) + whole[at + 4 :]
