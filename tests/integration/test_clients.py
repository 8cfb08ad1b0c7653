"""
Tests of clients that leave, stall or are slow: each costs the server nothing once it is gone.
"""

from __future__ import annotations

import socket
import struct
import time
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from .clients import eventually
from .server import folder, start
from .trees import MIB, make_album, noise

DISCONNECTS = 500

# The public one and the one for metrics.
LISTENERS = 2


class LeavingTests(SynchronousTestCase):
    """Clients that leave at any moment."""

    def setUp(self) -> None:
        root = folder(self) / "root"
        make_album(root, "large", {f"{number}.bin": noise(5 * MIB, number) for number in range(8)})
        make_album(root, "small", {f"{number:04}.bin": noise(10_000, number) for number in range(2000)})
        make_album(root, "huge", {"zeros.bin": 100 * MIB})
        self.root = root
        self.server = start(self, root)

    def leave(self, chance: Random, *targets: str) -> None:
        """Ask, read a little or nothing, and leave, politely or not."""
        fields = ["Host: x", "Connection: close"]
        if chance.random() < 0.3:
            first = chance.randrange(4 * MIB)
            fields.append(f"Range: bytes={first}-,0-{first // 2}")
        request = "\r\n".join([f"GET {chance.choice(targets)} HTTP/1.1", *fields, "", ""]).encode()
        with self.server.connect() as client:
            whole = chance.random() < 0.9
            client.sendall(request if whole else request[:-3])
            left = whole * chance.choice([0, 0, 1, 400, 70_000, chance.randrange(4 * MIB)])
            while left > 0 and (piece := client.recv(min(left, 1 << 16))):
                left -= len(piece)
            if chance.random() < 0.5:
                # Closing is a reset then.
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def rest(self) -> list[str]:
        """
        Wait until nothing goes on.

        :return: what descriptors lead to that stay open, without the catalogue's, of which each of its few
            threads has its own.
        """
        gauges = (
            "fileserve_connections",
            "fileserve_open_transfers",
            "fileserve_disk_queue",
            "fileserve_pictures_queue",
        )
        eventually(lambda: not any(map(self.server.metric, gauges)), "the last transfer to end")
        return eventually(self.only_listening, "the last connection to be closed")

    def only_listening(self) -> list[str]:
        """What is open, once that is two sockets: the listeners. Asking for metrics took a third."""
        found = [name for name in self.server.descriptors() if "/catalogue.sqlite" not in name]
        return found if sum(name.startswith("socket:") for name in found) == LISTENERS else []

    def test_500_at_random_moments(self) -> None:
        """Afterwards no descriptor, transfer or growing thread is left, and memory is as it was."""
        chance = Random("leave")
        targets = ["/archive/large/", "/archive/small/", "/archive/huge/", "/archive/none/", "/"]
        for target in targets * 2:
            self.server.ask(target)
        before = self.rest()
        for _ in range(100):
            self.leave(chance, *targets)
        self.assertEqual(self.rest(), before)
        resident, threads = self.server.resident(), self.server.threads()
        for _ in range(DISCONNECTS - 100):
            self.leave(chance, *targets)
        self.assertEqual(self.rest(), before)
        self.assertLess(self.server.resident(), resident + 4 * MIB)
        # The pools have eight and a few threads at the most, which they keep.
        self.assertLess(self.server.threads(), threads + 12)
        self.assertNotIn("Traceback", self.server.log)
        self.assertNotIn("Unhandled", self.server.log)
        started = self.server.metric("fileserve_archives_started_total")
        self.assertEqual(self.server.metric("fileserve_archives_ended_total"), started)

    def test_from_a_cold_album(self) -> None:
        """Leaving while checksums are computed ends the computing."""
        before = self.rest()
        chance = Random("cold")
        for number in range(20):
            make_album(self.root, f"cold{number}", {"a.txt": b"first", "b.bin": 60 * MIB, "c.bin": 60 * MIB})
            self.leave(chance, f"/archive/cold{number}/")
        self.assertEqual(self.rest(), before)
        self.assertNotIn("Traceback", self.server.log)


class StallingTests(SynchronousTestCase):
    """Clients that read nothing, or slowly."""

    def setUp(self) -> None:
        self.root = folder(self) / "root"
        make_album(self.root, "large", {f"{number}.bin": 8 * MIB for number in range(4)})
        make_album(self.root, "small", {f"{number:04}.bin": noise(10_000, number) for number in range(2000)})

    def test_cut(self) -> None:
        """Who reads nothing of a response for ``--stall-timeout`` is cut off, whatever is being sent."""
        server = start(self, self.root, "--stall-timeout", "1")
        for target in ("/archive/large/", "/archive/small/"):
            download = server.download(target)
            eventually(lambda: not server.metric("fileserve_open_transfers"), "the cut")
            self.assertFalse(download.finish())

    def test_not_cut_before(self) -> None:
        """Who stalls for less goes on where he was."""
        server = start(self, self.root, "--stall-timeout", "30")
        download = server.download("/archive/large/")
        time.sleep(1.5)
        self.assertTrue(download.finish())

    def test_slow_is_not_stalled(self) -> None:
        """Who reads a little all the time is never cut off, however long it takes in all."""
        server = start(self, self.root, "--stall-timeout", "2")
        with server.connect() as client:
            client.sendall(b"GET /archive/large/ HTTP/1.1\r\nHost: x\r\n\r\n")
            for _ in range(60):
                self.assertTrue(client.recv(10_000))
                time.sleep(0.1)
            self.assertEqual(server.metric("fileserve_open_transfers"), 1)

    def test_others_beside_it(self) -> None:
        """Many that stall keep nobody waiting, and hold little memory."""
        server = start(self, self.root)
        server.ask("/archive/large/")
        before = server.resident()
        stalled = [server.download("/archive/large/") for _ in range(200)]
        self.assertEqual(server.ask("/archive/small/").status, 200)
        self.assertLess(server.resident() - before, 200 * 40 * 1024 + 4 * MIB)
        for download in stalled:
            download.socket.close()
        eventually(lambda: not server.metric("fileserve_open_transfers"), "all to be gone")
