"""
Pushing a body into a request: patience with slow clients, written chunks, open members sent from their files.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from fileserve.storage.abilities import IDescriptor
from fileserve.storage.errors import MemberChanged, Unreadable
from fileserve.storage.interfaces import Data, IOpenMember

from .ranges import Span
from .request import Request

#: The most that is read for a consumer at once, in bytes.
CHUNK = 256 * 1024

#: A part of an open member up to this is read and written, where it could be
#: sent from its file too: that takes fewer calls.
SMALL = 128 * 1024

#: How much of a file is made ready, and then sent, at once.
_WINDOW = 2 * 1024 * 1024

#: The last bytes of a part are read, and not sent from the file, so that the
#: version is checked before the client has all of it.
_TAIL = 16 * 1024


@implementer(IPushProducer)
class PushProducer(ABC):
    """
    Produces parts of one representation into one request.

    A subclass says where the bytes come from, by `send_span`, and what is to be
    given back in the end, by `close`. While it is paused it holds no more than
    the chunk that it was about to write.

    :param items: what to send, in order: bytes as they are, and spans of the representation.
    :param pause: awaited before each chunk, for slowing down; no file is then
        sent past us.
    """

    def __init__(
        self, items: Iterable[bytes | Span], pause: Callable[[], Deferred[None]] | None = None
    ) -> None:
        self._items = items
        self._pause = pause
        self._resumed: Deferred[None] | None = None

    def produce_to(self, request: Request) -> Deferred[None]:
        """
        Produce everything, then close, however it ends.

        :return: fires when every byte was handed on; fails with ``MemberChanged``,
            ``Unreadable`` or what else the reading fails with; may be cancelled.
        """
        self._consumer = request
        self._sends_files = request.sends_files and self._pause is None
        self._produced = Deferred.fromCoroutine(self._run())
        return self._produced

    def pauseProducing(self) -> None:
        """
        Hold back, until `resumeProducing`.
        """
        if self._resumed is None:
            self._resumed = Deferred()

    def resumeProducing(self) -> None:
        """
        Go on. Harmless when nothing is paused.
        """
        if self._resumed is not None:
            resumed, self._resumed = self._resumed, None
            resumed.callback(None)

    def stopProducing(self) -> None:
        """
        The consumer is gone.
        """
        self._produced.cancel()

    @abstractmethod
    async def send_span(self, span: Span) -> None:
        """
        Send a part of the representation, by `write` and `send_open`.
        """

    @abstractmethod
    def close(self) -> None:
        """
        Give back everything held; may be called twice.
        """

    def handing_on(self, size: int) -> None:  # noqa: B027  # most have nothing to count
        """
        Told of each chunk before it is written, and of each part of a file after it was sent.
        """

    async def produce(self) -> None:
        """
        Send all items; the request takes them while this runs.
        """
        for item in self._items:
            if isinstance(item, Span):
                await self.send_span(item)
            else:
                await self.write(item)

    async def room(self) -> int:
        """
        How much to gather into one chunk for a consumer that is not paused.
        """
        return min(CHUNK, await self._consumer.room()) if self._sends_files else CHUNK

    async def write(self, chunk: Data) -> None:
        """
        Write a chunk, once the consumer takes it; then wait until it takes another.
        """
        if self._pause is not None:
            await self._pause()
        while self._resumed is not None:
            await self._resumed
        self.handing_on(len(chunk))
        self._consumer.write(chunk)
        del chunk  # a client may take its time
        while self._resumed is not None:
            await self._resumed

    async def send_open(self, opened: IOpenMember, start: int, stop: int) -> None:
        """
        Send a part of an open member, which stays open. Its version is checked
        before the last bytes are handed on.
        """
        at = start
        descriptor = IDescriptor(opened, None) if self._sends_files and stop - start > SMALL else None
        if descriptor is not None:
            at = await self._send_file(opened, descriptor.fileno(), start, stop - _TAIL)
        while at < stop:
            length = min(CHUNK, stop - at)
            await self.write(await opened.read(at, length))
            at += length

    async def _run(self) -> None:
        try:
            self._consumer.registerProducer(self, True)
            try:
                await self.produce()
            except CancelledError:
                raise  # the consumer is gone: nothing to unregister from
            except BaseException:
                self._consumer.unregisterProducer()
                raise
        finally:
            self.close()
        self._consumer.unregisterProducer()

    async def _send_file(self, opened: IOpenMember, descriptor: int, at: int, end: int) -> int:
        """
        Send from a file, past this process, in windows; each is made ready while the one before is sent.

        :return: ``end``.
        """
        sent: Deferred[None] | None = None
        try:
            while at < end:
                length = min(_WINDOW, end - at)
                await opened.prepare(at, length)
                await self._handed_on(sent)
                sent = self._consumer.send_file(descriptor, at, length)
                sent.addCallback(self._sent, length)
                at += length
            await self._handed_on(sent)
        except EOFError:
            raise MemberChanged(opened.member.path, "it is shorter than it was") from None
        except OSError as error:
            raise Unreadable(opened.member.path, error.strerror) from error
        finally:
            if sent is not None:
                abandon(sent)
        opened.check()
        return end

    def _sent(self, _: None, length: int) -> None:
        self.handing_on(length)

    async def _handed_on(self, sent: Deferred[None] | None) -> None:
        """
        Wait for the part of a file before, and for the consumer.
        """
        if sent is not None:
            await sent
        while self._resumed is not None:
            await self._resumed


def abandon(waiting: Deferred[Any]) -> None:
    """
    Wait no longer for something, and for its failure neither.
    """
    waiting.addErrback(lambda _: None)
    waiting.cancel()
