"""
Tests of the running server: it listens at real sockets, says when it is ready, and comes to rest.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast
from unittest import skipUnless

from twisted.internet import reactor
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock, deferLater
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from fileserve.http.listening import Listeners
from fileserve.http.site import Request
from fileserve.operations.admin import Admin, Readiness
from fileserve.operations.counters import Counts
from fileserve.operations.notify import Notifier
from fileserve.service import Server, Stages

from .support import TimedReactor, parse, site_of_resource, until

_ANYWHERE = "tcp:0:interface=127.0.0.1"


class Slow(Resource):
    """
    Answers when the test says so.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []

    def render(self, request: Request) -> int:
        self.requests.append(request)
        request.setHeader(b"Content-Length", b"4")
        request.write(b"12")
        return NOT_DONE_YET


class Client(Protocol):
    """
    Keeps what comes.
    """

    def __init__(self) -> None:
        self.received = b""
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: object = None) -> None:
        self.lost = True


class Spy:
    """
    A part of the server that keeps its orders.
    """

    def __init__(self, name: str, orders: list[str]) -> None:
        self._name = name
        self._orders = orders

    def start(self) -> None:
        self._orders.append("start " + self._name)

    def stop(self) -> None:
        self._orders.append("stop " + self._name)


class ServingCase(TestCase):
    """A server over real sockets, a service manager, and a clock."""

    timeout = 60

    def setUp(self) -> None:
        folder = TemporaryDirectory()  # a short name, for sockets
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.manager.close)
        self.manager.bind(str(self.folder / "notify"))
        self.manager.setblocking(False)
        self.clock = Clock()
        self.orders: list[str] = []
        self.checks: dict[str, Callable[[], Deferred[Any]]] = {"storage": lambda: succeed(None)}
        self.page = Slow()
        self.clients: list[Client] = []

    def told(self) -> list[str]:
        """The lines that the service manager was told since it was asked last."""
        lines = []
        while True:
            try:
                lines += self.manager.recv(65536).decode().split("\n")
            except BlockingIOError:
                return lines

    def server_of(self, public: list[str], admin: list[str] | None = None, drain: float = 30) -> Server:
        timed = cast(Any, TimedReactor(self.clock))
        self.readiness = Readiness(self.checks, timed)
        resource = Admin(self.readiness, Counts(), {}).app.resource()
        environ = {"NOTIFY_SOCKET": str(self.folder / "notify"), "WATCHDOG_USEC": "20000000"}
        notifier = Notifier.from_environment(environ)
        self.addCleanup(notifier.close)
        parts = [Spy(name, self.orders) for name in ("one", "two")]
        self.public = Listeners(timed, site_of_resource(self.page, self.clock), public, 600)
        self.admin = Listeners(timed, site_of_resource(resource, self.clock), admin or [], 600)
        return Server(timed, self.public, self.admin, Stages(self.readiness, notifier, parts), drain)

    def start(self, *public: str, admin: list[str] | None = None, drain: float = 30) -> Server:
        server = self.server_of(list(public) or [_ANYWHERE], admin, drain)
        server.startService()
        self.addCleanup(self.stop, server)
        return server

    async def stop(self, server: Server) -> None:
        for client in self.clients:
            cast(Any, client.transport).abortConnection()
        if server.running:
            await server.stopService()
        await until(lambda: all(client.lost for client in self.clients))

    async def ask(self, address: str, target: str = "/") -> Client:
        """Begin a request at an address as the server tells it."""
        host, _, port = address.removeprefix("http://").strip("/").rpartition(":")
        endpoint = HostnameEndpoint(cast(Any, reactor), host.strip("[]"), int(port))
        client: Client = await connectProtocol(endpoint, Client())
        self.clients.append(client)
        cast(Any, client.transport).write(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        return client

    async def turn(self) -> None:
        """Let the reactor come round, and the clock do what is due."""
        await deferLater(cast(Any, reactor), 0)
        self.clock.advance(0)


class ReadyTests(ServingCase):
    """From the start until it is ready."""

    async def test_ready(self) -> None:
        """It listens, says where in one line of the log, and tells the service manager."""
        with capturedLogs() as logs:
            self.start()
            await self.turn()
        lines = [formatEvent(event) for event in logs if event["log_level"] is LogLevel.info]
        (ready,) = [line for line in lines if "ready" in line]
        (address,) = self.public.addresses
        self.assertRegex(address, r"\Ahttp://127\.0\.0\.1:[0-9]+/\Z")
        self.assertEqual(ready, f"fileserve is ready: {address}")
        self.assertEqual(self.told()[:2], ["READY=1", f"STATUS=serving at {address}"])
        client = await self.ask(address)
        await until(lambda: client.received.endswith(b"12"))

    async def test_parts_begin_first(self) -> None:
        """Its parts are begun, in their order, before anybody can come."""
        self.start()
        self.assertEqual(self.orders, ["start one", "start two"])

    async def test_several_addresses(self) -> None:
        """All addresses are told; one that a browser can't open is told as what it is."""
        path = self.folder / "socket"
        self.start(_ANYWHERE, f"unix:{path}", "tcp:0")
        one, two, three = self.public.addresses
        self.assertEqual(two, f"unix:{path}")
        self.assertRegex(three, r"\Ahttp://127\.0\.0\.1:[0-9]+/\Z")
        self.assertNotEqual(one, three)

    @skipUnless(socket.has_ipv6, "there is no IPv6 here")
    async def test_ipv6(self) -> None:
        """An address of IPv6 stands in brackets."""
        try:
            with closing(socket.create_server(("::1", 0), family=socket.AF_INET6)):
                pass
        except OSError:
            self.skipTest("IPv6 is turned off here")
        self.start("tcp6:0:interface=\\:\\:1", "tcp6:0:interface=\\:\\:")
        for address in self.public.addresses:
            self.assertRegex(address, r"\Ahttp://\[::1\]:[0-9]+/\Z")

    async def test_not_yet(self) -> None:
        """As long as something that is needed fails, the reason is told, and it is asked again."""
        self.checks["storage"] = lambda: fail(OSError("the disk is away"))
        with capturedLogs() as logs:
            self.start()
            await self.turn()
            self.clock.advance(10)
        self.assertEqual({event["log_level"] for event in logs if "reasons" in event}, {LogLevel.critical})
        told = self.told()
        self.assertNotIn("READY=1", told)
        self.assertIn("STATUS=storage: the disk is away", told)
        self.checks["storage"] = lambda: succeed(None)
        self.clock.pump([1] * 10)
        self.assertIn("READY=1", self.told())

    async def test_stopped_before(self) -> None:
        """A server that is stopped before it was ready never says that it is."""
        self.checks["storage"] = Deferred
        server = self.start()
        await self.turn()
        await server.stopService()
        self.clock.pump([1] * 10)
        self.assertNotIn("READY=1", self.told())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_watchdog(self) -> None:
        """The watchdog is fed as often as it wants, also while the server is not ready."""
        self.checks["storage"] = lambda: fail(OSError("the disk is away"))
        with capturedLogs():
            self.start()
            await self.turn()
            self.told()
            for _ in range(3):
                self.clock.advance(10)
                self.assertIn("WATCHDOG=1", self.told())


class NotListeningTests(ServingCase):
    """An address that can't be listened on."""

    def setUp(self) -> None:
        super().setUp()
        self.taken = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.taken.close)
        self.busy = f"tcp:{self.taken.getsockname()[1]}:interface=127.0.0.1"

    def refusal(self, *public: str, admin: list[str] | None = None) -> str:
        server = self.server_of(list(public), admin)
        error = self.assertRaises(SystemExit, server.startService)
        assert isinstance(error.code, str)  # which Python writes to standard error, with status 1
        return error.code

    def test_sentence(self) -> None:
        """It is told in one sentence which address it is and why, and the server does not start."""
        said = self.refusal(self.busy)
        self.assertEqual(said, f"twist fileserve: can't listen on {self.busy}: Address already in use")
        self.assertEqual(self.orders, ["start one", "start two", "stop two", "stop one"])

    def test_folder_missing(self) -> None:
        """So it is for a UNIX socket whose folder is not there."""
        said = self.refusal(f"unix:{self.folder}/nothing/socket")
        self.assertTrue(
            said.startswith(f"twist fileserve: can't listen on unix:{self.folder}/nothing/socket: ")
        )
        self.assertEqual(said.count("\n"), 0)

    async def test_what_listens_already(self) -> None:
        """Where a later address can't be had, the ones before it are given back: no socket's file stays."""
        path = self.folder / "socket"
        self.refusal(f"unix:{path}", admin=[self.busy])
        for _ in range(10):
            await self.turn()
        self.assertFalse(path.exists())


