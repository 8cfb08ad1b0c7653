"""
A hundred clients at once: whether each gets its share, and whether together they get what one would.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks.bench import Bench
from benchmarks.client import get
from benchmarks.crowd import read_at_a_rate, read_at_full_speed
from benchmarks.figures import GB_PER_SECOND, TIMES, at_least
from benchmarks.report import Table, alone, compared

TOTAL = at_least(0.9, TIMES)
LEAST_SHARE = at_least(0.5, TIMES)
"""The least that a client got, to what the middle one got."""
AS_ASKED = at_least(0.9, TIMES)
"""The least that a client with a fixed rate got, to what it would have read."""

RATE = 1 << 20
"""Of a client with a fixed rate, in bytes per second."""


def measure(bench: Bench) -> list[Table]:
    """
    Clients that read as fast as they can, one and many in turns; then many with a fixed rate.
    """
    album, clients, seconds = bench.albums.large(), bench.scale.slow_clients, bench.scale.seconds / 2
    bench.albums.into_cache(album)
    with bench.fileserve() as server:
        address = server.album(album)
        get(address)
        many: list[list[int]] = []
        one: list[float] = []
        for _ in range(bench.runs):
            one.append(sum(read_at_full_speed(address, 1, seconds)) / seconds)
            many.append(read_at_full_speed(address, clients, seconds))
        paced = read_at_a_rate(address, clients, seconds, RATE)
    rows = [
        compared("throughput of all", [sum(run) / seconds for run in many], one, GB_PER_SECOND, TOTAL),
        alone("least share, to the median", [least_share(run) for run in many], TIMES, LEAST_SHARE),
        alone(
            "least share, 1 MiB/s each, to what was asked", [min(paced) / (RATE * seconds)], TIMES, AS_ASKED
        ),
    ]
    notes = f"{bench.runs} runs of {seconds:g} seconds, in turns; the peer is fileserve with one client."
    return [Table(f"{clients} clients at once", rows, notes)]


def least_share(sizes: Sequence[int]) -> float:
    """
    What the worst-off client got, as a part of what the middle one got.
    """
    return min(sizes) / median(sizes)
