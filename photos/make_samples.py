"""
Draws the two sample albums beside it: JPEGs with camera data, the same ones every time.

Run it with ``python photos/make_samples.py`` where Pillow is installed (the extra ``samples``).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import frozen
from PIL import Image, ImageDraw, ImageFilter, ImageFont

WIDTH, HEIGHT = 1280, 853
MAKE = "Example Optics"

# Tags of Exif 2.32, and the directory that holds the last two.
TAG_MAKE, TAG_MODEL, TAG_ORIENTATION = 0x010F, 0x0110, 0x0112
EXIF_DIRECTORY, TAG_TAKEN, TAG_OFFSET = 0x8769, 0x9003, 0x9011
UPRIGHT, TURNED_LEFT = 1, 6

Colour = tuple[int, int, int]
Outline = list[tuple[float, float]]


@frozen
class Photo:
    """
    One picture: where it goes, how it is drawn, and what its camera says.

    :ivar taken: local time in the form of Exif.
    :ivar orientation: ``TURNED_LEFT`` stores it lying, as a camera does that was held upright.
    """

    name: str
    draw: Callable[[], Image.Image]
    model: str
    taken: str
    orientation: int = UPRIGHT


def blend(first: Colour, second: Colour, share: float) -> Colour:
    """A colour between two: the first at 0, the second at 1."""
    mixed = [round(a + (b - a) * share) for a, b in zip(first, second, strict=True)]
    return (mixed[0], mixed[1], mixed[2])


def gradient(size: tuple[int, int], *colours: Colour) -> Image.Image:
    """A picture that runs from the first colour at the top to the last at the bottom."""
    width, height = size
    strip = Image.new("RGB", (1, height))
    for y in range(height):
        place = y / (height - 1) * (len(colours) - 1)
        index = min(int(place), len(colours) - 2)
        strip.putpixel((0, y), blend(colours[index], colours[index + 1], place - index))
    return strip.resize((width, height))


def glow(picture: Image.Image, centre: tuple[int, int], radius: int, colour: Colour) -> Image.Image:
    """Put a disc with a soft halo onto a picture: a sun, a moon, a lamp."""
    x, y = centre
    mask = Image.new("L", picture.size)
    pen = ImageDraw.Draw(mask)
    pen.ellipse((x - 3 * radius, y - 3 * radius, x + 3 * radius, y + 3 * radius), fill=90)
    mask = mask.filter(ImageFilter.GaussianBlur(radius))
    ImageDraw.Draw(mask).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    mask = mask.filter(ImageFilter.GaussianBlur(1))
    return Image.composite(Image.new("RGB", picture.size, colour), picture, mask)


def ridge(size: tuple[int, int], base: float, rough: float, chance: random.Random) -> Outline:
    """The outline of a range of hills: waves, the shorter the flatter, around `base` of the height."""
    width, height = size
    waves = [(rough / n, n * chance.uniform(0.7, 1.3), chance.uniform(0, 6.3)) for n in (1, 2, 4, 8, 16)]
    line = []
    for x in range(0, width + 8, 8):
        rise = sum(tall * math.sin(often * x / width * 6.3 + shift) for tall, often, shift in waves)
        line.append((float(x), height * (base - rise)))
    return [(0, height), *line, (width + 8, height)]


def hills(
    picture: Image.Image, colours: Sequence[Colour], top: float, rough: float, seed: int
) -> Image.Image:
    """Put ranges of hills before each other, from the farthest to the nearest."""
    chance = random.Random(seed)
    pen = ImageDraw.Draw(picture)
    for index, colour in enumerate(colours):
        base = top + (0.98 - top) * index / len(colours)
        pen.polygon(ridge(picture.size, base, rough, chance), fill=colour)
    return picture


def mirrored(picture: Image.Image, horizon: int, tint: Colour) -> Image.Image:
    """Turn what lies below the horizon into water that shows what stands above."""
    depth = picture.height - horizon
    above = picture.crop((0, horizon - depth, picture.width, horizon))
    above = above.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    water = Image.blend(above.filter(ImageFilter.GaussianBlur(3)), Image.new("RGB", above.size, tint), 0.35)
    rows = water.copy()
    for y in range(depth):
        sway = round(math.sin(y * y / 900 + y / 5) * (1 + y / 60))
        rows.paste(water.crop((0, y, water.width, y + 1)), (sway, y))
    picture.paste(rows, (0, horizon))
    return picture


def morning() -> Image.Image:
    """Hills in the mist at sunrise."""
    size = (WIDTH, HEIGHT)
    sky = gradient(size, (84, 120, 176), (246, 196, 160), (255, 232, 190))
    sky = glow(sky, (900, 330), 46, (255, 246, 214))
    ranges = [(206, 178, 178), (158, 140, 158), (110, 104, 132), (66, 70, 100), (32, 40, 64)]
    return hills(sky, ranges, 0.5, 0.045, 7)


def lake() -> Image.Image:
    """Mountains that stand on their heads in a lake."""
    size = (WIDTH, HEIGHT)
    sky = gradient(size, (52, 108, 168), (152, 196, 222), (232, 238, 232))
    picture = hills(sky, [(146, 170, 190), (92, 124, 146), (48, 88, 92)], 0.36, 0.06, 23)
    return mirrored(picture, 520, (40, 84, 112))


def dunes() -> Image.Image:
    """Dunes in the late afternoon."""
    size = (WIDTH, HEIGHT)
    sky = gradient(size, (38, 88, 140), (120, 170, 196), (250, 214, 160), (250, 190, 120))
    sky = glow(sky, (300, 300), 38, (255, 236, 180))
    ranges = [(232, 170, 104), (212, 142, 78), (184, 112, 58), (142, 80, 44), (96, 52, 34)]
    return hills(sky, ranges, 0.5, 0.03, 41)


def pines() -> Image.Image:
    """A wood of pines, taller than wide."""
    chance = random.Random(5)
    picture = gradient((HEIGHT, WIDTH), (196, 214, 210), (150, 184, 176), (84, 128, 120))
    pen = ImageDraw.Draw(picture)
    for layer in range(6):
        ground = 640 + 128 * layer
        shade = blend((142, 176, 166), (14, 40, 36), layer / 5)
        for _ in range(16 - layer):
            tall, x = chance.randint(240, 420) + 40 * layer, chance.randint(-40, HEIGHT + 40)
            pine(pen, x, ground, tall, shade)
        pen.rectangle((0, ground, HEIGHT, WIDTH), fill=shade)
    return picture


def pine(pen: ImageDraw.ImageDraw, x: int, foot: int, tall: int, shade: Colour) -> None:
    """One tree: storeys of branches that grow wider downwards."""
    for storey in range(7):
        top = foot - tall + storey * tall * 0.12
        half = tall * (0.05 + 0.028 * storey)
        pen.polygon([(x, top), (x - half, top + tall * 0.24), (x + half, top + tall * 0.24)], fill=shade)


def city() -> Image.Image:
    """A town by the water at night."""
    chance = random.Random(11)
    picture = gradient((WIDTH, HEIGHT), (8, 12, 40), (36, 30, 84), (120, 66, 110), (236, 140, 104))
    pen = ImageDraw.Draw(picture)
    for _ in range(140):
        x, y = chance.randrange(WIDTH), int(chance.random() ** 2 * 330)
        pen.ellipse((x, y, x + chance.randint(1, 2), y + 2), fill=(230, 230, 250))
    picture = glow(picture, (1010, 150), 40, (250, 244, 220))
    pen = ImageDraw.Draw(picture)
    for depth, shade in enumerate([(70, 48, 96), (36, 28, 66), (14, 14, 38)]):
        x = -20
        while x < WIDTH:
            wide, tall = chance.randint(46, 110), chance.randint(90, 300) - 50 * depth
            pen.rectangle((x, 560 - tall, x + wide, 560), fill=shade)
            windows(pen, (x, 560 - tall, wide, tall), chance, depth)
            x += wide + chance.randint(-6, 18)
    return mirrored(picture, 560, (16, 16, 52))


def windows(
    pen: ImageDraw.ImageDraw, house: tuple[int, int, int, int], chance: random.Random, depth: int
) -> None:
    """Light some windows of a house."""
    left, top, wide, tall = house
    for x in range(left + 8, left + wide - 10, 14):
        for y in range(top + 10, top + tall - 14, 18):
            if chance.random() < 0.12 + 0.12 * depth:
                pen.rectangle((x, y, x + 5, y + 8), fill=chance.choice([(255, 214, 130), (255, 238, 190)]))


def lighthouse() -> Image.Image:
    """A lighthouse above the sea."""
    picture = gradient((WIDTH, HEIGHT), (60, 132, 190), (176, 214, 226), (248, 226, 204))
    pen = ImageDraw.Draw(picture)
    for x, y, wide in ((220, 150, 260), (520, 230, 180), (1010, 110, 220)):
        cloud(picture, x, y, wide)
    pen.rectangle((0, 590, WIDTH, HEIGHT), fill=(34, 104, 138))
    for y in range(596, HEIGHT, 9):
        shade = blend((110, 172, 190), (20, 78, 112), (y - 590) / (HEIGHT - 590))
        points = [(x, y + math.sin(x / 38 + y) * (1 + (y - 590) / 60)) for x in range(0, WIDTH + 16, 16)]
        pen.line(points, fill=shade, width=2)
    rock = [(640, 690), (760, 560), (1010, 540), (1280, 600), (1280, 853), (560, 853)]
    pen.polygon(rock, fill=(62, 66, 60))
    pen.polygon([(760, 560), (1010, 540), (1280, 600), (1280, 640), (900, 590)], fill=(96, 128, 76))
    tower(pen)
    return picture


def cloud(picture: Image.Image, x: int, y: int, wide: int) -> None:
    """Put a flat cloud into the sky."""
    mask = Image.new("L", picture.size)
    pen = ImageDraw.Draw(mask)
    for share, lift in ((0.0, 0.0), (0.3, 0.12), (0.6, 0.06), (0.85, -0.02)):
        left, top = x + wide * share * 0.7, y - wide * lift
        pen.ellipse((left, top, left + wide * 0.5, top + wide * 0.2), fill=220)
    picture.paste((255, 255, 255), mask=mask.filter(ImageFilter.GaussianBlur(9)))


def tower(pen: ImageDraw.ImageDraw) -> None:
    """The tower with its three red bands and its lantern."""
    for band in range(6):
        top, low = 200 + band * 60, 260 + band * 60
        shade = (204, 62, 52) if band % 2 == 0 else (244, 240, 232)
        half, wider = 38 + 6 * band, 44 + 6 * band
        wall = [(900 - half, top), (900 + half, top), (900 + wider, low), (900 - wider, low)]
        pen.polygon(wall, fill=shade)
    pen.rectangle((850, 190, 950, 200), fill=(40, 44, 52))
    pen.rectangle((872, 140, 928, 190), fill=(255, 232, 150))
    pen.polygon([(862, 140), (938, 140), (900, 100)], fill=(40, 44, 52))


def poster() -> Image.Image:
    """Circles and the name of the program, to see at once that the preview is the right way up."""
    picture = gradient((WIDTH, HEIGHT), (250, 240, 222), (240, 222, 196))
    layer = ImageDraw.Draw(picture, "RGBA")
    discs = ((300, 330, 210, (226, 88, 62)), (520, 420, 250, (32, 128, 142)), (400, 560, 160, (240, 176, 64)))
    for x, y, radius, shade in discs:
        layer.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(*shade, 190))
    layer.text((810, 350), "file", font=ImageFont.load_default(176), fill=(40, 48, 64))
    layer.text((810, 510), "serve", font=ImageFont.load_default(176), fill=(40, 48, 64))
    return picture


ALBUMS = {
    "3bea29ccabbbf64bdebcc055319c5745": (
        Photo("1.jpg", morning, "Sketch 12", "2026:04:18 06:12:40"),
        Photo("2.jpg", lake, "Sketch 12", "2026:04:18 11:47:05"),
        Photo("3.jpg", pines, "Sketch 12", "2026:04:18 15:20:31", TURNED_LEFT),
        Photo("4.jpg", dunes, "Sketch 12", "2026:04:19 18:55:12"),
    ),
    "af1ad8c76fda2e48ea9aed2937e972ea": (
        Photo("city.jpg", city, "Pocket 3", "2026:08:02 22:41:09"),
        Photo("lighthouse.jpg", lighthouse, "Pocket 3", "2026:08:03 10:05:54"),
        Photo("poster.jpg", poster, "Pocket 3", "2026:08:05 16:30:00"),
    ),
}


def save(photo: Photo, folder: Path) -> None:
    """Draw a photo and write it as a camera would."""
    picture = photo.draw()
    if photo.orientation == TURNED_LEFT:
        picture = picture.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[TAG_MAKE], exif[TAG_MODEL], exif[TAG_ORIENTATION] = MAKE, photo.model, photo.orientation
    exif.get_ifd(EXIF_DIRECTORY).update({TAG_TAKEN: photo.taken, TAG_OFFSET: "+02:00"})
    picture.save(folder / photo.name, quality=84, exif=exif, optimize=True)


def main() -> None:
    """Make both albums beside this script."""
    for album, photos in ALBUMS.items():
        folder = Path(__file__).parent / album
        folder.mkdir(exist_ok=True)
        for photo in photos:
            save(photo, folder)


if __name__ == "__main__":
    main()
