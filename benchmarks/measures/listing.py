"""
A page of the list of stored files, at its beginning, in the middle and at its end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from time import perf_counter
from typing import Any

from sqlalchemy import insert

from benchmarks import taking
from benchmarks.bench import Bench
from benchmarks.client import NotServed
from benchmarks.figures import MILLISECONDS, at_most
from benchmarks.processes import Server
from benchmarks.report import Row, Table, alone
from benchmarks.sender import ask
from benchmarks.takers import sending
from fileserve.catalogue.database import open_engine, sqlite_url
from fileserve.catalogue.files import cursor_of
from fileserve.catalogue.schema import files

PAGE = at_most(20, MILLISECONDS)

_LIMIT = 100
_REQUESTS = 20
_AT_ONCE = 10_000


def measure(bench: Bench) -> list[Table]:
    """
    The time of a page, connecting included.
    """
    count = bench.scale.stored_files
    with taking.beside(bench, []) as [server]:
        _fill(server, count)
        rows = list(_rows(server, count))
    notes = f"{_REQUESTS} requests each, each on a connection of its own."
    return [Table(f"A page of {_LIMIT} out of {count:,} stored files", rows, notes)]


def _rows(server: Server, count: int) -> Iterator[Row]:
    for kind, after in (("first", None), ("middle", count // 2), ("last", _LIMIT + 1)):
        query = f"?limit={_LIMIT}" + (f"&after={cursor_of(after)}" if after is not None else "")
        yield alone(f"{kind} page", [_page(server, query) for _ in range(_REQUESTS)], MILLISECONDS, PAGE)


def _page(server: Server, query: str) -> float:
    asking = sending(server, "GET", query)
    start = perf_counter()
    answer = ask(asking)
    taken = perf_counter() - start
    if len(json.loads(answer)["files"]) != _LIMIT:
        raise NotServed(f"{query} is not a whole page")
    return taken


def _fill(server: Server, count: int) -> None:
    engine = open_engine(sqlite_url(server.place.scratch / "state" / "catalogue.sqlite"))
    try:
        for start in range(0, count, _AT_ONCE):
            with engine.begin() as connection:
                numbers = range(start, min(start + _AT_ONCE, count))
                connection.execute(insert(files), [_row(number) for number in numbers])
    finally:
        engine.dispose()


def _row(number: int) -> dict[str, Any]:
    return {
        "id": f"00000000-0000-4000-8000-{number:012}",
        "short_name": f"short{number:017}",
        "filename": f"IMG_{number:06}.jpg",
        "path": b"IMG_%06d.jpg" % number,
        "size": 10 << 10,
        "media_type": "image/jpeg",
        "sha256": f"{number:064x}",
        "crc32": number,
        "created_us": 1_600_000_000_000_000 + number,
        "status": "stored",
        "error": None,
        "metadata": "{}",
    }
