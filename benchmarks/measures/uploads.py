"""
Many small uploads at once: 10 KiB each, from clients that keep their connections.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import repeat

from benchmarks import rounds, taking
from benchmarks.bench import Bench
from benchmarks.figures import TIMES, Target, at_least
from benchmarks.kept import Round, ask_for
from benchmarks.processes import Server
from benchmarks.report import NOTHING, Row, Table
from benchmarks.takers import fastapi, sending

AS_FASTAPI = at_least(1.5, TIMES)

_SIZE = 10 << 10

_NOTES = (
    "Before it answers, FastAPI has the file and the folder that it is in on the disk (fsync of each), and "
    "its row in SQLite (WAL, synchronous=FULL, one connection with a lock); it does so in its threads, as it "
    "does with functions that wait. fileserve makes more durable: a folder for each file, the folder that "
    "this one is in, and a note of the place before its first byte; and it hashes. Both run as one process."
)


def measure(bench: Bench) -> list[Table]:
    """
    Uploads per second by form and by PUT, and how long each took.
    """
    title = f"Uploads of {_SIZE >> 10} KiB, {bench.scale.upload_clients} clients"
    taker = fastapi()
    if missing := taker.missing():
        row = Row(f"uploads, {taker.program.name}: skipped, {missing} is not installed", NOTHING)
        return [Table(title, [row])]
    # Nothing is deleted before the end: ext4 without a journal looks for a free inode among those that were
    # deleted in the last minute, one by one.
    with taking.beside(bench, [taker.program]) as servers:
        rows = [*_rows(bench, servers, "form", AS_FASTAPI), *_rows(bench, servers, "PUT", None)]
    return [Table(title, rows, f"{bench.runs} runs of {_seconds(bench):g} s, in turns. {_NOTES}")]


def _rows(bench: Bench, servers: Sequence[Server], kind: str, target: Target | None) -> Iterator[Row]:
    for server in servers:
        _round(bench, server, kind, 0.5)
    ours, theirs = bench.in_turns(servers, lambda server: _round(bench, server, kind, _seconds(bench)))
    return rounds.rows(f"uploads, {kind}", ours, theirs, target)


def _seconds(bench: Bench) -> float:
    return bench.scale.seconds / 4


def _round(bench: Bench, server: Server, kind: str, seconds: float) -> Round:
    form = kind == "form"
    asking = sending(server, "POST" if form else "PUT", "" if form else "files/film.bin", form=form)
    whole = asking.whole(os.urandom(_SIZE))
    done = ask_for(asking.address, repeat(whole), bench.scale.upload_clients, seconds)
    os.sync()
    return done
