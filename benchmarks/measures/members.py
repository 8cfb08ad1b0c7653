"""
How the first byte's delay grows with the number of members.
"""

from __future__ import annotations

from statistics import median

from benchmarks.bench import Bench
from benchmarks.client import get
from benchmarks.figures import MICROSECONDS, MILLISECONDS, TIMES, at_most
from benchmarks.peers import zipstream_ng
from benchmarks.processes import Server
from benchmarks.report import Row, Table, compared, judged

LINEAR = at_most(1.5, TIMES)
"""What a further member may cost, beside one in the smaller albums, for the delay to count as linear."""


def measure(bench: Bench) -> list[Table]:
    """
    First byte for 10, 100, 1,000 … members, against zipstream-ng.
    """
    counts = [10**power for power in range(1, len(str(bench.scale.most_members)))]
    rows: list[Row] = []
    delays: list[float] = []
    with bench.beside([zipstream_ng()]) as servers:
        for count in counts:
            ours, theirs = _first_bytes(bench, servers, bench.albums.members(count))
            delays.append(median(ours))
            rows.append(compared(f"first byte, {count:,} members", ours, theirs, MILLISECONDS))
    return [Table("First byte by the number of members", [*rows, _growth(counts, delays)], _notes(bench))]


def _notes(bench: Bench) -> str:
    return (
        f"Members of 64 bytes, {bench.runs} runs each, in turns; the peer is zipstream-ng. The last row is "
        "the time for each further member up to the largest album, and its peer that in the smaller albums."
    )


def _first_bytes(bench: Bench, servers: list[Server], album: str) -> list[list[float]]:
    bench.albums.into_cache(album)
    for server in servers:
        get(server.album(album))
    return bench.in_turns(servers, lambda server: get(server.album(album)).first_byte)


def _growth(counts: list[int], delays: list[float]) -> Row:
    last = (delays[-1] - delays[-2]) / (counts[-1] - counts[-2])
    before = (delays[-2] - delays[0]) / (counts[-2] - counts[0])
    row = Row(
        "each further member", MICROSECONDS.text(last), MICROSECONDS.text(before), TIMES.text(last / before)
    )
    return judged(row, last / before, LINEAR)
