"""
One large file in a form, as browsers send it.
"""

from __future__ import annotations

from benchmarks import taking
from benchmarks.bench import Bench
from benchmarks.figures import TIMES, at_least
from benchmarks.processes import Server
from benchmarks.report import Table
from benchmarks.sender import Sending
from benchmarks.takers import aiohttp, django, fastapi, sending

AS_FASTAPI = at_least(2, TIMES)

_NOTES = (
    "fileserve computes SHA-256 and CRC-32, the peers nothing. fileserve, FastAPI and aiohttp have the file "
    "and its folder on the disk before they answer, Django does not."
)


def measure(bench: Bench) -> list[Table]:
    """
    Throughput and processor seconds beside each peer, then memory.
    """
    rows = [
        *taking.rows(bench, post, [(fastapi(), AS_FASTAPI), (aiohttp("plain"), None), (django(), None)]),
        *taking.growth(bench, "form", post),
    ]
    title = f"Form with {bench.scale.upload_size >> 20:,} MiB"
    return [Table(title, rows, f"{bench.runs} runs each, in turns. {_NOTES}")]


def post(server: Server) -> Sending:
    """
    The file is a field of a form.
    """
    return sending(server, "POST", "", form=True)
