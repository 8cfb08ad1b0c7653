"""
Taking the location out of files of every kind: exiftool and Pillow judge.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from io import BytesIO

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from twisted.trial.unittest import SynchronousTestCase

from fileserve.http.kinds import media_type
from fileserve.pictures.location.patch import overwrite
from fileserve.pictures.location.reading import Wanted
from fileserve.pictures.location.rules import Patch, Unstrippable, patches, refusing
from tests.locatedpictures import (
    PACKET,
    drawn,
    exif,
    is_place,
    located,
    picture,
    pixels,
    places,
    told,
    with_exiftool,
)

#: The kinds whose metadata are looked into, as Pillow calls them.
KINDS: Mapping[str, str] = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
}


def found(data: bytes, kind: str) -> list[Patch]:
    """
    What is found in a file, which is read in order and within its bounds.
    """

    def read(offset: int, length: int) -> bytes:
        assert length > 0
        assert 0 <= offset <= offset + length <= len(data)
        return data[offset : offset + length]

    patched = list(patches(read, len(data), kind))
    ends = [0, *(patch.end for patch in patched)]
    assert all(end <= patch.offset for end, patch in zip(ends, patched, strict=False)), "they overlap"
    assert ends[-1] <= len(data)
    return patched


def stripped(data: bytes, kind: str | None = None) -> bytes:
    """
    A file without its location, in which nothing more is found.
    """
    kind = kind or media_type(data[:8192], "")
    result = bytearray(data)
    overwrite(result, 0, found(data, kind))
    assert found(bytes(result), kind) == [], "something is left"
    return bytes(result)


class KindsTests(SynchronousTestCase):
    """Every kind that has a rule."""

    def test_location(self) -> None:
        """What exiftool finds: the location before, not after, and all else as it was."""
        files = {name: located(name) for name in KINDS}
        results = {name: stripped(data) for name, data in files.items()}
        before, after = told(files), told(results)
        for name, data in files.items():
            self.assertGreater(len(places(before[name])), 10, name)
            rest = {tag: value for tag, value in before[name].items() if not is_place(tag, value)}
            self.assertEqual(after[name], rest, name)
            self.assertEqual(len(results[name]), len(data))
            self.assertNotIn(b"48.858370", results[name])

    def test_pixels(self) -> None:
        """Pillow opens the result, and sees the same."""
        for name in KINDS:
            data = located(name)
            self.assertEqual(pixels(stripped(data)), pixels(data))

    def test_camera_stays(self) -> None:
        """Pillow finds the camera, and no location, in either order of bytes."""
        for name in KINDS:
            for order in "<>":
                data = picture(name, exif_block=exif(order))
                with Image.open(BytesIO(stripped(data))) as image:
                    self.assertEqual(image.getexif()[0x0110], "Some model", (name, order))
                    self.assertEqual(dict(image.getexif().get_ifd(0x8825)), {})
                    self.assertNotIn(0x8825, image.getexif())
                    self.assertEqual(image.getexif().get_ifd(0x8769)[0x9003], "2026:11:20 21:52:00")

    def test_without(self) -> None:
        """In a picture without a location nothing is overwritten."""
        innocent = PACKET[: PACKET.index(b"exif:GPSLatitude")] + PACKET[PACKET.index(b"photoshop:City=") :]
        innocent = innocent[: innocent.index(b"<exif:GPSLong")] + b"</rdf:Description></rdf:RDF></x:xmpmeta>"
        for name, kind in KINDS.items():
            self.assertEqual(found(picture(name), kind), [])
            self.assertEqual(found(picture(name, exif_block=exif(gps=False)), kind), [])
            self.assertEqual(found(picture(name, xmp=innocent), kind), [])

    def test_written_by_exiftool(self) -> None:
        """The same with what exiftool writes, in every group that it knows."""
        arguments = [
            "-gps:all=",
            "-GPSLatitude=48.85837",
            "-GPSLatitudeRef=N",
            "-GPSLongitude=2.29444",
            "-GPSProcessingMethod=CELLID",
            "-XMP:GPSLatitude=48.85837",
            "-XMP:GPSLongitude=2.29444",
            "-XMP-iptcExt:LocationShownGPSLatitude=48.85837",
            "-XMP-iptcExt:LocationShownCity=Springfield",
            "-XMP-drone-dji:GPSLatitude=48.85837",
            "-XMP-dwc:DecimalLatitude=48.85837",
            "-XMP-dwc:DecimalLongitude=2.29444",
            "-XMP:City=Springfield",
            "-IPTC:City=Springfield",
            "-Artist=Somebody",
        ]
        names = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "TIFF": "tif"}
        files = {kind: with_exiftool(picture(kind), names[kind], *arguments) for kind in KINDS}
        before = told(files)
        after = told({kind: stripped(data) for kind, data in files.items()})
        for kind in KINDS:
            self.assertGreater(len(places(before[kind])), 5, kind)
            rest = {tag: value for tag, value in before[kind].items() if not is_place(tag, value)}
            self.assertEqual(after[kind], rest, kind)


class OthersTests(SynchronousTestCase):
    """Kinds without a rule."""

    def test_nothing_to_take_out(self) -> None:
        """Kinds that can't say where they were made stay as they are."""
        for kind in ("image/bmp", "image/x-portable-anymap", "image/x-sgi", "text/plain", "text/csv"):
            self.assertEqual(found(b"something", kind), [])

    def test_refused(self) -> None:
        """Kinds whose metadata nobody here can rewrite are refused, in words that name them."""
        pictures = ("image/heic", "image/avif", "image/x-exr", "image/jxl", "image/svg+xml")
        others = ("video/mp4", "application/pdf", "application/octet-stream", "application/xml")
        for kind in pictures + others:
            error = self.assertRaises(Unstrippable, found, b"something", kind)
            self.assertIn(kind, str(error))

    def test_sidecar(self) -> None:
        """Text that turns out to be XML, such as XMP beside a picture or a track, is refused."""
        track = b'\n<gpx><trkpt lat="48.8" lon="2.2"/></gpx>'
        for data in (PACKET, track, b"\xef\xbb\xbf" + track, "\ufeff<gpx/>".encode("utf-16-le")):
            self.assertRaises(Unstrippable, found, data, "text/plain")

    def test_empty(self) -> None:
        """A file of no bytes says nothing, of whatever kind it may be."""
        for kind in (*KINDS.values(), "image/gif", "text/plain", "application/octet-stream"):
            self.assertEqual(found(b"", kind), [])

    def test_gif(self) -> None:
        """A GIF file is refused where it has XMP, and only then."""
        plain = picture("GIF")
        self.assertEqual(found(plain, "image/gif"), [])
        self.assertRaises(
            Unstrippable, found, with_exiftool(plain, "gif", "-XMP:GPSLatitude=48.8"), "image/gif"
        )

    def test_shorter(self) -> None:
        """Where fewer bytes come than were wanted, the file has become shorter, and that is said."""
        data = located("JPEG")
        self.assertRaises(EOFError, patches, lambda offset, length: b"", len(data), "image/jpeg")


