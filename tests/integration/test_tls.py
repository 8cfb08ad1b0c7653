"""
Tests of TLS by the server itself: an endpoint ``ssl:`` with a certificate of its own making.
"""

from __future__ import annotations

import socket
import ssl
import subprocess
from importlib.util import find_spec

from twisted.trial.unittest import SynchronousTestCase

from .clients import LOOPBACK, PATIENCE, eventually
from .server import ENDPOINT, Server, environment, folder, missing, need, start
from .trees import MIB, make_album, noise

TARGET = "/archive/album/"


class TLSTests(SynchronousTestCase):
    """A server that listens with and without TLS."""

    def setUp(self) -> None:
        need("openssl")
        if find_spec("OpenSSL") is None:
            missing("pyOpenSSL is not installed")
        self.where = folder(self)
        self.certificate = self.where / "certificate.pem"
        self.key = self.where / "key.pem"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        command += ["-nodes", "-days", "2", "-subj", "/CN=localhost"]
        command += ["-addext", "subjectAltName=IP:127.0.0.1"]
        command += ["-keyout", str(self.key), "-out", str(self.certificate)]
        subprocess.run(command, check=True, capture_output=True, env=environment())
        members = {f"{number}.bin": noise(6 * MIB, number) for number in range(4)}
        make_album(self.where / "root", "album", {**members, "small.txt": b"small"})

    def begin(self, *options: str) -> Server:
        """The server's address is that of the listener with TLS, which the ready line names first."""
        endpoint = f"ssl:0:interface={LOOPBACK}:privateKey={self.key}:certKey={self.certificate}"
        return start(self, self.where / "root", *options, listen=[endpoint, ENDPOINT])

    def connect(self, server: Server, receive_buffer: int | None = None) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=str(self.certificate))
        plain = server.connect(receive_buffer)
        return context.wrap_socket(plain, server_hostname=LOOPBACK, suppress_ragged_eofs=False)

    def plain_port(self, server: Server) -> int:
        """The other address of the ready line."""
        return int(server.log.partition("fileserve is ready: ")[2].split()[1].rstrip("/").rpartition(":")[2])

    def fetch(self, server: Server, *options: str) -> bytes:
        need("curl")
        command = ["curl", "-fsS", "--cacert", str(self.certificate), *options]
        url = f"https://{LOOPBACK}:{server.port}{TARGET}"
        return subprocess.run([*command, url], check=True, capture_output=True, env=environment()).stdout

    def test_same_bytes(self) -> None:
        """The archive is the same as without TLS, and so are its parts."""
        server = self.begin()
        self.assertIn(f"https://{LOOPBACK}:{server.port}/", server.log)
        whole = self.fetch(server)
        server_without, server.port = server.port, self.plain_port(server)
        self.assertEqual(server.ask(TARGET).body, whole)
        server.port = server_without
        self.assertEqual(self.fetch(server, "-r", "5000000-12000000"), whole[5_000_000:12_000_001])

    def test_changed_member(self) -> None:
        """When a member changes on the way, the connection is cut without a proper end."""
        server = self.begin()
        with self.connect(server, 4096) as client:
            client.sendall(f"GET {TARGET} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            client.recv(1000)
            (self.where / "root" / "album" / "3.bin").unlink()
            with self.assertRaises(OSError):  # a reset, or the end without a close_notify
                while client.recv(1 << 16):
                    pass
        server.wait_for_log("failed: 3.bin: ")

    def test_stalled_client(self) -> None:
        """A client that reads nothing is cut off under TLS too, and holds little memory until then."""
        server = self.begin("--stall-timeout", "1")
        self.fetch(server)
        before = server.resident()
        with self.connect(server, 4096) as client:
            client.sendall(f"GET {TARGET} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            client.recv(1000)
            self.assertLess(server.resident(), before + 8 * MIB)
            eventually(lambda: not server.metric("fileserve_open_transfers"), "the cut")
        self.assertEqual(server.stop(), -15)
        self.assertNotIn("Traceback", server.log)

    def test_no_handshake(self) -> None:
        """Plain HTTP, garbage and silence at the TLS port harm nobody."""
        server = self.begin()
        for data in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01garbage" * 10_000, b""):
            with server.connect() as client:
                client.sendall(data)
                if data:
                    self.assertNotIn(b"HTTP/1", _to_the_end(client))
        self.assertTrue(self.fetch(server))
        self.assertNotIn("Unhandled", server.log)


def _to_the_end(client: socket.socket) -> bytes:
    client.settimeout(PATIENCE)
    received = b""
    try:
        while piece := client.recv(1 << 16):
            received += piece
    except ConnectionError:
        pass
    return received
