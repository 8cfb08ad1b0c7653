"""
A real server that takes files in, curl as its client, and a look at its folders and catalogue from outside.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import TestCase

from attrs import frozen

from .clients import LOOPBACK, PATIENCE, Answer, eventually
from .server import Server, folder, start


@frozen
class Curled:
    """
    What curl got, and what it sent of its body.
    """

    status: int
    body: bytes
    uploaded: int
    code: int

    @property
    def json(self) -> Any:
        """
        The body as JSON.
        """
        return json.loads(self.body)


class FileServer:
    """
    A server with a storage root and a state directory of its own, which it may share with another one.

    :param how: see `start`.
    """

    def __init__(
        self,
        case: TestCase,
        *options: str,
        root: Path | None = None,
        state: Path | None = None,
        **how: Any,
    ) -> None:
        self.root = root or folder(case)
        self.state = state or folder(case)
        self.scratch = folder(case)
        # What is left free on the disk of this machine is no matter of these tests.
        options = options if "--min-free" in options else ("--min-free", "0", *options)
        self.process: Server = start(case, self.root, *options, state=self.state, **how)

    @property
    def key(self) -> str:
        """
        The upload key.
        """
        return (self.state / "upload-key").read_text().strip()

    def ask(self, target: str, method: str = "GET", **headers: str) -> Answer:
        """
        Make one request, with the key.
        """
        return self.process.ask(target, method, Authorization=f"Bearer {self.key}", **headers)

    def address(self, target: str) -> str:
        """
        A URL.
        """
        return f"http://{LOOPBACK}:{self.process.port}{target}"

    def curl(
        self, target: str, *words: str, key: bool = True, given: bytes | None = None, **how: Any
    ) -> Curled:
        """
        Run curl.

        :param given: on its standard input.
        """
        answer = self.scratch / "answer"
        answer.unlink(missing_ok=True)
        permitted = ["-H", f"Authorization: Bearer {self.key}"] if key else []
        command = ["curl", "-sS", "-o", str(answer), "-w", "%{http_code} %{size_upload}", *permitted, *words]
        done = subprocess.run(
            [*command, self.address(target)],
            input=given,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            **how,
        )
        status, uploaded = done.stdout.split()
        body = answer.read_bytes() if answer.exists() else b""
        return Curled(int(status), body, int(float(uploaded)), done.returncode)

    def put(self, name: str, data: bytes) -> Any:
        """
        Store a file.

        :return: what the server said of it.
        """
        answer = self.curl(f"/api/v1/files/{name}", "-T", "-", given=data)
        assert answer.status == 201, answer
        return answer.json

    def files(self) -> list[dict[str, Any]]:
        """
        All files that it lists.
        """
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            page = json.loads(self.ask(f"/api/v1/?limit=100&after={after}").body)
            found += page["files"]
            if page["next"] is None:
                return found
            after = page["next"]

    def unsettled(self) -> int:
        """
        How many places its catalogue notes as unsettled.
        """
        with closing(sqlite3.connect(self.state / "catalogue.sqlite", timeout=PATIENCE)) as catalogue:
            (number,) = catalogue.execute("SELECT count(*) FROM unsettled").fetchone()
            return int(number)

    def in_progress(self) -> Sequence[str]:
        """
        Unfinished files below its root.
        """
        try:
            return os.listdir(self.root / ".incoming")
        except FileNotFoundError:
            return ()

    def albums(self) -> list[str]:
        """
        What lies in its root.
        """
        return sorted(name for name in os.listdir(self.root) if name != ".incoming")

    def wait_until_settled(self) -> None:
        """
        Wait until nothing unfinished is left, in the store and in the catalogue.
        """
        eventually(lambda: not self.in_progress() and not self.unsettled(), "leftovers to be gone")
