"""
Photos: 200 members of 5 MiB, all in the page cache, against every peer.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import Bench, Cost, Race, each, race
from benchmarks.figures import GB_PER_SECOND, SECONDS, TIMES, Target, at_least, at_most
from benchmarks.peers import NGINX, ZIPSTREAM_NG, all_peers, nginx_static, zipstream_ng
from benchmarks.report import Row, Table, compared

THROUGHPUT: dict[str, Target] = {NGINX: at_least(0.95, TIMES), ZIPSTREAM_NG: at_least(2.5, TIMES)}
CPU: dict[str, Target] = {NGINX: at_most(1.15, TIMES), ZIPSTREAM_NG: at_most(0.4, TIMES)}

WAKE = 1 << 20
"""For so many bytes the drowsy client wakes (``SO_RCVLOWAT``)."""

_DROWSY = (
    "The client above takes whatever there is, and does a good part of the kernel's work on the connection. "
    "This one wakes once for a MiB, and leaves that work to the server."
)


def measure(bench: Bench) -> list[Table]:
    """
    Throughput, and processor seconds per GB.
    """
    album = bench.albums.large()
    title = f"{bench.scale.large_members} members of {bench.scale.large_size >> 20} MiB, warm"
    rows = [row for peer in all_peers() for row in _rows(race(bench, album, peer), THROUGHPUT, CPU)]
    drowsy = [
        row
        for peer in (nginx_static(), zipstream_ng())
        for row in _rows(race(bench, album, peer, WAKE), {}, {})
    ]
    runs = f"{bench.runs} runs each, in turns."
    return [Table(title, rows, runs), Table(f"{title}, drowsy client", drowsy, f"{runs} {_DROWSY}")]


def _rows(pair: Race, throughput: dict[str, Target], cpu: dict[str, Target]) -> Iterator[Row]:
    for title, figure, unit, targets in (
        ("throughput", Cost.throughput, GB_PER_SECOND, throughput),
        ("CPU per GB", Cost.cpu_per_gigabyte, SECONDS, cpu),
    ):
        samples = (each(pair.ours, figure), each(pair.theirs, figure))
        yield compared(f"{title}, {pair.peer}", *samples, unit, targets.get(pair.peer))
