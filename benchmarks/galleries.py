"""
What the measures of the gallery have in common: its addresses, and waiting until it knows its pictures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from time import monotonic, sleep
from typing import Any

from benchmarks.bench import Bench
from benchmarks.client import Address, NotServed, get
from benchmarks.processes import Server
from benchmarks.sender import Sending, ask

PAGE = 48
"""Pictures on a page."""

LIMIT = 1000
"""Members on a page of the API."""

_INTERVAL = 0.05
"""Between two looks whether a thousand members are known, in seconds."""


def page_of(server: Server, album: str, number: int = 1) -> Address:
    """
    Where a page of an album is.
    """
    query = f"?page={number}" if number > 1 else ""
    return Address(server.place.port, f"/gallery/{album}/{query}")


def preview_of(album: str, name: str, size: int) -> str:
    """
    The path of a preview.
    """
    return f"/gallery/{album}/preview/{size}/{name}"


def warm_up(bench: Bench, server: Server) -> None:
    """
    Let a server answer before it is measured, without having it look at any picture.
    """
    get(server.album(bench.albums.members(10)))
    get(page_of(server, bench.albums.members(10)))


def wait_until_known(server: Server, album: str, count: int, patience: float) -> None:
    """
    Return when the API tells the width of every member.

    A thousand that are known are not asked for again: only those behind them can still be missing.

    Raises ``NotServed`` when ``patience`` seconds were not enough, or there are not ``count`` members.
    """
    deadline = monotonic() + patience
    after, seen = "", 0
    while True:
        listed = _listed(server, album, after)
        members = listed["members"]
        if any(member["width"] is None for member in members):
            if monotonic() > deadline:
                raise NotServed(f"after {patience:g} s there are pictures in {album} that were not looked at")
            sleep(_INTERVAL)
            continue
        seen += len(members)
        if listed["next"] is None:
            break
        after = f"&after={listed['next']}"
    if seen != count:
        raise NotServed(f"there are {seen} members in {album}, not {count}")


def _listed(server: Server, album: str, after: str) -> Mapping[str, Any]:
    path = f"/api/v1/albums/{album}/?limit={LIMIT}{after}"
    listed: Mapping[str, Any] = json.loads(ask(Sending(Address(server.place.port, path), "GET")))
    return listed
