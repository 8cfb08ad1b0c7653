"""
A server's processes, watched from outside while much is asked of them at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread
from typing import Self, TypeVar

from attrs import field, frozen

from .clients import PATIENCE, ask
from .server import Server

T = TypeVar("T")
R = TypeVar("R")


def together(work: Callable[[T], R], things: Iterable[T], clients: int = 4) -> list[R]:
    """
    Do the same with many things, several at a time.

    :return: what came of each, in their order.
    """
    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(work, things))


def children(pid: int) -> Sequence[int]:
    """
    The processes that a process started, and that are still there.
    """
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = Path(f"/proc/{entry}/stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        # proc(5): behind the name in brackets stand the state and the parent.
        state, parent = stat.rpartition(")")[2].split()[:2]
        if int(parent) == pid and state != "Z":
            found.append(int(entry))
    return found


def processor_time(pid: int) -> float:
    """
    Seconds that a process has worked; none where it is gone.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    words = stat.rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@frozen(eq=False)
class Watch:
    """
    Asks a server for its health all the while; a context manager.

    :ivar seen: the status of each answer, 0 for none.
    """

    server: Server
    seen: list[int] = field(factory=list)
    _end: Event = field(factory=Event)
    _threads: list[Thread] = field(factory=list)

    def __enter__(self) -> Self:
        self._threads.append(Thread(target=self._look))
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._threads[0].join(PATIENCE)

    def _look(self) -> None:
        while not self._end.wait(0.05):
            try:
                self.seen.append(ask(self.server.admin, "/healthz").status)
            except OSError:
                self.seen.append(0)
