"""
Who a process is: with real processes that are killed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from fcntl import F_GETFD, FD_CLOEXEC, fcntl
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from fileserve.identity import Identity

CLAIM = """
import sys
from fileserve.identity import Identity
identity = Identity.claim(sys.argv[1])
print(identity.name, flush=True)
sys.stdin.read()
"""


class IdentityTests(SynchronousTestCase):
    """`Identity`."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir()

    def claim(self) -> Identity:
        identity = Identity.claim(self.directory)
        self.addCleanup(identity.release)
        return identity

    def process(self, stack: ExitStack) -> subprocess.Popen[bytes]:
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", CLAIM, self.directory],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
        )
        stack.callback(process.kill)
        return process

    def name(self, process: subprocess.Popen[bytes]) -> str:
        assert process.stdout is not None
        return process.stdout.readline().decode().strip()

    def files(self) -> list[str]:
        return sorted(os.listdir(self.directory))

    def test_name(self) -> None:
        """A name is 32 hexadecimal digits of chance, in a file for us alone."""
        identity = self.claim()
        self.assertRegex(identity.name, "^[0-9a-f]{32}$")
        file = self.directory / "identity-0"
        self.assertEqual((file.read_text(), file.stat().st_mode & 0o777), (identity.name + "\n", 0o600))

    def test_again(self) -> None:
        """Who comes after one that has let go has its name."""
        first = self.claim()
        first.release()
        first.release()
        self.assertEqual(self.claim().name, first.name)
        self.assertEqual(self.files(), ["identity-0"])

    def test_two_at_once(self) -> None:
        """Two that live at the same time have two names, also in one process."""
        one, other = self.claim(), self.claim()
        self.assertNotEqual(one.name, other.name)
        self.assertEqual(self.files(), ["identity-0", "identity-1"])

    def test_first_that_is_free(self) -> None:
        """The first free name is taken."""
        names = [self.claim() for _ in range(3)]
        names[1].release()
        self.assertEqual(self.claim().name, names[1].name)

    def test_killed(self) -> None:
        """After a kill -9 the next process has the dead one's name; the living one keeps its own."""
        with ExitStack() as stack:
            first, second = self.process(stack), self.process(stack)
            names = [self.name(first), self.name(second)]
            self.assertEqual(len(set(names)), 2)
            first.kill()
            first.wait()
            third = self.process(stack)
            self.assertEqual(self.name(third), names[0])
            fourth = self.process(stack)
            self.assertNotIn(self.name(fourth), names)
        self.assertEqual(len(self.files()), 3)

    def test_many_at_once(self) -> None:
        """Processes that are started at once have each its own name."""
        with ExitStack() as stack:
            processes = [self.process(stack) for _ in range(6)]
            self.assertEqual(len({self.name(process) for process in processes}), 6)

    def test_died_too_early(self) -> None:
        """A file that says nothing, or only half of it, or something else, is given a name."""
        for text in (b"", b"0123456789abcdef", b"0" * 32, b"0" * 33 + b"\n", b"\xff" * 32 + b"\n"):
            (self.directory / "identity-0").write_bytes(text)
            identity = self.claim()
            self.assertRegex(identity.name, "^[0-9a-f]{32}$")
            self.assertEqual((self.directory / "identity-0").read_text(), identity.name + "\n")
            identity.release()
            self.assertEqual(self.claim_and_release(), identity.name)

    def claim_and_release(self) -> str:
        identity = Identity.claim(self.directory)
        identity.release()
        return identity.name

    def test_not_inherited(self) -> None:
        """A program that we start does not hold our name when we are dead."""
        descriptor = self.claim()._descriptor
        self.assertTrue(fcntl(descriptor, F_GETFD) & FD_CLOEXEC)

    def test_errors(self) -> None:
        """No directory, a link or a directory in the place of a file: ``OSError``, and none stays open."""
        before = len(os.listdir("/proc/self/fd"))
        self.assertRaises(FileNotFoundError, Identity.claim, self.directory / "missing")
        (self.directory / "identity-0").symlink_to("elsewhere")
        self.assertRaises(OSError, Identity.claim, self.directory)
        (self.directory / "identity-0").unlink()
        (self.directory / "identity-0").mkdir()
        self.assertRaises(IsADirectoryError, Identity.claim, self.directory)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
