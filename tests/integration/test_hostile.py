"""
Tests with hostile names, on the wire and on the disk: nothing from outside the albums is ever sent.
"""

from __future__ import annotations

import io
import os
import socket
import stat
import zipfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .server import folder, missing, start
from .trees import make_album

SECRET = b"must never leave the house"
GONE = b"Archive does not exist or was removed"

# Spellings of a way up, of what lies outside, and of names that nothing in a root may have.
TARGETS = [
    b"/archive/../", b"/archive/../outside/", b"/archive/..%2Foutside/", b"/archive/%2e%2e/",
    b"/archive/%2e%2e%2Foutside/", b"/archive/%2E%2E%5Coutside/", b"/archive/..\\outside/",
    b"/archive/....//outside/", b"/archive/%252e%252e%252foutside/", b"/archive/..%00/", b"/archive/..;/",
    b"/archive/%c0%ae%c0%ae/", b"/archive/%c0%ae%c0%ae%c0%afoutside/", b"/archive/%e0%80%ae%e0%80%ae/",
    b"/archive/%uff0e%uff0e/", b"/archive/%ef%bc%8e%ef%bc%8e/", b"/archive/.%2e%2foutside/",
    b"/archive/album/../../outside/", b"/archive/album/..%2f..%2foutside/", b"/archive/./", b"/archive/.",
    b"/archive/%2Fetc/", b"/archive//etc/", b"/archive/%2fetc%2f", b"/archive/file:%2f%2f%2fetc/",
    b"/archive/%00/", b"/archive/album%00/", b"/archive/album%00.zip/", b"/archive/album%0a/",
    b"/archive/album%0d%0aX-Evil:1/", b"/archive/al%20bum/", b"/archive/album%20/", b"/archive/album;a/",
    b"/archive/%ff%fe/", b"/archive/%ed%a0%80/", b"/archive/al%c3%bcm/", b"/archive/alb*m/",
    b"/archive/.hidden/", b"/archive/..hidden/", b"/archive/%2ehidden/",
    b"/archive/plain/", b"/archive/linked/", b"/archive/pipe/", b"/archive/device/",
    b"/archive/" + b"n" * 129 + b"/", b"/archive/" + b"x" * 15_000 + b"/",
    b"/archive/ALBUM/", b"/archive/album/1.txt", b"/archive/album/linked/", b"/archive/album/%2e/",
    b"/archive/album//", b"/archive//album/", b"/archive/", b"/archive", b"/archive/%", b"/archive/%zz/",
    b"/archive/album/?file=../../outside/secret", b"/archive/album/?file=/etc/passwd",
    b"/archive/album/?file=linked", b"/archive/album/?file=linked/secret", b"/archive/album/?file=linked.txt",
    b"/archive/album/?file=pipe", b"/archive/album/?file=device", b"/archive/album/?file=socket",
    b"/archive/album/?file=.hidden", b"/archive/album/?file=sub/.hidden", b"/archive/album/?file=",
    b"/archive/album/?file=1.txt%00", b"/archive/album/?file=./1.txt", b"/archive/album/?file=sub",
    b"/archive/album/?file=sub/../1.txt", b"/archive/album/?file=1.txt&file=nothing",
]  # fmt: skip


def special_files(where: Path) -> None:
    """Put a pipe, a device and a socket beside each other."""
    os.mkfifo(where / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(where / "socket"))
    try:
        # 1:5 is /dev/zero, which never ends.
        os.mknod(where / "device", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
    except PermissionError:
        missing("only root can make a device")


def nasty_root(top: Path) -> Path:
    """
    A root with one good album, and all that must not be served in it, beside it and above it.
    """
    outside = make_album(top, "outside", {"secret": SECRET})
    root = top / "root"
    make_album(root, ".hidden", {"secret": SECRET})
    make_album(root, "..hidden", {"secret": SECRET})
    make_album(root, "n" * 129, {"secret": SECRET})
    make_album(root, "al bum", {"secret": SECRET})
    make_album(root, os.fsdecode(b"\xff\xfe"), {"secret": SECRET})
    (root / "plain").write_bytes(SECRET)
    (root / "linked").symlink_to(outside)
    special_files(root)
    album = make_album(root, "album", {"1.txt": b"one", "sub/2.txt": b"two", b"\xff.txt": b"three"})
    (album / ".hidden").write_bytes(SECRET)
    (album / "sub" / ".hidden").write_bytes(SECRET)
    make_album(album, ".folder", {"secret": SECRET})
    (album / "linked").symlink_to(outside)
    (album / "linked.txt").symlink_to(outside / "secret")
    (album / "sub" / "absolute").symlink_to("/etc/passwd")
    (album / "round").symlink_to("round")
    (album / "up").symlink_to("..")
    special_files(album)
    return root


def request(target: bytes, *fields: bytes) -> bytes:
    """A request that ends its connection."""
    lines = [b"GET %b HTTP/1.1" % target, b"Host: x", b"Connection: close", *fields, b"", b""]
    return b"\r\n".join(lines)


class HostileNamesTests(SynchronousTestCase):
    """A root full of traps."""

    def setUp(self) -> None:
        self.server = start(self, nasty_root(folder(self)))

    def refused(self, target: bytes) -> None:
        response = self.server.exchange(request(target))
        self.assertEqual(response[:13], b"HTTP/1.1 404 ", target)
        self.assertEqual(response.partition(b"\r\n\r\n")[2], GONE, target)
        self.assertNotIn(b"X-Evil", response)

    def test_always_the_same_404(self) -> None:
        """Whatever the way up or out is spelled like, it is one and the same 404, at once."""
        for target in TARGETS:
            self.refused(target)

    def test_album_without_the_traps(self) -> None:
        """The album beside them has its members, and none of the links, pipes, devices and dot-names."""
        answer = self.server.ask("/archive/album/")
        with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
            held = {name: archive.read(name) for name in archive.namelist()}
        self.assertEqual(held, {"%FF.txt": b"three", "1.txt": b"one", "sub/2.txt": b"two"})

    def test_longest_name(self) -> None:
        """128 characters of every allowed kind are the name of an album; the 129th is too many."""
        name = "A-z_~.09" * 16
        make_album(self.server_root(), name, {"x": b"in"})
        self.assertEqual(self.server.ask(f"/archive/{name}/").status, 200)
        make_album(self.server_root(), name + "x", {"x": b"in"})
        self.refused(f"/archive/{name}x/".encode())

    def server_root(self) -> Path:
        words = Path(f"/proc/{self.server.process.pid}/cmdline").read_bytes().split(b"\0")
        return Path(os.fsdecode(words[words.index(b"--path") + 1]))

    def test_absolute_form(self) -> None:
        """The absolute form reaches the same albums, and no others."""
        good = self.server.exchange(request(b"http://files.example/archive/album/"))
        self.assertEqual(good[:13], b"HTTP/1.1 200 ")
        self.refused(b"http://files.example/archive/..%2Foutside/")
        self.refused(b"HTTP://../archive/linked/")

    def test_nothing_in_the_log(self) -> None:
        """None of this is an error of ours: the log has no traceback, and no secret."""
        for target in TARGETS:
            self.server.exchange(request(target))
        self.server.stop()
        self.assertNotIn("Traceback", self.server.log)
        self.assertNotIn(SECRET.decode(), self.server.log)
