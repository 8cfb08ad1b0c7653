"""
The body of one request, taken as it comes and no faster than somebody reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred

from .refusal import Refusal

#: So many bytes are kept for whoever reads; then the connection is held.
HELD = 1024 * 1024

#: What even a piece of two bytes takes in memory, as a client may send them in chunks.
_LEAST = 64

#: More pieces than that, together 1 MiB at the most, are put together.
_MANY = 64


class BodyLost(Exception):
    """
    The client left before all of its request had come.
    """


class Source(Protocol):
    """
    The connection that a body comes from.
    """

    def hold(self) -> None:
        """Take nothing more, for now."""

    def go_on(self) -> None:
        """Take more."""


class Body:
    """
    What follows the headers of a request.

    :param length: bytes, as ``Content-Length`` says; ``None`` where the client
        does not know.
    :param source: held while nobody reads.
    :param wanted: called once, before the first reading: a client may wait to
        be asked for its body (RFC 9110 section 10.1.1).
    :ivar ended: whether all of it has come.
    """

    def __init__(self, length: int | None, source: Source, wanted: Callable[[], None] = lambda: None) -> None:
        self.length = length
        self.ended = length == 0
        self._source = source
        self._wanted: Callable[[], None] | None = wanted
        self._pieces: list[bytes] = []
        self._held = 0
        self._lost = False
        self._reading: Deferred[None] | None = None

    async def read(self) -> list[bytes]:
        """
        Wait for more.

        :return: what has come, some 1 MiB together at the most; no pieces at the
            end, and from then on.
        :raise BodyLost: the client left.
        """
        if self._wanted is not None:
            wanted, self._wanted = self._wanted, None
            wanted()
        if not self._pieces and not self.ended:
            await self._more()
        pieces, self._pieces = self._pieces, []
        held, self._held = self._held, 0
        if held >= HELD:
            self._source.go_on()  # which may bring more at once
        # A client may send its body in chunks of a byte, each of which would cost
        # whoever keeps them a hundred times its size.
        return [b"".join(pieces)] if len(pieces) > _MANY else pieces

    async def _more(self) -> None:
        if self._lost:
            raise _lost()
        self._reading = Deferred()
        await self._reading

    async def whole(self, limit: int) -> bytes:
        """
        Wait for all of a small body.

        :param limit: bytes.
        :raise Refusal: 413, it is longer.
        :raise BodyLost: the client left.
        """
        pieces: list[bytes] = []
        left = limit if (self.length or 0) <= limit else -1
        while left >= 0 and (more := await self.read()):
            pieces += more
            left -= sum(map(len, more))
        if left < 0:
            raise Refusal(413, f"No more than {limit} bytes are taken here.")
        return b"".join(pieces)

    def came(self, data: bytes) -> None:
        """
        Take a piece from the connection.
        """
        self._pieces.append(data)
        before, self._held = self._held, self._held + max(len(data), _LEAST)
        if before < HELD <= self._held:
            self._source.hold()

    def end(self) -> None:
        """
        All has come.
        """
        self.ended = True

    def tell(self) -> None:
        """
        Let whoever reads have what has come: once for all that came together.
        """
        if self._reading is None or not (self._pieces or self.ended):
            return
        reading, self._reading = self._reading, None
        if not reading.called:
            reading.callback(None)

    def lose(self) -> None:
        """
        The connection is gone, and nothing more will come.
        """
        self._lost = not self.ended
        reading, self._reading = self._reading, None
        if reading is not None and not reading.called:
            reading.errback(_lost())


def _lost() -> BodyLost:
    return BodyLost("the client left before its request was complete")
