"""
Stream transports that can send parts of files without copying them, and that cut stalled clients.

Made by a listening port in place of Twisted's own (`twisted.internet.tcp.Port`
documents its ``transport`` attribute for that).
"""

from __future__ import annotations

import fcntl
import os
import socket
import sys
import termios
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet import main, tcp, unix
from twisted.internet.defer import Deferred
from zope.interface import implementer

from .interfaces import ISendsFiles
from .stalls import StallWatch

if TYPE_CHECKING:
    from twisted.python.failure import Failure

#: The most that one ``sendfile`` is asked for, so that clients take turns.
_TURN = 2 * 1024 * 1024

#: So much is worth a system call of its own, and a copy less; in bytes.
_CHUNK = 16 * 1024

#: How much is read from a client at once, in bytes: Twisted's own measure, and
#: while a large body comes. That takes a fifth less processor time; beyond it the
#: C library begins to map memory anew for each read (2026-11). Of small requests
#: so many would come at once that others would wait for them.
READ, READ_OF_LARGE_BODY = 64 * 1024, 256 * 1024

#: Unsent bytes at which whoever writes is paused: Twisted's own measure.
_HELD = 64 * 1024


class _FilePart:
    """
    A part of a file on its way.
    """

    def __init__(self, descriptor: int, offset: int, left: int, sent: Deferred[None]) -> None:
        self.descriptor = descriptor
        self.offset = offset
        self.left = left
        self.sent = sent


class _SendsFiles:
    """
    Mixed into a server transport, whose buffer it lets drain before a file's part.

    How much of the buffer is unsent is counted here: what Twisted knows of it
    is private.
    """

    SEND_LIMIT = 1024 * 1024
    bufferSize = READ

    _unsent = 0
    #: Bytes given to the kernel, ever.
    _given = 0
    _part: _FilePart | None = None
    _asked_for_room: Deferred[int] | None = None

    if TYPE_CHECKING:
        reactor: Any
        socket: socket.socket
        connected: bool
        producer: Any
        producerPaused: bool
        streamingProducer: bool
        disconnecting: bool
        startWriting: Callable[[], None]
        abortConnection: Callable[[], None]

    def __init__(self, *args: Any, stall_timeout: float) -> None:
        super().__init__(*args)
        self._stalls = StallWatch(self, stall_timeout)

    def write(self, data: bytes | bytearray) -> None:
        """
        Give a chunk to the kernel at once, as far as it takes it; count what is
        left, and write that as ever.
        """
        if self.connected:
            self._stalls.begin()
            if len(data) >= _CHUNK and not self._unsent:
                data = data[self._send_at_once(data) :]
            self._unsent += len(data)
        super().write(bytes(data))  # type: ignore[misc]
        self._pause_producer()

    def _pause_producer(self) -> None:
        """
        Let nobody write more than the client takes. Twisted does so too, but only
        when ``bufferSize`` is exceeded, which is larger while a large body is read.
        """
        if self._unsent > _HELD and self.streamingProducer and not self.producerPaused:
            self.producerPaused = True
            self.producer.pauseProducing()

    def _send_at_once(self, data: bytes | bytearray) -> int:
        try:
            sent = self.socket.send(data)
        except OSError:
            return 0  # it would wait; or the connection is lost, as will be seen when it is tried again
        self._given += sent
        return sent

    def writeSequence(self, iovec: Any) -> None:
        """
        Count, then write as ever.
        """
        self.write(b"".join(iovec))

    def writeSomeData(self, data: bytes) -> int | BaseException:
        """
        Write as ever, then count.
        """
        written: int | BaseException = super().writeSomeData(data)  # type: ignore[misc]
        if isinstance(written, int) and written > 0:
            self._unsent -= written
            self._given += written
        return written

    def send_file(self, descriptor: int, offset: int, length: int) -> Deferred[None]:
        """
        See `ISendsFiles`.
        """
        sent: Deferred[None] = Deferred(self._forget_part)
        self._stalls.begin()
        self._part = _FilePart(descriptor, offset, length, sent)
        self.startWriting()
        return sent

    def doWrite(self) -> BaseException | None:
        """
        Send what was written, and once that is gone, of the file's part.
        """
        if self._asked_for_room is not None and not self._unsent and not self.disconnecting:
            self._tell_room(self._asked_for_room)
            return None
        if self._unsent or self._part is None:
            result: BaseException | None = super().doWrite()  # type: ignore[misc]
            if result is not None or self._unsent or self._part is None:
                return result
        return self._send_part(self._part)

    def stopWriting(self) -> None:
        """
        Stop only when nothing waits any more, or it can't: Twisted does when its
        own buffer is empty.
        """
        if not self.connected or (self._part is None and self._asked_for_room is None):
            super().stopWriting()  # type: ignore[misc]

    def room(self) -> Deferred[int]:
        """
        See `ISendsFiles`.
        """
        asked: Deferred[int] = Deferred(self._forget_room)
        self._stalls.begin()
        self._asked_for_room = asked
        self.startWriting()
        return asked

    def _tell_room(self, asked: Deferred[int]) -> None:
        """
        The kernel calls a socket writable when a third of its buffer is free
        (``sk_stream_is_writeable``); a quarter is safe.
        """
        self._asked_for_room = None
        asked.callback(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 4)
        if not self.waits:
            self.stopWriting()

    def _forget_room(self, _: object) -> None:
        self._asked_for_room = None

    def _send_part(self, part: _FilePart) -> BaseException | None:
        try:
            sent = os.sendfile(self.socket.fileno(), part.descriptor, part.offset, min(part.left, _TURN))
        except (BlockingIOError, InterruptedError):
            return None
        except (ConnectionError, TimeoutError):
            return main.CONNECTION_LOST
        except OSError as error:
            self._end_part(part, error)
            return None
        self._given += sent
        part.offset += sent
        part.left -= sent
        if not sent:
            self._end_part(part, EOFError())
        elif not part.left:
            self._end_part(part, None)
        return None

    def _end_part(self, part: _FilePart, error: Exception | None) -> None:
        self._part = None
        if error is None:
            part.sent.callback(None)
        else:
            part.sent.errback(error)

    def _forget_part(self, _: object) -> None:
        self._part = None

    def connectionLost(self, reason: Failure) -> None:
        """
        Let go of the file's part and of the timer.
        """
        super().connectionLost(reason)  # type: ignore[misc]
        self._stalls.end()
        part, self._part = self._part, None
        if part is not None:
            part.sent.errback(reason)
        asked, self._asked_for_room = self._asked_for_room, None
        if asked is not None:
            asked.errback(reason)

    @property
    def waits(self) -> bool:
        """
        Whether the client still has to take something from this process.
        """
        return bool(self._unsent) or self._part is not None or self._asked_for_room is not None

    def taken(self) -> int:
        """
        How many bytes the client took: those given to the kernel, which may hold
        many for a slow client and for long, less those that it holds.
        """
        held = fcntl.ioctl(self.socket.fileno(), termios.TIOCOUTQ, bytes(4))  # SIOCOUTQ of tcp(7), unix(7)
        return self._given - int.from_bytes(held, sys.byteorder)


