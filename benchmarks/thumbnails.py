"""
The peers that make pictures small: ``vipsthumbnail`` on all cores, and a plain loop over Pillow.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

_LOOP = Path(__file__).parent / "servers" / "thumbnail_loop.py"

_AT_ONCE = 10
"""Pictures for each ``vipsthumbnail``: so many that starting it costs little, so few that no core idles."""


def vips_command(cores: int, folder: str = "DIR", target: str = "OUT", size: str = "320") -> str:
    """
    The line for a shell.  libvips uses one thread for each picture: with more it took 1.7 times as long on
    two cores (libvips 8.14, 2026-11-21).
    """
    return (
        f"find {folder} -name '*.jpg' -print0 | VIPS_CONCURRENCY=1 "
        f"xargs -0 -n {_AT_ONCE} -P {cores} vipsthumbnail -s {size} -o {target}/%s.jpg"
    )


def vips(folder: Path, target: Path, sizes: Sequence[int], cores: int) -> float:
    """
    Run it for each size.

    :param folder: this and ``target`` are set by the shell as they are, and so may hold anything.
    :return: the seconds that took.
    """
    start = perf_counter()
    for size in sizes:
        line = vips_command(cores, '"$FOLDER"', '"$TARGET"', str(size))
        environment = os.environ | {"FOLDER": str(folder), "TARGET": str(target)}
        subprocess.run(["/bin/sh", "-ec", line], env=environment, check=True)
    return perf_counter() - start


def pillow(folder: Path, target: Path, sizes: Sequence[int]) -> float:
    """
    Run the loop for each size; the time that Python and Pillow take to start does not count.

    :return: the seconds that took.
    """
    command = [sys.executable, str(_LOOP), str(folder), str(target), *map(str, sizes)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
