"""
Opens pictures with their decoders, which parse what strangers sent in C: for child processes alone.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import BinaryIO, Protocol

from PIL import Image

from .camera import Camera
from .facts import NoPreview, Why
from .formats import MOST_PIXELS, Decoder, Format, format_of

# Pillow's own limit would keep the size of a large picture from being told; whoever decodes asks for ours.
Image.MAX_IMAGE_PIXELS = None


class Picture(Protocol):
    """
    An open picture.
    """

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels as they are stored; nothing was decoded for it."""

    @property
    def to_turn(self) -> int:
        """How the pixels still must be turned to be upright: an orientation of EXIF."""

    def camera(self) -> Camera:
        """What a camera wrote."""

    def pixels(self, least: tuple[int, int]) -> Image.Image:
        """
        Decode it, in any mode of Pillow, with its colour profile in ``info``.

        :param least: the decoder may leave pixels out as long as these are left.
        :raises NoPreview: where it has more than `MOST_PIXELS`. Whatever else comes is an error of the file.
        """


@contextmanager
def opened(file: BinaryIO, media_type: str) -> Iterator[Picture]:
    """
    Open a picture with the one decoder that is for its proved type.

    :param file: stays open, and its position is anywhere afterwards.
    :raises NoPreview: for whatever goes wrong, with the picture or without; `OSError` from within is the
        picture's.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the hundred things that Pillow finds odd, none is told anybody
        try:
            yield _opened(file, media_type)
        except NoPreview:
            raise
        except MemoryError:
            raise NoPreview(Why.TOO_LARGE) from None
        except Exception as error:  # decoders raise what they like
            raise NoPreview(Why.BROKEN) from error


def check_pixels(size: tuple[int, int]) -> None:
    """
    Let nobody decode too many pixels.

    :raises NoPreview: there are too many, or none.
    """
    if min(size) < 1:
        raise NoPreview(Why.BROKEN)
    if size[0] * size[1] > MOST_PIXELS:
        raise NoPreview(Why.TOO_LARGE)


def _opened(file: BinaryIO, media_type: str) -> Picture:
    form = format_of(media_type)
    if form is None:
        raise NoPreview(Why.UNSUPPORTED)
    module, name = _OPENERS[form.decoder]
    try:
        opener: Callable[[BinaryIO, Format], Picture] = getattr(
            importlib.import_module(module, __package__), name
        )
    except ImportError:
        raise NoPreview(Why.UNSUPPORTED) from None
    return opener(file, form)


# Imported when the first such picture comes: OpenEXR brings numpy, and they take longer than all the rest.
_OPENERS: Mapping[Decoder, tuple[str, str]] = {
    Decoder.PILLOW: (".pillowpicture", "PillowPicture"),
    Decoder.HEIF: (".heifpicture", "HeifPicture"),
    Decoder.EXR: (".exrpicture", "ExrPicture"),
}
