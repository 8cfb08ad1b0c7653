"""
What may enter the gallery, and under which name: pure rules, whose refusals say what to do.
"""

from __future__ import annotations

from collections.abc import Container
from datetime import UTC, datetime
from itertools import count

from fileserve.http.kinds import media_type
from fileserve.http.refusal import Refusal
from fileserve.pictures.facts import PictureFacts
from fileserve.pictures.formats import FORMATS, Decoder, Format
from fileserve.storage.names import fitted, numbered, safe_name, split_extension

#: Characters of a name that somebody typed.
LONGEST_NAME = 50

# Bytes of UTF-8, as `safe_name` keeps them.
_LONGEST_STORED = 200

_DAY = 24 * 60 * 60

# A camera that notes no offset may stand anywhere: no zone is further from UTC than 14 hours.
_FURTHEST_ZONE = 14 * 60 * 60

# So much may a camera's clock be ahead.
_AHEAD = 2 * _DAY

# Formats out of which a location can be taken, unless a file is of an odd kind.
_LOOKED_THROUGH = frozenset({"image/jpeg", "image/png", "image/webp", "image/tiff"})

_EXTENSIONS = frozenset().union(*(each.extensions for each in FORMATS.values()))


def given_name(text: str) -> str:
    """
    Take what somebody typed as a name; empty where that is nothing.

    :raise Refusal: 400, it is too long.
    """
    name = text.strip()
    if len(name) > LONGEST_NAME:
        raise name_too_long()
    return name


def name_too_long() -> Refusal:
    """
    What is told of a name of more than 50 characters.
    """
    return Refusal(400, f"The name has more than {LONGEST_NAME} characters. Choose a shorter one.")


def format_by(head: bytes) -> Format:
    """
    Tell the format of a picture by its first bytes.

    :param head: `fileserve.http.kinds.HEAD` of them, or all there are.
    :raise Refusal: 415, it is none.
    """
    found = FORMATS.get(media_type(head, ""))
    if found is None:
        raise Refusal(
            415,
            "This file is not a picture. Choose a JPEG, PNG, GIF, WebP, TIFF, BMP, PPM, XBM, SGI, Sun raster,"
            " AVIF, HEIC or OpenEXR picture.",
        )
    return found


def require_whole(kind: Format, picture: PictureFacts) -> None:
    """
    See that a picture could be opened, if there is a decoder for it in every installation.

    :raise Refusal: 415, it is damaged.
    """
    if picture.width is None and kind.decoder is Decoder.PILLOW:
        raise Refusal(415, "This picture is damaged: it can't be opened. Choose a copy that can be.")


def require_recent(picture: PictureFacts, max_age: int | None, now: float) -> None:
    """
    See that a picture is not too old.

    :param picture: see `require_whole`.
    :param max_age: days; ``None`` for any age, without a date too.
    :param now: seconds since 1970 UTC.
    :raise Refusal: 422, it is, or it does not say, or says what can't be.
    """
    if max_age is None:
        return
    period = "day" if max_age == 1 else f"{max_age} days"
    wanted = f"Choose one that was taken within the last {period}, as the camera made it."
    if picture.width is None:  # nothing here decodes it
        raise Refusal(
            422, "This server can't read the date of such a file. Save it as a JPEG, and choose that."
        )
    moments = _moments(picture.taken)
    if moments is None:
        raise Refusal(422, f"This picture does not say when it was taken. {wanted}")
    earliest, latest = moments
    date = (picture.taken or "")[:10]
    if latest < now - max_age * _DAY:
        raise Refusal(422, f"This picture is too old: it was taken on {date}. {wanted}")
    if earliest > now + _AHEAD:
        detail = f"The date of this picture, {date}, is in the future: set the camera's clock. {wanted}"
        raise Refusal(422, detail)


def _moments(taken: str | None) -> tuple[float, float] | None:
    """
    The earliest and the latest moment that a date may mean, in seconds since 1970 UTC.
    """
    try:
        date = datetime.fromisoformat(taken or "")
    except ValueError:
        return None
    if date.tzinfo is None:
        moment = date.replace(tzinfo=UTC).timestamp()
        return moment - _FURTHEST_ZONE, moment + _FURTHEST_ZONE
    return date.timestamp(), date.timestamp()


def require_no_location(kind: Format, picture: PictureFacts, why: str) -> None:
    """
    See that a picture out of which a location can't be taken has none.

    :param why: it can't; a sentence.
    :raise Refusal: 422, it has one, or may have.
    """
    # What a decoder saw of these is less than was looked through in vain.
    if picture.located is not False or kind.media_type in _LOOKED_THROUGH:
        detail = (
            f"This picture may say where it was taken. {why} Save it as a new JPEG or PNG, and choose that."
        )
        raise Refusal(422, detail)


def stored_name(given: str, own: str, kind: Format) -> str:
    """
    The name under which a picture is kept, if nothing has it yet.

    :param given: see `given_name`.
    :param own: of the file that was picked; used where no name was given.
    """
    name = safe_name(given or own)
    stem, dotted = split_extension(name)
    extension = dotted[1:].lower()
    if extension in kind.extensions:
        return name
    return fitted(stem if extension in _EXTENSIONS else name, "." + kind.extension, _LONGEST_STORED)


def next_number(name: str, number: int, taken: Container[bytes]) -> int:
    """
    The next number by which a name can be told from those that are taken: see `numbered_name`.
    """
    return next(each for each in count(number + 1) if numbered_name(name, each).encode() not in taken)


def numbered_name(name: str, number: int) -> str:
    """
    The first of a name has no number, the second is ``name (2).jpg``.
    """
    return name if number == 1 else numbered(name, number)
