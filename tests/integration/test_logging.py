"""
Tests of what the log says, of what it does not say, and of the slow motion that ``--delay`` is.
"""

from __future__ import annotations

import json
import re

from twisted.trial.unittest import SynchronousTestCase

from .clients import eventually
from .server import Server, folder, start
from .trees import MIB, make_album, noise

ALBUM = "3bea29ccabbbf64bdebcc055319c5745"
TARGET = f"/archive/{ALBUM}/"


class LogCase(SynchronousTestCase):
    """A server with one album."""

    def setUp(self) -> None:
        self.root = folder(self) / "root"
        make_album(self.root, ALBUM, {"1.bin": noise(10 * MIB), "2.txt": b"two"})

    def use(self, server: Server) -> None:
        """All that is logged: a transfer that ends, one that is interrupted, one that fails, and more."""
        server.ask(TARGET, User_Agent="a tester")
        server.download(TARGET).socket.close()
        eventually(lambda: not server.metric("fileserve_open_transfers"), "the client's leaving to be seen")
        failing = server.download(TARGET)
        (self.root / ALBUM / "1.bin").write_bytes(b"changed")
        failing.finish()
        server.ask("/archive/unknown-album-of-somebody/?file=x&secret")
        server.ask(TARGET + "?filename=x.zip", "HEAD")


class LoggingTests(LogCase):
    """``--logging``."""

    def test_lines(self) -> None:
        """Accesses and the life of each transfer, in words that people know from before."""
        server = start(self, self.root, "--logging")
        self.use(server)
        for expected in (
            r'127\.0\.0\.1 "GET /archive/3bea29cc…/" 200 104859\d\d "a\\x20tester"',
            r"Archive 3bea29cc…: started",
            r"Archive 3bea29cc…: transfer finished after \d+ chunks, 104859\d\d bytes",
            r"Archive 3bea29cc…: download was interrupted after \d+ chunks, \d+ bytes",
            r'"GET /archive/3bea29cc…/" 200 \d+ interrupted ',
            r"Archive 3bea29cc…: failed: 1\.bin: ",
            r'"GET /archive/unknown-…/\?file=…&…" 404 ',
            r'"HEAD /archive/3bea29cc…/\?filename=…" 200 0 ',
        ):
            self.assertRegex(server.log, expected)

    def test_off(self) -> None:
        """Without it, only the ready line and what failed; the address to open is told all the same."""
        server = start(self, self.root)
        self.use(server)
        self.assertNotIn("GET", server.log)
        self.assertNotIn("started\n", server.log)
        self.assertIn("Archive 3bea29cc…: failed: 1.bin: ", server.log)

    def test_no_secret(self) -> None:
        """The whole name of an album is nowhere in the log, as text, as JSON or in all its detail."""
        for options in ((), ("--log-format=json",), ("--log-format=text", "--log-level=debug")):
            make_album(self.root, ALBUM, {"1.bin": noise(10 * MIB)})
            server = start(self, self.root, "--logging", twist=options)
            self.use(server)
            for target in (f"/{ALBUM}", f"//archive/{ALBUM}/", f"/archive/{ALBUM}%00/", f"/Archive/{ALBUM}/"):
                server.ask(target)
            server.stop()
            self.assertIn("3bea29cc", server.log)
            self.assertNotIn(ALBUM[:12], server.log)
            self.assertNotIn("unknown-album", server.log)

    def test_chunks_are_told_in_detail(self) -> None:
        """At the level debug, each chunk has its number and size."""
        server = start(self, self.root, "--logging", twist=("--log-format=text", "--log-level=debug"))
        server.ask(TARGET)
        sizes = re.findall(r"Archive 3bea29cc…: sending chunk #\d+ with size (\d+) bytes", server.log)
        self.assertEqual(sum(map(int, sizes)), len(server.ask(TARGET).body))

    def test_forged_lines(self) -> None:
        """Nobody can write a line of his own into the log."""
        server = start(self, self.root, "--logging")
        request = b'GET /%0d%0aforged HTTP/1.1\r\nHost: x\r\nUser-Agent: a"\x1b[2J\xff\x85forged\r\n'
        server.exchange(request + b"Connection: close\r\n\r\n")
        line = server.wait_for_log("forged")
        self.assertIn('"GET /', line)
        self.assertTrue(line.isprintable(), line)

    def test_json(self) -> None:
        """Where nobody looks, ``twist`` writes JSON: each line is an object."""
        server = start(self, self.root, "--logging", twist=())
        server.ask(TARGET)
        server.stop()
        events = [json.loads(line) for line in server.log.replace("\x1e", "").splitlines()]
        self.assertIn("{client}", " ".join(str(event.get("log_format")) for event in events))


class DelayTests(LogCase):
    """``--delay``."""

    def test_a_pause_before_each_chunk(self) -> None:
        """Chunks come one by one, a client that leaves between them is noticed, and others are served."""
        server = start(self, self.root, "--delay", "--logging")
        with server.connect() as client:
            client.sendall(f"GET {TARGET} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            server.wait_for_log("started")
            self.assertEqual(server.ask("/").status, 200)
            self.assertEqual(server.metric("fileserve_archive_bytes_total"), 0)
            self.assertTrue(client.recv(1 << 16))
            self.assertLess(server.metric("fileserve_archive_bytes_total"), 2 * MIB)
        server.wait_for_log("download was interrupted after")
        self.assertEqual(server.stop(), -15)
