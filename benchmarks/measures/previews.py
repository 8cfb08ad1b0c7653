"""
Previews of photographs, made as they are asked for; and what others notice meanwhile.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter

from benchmarks import galleries, health, thumbnails
from benchmarks.bench import Bench
from benchmarks.client import Address, get
from benchmarks.figures import MIB, PER_SECOND, TIMES, at_least
from benchmarks.pictures import PHOTO
from benchmarks.processes import Server
from benchmarks.report import NOTHING, Row, Table, alone, compared
from benchmarks.shared import fetch_all

AS_VIPS = at_least(0.9, TIMES)
AS_PILLOW = at_least(3, TIMES)
_JPEG = {"Accept": "image/jpeg"}

Making = Callable[[], float]
"""Makes all previews and returns the seconds that took."""


def measure(bench: Bench) -> list[Table]:
    """
    Previews per second beside each peer; then ``/healthz`` while they are made.
    """
    album, count = bench.albums.photos(), bench.scale.previewed_pictures
    bench.albums.into_cache(album)
    rows = [*_rows(bench, album, [320]), *_rows(bench, album, [1280, 320]), _memory(bench, album)]
    megapixels = PHOTO[0] * PHOTO[1] // 1_000_000
    return [
        Table(f"Previews of {count} JPEGs of {megapixels} megapixels", rows, _notes(bench)),
        Table(
            "/healthz while previews are made",
            list(_waits(bench, album)),
            f"{health.NOTES} In brackets: how many answers.",
        ),
    ]


def _notes(bench: Bench) -> str:
    return (
        f"{bench.runs} runs each, in turns; pictures per second, all in the page cache. The server has an "
        f"empty state directory each time, and {cores()} clients, one for each core, ask it for JPEG; of two "
        "sizes each asks for the larger and then for the smaller. The first peer is "
        f"``{thumbnails.vips_command(cores())}``; the other is a Python program that opens each picture, has "
        "Pillow's thumbnail() make it small (which lets the decoder scale, too) and saves it. Both are run "
        "once for each size. fileserve also computes the SHA-256 of each picture."
    )


def cores() -> int:
    """
    How many this process may use, and so its children.
    """
    return len(os.sched_getaffinity(0))


def _rows(bench: Bench, album: str, sizes: Sequence[int]) -> Iterator[Row]:
    what = " and ".join(map(str, sizes))
    folder = bench.albums.storage / album
    with tempfile.TemporaryDirectory(prefix="previews-", dir=bench.albums.work) as name:
        target = Path(name)
        peers: list[tuple[str, Making]] = [
            ("Pillow, one process", lambda: thumbnails.pillow(folder, target, sizes))
        ]
        if shutil.which("vipsthumbnail"):
            peers.insert(0, ("vipsthumbnail", lambda: thumbnails.vips(folder, target, sizes, cores())))
        else:
            yield Row(f"{what}, vipsthumbnail: skipped, it is not installed", NOTHING)
        samples = [_in_turn(bench, album, sizes, [make for _, make in peers]) for _ in range(bench.runs)]
    ours, *theirs = ([_rate(bench, seconds) for seconds in column] for column in zip(*samples, strict=True))
    for (peer, _), rates in zip(peers, theirs, strict=True):
        target_here = (AS_VIPS if peer == "vipsthumbnail" else AS_PILLOW) if sizes == [320] else None
        yield compared(f"{what}, {peer}", ours, rates, PER_SECOND, target_here)


def _in_turn(bench: Bench, album: str, sizes: Sequence[int], peers: Sequence[Making]) -> list[float]:
    return [_ours(bench, album, sizes), *(make() for make in peers)]


def _rate(bench: Bench, seconds: float) -> float:
    return bench.scale.previewed_pictures / seconds


def _ours(bench: Bench, album: str, sizes: Sequence[int]) -> float:
    with bench.fileserve() as server:
        galleries.warm_up(bench, server)
        return _fetch(bench, server, album, sizes)


def _fetch(bench: Bench, server: Server, album: str, sizes: Sequence[int]) -> float:
    names = [path.name for path in bench.albums.files(album)]
    paths = [galleries.preview_of(album, name, size) for name in names for size in sizes]
    return fetch_all(Address(server.place.port, "/"), paths, cores(), _JPEG)


def _memory(bench: Bench, album: str) -> Row:
    with bench.fileserve() as server:
        galleries.warm_up(bench, server)
        before = server.rss()
        server.forget_peak()
        _fetch(bench, server, album, [1280])
        return alone("growth of RSS, workers included, 1280", [server.peak_rss() - before], MIB)


def _waits(bench: Bench, album: str) -> Iterator[Row]:
    with bench.fileserve() as server:
        galleries.warm_up(bench, server)
        get(health.address(server))
        end = perf_counter() + bench.scale.seconds / 2
        idle = health.watched(server, lambda: perf_counter() < end)
        with ThreadPoolExecutor(1) as pool:
            making = pool.submit(_fetch, bench, server, album, [1280, 320])
            waits = health.watched(server, lambda: not making.done())
            making.result()
    return health.rows("previews are made", waits, idle, f"{len(waits):,}")
