"""
What every measure is given: the albums, the number of runs, and servers to run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TypeVar

from attrs import frozen

from benchmarks import peers
from benchmarks.albums import Albums, Scale
from benchmarks.client import Download, get
from benchmarks.processes import Program, Server, running

T = TypeVar("T")


@frozen
class Bench:
    """
    The circumstances of a measure.

    :param runs: how often each thing is done.
    :param twist: the ``twist`` program that runs fileserve.
    """

    albums: Albums
    runs: int
    twist: str

    @property
    def scale(self) -> Scale:
        """
        How much of everything.
        """
        return self.albums.scale

    def fileserve(self) -> AbstractContextManager[Server]:
        """
        Run fileserve with a state directory of its own, empty at first.
        """
        return self.serve(peers.fileserve(self.twist))

    def serve(self, program: Program) -> AbstractContextManager[Server]:
        """
        Run any of the programs.
        """
        for folder in (self.albums.storage, self.albums.zips):
            folder.mkdir(parents=True, exist_ok=True)  # before the first album is made
        return running(program, self.albums.storage, self.albums.zips)

    @contextmanager
    def beside(self, programs: Sequence[Program]) -> Iterator[list[Server]]:
        """
        Run fileserve and so many peers at the same time; fileserve is the first.
        """
        with ExitStack() as stack:
            yield [
                stack.enter_context(self.serve(program))
                for program in (peers.fileserve(self.twist), *programs)
            ]

    def in_turns(self, servers: Sequence[Server], sample: Callable[[Server], T]) -> list[list[T]]:
        """
        Take a sample of each server in turn, ``runs`` times, each time beginning with another.

        :return: for each server its samples; those with the same index were taken one after the other.
        """
        samples: list[list[T]] = [[] for _ in servers]
        for run in range(self.runs):
            for offset in range(len(servers)):
                index = (run + offset) % len(servers)
                samples[index].append(sample(servers[index]))
        return samples


@frozen
class Cost:
    """
    A download, and the processor seconds that the server spent on it.
    """

    download: Download
    cpu: float

    def throughput(self) -> float:
        """
        Bytes per second.
        """
        return self.download.size / self.download.total

    def first_byte(self) -> float:
        """
        Seconds.
        """
        return self.download.first_byte

    def cpu_per_gigabyte(self) -> float:
        """
        Processor seconds for 10⁹ bytes.
        """
        return self.cpu / self.download.size * 1e9


def each(costs: Sequence[Cost], figure: Callable[[Cost], float]) -> list[float]:
    """
    One figure of each download.
    """
    return [figure(cost) for cost in costs]


@frozen
class Race:
    """
    Downloads of a warm album from fileserve and from a peer, in turns.
    """

    peer: str
    ours: list[Cost]
    theirs: list[Cost]


def race(bench: Bench, album: str, peer: Program, wake: int = 1) -> Race:
    """
    Run the two side by side.  No third runs between them: what disturbs the machine should disturb both.

    :param wake: for how many bytes the client wakes.
    """
    bench.albums.ready_zip(album)
    bench.albums.into_cache(album)
    with bench.beside([peer]) as servers:
        for server in servers:
            get(server.album(album))
        return Race(peer.name, *bench.in_turns(servers, lambda server: _cost(server, album, wake)))


def _cost(server: Server, album: str, wake: int) -> Cost:
    before = server.cpu_seconds()
    download = get(server.album(album), wake)
    return Cost(download, server.cpu_seconds() - before)
