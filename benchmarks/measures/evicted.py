"""
What others notice while an album comes from the disk, not the page cache; and when that disk is slow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter

from attrs import frozen

from benchmarks import health
from benchmarks.bench import Bench
from benchmarks.client import get, get_for
from benchmarks.figures import MEBIBYTES_PER_SECOND, MIB
from benchmarks.processes import Server
from benchmarks.report import NOTHING, Row, Table
from benchmarks.slowdisk import CannotSlowDown, slow_disk

SLOW = 5 << 20
"""Of the slow disk, in bytes per second: 256 KiB take 50 ms."""


@frozen
class Watch:
    """
    How long ``/healthz`` took each time, and what the server had to read from the disk meanwhile.
    """

    waits: list[float]
    from_disk: int


def measure(bench: Bench) -> list[Table]:
    """
    Poll ``/healthz`` while the albums are sent.
    """
    seconds = bench.scale.seconds / 2
    with bench.fileserve() as server:
        get(health.address(server))
        end = perf_counter() + seconds
        idle = health.watched(server, lambda: perf_counter() < end)
    rows: list[Row] = []
    for kind, album in (("large", bench.albums.large()), ("small", bench.albums.small())):
        rows += _rows(f"{kind}, evicted", idle, _evicted(bench, album))
        try:
            rows += _rows(f"{kind}, slow disk", idle, _slowed(bench, album, known=True))
            rows += _rows(f"{kind}, slow disk, cold catalogue", idle, _slowed(bench, album, known=False))
        except CannotSlowDown as reason:
            rows.append(Row(f"{kind}, slow disk: skipped, {reason}", NOTHING))
    return [Table("/healthz while an album comes from the disk", rows, _notes(bench))]


def _notes(bench: Bench) -> str:
    return (
        f"{health.NOTES} The slow disk gives {MEBIBYTES_PER_SECOND.text(SLOW)}, by blkio.throttle, "
        f"for {bench.scale.seconds:g} s. In brackets: how many answers, and what came from the disk."
    )


def _evicted(bench: Bench, album: str) -> Watch:
    with bench.fileserve() as server:
        get(server.album(album))
        return _watch(bench, server, album, bench.runs)


def _slowed(bench: Bench, album: str, *, known: bool) -> Watch:
    with bench.fileserve() as server:
        get(server.album(album if known else bench.albums.members(10)))
        with slow_disk(server.pid, bench.albums.storage, SLOW):
            return _watch(bench, server, album, 1)


def _watch(bench: Bench, server: Server, album: str, runs: int) -> Watch:
    waits: list[float] = []
    before = server.bytes_read_from_disk()
    with ThreadPoolExecutor(1) as pool:
        for _ in range(runs):
            bench.albums.out_of_cache(album)
            transfer = pool.submit(get_for, server.album(album), bench.scale.seconds)
            waits += health.watched(server, _until_done(transfer))
            transfer.result()
    return Watch(waits, server.bytes_read_from_disk() - before)


def _until_done(transfer: Future[int]) -> Callable[[], bool]:
    return lambda: not transfer.done()


def _rows(title: str, idle: list[float], watch: Watch) -> Iterator[Row]:
    return health.rows(title, watch.waits, idle, f"{len(watch.waits):,}; {MIB.text(watch.from_disk)}")