@implementer(ISendsFiles)
class FileServer(_SendsFiles, tcp.Server):  # type: ignore[misc]
    """
    A TCP connection that sends files.
    """


@implementer(ISendsFiles)
class UNIXFileServer(_SendsFiles, unix.Server):  # type: ignore[misc]
    """
    A connection over a UNIX socket that sends files.
    """


def sends_files(transport: object) -> bool:
    """
    Tell whether a transport itself provides `ISendsFiles`.

    Twisted's wrappers (`ProtocolWrapper`, and so TLS) declare all that the
    transport below them provides and pass calls on to it: asked for the
    interface, one would send files past its own encryption.
    """
    return isinstance(transport, _SendsFiles)


def make_ports_send_files(port: object, stall_timeout: float) -> None:
    """
    Let a port that listens make our transports from now on.

    To be called before the reactor turns, so that no client came yet. Ports of
    other kinds stay as they are. Under TLS the transport below is ours, so
    stalls are seen there too, but the one that HTTP talks to is not: nothing
    goes round the encryption.

    :param stall_timeout: seconds without progress after which a client that
        still has to read something is cut off.
    """
    if isinstance(port, unix.Port):
        # Twisted's hint says a class; it only calls what stands there.
        port.transport = partial(UNIXFileServer, stall_timeout=stall_timeout)  # type: ignore[assignment]
    elif isinstance(port, tcp.Port):
        port.transport = partial(FileServer, stall_timeout=stall_timeout)  # type: ignore[assignment]
