"""
``fileserve.pictures.previewing``: small pictures of pictures of every format and mode.
"""

from __future__ import annotations

import io
import os
import struct
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageFile
from twisted.trial.unittest import SynchronousTestCase

from fileserve.pictures import colours, webphead
from fileserve.pictures.facts import NoPreview, Why
from fileserve.pictures.formats import FORMATS, MOST_PIXELS
from fileserve.pictures.opening import check_pixels
from fileserve.pictures.previewing import previews
from tests.exifblocks import CAMERA, XMP_LOCATION, broken_blocks, looping_blocks
from tests.exiftool import described
from tests.picturebombs import BOMBS, SVG, gif_and_html, jpeg_and_zip, png_bomb, png_chunk
from tests.picturesamples import WITH_EXIF, claims_size, drawn, need_decoder, sample, srgb

# Hypothesis judges the time an example takes, which says nothing on a busy machine.
patient = settings(deadline=None, max_examples=60)

RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)

#: What stands above left in each orientation of EXIF of a picture whose quarters are red, green; blue, grey.
ABOVE_LEFT = {1: RED, 2: GREEN, 3: GREY, 4: BLUE, 5: RED, 6: BLUE, 7: GREY, 8: GREEN}


@contextmanager
def quiet() -> Iterator[None]:
    """OpenEXR tells the standard output, and error, what it thinks of a file."""
    kept = [os.dup(each) for each in (1, 2)]
    with open(os.devnull, "wb") as nowhere:
        for each in (1, 2):
            os.dup2(nowhere.fileno(), each)
    try:
        yield
    finally:
        for each, was in zip((1, 2), kept, strict=True):
            os.dup2(was, each)
            os.close(was)


def raw(data: bytes, kind: str, *outputs: tuple[int, str]) -> list[bytes]:
    with tempfile.TemporaryFile() as file, quiet():
        file.write(data)
        file.flush()
        return previews(file, kind, outputs)


def made(data: bytes, kind: str, *outputs: tuple[int, str]) -> list[Image.Image]:
    return [Image.open(io.BytesIO(each)) for each in raw(data, kind, *outputs)]


def one(data: bytes, kind: str, form: str = "webp", size: int = 30) -> Image.Image:
    return made(data, kind, (size, form))[0]


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def near(pixel: object, colour: Sequence[int], by: int = 30) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(one - other) <= by for one, other in zip(pixel, colour, strict=True))


