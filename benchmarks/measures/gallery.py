"""
Pages of an album of many pictures, of which all is known: how long one takes, and what many at once cost.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, repeat

from benchmarks import galleries
from benchmarks.bench import Bench
from benchmarks.client import Address, NotServed
from benchmarks.figures import MIB, MILLISECONDS, at_most, below
from benchmarks.kept import ask_for
from benchmarks.processes import Server
from benchmarks.report import Row, Table, alone
from benchmarks.sender import Sending, ask

PAGE = at_most(30, MILLISECONDS)
MEMORY = below(2, MIB)

_CLIENTS = 50
_PATIENCE = 120.0
"""For looking at all the pictures; in seconds."""


def measure(bench: Bench) -> list[Table]:
    """
    The first, the middle and the last page; then many clients at once.
    """
    album, count = bench.albums.gallery(), bench.scale.gallery_pictures
    with bench.fileserve() as server:
        ask(Sending(galleries.page_of(server, album), "GET"))  # so that it looks at the pictures
        galleries.wait_until_known(server, album, count, _PATIENCE)
        rows = [*_pages(bench, server, album), _memory(bench, server, album)]
    notes = (
        f"{galleries.PAGE} pictures on a page, of which size, camera and date are known. One client keeps "
        f"its connection and asks again and again, for {_seconds(bench):g} s a page. The growth of RSS is "
        f"that of {_CLIENTS} such clients at once, who turn the pages, divided by their number."
    )
    return [Table(f"A page of the gallery, {count:,} pictures", rows, notes)]


def _pages(bench: Bench, server: Server, album: str) -> Iterator[Row]:
    last = last_page(bench.scale.gallery_pictures)
    for kind, number in (("first", 1), ("middle", (last + 1) // 2), ("last", last)):
        asking = Sending(galleries.page_of(server, album, number), "GET")
        _check(asking, least=galleries.PAGE if number < last else 1)
        waits = ask_for(asking.address, repeat(asking.whole(b"")), 1, _seconds(bench)).waits
        yield alone(f"{kind} page", waits, MILLISECONDS, PAGE)


def last_page(count: int) -> int:
    """
    How many pages so many pictures take.
    """
    return -(-count // galleries.PAGE)


def _check(asking: Sending, least: int) -> None:
    found = ask(asking).count(b"preview/320/")
    if found < least:
        raise NotServed(f"{asking.address.path} shows {found} previews")


def _memory(bench: Bench, server: Server, album: str) -> Row:
    pages = [
        Sending(galleries.page_of(server, album, number), "GET").whole(b"")
        for number in range(1, last_page(bench.scale.gallery_pictures) + 1)
    ]
    before = server.rss()
    server.forget_peak()
    ask_for(Address(server.place.port, "/"), cycle(pages), _CLIENTS, _seconds(bench))
    growth = (server.peak_rss() - before) / _CLIENTS
    return alone(f"growth of RSS for each of {_CLIENTS} at once", [growth], MIB, MEMORY)


def _seconds(bench: Bench) -> float:
    return bench.scale.seconds / 4
