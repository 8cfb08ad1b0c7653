"""
What tests of files share: sources of bytes, forms, and a whole site over stores and catalogues in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from fileserve.archive.endpoint import Archives, Pace
from fileserve.archive.plan import Planner
from fileserve.catalogue.memory import MemoryFacts, MemoryFiles
from fileserve.catalogue.memorypictures import MemoryPictures
from fileserve.files.albums import AlbumApi, Taking
from fileserve.files.api import FileApi, Linking
from fileserve.files.contents import Contents
from fileserve.files.downloads import Downloads
from fileserve.files.excerpts import Excerpts
from fileserve.files.intake import Intake, Limits
from fileserve.files.members import Members
from fileserve.files.uploads import Uploads
from fileserve.gallery.stripped import WithoutLocation
from fileserve.gallery.strippedfacts import FactsWithoutLocation
from fileserve.gallery.uploading import UploadRules
from fileserve.http.links import LinkSigner
from fileserve.http.site import Logging, Site
from fileserve.operations.counters import Counts
from fileserve.storage.memory import MemoryStore
from fileserve.web.access import Access
from fileserve.web.api import FileFeatures
from fileserve.web.keys import Keys
from fileserve.web.root import site as resource_of
from fileserve.web.throttle import Throttle

from .gallerysupport import Studio, gallery_features
from .support import Answer, Connection, at_once, parse

KEY = "an-upload-key-for-tests"

BOUNDARY = "----a-boundary"

#: When the clocks of these tests begin: seconds since 1970 UTC.
BEGIN = 1_790_000_000.0

LIMITS = Limits(max_upload=64 * 1024 * 1024, min_free=0)


class Bytes:
    """
    A source of pieces that are there already.
    """

    def __init__(self, *pieces: bytes) -> None:
        self.left = list(pieces)

    async def read(self) -> list[bytes]:
        """
        One piece at a time.
        """
        return [self.left.pop(0)] if self.left else []


class Slowly:
    """
    A source that gives pieces when the test says so, and may fail.
    """

    def __init__(self) -> None:
        self._reading: Deferred[list[bytes]] | None = None

    @property
    def waits(self) -> bool:
        """
        Whether somebody reads.
        """
        return self._reading is not None and not self._reading.called

    async def read(self) -> list[bytes]:
        """
        Wait for the test.
        """
        self._reading = Deferred()
        return await self._reading

    def give(self, *pieces: bytes) -> None:
        """
        Pieces come; none at the end.
        """
        assert self._reading is not None
        self._reading.callback(list(pieces))

    def fail(self, error: Exception) -> None:
        """
        Nothing comes any more.
        """
        assert self._reading is not None
        self._reading.errback(error)


def form(*fields: tuple[str, bytes], boundary: str = BOUNDARY) -> bytes:
    """
    The body of a form.

    :param fields: what stands behind ``form-data``, and the content.
    """
    parts = [
        f"--{boundary}\r\nContent-Disposition: form-data{said}\r\n\r\n".encode() + data + b"\r\n"
        for said, data in fields
    ]
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


def file_field(filename: str, data: bytes, name: str = "file") -> tuple[str, bytes]:
    """
    A field with a file, as browsers send it.
    """
    return f'; name="{name}"; filename="{filename}"', data


class FilesSite:
    """
    The whole site, without threads and without a network, and what it is made of.

    :param parts: what to use in place of what is made here.
    """

    def __init__(
        self,
        store: Any = None,
        files: Any = None,
        facts: Any = None,
        *,
        pictures: Any = None,
        limits: Limits = LIMITS,
        gallery: str | None = "gallery",
        wanted: UploadRules | None = None,
        open_uploads: bool = False,
        in_thread: Any = at_once,
    ) -> None:
        self.clock = Clock()
        self.clock.advance(BEGIN)
        self.store = store or MemoryStore(now_ns=lambda: int(self.clock.seconds() * 1e9))
        self.files = files or MemoryFiles()
        self.pictures = pictures or MemoryPictures()
        self.facts = facts or MemoryFacts(self.pictures)
        now = self.clock.seconds
        self.contents = Contents(self.store, self.facts, in_thread)
        self.intake = Intake(self.store, in_thread, limits, now)
        self.uploads = Uploads(
            self.store, self.files, self.facts, self.intake, lambda: int(now() * 1_000_000)
        )
        self.downloads = Downloads(self.store, self.files, self.contents, now)
        self.keys = Keys.parse(KEY)
        self.access = Access(self.keys, Throttle(now), open_uploads, now)
        self.studio = Studio()
        self.galleries = gallery_features(
            self.store,
            self.facts,
            self.pictures,
            self.contents,
            self.intake,
            clock=self.clock,
            in_thread=in_thread,
            remove=Members(self.store, self.uploads).remove,
            wanted=wanted,
            studio=self.studio,
            album=gallery,
        )
        stripped = self._archives(
            WithoutLocation(self.store, in_thread), FactsWithoutLocation(self.facts), in_thread
        )
        self.resource = resource_of(
            self._archives(self.store, self.facts, in_thread),
            stripped,
            self._features(in_thread, limits),
            self.galleries,
            self.access,
        )
        self.site = Site(self.resource, self.clock, Logging(access=False, trusted=()))

    def _archives(self, store: Any, facts: Any, in_thread: Any) -> Archives:
        pace = Pace(logs=False, pause=None, now=self.clock.seconds)
        return Archives(store, Planner(store, facts, in_thread), Counts(), pace)

    def _features(self, in_thread: Any, limits: Limits) -> FileFeatures:
        linking = Linking(LinkSigner(self.keys.link_keys), self.clock.seconds)
        api = FileApi(self.uploads, self.downloads, self.files, self.store, linking)
        taking = Taking(self.intake, Members(self.store, self.uploads).remove)
        albums = AlbumApi(
            self.store,
            in_thread,
            self.contents,
            pictures=self.pictures,
            taking=taking,
            downloads=self.downloads,
        )
        excerpts = Excerpts(self.store)
        return FileFeatures(
            self.uploads, self.downloads, api, albums, self.files, excerpts, limits.max_upload
        )

    def connect(self) -> Connection:
        """
        A client's connection, to be left in the end.
        """
        return Connection(self.site)

    def ask(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: Iterable[tuple[str, str | bytes]] = (),
        *,
        key: str | None = KEY,
    ) -> Answer:
        """
        Make one request on a connection of its own, with a body of a known length where there is one.

        :param key: what is sent as upload key; ``None`` for nothing.
        """
        connection = self.connect()
        try:
            connection.send(head(method, target, body, headers, key=key) + (body or b""))
            return parse(connection.received(), method)
        finally:
            connection.leave()

    def post(self, *fields: tuple[str, bytes], key: str | None = KEY) -> Answer:
        """
        Send a form to the API.
        """
        return self.ask("POST", "/api/v1/", form(*fields), [FORM_TYPE], key=key)

    def stored(self, filename: str = "a.txt", data: bytes = b"hello") -> dict[str, Any]:
        """
        Take a file in by the API.

        :return: what it said of it.
        """
        answer = self.ask("PUT", f"/api/v1/files/{quote(filename, safe='')}", data)
        assert answer.status == 201, answer
        described: dict[str, Any] = json.loads(answer.body)
        return described

    def rows(self) -> Sequence[str]:
        """
        The short names of all rows, the newest first.
        """
        shown = json.loads(self.ask("GET", "/api/v1/").body)
        return [file["short_name"] for file in shown["files"]]


FORM_TYPE = ("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")


def head(
    method: str,
    target: str,
    body: bytes | None = None,
    headers: Iterable[tuple[str, str | bytes]] = (),
    *,
    key: str | None = KEY,
) -> bytes:
    """
    A request up to its body.
    """
    lines = [f"{method} {target} HTTP/1.1".encode("latin-1"), b"Host: files.example"]
    if key is not None:
        lines.append(b"Authorization: Bearer " + key.encode("latin-1"))
    if body is not None:
        lines.append(b"Content-Length: %d" % len(body))
    for name, value in headers:
        lines.append(name.encode() + b": " + (value.encode("latin-1") if isinstance(value, str) else value))
    return b"\r\n".join(lines) + b"\r\n\r\n"


def problem(answer: Answer) -> dict[str, Any]:
    """
    The error that an answer of the API describes (RFC 9457).
    """
    assert answer.headers["Content-Type"] == "application/problem+json", answer
    said: dict[str, Any] = json.loads(answer.body)
    assert said["status"] == answer.status
    assert said["detail"].endswith((".", "found", "archive")), said
    return said


class Spied:
    """
    Passes calls on to a store or a catalogue, notes them, and fails or waits where a test says so.

    :ivar fails: what a step fails with, by the name of the method.
    :ivar spoilt: what a step fails with after it was done all the same.
    :ivar waits: what a step waits for.
    """

    def __init__(self, inner: Any, journal: list[str] | None = None) -> None:
        self.inner = inner
        self.journal: list[str] = [] if journal is None else journal
        self.fails: dict[str, BaseException] = {}
        self.spoilt: dict[str, BaseException] = {}
        self.waits: dict[str, Deferred[None]] = {}

    def hold(self, name: str) -> Deferred[None]:
        """
        Let a step wait from now on.

        :return: to be fired for it to go on.
        """
        self.waits[name] = Deferred()
        return self.waits[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return partial(self._call, name)

    def _call(self, name: str, *args: object) -> Any:
        if name == "reader":
            return self.inner.reader(*args)
        self.journal.append(name)
        if name in self.fails:
            return fail(self.fails[name])
        if name not in self.waits:
            return self._done(name, *args)
        # What is cancelled here goes on, as in a thread.
        waiting: Deferred[Any] = Deferred(lambda _: None)

        def go_on(_: object) -> None:
            self._done(name, *args).addBoth(
                lambda result: None if waiting.called else waiting.callback(result)
            )

        self.waits[name].addCallback(go_on)
        return waiting

    def _done(self, name: str, *args: object) -> Any:
        result = getattr(self.inner, name)(*args)
        if name in self.spoilt:
            return result.addCallback(lambda _: Failure(self.spoilt[name]))
        return result.addCallback(self._spied) if name == "receive" else result

    def _spied(self, incoming: Any) -> Spied:
        spied = Spied(incoming, self.journal)
        spied.fails, spied.spoilt, spied.waits = self.fails, self.spoilt, self.waits
        return spied
