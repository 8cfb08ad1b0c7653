"""
``fileserve.pictures.child``: a real one, over a real socket.
"""

from __future__ import annotations

import errno
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from PIL import Image
from twisted.trial.unittest import SynchronousTestCase

from fileserve.pictures.facts import NoPreview, Why
from fileserve.pictures.formats import FORMATS
from fileserve.pictures.opening import opened
from fileserve.pictures.protocol import receive, send
from tests.picturebombs import BOMBS, SVG
from tests.picturesamples import CAMERA, TAKEN, sample

_ROOT = Path(__file__).parent.parent


class Child:
    """
    A child, and our end of its socket.
    """

    def __init__(self) -> None:
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(60)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fileserve.pictures.child"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=_ROOT,
                env={"PATH": os.environ["PATH"]},
            )

    def asked(self, message: dict[str, Any], *files: IO[bytes]) -> dict[str, Any] | None:
        send(self.sock, message, [file.fileno() for file in files])
        answer = receive(self.sock)
        return None if answer is None else answer[0]

    def close(self) -> None:
        self.sock.close()
        self.process.wait(60)

    def told(self, name: str) -> str:
        return Path(f"/proc/{self.process.pid}/{name}").read_text(encoding="ascii")


class ChildTests(SynchronousTestCase):
    """What it is asked, and what it answers."""

    def setUp(self) -> None:
        """One child, which any test may end."""
        self.child = self.another()

    def another(self) -> Child:
        child = Child()
        self.addCleanup(child.close)
        return child

    def file(self, data: bytes = b"") -> IO[bytes]:
        file = self.enterContext(tempfile.TemporaryFile())
        file.write(data)
        file.flush()
        return file

    def look(self, *pictures: tuple[str, bytes]) -> Sequence[dict[str, Any]]:
        message = {"job": "look", "media_types": [kind for kind, _ in pictures]}
        answer = self.child.asked(message, *(self.file(data) for _, data in pictures))
        assert answer is not None
        facts: Sequence[dict[str, Any]] = answer["facts"]
        return facts

    def preview(
        self, kind: str, picture: IO[bytes], *outputs: tuple[int, str, IO[bytes]]
    ) -> dict[str, Any] | None:
        message = {"job": "preview", "media_type": kind, "outputs": [each[:2] for each in outputs]}
        return self.child.asked(message, picture, *(each[2] for each in outputs))

    def small(self, kind: str, data: bytes) -> dict[str, Any] | None:
        return self.preview(kind, self.file(data), (320, "webp", self.file()))

    def test_look(self) -> None:
        """It looks at pictures of all formats at once, and tells what it sees in their order."""
        every = self.look(*((kind, sample(kind, width=64)) for kind in FORMATS))
        self.assertEqual(
            [(each["media_type"], each["width"]) for each in every], [(kind, 64) for kind in FORMATS]
        )
        (facts,) = self.look(("image/jpeg", sample("image/jpeg", exif=CAMERA, gps=True, orientation=6)))
        self.assertEqual(
            facts,
            {"media_type": "image/jpeg", "width": 40, "height": 60, "orientation": 6, "located": True,
             "maker": "NIKON CORPORATION", "model": "NIKON D850", "taken": TAKEN},
        )  # fmt: skip

    def test_look_at_nothing(self) -> None:
        """It may be asked to look at nothing, and answers that."""
        self.assertEqual(self.child.asked({"job": "look", "media_types": []}), {"facts": []})

    def test_look_at_broken(self) -> None:
        """A file that can't be opened has its type only, and spoils nothing for the others."""
        good = ("image/gif", sample("image/gif"))
        seen = self.look(("image/png", SVG), ("image/jpeg", b""), ("text/plain", b"x"), good)
        self.assertEqual([each["width"] for each in seen], [None, None, None, 60])
        self.assertEqual([each["located"] for each in seen], [None, None, None, False])

    def test_preview(self) -> None:
        """It makes previews of all formats; wherever the descriptors stand, they stay there."""
        for kind in FORMATS:
            picture, small, large = self.file(sample(kind, width=500, height=400)), self.file(), self.file()
            picture.seek(7)
            self.assertEqual(
                self.preview(kind, picture, (320, "webp", small), (1280, "jpeg", large)), {"made": True}, kind
            )
            self.assertEqual(os.lseek(picture.fileno(), 0, os.SEEK_CUR), 7)
            for output, size, form in ((small, (320, 256), "WEBP"), (large, (500, 400), "JPEG")):
                with Image.open(output) as image:
                    self.assertEqual((image.size, image.format), (size, form), kind)

    def test_no_preview(self) -> None:
        """It says why there is none, and goes on."""
        for kind, make in BOMBS.items():
            self.assertEqual(self.small(kind, make()), {"why": "too large"})
        whole = sample("image/jpeg")
        self.assertEqual(self.small("image/jpeg", whole[:-50]), {"why": "broken"})
        self.assertEqual(self.small("image/svg+xml", SVG), {"why": "unsupported"})
        self.assertEqual(self.small("image/jpeg", whole), {"made": True})

    def test_full_disk(self) -> None:
        """What can't be written says so, which is not the picture's fault."""
        with open("/dev/full", "wb") as full:
            answer = self.preview("image/jpeg", self.file(sample("image/jpeg")), (320, "webp", full))
        self.assertEqual(answer, {"errno": errno.ENOSPC})

    def test_limits(self) -> None:
        """It may use no more than it should, and its time is counted anew for each job."""
        self.look()
        limits = {line[:26].strip(): line[26:].split()[:1] for line in self.child.told("limits").splitlines()}
        self.assertEqual(limits["Max address space"], [str(3 * 2**29)])
        self.assertEqual(limits["Max file size"], [str(32 * 2**20)])
        self.assertEqual(limits["Max core file size"], ["0"])
        self.assertEqual(limits["Max open files"], ["64"])
        self.assertLessEqual(int(limits["Max cpu time"][0]), self.used() + 6)
        self.small("image/png", b"")
        (seconds,) = re.findall(r"Max cpu time +(\d+)", self.child.told("limits"))
        self.assertTrue(30 <= int(seconds) <= self.used() + 31, seconds)
        nice = int(self.child.told("stat").rpartition(")")[2].split()[16])
        self.assertEqual(nice, min(19, os.nice(0) + 10))

    def used(self) -> int:
        """Seconds of processor that it used, rounded up."""
        user, system = self.child.told("stat").rpartition(")")[2].split()[11:13]
        return -(-(int(user) + int(system)) // os.sysconf("SC_CLK_TCK"))

    def test_descriptors(self) -> None:
        """It keeps no file open, whether it liked it or not."""
        self.look(("image/jpeg", sample("image/jpeg")))
        descriptors = f"/proc/{self.child.process.pid}/fd"
        before = len(os.listdir(descriptors))
        for data in (sample("image/png"), b"", SVG):
            self.look(*[("image/png", data)] * 16)
            self.preview(
                "image/png", self.file(data), (320, "webp", self.file()), (1280, "webp", self.file())
            )
        self.assertEqual(len(os.listdir(descriptors)), before)

    def test_end(self) -> None:
        """It ends when we do, with no word of complaint."""
        self.look()
        self.child.close()
        self.assertEqual(self.child.process.returncode, 0)

    def test_end_before_answer(self) -> None:
        """It ends as well where nobody waits for its answer any more."""
        send(self.child.sock, {"job": "look", "media_types": []})
        self.child.close()
        self.assertEqual(self.child.process.returncode, 0)

    def test_no_job(self) -> None:
        """It ends at what is no job, since only our own workers send any."""
        for packet in (
            b"rubbish",
            b"{}",
            b'{"job": "dance"}',
            b'{"job": "look", "media_types": ["image/png"]}',
        ):
            child = self.another()
            child.sock.send(packet)
            self.assertIsNone(receive(child.sock))
            child.close()
            self.assertGreater(child.process.returncode, 0)

    def test_changed(self) -> None:
        """Whatever bytes of a picture are changed, there is an answer that is one, or no more child."""
        chance = random.Random(4)
        whole = {kind: sample(kind) for kind in FORMATS}
        for turn in range(420):
            kind = sorted(FORMATS)[turn % len(FORMATS)]
            data = bytearray(whole[kind])
            for _ in range(chance.randint(1, 8)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            answer = self.small(kind, bytes(data[: chance.randint(1, 4 * len(data))]))
            if answer is None:
                self.child = self.another()
            else:
                self.assertIn(answer, [{"made": True}, {"why": "broken"}, {"why": "too large"}])


class ModuleTests(SynchronousTestCase):
    """What a child is made of."""

    def test_imports(self) -> None:
        """It starts without Twisted, zope, and the decoders of rare formats, so that it starts fast."""
        program = "import sys, fileserve.pictures.child; print(*sys.modules)"
        told = subprocess.run(
            [sys.executable, "-c", program], cwd=_ROOT, capture_output=True, check=True
        ).stdout
        loaded = {name.partition(".")[0] for name in told.decode().split()}
        self.assertIn("PIL", loaded)
        self.assertFalse(loaded & {"twisted", "zope", "klein", "numpy", "OpenEXR", "pillow_heif"})

    def test_memory(self) -> None:
        """Where memory is short, the picture is too large."""
        with tempfile.TemporaryFile() as file:
            file.write(sample("image/png"))
            file.flush()

            def use() -> None:
                with opened(file, "image/png"):
                    raise MemoryError

            self.assertIs(self.assertRaises(NoPreview, use).why, Why.TOO_LARGE)
