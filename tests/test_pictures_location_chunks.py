"""
A location in the chunks of PNG and WebP files.
"""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

from PIL import Image, PngImagePlugin
from twisted.trial.unittest import SynchronousTestCase

from tests.locatedpictures import PACKET, exif, located, picture, pixels, places, told
from tests.test_pictures_location import found, stripped

WHERE = b"48 deg N"


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks: bytes, behind: bytes = b"") -> bytes:
    """A picture with more chunks before its pixels."""
    data = picture("PNG")
    return data[:33] + b"".join(chunks) + data[33:] + behind


def first_chunk(data: bytes) -> tuple[bytes, bytes]:
    """Type and data of the one behind the header; its checksum is right."""
    length, kind = struct.unpack(">I4s", data[33:41])
    content, crc = data[41 : 41 + length], data[41 + length : 45 + length]
    assert zlib.crc32(kind + content) == int.from_bytes(crc), "the checksum is wrong"
    return kind, content


class PngTests(SynchronousTestCase):
    """PNG files."""

    def goes(self, kind: bytes, content: bytes) -> None:
        """A chunk becomes one of zeros, with a right checksum, which Pillow passes over."""
        data = png(chunk(kind, content))
        result = stripped(data, "image/png")
        self.assertEqual(first_chunk(result), (b"noNe", bytes(len(content))))
        self.assertEqual(pixels(result), pixels(data))

    def stays(self, kind: bytes, content: bytes) -> None:
        self.assertEqual(found(png(chunk(kind, content)), "image/png"), [])

    def test_checksums(self) -> None:
        """All checksums are right afterwards: Pillow verifies them."""
        result = stripped(located("PNG"))
        with Image.open(BytesIO(result)) as image:
            image.verify()

    def test_texts(self) -> None:
        """Texts that name a place go, and those that hide EXIF or XMP."""
        self.goes(b"tEXt", b"Comment\0GPS: " + WHERE)
        self.goes(b"tEXt", b"exif:GPSLatitude\0" + WHERE)
        self.goes(b"iTXt", b"Comment\0\0\0en\0\0Latitude " + WHERE)
        for name in (b"exif", b"APP1", b"xmp", b"8bim"):
            self.goes(b"zTXt", b"Raw profile type " + name + b"\0\0" + zlib.compress(WHERE))
            self.goes(b"tEXt", b"Raw profile type " + name + b"\0\nexif\n 8\n4578696600")
        self.goes(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(PACKET))
        self.goes(b"zTXt", b"XML:com.adobe.xmp\0\0" + zlib.compress(PACKET))
        self.goes(b"zxIf", zlib.compress(exif()))
        self.goes(b"meTa", b"<exif:GPSLatitude>")
        self.goes(b"juNk", exif())
        self.goes(b"caBX", b"\0\0\0\x20jumb brob")

    def test_harmless(self) -> None:
        """Other texts and chunks stay."""
        self.stays(b"tEXt", b"Comment\0Springfield")
        self.stays(b"zTXt", b"Comment\0\0" + zlib.compress(b"Springfield"))
        self.stays(b"zTXt", b"Raw profile type iptc\0\0" + zlib.compress(b"Springfield"))
        self.stays(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta/>")
        self.stays(b"caBX", b"\0\0\0\x20jumb c2pa")
        self.stays(b"sBIT", b"GPS")

    def test_packet(self) -> None:
        """A packet with a language, and a name in it, is found behind them."""
        data = png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0en\0name\0" + PACKET))
        kind, content = first_chunk(stripped(data))
        self.assertEqual(kind, b"iTXt")
        self.assertIn(b"A title", content)
        self.assertNotIn(b"GPS", content)

    def test_broken_exif(self) -> None:
        """EXIF that is not understood becomes some that says nothing."""
        data = png(chunk(b"eXIf", exif()[6:60]))
        result = stripped(data)
        self.assertEqual(first_chunk(result)[0], b"eXIf")
        with Image.open(BytesIO(result)) as image:
            self.assertEqual(dict(image.getexif()), {})

    def test_behind(self) -> None:
        """What follows the last chunk is overwritten, and what is behind where the chunks end."""
        behind = b"x" * 100 + exif()
        self.assertEqual(stripped(png(behind=behind)), png() + bytes(len(behind)))
        data = png(b"\0\0\0\4??!!" + behind)
        self.assertEqual(stripped(data, "image/png"), data[:33] + bytes(len(data) - 33))

    def test_cut_off(self) -> None:
        """Pixels that are cut off stay, a text that is cut off goes."""
        data = png(chunk(b"tEXt", b"Comment\0GPS: " + WHERE))
        self.assertEqual(stripped(data[:60]), data[:33] + bytes(27))
        self.assertEqual(found(png()[:-20], "image/png"), [])

    def test_long(self) -> None:
        """A text of more than 4 MiB goes unread."""
        long = chunk(b"tEXt", b"Comment\0" + b"x" * 5 * 1024 * 1024)
        kind, content = first_chunk(stripped(png(long)))
        self.assertEqual((kind, any(content), len(content)), (b"noNe", False, len(long) - 12))

    def test_animated(self) -> None:
        """An animation stays one."""
        out = BytesIO()
        frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "green", "blue")]
        frames[0].save(out, "PNG", save_all=True, append_images=frames[1:], exif=exif())
        with Image.open(BytesIO(stripped(out.getvalue()))) as image:
            assert isinstance(image, PngImagePlugin.PngImageFile)
            self.assertEqual(image.n_frames, 3)
            image.seek(2)
            self.assertEqual(image.convert("RGB").getpixel((3, 3)), (0, 0, 255))