class ReadingTests(SynchronousTestCase):
    """How much is read."""

    def test_judging_reads_little(self) -> None:
        """Whether a long JPEG is refused, its beginning and its end tell."""
        out = BytesIO()
        noise = Image.frombytes("L", (3000, 1000), random.Random(1).randbytes(3_000_000))
        noise.save(out, "JPEG", exif=exif(), xmp=PACKET, quality=95)
        data, read = out.getvalue(), 0
        steps = refusing(len(data), "image/jpeg")
        wanted: Wanted | None = next(steps)
        while wanted is not None:
            read += wanted.length
            try:
                wanted = steps.send(data[wanted.offset : wanted.offset + wanted.length])
            except StopIteration:
                wanted = None
        self.assertGreater(len(data), 2_000_000)
        self.assertLess(read, 100_000)


SAMPLES = {name: [located(name), picture(name, exif_block=exif(">")), picture(name)] for name in KINDS}

Damage = tuple[int, bytes, int]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """
    A picture in which some bytes are others, or that is cut off, or has something put in.
    """
    name = draw(st.sampled_from(sorted(KINDS)))
    data = bytearray(draw(st.sampled_from(SAMPLES[name])))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(data) - 1))
        new = draw(
            st.one_of(st.binary(max_size=4), st.sampled_from([b"\xff\xff\xff\xff", b"\x88\x25", bytes(4)]))
        )
        match draw(st.integers(0, 9)):
            case 0:
                del data[at + 1 :]
            case 1:
                data[at:at] = new
            case _:
                data[at : at + len(new)] = new
    return KINDS[name], bytes(data)


