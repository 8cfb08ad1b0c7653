"""
Pictures that were put into an album by other means: the first look at it, and when all of them are known.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from time import perf_counter

from attrs import frozen

from benchmarks import galleries
from benchmarks.bench import Bench
from benchmarks.client import get
from benchmarks.figures import MILLISECONDS, SECONDS, TIMES, at_most
from benchmarks.report import NOTHING, Row, Table, alone, compared

FIRST_LOOK = at_most(500, MILLISECONDS)
AS_EXIFTOOL = at_most(1.0, TIMES)

_PATIENCE = 120.0
"""Seconds after which it is given up."""


@frozen
class Look:
    """
    How long the page took, and how long after it was asked for all was known; in seconds.
    """

    page: float
    known: float


def measure(bench: Bench) -> list[Table]:
    """
    A server that knows nothing of the album, and exiftool, in turns.
    """
    album, count = bench.albums.dropped(), bench.scale.dropped_pictures
    bench.albums.into_cache(album)
    exiftool = shutil.which("exiftool")
    looks: list[Look] = []
    theirs: list[float] = []
    for _ in range(bench.runs):
        looks.append(_look(bench, album))
        if exiftool:
            theirs.append(_exiftool(exiftool, bench.albums.storage / album))
    rows = [
        alone("page at the first look", [look.page for look in looks], MILLISECONDS, FIRST_LOOK),
        _facts([look.known for look in looks], theirs),
    ]
    notes = (
        f"{bench.runs} starts of the server with an empty state directory; the page cache is warm. The peer "
        "is ``exiftool -fast2 -q -json DIR``. All is known when the API tells the width of every picture."
    )
    return [Table(f"{count:,} pictures dropped into an album", rows, notes)]


def _facts(ours: list[float], theirs: list[float]) -> Row:
    if not theirs:
        return Row("facts of all: skipped, exiftool is not installed", NOTHING)
    return compared("facts of all, exiftool", ours, theirs, SECONDS, AS_EXIFTOOL)


def _look(bench: Bench, album: str) -> Look:
    with bench.fileserve() as server:
        galleries.warm_up(bench, server)
        start = perf_counter()
        page = get(galleries.page_of(server, album)).total
        galleries.wait_until_known(server, album, bench.scale.dropped_pictures, _PATIENCE)
        return Look(page, perf_counter() - start)


def _exiftool(program: str, folder: Path) -> float:
    start = perf_counter()
    subprocess.run([program, "-fast2", "-q", "-json", folder], check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - start