def webp(*chunks: tuple[bytes, bytes], behind: bytes = b"") -> bytes:
    """A picture with more chunks behind its pixels."""
    body = picture("WEBP")[12:]
    for kind, data in chunks:
        body += kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body + behind


class WebpTests(SynchronousTestCase):
    """WebP files."""

    def test_spellings(self) -> None:
        """XMP is found under its name misspelt, and EXIF with JPEG's signature."""
        data = webp((b"EXIF", exif()), (b"XMP\0", PACKET))
        result = stripped(data)
        self.assertEqual(places(told({"a.webp": result})["a.webp"]), {})
        self.assertIn(b"Some model", result)
        self.assertIn(b"A title", result)
        self.assertEqual(pixels(result), pixels(data))

    def test_broken_exif(self) -> None:
        """EXIF that is not understood becomes some that says nothing."""
        data = picture("WEBP", exif_block=exif())
        at = data.index(b"II*\0")
        result = stripped(data[: at + 8] + b"\xff\xff" + data[at + 10 :])
        with Image.open(BytesIO(result)) as image:
            self.assertEqual(dict(image.getexif()), {})

    def test_others(self) -> None:
        """Chunks of other names go where they speak of a place, and stay where they don't."""
        data = webp((b"C2PA", b"GPSLatitude"), (b"abcd", b"brob"), (b"efgh", b"II*\0" + exif()[10:]))
        self.assertNotIn(b"GPS", stripped(data))
        self.assertNotIn(b"CELLID", stripped(data))
        self.assertEqual(found(webp((b"C2PA", b"nothing"), (b"odd ", b"odd")), "image/webp"), [])

    def test_behind(self) -> None:
        """What follows the last chunk is overwritten, and what is behind where the chunks end."""
        self.assertEqual(stripped(webp(behind=exif())), webp() + bytes(len(exif())))
        data = webp((b"\1\2\3\4", exif()), (b"EXIF", exif()))
        self.assertNotIn(b"CELLID", stripped(data))
        self.assertEqual(pixels(stripped(data)), pixels(data))

    def test_cut_off(self) -> None:
        """A file that ends anywhere has nothing of a place left."""
        data = located("WEBP")
        for end in range(40, len(data), 17):
            result = stripped(data[:end], "image/webp")
            self.assertNotIn(b"CELLID", result)
            self.assertNotIn(b"48.858", result)

    def test_long(self) -> None:
        """Metadata of more than 4 MiB go unread."""
        data = webp((b"EXIF", b"x" * 5 * 1024 * 1024))
        self.assertNotIn(b"x" * 10, stripped(data))
