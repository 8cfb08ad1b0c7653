"""
Clients that ask for an album and then read nothing: what each costs, and what others notice of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import sleep

from attrs import frozen

from benchmarks.bench import Bench
from benchmarks.client import get, stall
from benchmarks.figures import KIB, MILLISECONDS, TIMES, at_most
from benchmarks.peers import fileserve, nginx_static, zipstream_ng
from benchmarks.processes import Program, Server
from benchmarks.report import Row, Table, alone, compared

RSS_EACH = at_most(40, KIB)
AS_FAST = at_most(1.25, TIMES)
"""How much slower counts as noise: two series of the same server differ by less."""

_REQUESTS = 100


@frozen
class Burden:
    """
    What so many stalled clients did to a server: the times are those of a small download beside them,
    and the same from an idle server of the same kind, in turns.
    """

    rss_each: float
    beside: list[float]
    idle: list[float]


def measure(bench: Bench) -> list[Table]:
    """
    RSS for each stalled client, and the time of a small download beside all of them.
    """
    large, clients = bench.albums.large(), bench.scale.stalled_clients
    bench.albums.ready_zip(large)
    ours = _burden(bench, fileserve(bench.twist), large, clients)
    rows = [*_rows("large album", ours), *_of_small_album(bench, clients // 5)]
    for program in (nginx_static(), zipstream_ng()):
        theirs = _burden(bench, program, large, clients)
        rows.append(compared(f"RSS each, {program.name}", [ours.rss_each], [theirs.rss_each], KIB))
    return [Table(f"{clients:,} stalled clients", rows, _notes())]


def _notes() -> str:
    return (
        f"RSS of the process divided by the clients; then {_REQUESTS} downloads of an album of 100 tiny "
        "members beside them, the peer being an idle fileserve. The rows of other programs are for the large "
        "album."
    )


def _of_small_album(bench: Bench, clients: int) -> Iterator[Row]:
    # Fewer: each may keep a list of the members for itself.
    burden = _burden(bench, fileserve(bench.twist), bench.albums.small(), clients)
    return _rows(f"small album, {clients:,} clients", burden)


def _rows(kind: str, burden: Burden) -> Iterator[Row]:
    yield alone(f"RSS each, {kind}", [burden.rss_each], KIB, RSS_EACH)
    yield compared(f"a request beside them, {kind}", burden.beside, burden.idle, MILLISECONDS, AS_FAST)


def _burden(bench: Bench, program: Program, album: str, clients: int) -> Burden:
    little = bench.albums.members(100)
    bench.albums.ready_zip(little)
    with bench.serve(program) as server, bench.serve(program) as idle:
        for each in (server, idle):
            get(each.album(album))
            get(each.album(little))
        before = server.rss()
        with _stalled(server, album, clients):
            sleep(2)  # for what is still on its way
            rss = (server.rss() - before) / clients
            times = [[get(each.album(little)).total for each in (server, idle)] for _ in range(_REQUESTS)]
    return Burden(rss, *map(list, zip(*times, strict=True)))


@contextmanager
def _stalled(server: Server, album: str, clients: int) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(clients):
            stack.enter_context(stall(server.album(album)))
        yield
