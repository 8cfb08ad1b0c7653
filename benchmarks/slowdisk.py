"""
A slow disk for one server: its reads are throttled by a blkio cgroup (version 1; needs root).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import tree

BLKIO = Path("/sys/fs/cgroup/blkio")


class CannotSlowDown(Exception):
    """
    The machine does not let us; the text says why.
    """


@contextmanager
def slow_disk(pid: int, folder: Path, rate: int) -> Iterator[None]:
    """
    Let a process and its children read at most ``rate`` bytes per second from the disk that ``folder`` is on.

    Raises ``CannotSlowDown``.
    """
    device = _device(folder)
    if not (BLKIO / "blkio.throttle.read_bps_device").exists():
        raise CannotSlowDown("there is no cgroup v1 with blkio.throttle")
    before = BLKIO / _group_of(pid).lstrip("/")
    group = before / f"fileserve-bench-{pid}"
    try:
        group.mkdir()
    except OSError as error:
        raise CannotSlowDown(f"no cgroup can be made: {error.strerror}") from error
    try:
        (group / "blkio.throttle.read_bps_device").write_text(f"{device} {rate}")
        _move(pid, group)
        yield
    finally:
        _move(pid, before)
        group.rmdir()


def _move(pid: int, group: Path) -> None:
    for member in tree(pid):
        (group / "cgroup.procs").write_text(str(member))


def _group_of(pid: int) -> str:
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "blkio" in controllers.split(","):
            return path
    raise CannotSlowDown("the process is in no blkio cgroup")


def _device(folder: Path) -> str:
    number = os.stat(folder).st_dev
    described = Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}")
    if not described.exists():
        raise CannotSlowDown("the albums are not on a block device of their own")
    disk = described.resolve()
    if (disk / "partition").exists():
        disk = disk.parent  # only whole disks can be throttled
    return (disk / "dev").read_text().strip()
