"""
A few clients that share a list of addresses, and ask for each of them once.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from time import perf_counter, sleep

from benchmarks.client import Address, NotServed

_PATIENCE = 120.0
"""Seconds after which a silent server is an error."""


class _List:
    """
    What is left to ask for; whoever comes takes the next.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = iter(paths)
        self._lock = Lock()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        with self._lock:
            return next(self._paths)


def fetch_all(address: Address, paths: Iterable[str], clients: int, headers: Mapping[str, str]) -> float:
    """
    Ask for each of the paths once, on as many kept connections as there are clients.

    A client that is told to come back later (503 with Retry-After) does.

    :param address: whom to ask.
    :return: the seconds that all took together.

    Raises ``NotServed`` for any other status but 200, and for an empty body.
    """
    left = _List(paths)
    start = perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        asking = [pool.submit(_fetch, address, left, headers) for _ in range(clients)]
    for each in asking:
        each.result()
    return perf_counter() - start


def _fetch(address: Address, paths: Iterable[str], headers: Mapping[str, str]) -> None:
    connection = http.client.HTTPConnection(address.host, address.port, timeout=_PATIENCE)
    try:
        for path in paths:
            while (pause := _ask(connection, path, headers)) is not None:
                sleep(pause)
    finally:
        connection.close()


def _ask(connection: http.client.HTTPConnection, path: str, headers: Mapping[str, str]) -> float | None:
    """
    Ask once.

    :return: after how many seconds to ask again; ``None`` when it came.
    """
    connection.request("GET", path, headers=dict(headers))
    response = connection.getresponse()
    body = response.read()
    pause = response.headers.get("Retry-After")
    if response.status == 503 and pause is not None:
        return float(pause)
    if response.status != 200 or not body:
        raise NotServed(f"{path} answered {response.status}: {body[:300]!r}")
    return None
