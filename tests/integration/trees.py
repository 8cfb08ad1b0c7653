"""
Storage roots for tests: albums of random and of sparse files.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

MIB = 1 << 20


def noise(size: int, seed: object = 0) -> bytes:
    """
    Bytes that look random and are the same each time.
    """
    return Random(f"{seed}").randbytes(size)


def make_album(root: Path, name: str, members: Mapping[Any, bytes | int]) -> Path:
    """
    Make an album, and the root where it is not there yet.

    :param members: by path (text, or bytes), the contents, or the size of a file that is one hole.
    """
    album = root / name
    for path, content in members.items():
        at = Path(os.fsdecode(os.path.join(os.fsencode(album), os.fsencode(path))))
        at.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, int):
            with at.open("wb") as file:
                file.truncate(content)
        else:
            at.write_bytes(content)
    album.mkdir(parents=True, exist_ok=True)
    return album


def copy_in_other_order(album: Path, to: Path) -> None:
    """
    Copy an album so that the disk lists it in another order: the same names, bytes and times.
    """
    to.mkdir(parents=True)
    for entry in sorted(os.scandir(album), key=lambda entry: entry.name, reverse=True):
        target = to / entry.name
        if entry.is_dir():
            copy_in_other_order(Path(entry.path), target)
        else:
            target.write_bytes(Path(entry.path).read_bytes())
        times = entry.stat()
        os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))
