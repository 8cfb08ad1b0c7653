"""
Small files that say to be huge pictures, and files that are two things at once.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping

from PIL import Image

from tests.exifblocks import Raw, exif_block
from tests.picturesamples import sample

#: A drawing that would run a script; no picture here, under whatever name.
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40" onload="alert(1)">'
    b"<script>alert(1)</script></svg>"
)


def png_chunk(name: bytes, data: bytes) -> bytes:
    """
    One chunk of PNG, with its checksum (section 5.3).
    """
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_bomb(width: int = 50_000, height: int = 50_000, rows: int = 100) -> bytes:
    """
    A PNG in grey that says to be so large, of which so many rows are there.
    """
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    body = zlib.compress(bytes((width + 1) * rows), 9)
    return b"\x89PNG\r\n\x1a\n" + head + png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")


def png_text_bomb(size: int = 100_000_000) -> bytes:
    """
    A small PNG with a text that grows to so many bytes.
    """
    text = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(size), 9))
    whole = sample("image/png")
    return whole[:33] + text + whole[33:]


def gif_bomb() -> bytes:
    """
    A GIF whose first frame says to have 65,535 times 65,535 pixels.
    """
    screen = b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0x80, 0, 0) + bytes(6)
    frame = b"," + struct.pack("<HHHHB", 0, 0, 65_535, 65_535, 0)
    return screen + frame + b"\2\2\x44\x01\0;"


def tiff_bomb() -> bytes:
    """
    A TIFF of one small strip that says to have 60,000 times 60,000 pixels.
    """
    strip = zlib.compress(bytes(100_000), 9)
    fields = {
        256: Raw(4, 1, struct.pack("<I", 60_000)),
        257: Raw(4, 1, struct.pack("<I", 60_000)),
        258: 8,
        259: 8,  # deflate
        262: 1,
        277: 1,
        278: Raw(4, 1, struct.pack("<I", 60_000)),
        279: Raw(4, 1, struct.pack("<I", len(strip))),
    }
    size = 8 + 2 + 12 * (len(fields) + 1) + 4
    return exif_block({**fields, 273: Raw(4, 1, struct.pack("<I", size))}) + strip


def webp_bomb() -> bytes:
    """
    A WebP of one pixel on a canvas of 16,384 times 16,384 (RFC 9649 section 2.7).
    """
    out = io.BytesIO()
    Image.new("RGB", (1, 1)).save(out, "WEBP", lossless=True)
    frame = out.getvalue()[12:]
    side = (16_384 - 1).to_bytes(3, "little")
    canvas = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + side + side
    moving = b"ANIM" + struct.pack("<I", 6) + bytes(6)
    part = bytes(6) + bytes(3) + bytes(3) + (100).to_bytes(3, "little") + b"\0" + frame
    body = b"WEBP" + canvas + moving + b"ANMF" + struct.pack("<I", len(part)) + part
    return b"RIFF" + struct.pack("<I", len(body)) + body


#: Small files that say to be huge pictures, by media type.
BOMBS: Mapping[str, Callable[[], bytes]] = {
    "image/png": png_bomb,
    "image/gif": gif_bomb,
    "image/tiff": tiff_bomb,
    "image/webp": webp_bomb,
    "image/bmp": lambda: (
        b"BM"
        + struct.pack("<IHHI", 1000, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, 50_000, 50_000, 1, 24, *[0] * 6)
    ),
    "image/x-portable-anymap": lambda: b"P6 99999 99999 255\n" + bytes(1000),
    "image/x-sgi": lambda: struct.pack(">HBBHHHHII", 474, 1, 1, 3, 65_535, 65_535, 3, 0, 255) + bytes(1000),
    "image/x-sun-raster": lambda: (
        struct.pack(">8I", 0x59A66A95, 99_999, 99_999, 24, 100, 1, 0, 0) + bytes(100)
    ),
    "image/x-xbitmap": lambda: (
        b"#define x_width 99999\n#define x_height 99999\nstatic char x_bits[] = {\n0x00};\n"
    ),
}


# What is two things at once.


def gif_and_html() -> bytes:
    """
    A GIF whose comment is a page with a script.
    """
    whole = sample("image/gif")
    page = b"<html><script>alert(1)</script></html>"
    return whole[:-1] + b"!\xfe" + bytes([len(page)]) + page + b"\0" + whole[-1:]


def gif_and_script() -> bytes:
    """
    A GIF that is a script in JavaScript as well: its width opens a comment.
    """
    screen = b"GIF89a/*" + struct.pack("<HBBB", 1, 0, 0, 0)
    return screen + b",\0\0\0\0\1\0\1\0\x80" + bytes(6) + b"\2\2\x44\1\0;*/=1;alert(1)"


def jpeg_and_zip() -> bytes:
    """
    A JPEG with a ZIP behind it.
    """
    out = io.BytesIO()
    out.write(sample("image/jpeg"))
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("hidden.txt", "hidden")
    return out.getvalue()
