"""
What one download of 5 GiB costs in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from benchmarks.bench import Bench
from benchmarks.client import get
from benchmarks.figures import MIB, below
from benchmarks.processes import Server
from benchmarks.report import Row, Table, alone

GROWTH = below(8, MIB)


def measure(bench: Bench) -> list[Table]:
    """
    The peak of RSS during a download less RSS before it, for one huge member and for an album of many.
    """
    gibibytes = bench.scale.huge_size / (1 << 30)
    rows = [
        *_rows(bench, "one member", bench.albums.huge_member()),
        *_rows(bench, "many members", bench.albums.huge_album()),
    ]
    return [Table(f"Memory for {gibibytes:g} GiB", rows, "RSS is looked at every 20 ms.")]


def _rows(bench: Bench, kind: str, album: str) -> Iterator[Row]:
    with bench.fileserve() as server:
        get(server.album(bench.albums.members(10)))
        for time in ("first", "second"):
            growth = [_growth(server, album)]
            yield alone(f"growth of RSS, {kind}, {time} download", growth, MIB, GROWTH)


def _growth(server: Server, album: str) -> float:
    before = server.rss()
    with _watched(server) as seen:
        get(server.album(album))
    return max(seen) - before


@contextmanager
def _watched(server: Server) -> Iterator[list[int]]:
    seen: list[int] = []
    over = Event()

    def watch() -> None:
        while not over.wait(0.02):
            seen.append(server.rss())

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()
        seen.append(server.rss())
