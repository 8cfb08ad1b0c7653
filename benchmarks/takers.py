"""
The programs that take files in and give them out again, all by the same few requests.

``PUT /api/v1/files/NAME``, ``POST /api/v1/`` with a form, and ``GET /api/v1/download-full/SHORT``.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from attrs import evolve, frozen

from benchmarks import peers
from benchmarks.client import Address
from benchmarks.processes import Place, Program, Server
from benchmarks.sender import Sending

_SERVERS = Path(__file__).parent / "servers"


@frozen
class Taker:
    """
    A program that may be missing here.

    :param needs: the modules it is made of.
    """

    program: Program
    needs: Sequence[str]

    def missing(self) -> str:
        """
        What is not installed of it; empty where all is.
        """
        return ", ".join(name for name in self.needs if find_spec(name) is None)


def fileserve(twist: str) -> Program:
    """
    As ever, but asked for its API.
    """
    return evolve(peers.fileserve(twist), path=_api)


def aiohttp(how: str) -> Taker:
    """
    aiohttp, durable.

    :param how: ``plain``, ``hashing``, or ``threads`` for hashing and writing in two threads.
    """
    name = {"plain": "aiohttp", "hashing": "aiohttp, hashing", "threads": "aiohttp, hashing in a thread"}[how]
    return Taker(_script(name, "aiohttp_files.py", how), ["aiohttp"])


def fastapi() -> Taker:
    """
    FastAPI, python-multipart and uvicorn, durable, with a table in SQLite.
    """
    program = _script("FastAPI", "fastapi_files.py")
    return Taker(program, ["fastapi", "python_multipart", "uvicorn"])


def django() -> Taker:
    """
    Django with gunicorn, as they come: nothing is made durable.
    """

    def command(place: Place) -> list[str]:
        return [
            sys.executable, "-m", "gunicorn", "--workers", "1", "--timeout", "300",
            "--bind", f"127.0.0.1:{place.port}", "--pythonpath", str(_SERVERS),
            "--env", f"STORAGE={place.storage}", "django_files:application",
        ]  # fmt: skip

    return Taker(Program("Django, gunicorn", command, _api), ["django", "gunicorn"])


def copyparty() -> Taker:
    """
    Copyparty as it comes: it hashes (SHA-512), and makes nothing durable.
    """

    def command(place: Place) -> list[str]:
        return [
            sys.executable, "-m", "copyparty", "-q", "--http-only", "-i", "127.0.0.1", "-p", str(place.port),
            "-v", f"{place.storage}::A", "--hist", str(place.scratch), "--no-thumb",
        ]  # fmt: skip

    return Taker(Program("copyparty", command, lambda what: f"/{what.rpartition('/')[2]}"), ["copyparty"])


def sending(server: Server, method: str, what: str, *, form: bool = False) -> Sending:
    """
    A request to one of these programs, with the upload key if it has one.

    :param what: the end of the path, for those that have the API.
    """
    path = server.place.scratch / "state" / "upload-key"
    key = path.read_text().strip() if path.exists() else ""
    return Sending(Address(server.place.port, server.program.path(what)), method, key, form)


def _api(what: str) -> str:
    return f"/api/v1/{what}"


def _script(name: str, script: str, *more: str) -> Program:
    def command(place: Place) -> list[str]:
        return [sys.executable, str(_SERVERS / script), str(place.storage), str(place.port), *more]

    return Program(name, command, _api)
