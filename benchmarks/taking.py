"""
Uploads to fileserve and to a peer in turns, each of which begins with an empty folder.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks import takers
from benchmarks.bench import Bench, Cost, Race
from benchmarks.client import Address
from benchmarks.figures import GB_PER_SECOND, MIB, SECONDS, Target, below
from benchmarks.processes import Program, Server, running
from benchmarks.report import NOTHING, Row, alone, compared
from benchmarks.sender import Sending, ask, upload
from benchmarks.takers import Taker

GROWTH = below(24, MIB)

Ask = Callable[[Server], Sending]
"""How a server is asked to take the file."""


@contextmanager
def beside(bench: Bench, programs: Sequence[Program]) -> Iterator[list[Server]]:
    """
    Run fileserve and so many peers at the same time, each with a folder of its own; fileserve is the first.
    """
    with ExitStack() as stack:
        servers = []
        for program in (takers.fileserve(bench.twist), *programs):
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="taken-", dir=bench.albums.work))
            servers.append(stack.enter_context(running(program, Path(folder), bench.albums.zips)))
        yield servers


def rows(bench: Bench, ask_it: Ask, peers: Sequence[tuple[Taker, Target | None]]) -> Iterator[Row]:
    """
    Throughput and processor seconds of a large upload beside each of the peers, which are skipped if missing.
    """
    for taker, target in peers:
        name = taker.program.name
        if missing := taker.missing():
            yield Row(f"throughput, {name}: skipped, {missing} is not installed", NOTHING)
            continue
        pair = race(bench, taker.program, ask_it)
        for title, figure, unit, wanted in (
            ("throughput", Cost.throughput, GB_PER_SECOND, target),
            ("CPU per GB", Cost.cpu_per_gigabyte, SECONDS, None),
        ):
            samples = ([figure(cost) for cost in pair.ours], [figure(cost) for cost in pair.theirs])
            yield compared(f"{title}, {name}", *samples, unit, wanted)


def race(bench: Bench, peer: Program, ask_it: Ask) -> Race:
    """
    Send the large file to both in turns.
    """
    source = bench.albums.upload()
    with beside(bench, [peer]) as servers:
        for server in servers:
            _warm(server, ask_it)
        return Race(peer.name, *bench.in_turns(servers, lambda server: cost(server, ask_it, source)))


def cost(server: Server, ask_it: Ask, source: Path) -> Cost:
    """
    Send a file once, and leave the disk as it was.
    """
    before = server.cpu_seconds()
    sent = upload(ask_it(server), source)
    spent = server.cpu_seconds() - before
    empty(server)
    return Cost(sent, spent)


def empty(server: Server) -> None:
    """
    Delete what a server took, and let nothing of it be on its way to the disk.
    """
    for path in server.place.storage.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    os.sync()


def growth(bench: Bench, kind: str, ask_it: Ask) -> Iterator[Row]:
    """
    The peak of RSS during a large upload less RSS before it, for the first and the second.
    """
    source = bench.albums.upload()
    with beside(bench, []) as [server]:
        _warm(server, ask_it)
        for time in ("first", "second"):
            before = server.rss()
            server.forget_peak()
            upload(ask_it(server), source)
            yield alone(f"growth of RSS, {kind}, {time}", [server.peak_rss() - before], MIB, GROWTH)
            empty(server)


def address_of(server: Server) -> Address:
    """
    Where it listens.
    """
    return Address(server.place.port, "/")


def _warm(server: Server, ask_it: Ask) -> None:
    ask(ask_it(server), os.urandom(1000))
    empty(server)
