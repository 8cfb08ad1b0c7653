"""
A test that kills the server in the middle of uploads and deletions, and sees what the next one makes of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import threading
import time
from http.client import HTTPConnection, HTTPException
from typing import Any
from unittest import TestCase

from .clients import LOOPBACK, PATIENCE
from .server import folder
from .uploading import FileServer

_CLIENTS = 4

#: Uploads and deletions that were answered until it is enough.
_ENOUGH = 300

#: Seconds that a server lives, at the most; the first answers take a few hundredths.
_LIVES = 0.2

_BOUNDARY = "a-boundary"


class Ledger:
    """
    What clients were told, by several threads.

    :ivar there: each file that was answered with 201 and not asked to be removed, as it was described.
    :ivar gone: files whose removal was answered with 204.
    :ivar doubtful: files whose removal was asked for and not answered.
    :ivar pairs: names of files that were sent in one form each; those that were asked to be removed left out.
    """

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.lock = threading.Lock()
        self.there: dict[str, dict[str, Any]] = {}
        self.gone: set[str] = set()
        self.doubtful: set[str] = set()
        self.pairs: list[set[str]] = []
        self.answered = 0

    def stored(self, *files: dict[str, Any]) -> None:
        """These were answered with 201."""
        with self.lock:
            self.there.update({file["short_name"]: file for file in files})
            self.answered += 1

    def take_one(self) -> str | None:
        """A file to be removed: from now on it may be there or not."""
        with self.lock:
            if len(self.there) < 10:
                return None
            name = self.chance.choice(list(self.there))
            filename = self.there.pop(name)["filename"]
            self.pairs = [pair for pair in self.pairs if filename not in pair]
            self.doubtful.add(name)
            return name

    def removed(self, name: str) -> None:
        """Its removal was answered with 204."""
        with self.lock:
            self.doubtful.discard(name)
            self.gone.add(name)
            self.answered += 1


class Client(threading.Thread):
    """
    Uploads and removes, one after the other, until the server is gone.
    """

    def __init__(self, ledger: Ledger, port: int, key: str) -> None:
        super().__init__()
        self._ledger = ledger
        self._connection = HTTPConnection(LOOPBACK, port, timeout=PATIENCE)
        self._permitted = {"Authorization": f"Bearer {key}"}
        self._chance = random.Random(ledger.chance.random())
        #: An answer that nobody should get.
        self.wrong: str | None = None

    def run(self) -> None:
        """Until the connection is lost."""
        try:
            while self.wrong is None:
                self._chance.choice((self._put, self._put, self._post, self._remove))()
        except (OSError, HTTPException):
            pass
        finally:
            self._connection.close()

    def _data(self) -> bytes:
        size = self._chance.choice((0, 10, 10_000, 100_000, 2_000_000))
        return self._chance.randbytes(size)

    def _ask(self, method: str, target: str, status: int, body: Any = None, **headers: str) -> bytes:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, target, body, {**self._permitted, **named})
        response = self._connection.getresponse()
        answer = response.read()
        if response.status != status:
            self.wrong = f"{method} {target}: {response.status} {answer!r}"
        return answer

    def _put(self) -> None:
        data = self._data()
        # An iterable body is sent in chunks.
        body = data if self._chance.random() < 0.5 else iter([data[:7] or b"x", data[7:] or b"x"])
        self._ledger.stored(json.loads(self._ask("PUT", "/api/v1/files/a.bin", 201, body)))

    def _post(self) -> None:
        number = self._chance.getrandbits(64)
        names = (f"{number}-1", f"{number}-2")
        with self._ledger.lock:
            self._ledger.pairs.append(set(names))
        body = b""
        for name in names:
            said = f'form-data; name="file"; filename="{name}"'
            body += f"--{_BOUNDARY}\r\nContent-Disposition: {said}\r\n\r\n".encode() + self._data() + b"\r\n"
        body += f"--{_BOUNDARY}--".encode()
        kind = f"multipart/form-data; boundary={_BOUNDARY}"
        self._ledger.stored(*json.loads(self._ask("POST", "/api/v1/", 201, body, Content_Type=kind)))

    def _remove(self) -> None:
        name = self._ledger.take_one()
        if name is not None:
            self._ask("DELETE", f"/api/v1/{name}", 204)
            self._ledger.removed(name)


class CrashTests(TestCase):
    """SIGKILL, at any moment."""

    def test_killed(self) -> None:
        """
        Every 201 is there with its SHA-256, nothing half-written is served, store and catalogue agree,
        leftovers are gone, no removed file is back, and forms are there as a whole or not at all.
        """
        seed = random.randrange(1 << 32)
        ledger = Ledger(random.Random(seed))
        root, state = folder(self), folder(self)
        while ledger.answered < _ENOUGH:
            server = FileServer(self, root=root, state=state)
            clients = [Client(ledger, server.process.port, server.key) for _ in range(_CLIENTS)]
            for client in clients:
                client.start()
            time.sleep(ledger.chance.uniform(0.01, _LIVES))
            server.process.kill()
            for client in clients:
                client.join(PATIENCE)
                self.assertIsNone(client.wrong, f"seed {seed}")
        self.assert_in_step(FileServer(self, root=root, state=state), ledger, f"seed {seed}")

    def assert_in_step(self, server: FileServer, ledger: Ledger, seed: str) -> None:
        """What the last server says is what clients were told."""
        server.wait_until_settled()
        listed = {file["short_name"]: file for file in server.files()}
        unlisted = {name: os.listdir(server.root / name) for name in server.albums() if name not in listed}
        self.assertEqual(unlisted, {}, seed)
        self.assertEqual(server.albums(), sorted(listed), seed)
        self.assertEqual(ledger.gone & set(listed), set(), seed)
        self.assertEqual(set(ledger.there) - set(listed), set(), seed)
        for name, file in listed.items():
            answer = server.ask(f"/api/v1/download-full/{name}")
            self.assertEqual(answer.status, 200, seed)
            self.assertEqual(hashlib.sha256(answer.body).hexdigest(), file["sha256"], seed)
            self.assertEqual(ledger.there.get(name, file), file, seed)
            (stored,) = (server.root / name).iterdir()
            self.assertEqual(stored.stat().st_size, file["size"], seed)
        names = {file["filename"] for file in listed.values()}
        for pair in ledger.pairs:
            self.assertIn(len(names & pair), {0, 2}, seed)