def without_location(data: bytes, kind: str) -> bytes | None:
    """
    The same, or ``None`` where it is refused.
    """
    try:
        return stripped(data, kind)
    except Unstrippable:
        return None


class DamagedTests(SynchronousTestCase):
    """Files in which anything may be wrong."""

    @settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(damaged())
    def test_anything(self, file: tuple[str, bytes]) -> None:
        """Whatever is wrong, a file is refused or as long as it was, and then nothing more is found in it."""
        kind, data = file
        result = without_location(data, kind)
        self.assertIn(len(data), {len(result or data)})

    @settings(max_examples=100, deadline=None)
    @given(st.sampled_from(sorted(KINDS.values())), st.binary(max_size=300))
    def test_noise(self, kind: str, data: bytes) -> None:
        """The same with bytes that are no picture at all."""
        without_location(data, kind)

    def test_exiftool_finds_nothing(self) -> None:
        """In 600 damaged pictures, of which it finds a location in many, exiftool finds none afterwards."""
        chance = random.Random(20261121)
        files: dict[str, bytes] = {}
        for number in range(600):
            name = chance.choice(sorted(KINDS))
            data = bytearray(SAMPLES[name][chance.randrange(2)])
            for _ in range(chance.randrange(1, 12)):
                data[chance.randrange(min(len(data), 2000))] = chance.randrange(256)
            files[f"{number}.{name.lower()}"] = bytes(data)
        kinds = {name: KINDS[name.partition(".")[2].upper()] for name in files}
        results = {name: without_location(data, kinds[name]) for name, data in files.items()}
        before = told(files)
        self.assertGreater(sum(bool(places(each)) for each in before.values()), 300)
        after = told({name: data for name, data in results.items() if data is not None})
        self.assertGreater(len(after), 450)
        self.assertEqual({name: places(each) for name, each in after.items() if places(each)}, {})


class BigTests(SynchronousTestCase):
    """What would take long, done carelessly."""

    def test_hostile(self) -> None:
        """Megabytes of what a rule looks for come to an end soon: the test's own time limit says so."""
        header = b"\xff\xd8"
        for piece in (
            b"\xff\xd9",
            b"\xff\xd8\xff\xd9",
            b"\xff\xda\0\2",
            b"\xff\xe1\0\2",
            b"\xff\xff",
            b"\xff",
        ):
            without_location(header + piece * 300_000, "image/jpeg")
        end = picture("PNG")[8:]
        for chunk in (b"\0\0\0\0teSt\0\0\0\0", b"\0\0\0\0IDAT\0\0\0\0", b"\0\0\0\3tEXtgps\0\0\0\0"):
            without_location(picture("PNG")[:8] + chunk * 50_000 + end, "image/png")
        webp = b"RIFF\xff\xff\xff\xffWEBP"
        without_location(webp + b"XMP \3\0\0\0gps\0" * 50_000, "image/webp")
        for inside in (b"<a:gps ", b"<a:gps>", b' gps="', b" gpsgps", b"gps", b" a:", b"<gps a='"):
            packet = inside * (900_000 // len(inside))
            without_location(webp + b"XMP " + len(packet).to_bytes(4, "little") + packet, "image/webp")

    def test_drawn(self) -> None:
        """The pictures of these tests have something to be seen."""
        self.assertGreater(len(set(drawn().tobytes())), 30)
