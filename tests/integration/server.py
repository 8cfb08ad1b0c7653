"""
A real ``twist fileserve`` for tests: started on a free port of this machine, asked, watched and stopped.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from unittest import SkipTest, TestCase

from .clients import LOOPBACK, PATIENCE, Answer, Download, GaveUp, ask, connect, eventually, exchange

#: Where the project lies: what is tested is this tree, wherever Twisted is installed.
PROJECT = Path(__file__).resolve().parents[2]

#: A free port of this machine, which the ready line tells.
ENDPOINT = f"tcp:0:interface={LOOPBACK}"

#: The command ``twist`` of this Python.
TWIST = (sys.executable, "-m", "twisted")

_READY = "fileserve is ready: "


class Server:
    """
    One process of ``twist fileserve``. Only what was started here is ever ended here.

    :ivar port: of the public listener, where that is TCP.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path, admin: int) -> None:
        self.process = process
        self.port = 0
        self.admin = admin
        self._log = log

    @property
    def log(self) -> str:
        """
        All that it said so far, on standard output and standard error.
        """
        return self._log.read_text(encoding="utf-8", errors="replace")

    def wait_for_log(self, text: str) -> str:
        """
        Wait until it has said something.

        :return: the line.
        """
        return eventually(lambda: next((line for line in self.log.splitlines() if text in line), ""), text)

    def wait_until_ready(self) -> None:
        """
        Wait for the line that tells the address.

        :raise GaveUp: it ended before, or took too long.
        """
        line = eventually(
            lambda: (
                self.process.poll() is not None
                or next((line for line in self.log.splitlines() if _READY in line), "")
            ),
            "the ready line",
        )
        if not isinstance(line, str):
            raise GaveUp(f"it ended with {self.process.returncode}: {self.log}")
        address = re.search(r"https?://\S+?:(\d+)/", line)
        self.port = int(address[1]) if address else 0

    def ask(self, target: str, method: str = "GET", body: bytes | None = None, /, **headers: str) -> Answer:
        """
        Make one request on a connection of its own. In names of headers ``_`` stands for ``-``.
        """
        return ask(self.port, target, method, body, **headers)

    def connect(self, receive_buffer: int | None = None) -> socket.socket:
        """
        A plain connection, for clients that misbehave: see `connect`. The caller closes it.
        """
        return connect(self.port, receive_buffer)

    def exchange(self, request: bytes) -> bytes:
        """
        Send bytes as they are: see `exchange`.
        """
        return exchange(self.port, request)

    def download(self, target: str, *fields: str) -> Download:
        """
        Begin a download that reads slowly: see `Download`.
        """
        return Download(self.port, target, *fields)

    def descriptors(self) -> list[str]:
        """
        What its descriptors lead to.
        """
        return descriptors_of(self.process.pid)

    def threads(self) -> int:
        """
        How many threads it has.
        """
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def resident(self) -> int:
        """
        Its resident set, in bytes.
        """
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise GaveUp("it has no resident set any more")

    def metric(self, name: str) -> float:
        """
        A figure from ``/metrics``; several of one name together.
        """
        lines = ask(self.admin, "/metrics").body.decode().splitlines()
        figures = [line for line in lines if line.startswith((f"{name} ", name + "{"))]
        if not figures:
            raise GaveUp(f"no {name} among the metrics")
        return sum(float(line.rpartition(" ")[2]) for line in figures)

    def signal(self, number: signal.Signals) -> None:
        """
        Send it a signal.
        """
        self.process.send_signal(number)

    def stop(self) -> int:
        """
        End it as an operator would, and by force when that does not help.

        :return: its exit status; negative is the signal that ended it.
        """
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise GaveUp(f"SIGTERM did not end it: {self.log}") from None

    def kill(self) -> None:
        """
        End it at once.
        """
        self.process.kill()
        self.process.wait()


def start(
    case: TestCase,
    root: Path,
    *options: str,
    listen: Sequence[str] = (ENDPOINT,),
    state: Path | None = None,
    **how: Any,
) -> Server:
    """
    Start a server, wait until it is ready, and see that it ends with the test.

    :param state: the state directory; a fresh one where none is given.
    :param how: see `launch`.
    """
    admin = free_port()
    listeners = [word for endpoint in listen for word in ("--listen", endpoint)]
    server = launch(
        case,
        "--path",
        str(root),
        "--state",
        str(state or folder(case)),
        "--admin",
        f"tcp:{admin}:interface={LOOPBACK}",
        *listeners,
        *options,
        **how,
    )
    server.admin = admin
    server.wait_until_ready()
    return server


def launch(
    case: TestCase,
    *options: str,
    twist: Sequence[str] = ("--log-format=text",),
    environ: Mapping[str, str] | None = None,
    before: Sequence[str] = (),
    **popen: Any,
) -> Server:
    """
    Run ``twist fileserve`` with exactly these options, and see that it ends with the test.

    :param twist: options of ``twist`` itself.
    :param environ: variables to set.
    :param before: words before the command, such as ``setpriv`` and its options.
    :param popen: further arguments for `subprocess.Popen`.
    """
    directory = folder(case)
    log = directory / "log"
    words = [*before, *TWIST, *twist, "fileserve", *options]
    with log.open("wb") as output:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=popen.pop("stderr", subprocess.STDOUT),
            cwd=popen.pop("cwd", directory),
            env=environment(**(environ or {})),
            **popen,
        )
    server = Server(process, log, 0)
    case.addCleanup(_end, server)
    return server


def _end(server: Server) -> None:
    if server.process.poll() is None:
        server.kill()


def descriptors_of(pid: int) -> list[str]:
    """
    What the descriptors of a process lead to.
    """
    found = []
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            found.append(os.readlink(entry.path))
        except FileNotFoundError:
            continue
    return sorted(found)


def environment(**variables: str) -> dict[str, str]:
    """
    The environment of a program under test: ours, without what would decide for it.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("FILESERVE_", "ENABLE_", "LISTEN_", "NOTIFY_", "WATCHDOG_"))
        and name not in {"BASE_FILE_STORAGE_PATH", "STATE_DIRECTORY", "PYTHONWARNINGS"}
    }
    return {**inherited, "PYTHONPATH": str(PROJECT), **variables}


def free_port() -> int:
    """
    A port that nobody listens on just now.
    """
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def folder(case: TestCase) -> Path:
    """
    A fresh directory that everybody may enter, removed after the test.
    """
    path = Path(tempfile.mkdtemp(prefix="fileserve-test-"))
    path.chmod(0o755)
    case.addCleanup(shutil.rmtree, path, ignore_errors=True)
    return path


def need(*programs: str) -> None:
    """
    Go on only where these programs are installed.

    :raise SkipTest: one is not; where ``FILESERVE_REQUIRE_ALL`` is set, that is a failure.
    """
    for program in programs:
        if where_is(program) is None:
            missing(f"{program} is not installed")


def where_is(program: str) -> str | None:
    """
    Find a program; servers lie where only root looks.
    """
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def missing(reason: str) -> None:
    """
    Skip the test, or fail it where nothing may be missing.
    """
    if os.environ.get("FILESERVE_REQUIRE_ALL"):
        raise AssertionError(reason)
    sys.stderr.write(f"skipped: {reason}\n")
    raise SkipTest(reason)
