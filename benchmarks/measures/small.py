"""
Previews: 10,000 members of 10 KiB, all in the page cache, against every peer.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import Bench, Cost, Race, each, race
from benchmarks.figures import GB_PER_SECOND, MILLISECONDS, SECONDS, TIMES, Target, at_least, at_most
from benchmarks.peers import ZIPSTREAM_NG, all_peers
from benchmarks.report import Row, Table, alone, compared

THROUGHPUT: dict[str, Target] = {ZIPSTREAM_NG: at_least(4, TIMES)}
FIRST_BYTE = at_most(40, MILLISECONDS)


def measure(bench: Bench) -> list[Table]:
    """
    Throughput, first byte and processor seconds per GB.
    """
    album = bench.albums.small()
    races = [race(bench, album, peer) for peer in all_peers()]
    first = [cost.first_byte() for pair in races for cost in pair.ours]
    rows = [
        alone("first byte", first, MILLISECONDS, FIRST_BYTE),
        *(row for pair in races for row in _rows(pair)),
    ]
    count, size = bench.scale.small_members, bench.scale.small_size >> 10
    return [Table(f"{count:,} members of {size} KiB, warm", rows, f"{bench.runs} runs each, in turns.")]


def _rows(pair: Race) -> Iterator[Row]:
    for title, figure, unit, target in (
        ("throughput", Cost.throughput, GB_PER_SECOND, THROUGHPUT.get(pair.peer)),
        ("first byte", Cost.first_byte, MILLISECONDS, None),
        ("CPU per GB", Cost.cpu_per_gigabyte, SECONDS, None),
    ):
        yield compared(
            f"{title}, {pair.peer}", each(pair.ours, figure), each(pair.theirs, figure), unit, target
        )
