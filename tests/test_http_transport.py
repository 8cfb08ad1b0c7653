"""
Tests of the transports that send files, over real sockets of both kinds.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import termios
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL.SSL import TLS_CLIENT_METHOD, TLS_SERVER_METHOD, Connection, Context
from twisted.internet import reactor, tcp, unix
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint as TCPClient
from twisted.internet.endpoints import UNIXClientEndpoint as UNIXClient
from twisted.internet.endpoints import connectProtocol, wrapClientTLS
from twisted.internet.error import ConnectionAborted, ConnectionClosed, ConnectionDone
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLClientConnectionCreator,
    IOpenSSLContextFactory,
    IPushProducer,
    IReactorFDSet,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock, deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from fileserve.http.interfaces import ISendsFiles
from fileserve.http.transport import make_ports_send_files

from .support import TimedReactor, open_descriptors, site_of_folder, until, write_album

_MIB = 1024 * 1024
_DATA = Random(1).randbytes(3 * _MIB)

#: More than the kernel's buffers between two processes of one machine hold.
_PLENTY = 64 * _MIB

_STALL = 600


class Ends(Protocol):
    """
    One end of a connection, which keeps all that comes.

    :ivar lost: fires when the connection is lost.
    :ivar reason: why it was.
    """

    reason: Failure | None = None

    def __init__(self) -> None:
        self.received = bytearray()
        self.made: Deferred[None] = Deferred()
        self.lost: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self.made.callback(None)

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        self.reason = reason
        self.lost.callback(None)

    @property
    def socket(self) -> Any:
        return cast(Any, self.transport)


class SendingCase(TestCase):
    """
    A connection of which the server's end is ours. A subclass says over what.
    """

    timeout = 60

    def setUp(self) -> None:
        folder = TemporaryDirectory()  # a short name, for a socket
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "data").write_bytes(_DATA)
        with (self.folder / "plenty").open("wb") as file:
            file.truncate(_PLENTY)
        self.file = self.open("data")
        self.plenty = self.open("plenty")
        self.clock: Clock | None = None

    def open(self, name: str) -> int:
        descriptor = os.open(self.folder / name, os.O_RDONLY)
        self.addCleanup(os.close, descriptor)
        return descriptor

    def listen(self, factory: Factory, on: Any) -> tuple[IListeningPort, Any]:
        """A port that listens, and the endpoint of its clients."""
        raise NotImplementedError

    async def connect(self) -> tuple[Ends, Ends]:
        """The server's end and the client's."""
        server = Ends()
        on = reactor if self.clock is None else TimedReactor(self.clock)
        port, endpoint = self.listen(Factory.forProtocol(lambda: server), on)
        make_ports_send_files(port, _STALL)
        client = await connectProtocol(endpoint, Ends())
        await server.made
        self.addCleanup(self.disconnect, server, client)
        await deferLater(cast(Any, reactor), 0)  # let the port return from accepting
        stopping = cast("Deferred[None]", port.stopListening())
        self.turn()
        await stopping
        return server, client

    def turn(self) -> None:
        """Let happen what the reactor should do in its next turn, where the test has a clock."""
        if self.clock is not None:
            self.clock.advance(0)

    async def disconnect(self, *ends: Ends) -> None:
        for end in ends:
            end.socket.abortConnection()
        self.turn()
        for end in ends:
            await until(lambda end=end: bool(end.lost.called))  # type: ignore[misc]
            self.assertNotIn(end.transport, cast(IReactorFDSet, reactor).getWriters())

    async def fill(self, server: Ends, client: Ends) -> None:
        """Write until the kernel takes no more for a client that does not read."""
        client.socket.pauseProducing()
        while True:
            size = await self.room_soon(server)
            if size:
                server.socket.write(bytes(size))
            elif not await self.goes_on(server):
                return

    async def room_soon(self, server: Ends) -> int:
        """The room that there is now."""
        room: Deferred[int] = server.socket.room()
        await deferLater(cast(Any, reactor), 0.005)
        if room.called:
            return await room
        room.cancel()
        room.addErrback(lambda _: None)
        return 0

    async def goes_on(self, server: Ends) -> bool:
        """Whether the kernel still moves bytes from one end to the other."""
        before = _unsent(server)
        await deferLater(cast(Any, reactor), 0.05)
        return _unsent(server) != before


def _unsent(end: Ends) -> int:
    """How many bytes the kernel holds of an end: SIOCOUTQ, of tcp(7) and unix(7)."""
    answer = fcntl.ioctl(end.socket.fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
    return int(struct.unpack("i", answer)[0])


class SendingTests:
    """
    What both kinds of transports do.
    """

    case = property(lambda self: cast(SendingCase, self))

    async def test_interface(self) -> None:
        """The transport is an `ISendsFiles`."""
        server, _ = await self.case.connect()
        verifyObject(ISendsFiles, server.transport)

    async def send(self, server: Ends, parts: Iterable[bytes | tuple[int, int]]) -> bytes:
        """Send bytes, and parts of the file by offset and length; tell what that should be."""
        expected = bytearray()
        for part in parts:
            if isinstance(part, bytes):
                server.socket.write(part)
                expected += part
            else:
                offset, length = part
                await server.socket.send_file(self.case.file, offset, length)
                expected += _DATA[offset : offset + length]
        server.socket.loseConnection()
        return bytes(expected)

    async def test_order(self) -> None:
        """Bytes and parts of files arrive in the order in which they were given, whatever their sizes."""
        for parts in (
            [b"head", (0, len(_DATA)), b"tail"],
            [(5, 1), (7, 1), b"", b"x", (0, 2 * _MIB + 1)],
            [_DATA * 3, (3, 100), _DATA * 2, (9, 2_500_000)],
            [(0, 10)],
        ):
            server, client = await self.case.connect()
            expected = await self.send(server, cast(Any, parts))
            await client.lost
            self.case.assertEqual(bytes(client.received), expected)

    async def test_any_order(self) -> None:
        """So they do for any sequence."""
        random = Random(7)
        for _ in range(10):
            parts: list[bytes | tuple[int, int]] = []
            for _ in range(30):
                size = random.choice([1, 100, 70_000, 1_100_000])
                parts.append(_DATA[:size] if random.random() < 0.5 else (random.randrange(_MIB), size))
            server, client = await self.case.connect()
            expected = await self.send(server, parts)
            await client.lost
            self.case.assertTrue(bytes(client.received) == expected)

    async def test_sequence(self) -> None:
        """``writeSequence`` counts as ``write`` does: what comes after it comes after it."""
        server, client = await self.case.connect()
        server.socket.writeSequence([_DATA, b"1", b"2"])
        await server.socket.send_file(self.case.file, 0, 3)
        server.socket.loseConnection()
        await client.lost
        self.case.assertTrue(bytes(client.received) == _DATA + b"12" + _DATA[:3])

    async def test_written_by_a_producer(self) -> None:
        """A producer that fills the buffer is paused and resumed, and a file may follow."""
        server, client = await self.case.connect()
        producer = _Producer()
        server.socket.registerProducer(producer, True)
        client.socket.pauseProducing()
        server.socket.write(bytes(_PLENTY))
        self.case.assertEqual(producer.calls, ["pause"])
        client.socket.resumeProducing()
        await until(lambda: "resume" in producer.calls)
        await server.socket.send_file(self.case.file, 1, 100)
        server.socket.unregisterProducer()
        server.socket.loseConnection()
        await client.lost
        self.case.assertTrue(bytes(client.received) == bytes(_PLENTY) + _DATA[1:101])

    async def test_closing_waits_for_the_part(self) -> None:
        """A connection that is to close sends the part of a file that was given before."""
        server, client = await self.case.connect()
        sent = server.socket.send_file(self.case.file, 0, len(_DATA))
        server.socket.loseConnection()
        await sent
        await client.lost
        self.case.assertTrue(bytes(client.received) == _DATA)

    async def test_file_too_short(self) -> None:
        """A file that ends before its part does is an ``EOFError``, after all it has was sent."""
        server, client = await self.case.connect()
        with self.case.assertRaises(EOFError):
            await server.socket.send_file(self.case.file, len(_DATA) - 10, 11)
        await until(lambda: len(client.received) == 10)

    async def test_file_shrinks(self) -> None:
        """So is one that is made shorter while it is sent."""
        server, client = await self.case.connect()
        client.socket.pauseProducing()
        sent = server.socket.send_file(self.case.plenty, 0, _PLENTY)
        await until(lambda: _unsent(server) > 0)
        os.truncate(self.case.folder / "plenty", 1)
        client.socket.resumeProducing()
        with self.case.assertRaises(EOFError):
            await sent

    async def test_no_file(self) -> None:
        """What can't be sent is told as the error it is, and the connection is not lost by it."""
        server, _ = await self.case.connect()
        folder = os.open(self.case.folder, os.O_RDONLY)
        self.case.addCleanup(os.close, folder)
        with self.case.assertRaises(OSError):
            await server.socket.send_file(folder, 0, 10)
        self.case.assertFalse(server.lost.called)

    async def test_client_leaves(self) -> None:
        """When the client leaves while a part is sent, that fails, and no more is done with its file."""
        server, client = await self.case.connect()
        client.socket.pauseProducing()
        sent = server.socket.send_file(self.case.plenty, 0, _PLENTY)
        await until(lambda: _unsent(server) > 0)
        client.socket.abortConnection()
        with self.case.assertRaises(ConnectionClosed):
            await sent
        await until(lambda: bool(server.lost.called))
        self.case.assertNotIn(server.transport, cast(IReactorFDSet, reactor).getWriters())

    async def test_cut(self) -> None:
        """When the server cuts the connection, the part fails, and so does who waits for room."""
        server, client = await self.case.connect()
        client.socket.pauseProducing()
        sent = server.socket.send_file(self.case.plenty, 0, _PLENTY)
        await until(lambda: _unsent(server) > 0)
        server.socket.abortConnection()
        with self.case.assertRaises(ConnectionAborted):
            await sent
        self.case.assertNotIn(server.transport, cast(IReactorFDSet, reactor).getWriters())

    async def test_cancelled(self) -> None:
        """After cancelling nothing more of the file is sent, so that its descriptor may be closed."""
        server, client = await self.case.connect()
        client.socket.pauseProducing()
        sent = server.socket.send_file(self.case.plenty, 0, _PLENTY)
        await until(lambda: _unsent(server) > 0)
        sent.cancel()
        with self.case.assertRaises(CancelledError):
            await sent
        server.socket.loseConnection()
        client.socket.resumeProducing()
        await client.lost
        self.case.assertLess(len(client.received), _PLENTY)

    async def test_given_to_a_connection_that_was_cut(self) -> None:
        """What is given to a connection that is being cut fails when it is."""
        server, _ = await self.case.connect()
        server.socket.abortConnection()
        with self.case.assertRaises(ConnectionAborted):
            await server.socket.send_file(self.case.file, 0, 10)

    async def test_many(self) -> None:
        """Several clients are served at once, and no descriptor is left when they are gone."""
        await deferLater(cast(Any, reactor), 0)
        before = open_descriptors()
        pairs = [await self.case.connect() for _ in range(10)]
        expected = [(5, len(_DATA) - 5), b"end"]
        for server, _ in pairs:
            sending = Deferred.fromCoroutine(self.send(server, cast(Any, expected)))
            sending.addErrback(lambda failure: self.case.fail(failure.getTraceback()))
        for _, client in pairs:
            await client.lost
            self.case.assertTrue(bytes(client.received) == _DATA[5:] + b"end")
        for server, _ in pairs:
            await until(lambda server=server: bool(server.lost.called))  # type: ignore[misc]
        self.case.assertEqual(open_descriptors(), before)

    # Room.

    async def test_room_in_turn(self) -> None:
        """A client that took everything has room, but others get their turn first."""
        server, _ = await self.case.connect()
        room = server.socket.room()
        self.case.assertFalse(room.called)
        self.case.assertGreater(await room, 4096)

    async def test_room_goes_to_the_kernel(self) -> None:
        """What is written into that room costs this process no memory: the kernel takes it whole."""
        server, client = await self.case.connect()
        client.socket.pauseProducing()
        for _ in range(20):
            size = await self.case.room_soon(server)
            if not size:
                break
            server.socket.write(bytearray(size))
            self.case.assertEqual(_held(server), 0)

    async def test_no_room(self) -> None:
        """A client that does not read has none until it does."""
        server, client = await self.case.connect()
        await self.case.fill(server, client)
        room = server.socket.room()
        await deferLater(cast(Any, reactor), 0.01)
        self.case.assertNoResult(room)
        client.socket.resumeProducing()
        self.case.assertGreater(await room, 0)

    async def test_room_after_what_is_unsent(self) -> None:
        """Room is told after all that was written before was sent."""
        server, client = await self.case.connect()
        server.socket.write(bytes(_PLENTY))
        await server.socket.room()
        self.case.assertEqual(_held(server), 0)
        self.case.assertGreater(len(client.received), 0)

    async def test_room_cancelled(self) -> None:
        """Who waits for room may leave; what is written then is sent."""
        server, client = await self.case.connect()
        await self.case.fill(server, client)
        room = server.socket.room()
        room.cancel()
        with self.case.assertRaises(CancelledError):
            await room
        client.socket.resumeProducing()
        server.socket.write(b"the end")
        server.socket.loseConnection()
        await client.lost
        self.case.assertTrue(client.received.endswith(b"the end"))

    async def test_room_of_a_lost_client(self) -> None:
        """Who waits for room hears that the client is gone."""
        server, client = await self.case.connect()
        await self.case.fill(server, client)
        room = server.socket.room()
        client.socket.abortConnection()
        with self.case.assertRaises(ConnectionClosed):
            await room
        self.case.assertNotIn(server.transport, cast(IReactorFDSet, reactor).getWriters())

    # Stalled clients.

    async def stalling(self) -> tuple[Ends, Ends, Clock]:
        clock = self.case.clock = Clock()
        clock.advance(1_700_000_000)  # as real ones do, it begins long after zero
        server, client = await self.case.connect()
        client.socket.pauseProducing()
        return server, client, clock

    async def assert_cut_in_time(self, server: Ends, clock: Clock) -> None:
        clock.pump([_STALL / 10] * 9)
        self.case.assertFalse(server.lost.called)
        clock.pump([_STALL / 10] * 2)
        clock.advance(0)
        self.case.assertTrue(server.lost.called)
        assert server.reason is not None
        server.reason.trap(ConnectionAborted)
        self.case.assertEqual(clock.getDelayedCalls(), [])

    async def test_stalled_reading_what_was_written(self) -> None:
        """A client that reads nothing of what was written is cut off when the time is over, not before."""
        server, _, clock = await self.stalling()
        server.socket.write(bytes(_PLENTY))
        await until(lambda: _unsent(server) > 0)
        while await self.case.goes_on(server):
            pass
        await self.assert_cut_in_time(server, clock)

    async def test_stalled_reading_a_file(self) -> None:
        """So is one that reads nothing of a file."""
        server, _, clock = await self.stalling()
        sent = server.socket.send_file(self.case.plenty, 0, _PLENTY)
        while await self.case.goes_on(server):
            pass
        await self.assert_cut_in_time(server, clock)
        with self.case.assertRaises(ConnectionAborted):
            await sent

    async def test_stalled_without_room(self) -> None:
        """So is one that makes no room."""
        server, client, clock = await self.stalling()
        await self.case.fill(server, client)
        room = server.socket.room()
        await self.assert_cut_in_time(server, clock)
        with self.case.assertRaises(ConnectionAborted):
            await room

    async def test_reads_now_and_then(self) -> None:
        """A client that reads something within the time is not cut off."""
        server, client, clock = await self.stalling()
        sent = server.socket.send_file(self.case.plenty, 0, _PLENTY)
        while not sent.called:
            clock.advance(_STALL * 0.9)
            self.case.assertFalse(server.lost.called)
            seen = len(client.received)
            client.socket.resumeProducing()
            await until(lambda seen=seen: sent.called or len(client.received) > seen + 8 * _MIB)  # type: ignore[misc]
            client.socket.pauseProducing()
            while await self.case.goes_on(server):
                pass
        await sent

    async def test_reads_little(self) -> None:
        """Nor is one that reads so little each time that the kernel's buffer stays nearly full."""
        server, client, clock = await self.stalling()
        server.socket.write(bytes(_PLENTY))
        await until(lambda: _unsent(server) > 0)
        while await self.case.goes_on(server):
            pass
        for _ in range(8):
            before = _unsent(server)
            while _unsent(server) == before:
                client.socket.doRead()
                await deferLater(cast(Any, reactor), 0)
            clock.pump([_STALL / 4] * 2)
            clock.advance(0)
            self.case.assertFalse(server.lost.called)

    async def test_nothing_to_read(self) -> None:
        """A client that has all that was sent is not cut off, and no timer is left for it."""
        server, client, clock = await self.stalling()
        client.socket.resumeProducing()
        server.socket.write(b"1")
        await server.socket.send_file(self.case.file, 0, 10)
        await until(lambda: len(client.received) == 11)
        clock.advance(_STALL)
        clock.advance(10 * _STALL)
        self.case.assertFalse(server.lost.called)
        self.case.assertEqual(clock.getDelayedCalls(), [])

    async def test_later_begins_anew(self) -> None:
        """The time begins when something is given to a client that had all, however long it was idle."""
        server, client, clock = await self.stalling()
        client.socket.resumeProducing()
        server.socket.write(b"1")
        await until(lambda: len(client.received) == 1)
        clock.advance(_STALL * 0.99)
        client.socket.pauseProducing()
        sent = server.socket.send_file(self.case.plenty, 0, _PLENTY)
        while await self.case.goes_on(server):
            pass
        await self.assert_cut_in_time(server, clock)
        with self.case.assertRaises(ConnectionAborted):
            await sent

    async def test_no_timer_after_the_connection(self) -> None:
        """When a connection is lost, so is its timer."""
        server, client, clock = await self.stalling()
        server.socket.write(b"1")
        client.socket.abortConnection()
        await until(lambda: bool(server.lost.called))
        self.case.assertEqual(clock.getDelayedCalls(), [])


