"""
Files in which small things stand for large ones, or in which there are thousands of each: what they cost.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

from tests.locatedpictures import picture
from tests.locationbombs import MIB, Bomb, BombCase, behind, directory, tiff

# A field of type 1 (bytes) or 4 (offsets).
_BYTES, _OFFSET = 1, 4
_SUB, _GPS, _XMP, _PHOTOSHOP = 0x014A, 0x8825, 700, 34377

_TELLING = b" exif:GPSLatitude='x'"
_FILMS = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" %b/>'


class TiffBombTests(BombCase):
    """TIFF files."""

    kind = "image/tiff"

    def test_shared_directories(self) -> None:
        """Thousands of pointers to the same place, and to places one byte apart, are few directories."""
        same = tiff([(_SUB, _OFFSET, 6000, 10)] * 2000)
        apart = [(_SUB, _OFFSET, 1, at) for at in range(100, 60_100)]
        long = [(_SUB, _OFFSET, 1, at) for at in range(8, 700_000, 12)]
        self.refused(same=Bomb(same), apart=Bomb(tiff(apart)), long=Bomb(tiff(long)))

    def test_chain(self) -> None:
        """Directories without end are not followed to it."""
        chain = b"".join(directory([], 8 + 6 * number) for number in range(1, 200_000))
        self.refused(chain=Bomb(b"II*\0\x08\0\0\0", chain))

    def test_shared_metadata(self) -> None:
        """What thousands of entries share is looked at once, and what overlaps in part, not for ever."""
        telling, clean = _TELLING * 50_000, b" x" * 500_000
        at = behind(5000)
        for tag in (_XMP, _PHOTOSHOP):
            self.refused(
                telling=Bomb(tiff([(_XMP, _BYTES, len(telling), at)] * 5000, telling)),
                apart=Bomb(tiff([(tag, _BYTES, 900_000, at + n) for n in range(5000)], clean)),
                tiny=Bomb(tiff([(_XMP, _BYTES, 5, at + n % 2) for n in range(5000)], b" gps gps")),
            )
        data = tiff([(_XMP, _BYTES, len(clean), at)] * 5000, clean)
        self.assertEqual(self.costs({"clean": Bomb(data)}), {"clean": ()})

    def test_many_places(self) -> None:
        """A packet with more properties than anybody has, and resources likewise, go with little memory."""
        packet = _TELLING * 40_000
        data = tiff([(_XMP, _BYTES, len(packet), behind(1))], packet)
        (found,) = self.costs({"packet": Bomb(data)}).values()
        self.assertEqual(len(found or ()), 2)
        for name, data in (("gps", b"\x88\x25"), ("none", b"")):
            small = (b"8BIM\x04\x22\0\0" + struct.pack(">I", len(data)) + data) * 100_000
            self.costs({name: Bomb(tiff([(_PHOTOSHOP, _BYTES, len(small), behind(1))], small))})
        nested = b"8BIM\x04\x22\0\0" * 400_000
        self.pass_(nested=Bomb(tiff([(_PHOTOSHOP, _BYTES, 3_200_002, behind(1))], nested + b"\x88\x25")))

    def test_shared_strips(self) -> None:
        """An array of a million numbers that thousands of directories share is not read that often."""
        many, numbers = 5000, struct.pack("<I", 1) * 1_000_000
        base = 8 + many * 42
        dirs = b"".join(
            directory(
                [(0x0111, _OFFSET, 1_000_000, base), (0x0117, _OFFSET, 1_000_000, base), (_GPS, 4, 1, 0)],
                8 + (n + 1) * 42 if n < many - 1 else 0,
            )
            for n in range(many)
        )
        self.refused(strips=Bomb(b"II*\0\x08\0\0\0" + dirs + numbers))

    def test_shared_location(self) -> None:
        """A location of thousands of values, which thousands of entries point to, is looked at once."""
        at = behind(60_000)
        place = directory([(1, _BYTES, 1_000_000, 8 + n) for n in range(60_000)]) + bytes(2 * MIB)
        self.refused(values=Bomb(tiff([(_GPS, 4, 1, at)] * 60_000, place)))
        small = directory([(1, _BYTES, 6, at + 100)]) + bytes(100) + b"secret"
        self.pass_(
            pointers=Bomb(tiff([(_GPS, 4, 1, at)] * 60_000, small)),
            entries=Bomb(tiff([(33550, 12, 1, at + 8)] * 60_000, b"12345678" * 2)),
        )

    def test_shared_thumbnail(self) -> None:
        """A thumbnail that thousands of directories share is not looked at that often."""
        many = 9000
        base = 8 + 30 * many
        dirs = b"".join(
            directory([(0x0201, 4, 1, base), (0x0202, 4, 1, 65_536)], 8 + (n + 1) * 30) for n in range(many)
        )
        self.refused(thumbnail=Bomb(b"II*\0\x08\0\0\0" + dirs + b"\xff\xd8" + bytes(70_000)))


def segment(payload: bytes, marker: int = 0xE1) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def many(each: bytes) -> int:
    """So often that it would be noticed in memory, or that nobody has so many."""
    return min(21_000, 96 * MIB // len(each))


#: Segments that cost the most for their length, or that there are the most of.
SEGMENTS: Mapping[str, bytes] = {
    "exif": segment(b"Exif\0\0" + tiff([(0x0112, 3, 1, 6)] * 5400)),
    "exif with a place": segment(b"Exif\0\0" + tiff([(_GPS, 4, 1, behind(5400))] * 5400, directory([]))),
    "directories": segment(b"Exif\0\0" + tiff([(_SUB, _OFFSET, 1, at) for at in range(100, 5500)])),
    "small exif": segment(b"Exif\0\0" + tiff([(33550, 12, 1, 34)], b"12345678" * 2)),
    "broken exif": segment(b"Exif\0\0" + b"x" * 65_000),
    "xmp": segment(b"http://ns.adobe.com/xap/1.0/\0" + _TELLING * 900),
    "shortest places": segment(b"http://ns.adobe.com/xap/1.0/\0" + b" gps=''" * 9000),
    "dear xmp": segment(b"http://ns.adobe.com/xap/1.0/\0" + b"<gps/>" * 10_000),
    "small xmp": segment(b"http://ns.adobe.com/xap/1.0/\0" + _TELLING),
    "extended": segment(b"http://ns.adobe.com/xmp/extension/\0" + bytes(40) + b"GPS" * 21_000),
    "flight": segment(b"GoPro\0" + b"x" * 65_000, 0xE6),
    "resources": segment(b"Photoshop 3.0\0" + (b"8BIM\x04\x22\0\0\0\0\0\2\x88\x25") * 4500, 0xED),
    "nested": segment(b"Photoshop 3.0\0" + b"8BIM\x04\x24\0\0" * 8000, 0xED),
    "comment": segment(b"GPS", 0xFE),
}


class JpegBombTests(BombCase):
    """JPEG files."""

    kind = "image/jpeg"

    def test_header(self) -> None:
        """Thousands of segments before the picture: refused, as soon as nobody has so many."""
        whole = picture("JPEG")
        for name, each in SEGMENTS.items():
            self.refused(**{name: Bomb(whole[:2], (each, 21_000), whole[2:])})

    def test_within(self) -> None:
        """The same within the picture: from where it is too much on, all goes."""
        whole = picture("JPEG")
        for name, each in SEGMENTS.items():
            bomb = Bomb(whole[:-2], (each, many(each)), whole[-2:])
            (found,) = self.costs({name: bomb}).values()
            self.assertGreater((found or ())[-1].end, bomb.size - 300, name)

    def test_behind(self) -> None:
        """Thousands of pictures behind the first: few are looked at, the rest is one run of zeros."""
        whole = picture("JPEG")
        for name in ("exif", "small exif", "xmp", "small xmp", "extended", "resources"):
            each = SEGMENTS[name]
            other = whole[:2] + each * 3 + whole[2:]
            self.pass_(**{name: Bomb(whole, (other, min(5000, many(other))))})

    def test_films(self) -> None:
        """Films without end that are announced are not looked for one by one."""
        lengths = b" ".join(b'x:Length="%d"' % number for number in range(1000, 4000))
        packet = segment(b"http://ns.adobe.com/xap/1.0/\0" + _FILMS % lengths)
        whole = picture("JPEG")
        self.refused(films=Bomb(whole[:2], (packet, 100), whole[2:], bytes(9000)))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


_KEY = b"XML:com.adobe.xmp\0\0\0\0\0"


class PngBombTests(BombCase):
    """PNG files."""

    kind = "image/png"

    def test_chunks(self) -> None:
        """Thousands of chunks: what is too much goes unread, and becomes a run of zeros."""
        whole = picture("PNG")
        million = b"GPS " * (MIB // 4)
        for name, each, times in (
            ("exif", chunk(b"eXIf", tiff([(_GPS, 4, 1, behind(60_000))] * 60_000, directory([]))), 100),
            ("small exif", chunk(b"eXIf", tiff([(33550, 12, 1, 34)], b"12345678" * 2)), 20_000),
            ("broken exif", chunk(b"eXIf", b"x" * MIB), 100),
            ("directories", chunk(b"eXIf", tiff([(_SUB, 4, 1, at) for at in range(100, 9000)])), 100),
            ("shared", chunk(b"eXIf", tiff([(_XMP, 1, MIB, behind(900))] * 900, million)), 90),
            ("xmp", chunk(b"iTXt", _KEY + _TELLING * 900), 1000),
            ("dear xmp", chunk(b"iTXt", _KEY + b"<gps/>" * 170_000), 50),
            ("long xmp", chunk(b"iTXt", _KEY + _TELLING * 800_000), 10),
            ("small xmp", chunk(b"iTXt", _KEY + _TELLING), 20_000),
            ("compressed", chunk(b"iTXt", b"Raw profile type xmp\0\1\0\0\0" + b"x" * MIB), 100),
            ("profile", chunk(b"zTXt", b"Raw profile type exif\0\0" + b"x" * 15 * MIB), 8),
            ("smaller profile", chunk(b"zTXt", b"Raw profile type exif\0\0" + b"x" * 3 * MIB), 30),
            ("text", chunk(b"tEXt", b"Comment\0" + million), 100),
            ("small text", chunk(b"tEXt", b"a\0gps"), 300_000),
            ("unknown", chunk(b"teSt", b"GPS" + b"x" * MIB), 100),
        ):
            self.pass_(**{name: Bomb(whole[:33], (each, times), whole[33:])})

    def test_pixels_stay(self) -> None:
        """Long metadata cost a picture nothing but themselves."""
        whole = picture("PNG")
        profile = chunk(b"zTXt", b"Raw profile type exif\0\0" + b"x" * 3 * MIB)
        (found,) = self.costs({"p": Bomb(whole[:33], (profile, 30), whole[33:])}).values()
        self.assertEqual((found or ())[-1].end, 33 + 30 * len(profile))

    def test_harmless(self) -> None:
        """Chunks of pixels without end are not gone through to it."""
        whole = picture("PNG")
        self.costs({"pixels": Bomb(whole[:33], (chunk(b"IDAT", b""), 400_000), whole[33:])})


class WebpBombTests(BombCase):
    """WebP files."""

    kind = "image/webp"

    def test_chunks(self) -> None:
        """Thousands of chunks: what is too much goes unread, and becomes a run of zeros."""
        body = picture("WEBP")[12:]
        for name, kind, data, times in (
            ("exif", b"EXIF", tiff([(_GPS, 4, 1, behind(60_000))] * 60_000, directory([])), 100),
            ("small exif", b"EXIF", tiff([(33550, 12, 1, 34)], b"12345678" * 2), 20_000),
            ("broken exif", b"EXIF", b"x" * MIB, 100),
            ("xmp", b"XMP ", _TELLING * 800, 1000),
            ("long xmp", b"XMP ", _TELLING * 800_000, 10),
            ("small xmp", b"XMP ", b"gps ", 50_000),
            ("unknown", b"teSt", b"GPS" + b"x" * (MIB - 3), 100),
        ):
            each = kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
            self.pass_(**{name: Bomb(b"RIFF\xff\xff\xff\xffWEBP" + body, (each, times))})
