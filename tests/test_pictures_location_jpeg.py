"""
A location in JPEG files: in all segments that have one, behind the picture, and where it can't be taken out.
"""

from __future__ import annotations

import struct
from io import BytesIO
from zipfile import ZipFile

from twisted.trial.unittest import SynchronousTestCase

from fileserve.pictures.location.reading import run_over
from fileserve.pictures.location.rules import Unstrippable, refusing
from tests.locatedpictures import PACKET, drawn, exif, located, picture, pixels, places, told
from tests.test_pictures_location import found, stripped

KIND = "image/jpeg"
XMP = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
FILM = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + b"a film with a place: +48.8583+002.2944/" * 40


def segment(payload: bytes, marker: int = 0xE1) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def with_segments(*segments: bytes, of: bytes = b"") -> bytes:
    """A picture with more segments at its beginning."""
    of = of or picture("JPEG")
    return of[:2] + b"".join(segments) + of[2:]


def payloads(data: bytes, *segments: bytes) -> list[bytes]:
    """What stands now where the payloads of the first segments stood."""
    at, result = 2, []
    for each in segments:
        result.append(data[at + 4 : at + len(each)])
        at += len(each)
    return result


class SegmentTests(SynchronousTestCase):
    """Segments before the picture's data."""

    def goes(self, *wrong: bytes) -> None:
        """The payloads become zeros."""
        data = with_segments(*wrong)
        result = stripped(data, KIND)
        self.assertEqual(payloads(result, *wrong), [bytes(len(each) - 4) for each in wrong])
        self.assertEqual(pixels(result), pixels(data))

    def stays(self, *good: bytes) -> None:
        self.assertEqual(found(with_segments(*good), KIND), [])

    def test_broken_exif(self) -> None:
        """EXIF that is not understood goes as a whole, with its signature."""
        for block in (b"", b"II*\0", b"II*\0\xff", b"nothing like it", b"II*\0\x08\0\0\0\xff\xff\x25\x88"):
            self.goes(segment(b"Exif\0\0" + block))
        self.goes(segment(b"exif\0\0" + block))
        self.goes(segment(b"\xff\xe1\0\x20Exif\0\0" + block))
        self.goes(segment(b"Exif\0\0II*\0\x08\0\0\0\xff\xff", 0xE3))

    def test_exif_elsewhere(self) -> None:
        """EXIF is found behind some other signature, and in other segments."""
        block = exif()[6:]
        for signature, marker in (
            (b"Exif\0\xff", 0xE1),
            (b"Meta\0\0", 0xE3),
            (b"PARROT\0", 0xE1),
            (b"", 0xE5),
        ):
            wrong = segment(signature + block, marker)
            (result,) = payloads(stripped(with_segments(wrong)), wrong)
            self.assertIn(b"Some model", result)
            self.assertNotIn(b"CELLID", result)

    def test_several(self) -> None:
        """A file may have EXIF and XMP several times."""
        data = located("JPEG")
        twice = with_segments(segment(exif(">")), segment(XMP + PACKET), of=data)
        self.assertEqual(places(told({"a.jpg": stripped(twice)})["a.jpg"]), {})

    def test_extended_xmp(self) -> None:
        """A long packet in portions goes as a whole, also where the word is cut in two; another stays."""
        head = EXTENSION + b"0" * 32 + bytes(8)
        self.goes(segment(head + b"<a:b/>"), segment(head + b'<x exif:GPSLatitude="48"/>'))
        self.goes(
            segment(head[:-8] + b"12345678 exif:G"), segment(b"http" + head[4:]), segment(head + b" latitude")
        )
        self.stays(segment(head + b"<a:b/>"), segment(head + b"<c:d/>"))

    def test_photoshop(self) -> None:
        """Photoshop's resources are looked into; the others among them stay."""
        iptc = b"8BIM\x04\x04\0\0\0\0\0\6a city"
        packet = b"8BIM\x04\x24\3abc" + struct.pack(">I", len(PACKET)) + PACKET + b"\0" * (len(PACKET) % 2)
        wrong = segment(b"Photoshop 3.0\0" + iptc + packet, 0xED)
        (result,) = payloads(stripped(with_segments(wrong)), wrong)
        self.assertIn(iptc, result)
        self.assertNotIn(b"GPS", result)
        self.assertIn(b"A title", result)

    def test_others(self) -> None:
        """What else names a place goes: comments, signed statements, a flying camera's measurements."""
        self.goes(segment(b"taken by GPS at 48.8", 0xFE))
        self.goes(segment("Latitude: 48.8".encode("utf-16-le"), 0xE4))
        jumbf = b"JP\0\1\0\0\0\1\0\0\0\x90jumb"
        self.goes(segment(jumbf + b'{"exif:GPSLatitude": "48"}', 0xEB), segment(jumbf + b"more", 0xEB))
        self.goes(segment(jumbf + b"\0\0\0\x20brob", 0xEB))
        self.goes(segment(b"GoPro\0DEVC" + bytes(20), 0xE6), segment(b"GoPro\0GLPI", 0xE6))

    def test_harmless(self) -> None:
        """What names no place stays."""
        self.stays(segment(b"ICC_PROFILE\0\1\1 GPS II*\0", 0xE2))
        self.stays(segment(b"MPF\0II*\0\x08\0\0\0\0\0", 0xE2), segment(b"Adobe\0d\0\0\0\0\1", 0xEE))
        self.stays(segment(b"JP\0\1\0\0\0\1\0\0\0\x90jumb c2pa", 0xEB), segment(b"a comment", 0xFE))
        self.stays(segment(XMP + b"<x:xmpmeta/>"), segment(b"QVCI\0"), segment(b""))

    def test_between_scans(self) -> None:
        """Segments in the midst of a progressive picture are looked at too."""
        out = BytesIO()
        drawn(400, 300).save(out, "JPEG", progressive=True, quality=95)
        data = out.getvalue()
        scan = data.rindex(b"\xff\xda")
        table = data.rindex(b"\xff\xc4", 0, scan)
        late = (
            data[:table] + segment(exif()) + segment(XMP + PACKET) + segment(b"FLIR\0 place") + data[table:]
        )
        result = stripped(late)
        self.assertNotIn(b"GPS", result)
        self.assertNotIn(b"CELLID", result)
        self.assertNotIn(b"FLIR", result)
        self.assertEqual(pixels(result), pixels(data))

    def test_cut_off(self) -> None:
        """A file that ends anywhere has nothing of a place left."""
        data = located("JPEG")
        for end in range(4, 1700, 13):
            result = stripped(data[:end], KIND)
            self.assertEqual(len(result), end)
            self.assertNotIn(b"CELLID", result)
            self.assertNotIn(b"48.858", result)

    def test_too_many(self) -> None:
        """A file with more segments than anybody looks at is refused; behind its header, the rest goes."""
        many = segment(b"", 0xFE) * 30_000
        self.assertRaises(Unstrippable, found, with_segments(many), KIND)
        data = picture("JPEG")[:-2] + many + segment(exif())
        self.assertNotIn(b"CELLID", stripped(data))
        self.assertEqual(pixels(stripped(data)), pixels(data))