class StoppingTests(ServingCase):
    """From the stop to its end."""

    async def test_idle(self) -> None:
        """Without transfers it stops at once: nothing listens, and the parts are stopped backwards."""
        server = self.start()
        await self.turn()
        (address,) = self.public.addresses
        self.told()
        await server.stopService()
        self.assertEqual(self.orders[2:], ["stop two", "stop one"])
        self.assertEqual(self.told()[0], "STOPPING=1")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        with closing(socket.socket()) as refused:
            port = int(address.strip("/").rpartition(":")[2])
            self.assertNotEqual(refused.connect_ex(("127.0.0.1", port)), 0)

    async def test_time_asked_for(self) -> None:
        """The service manager is asked for as much time as transfers may take."""
        server = self.start(drain=45)
        await self.turn()
        self.told()
        await server.stopService()
        (asked,) = [line for line in self.told() if line.startswith("EXTEND_TIMEOUT_USEC=")]
        self.assertGreaterEqual(int(asked.partition("=")[2]), 45_000_000)

    async def test_transfers_go_on(self) -> None:
        """A transfer goes on to its end; meanwhile no connection is taken, and the tools are told why."""
        server = self.start(admin=[_ANYWHERE])
        await self.turn()
        client = await self.ask(self.public.addresses[0])
        await until(lambda: client.received.endswith(b"12"))
        stopped = server.stopService()
        tool = await self.ask(self.admin.addresses[0], "/readyz")
        await until(lambda: tool.received.endswith(b"0\r\n\r\n"))
        answer = parse(tool.received)
        self.assertEqual((answer.status, answer.body), (503, b"stopping\n"))
        self.assertNoResult(stopped)
        self.clock.advance(29)
        self.assertNoResult(stopped)
        self.page.requests[0].write(b"34")
        self.page.requests[0].finish()
        await until(lambda: client.lost)
        self.assertEqual(parse(client.received).body, b"1234")
        while not stopped.called:
            await self.turn()
        await stopped
        self.assertEqual(self.orders[2:], ["stop two", "stop one"])

    async def test_cut(self) -> None:
        """What takes longer than it may is cut."""
        server = self.start(drain=30)
        await self.turn()
        client = await self.ask(self.public.addresses[0])
        await until(lambda: client.received.endswith(b"12"))
        stopped = server.stopService()
        while not stopped.called:
            await self.turn()
            self.clock.advance(15)
        await stopped
        await until(lambda: client.lost)
        self.assertTrue(client.received.endswith(b"12"))

    async def test_watchdog_until_the_end(self) -> None:
        """The watchdog is fed while transfers go on, and not any more when the server has stopped."""
        server = self.start(drain=100)
        await self.turn()
        client = await self.ask(self.public.addresses[0])
        await until(lambda: client.received.endswith(b"12"))
        stopped = server.stopService()
        self.told()
        self.clock.pump([10] * 3)
        self.assertEqual(self.told(), ["WATCHDOG=1"] * 3)
        cast(Any, client.transport).abortConnection()
        while not stopped.called:
            await self.turn()
        await stopped
        self.clock.advance(1000)
        self.assertEqual(self.told(), [])
