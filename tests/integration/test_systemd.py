"""
Tests of what systemd and the server say to each other: notifications, the watchdog, sockets handed over.

What systemd thinks of the unit files is in ``test_units``.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from .clients import LOOPBACK, PATIENCE
from .server import ENDPOINT, Server, folder, launch, missing, need, start
from .trees import MIB, make_album

# Becomes the server itself, as systemd's child does: the socket has to be descriptor 3, and LISTEN_PID its
# own number.
_ACTIVATE = """\
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


class Supervisor:
    """
    The other end of ``NOTIFY_SOCKET``.
    """

    def __init__(self, name: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name)
        self.socket.settimeout(PATIENCE)

    def next(self) -> list[str]:
        """
        Wait for the next message.

        :return: its lines.
        """
        return self.socket.recv(4096).decode().splitlines()

    def wait_for(self, line: str) -> list[str]:
        """
        Pass over messages until one has this line.
        """
        while line not in (message := self.next()):
            pass
        return message


class SystemdCase(SynchronousTestCase):
    """A root, and a supervisor."""

    def setUp(self) -> None:
        where = folder(self)
        self.root = where / "root"
        make_album(self.root, "album", {"1.bin": 30 * MIB})
        self.name = str(where / "notify")
        self.supervisor = Supervisor(self.name)
        self.addCleanup(self.supervisor.socket.close)


class NotifyTests(SystemdCase):
    """``Type=notify`` and ``WatchdogSec=``."""

    def test_ready_and_stopping(self) -> None:
        """READY=1 comes once it answers, STOPPING=1 when it is told to stop; nothing else."""
        server = launch(
            self, "--path", str(self.root), "--listen", ENDPOINT, environ={"NOTIFY_SOCKET": self.name}
        )
        message = self.supervisor.next()
        server.wait_until_ready()
        self.assertIn("READY=1", message)
        self.assertIn(f"STATUS=serving at http://{LOOPBACK}:{server.port}/", message)
        self.assertEqual(server.ask("/").status, 200)
        server.signal(signal.SIGTERM)
        message = self.supervisor.next()
        self.assertIn("STOPPING=1", message)
        (extension,) = [line for line in message if line.startswith("EXTEND_TIMEOUT_USEC=")]
        self.assertGreaterEqual(int(extension.partition("=")[2]), 30_000_000)
        self.assertEqual(server.process.wait(10), -signal.SIGTERM)
        self.supervisor.socket.setblocking(False)
        self.assertRaises(BlockingIOError, self.supervisor.next)

    def test_abstract_socket(self) -> None:
        """A name that begins with ``@`` is in the abstract name space."""
        name = f"fileserve-test-{os.getpid()}"
        supervisor = Supervisor(f"\0{name}")
        self.addCleanup(supervisor.socket.close)
        start(self, self.root, environ={"NOTIFY_SOCKET": f"@{name}"})
        self.assertIn("READY=1", supervisor.next())

    def test_watchdog(self) -> None:
        """WATCHDOG=1 comes again and again, while transfers drain as well."""
        environ = {"NOTIFY_SOCKET": self.name, "WATCHDOG_USEC": "200000"}
        server = start(self, self.root, environ=environ)
        self.supervisor.wait_for("WATCHDOG=1")
        self.supervisor.wait_for("WATCHDOG=1")
        download = server.download("/archive/album/")
        server.signal(signal.SIGTERM)
        self.supervisor.wait_for("STOPPING=1")
        self.supervisor.wait_for("WATCHDOG=1")
        self.assertTrue(download.finish())
        self.assertEqual(server.process.wait(10), -signal.SIGTERM)

    def test_no_supervisor(self) -> None:
        """A socket that nobody reads any more keeps nobody from serving."""
        self.supervisor.socket.close()
        server = start(self, self.root, environ={"NOTIFY_SOCKET": self.name})
        self.assertEqual(server.ask("/archive/album/", "HEAD").status, 200)
        self.assertEqual(server.stop(), -signal.SIGTERM)


class ActivationTests(SystemdCase):
    """Sockets that systemd opened."""

    def activated(self, listener: socket.socket, domain: str, *before: str) -> Server:
        """Start it as systemd would: the socket is descriptor 3."""
        server = launch(
            self,
            "--path",
            str(self.root),
            "--state",
            str(folder(self)),
            "--listen",
            f"systemd:domain={domain}:name=http",
            environ={"LISTEN_FDS": "1", "LISTEN_FDNAMES": "http", "NOTIFY_SOCKET": self.name},
            before=[*before, sys.executable, "-c", _ACTIVATE, str(listener.fileno())],
            pass_fds=[listener.fileno()],
        )
        server.wait_until_ready()
        return server

    def test_inet(self) -> None:
        """A TCP socket: files are sent past the program there as well."""
        with socket.create_server((LOOPBACK, 0)) as listener:
            server = self.activated(listener, "INET")
            self.assertEqual(server.port, listener.getsockname()[1])
            answer = server.ask("/archive/album/")
            self.assertEqual(len(answer.body), int(answer["Content-Length"]))
            self.assertIn("READY=1", self.supervisor.next())

    def test_unix(self) -> None:
        """A UNIX socket, whose file belongs to systemd: it stays after a stop, and can be used again."""
        path = folder(self) / "http.sock"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            for _ in range(2):
                server = self.activated(listener, "UNIX")
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(PATIENCE)
                    client.connect(str(path))
                    client.sendall(b"GET /archive/album/ HTTP/1.0\r\nHost: x\r\n\r\n")
                    received = sum(map(len, iter(partial(client.recv, MIB), b"")))
                self.assertGreater(received, 30 * MIB)
                self.assertEqual(server.stop(), -signal.SIGTERM)
                self.assertTrue(path.is_socket())

    def test_unix_of_another_user(self) -> None:
        """What systemd decided about the file is left alone: its mode, and an owner who is not we."""
        if os.geteuid() != 0:
            missing("only root can make a socket of another user")
        need("setpriv")
        path = folder(self) / "http.sock"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            os.chown(path, 65534, -1)
            path.chmod(0o620)
            # What the service of docs/deploy has not either: power over what others own.
            unprivileged = ("setpriv", "--bounding-set=-fowner,-dac_override")
            server = self.activated(listener, "UNIX", *unprivileged)
            self.assertEqual(path.stat().st_mode & 0o777, 0o620)
            self.assertEqual(server.stop(), -signal.SIGTERM)
            self.assertNotIn("Traceback", server.log)

    def test_nobody_waits_while_it_starts_again(self) -> None:
        """A client that comes between a stop and the next start is served by the next one."""
        with socket.create_server((LOOPBACK, 0)) as listener:
            self.activated(listener, "INET").stop()
            with socket.create_connection(listener.getsockname()) as client:
                client.settimeout(PATIENCE)
                client.sendall(b"GET / HTTP/1.0\r\n\r\n")
                self.activated(listener, "INET")
                self.assertTrue(client.recv(1 << 16).startswith(b"HTTP/1.0 200"))