def corner(image: Image.Image) -> object:
    return image.convert("RGB").getpixel((image.width // 4, image.height // 4))


class PreviewTests(SynchronousTestCase):
    """What a preview is."""

    def test_formats(self) -> None:
        """Of every format there are previews, in WebP and in JPEG, that show the picture."""
        for kind in FORMATS:
            for form, name in (("webp", "WEBP"), ("jpeg", "JPEG")):
                image = one(sample(kind, width=120, height=80), kind, form)
                self.assertEqual((image.format, image.size), (name, (30, 20)), kind)
                if kind != "image/x-xbitmap":  # which is black and white
                    self.assertTrue(near(corner(image), RED), kind)

    def test_size(self) -> None:
        """The longer side is as long as asked for, no side is nothing, and nothing is made larger."""
        for size, longest, expected in (
            ((64, 48), 32, (32, 24)),
            ((48, 64), 32, (24, 32)),
            ((64, 64), 64, (64, 64)),
            ((64, 48), 320, (64, 48)),
            ((1, 1), 320, (1, 1)),
            ((1000, 1), 320, (320, 1)),
            ((1, 1000), 320, (1, 320)),
        ):
            for kind in ("image/jpeg", "image/png"):
                image = one(sample(kind, width=size[0], height=size[1]), kind, size=longest)
                self.assertEqual(image.size, expected, (kind, size))

    def test_several(self) -> None:
        """Several outputs come from one decoding, in the order in which they were asked for."""
        images = made(sample("image/jpeg", width=400, height=200), "image/jpeg",
                      (32, "webp"), (320, "jpeg"), (100, "webp"), (1280, "webp"))  # fmt: skip
        self.assertEqual([image.size for image in images], [(32, 16), (320, 160), (100, 50), (400, 200)])
        self.assertEqual([image.format for image in images], ["WEBP", "JPEG", "WEBP", "WEBP"])

    def test_upright(self) -> None:
        """It is upright, whichever way the original lies."""
        for kind in WITH_EXIF:
            for orientation, colour in ABOVE_LEFT.items():
                image = one(sample(kind, width=120, height=80, orientation=orientation), kind)
                self.assertEqual(image.size, (30, 20) if orientation < 5 else (20, 30), (kind, orientation))
                self.assertTrue(near(corner(image), colour), (kind, orientation))

    def test_scales_of_jpeg(self) -> None:
        """A JPEG decoded at a smaller scale shows the same as one decoded whole."""
        photograph = Image.effect_mandelbrot((1600, 1200), (-2, -1.5, 1, 1.5), 90).convert("RGB")
        data = saved(photograph, "JPEG", quality=95)
        small = one(data, "image/jpeg", "jpeg", 320)
        whole = Image.open(io.BytesIO(data)).resize((320, 240), Image.Resampling.LANCZOS)
        difference = sum(
            abs(mine - theirs)
            for mine, theirs in zip(small.convert("L").tobytes(), whole.convert("L").tobytes(), strict=True)
        )
        self.assertLess(difference / (320 * 240), 4)

    def test_no_metadata(self) -> None:
        """Nothing that the original says of itself stands in a preview: exiftool finds the format's own."""
        files = {}
        for number, kind in enumerate(WITH_EXIF):
            original = sample(kind, exif=CAMERA, gps=True, orientation=6, xmp=XMP_LOCATION, icc=srgb())
            for form in ("webp", "jpeg"):
                files[f"{number}.{form}"] = raw(original, kind, (32, form))[0]
        comment = saved(drawn(), "GIF", comment=b"at home")
        files["gif.jpeg"] = raw(comment, "image/gif", (32, "jpeg"))[0]
        comment = saved(drawn(), "JPEG", comment=b"at home", dpi=(300, 300))
        files["comment.jpeg"] = raw(comment, "image/jpeg", (32, "jpeg"))[0]
        for name, told in described(files, "-a", "-G1").items():
            groups = {tag.partition(":")[0] for tag in told} - {"SourceFile"}
            self.assertLessEqual(groups, {"System", "File", "JFIF", "RIFF", "Composite", "ExifTool"}, name)
            self.assertNotIn("File:Comment", told)
            self.assertNotIn("ExifTool:Warning", told)
            self.assertIn(told.get("JFIF:XResolution", 1), {1, 72}, name)


def _sixteen(mode: str) -> Image.Image:
    return Image.frombytes(mode, (40, 40), b"\xc0\0" * 1600 if mode == "I;16B" else b"\0\xc0" * 1600)


def _numbers(*values: int) -> bytes:
    """A TIFF of as many rows of 32 bits."""
    rows = b"".join(struct.pack("=i", value) * 40 for value in values for _ in range(40 // len(values)))
    return saved(Image.frombytes("I", (40, 40), rows), "TIFF")


#: Pictures of every mode that some format has, how they are saved, and the grey or colour above left.
MODES: Mapping[str, tuple[bytes, str, tuple[int, int, int]]] = {
    "1": (saved(Image.new("1", (40, 40), 1), "PNG"), "image/png", (255, 255, 255)),
    "1 in TIFF": (saved(Image.new("1", (40, 40), 0), "TIFF", compression="group4"), "image/tiff", (0, 0, 0)),
    "L": (saved(Image.new("L", (40, 40), 77), "JPEG"), "image/jpeg", (77, 77, 77)),
    "LA": (saved(Image.new("LA", (40, 40), (77, 255)), "PNG"), "image/png", (77, 77, 77)),
    "P": (saved(drawn(mode="P"), "PNG"), "image/png", RED),
    "P in GIF": (saved(drawn(mode="P"), "GIF"), "image/gif", RED),
    "RGBA": (saved(drawn(mode="RGBA"), "PNG"), "image/png", RED),
    "CMYK": (saved(drawn(mode="CMYK"), "JPEG"), "image/jpeg", RED),
    "CMYK in TIFF": (saved(drawn(mode="CMYK"), "TIFF"), "image/tiff", RED),
    "YCbCr": (saved(drawn(mode="YCbCr"), "TIFF", compression="tiff_lzw"), "image/tiff", RED),
    "LAB": (saved(Image.new("LAB", (40, 40), (128, 128, 128)), "TIFF"), "image/tiff", (119, 119, 119)),
    "I;16": (saved(_sixteen("I;16"), "PNG"), "image/png", (192, 192, 192)),
    "I;16 of Motorola": (saved(_sixteen("I;16B"), "TIFF"), "image/tiff", (192, 192, 192)),
    "I of 16 bits": (saved(_sixteen("I;16").convert("I"), "PPM"), "image/x-portable-anymap", (192, 192, 192)),
    "I of 32 bits": (_numbers(2_000_000), "image/tiff", (255, 255, 255)),
    "I below nothing": (_numbers(-50, 255), "image/tiff", (0, 0, 0)),
    "F to 1": (saved(Image.new("F", (40, 40), 0.5), "TIFF"), "image/tiff", (127, 127, 127)),
    "F to 255": (saved(Image.new("F", (40, 40), 100.0), "TIFF"), "image/tiff", (100, 100, 100)),
    "F without an end": (
        saved(Image.new("F", (40, 40), float("inf")), "TIFF"),
        "image/tiff",
        (255, 255, 255),
    ),
}  # fmt: skip


class ColourTests(SynchronousTestCase):
    """Modes, profiles and transparency."""

    def test_modes(self) -> None:
        """Pictures of every mode are shown with their colours."""
        for name, (data, kind, colour) in MODES.items():
            for form in ("webp", "jpeg"):
                image = one(data, kind, form)
                self.assertTrue(near(corner(image), colour, 12), (name, corner(image)))

    def test_rare_modes(self) -> None:
        """Modes that decoders give rarely, or only in some releases, are shown too."""
        for mode, shown_as in (
            ("YCbCr", "RGB"),
            ("HSV", "RGB"),
            ("RGBX", "RGB"),
            ("RGBa", "RGBA"),
            ("PA", "RGB"),
        ):
            image = drawn(mode=shown_as)
            if shown_as == "RGBA":
                image.putpixel((59, 39), (0, 0, 0, 0))
            shown = colours.on_screen(colours.plain(image.convert(mode)), None)
            self.assertEqual(shown.mode, shown_as)
            self.assertTrue(near(corner(shown), RED, 6), mode)

    def test_opaque(self) -> None:
        """Where everything is opaque, a preview is like that of a picture that could be nothing else."""
        self.assertEqual(one(saved(drawn(mode="RGBA"), "PNG"), "image/png").mode, "RGB")

    def test_transparent(self) -> None:
        """What is transparent stays so in WebP, and is white in JPEG."""
        clear = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
        clear.paste((0, 0, 255, 255), (20, 20, 40, 40))
        palette = clear.convert("P")
        palette.info["transparency"] = palette.getpixel((0, 0))
        grey = png_chunk(b"tRNS", b"\0\0")
        black = saved(Image.new("L", (40, 40), 0), "PNG")
        for name, data, kind in (
            ("RGBA", saved(clear, "PNG"), "image/png"),
            ("RGBA in WebP", saved(clear, "WEBP", lossless=True), "image/webp"),
            ("RGBA in TIFF", saved(clear, "TIFF"), "image/tiff"),
            ("RGBA in AVIF", saved(clear, "AVIF"), "image/avif"),
            ("LA", saved(clear.convert("LA"), "PNG"), "image/png"),
            ("PA", saved(palette, "PNG", transparency=palette.info["transparency"]), "image/png"),
            ("GIF", saved(palette, "GIF", transparency=palette.info["transparency"]), "image/gif"),
            ("L and one grey", black[:33] + grey + black[33:], "image/png"),
        ):
            shown = one(data, kind, "webp")
            self.assertEqual(shown.mode, "RGBA", name)
            alpha = shown.getchannel("A").getpixel((7, 7))
            self.assertEqual(alpha, 0, name)
            self.assertTrue(near(corner(one(data, kind, "jpeg")), (255, 255, 255), 12), name)

    def test_profile(self) -> None:
        """Colours are those that the profile means (littleCMS by another way is the judge), also of CMYK."""
        swapped = ImageCms.ImageCmsProfile(_swapped_profile())
        image = drawn(120, 80)
        expected = ImageCms.profileToProfile(image, swapped, ImageCms.createProfile("sRGB"))
        assert expected is not None
        for kind in ("image/jpeg", "image/png", "image/tiff", "image/webp"):
            shown = one(sample(kind, width=120, height=80, icc=swapped.tobytes()), kind, "jpeg")
            wanted = expected.getpixel((10, 10))
            assert isinstance(wanted, tuple)
            self.assertTrue(near(corner(shown), wanted, 12), kind)
        self.assertFalse(near(expected.getpixel((10, 10)), RED, 60))

    def test_usual_profile(self) -> None:
        """The profile that nearly all pictures have changes nothing."""
        self.assertTrue(near(corner(one(sample("image/jpeg", icc=srgb()), "image/jpeg")), RED, 12))

    def test_broken_profile(self) -> None:
        """A profile that is none, or for another mode, is passed over."""
        grey = saved(Image.new("L", (40, 40), 77), "PNG", icc_profile=srgb())
        for data in (grey, saved(Image.new("L", (40, 40), 77), "PNG", icc_profile=b"no profile" * 20)):
            self.assertTrue(near(corner(one(data, "image/png")), (77, 77, 77), 4))

    def test_first_of_several(self) -> None:
        """Of an animation the first picture is shown, and of a file of several its first."""
        frames = [Image.new("RGB", (40, 40), colour) for colour in (RED, GREEN, BLUE)]
        more: dict[str, object] = {"save_all": True, "append_images": frames[1:]}
        for form, kind in (
            ("GIF", "image/gif"), ("WEBP", "image/webp"), ("PNG", "image/png"), ("AVIF", "image/avif"),
            ("TIFF", "image/tiff"), ("MPO", "image/jpeg"),
        ):  # fmt: skip
            shown = one(saved(frames[0], form, **more), kind)
            self.assertTrue(near(corner(shown), RED), form)
            self.assertEqual(getattr(shown, "n_frames", 1), 1)


def _swapped_profile() -> io.BytesIO:
    """The profile of sRGB with the places of red and green exchanged, under another name."""
    data = bytearray(srgb())
    table = {bytes(data[at : at + 4]): at for at in range(132, 132 + 12 * int.from_bytes(data[128:132]), 12)}
    red, green = table[b"rXYZ"], table[b"gXYZ"]
    data[red + 4 : red + 12], data[green + 4 : green + 12] = (
        data[green + 4 : green + 12],
        data[red + 4 : red + 12],
    )
    return io.BytesIO(bytes(data).replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be")))


class LightTests(SynchronousTestCase):
    """OpenEXR, whose numbers are amounts of light."""

    def exr(self, **channels: float) -> bytes:
        import numpy as np  # noqa: PLC0415 - comes with OpenEXR
        import OpenEXR  # noqa: PLC0415 - an extra

        planes = {name: np.full((40, 60), value, "float32") for name, value in channels.items()}
        with tempfile.NamedTemporaryFile(suffix=".exr") as file:
            with OpenEXR.File({"type": OpenEXR.scanlineimage}, planes) as out:
                out.write(file.name)
            return file.read()

    def setUp(self) -> None:
        """Nothing here goes without the decoder."""
        need_decoder(FORMATS["image/x-exr"].decoder)

    def test_curve(self) -> None:
        """Light is shown in the curve of sRGB; more than a screen has is white, less than nothing black."""
        for light, shown in (
            (0.0, 0),
            (0.5, 188),
            (0.002, 7),
            (1.0, 255),
            (50.0, 255),
            (-3.0, 0),
            (float("nan"), 0),
        ):
            pixel = corner(one(self.exr(R=light, G=light, B=light), "image/x-exr", "webp"))
            self.assertTrue(near(pixel, (shown,) * 3, 3), (light, pixel))

    def test_channels(self) -> None:
        """Colours, or brightness, or whatever there is, are shown; opaque or not."""
        for channels, colour in (
            ({"R": 1.0, "G": 0.0, "B": 0.0, "Z": 9.0}, RED),
            ({"Y": 1.0}, (255, 255, 255)),
            ({"Z": 1.0}, (255, 255, 255)),
            ({"R": 0.5, "G": 0.0, "B": 0.0, "A": 0.5}, RED),
            ({"Y": 0.5, "A": 0.5}, (255, 255, 255)),
        ):
            shown = one(self.exr(**channels), "image/x-exr")
            self.assertTrue(near(corner(shown), colour, 12), channels)
            self.assertEqual(shown.mode, "RGBA" if "A" in channels else "RGB")

    def test_cut(self) -> None:
        """A file that breaks off has no preview; its decoder would only leave the channels out."""
        whole = self.exr(R=0.1, G=0.2, B=0.3)
        for kept in range(0, len(whole) - 1, 37):
            self.assertIs(self.assertRaises(NoPreview, one, whole[:kept], "image/x-exr").why, Why.BROKEN)


class NoPreviewTests(SynchronousTestCase):
    """Pictures of which none is made."""

    def assert_fails(self, why: Why, data: bytes, kind: str) -> None:
        self.assertIs(self.assertRaises(NoPreview, one, data, kind).why, why, kind)

    def test_bombs(self) -> None:
        """What says to have more than 100 million pixels is not decoded."""
        for kind, make in BOMBS.items():
            self.assert_fails(Why.TOO_LARGE, make(), kind)
        self.assert_fails(Why.TOO_LARGE, claims_size(sample("image/jpeg"), 65_000, 65_000), "image/jpeg")
        self.assert_fails(Why.TOO_LARGE, png_bomb(10_001, 10_000, 0), "image/png")

    def test_limit(self) -> None:
        """Exactly so many are."""
        check_pixels((10_000, MOST_PIXELS // 10_000))
        for size, why in (((10_000, 10_001), Why.TOO_LARGE), ((0, 5), Why.BROKEN), ((5, 0), Why.BROKEN)):
            self.assertIs(self.assertRaises(NoPreview, check_pixels, size).why, why)

    def test_no_picture(self) -> None:
        """What is no picture is broken as one; and of what no decoder is for, there is none yet."""
        for data, kind in (
            (b"", "image/jpeg"),
            (SVG, "image/png"),
            (sample("image/png"), "image/jpeg"),
            (sample("image/jpeg"), "image/heic"),
            (sample("image/jpeg"), "image/x-exr"),
            (sample("image/jpeg"), "image/webp"),
        ):
            self.assert_fails(Why.BROKEN, data, kind)
        self.assert_fails(Why.UNSUPPORTED, SVG, "image/svg+xml")
        self.assert_fails(Why.UNSUPPORTED, b"hello", "text/plain")

    def test_cut(self) -> None:
        """A picture that breaks off in its pixels has no preview."""
        for kind in FORMATS:
            if kind == "image/x-xbitmap":  # its end can't be told from its last row
                continue
            whole = sample(kind, width=600, height=400)
            self.assert_fails(Why.BROKEN, whole[: len(whole) // 2], kind)

    def test_setting(self) -> None:
        """It would, were Pillow told to show what there is."""
        self.assertFalse(ImageFile.LOAD_TRUNCATED_IMAGES)

    def test_polyglots(self) -> None:
        """Of what is something else as well, nothing but pixels comes out."""
        for data, kind in ((gif_and_html(), "image/gif"), (jpeg_and_zip(), "image/jpeg")):
            for form in ("webp", "jpeg"):
                preview = raw(data, kind, (32, form))[0]
                self.assertNotIn(b"script", preview)
                self.assertNotIn(b"PK", preview)

    def test_broken_exif(self) -> None:
        """Broken EXIF takes nothing from a preview."""
        for name, block in {**broken_blocks(), **looping_blocks()}.items():
            for kind in ("image/jpeg", "image/png", "image/webp"):
                self.assertEqual(one(sample(kind, block=block), kind).size, (30, 20), name)


class WebpHeadTests(SynchronousTestCase):
    """The size of a WebP from its first bytes."""

    def test_sizes(self) -> None:
        """It is what Pillow says after opening it, for each of the three kinds of WebP."""
        for width, height in ((1, 1), (60, 40), (1000, 3)):
            image = drawn(width, height)
            for options in ({}, {"lossless": True}, {"icc_profile": srgb()}):
                data = saved(image, "WEBP", **options)
                self.assertEqual(webphead.size(io.BytesIO(data)), (width, height), options)

    @patient
    @given(st.binary(max_size=40) | st.binary(max_size=30).map(lambda rest: b"RIFF\0\0\0\0WEBPVP8 " + rest))
    def test_any(self, data: bytes) -> None:
        """Other bytes are none, which is no other error."""
        try:
            size = webphead.size(io.BytesIO(data))
        except ValueError:
            return
        self.assertLess(max(size), 1 << 24)
