"""
A location in a TIFF structure, well made and badly.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from io import BytesIO

from PIL import Image
from twisted.trial.unittest import SynchronousTestCase

from fileserve.pictures.location.exif import block_patches, chunk_patches
from fileserve.pictures.location.ifd import NotUnderstood
from fileserve.pictures.location.patch import Patch, overwrite
from fileserve.pictures.location.reading import Budget, TooMuchError
from fileserve.pictures.location.rules import Unstrippable
from tests.locatedpictures import drawn, exif, places, told
from tests.test_pictures_location import stripped

#: Tag, type, count, value or offset.
Field = tuple[int, int, int, int]

GPS, EXIF, SUB = 0x8825, 0x8769, 0x014A


def ifd(*fields: Field, following: int = 0) -> bytes:
    """A directory, in little-endian order."""
    entries = b"".join(struct.pack("<HHII", *field) for field in fields)
    return struct.pack("<H", len(fields)) + entries + struct.pack("<I", following)


def block(*parts: tuple[int, bytes], size: int = 400, first: int = 8) -> bytes:
    """A structure of parts at their offsets."""
    data = bytearray(b"II*\0" + struct.pack("<I", first)).ljust(size, b".")
    for at, part in parts:
        data[at : at + len(part)] = part
    return bytes(data)


def without(data: bytes) -> bytes:
    """A block without its location, in which nothing more is found."""
    result = bytearray(data)
    overwrite(result, 0, sorted(block_patches(data, 0, Budget())))
    assert block_patches(bytes(result), 0, Budget()) == []
    return bytes(result)


PLACE = ifd((1, 2, 2, ord("N")), (2, 5, 3, 200))
NUMBERS = b"SECRETSECRETSECRETSECRET"


class BlockTests(SynchronousTestCase):
    """Blocks of EXIF."""

    def refused(self, *parts: tuple[int, bytes], **options: int) -> None:
        self.assertRaises(NotUnderstood, block_patches, block(*parts, **options), 0, Budget())

    def test_taken_out(self) -> None:
        """Directory and values become zeros; the entry goes, those behind it and the next directory stay."""
        main = ifd((0x0112, 3, 1, 6), (GPS, 4, 1, 100), (0xC000, 4, 1, 77), following=300)
        data = block((8, main), (100, PLACE), (200, NUMBERS), (300, ifd((0x0100, 3, 1, 9))))
        expected = block(
            (8, ifd((0x0112, 3, 1, 6), (0xC000, 4, 1, 77), following=300) + bytes(12)),
            (100, bytes(len(PLACE) - 4) + PLACE[-4:]),
            (200, bytes(24)),
            (300, ifd((0x0100, 3, 1, 9))),
        )
        self.assertEqual(without(data), expected)

    def test_everywhere(self) -> None:
        """It is found in the second directory, in EXIF's own, in those below, and where there are two."""
        for main, more in (
            (ifd((0x0112, 3, 1, 6), following=60), ifd((GPS, 4, 1, 100))),
            (ifd((EXIF, 4, 1, 60)), ifd((0x9000, 7, 4, 0), (GPS, 4, 1, 100))),
            (ifd((SUB, 13, 1, 60)), ifd((GPS, 13, 1, 100))),
            (ifd((SUB, 4, 1, 60)), ifd(following=360)),
            (ifd((GPS, 4, 1, 100), following=60), ifd((GPS, 4, 1, 100))),
        ):
            data = block((8, main), (60, more), (100, PLACE), (200, NUMBERS), (360, ifd((GPS, 4, 1, 100))))
            result = without(data)
            self.assertNotIn(b"SECRET", result)
            self.assertNotIn(struct.pack("<H", GPS), result[: result.index(b"..")])

    def test_map(self) -> None:
        """What places a map on the earth goes too (GeoTIFF), values and all."""
        data = block((8, ifd((0x0112, 3, 1, 6), (33922, 12, 3, 200), (34737, 2, 20, 300))), (200, NUMBERS))
        result = without(data)
        self.assertEqual(result[8:44], ifd((0x0112, 3, 1, 6)) + bytes(18))
        self.assertEqual((result[200:224], result[300:320]), (bytes(24), bytes(20)))

    def test_nothing(self) -> None:
        """Nothing is changed where nothing points to a location, whatever else is wrong."""
        for data in (
            block((8, ifd((0x0112, 3, 1, 6)))),
            block((8, ifd((0x927C, 7, 99_999, 350)))),  # notes of a camera that are cut off
            block((8, ifd((EXIF, 4, 1, 5000), following=9_000_000))),  # directories that are cut off
            block((8, ifd((EXIF, 4, 1, 8), following=8))),  # loops
            block((8, ifd((0x0112, 99, 1, 6)))),
        ):
            self.assertEqual(block_patches(data, 0, Budget()), [])

    def test_loop(self) -> None:
        """Directories that lead to each other are looked at once, and the location in them is found."""
        data = block((8, ifd((EXIF, 4, 1, 60), following=8)), (60, ifd((EXIF, 4, 1, 8), (GPS, 4, 1, 100))),
                     (100, PLACE), (200, NUMBERS))  # fmt: skip
        self.assertNotIn(b"SECRET", without(data))

    def test_dangling(self) -> None:
        """A pointer to nowhere goes by itself; to what may have been moved, or cut off, it is refused."""
        self.assertEqual(without(block((8, ifd((GPS, 4, 1, 0)))))[8:26], bytes(18))
        for at in (399, 5000):
            self.refused((8, ifd((GPS, 4, 1, at))), (200, NUMBERS))
        self.refused((8, ifd((GPS, 4, 1, 100))), (100, ifd((2, 5, 3, 390))))

    def test_damaged(self) -> None:
        """Where somebody less strict may find more than is understood, it is refused."""
        self.refused((8, ifd((GPS, 4, 1, 100))), (100, b"\xff\xff"))  # goes on behind the end
        self.refused((8, b"\xff\x7f"))
        for first in (0, 399, 5000):  # there is none
            self.refused((200, NUMBERS), first=first)
        self.refused((8, ifd((GPS, 2, 1, 100))), (100, PLACE))  # no pointer
        self.refused((8, ifd((GPS, 4, 2, 100))), (100, PLACE))
        self.refused((8, ifd((EXIF, 5, 1, 100))), (100, PLACE))
        self.refused((8, ifd((GPS, 4, 1, 100))), (100, ifd((2, 77, 3, 200))))  # values of unknown length
        for data in (b"", b"II*\0", b"II+\0" + bytes(50), b"MM*\0" + bytes(50)):
            self.assertRaises(NotUnderstood, block_patches, data, 0, Budget())

    def test_overlapping(self) -> None:
        """Where something else stands in the same place, it is refused."""
        gps = (GPS, 4, 1, 100)
        self.refused((8, ifd((GPS, 4, 1, 8))))  # it is the first directory
        self.refused((8, ifd((0x010F, 2, 20, 210), gps)), (100, PLACE), (200, NUMBERS))
        self.refused((8, ifd((0x010F, 2, 20, 90), gps)), (100, PLACE), (200, NUMBERS))
        self.refused((8, ifd((0x010F, 2, 20, 12), gps)), (100, PLACE), (200, NUMBERS))
        self.refused((8, ifd((0x0111, 4, 1, 150), (0x0117, 4, 1, 60), gps)), (100, PLACE), (200, NUMBERS))
        self.refused((8, ifd(gps)), (100, ifd((2, 5, 3, 4))))

    def test_thumbnail(self) -> None:
        """A thumbnail that has metadata of its own is refused, another is not looked into."""
        thumbnail = b"\xff\xd8\xff\xe1\0\x10Exif\0\0II*\0"
        main = ifd((0x0201, 4, 1, 300), (0x0202, 4, 1, 30))
        self.refused((8, main), (300, thumbnail))
        self.assertEqual(block_patches(block((8, main), (300, b"\xff\xd8\xff\xdb")), 0, Budget()), [])

    def test_too_much(self) -> None:
        """More directories than anybody has are refused, soon."""
        many = 12_000
        chain = b"".join(ifd(following=14 + 6 * number) for number in range(many))
        self.assertRaises(TooMuchError, block_patches, b"II*\0\x08\0\0\0" + chain, 0, Budget())

    def test_shared_many_times(self) -> None:
        """What a thousand entries share is not looked at a thousand times."""
        numbers, behind = 3_000, 8 + 2 + 12 * 1_000 + 4
        pointing = block((8, ifd(*[(SUB, 4, numbers, 10)] * 1_000)), size=behind)
        self.assertRaises(TooMuchError, block_patches, pointing, 0, Budget())
        telling = ifd(*[(700, 1, 100_000, behind)] * 1_000)
        self.refused((8, telling), (behind, b"GPS " * 25_000), size=behind + 100_000)
        strips = [
            ifd((0x0111, 4, 20_000, 700), (0x0117, 4, 20_000, 700), (GPS, 4, 1, 0), following=following)
            for following in (*range(50, 50 + 42 * 14, 42), 0)
        ]
        pages = [(8 + 42 * page, each) for page, each in enumerate(strips)]
        sharing = block(*pages, size=80_700)
        self.assertRaises(TooMuchError, block_patches, sharing, 0, Budget())

    def test_chunk(self) -> None:
        """As a chunk, what is refused becomes a block that says nothing, which Pillow reads."""
        bad = block((8, ifd((GPS, 4, 1, 8))))
        result = bytearray(bad)
        overwrite(result, 70, chunk_patches(bad, 70, Budget()))
        self.assertEqual(result.rstrip(b"\0"), b"II*\0\x08")
        fields = Image.Exif()
        fields.load(bytes(result))
        self.assertEqual(dict(fields), {})
        self.assertEqual(chunk_patches(bytes(result), 0, Budget()), [])
        self.assertEqual(chunk_patches(b"short", 0, Budget()), [Patch(0, b"\0", 5)])
        self.assertEqual(chunk_patches(bytes(5), 0, Budget()), [])

    def test_signature(self) -> None:
        """A chunk may begin with JPEG's signature, by mistake."""
        data = exif()
        self.assertTrue(data.startswith(b"Exif\0\0"))
        result = bytearray(data)
        overwrite(result, 0, sorted(chunk_patches(data, 0, Budget())))
        fields = Image.Exif()
        fields.load(bytes(result))
        self.assertEqual((fields[0x0110], dict(fields.get_ifd(GPS))), ("Some model", {}))


