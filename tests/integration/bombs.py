"""
Pictures made to hurt, each by hand: giants in small files, loops, endless counts, two formats in one.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from io import BytesIO
from zipfile import ZipFile

SCRIPT = b"<script>document.title='bad'</script>"

#: What a browser would run if it took any of this for a page.
PAGE = b"<!DOCTYPE html><html><body onload=alert(1)>" + SCRIPT + b"</body></html>"

_SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)">' + SCRIPT + b"</svg>"

# The header of a scan of the one component, without its band.
_SCAN = b"\xff\xda\0\x08\1\1\0"

_PNG = b"\x89PNG\r\n\x1a\n"
_MOST = 0xFFFFFFFF


def bombs() -> Mapping[str, bytes]:
    """
    Small files that claim, and partly hold, pictures of a hundred million pixels and far more.
    """
    return {
        "900-megapixels.png": png(30_000, 30_000, zlib.compress(bytes(30_000 * 3_751), 9)),
        "claims-4-gigapixels.png": png(65_535, 65_535, zlib.compress(b"")),
        "claims-the-most.png": png(0x7FFFFFFF, 0x7FFFFFFF, zlib.compress(b"")),
        "near-the-limit.png": png(9_990, 9_990, zlib.compress(bytes(9_990 * 1_250))),
        "text-of-200-megabytes.png": png(8, 8, zlib.compress(bytes(8 * 2)), _text_bomb()),
        "profile-of-200-megabytes.png": png(8, 8, zlib.compress(bytes(8 * 2)), _profile_bomb()),
        "claims-4-gigapixels.gif": gif(65_535, 65_535),
        "100000-frames.gif": gif(1_000, 1_000, 100_000),
        "268-megapixels.webp": webp(16_383, 16_383),
        "100-megapixels.webp": webp(10_000, 10_000),
        "900-megapixels.tif": tiff(30_000, 30_000, zlib.compress(bytes(30_000 * 30_000 // 8), 9)),
        "claims-the-most.tif": tiff(_MOST, _MOST, b"x"),
        "near-the-limit.tif": tiff(10_000, 10_000, zlib.compress(bytes(10_000 * 1_250), 9)),
        "claims-4-gigapixels.bmp": struct.pack(
            "<2sIHHIIiiHHIIiiII", b"BM", 154, 0, 0, 54, 40, 65_535, 65_535, 1, 24, 0, 0, 0, 0, 0, 0
        )
        + bytes(100),
        "claims-4-gigapixels.jpg": _jpeg_of(65_535, 65_535),
        "claims-a-terapixel.ppm": b"P6\n1000000 1000000\n255\n" + bytes(1000),
        "claims-4-gigapixels.rgb": struct.pack(">HBBHHHH", 474, 1, 1, 3, 65_535, 65_535, 3) + bytes(600),
        "claims-4-gigapixels.ras": struct.pack(">8I", 0x59A66A95, 65_535, 65_535, 24, _MOST, 2, 0, 0),
        "claims-4-gigapixels.xbm": b"#define x_width 65535\n#define x_height 65535\n"
        b"static char x_bits[] = {\n0x00};",
    }  # fmt: skip


def slow_jpeg(scans: int) -> bytes:
    """
    A progressive JPEG within all bounds, that takes 4 milliseconds for each scan of 142 bytes (2026-11).

    Every scan says of all blocks that nothing changes (ITU-T T.81, G.1.2.2: end-of-band runs).
    """
    side = 9_984
    blocks = (side // 8) ** 2
    run = "0" + "1" * 14
    bits = run * -(-blocks // 32_767)
    bits += "1" * (-len(bits) % 8)
    nothing = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    start = _jpeg_head(side, side, 0xC2, 0xE0)
    direct = _SCAN + b"\0\0\0" + bytes(blocks // 8)
    return start + direct + (_SCAN + b"\1\x3f\0" + nothing) * scans + b"\xff\xd9"


def png(width: int, height: int, deflated: bytes, more: bytes = b"") -> bytes:
    """
    A black and white PNG, of which only the lengths and checksums of chunks need be true.

    :param more: chunks between the header and the data.
    """
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return _PNG + _chunk(b"IHDR", header) + more + _chunk(b"IDAT", deflated) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _text_bomb() -> bytes:
    return _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200 << 20), 9))


def _profile_bomb() -> bytes:
    return _chunk(b"iCCP", b"ICC\0\0" + zlib.compress(bytes(200 << 20), 9))


def gif(width: int, height: int, frames: int = 1) -> bytes:
    """
    A sound GIF whose screen may be giant, with frames of one pixel.
    """
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\0"
    return screen + frame * frames + b";"


def webp(width: int, height: int) -> bytes:
    """
    A lossless WebP of one colour, however large: five Huffman codes of one symbol each take no bits of data.
    """
    bits = f"{width - 1:014b}"[::-1] + f"{height - 1:014b}"[::-1] + "0" + "000" + "0" + "0" + "0" + "1000" * 5
    number = int(bits[::-1], 2)
    body = b"\x2f" + number.to_bytes(-(-len(bits) // 8), "little")
    body += bytes(len(body) % 2)
    return b"RIFF" + struct.pack("<I", 12 + len(body)) + b"WEBPVP8L" + struct.pack("<I", len(body)) + body


def tiff(
    width: int, height: int, deflated: bytes, *entries: tuple[int, int, int, int], next_at: int = 0
) -> bytes:
    """
    A black and white TIFF of one strip.

    :param entries: further ones: tag, type, count, value.
    :param next_at: where the next directory begins; 8 is this one again.
    """
    fixed = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 1),
        (259, 3, 1, 8),
        (262, 3, 1, 1),
        (277, 3, 1, 1),
        (278, 4, 1, height),
        (279, 4, 1, len(deflated)),
    ]
    count = len(fixed) + 1 + len(entries)
    fixed.append((273, 4, 1, 8 + 2 + 12 * count + 4))
    directory = b"".join(struct.pack("<HHII", *entry) for entry in sorted((*fixed, *entries)))
    start = struct.pack("<2sHIH", b"II", 42, 8, count)
    return start + directory + struct.pack("<I", next_at) + deflated


def loops(jpeg: bytes) -> Mapping[str, bytes]:
    """
    EXIF and TIFF directories that point at themselves, and values that claim to be endless.

    :param jpeg: a healthy one, to carry them.
    """
    loop = _directory((0x8769, 4, 1, 8), (0x8825, 4, 1, 8), (0x014A, 4, 1, 8), next_at=8)
    endless = _directory(
        (0x010F, 2, _MOST, 8),
        (0x0110, 2, 0x7FFFFFFF, 0x7FFFFFFF),
        (0x8769, 4, _MOST, 8),
        (0x9003, 2, _MOST, 0),
    )
    many = struct.pack("<2sHIH", b"II", 42, 8, 0xFFFF) + struct.pack("<HHII", 0x010F, 2, 4, 0x41414141) * 5000
    wrong = _directory(
        (0x0112, 2, 4, 0x33333333),
        (0x9003, 5, 1, 0),
        (0x010F, 12, 9, 9),
        (0x0110, 0, 9, 9),
        (0x8825, 3, 4, 8),
    )
    again = ((0x8769, 4, 1, 8), (0x014A, 4, 1, 8))
    dot = zlib.compress(bytes(16))
    return {
        "exif-loop.jpg": with_exif(jpeg, loop),
        "exif-endless.jpg": with_exif(jpeg, endless),
        "exif-65535-entries.jpg": with_exif(jpeg, many),
        "exif-wrong-types.jpg": with_exif(jpeg, wrong),
        "exif-nothing.jpg": with_exif(jpeg, b""),
        "exif-cut.jpg": with_exif(jpeg, b"II*\0\xff\xff\xff\x7f"),
        "exif-script.jpg": with_exif(jpeg, _words(SCRIPT + b"\0", b"\"'><img src=x onerror=alert(1)>\0")),
        "directory-loop.tif": tiff(8, 8, dot, *again, next_at=8),
        "exif-loop.png": png(8, 8, dot, _chunk(b"eXIf", loop)),
        "65535-segments.jpg": jpeg[:2] + b"\xff\xfe\0\2" * 65_535 + jpeg[2:],
    }


def directories() -> Mapping[str, bytes]:
    """
    TIFF structures that share one long value among thousands of entries: what is looked at for each of them
    is looked at thousands of times.
    """
    entries, numbers = 1_000, 500_000
    place, shared = b" exif:GPSLatitude='1'" * 25_000, struct.pack("<I", 1) * numbers
    behind = 8 + 2 + 12 * entries + 4
    start = 8 + entries * 42
    strips = b"".join(
        _entries(
            (0x0111, 4, numbers, start),
            (0x0117, 4, numbers, start),
            (0x8825, 4, 1, 0),
            next_at=8 + 42 * after,
        )
        for after in range(1, entries + 1)
    )
    return {
        "pointers.tif": _directory(*[(0x014A, 4, 3 * entries - 10, 10)] * entries),
        "places.tif": _directory(*[(700, 1, len(place), behind)] * entries) + place,
        "harmless.tif": _directory(*[(700, 1, 500_000, behind)] * entries) + b" x" * 250_000,
        "strips.tif": struct.pack("<2sHI", b"II", 42, 8) + strips + shared,
    }


def _directory(*entries: tuple[int, int, int, int], next_at: int = 0) -> bytes:
    return struct.pack("<2sHI", b"II", 42, 8) + _entries(*entries, next_at=next_at)


def _entries(*entries: tuple[int, int, int, int], next_at: int) -> bytes:
    """A directory itself, wherever it stands."""
    written = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<H", len(entries)) + written + struct.pack("<I", next_at)


def _words(maker: bytes, model: bytes) -> bytes:
    behind = 8 + 2 + 2 * 12 + 4
    words = _directory((0x010F, 2, len(maker), behind), (0x0110, 2, len(model), behind + len(maker)))
    return words + maker + model


def with_exif(jpeg: bytes, block: bytes) -> bytes:
    """
    The same picture with another EXIF block, right behind SOI (CIPA DC-008, section 4.7.2).
    """
    at = 2
    while jpeg[at : at + 2] in {b"\xff\xe0", b"\xff\xe1"}:
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    block = b"Exif\0\0" + block
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[at:]


def polyglots(jpeg: bytes, healthy_gif: bytes) -> Mapping[str, bytes]:
    """
    Files that are two things at once, and files that are no pictures under a picture's name.

    :param jpeg: healthy pictures, to be one half of some.
    """
    archive = BytesIO(jpeg)
    with ZipFile(archive, "a") as opened:
        opened.writestr("index.html", PAGE)
    comment = b"\xff\xfe" + struct.pack(">H", len(PAGE) + 2) + PAGE
    return {
        "page-in-comment.gif": healthy_gif[:-1] + b"!\xfe" + _blocks(PAGE) + b"\0;",
        "page-behind-the-magic.gif": b"GIF89a=1;/*" + PAGE + b"*/",
        "page-behind.gif": healthy_gif + PAGE,
        "archive-behind.jpg": archive.getvalue(),
        "page-in-comment.jpg": jpeg[:2] + comment + jpeg[2:],
        "drawing.jpg": _SVG,
        "drawing.png": b"\xef\xbb\xbf" + _SVG,
        "drawing.svg": _SVG,
        "page.jpg": PAGE,
        "page.gif": b"\n\n" + PAGE,
        "page.html": PAGE,
        "document.png": b"%PDF-1.7\n%" + jpeg,
        "nothing.jpg": b"",
        "script.webp": b"alert(1)//RIFF",
        "magic-only.png": _PNG,
        "magic-only.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        "magic-only.exr": struct.pack("<II", 20000630, 2),
        "two-pictures.jpg": jpeg + jpeg,
    }


def _blocks(data: bytes) -> bytes:
    """Sub-blocks of GIF: 255 bytes at the most."""
    blocks = (data[at : at + 255] for at in range(0, len(data), 255))
    return b"".join(bytes([len(block)]) + block for block in blocks)


def _jpeg_head(width: int, height: int, kind: int, code: int) -> bytes:
    """The headers of one component, whose only codes are 0 for differences and one for the rest (B.2)."""
    quantities = b"\xff\xdb\0\x43\0" + bytes([16]) * 64
    frame = b"\xff" + struct.pack(">BHBHHBBBB", kind, 11, 8, height, width, 1, 1, 0x11, 0)
    codes = b"".join(
        b"\xff\xc4" + struct.pack(">HB", 20, table) + b"\1" + bytes(15) + bytes([value])
        for table, value in ((0x00, 0), (0x10, code))
    )
    return b"\xff\xd8" + quantities + frame + codes


def _jpeg_of(width: int, height: int) -> bytes:
    """A baseline picture with hardly any data."""
    return _jpeg_head(width, height, 0xC0, 0) + _SCAN + b"\0\x3f\0" + bytes(100) + b"\xff\xd9"
