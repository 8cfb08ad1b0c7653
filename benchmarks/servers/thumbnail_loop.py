"""
The peer that is a loop: ``thumbnail_loop.py DIR OUT SIZE ...`` makes JPEGs of at most SIZE pixels, by Pillow.

It prints the seconds that they took, without those of starting.
"""

from __future__ import annotations

import sys
from pathlib import Path
from time import perf_counter

from PIL import Image


def make(folder: Path, target: Path, size: int) -> None:
    """
    Make every picture of a folder small, one after the other.
    """
    for path in sorted(folder.iterdir()):
        with Image.open(path) as picture:
            picture.thumbnail((size, size))
            picture.save(target / path.name, "JPEG")


if __name__ == "__main__":
    folder, target, *sizes = sys.argv[1:]
    start = perf_counter()
    for size in sizes:
        make(Path(folder), Path(target), int(size))
    print(perf_counter() - start)
