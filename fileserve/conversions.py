"""
What the texts of options mean: directories, files, switches, endpoints, stores, albums, times, sizes.

Each function takes one text and returns its value, or raises ``ValueError`` with a sentence for the operator.
"""

from __future__ import annotations

import re
from math import isfinite

from twisted.internet.endpoints import serverFromString

from fileserve.storage.keys import BadKey, album_name
from fileserve.storage.s3location import S3Location, parse_s3_url

_ON = frozenset({"1", "true", "yes", "on"})
_OFF = frozenset({"0", "false", "no", "off"})
_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
_DAYS = re.compile(r"[0-9]{1,5}", re.ASCII)
_SIZE = re.compile(r"([0-9]+)([KMGT]?)", re.ASCII)
_SHIFTS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_DATABASES = re.compile(r"(sqlite|postgres|postgresql)(\+\w+)?://", re.ASCII)

# What ends a field of an endpoint string: a colon that no backslash protects.
_FIELD_END = re.compile(r"(?<!\\):")
_HIGHEST_PORT = 65535

# Sizes are kept in 64 bits with a sign, by file systems and databases.
_LARGEST = 2**63 - 1


def directory(text: str) -> str:
    """
    Take the name of a directory, whether it exists or not.

    :raise ValueError: where it is empty.
    """
    if not text:
        raise ValueError("a directory must have a name.")
    return text


def file_name(text: str) -> str:
    """
    Take the name of a file, whether it exists or not.

    :raise ValueError: where it is empty, or that of a directory.
    """
    if not text or text.endswith("/"):
        raise ValueError(f"{text!r} is not the name of a file.")
    return text


def storage(text: str) -> str | S3Location:
    """
    Read where the files are: ``file:DIR``, or ``s3://BUCKET/PREFIX?endpoint=URL&region=R``.

    :return: the directory as it is written after ``file:``, nothing in it decoded (but ``file:///a`` is
        ``/a``, as elsewhere); or the part of a bucket.
    :raise ValueError: for anything else.
    """
    scheme, colon, rest = text.partition(":")
    if colon and scheme == "s3":
        return parse_s3_url(text)
    if not colon or scheme != "file":
        raise ValueError(f"{text!r} is neither file:DIR nor s3://BUCKET/PREFIX.")
    if rest.startswith("//") and not rest.startswith("///"):
        raise ValueError(f"{text!r} names another machine; a directory is file:DIR.")
    return directory(rest[2:] if rest.startswith("///") else rest)


def switch(text: str) -> bool:
    """
    Read a switch as people write it in an environment.

    :raise ValueError: for anything but the eight words, in any case.
    """
    word = text.lower()
    if word not in _ON | _OFF:
        raise ValueError(f"{text!r} is neither 1, true, yes or on nor 0, false, no or off.")
    return word in _ON


def endpoint(text: str) -> str:
    """
    Check a Twisted server endpoint string as far as that goes without a reactor and without listening.

    :return: the string itself.
    :raise ValueError: where no listener could be made of it.
    """
    try:
        # An endpoint only keeps the reactor until it listens: none is needed to see whether the string is
        # right.
        serverFromString(None, text)
        _check_port(text)
    except LookupError:
        raise ValueError(f"systemd handed over no socket for {text!r}.") from None
    except Exception as error:  # any plug-in may parse an endpoint, and raise what it likes
        raise ValueError(f"{text!r} is not an endpoint to listen on ({error}).") from error
    return text


def _check_port(text: str) -> None:
    """Refuse the port numbers that Twisted would stumble over only when it listens."""
    prefix, *fields = _FIELD_END.split(text.removeprefix("haproxy:"))
    if prefix not in {"tcp", "tcp6", "ssl"}:
        return
    named = [field.removeprefix("port=") for field in fields if field.startswith("port=")]
    port = int(named[0] if named else fields[0])
    if not 0 <= port <= _HIGHEST_PORT:
        raise ValueError(f"a port is a number from 0 to {_HIGHEST_PORT}")


def database_url(text: str) -> str:
    """
    Take a database URL whose scheme is one of ours; whoever connects looks at the rest.

    :raise ValueError: with a sentence that repeats nothing of the URL, for it may hold a password.
    """
    if not _DATABASES.match(text):
        raise ValueError("a database URL begins with sqlite:/// or postgresql://.")
    return text


def album(text: str) -> str | None:
    """
    Read the name of an album, whether there is one or not.

    :return: ``None`` for an empty text: no album.
    :raise ValueError: for what can't be the name of one.
    """
    try:
        return album_name(text) if text else None
    except BadKey:
        name = repr(text[:40])
        raise ValueError(
            f"{name} is no album: 1 to 128 letters, digits and . _ ~ -, the first no dot."
        ) from None


def days(text: str) -> int:
    """
    Read a number of whole days, more than zero.

    :raise ValueError: for anything else, and for more than 99999, so that Python can count back to that date.
    """
    if not _DAYS.fullmatch(text) or int(text) == 0:
        raise ValueError(f"{text[:40]!r} is not a number of days from 1 to 99999.")
    return int(text)


def seconds(text: str) -> float:
    """
    Read a number of seconds, zero included.

    :raise ValueError: for what is not a finite number in decimal digits.
    """
    if not _SECONDS.fullmatch(text) or not isfinite(float(text)):
        raise ValueError(f"{text!r} is not a number of seconds.")
    return float(text)


def positive_seconds(text: str) -> float:
    """
    Read a number of seconds that must be more than zero.

    :raise ValueError: for zero and for all that ``seconds`` refuses.
    """
    number = seconds(text)
    if number == 0:
        raise ValueError("the number of seconds must be more than zero.")
    return number


def size(text: str) -> int:
    """
    Read a number of bytes: digits, and ``K``, ``M``, ``G`` or ``T`` for powers of 1024.

    :raise ValueError: for anything else, and for more than any disk holds.
    """
    found = _SIZE.fullmatch(text)
    # A longer number is too large, and Python would not even read the longest.
    if found is None or len(text) > 20:
        raise ValueError(f"{text[:40]!r} is not a size such as 500M or 5G.")
    number = int(found[1]) << _SHIFTS[found[2]]
    if number > _LARGEST:
        raise ValueError(f"{text!r} is more than there can be.")
    return number


def positive_size(text: str) -> int:
    """
    Read a number of bytes that must be more than zero.

    :raise ValueError: for zero and for all that ``size`` refuses.
    """
    number = size(text)
    if number == 0:
        raise ValueError("the size must be more than zero.")
    return number
