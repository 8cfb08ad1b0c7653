"""
One large file as the body of a PUT: hashed, durable, with a row in the catalogue.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from time import perf_counter

from benchmarks import taking
from benchmarks.bench import Bench
from benchmarks.figures import GB_PER_SECOND, TIMES, at_least
from benchmarks.processes import Server
from benchmarks.report import Row, Table, compared
from benchmarks.sender import Sending
from benchmarks.takers import aiohttp, copyparty, django, fastapi, sending

HASHING = at_least(1.0, TIMES)
NOT_HASHING = at_least(0.7, TIMES)

_NOTES = (
    "fileserve computes SHA-256 and CRC-32. fileserve, aiohttp and FastAPI have the file and its folder on "
    "the disk before they answer, Django and copyparty do not. copyparty hashes (SHA-512); Django, FastAPI "
    "and aiohttp without the word do not. The client sends by sendfile, from the page cache. The row of "
    "sha256sum is for the same file; it writes nothing."
)


def measure(bench: Bench) -> list[Table]:
    """
    Throughput and processor seconds beside each peer, then memory.
    """
    peers = [
        (aiohttp("hashing"), HASHING),
        (aiohttp("threads"), HASHING),
        (copyparty(), HASHING),
        (aiohttp("plain"), NOT_HASHING),
        (fastapi(), NOT_HASHING),
        (django(), NOT_HASHING),
    ]
    rows = [
        *taking.rows(bench, put, peers),
        _beside_sha256sum(bench),
        *taking.growth(bench, "PUT", put),
    ]
    title = f"PUT of {bench.scale.upload_size >> 20:,} MiB"
    return [Table(title, rows, f"{bench.runs} runs each, in turns. {_NOTES}")]


def put(server: Server) -> Sending:
    """
    The file is the body.
    """
    return sending(server, "PUT", "files/film.bin")


def _beside_sha256sum(bench: Bench) -> Row:
    source = bench.albums.upload()
    ours: list[float] = []
    theirs: list[float] = []
    with taking.beside(bench, []) as [server]:
        for _ in range(bench.runs):
            ours.append(taking.cost(server, put, source).throughput())
            theirs.append(_sha256sum(source))
    return compared("throughput, sha256sum", ours, theirs, GB_PER_SECOND)


def _sha256sum(source: Path) -> float:
    start = perf_counter()
    subprocess.run(["sha256sum", source], check=True, stdout=subprocess.DEVNULL)
    return source.stat().st_size / (perf_counter() - start)
