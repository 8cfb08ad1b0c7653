"""
An album that fileserve has never seen, in the page cache: its CRCs are not in the catalogue yet.
"""

from __future__ import annotations

from attrs import frozen

from benchmarks.bench import Bench
from benchmarks.client import Download, get
from benchmarks.figures import MILLISECONDS, TIMES, at_most
from benchmarks.report import Row, Table, alone, compared

FIRST_BYTE = at_most(150, MILLISECONDS)
TOTAL = at_most(1.5, TIMES)


@frozen
class Pair:
    """
    What one process took for an album when it did not know it, and when it did.
    """

    cold: Download
    warm: Download


def measure(bench: Bench) -> list[Table]:
    """
    First byte and total time of the first download with an empty state directory, and of the third.
    """
    rows: list[Row] = []
    for kind, album in (("large", bench.albums.large()), ("small", bench.albums.small())):
        bench.albums.into_cache(album)
        pairs = [_pair(bench, album) for _ in range(bench.runs)]
        first = [pair.cold.first_byte for pair in pairs]
        totals = ([pair.cold.total for pair in pairs], [pair.warm.total for pair in pairs])
        rows.append(alone(f"first byte, {kind}", first, MILLISECONDS, FIRST_BYTE))
        rows.append(compared(f"total, {kind}", *totals, MILLISECONDS, TOTAL))
    notes = f"{bench.runs} starts each. The peer is fileserve itself, when it knows the album."
    return [Table("Cold catalogue, page cache warm", rows, notes)]


def _pair(bench: Bench, album: str) -> Pair:
    with bench.fileserve() as server:
        # What is measured must not be the first request of all.
        get(server.album(bench.albums.members(10)))
        cold = get(server.album(album))
        get(server.album(album))
        return Pair(cold, get(server.album(album)))
