"""
A server in a process of its own, and what it costs: processor time and memory, its children included.
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import clock_gettime, monotonic, sleep

from attrs import frozen

from benchmarks.client import Address, NotServed

_TICKS = os.sysconf("SC_CLK_TCK")


@frozen
class Place:
    """
    Where a server works: what it serves, where it may write, on which ports of 127.0.0.1 it listens.
    """

    storage: Path
    zips: Path
    scratch: Path
    port: int
    admin_port: int


@frozen
class Program:
    """
    A server program: the name to print, its command line, and where it offers an album.
    """

    name: str
    command: Callable[[Place], list[str]]
    path: Callable[[str], str]


@frozen
class Server:
    """
    A server that runs.
    """

    program: Program
    place: Place
    pid: int

    def album(self, name: str) -> Address:
        """
        Where to download an album.
        """
        return Address(self.place.port, self.program.path(name))

    def cpu_seconds(self) -> float:
        """
        Processor time used so far by the process, its children and their children, those that ended included.

        Raises ``NotServed`` when the process is gone.
        """
        for _ in range(100):
            members = tree(self.pid)
            with suppress(OSError):
                total = sum(map(_cpu_seconds, members))
                if tree(self.pid) == members:  # else one may have been counted twice, or not at all
                    return total
        raise NotServed(f"{self.program.name} has ended, or never stops changing")

    def rss(self) -> int:
        """
        Resident memory in bytes of the process and its children.
        """
        return sum(_status(pid, "VmRSS") for pid in tree(self.pid))

    def peak_rss(self) -> int:
        """
        The most that it and its children had resident since `forget_peak`, in bytes; the kernel keeps count.
        """
        return sum(_status(pid, "VmHWM") for pid in tree(self.pid))

    def forget_peak(self) -> None:
        """
        Let the peak be what is resident now: ``5`` to clear_refs, as proc_pid_clear_refs(5) has it.
        """
        for pid in tree(self.pid):
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def bytes_read_from_disk(self) -> int:
        """
        What the page cache did not have.
        """
        lines = Path(f"/proc/{self.pid}/io").read_text().splitlines()
        return int(dict(line.split(": ") for line in lines)["read_bytes"])


def tree(pid: int) -> list[int]:
    """
    A process and all that came from it and still are.
    """
    members = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended meanwhile
            members += [member for child in task.read_text().split() for member in tree(int(child))]
    return members


def _cpu_seconds(pid: int) -> float:
    # The clock of another process, as clock_getcpuclockid(3) makes it; /proc/PID/stat counts in hundredths.
    own = clock_gettime((~pid << 3) | 2)
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    # Of children that ended: fields 16 and 17 of proc(5), two of which are before the bracket.
    cutime, cstime = fields[13:15]
    return own + (int(cutime) + int(cstime)) / _TICKS


def _status(pid: int, name: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return 0


def free_port() -> int:
    """
    A port of 127.0.0.1 that nobody listens on just now.
    """
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def running(program: Program, storage: Path, zips: Path) -> Iterator[Server]:
    """
    Run a server in a fresh scratch directory until the block ends.

    Raises ``NotServed`` when it does not listen within 30 seconds.
    """
    with tempfile.TemporaryDirectory(prefix="fileserve-bench-") as name:
        place = Place(storage, zips, Path(name), free_port(), free_port())
        log = place.scratch / "log"
        environment = os.environ | {"HOME": name, "XDG_CONFIG_HOME": name}
        with log.open("wb") as output:
            process = subprocess.Popen(
                program.command(place),
                cwd=name,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            _wait_until_listening(process, place.port, log)
            yield Server(program, place, process.pid)
        finally:
            _stop(process)


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = monotonic() + 30
    while monotonic() < deadline and process.poll() is None:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        sleep(0.05)
    command = shlex.join(map(str, process.args)) if isinstance(process.args, list) else str(process.args)
    raise NotServed(f"{command} does not listen; it said: {log.read_text(errors='replace')[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