class BehindTests(SynchronousTestCase):
    """What stands behind the picture."""

    def test_further_pictures(self) -> None:
        """Pictures behind the first, such as previews, lose their location, and stay."""
        for gap in (b"", bytes(1000)):
            data = located("JPEG") + gap + located("JPEG") + gap + picture("JPEG") + gap
            result = stripped(data)
            self.assertNotIn(b"GPS", result)
            self.assertNotIn(b"CELLID", result)
            self.assertEqual(result.count(b"Some model"), 2)
            self.assertTrue(result.endswith(picture("JPEG") + gap))

    def test_too_many_pictures(self) -> None:
        """There is an end to that too: what is behind is overwritten."""
        one = picture("JPEG", exif_block=exif())
        self.assertNotIn(b"CELLID", stripped(one * 300))

    def test_anything_else(self) -> None:
        """Whatever else follows is overwritten, be it a ZIP file with pictures in it."""
        out = BytesIO()
        with ZipFile(out, "w") as archive:
            archive.writestr("located.jpg", located("JPEG"))
        data = picture("JPEG")
        for rest in (out.getvalue(), b"\n", b"\0\0\0x", b"Exif\0\0" + exif(), FILM, b"\xff\xd8" + FILM):
            self.assertEqual(stripped(data + rest), data + bytes(len(rest)))
        self.assertEqual(stripped(data + bytes(9)), data + bytes(9))

    def test_long(self) -> None:
        """That much may follow, which takes little memory."""
        data = picture("JPEG") + b"x" * 20_000_000
        patches = found(data, KIND)
        self.assertEqual(sum(patch.length for patch in patches), 20_000_000)
        self.assertLess(sum(patch.weight for patch in patches), 1000)

    def test_film(self) -> None:
        """A film that is announced is refused, in whatever way phones do that, by the header alone."""
        size = len(FILM)
        for said in (
            f'GCamera:MicroVideo="1" GCamera:MicroVideoOffset="{size}"',
            f'GCamera:MotionPhoto="1" Item:Semantic="MotionPhoto" Item:Length="{size}" Item:Padding="0"',
            f"<Item:Length>{size}</Item:Length>",
        ):
            data = picture("JPEG", xmp=b"<x:xmpmeta %b/>" % said.encode()) + FILM
            self.assertRaises(Unstrippable, found, data, KIND)
            self.assertRaises(Unstrippable, run_over, refusing(len(data), KIND), data)

    def test_film_that_is_gone(self) -> None:
        """Where it was cut away, the picture is as any other."""
        packet = b'<x:xmpmeta GCamera:MotionPhoto="1" Item:Length="900" GCamera:MicroVideoOffset="99999999"/>'
        self.assertEqual(found(picture("JPEG", xmp=packet), KIND), [])

    def listed(self, kind: int) -> bytes:
        """What Samsung's phones write behind a picture."""
        block = struct.pack("<HHI", 0, kind, 16) + b"MotionPhoto_Data" + FILM
        entry = struct.pack("<HHII", 0, kind, len(block), len(block))
        table = b"SEFH" + struct.pack("<II", 107, 1) + entry
        return block + table + struct.pack("<I", len(table)) + b"SEFT"

    def test_listed_film(self) -> None:
        """A film in the list at the end of a file is refused; without one, what is listed goes."""
        data = picture("JPEG")
        self.assertRaises(Unstrippable, found, data + self.listed(0x0A30), KIND)
        self.assertEqual(stripped(data + self.listed(0x0A01)), data + bytes(len(self.listed(1))))

    def test_thermal(self) -> None:
        """The measurements of a thermal camera are refused."""
        self.assertRaises(Unstrippable, found, with_segments(segment(b"FLIR\0\1\0\0" + bytes(50))), KIND)