class FileTests(SynchronousTestCase):
    """TIFF files."""

    def pages(self, blocks: Sequence[bytes]) -> bytes:
        out = BytesIO()
        first, *others = [drawn() for _ in blocks]
        for page, each in zip([first, *others], blocks, strict=True):
            fields = Image.Exif()
            fields.load(each)
            page.encoderinfo = {"exif": fields}
        first.save(out, "TIFF", save_all=True, append_images=others, exif=blocks[0])
        return out.getvalue()

    def test_pages(self) -> None:
        """A location is taken out of each page."""
        data = self.pages([exif(), exif(), exif()])
        found = told({"before.tif": data, "after.tif": stripped(data, "image/tiff")})
        self.assertGreater(len(places(found["before.tif"])), 5)
        self.assertEqual(places(found["after.tif"]), {})
        with Image.open(BytesIO(stripped(data))) as image:
            for page in range(3):
                image.seek(page)
                self.assertEqual(image.convert("RGB").tobytes(), drawn().tobytes())

    def test_preview(self) -> None:
        """A file that holds a whole JPEG with a location is refused: a raw file of a camera may."""
        data = block(
            (8, ifd((0x0201, 4, 1, 200), (0x0202, 4, 1, 100))), (200, b"\xff\xd8\xff\xe1\0\x10Exif\0\0")
        )
        self.assertRaises(Unstrippable, stripped, data, "image/tiff")

    def test_photoshop(self) -> None:
        """Photoshop's resources are looked into."""
        resource = (
            b"8BIM\x04\x22\0\0" + struct.pack(">I", 24) + b"II*\0\x08\0\0\0\1\0\x25\x88SECRET" + bytes(6)
        )
        data = block((8, ifd((34377, 7, len(resource), 100))), (100, resource))
        result = stripped(data, "image/tiff")
        self.assertEqual(result[:112], data[:112])
        self.assertEqual(result[112:136], bytes(24))

    def test_geotiff(self) -> None:
        """What exiftool writes as GeoTIFF is gone, and the picture is not."""
        out = BytesIO()
        drawn().save(out, "TIFF", tiffinfo={33550: (1.0, 1.0, 0.0), 33922: (0.0, 0.0, 0.0, 2.2, 48.8, 0.0)})
        data = out.getvalue()
        result = stripped(data)
        found = told({"before.tif": data, "after.tif": result})
        self.assertIn("IFD0:ModelTiePoint", found["before.tif"])
        self.assertNotIn("IFD0:ModelTiePoint", found["after.tif"])
        self.assertEqual(len(result), len(data))

    def test_big_endian(self) -> None:
        """A block in the other order of bytes than the file that it is written into."""
        data = self.pages([exif(">")])
        self.assertEqual(places(told({"after.tif": stripped(data)})["after.tif"]), {})
