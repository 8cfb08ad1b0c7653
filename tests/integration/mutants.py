"""
Pictures of every format, damaged in ways that a seed decides: cut, flipped, spliced, with giant numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

from fileserve.pictures.formats import FORMATS
from tests.picturesamples import CAMERA, sample

_WRITTEN: Mapping[str, Any] = {"exif": CAMERA, "gps": True, "orientation": 6}

# Most mutants keep the bytes that tell the format, else they would be no pictures.
_SIGNATURE = 12

_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def samples() -> Mapping[str, bytes]:
    """
    One small, healthy picture of every format that the gallery takes, by its extension.
    """
    return {
        each.extension: sample(each.media_type, **(_WRITTEN if each.exif else {}))
        for each in FORMATS.values()
    }  # fmt: skip


def mutants(number: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """
    Damage pictures of all formats in turn.

    :return: so many times the extension of what it was, and the bytes.
    """
    chance = Random(seed)
    healthy = samples()
    for turn in range(number):
        extension = list(healthy)[turn % len(healthy)]
        data = healthy[extension]
        for _ in range(chance.choice((1, 1, 2, 4))):
            data = chance.choice(_WAYS)(chance, data)
        yield extension, data


def _at(chance: Random, data: bytes) -> int:
    """Mostly behind the signature, and rather near the beginning, where structure is."""
    first = min(_SIGNATURE, len(data)) if chance.random() < 0.95 else 0
    reach = chance.choice((64, 300, len(data)))
    return min(len(data), chance.randint(first, max(first, min(len(data), reach))))


def _cut(chance: Random, data: bytes) -> bytes:
    return data[: _at(chance, data)]


def _flipped(chance: Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 2, 8, 32))):
        at = _at(chance, data)
        if at < len(changed):
            changed[at] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _giant_number(chance: Random, data: bytes) -> bytes:
    at, size = _at(chance, data), chance.choice((1, 2, 4))
    value = chance.choice(_EXTREMES) & ((1 << 8 * size) - 1)
    written = value.to_bytes(size, chance.choice(("little", "big")))
    return (data[:at] + written + data[at + size :])[: max(len(data), at)]


def _without_a_piece(chance: Random, data: bytes) -> bytes:
    at = _at(chance, data)
    return data[:at] + data[at + chance.choice((1, 2, 7, 64)) :]


def _with_a_piece(chance: Random, data: bytes) -> bytes:
    at = _at(chance, data)
    return data[:at] + chance.randbytes(chance.choice((1, 2, 7, 64))) + data[at:]


def _piece_again(chance: Random, data: bytes) -> bytes:
    at, other = _at(chance, data), _at(chance, data)
    return data[:at] + data[other : other + chance.choice((4, 32, 512))] + data[at:]


_WAYS: tuple[Callable[[Random, bytes], bytes], ...] = (
    _cut,
    _flipped,
    _flipped,
    _giant_number,
    _giant_number,
    _without_a_piece,
    _with_a_piece,
    _piece_again,
)
