"""
Many small downloads at once, by short name: 10 KiB each, to clients that keep their connections.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import cycle

from benchmarks import rounds, taking
from benchmarks.bench import Bench
from benchmarks.figures import TIMES, at_least
from benchmarks.kept import Round, ask_for
from benchmarks.processes import Program, Server
from benchmarks.report import NOTHING, Row, Table
from benchmarks.sender import ask
from benchmarks.takers import fastapi, sending

AS_FASTAPI = at_least(1.5, TIMES)

_SIZE = 10 << 10
_FILES = 1_000

_NOTES = (
    f"{_FILES:,} files that were uploaded to each, asked for one after the other. FastAPI looks the short "
    "name up in SQLite and answers with a FileResponse; fileserve remembers what a short name means, and "
    "looks at the disk. Both run as one process."
)


def measure(bench: Bench) -> list[Table]:
    """
    Downloads per second, and how long each took.
    """
    title = f"Downloads of {_SIZE >> 10} KiB, {bench.scale.upload_clients} clients"
    taker = fastapi()
    if missing := taker.missing():
        row = Row(f"downloads, {taker.program.name}: skipped, {missing} is not installed", NOTHING)
        return [Table(title, [row])]
    rows = list(_rows(bench, taker.program))
    return [Table(title, rows, f"{bench.runs} runs of {_seconds(bench):g} s, in turns. {_NOTES}")]


def _rows(bench: Bench, peer: Program) -> Iterator[Row]:
    with taking.beside(bench, [peer]) as servers:
        requests = {server.pid: _requests(server) for server in servers}

        def sample(server: Server) -> Round:
            seconds, clients = _seconds(bench), bench.scale.upload_clients
            return ask_for(taking.address_of(server), cycle(requests[server.pid]), clients, seconds)

        for server in servers:
            sample(server)
        ours, theirs = bench.in_turns(servers, sample)
    return rounds.rows("downloads", ours, theirs, AS_FASTAPI)


def _seconds(bench: Bench) -> float:
    return bench.scale.seconds / 4


def _requests(server: Server) -> list[bytes]:
    """
    Upload the files.

    :return: what asks for each of them.
    """
    asking = sending(server, "POST", "", form=True)
    names = [json.loads(ask(asking, os.urandom(_SIZE)))["short_name"] for _ in range(_FILES)]
    return [sending(server, "GET", f"download-full/{name}").whole(b"") for name in names]
