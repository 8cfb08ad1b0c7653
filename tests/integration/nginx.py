"""
A real nginx for tests, in front of a server, with the site that ``docs/deploy`` has for operators.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
from pathlib import Path
from unittest import TestCase

from .clients import LOOPBACK, PATIENCE, GaveUp, eventually
from .server import PROJECT, descriptors_of, folder, free_port, need, where_is

SITE = PROJECT / "docs" / "deploy" / "nginx.conf"

# What Debian's own nginx.conf has around sites, as far as it matters, kept inside one directory.
_AROUND = """\
{user}
daemon off;
pid {where}/pid;
error_log {where}/error.log;
events {{ worker_connections 256; }}
http {{
    sendfile on;
    gzip on;
    gzip_types *;
    client_body_temp_path {where}/body;
    proxy_temp_path {where}/proxy;
    fastcgi_temp_path {where}/fastcgi;
    uwsgi_temp_path {where}/uwsgi;
    scgi_temp_path {where}/scgi;
    include {where}/site.conf;
}}
"""


class Nginx:
    """
    One nginx with two processes, ended with the test.

    :ivar port: where it listens.
    """

    def __init__(self, case: TestCase, upstream: str) -> None:
        need("nginx")
        self.port = free_port()
        self._where = folder(case)
        self._write_files(upstream)
        command = [
            where_is("nginx") or "nginx",
            "-p",
            str(self._where),
            "-c",
            str(self._where / "nginx.conf"),
        ]
        with (self._where / "output").open("wb") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        case.addCleanup(self._stop)
        eventually(self._listens, "nginx to listen")

    def _write_files(self, upstream: str) -> None:
        user = "user root;" if os.geteuid() == 0 else ""
        around = _AROUND.format(user=user, where=self._where)
        (self._where / "nginx.conf").write_text(around)
        site = SITE.read_text(encoding="utf-8")
        for line, ours in (
            (r"^    server 127\.0\.0\.1:8080;$", f"    server {upstream};"),
            (r"^    listen 80;$", f"    listen {LOOPBACK}:{self.port};"),
            (r"^    access_log \S+ fileserve;$", f"    access_log {self._where}/access.log fileserve;"),
            (r"^    error_log \S+ crit;$", f"    error_log {self._where}/error.log crit;"),
        ):
            site, found = re.subn(line, ours, site, flags=re.MULTILINE)
            if found != 1:
                raise GaveUp(f"the site has no line {line}")
        (self._where / "site.conf").write_text(site, encoding="utf-8")

    def _listens(self) -> bool:
        if self._process.poll() is not None:
            raise GaveUp(f"nginx ended: {self._said('output')}{self.errors}")
        with socket.socket() as probe:
            return probe.connect_ex((LOOPBACK, self.port)) == 0

    def _said(self, file: str) -> str:
        path = self._where / file
        return path.read_text(encoding="utf-8") if path.exists() else ""

    @property
    def errors(self) -> str:
        """
        Its error log.
        """
        return self._said("error.log")

    @property
    def accesses(self) -> str:
        """
        Its access log.
        """
        return self._said("access.log")

    @property
    def temporary(self) -> list[str]:
        """
        Files of bodies that it has on the disk; it removes their names as soon as they are open.
        """
        pid = self._process.pid
        workers = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        links = [link for worker in workers for link in descriptors_of(int(worker))]
        return [link for link in links if link.startswith((f"{self._where}/proxy", f"{self._where}/body"))]

    def _stop(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)