def _held(end: Ends) -> int:
    """What Twisted holds of an end in memory; private, and there is no other way to see it."""
    transport = end.socket
    return len(transport.dataBuffer) - transport.offset + transport._tempDataLen  # type: ignore[no-any-return]


@implementer(IPushProducer)
class _Producer:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


class TCPTests(SendingTests, SendingCase):
    """TCP connections."""

    def listen(self, factory: Factory, on: Any) -> tuple[IListeningPort, Any]:
        port = tcp.Port(0, factory, interface="127.0.0.1", reactor=on)
        port.startListening()
        return cast(IListeningPort, port), TCPClient(cast(Any, reactor), "127.0.0.1", port.getHost().port)


class UNIXTests(SendingTests, SendingCase):
    """Connections over UNIX sockets."""

    def listen(self, factory: Factory, on: Any) -> tuple[IListeningPort, Any]:
        path = self.folder / f"socket{len(list(self.folder.iterdir()))}"
        port = unix.Port(os.fsencode(path), factory, reactor=on)
        port.startListening()
        return cast(IListeningPort, port), UNIXClient(cast(Any, reactor), str(path))


class OtherPortsTests(TestCase):
    """Ports that are none of these."""

    def test_untouched(self) -> None:
        """Whatever else listens stays as it is."""
        port = object()
        make_ports_send_files(port, _STALL)

    async def test_adopted(self) -> None:
        """Sockets that were handed over, by systemd for instance, send files as well."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            listener.setblocking(False)
            server = Ends()
            port = cast(Any, reactor).adoptStreamPort(
                listener.fileno(), socket.AF_INET, Factory.forProtocol(lambda: server)
            )
        make_ports_send_files(port, _STALL)
        endpoint = TCPClient(cast(Any, reactor), "127.0.0.1", port.getHost().port)
        client = await connectProtocol(endpoint, Ends())
        await server.made
        self.assertTrue(ISendsFiles.providedBy(server.transport))
        client.socket.loseConnection()
        await client.lost
        await server.lost
        await port.stopListening()


class EncryptedTests(TestCase):
    """Connections under TLS, where nothing may go round the encryption."""

    timeout = 60

    async def test_archive(self) -> None:
        """A large member reaches an HTTPS client, encrypted as all the rest."""
        folder = Path(self.mktemp())
        secret = b"secret" * 500_000
        write_album(folder, "album", {"1": secret})
        site = site_of_folder(folder, clock=cast(Any, reactor))
        # What the endpoint "ssl:" does; that itself gives warnings with newer releases of pyOpenSSL.
        context = _ServerContext(*self.certificate())
        port = cast(Any, reactor).listenSSL(0, site, context, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        make_ports_send_files(port, _STALL)
        raw = TCPClient(cast(Any, reactor), "127.0.0.1", port.getHost().port)
        client = await connectProtocol(wrapClientTLS(_AnyServer(), raw), Ends())
        client.socket.write(b"GET /archive/album/ HTTP/1.0\r\n\r\n")
        await client.lost
        self.assertEqual(bytes(client.received[:12]), b"HTTP/1.0 200")
        self.assertTrue(secret in client.received)

    def certificate(self) -> tuple[Path, Path]:
        """Files with a certificate for this test and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        form, secret = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        paths = Path(self.mktemp()), Path(self.mktemp())
        paths[0].write_bytes(certificate.public_bytes(pem))
        paths[1].write_bytes(key.private_bytes(pem, form, secret))
        return paths


@implementer(IOpenSSLContextFactory)
class _ServerContext:
    """
    What a server encrypts with.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._context = Context(TLS_SERVER_METHOD)
        self._context.use_certificate_file(str(certificate))
        self._context.use_privatekey_file(str(key))

    def getContext(self) -> Context:
        return self._context


@implementer(IOpenSSLClientConnectionCreator)
class _AnyServer:
    """
    Connects by TLS to whoever answers, with a certificate that nobody signed.
    """

    def clientConnectionForTLS(self, _: object) -> Any:
        connection = Connection(Context(TLS_CLIENT_METHOD), None)
        connection.set_connect_state()
        return connection
