"""
Tests that one album gives the same bytes every time, whoever fetches it and however the server was started.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .clients import Answer
from .server import environment, folder, need, start
from .trees import MIB, copy_in_other_order, make_album, noise

TARGET = "/archive/album/"

MEMBERS: dict[str | bytes, bytes | int] = {
    "1.jpg": noise(300_000, 1),
    "größe.txt": b"umlaut",
    "写真/1.jpg": b"nested",
    b"caf\xe9.jpg": b"not UTF-8",
    "Twin.jpg": b"upper",
    "twin.jpg": b"lower",
    "hollow/.hidden": b"",
    "large.bin": 70 * MIB,
}


class SameBytesTests(SynchronousTestCase):
    """The bytes depend on names, sizes, times and contents of the members, and on nothing else."""

    def setUp(self) -> None:
        self.root = folder(self) / "root"
        make_album(self.root, "album", MEMBERS)

    def fetch(self, root: Path, *options: str, **how: str) -> Answer:
        server = start(self, root, *options, environ=how)
        answer = server.ask(TARGET)
        self.assertEqual(server.ask(TARGET).body, answer.body, "the second time")
        server.stop()
        return answer

    def test_after_restart(self) -> None:
        """
        A server with an empty state directory, another time zone and another locale sends the same
        bytes under the same ETag.
        """
        first = self.fetch(self.root, TZ="UTC", LC_ALL="C.UTF-8")
        for how in (
            {"TZ": "Asia/Kathmandu", "LC_ALL": "C"},
            {"TZ": "America/St_Johns", "LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        ):
            again = self.fetch(self.root, **how)
            self.assertEqual((again.body, again["ETag"]), (first.body, first["ETag"]), how)

    def test_other_reactor(self) -> None:
        """``twist --reactor`` decides how it is sent, and not what."""
        expected = self.fetch(self.root).body
        for reactor in ("poll", "select"):
            server = start(self, self.root, twist=("--log-format=text", f"--reactor={reactor}"))
            self.assertEqual(server.ask(TARGET).body, expected, reactor)

    def test_other_order_on_the_disk(self) -> None:
        """A copy made in another order, with the times of the original, gives the same bytes."""
        copy = folder(self) / "root"
        copy_in_other_order(self.root / "album", copy / "album")
        self.assertEqual(self.fetch(copy).body, self.fetch(self.root).body)

    def test_written_chunks(self) -> None:
        """A pause before each chunk, which keeps files from being sent past the program, changes no byte."""
        (self.root / "album" / "large.bin").unlink()
        server = start(self, self.root, "--delay")
        self.assertEqual(server.ask(TARGET).body, self.fetch(self.root).body)


class Aria2Tests(SynchronousTestCase):
    """``aria2c -x8 -s8``: eight parts of one archive at once."""

    def setUp(self) -> None:
        need("aria2c")
        self.root = folder(self) / "root"
        small = {f"{number:03}.jpg": noise(50_000, number) for number in range(200)}
        large = {f"large/{number}.bin": noise(3 * MIB, number) for number in range(6)}
        make_album(self.root, "album", {**small, **large, "huge.bin": 66 * MIB})

    def fetch(self, port: int) -> bytes:
        where = folder(self)
        command = ["aria2c", "-q", "--no-conf", "-x8", "-s8", "-k1M", "--file-allocation=none"]
        url = f"http://127.0.0.1:{port}{TARGET}"
        subprocess.run([*command, "-d", str(where), "-o", "a.zip", url], check=True, env=environment())
        return (where / "a.zip").read_bytes()

    def test_eight_parts_of_a_cold_album(self) -> None:
        """Nothing is known of the album yet, and the parts still fit together to the plain download."""
        server = start(self, self.root)
        parts = self.fetch(server.port)
        self.assertGreater(server.metric("fileserve_archives_started_total"), 1)
        self.assertEqual(parts, server.ask(TARGET).body)
        self.assertEqual(parts, self.fetch(server.port))
