"""
The programs that are compared: fileserve, and the peers as their own manuals would run them.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from benchmarks.processes import Place, Program

_HERE = Path(__file__).parent

NGINX = "nginx, ready ZIP"
ZIPSTREAM_NG = "zipstream-ng"
ZIPSTREAM_NG_GATHERED = "zipstream-ng, gathered"
"""The names of the peers that targets speak of."""

_GATHERED = 128 << 10
"""The fastest for both albums, of 64, 128, 256 and 1,024 KiB."""

_NGINX = """\
{user}
daemon off;
worker_processes 1;
pid {scratch}/nginx.pid;
error_log {scratch}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    default_type application/zip;
    client_body_temp_path {scratch}/body;
    proxy_temp_path {scratch}/proxy;
    fastcgi_temp_path {scratch}/fastcgi;
    uwsgi_temp_path {scratch}/uwsgi;
    scgi_temp_path {scratch}/scgi;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root {zips};
    }}
}}
"""


def twist() -> str:
    """
    The ``twist`` that belongs to this Python, else the first on the path.
    """
    beside = Path(sys.executable).with_name("twist")
    return str(beside) if beside.exists() else shutil.which("twist") or "twist"


def fileserve(program: str) -> Program:
    """
    The server that all this is about.

    :param program: the ``twist`` to run.
    """

    def command(place: Place) -> list[str]:
        return [
            "/usr/bin/env", f"PYTHONPATH={_HERE.parent}", program, "fileserve",
            "--path", str(place.storage),
            "--state", str(place.scratch / "state"),
            "--listen", f"tcp:{place.port}:interface=127.0.0.1",
            "--admin", f"tcp:{place.admin_port}:interface=127.0.0.1",
        ]  # fmt: skip

    return Program("fileserve", command, lambda album: f"/archive/{album}/")


def nginx_static() -> Program:
    """
    The least work that can be: nginx sends a ZIP that was made beforehand, by ``sendfile``.
    """

    def command(place: Place) -> list[str]:
        user = "user root;" if os.geteuid() == 0 else ""  # else the worker may not enter our directories
        text = _NGINX.format(user=user, scratch=place.scratch, port=place.port, zips=place.zips)
        configuration = place.scratch / "nginx.conf"
        configuration.write_text(text)
        log = str(place.scratch / "error.log")
        return ["nginx", "-e", log, "-p", str(place.scratch), "-c", str(configuration)]

    return Program(NGINX, command, lambda album: f"/{album}.zip")


def copyparty() -> Program:
    """
    Copyparty with one volume that anybody may read, and its ``?zip``.
    """

    def command(place: Place) -> list[str]:
        return [
            sys.executable, "-m", "copyparty", "-q", "--http-only", "-i", "127.0.0.1", "-p", str(place.port),
            "-v", f"{place.storage}::r", "--hist", str(place.scratch), "--no-thumb", "--s-tbody", "0",
        ]  # fmt: skip

    return Program("copyparty ?zip", command, lambda album: f"/{album}/?zip")


def zipstream_ng() -> Program:
    """
    zipstream-ng on aiohttp, as its documentation shows.
    """
    return _ours(ZIPSTREAM_NG, "zipstream_server.py")


def zipstream_ng_gathered() -> Program:
    """
    The same, made as fast as it goes with public means.
    """
    return _ours(ZIPSTREAM_NG_GATHERED, "zipstream_server.py", str(_GATHERED))


def zip_pipe() -> Program:
    """
    The shape of many download services: aiohttp passing on what ``zip -0`` writes.
    """
    return _ours("zip -0 in a pipe", "zip_pipe_server.py")


def _ours(name: str, script: str, *more: str) -> Program:
    def command(place: Place) -> list[str]:
        return [sys.executable, str(_HERE / "servers" / script), str(place.storage), str(place.port), *more]

    return Program(name, command, lambda album: f"/archive/{album}/")


def all_peers() -> list[Program]:
    """
    Every peer, the strongest first.
    """
    return [nginx_static(), zipstream_ng(), zipstream_ng_gathered(), copyparty(), zip_pipe()]
