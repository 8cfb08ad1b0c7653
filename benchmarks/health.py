"""
What others notice while a server has much to do: ``/healthz``, asked for again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from benchmarks.client import Address, poll
from benchmarks.figures import MILLISECONDS, TIMES, below, percentile
from benchmarks.processes import Server
from benchmarks.report import Row, judged

P99 = below(50, MILLISECONDS)

INTERVAL = 0.005
"""Between two requests, in seconds."""

NOTES = (
    f"/healthz is asked for every {INTERVAL * 1e3:g} ms and timed from when it was due; the peer is the "
    "idle server."
)


def address(server: Server) -> Address:
    """
    Where the admin listener tells it.
    """
    return Address(server.place.admin_port, "/healthz")


def watched(server: Server, go_on: Callable[[], bool]) -> list[float]:
    """
    Ask for as long as ``go_on`` says so.

    :return: how long each answer took, in seconds.
    """
    return poll(address(server), INTERVAL, go_on)


def rows(title: str, waits: Sequence[float], idle: Sequence[float], detail: str) -> Iterator[Row]:
    """
    Compare the waits with those of an idle server; the target is for the 99th percentile.

    :param detail: what to say in brackets beside that.
    """
    for name, share, target in (("p50", 0.5, None), ("p99", 0.99, P99), ("longest", 1.0, None)):
        ours, theirs = percentile(waits, share), percentile(idle, share)
        aside = f" ({detail})" if target else ""
        figures = (MILLISECONDS.text(ours) + aside, MILLISECONDS.text(theirs), TIMES.text(ours / theirs))
        yield judged(Row(f"{name}, {title}", *figures), ours, target)
