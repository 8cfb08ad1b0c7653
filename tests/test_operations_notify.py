"""
Tests of what the service manager is told, with a real datagram socket in its place.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from fileserve.operations.notify import Notifier


class Manager:
    """The socket of a service manager, and what came through it."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.setblocking(False)

    def lines(self) -> list[str]:
        """The lines of the next message."""
        return self._socket.recv(65536).decode().split("\n")

    def close(self) -> None:
        self._socket.close()


class NotifyingCase(SynchronousTestCase):
    """A manager at a path, and notifiers that close with the test."""

    def setUp(self) -> None:
        # Not below the folder of the tests: the name of a socket has room for 107 bytes only.
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = str(Path(folder.name) / "notify")
        self.manager = self.manager_at(self.path)

    def manager_at(self, address: str) -> Manager:
        manager = Manager(address)
        self.addCleanup(manager.close)
        return manager

    def notifier(self, **environ: str) -> Notifier:
        notifier = Notifier.from_environment({"NOTIFY_SOCKET": self.path, **environ})
        self.addCleanup(notifier.close)
        return notifier


class MessageTests(NotifyingCase):
    """What reaches the manager."""

    def test_ready(self) -> None:
        """``ready`` says READY=1 and a line for people."""
        self.notifier().ready("Serving photos")
        self.assertEqual(self.manager.lines(), ["READY=1", "STATUS=Serving photos"])

    def test_status(self) -> None:
        """``status`` says a line for people and nothing else."""
        self.notifier().status("3 archives are being sent")
        self.assertEqual(self.manager.lines(), ["STATUS=3 archives are being sent"])

    def test_alive(self) -> None:
        """``alive`` feeds the watchdog."""
        self.notifier().alive()
        self.assertEqual(self.manager.lines(), ["WATCHDOG=1"])

    def test_stopping(self) -> None:
        """``stopping`` says STOPPING=1."""
        self.notifier().stopping()
        self.assertEqual(self.manager.lines(), ["STOPPING=1"])

    def test_stopping_slowly(self) -> None:
        """``stopping`` asks for the time that draining takes, in microseconds."""
        self.notifier().stopping(30.5)
        self.assertEqual(self.manager.lines(), ["STOPPING=1", "EXTEND_TIMEOUT_USEC=30500000"])

    def test_abstract_socket(self) -> None:
        """A name that begins with ``@`` is a name in the abstract name space."""
        name = f"fileserve-test-{uuid4()}"
        manager = self.manager_at(f"\0{name}")
        self.notifier(NOTIFY_SOCKET=f"@{name}").alive()
        self.assertEqual(manager.lines(), ["WATCHDOG=1"])

    def test_text_of_any_language(self) -> None:
        """A status is sent as UTF-8."""
        self.notifier().status("Фото – 写真")
        self.assertEqual(self.manager.lines(), ["STATUS=Фото – 写真"])

    def test_no_injection(self) -> None:
        """A line end in a status can't begin another message."""
        self.notifier().ready("a\nSTOPPING=1\r\n\x00MAINPID=1")
        self.assertEqual(self.manager.lines(), ["READY=1", "STATUS=a STOPPING=1 MAINPID=1"])

    def test_long_status(self) -> None:
        """A long status is cut, because systemd drops messages over 4096 bytes."""
        self.notifier().ready("\udcff" * 10_000)
        self.assertLessEqual(len("\n".join(self.manager.lines()).encode()), 4096)

    @given(st.text())
    def test_any_status_is_one_line(self, text: str) -> None:
        """Whatever the status is, it arrives as one line that begins with STATUS=."""
        notifier = Notifier.from_environment({"NOTIFY_SOCKET": self.path})
        try:
            notifier.status(text)
        finally:
            notifier.close()
        (line,) = self.manager.lines()
        self.assertTrue(line.startswith("STATUS="))


class NoManagerTests(NotifyingCase):
    """Without a manager that listens, serving goes on."""

    def say_everything(self, notifier: Notifier) -> None:
        notifier.ready("here")
        notifier.status("here")
        notifier.alive()
        notifier.stopping(1)

    def test_not_under_systemd(self) -> None:
        """Without ``NOTIFY_SOCKET`` nothing is told, and no watchdog fed."""
        for environ in ({}, {"NOTIFY_SOCKET": ""}, {"WATCHDOG_USEC": "1000000"}):
            notifier = Notifier.from_environment(environ)
            self.say_everything(notifier)
            self.assertIsNone(notifier.watchdog_interval)
        self.assertRaises(BlockingIOError, self.manager.lines)

    def test_other_address_families(self) -> None:
        """An address that is no UNIX socket is logged once, and then nothing is told."""
        with capturedLogs() as events:
            self.say_everything(self.notifier(NOTIFY_SOCKET="vsock:2:1234"))
        self.assertEqual([event["name"] for event in events], ["vsock:2:1234"])

    def test_manager_is_gone(self) -> None:
        """A manager that does not listen any more is logged for each message, and nothing is raised."""
        notifier = self.notifier()
        self.manager.close()
        with capturedLogs() as events:
            self.say_everything(notifier)
        self.assertEqual(
            [event["first"] for event in events], ["READY=1", "STATUS=here", "WATCHDOG=1", "STOPPING=1"]
        )

    def test_no_such_socket(self) -> None:
        """A name that no socket has, or none can have, is logged, and nothing is raised."""
        for name in ("/no/such/socket", "/" + 200 * "x"):
            with capturedLogs() as events:
                self.notifier(NOTIFY_SOCKET=name).alive()
            self.assertEqual(len(events), 1)

    def test_manager_that_does_not_read(self) -> None:
        """A manager whose queue is full costs messages, not the server: none waits for ever."""
        notifier = self.notifier()
        with capturedLogs() as events:
            while not events:
                notifier.alive()
            notifier.ready("here")
        self.assertEqual([event["first"] for event in events], ["WATCHDOG=1", "READY=1"])

    def test_after_closing(self) -> None:
        """After ``close``, which may be called twice, nothing is told."""
        notifier = self.notifier()
        notifier.close()
        notifier.close()
        self.say_everything(notifier)
        self.assertRaises(BlockingIOError, self.manager.lines)


class WatchdogTests(NotifyingCase):
    """How often the watchdog wants to be fed."""

    def test_half_the_time(self) -> None:
        """It is fed twice in the time after which it bites, whether a process is named or not."""
        self.assertEqual(self.notifier(WATCHDOG_USEC="30000000").watchdog_interval, 15)
        ours = self.notifier(WATCHDOG_USEC="1000000", WATCHDOG_PID=str(os.getpid()))
        self.assertEqual(ours.watchdog_interval, 0.5)

    def test_of_another_process(self) -> None:
        """A watchdog for another process is not ours to feed."""
        for pid in (str(os.getppid()), "", "x"):
            notifier = self.notifier(WATCHDOG_USEC="1000000", WATCHDOG_PID=pid)
            self.assertIsNone(notifier.watchdog_interval)

    def test_no_watchdog(self) -> None:
        """Without a time, or with one that is none, there is no watchdog."""
        self.assertIsNone(self.notifier().watchdog_interval)
        for text in ("", "0", "-1", "soon"):
            self.assertIsNone(self.notifier(WATCHDOG_USEC=text).watchdog_interval)
