"""
The description of the API against a real server: schemathesis asks what the description allows, and what it
does not, and compares the answers.
"""

from __future__ import annotations

import json
import subprocess
import sys
from http.client import HTTPConnection
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Any
from unittest import TestCase
from urllib.parse import parse_qsl, urlsplit

from .clients import LOOPBACK, PATIENCE
from .server import PROJECT, Server, environment, folder, missing, start

_HERE = Path(__file__).parent

#: Requests that are thought up for each operation, beside the systematic ones. The same ones each time.
_EXAMPLES = "25"

#: Seconds. A run takes some 15.
_LONGEST = 3 * PATIENCE

_ALBUM, _MEMBER = "3bea29ccabbbf64bdebcc055319c5745", "1.txt"


class DescriptionTests(TestCase):
    """What the description says is what the server does."""

    def setUp(self) -> None:
        if find_spec("schemathesis") is None:
            missing("schemathesis is not installed")

    def test_with_the_upload_key(self) -> None:
        """
        With the upload key: no status, type, header or body that is not described, nothing bad accepted and
        nothing good refused, every other method is 405, no operation forgets to ask for the key, and what
        was removed is gone.
        """
        server, key = self._start()
        config = self._config(server, key) + f'\n[auth.openapi]\nupload_key = {{ bearer = "{key}" }}\n'
        self._run(server, config)

    def test_open_uploads(self) -> None:
        """The same without a key, where everybody may upload, and nobody may list, replace or remove."""
        server, key = self._start("--open-uploads")
        self._run(server, self._config(server, key))

    def _start(self, *options: str) -> tuple[Server, str]:
        state, root = folder(self), folder(self)
        server = start(self, root, "--trust-proxy", LOOPBACK, *options, state=state)
        return server, (state / "upload-key").read_text().split()[0]

    def _config(self, server: Server, key: str) -> str:
        """The configuration, about files that are there."""
        stored = _asked(server, "PUT", "/api/v1/files/greetings.txt", key)
        _asked(server, "PUT", f"/api/v1/albums/{_ALBUM}/{_MEMBER}", key)
        link = dict(
            parse_qsl(urlsplit(_asked(server, "GET", f"/api/v1/get-url/{stored['short_name']}", key)).query)
        )
        return Template((_HERE / "schemathesis.toml").read_text()).substitute(
            HOOKS=_HERE / "openapi_hooks.py",
            SHORT_NAME=stored["short_name"],
            IDENTITY=stored["id"],
            ALBUM=_ALBUM,
            MEMBER=_MEMBER,
            EXPIRES=link["expires"],
            SIGNED_BY=link["key"],
            SIGNATURE=link["signature"],
        )

    def _run(self, server: Server, config: str) -> None:
        directory = folder(self)
        (directory / "schemathesis.toml").write_text(config)
        origin = f"http://{LOOPBACK}:{server.port}"
        words = ["-m", "schemathesis.cli", "--config-file", "schemathesis.toml"]
        words += ["run", f"{origin}/api/openapi.json", "--url", origin, "--checks", "all"]
        words += ["--max-examples", _EXAMPLES, "--generation-deterministic", "--continue-on-failure"]
        ran = subprocess.run(
            [sys.executable, *words, "--warnings", "off", "--no-color"],
            cwd=directory,
            env=environment(PYTHONPATH=str(PROJECT)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_LONGEST,
            check=False,
        )
        self.assertEqual(ran.returncode, 0, ran.stdout.decode(errors="replace"))


def _asked(server: Server, method: str, target: str, key: str) -> Any:
    """The JSON of an answer; whatever is sent has this body."""
    connection = HTTPConnection(LOOPBACK, server.port, timeout=PATIENCE)
    try:
        body = b"Hello, world!\n" if method == "PUT" else None
        connection.request(method, target, body, {"Authorization": f"Bearer {key}"})
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
