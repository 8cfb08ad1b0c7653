"""
Tests of SIGTERM: listening stops, transfers go on for a while, and the process ends by the signal.
"""

from __future__ import annotations

import signal
from functools import partial
from subprocess import TimeoutExpired

from twisted.trial.unittest import SynchronousTestCase

from .clients import Download, ask, eventually
from .server import ENDPOINT, Server, folder, start
from .trees import MIB, make_album

# Longer than anybody waits: a test that would take so long fails.
FOREVER = "600"


class StoppingTests(SynchronousTestCase):
    """A server with one album that is larger than all buffers."""

    def setUp(self) -> None:
        self.root = folder(self) / "root"
        make_album(self.root, "album", {f"{number}.bin": 10 * MIB for number in range(4)})

    def stopped_with_download(self, *options: str) -> tuple[Server, Download]:
        """A server that got SIGTERM while a client was reading."""
        server = start(self, self.root, *options)
        download = server.download("/archive/album/")
        server.signal(signal.SIGTERM)
        server.wait_for_log("Received SIGTERM")
        return server, download

    def refuses(self, server: Server) -> bool:
        try:
            server.connect().close()
        except ConnectionRefusedError:
            return True
        return False

    def test_idle(self) -> None:
        """With nothing to do it ends at once, by the signal."""
        # Who starts the tests in the background may have them, and all they start, ignore an interrupt.
        ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        for number in (signal.SIGTERM,) if ignored else (signal.SIGTERM, signal.SIGINT):
            server = start(self, self.root, "--drain", FOREVER)
            server.signal(number)
            self.assertEqual(server.process.wait(10), -number)

    def test_idle_connections(self) -> None:
        """Connections that wait for a next request, or never made one, don't hold it."""
        server = start(self, self.root, "--drain", FOREVER)
        with server.connect(), server.connect() as kept:
            kept.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertTrue(kept.recv(1 << 16))
            self.assertEqual(server.stop(), -signal.SIGTERM)

    def test_half_requests(self) -> None:
        """Requests of which a part is missing don't hold it either: who knows whether it will come."""
        for sent in (b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n"):
            server = start(self, self.root, "--drain", FOREVER)
            with server.connect() as client:
                client.sendall(sent)
                eventually(partial(server.metric, "fileserve_connections"), "the connection")
                server.signal(signal.SIGTERM)
                try:
                    self.assertEqual(server.process.wait(5), -signal.SIGTERM)
                except TimeoutExpired:
                    self.fail(f"held by {sent!r}")

    def test_transfer_is_finished(self) -> None:
        """A transfer goes on to its end, while nobody else gets in; then the process ends."""
        server, download = self.stopped_with_download("--drain", FOREVER)
        eventually(lambda: self.refuses(server), "listening to stop")
        self.assertEqual(server.metric("fileserve_open_transfers"), 1)
        self.assertTrue(download.finish())
        self.assertEqual(server.process.wait(10), -signal.SIGTERM)

    def test_transfer_is_cut(self) -> None:
        """A transfer that takes longer than ``--drain`` is cut, and then the process ends."""
        for seconds in ("0", "1"):
            server, download = self.stopped_with_download("--drain", seconds)
            self.assertEqual(server.process.wait(10), -signal.SIGTERM)
            self.assertFalse(download.finish())

    def test_readiness(self) -> None:
        """While it drains it is alive and not ready."""
        server, download = self.stopped_with_download("--drain", FOREVER)
        self.assertEqual(ask(server.admin, "/healthz").status, 200)
        answer = ask(server.admin, "/readyz")
        self.assertEqual((answer.status, answer.body), (503, b"stopping\n"))
        download.socket.close()
        self.assertEqual(server.process.wait(10), -signal.SIGTERM)

    def test_last_request_of_a_connection(self) -> None:
        """A connection on which a transfer ends is closed then, and takes no further request."""
        server = start(self, self.root, "--drain", FOREVER)
        with server.connect(4096) as client:
            request = b"GET /archive/album/ HTTP/1.1\r\nHost: x\r\n\r\n"
            client.sendall(request * 2)
            received = len(client.recv(4096))
            server.signal(signal.SIGTERM)
            eventually(lambda: self.refuses(server), "listening to stop")
            while piece := client.recv(1 << 16):
                received += len(piece)
        self.assertLess(received, 41 * MIB)
        self.assertGreater(received, 40 * MIB)
        self.assertEqual(server.process.wait(10), -signal.SIGTERM)

    def test_socket_in_the_file_system(self) -> None:
        """The file of a UNIX socket is gone after a stop; after a sudden death the next start replaces it."""
        path = folder(self) / "http.sock"
        server = start(self, self.root, listen=[ENDPOINT, f"unix:{path}"])
        self.assertTrue(path.is_socket())
        server.stop()
        self.assertFalse(path.exists())
        start(self, self.root, listen=[f"unix:{path}"]).kill()
        self.assertTrue(path.is_socket())
        start(self, self.root, listen=[f"unix:{path}"])
