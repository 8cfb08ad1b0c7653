"""
A fileserve for tests of its clients: a real HTTP server that keeps to the file API, and fails on demand.

That it does keep to it, `tests.djangocontract` proves: the same tests run against it and the real server.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.parser import BytesParser
from email.policy import HTTP
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from unittest import TestCase
from urllib.parse import parse_qs, unquote, urlsplit

from attrs import Factory, define, frozen
from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server import folder

#: The upload key of `FakeCase`.
KEY = "a-key-of-the-tests"

_PIECE = 1 << 20
# Bytes of a refused body that are read and dropped.
_LINGER = 16 << 20

_NOT_FOUND = "File was not found"


@frozen
class Stored:
    """A file that the server has."""

    path: Path
    facts: dict[str, Any]


@frozen
class Refusal(Exception):
    """An answer that ends a request."""

    status: int
    body: bytes
    media_type: str = "application/problem+json"
    headers: tuple[tuple[str, str], ...] = ()


def problem(status: int, detail: str, *headers: tuple[str, str]) -> Refusal:
    """An error as fileserve tells it."""
    said = {"title": "No", "status": status, "detail": detail}
    return Refusal(status, json.dumps(said).encode(), headers=headers)


@define(eq=False)
class FakeFileserve:
    """
    The server.

    :ivar open_uploads: whether anybody may store files; all else needs the key even then.
    :ivar requests: methods and targets of all requests.
    :ivar headers: those of the last request.
    :ivar refusal: what every request is answered with instead.
    :ivar cut_after: bytes of a body after which a response breaks, once.
    :ivar stalls: whether it goes on holding a connection where a response breaks.
    :ivar silent: whether it reads requests and says nothing, until it is no longer silent and hangs up.
    """

    folder: Path
    upload_key: str
    open_uploads: bool
    url: str = ""
    files: dict[str, Stored] = Factory(dict)
    requests: list[tuple[str, str]] = Factory(list)
    headers: dict[str, str] = Factory(dict)
    refusal: Refusal | None = None
    cut_after: int | None = None
    stalls: bool = False
    silent: bool = False

    def store(self, name: str, pieces: Iterator[bytes]) -> dict[str, Any]:
        """
        Keep a file, once all of it has come.
        """
        short = secrets.token_urlsafe(16)
        path, digest = self.folder / short, hashlib.sha256()
        with path.open("wb") as file:
            for piece in pieces:
                file.write(piece)
                digest.update(piece)
        facts = {
            "short_name": short,
            "filename": name,
            "size": path.stat().st_size,
            "sha256": digest.hexdigest(),
            "path_in_storage": f"{short}/{name}",
            "created_at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        }
        self.files[short] = Stored(path, facts)
        return facts

    def named(self, short: str) -> Stored:
        """
        The file of a short name.
        """
        if short not in self.files:
            raise problem(404, _NOT_FOUND)
        return self.files[short]


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # closing it waits for them


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeFileserve

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
        """Say nothing."""

    def _answer(self) -> None:
        self.fake.requests.append((self.command, self.path))
        self.fake.headers = {name.lower(): text for name, text in self.headers.items()}
        if self.fake.silent:
            self.close_connection = True
            while self.fake.silent:
                threading.Event().wait(0.01)
            return
        try:
            if self.fake.refusal is not None:
                raise self.fake.refusal
            self._route()
        except Refusal as refusal:
            self.close_connection = True
            self._say(refusal.status, refusal.body, refusal.media_type, *refusal.headers)
            self._drain()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer

    def _drain(self) -> None:
        # What came and is not read when a connection is closed takes the answer with it.
        left = _LINGER
        with suppress(OSError):  # the client is gone
            self.connection.shutdown(socket.SHUT_WR)
            while left > 0 and (data := self.rfile.read1(_PIECE)):
                left -= len(data)

    def _route(self) -> None:
        url = urlsplit(self.path)
        if not url.path.startswith("/api/v1/"):
            raise Refusal(404, b"Not found\n", "text/plain")
        words = url.path.removeprefix("/api/v1/").split("/")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        match self.command, words:
            case "PUT", ["files", name]:
                self._allow_upload()
                self._json(201, self.fake.store(unquote(name), self._body()))
            case "POST", [""]:
                self._allow_upload()
                self._json(201, self.fake.store(*self._form()))
            case "GET", [""]:
                self._allow()
                self._list(int(query["limit"]), query.get("after", ""))
            case "GET", ["get-url", short]:
                self._allow()
                self.fake.named(short)
                self._json(200, f"{self.fake.url}/api/v1/download-stream/{short}?until={query['expires']}")
            case "GET" | "HEAD", ["download-stream", short]:
                self._download(self.fake.named(short))
            case "GET", [short]:
                self._json(200, self.fake.named(short).facts)
            case "DELETE", [short]:
                self._allow()
                self.fake.named(short).path.unlink()
                del self.fake.files[short]
                self._say(204, b"", "text/plain")
            case _:
                raise problem(404, "No such page")

    def _allow(self) -> None:
        if self.headers["Authorization"] != f"Bearer {self.fake.upload_key}":
            raise problem(401, "The upload key is missing or wrong", ("WWW-Authenticate", "Bearer"))

    def _allow_upload(self) -> None:
        if not self.fake.open_uploads:
            self._allow()

    def _body(self) -> Iterator[bytes]:
        if self.headers["Transfer-Encoding"] == "chunked":
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers["Content-Length"])
        while left:
            piece = self.rfile.read(min(left, _PIECE))
            if not piece:
                raise ConnectionAbortedError
            left -= len(piece)
            yield piece

    def _form(self) -> tuple[str, Iterator[bytes]]:
        kind = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        form = BytesParser(policy=HTTP).parsebytes(kind + b"".join(self._body()))
        for part in form.iter_parts():
            if part.get_param("name", header="content-disposition") == "file":
                return part.get_filename(""), iter([cast(bytes, part.get_payload(decode=True))])
        raise problem(422, "The field file is missing")

    def _list(self, limit: int, after: str) -> None:
        newest = [file.facts for file in reversed(self.fake.files.values())]
        start = int(after or "0")
        following = str(start + limit) if start + limit < len(newest) else None
        self._json(200, {"files": newest[start : start + limit], "next": following})

    def _download(self, file: Stored) -> None:
        data, etag = file.path.read_bytes(), f'"{file.facts["sha256"]}-{file.path.stat().st_mtime_ns}"'
        if self.headers.get("If-Match", etag) != etag:
            raise problem(412, "The file is another by now")
        start, status = 0, 200
        fields = [("ETag", etag), ("Last-Modified", format_datetime(self._modified(file), usegmt=True))]
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted:
            start, status = int(wanted[1]), 206
            fields.append(("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}"))
        self._say(status, data[start:], "application/octet-stream", *fields)

    def _modified(self, file: Stored) -> datetime:
        return datetime.fromtimestamp(int(file.path.stat().st_mtime), UTC)

    def _json(self, status: int, value: object) -> None:
        self._say(status, json.dumps(value).encode(), "application/json")

    def _say(self, status: int, body: bytes, media_type: str, *fields: tuple[str, str]) -> None:
        self.send_response(status)
        for name, text in (("Content-Type", media_type), ("Content-Length", str(len(body))), *fields):
            self.send_header(name, text)
        self.end_headers()
        cut, self.fake.cut_after = self.fake.cut_after, None
        if cut is not None:
            self.close_connection = True
        if self.command != "HEAD":
            self.wfile.write(body[:cut])
        while cut is not None and self.fake.stalls:
            threading.Event().wait(0.01)


def start(case: TestCase, upload_key: str, *, open_uploads: bool = False) -> FakeFileserve:
    """
    Start a server that ends with the test.
    """
    fake = FakeFileserve(folder(case), upload_key, open_uploads)
    handler = type("Handler", (_Handler,), {"fake": fake})
    server = _Server(("127.0.0.1", 0), handler)
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()

    def stop() -> None:
        fake.silent = fake.stalls = False
        server.shutdown()
        server.server_close()
        thread.join()

    case.addCleanup(stop)
    return fake


class FakeCase(SynchronousTestCase):
    """Tests with such a server."""

    open_uploads = False

    def start_server(self) -> Mapping[str, Any]:
        """Start it, and say what ``FILESERVE`` has to be for it."""
        self.fake = start(self, KEY, open_uploads=self.open_uploads)
        return {"URL": self.fake.url} if self.open_uploads else {"URL": self.fake.url, "UPLOAD_KEY": KEY}
