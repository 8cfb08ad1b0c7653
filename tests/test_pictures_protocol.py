"""
``fileserve.pictures.protocol``: packets between a worker and its child, and what is no packet.
"""

from __future__ import annotations

import os
import socket
import tempfile
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.pictures.protocol import MOST_FILES, Garbled, receive, send
from tests.support import open_descriptors

# Hypothesis judges the time an example takes, which says nothing on a busy machine.
patient = settings(deadline=None)

messages = st.dictionaries(
    st.text(max_size=9),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3),
    ),
    max_size=5,
)


class ProtocolTests(SynchronousTestCase):
    """Both ends of one socket."""

    def setUp(self) -> None:
        """A pair of them."""
        self.here, self.there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(self.here.close)
        self.addCleanup(self.there.close)

    def received(self) -> tuple[dict[str, Any], list[int]]:
        got = receive(self.there)
        assert got is not None
        return got

    @patient
    @given(messages)
    @example({"text": "\ud800\0" + "x" * 10_000})
    def test_message(self, message: dict[str, Any]) -> None:
        """What is sent is received."""
        send(self.here, message)
        self.assertEqual(self.received(), (message, []))

    def test_order(self) -> None:
        """Messages keep apart, and come in order."""
        for number in range(5):
            send(self.here, {"number": number})
        self.assertEqual([self.received()[0]["number"] for _ in range(5)], list(range(5)))

    def test_descriptors(self) -> None:
        """Files come along, in their order, and are inherited by no further child."""
        files = [self.enterContext(tempfile.TemporaryFile()) for _ in range(MOST_FILES)]
        for number, file in enumerate(files):
            file.write(b"%d" % number)
            file.flush()
        send(self.here, {}, [file.fileno() for file in files])
        _, descriptors = self.received()
        for each in descriptors:
            self.addCleanup(os.close, each)
        self.assertEqual(
            [os.pread(each, 9, 0) for each in descriptors], [b"%d" % n for n in range(MOST_FILES)]
        )
        self.assertFalse(any(map(os.get_inheritable, descriptors)))

    def test_end(self) -> None:
        """The end of the other side is no message."""
        self.here.close()
        self.assertIsNone(receive(self.there))
        self.assertRaises(BrokenPipeError, send, self.there, {})

    def test_too_large(self) -> None:
        """What is too large is not sent."""
        self.assertRaises(ValueError, send, self.here, {"text": "x" * 65_536})
        self.assertRaises(ValueError, send, self.here, {}, [0] * (MOST_FILES + 1))

    def test_largest_answer(self) -> None:
        """An answer about as many files as may be asked for at once, with the longest texts, fits."""
        one = {"media_type": "image/x-portable-anymap", "width": 2**31, "height": 2**31, "orientation": 8,
               "maker": "\U0001f4f7" * 100, "model": "\U0001f4f7" * 100, "taken": "2026-11-20T21:52:00+01:00",
               "located": False}  # fmt: skip
        send(self.here, {"facts": [one] * MOST_FILES})
        self.assertEqual(self.received()[0], {"facts": [one] * MOST_FILES})

    def test_garbled(self) -> None:
        """What is no message, or larger than any, is refused, and its files are closed."""
        with tempfile.TemporaryFile() as file:
            before = open_descriptors()
            for packet, count in (
                (b"{", 1),
                (b"[]", 1),
                (b"17", 0),
                (b"\xff", 1),
                (b"[" * 60_000, 0),
                (b" " * 70_000 + b"{}", 2),
                (b"{}", MOST_FILES + 1),
                (b"{}", 200),
            ):
                socket.send_fds(self.here, [packet], [file.fileno()] * count)
                self.assertRaises(Garbled, receive, self.there)
            self.assertEqual(open_descriptors(), before)

    @patient
    @given(st.binary(min_size=1))
    def test_any(self, packet: bytes) -> None:
        """Whatever bytes come, they are a message or garbled."""
        self.here.send(packet)
        try:
            message, _ = self.received()
        except Garbled:
            return
        self.assertIsInstance(message, dict)

    def test_time(self) -> None:
        """A socket with a time limit keeps it."""
        self.there.settimeout(0.01)
        self.assertRaises(TimeoutError, receive, self.there)
