"""
Tests of a file as the body of a response: in memory, and through a real site over connections of three kinds.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from email import message_from_bytes
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from klein import Klein
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from fileserve.http.filebody import FileBody
from fileserve.http.producing import CHUNK, SMALL
from fileserve.http.ranges import Span
from fileserve.http.refusal import Refusal
from fileserve.http.representation import Representation, describe
from fileserve.http.sending import send
from fileserve.http.site import Request
from fileserve.http.transport import make_ports_send_files
from fileserve.storage.disk import DiskStore
from fileserve.storage.errors import MemberChanged
from fileserve.storage.held import InThread
from fileserve.storage.interfaces import IOpenMember, Member

from . import test_http_transport as over_sockets
from .support import (
    Answer,
    Connection,
    SlowConsumer,
    ask,
    at_once,
    open_descriptors,
    parse,
    site_of_resource,
    until,
    write_album,
)
from .test_http_producing import MemberInMemory
from .test_http_transport import Ends

_MIB = 1024 * 1024
_RANDOM = Random(3)
_LARGE = _RANDOM.randbytes(3 * _MIB + 99)
_FILES = {"empty": b"", "small": _RANDOM.randbytes(10_240), "limit": _LARGE[:SMALL], "large": _LARGE}

#: More than the kernel's buffers between two processes of one machine hold.
_PLENTY = 64 * _MIB


class Files:
    """
    An app that sends the members of one album.

    :ivar errors: what reached the error handler.
    :ivar read: how many bytes were read, and not sent from a file.
    """

    app = Klein()

    def __init__(self, root: Path, in_thread: InThread = at_once) -> None:
        self._store = DiskStore(str(root), in_thread)
        self.errors: list[Failure] = []
        self.read = 0

    async def open(self, name: bytes) -> tuple[Member, IOpenMember]:
        """A member as it was listed, and held open."""
        listing = await self._store.list("album")
        member = next(member for member in listing.members if member.path == name)
        reader = self._store.reader("album")
        try:
            return member, await reader.open(member)
        finally:
            reader.close()

    @app.route("/<name>")
    def file(self, request: Request, name: str) -> Deferred[None]:
        return Deferred.fromCoroutine(self._send(request, name.encode()))

    async def _send(self, request: Request, name: bytes) -> None:
        member, opened = await self.open(name)
        try:
            items = describe(request, _representation(member), now=2_000_000_000)
        except BaseException:
            opened.close()
            raise
        self._count_reads(opened)
        await send(request, FileBody(opened, items))

    def _count_reads(self, opened: Any) -> None:
        read = opened.read

        def counted(offset: int, length: int) -> Any:
            self.read += length
            return read(offset, length)

        opened.read = counted

    @app.handle_errors(Refusal)  # type: ignore[arg-type]
    def refused(self, request: Request, failure: Failure) -> bytes:
        request.setResponseCode(cast(Refusal, failure.value).status)
        return b""

    @app.handle_errors(Exception)  # type: ignore[arg-type]
    def failed(self, request: Request, failure: Failure) -> bytes:
        self.errors.append(failure)
        request.setResponseCode(500)
        request.setHeader(b"Content-Length", b"5")
        return b"error"


def _representation(member: Member) -> Representation:
    return Representation(
        media_type=b"image/jpeg",
        length=member.size,
        etag=b'"%b"' % member.version.encode(),
        last_modified=member.mtime_ns // 10**9,
        disposition=b"inline",
        cache_control=b"no-cache",
    )


class FilesCase(SynchronousTestCase):
    """An album on a disk; no test leaves a descriptor open."""

    def setUp(self) -> None:
        before = open_descriptors()
        self.addCleanup(lambda: self.assertEqual(open_descriptors(), before))
        root = Path(self.mktemp())
        self.folder = write_album(root, "album", _FILES)
        self.files = Files(root)

    def body(self, name: str, *items: bytes | Span) -> FileBody:
        _, opened = self.successResultOf(Deferred.fromCoroutine(self.files.open(name.encode())))
        return FileBody(opened, items)


def _begin(body: FileBody, consumer: SlowConsumer) -> Deferred[None]:
    return body.produce_to(cast(Request, consumer))


class ProducedTests(FilesCase):
    """What is produced for a consumer."""

    # The album is made once and only read.
    @settings(deadline=None, suppress_health_check=[HealthCheck.differing_executors], max_examples=60)
    @given(st.data(), st.booleans(), st.sampled_from([0, CHUNK, 10**9]))
    def test_any_items(self, data: st.DataObject, sends_files: bool, limit: int) -> None:
        """Whatever bytes and spans are to be sent: those, in order, with a chunk held at the most."""
        items = data.draw(st.lists(st.binary(max_size=5) | _spans(len(_LARGE)), max_size=4))
        consumer = SlowConsumer(limit, sends_files=sends_files)
        producing = _begin(self.body("large", *items), consumer)
        consumer.drain_all()
        self.successResultOf(producing)
        expected = b"".join(i if isinstance(i, bytes) else _LARGE[i.start : i.stop] for i in items)
        self.assertEqual(bytes(consumer.received), expected)
        self.assertLessEqual(consumer.peak, limit + CHUNK)
        self.assertEqual(consumer.unasked, 0)

    def test_small(self) -> None:
        """A small file is one writing, which the headers may join."""
        for sends_files in (False, True):
            consumer = SlowConsumer(10**9, sends_files=sends_files)
            self.successResultOf(_begin(self.body("small", Span(0, 10_240)), consumer))
            self.assertEqual(consumer.writes, [10_240])

    def test_empty(self) -> None:
        """Of an empty file nothing is written."""
        consumer = SlowConsumer(0, sends_files=True)
        self.successResultOf(_begin(self.body("empty", Span(0, 0)), consumer))
        self.assertEqual(consumer.writes, [])

    def test_nothing_to_send(self) -> None:
        """Without items nothing is written, and the file is closed all the same."""
        consumer = SlowConsumer(0, sends_files=True)
        self.successResultOf(_begin(self.body("large"), consumer))
        self.assertEqual(consumer.writes, [])

    def test_never_sent(self) -> None:
        """Who finds that there is nothing to send closes the body instead."""
        self.body("large").close()

    def test_from_a_bucket(self) -> None:
        """A member that has no descriptor is read and written, also to who could be sent a file."""
        opened, consumer = MemberInMemory(_LARGE), SlowConsumer(CHUNK - 1, sends_files=True)
        producing = _begin(FileBody(opened, [Span(0, len(_LARGE))]), consumer)
        consumer.drain_all()
        self.successResultOf(producing)
        self.assertEqual(bytes(consumer.received), _LARGE)
        self.assertEqual((opened.closed, consumer.peak), (1, CHUNK))

    def test_client_gone(self) -> None:
        """When the client is gone, the file is closed."""
        for sends_files in (False, True):
            consumer = SlowConsumer(0, sends_files=sends_files, files_by_hand=True)
            producing = _begin(self.body("large", Span(0, len(_LARGE))), consumer)
            self.assertNoResult(producing)
            consumer.producer.stopProducing()
            self.failureResultOf(producing, CancelledError)


class AnswerTests(FilesCase):
    """Whole responses, in memory: written, as under TLS."""

    def ask(self, name: str, method: str = "GET", **headers: str) -> Answer:
        self.site = site_of_resource(self.files.app.resource())
        return ask(self.site, f"/{name}", method, headers.items())

    def test_whole(self) -> None:
        """A file of any size comes as it is."""
        for name, data in _FILES.items():
            answer = self.ask(name)
            self.assertEqual((answer.status, answer.body), (200, data), name)
            self.assertEqual(answer.headers["Content-Length"], str(len(data)))

    def test_head(self) -> None:
        """``HEAD`` has the length and no body, and nothing is read."""
        answer = self.ask("large", "HEAD")
        self.assertEqual((answer.status, answer.headers["Content-Length"]), (200, str(len(_LARGE))))
        self.assertEqual((answer.body, self.files.read), (b"", 0))

    def test_not_modified(self) -> None:
        """A version that the client has is not sent."""
        etag = self.ask("large").headers["ETag"]
        self.files.read = 0
        answer = self.ask("large", **{"If-None-Match": etag})
        self.assertEqual((answer.status, answer.body, self.files.read), (304, b"", 0))

    def test_range(self) -> None:
        """One range is sent alone; none that exists is refused, and the file is closed then too."""
        answer = self.ask("large", Range="bytes=1000000-1999999")
        self.assertEqual((answer.status, answer.body), (206, _LARGE[1_000_000:2_000_000]))
        self.assertEqual(self.ask("empty", Range="bytes=0-").status, 416)

    def test_ranges(self) -> None:
        """Several ranges come as the parts of one message, as Python's own reader of messages takes them."""
        answer = self.ask("large", Range="bytes=0-9,500000-1500000,-7")
        self.assertEqual(answer.status, 206)
        self.assertEqual(_parts(answer), [_LARGE[:10], _LARGE[500_000:1_500_001], _LARGE[-7:]])
        self.assertEqual(answer.headers["Content-Length"], str(len(answer.body)))

    def begin(self, change: Callable[[Path], object]) -> Connection:
        """Ask for a file that changes between its opening and the first byte."""
        opening = self.files.open

        async def opened_then_changed(name: bytes) -> tuple[Member, IOpenMember]:
            result = await opening(name)
            change(self.folder / name.decode())
            return result

        self.files.open = opened_then_changed  # type: ignore[method-assign]
        connection = Connection(site_of_resource(self.files.app.resource()))
        self.addCleanup(connection.leave)
        connection.send(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        return connection

    def test_changed_before_the_first_byte(self) -> None:
        """What changed before the first byte is an error that can be answered."""
        for what, change in _CHANGES.items():
            self.files.errors.clear()
            (self.folder / "large").write_bytes(_LARGE)
            answer = self.begin(change).answer()
            self.assertEqual((answer.status, answer.body), (500, b"error"), what)
            self.assertTrue(all(error.check(MemberChanged) for error in self.files.errors))
            self.assertEqual(len(self.files.errors), 1)


class SocketTests(TestCase):
    """
    A real site over TCP, whose transports send files.

    :cvar sends_files: whether they do.
    """

    timeout = 60
    sends_files = True

    async def setUp(self) -> None:  # type: ignore[override]  # trial waits for it
        await deferLater(cast(Any, reactor), 0)  # when it turns, it has opened what it needs itself
        root = Path(self.mktemp())
        self.folder = write_album(root, "album", _FILES)
        with (self.folder / "plenty").open("wb") as file:
            file.truncate(_PLENTY)
        self.files = Files(root, deferToThread)
        self.site = site_of_resource(self.files.app.resource(), cast(Any, reactor))
        self.port = self.listen()
        self.addCleanup(self.port.stopListening)
        self.before = open_descriptors()

    def listen(self) -> Any:
        port = cast(Any, reactor).listenTCP(0, self.site, interface="127.0.0.1")
        make_ports_send_files(port, 600)
        return port

    def endpoint(self) -> Any:
        return HostnameEndpoint(cast(Any, reactor), "127.0.0.1", self.port.getHost().port)

    async def ask(self, *names: str, headers: str = "", reads: bool = True) -> Ends:
        """A client that asks for files on one connection, and stops reading soon if it is not to."""
        client: Ends = await connectProtocol(self.endpoint(), Ends())
        lines = [f"GET /{name} HTTP/1.1\r\nHost: x\r\n{headers}\r\n" for name in names]
        client.socket.write("".join(lines).encode())
        if not reads:
            await until(lambda: bool(client.received))  # TLS has to be agreed on before
            client.socket.pauseProducing()
        return client

    async def fetch(self, name: str, headers: str = "") -> Answer:
        client = await self.ask(name, headers="Connection: close\r\n" + headers)
        await client.lost
        return parse(bytes(client.received))

    async def all_closed(self) -> None:
        """Wait until no file and no connection is open any more."""
        await until(lambda: open_descriptors() == self.before and not self.site.connections)

    async def test_whole(self) -> None:
        """Any file comes as it is; where files can be sent, large ones are only read at their end."""
        for name, data in _FILES.items():
            self.files.read = 0
            answer = await self.fetch(name)
            self.assertEqual((answer.status, answer.body == data), (200, True), name)
            by_file = self.sends_files and len(data) > SMALL
            self.assertEqual(self.files.read, 16 * 1024 if by_file else len(data))
        await self.all_closed()

    async def test_ranges(self) -> None:
        """Large and small ranges of one request come as the parts of one message."""
        answer = await self.fetch("large", "Range: bytes=-7, 500000-1500000, 0-99\r\n")
        self.assertEqual(answer.status, 206)
        self.assertEqual(_parts(answer), [_LARGE[-7:], _LARGE[500_000:1_500_001], _LARGE[:100]])
        await self.all_closed()

    async def test_one_after_another(self) -> None:
        """Requests that come together are answered one after the other, on one connection."""
        names = ["small", "large", "empty", "limit", "small"] * 3
        client = await self.ask(*names)
        expected = b"".join(_FILES[name] for name in names)
        await until(
            lambda: len(client.received) >= len(expected) and client.received.endswith(_FILES["small"])
        )
        rest = bytes(client.received)
        for name in names:
            head, _, rest = rest.partition(b"\r\n\r\n")
            self.assertTrue(head.startswith(b"HTTP/1.1 200"), name)
            self.assertTrue(rest.startswith(_FILES[name]), name)
            rest = rest[len(_FILES[name]) :]
        self.assertEqual(rest, b"")
        client.socket.abortConnection()
        await self.all_closed()

    async def test_client_leaves(self) -> None:
        """A client that leaves at any moment leaves no file open, and nothing to log."""
        chance = Random(4)
        for _ in range(40):
            name = chance.choice(["large", "plenty"])
            headers = chance.choice(["", "", "Range: bytes=0-99,1000-3000000\r\n"])
            enough = chance.choice([0, 1, chance.randrange(2000), chance.randrange(3 * _MIB)])
            client = await self.ask(name, headers=headers)
            await until(lambda client=client, enough=enough: len(client.received) >= enough)  # type: ignore[misc]
            client.socket.abortConnection()
            await client.lost
        await self.all_closed()
        self.assertEqual(self.flushLoggedErrors(), [])

    async def settled(self, client: Ends) -> None:
        """Wait until a client that does not read has what finds room on the way."""
        await until(lambda: open_descriptors() >= self.before + 3)  # two ends and the file
        state: tuple[int, int] | None = None
        while state != (state := (self.files.read, over_sockets._unsent(client))):
            await deferLater(cast(Any, reactor), 0.1)

    async def test_changes_while_it_is_sent(self) -> None:
        """A file that changes in any way while it is sent is cut before its end."""
        path = self.folder / "plenty"
        for what, change in _CHANGES.items():
            client = await self.ask("plenty", reads=False)
            await self.settled(client)
            change(path)
            client.socket.resumeProducing()
            await client.lost
            head, _, body = bytes(client.received).partition(b"\r\n\r\n")
            self.assertIn(b"Content-Length: %d" % _PLENTY, head)
            self.assertLess(len(body), _PLENTY, what)
            with path.open("wb") as file:
                file.truncate(_PLENTY)
        await self.all_closed()

    async def test_client_reads_nothing(self) -> None:
        """For a client that reads nothing, no more is read than finds room on the way; then it gets all."""
        client = await self.ask("plenty", reads=False)
        await self.settled(client)
        self.assertLess(self.files.read, _PLENTY // 2)
        client.socket.resumeProducing()
        await until(lambda: len(client.received) >= _PLENTY)
        client.socket.abortConnection()
        await self.all_closed()

    async def test_many_requests_and_no_reading(self) -> None:
        """So it is for one that asks for many small files at once."""
        count = _PLENTY // SMALL
        client = await self.ask(*["limit"] * count, reads=False)
        await self.settled(client)
        self.assertLess(self.files.read, _PLENTY // 2)
        client.socket.abortConnection()
        await self.all_closed()


class OtherSocketTests(SocketTests):
    """The same over Twisted's own transports, to which all is written."""

    sends_files = False

    def listen(self) -> Any:
        return cast(Any, reactor).listenTCP(0, self.site, interface="127.0.0.1")


class TLSTests(SocketTests):
    """The same under TLS, over transports of ours."""

    sends_files = False

    def listen(self) -> Any:
        certificate, key = over_sockets.EncryptedTests.certificate(cast(Any, self))
        context = over_sockets._ServerContext(certificate, key)
        port = cast(Any, reactor).listenSSL(0, self.site, context, interface="127.0.0.1")
        make_ports_send_files(port, 600)
        return port

    def endpoint(self) -> Any:
        return wrapClientTLS(over_sockets._AnyServer(), super().endpoint())


def _replace(path: Path) -> None:
    """As an editor saves: the one that is open keeps its bytes and loses its name."""
    other = path.with_name(".other")
    other.write_bytes(b"another")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.rename(path)


def _write_one_byte(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"x")


#: What may happen to a file.
_CHANGES: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: os.truncate(path, path.stat().st_size - 1),
    "emptied": lambda path: os.truncate(path, 0),
    "grown": lambda path: os.truncate(path, path.stat().st_size + 1),
    "written to": _write_one_byte,
    "replaced": _replace,
    "deleted": Path.unlink,
}


def _parts(answer: Answer) -> list[bytes]:
    """The bodies of the parts of ``multipart/byteranges``."""
    head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
    message = message_from_bytes(head + answer.body)
    return [cast(bytes, part.get_payload(decode=True)) for part in cast(Any, message.get_payload())]


def _spans(length: int) -> st.SearchStrategy[Span]:
    """Spans of any length, and of none."""
    return st.integers(0, length).flatmap(lambda stop: st.integers(0, stop).map(partial(Span, stop=stop)))
