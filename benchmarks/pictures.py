"""
Pictures to measure with: a few that are drawn, with what a camera writes into them, and many copies of each.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from attrs import frozen
from PIL import ExifTags, Image

PHOTO = (4000, 3000)
"""12 megapixels."""

SMALL = (1200, 800)
TINY = (160, 120)

_DATE = b"2020:02:20 20:20:20"
_WRITTEN = "%Y:%m:%d %H:%M:%S"
_QUALITY = 90

_OCTAVES = 6
_FINEST = 13
"""Each octave of detail is twice as strong as the finer one, about as it is in photographs; so strong that
12 megapixels take some 4 MB, as from cameras."""


@frozen
class Camera:
    """
    What one camera writes.
    """

    maker: str
    model: str
    orientation: int
    offset: str | None = None
    located: bool = False


CAMERAS = (
    Camera("Canon", "Canon EOS 5D Mark IV", 1, "+01:00"),
    Camera("NIKON CORPORATION", "NIKON D750", 8),
    Camera("Apple", "iPhone 12", 6, "-07:00", located=True),
    Camera("SONY", "ILCE-7M3", 1, located=True),
)


def draw(size: tuple[int, int]) -> Image.Image:
    """
    Draw a picture with fine and coarse detail, so that it compresses about as a photograph does.
    """
    width, height = size
    light = Image.new("L", size, 128)
    for octave in reversed(range(_OCTAVES)):
        part = Image.effect_noise((max(width >> octave, 1), max(height >> octave, 1)), _FINEST << octave)
        light = Image.blend(light, part.resize(size, Image.Resampling.BICUBIC), 1 / 3)
    colours = [
        Image.effect_noise((max(width >> 6, 1), max(height >> 6, 1)), 40).resize(size) for _ in range(2)
    ]
    return Image.merge("YCbCr", [light, *colours])


def taken_with(camera: Camera, picture: Image.Image) -> bytes:
    """
    The picture as a JPEG of that camera, with a date that `dated` changes.
    """
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = camera.maker
    exif[ExifTags.Base.Model] = camera.model
    exif[ExifTags.Base.Orientation] = camera.orientation
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = _DATE.decode()
    details[ExifTags.Base.FNumber] = 2.8
    if camera.offset is not None:
        details[ExifTags.Base.OffsetTimeOriginal] = camera.offset
    if camera.located:
        place = exif.get_ifd(ExifTags.IFD.GPSInfo)
        place[ExifTags.GPS.GPSLatitudeRef], place[ExifTags.GPS.GPSLatitude] = "N", (48.0, 51.0, 29.0)
        place[ExifTags.GPS.GPSLongitudeRef], place[ExifTags.GPS.GPSLongitude] = "E", (2.0, 17.0, 40.0)
    target = io.BytesIO()
    picture.save(target, "JPEG", quality=_QUALITY, exif=exif)
    return target.getvalue()


def dated(picture: bytes, moment: int) -> bytes:
    """
    The same picture, taken at another moment (seconds since 1970), so that its bytes are others.
    """
    return picture.replace(_DATE, datetime.fromtimestamp(moment, UTC).strftime(_WRITTEN).encode(), 1)


def fill(folder: Path, members: int, size: tuple[int, int], moment: int) -> None:
    """
    Make so many pictures in one folder, no two of them with the same bytes.

    :param moment: when the first was taken and is said to have changed, in seconds since 1970; each further
        one is a second younger.
    """
    sources = [taken_with(camera, draw(size)) for camera in CAMERAS]
    for number, picture in zip(range(members), _in_turn(sources), strict=False):
        path = folder / f"IMG_{number:06}.jpg"
        path.write_bytes(dated(picture, moment + number))
        os.utime(path, (moment + number, moment + number))


def _in_turn(sources: Sequence[bytes]) -> Iterator[bytes]:
    return (sources[number % len(sources)] for number in count())
