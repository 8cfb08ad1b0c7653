"""
The body of one answer of S3, taken with back-pressure and watched for silence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers

#: Seconds in which not one byte comes or goes, though we wait for some.
SILENCE = 15

#: How much of a body is held for a reader that is slow, in bytes; what one read from the socket brings may
#: come on top.
HELD = 1024 * 1024


#: What is sent: pieces of a body.
Pieces = Sequence[bytes | memoryview]


class Lost(Exception):
    """
    There is no answer, or not all of one.

    :param waited: it was waited for in vain, so that trying again takes as long.
    """

    def __init__(self, reason: str, waited: bool = False) -> None:
        super().__init__(reason)
        self.waited = waited


class TooLong(Exception):
    """
    An answer is longer than anything that S3 answers.
    """


class Silence:
    """
    Cuts an exchange in which nothing happens for too long.

    :param cut: called once, at most.
    """

    def __init__(self, clock: IReactorTime, limit: float, cut: Callable[[], object]) -> None:
        self._clock = clock
        self._limit = limit
        self.cut = cut
        self._resting = False
        self._heard = clock.seconds()
        self._call: IDelayedCall | None = clock.callLater(limit, self._look)
        self.broken = False

    def heard(self) -> None:
        """
        Something came, or went.
        """
        self._heard = self._clock.seconds()

    def rest(self) -> None:
        """
        It is we who hold back.
        """
        self._resting = True

    def listen(self) -> None:
        """
        We don't hold back any more.
        """
        self._resting = False
        self.heard()

    def stop(self) -> None:
        """
        The exchange is over.
        """
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _look(self) -> None:
        self._call = None
        left = self._limit if self._resting else self._heard + self._limit - self._clock.seconds()
        if left > 0:
            self._call = self._clock.callLater(left, self._look)
            return
        self.broken = True
        self.cut()


class Body(Protocol):
    """
    The body of one response, taken as it is wanted. Whoever got it reads it to its end, or closes it.

    :param length: of the body, in bytes, where it is told beforehand.
    :param abort: closes the connection at once.
    """

    def __init__(self, length: int | None, silence: Silence, abort: Callable[[], object]) -> None:
        self._left = length
        self._silence = silence
        self._abort = abort
        self._pieces: deque[bytes | memoryview] = deque()
        self._held = 0
        self._wanted = 0
        self._waiting: Deferred[None] | None = None
        self._paused = False
        self._reason: Failure | None = None

    def pause(self) -> None:
        """
        Take no more for now.
        """
        if not self._paused and self._reason is None:
            self._paused = True
            self._silence.rest()
            _transport(self).pauseProducing()

    def _resume(self) -> None:
        if self._paused and self._reason is None:
            self._paused = False
            self._silence.listen()
            _transport(self).resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        """
        Hold what came.
        """
        self._silence.heard()
        self._pieces.append(data)
        self._held += len(data)
        if self._left is not None:
            self._left -= len(data)
            if not self._left:
                return  # connectionLost comes next; only then the connection is free for another request
        if self._held >= max(HELD, self._wanted):
            self.pause()
        if self._held >= self._wanted:
            self._wake()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Nothing more comes.
        """
        self._reason = reason
        self._silence.stop()
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    async def read(self, length: int) -> bytes:
        """
        Take exactly so many bytes.

        :raise EOFError: the body is complete, and shorter.
        :raise Lost: the connection is.
        """
        await self._hold(length)
        if self._held < length:
            self._require_end()
            raise EOFError
        data = self._take(length)
        if self._held < HELD // 2:
            self._resume()
        return data

    async def rest(self, limit: int) -> bytes:
        """
        Take all that is left.

        :raise TooLong: that is more than the limit; the body is closed then.
        :raise Lost: the connection is.
        """
        await self._hold(limit + 1)
        if self._held > limit:
            self.close()
            raise TooLong
        self._require_end()
        return self._take(self._held)

    async def _hold(self, length: int) -> None:
        self._wanted = length
        while self._held < length and self._reason is None:
            self._resume()
            self._waiting = Deferred()
            await self._waiting
        self._wanted = 0

    def _take(self, length: int) -> bytes:
        self._held -= length
        taken = []
        while length:
            piece = self._pieces.popleft()
            if len(piece) > length:
                whole = memoryview(piece)
                self._pieces.appendleft(whole[length:])
                piece = whole[:length]
            taken.append(piece)
            length -= len(piece)
        return b"".join(taken)

    def _require_end(self) -> None:
        if self._reason is None or self._reason.check(ResponseDone):
            return
        assert self._reason.value is not None
        if self._silence.broken:
            raise Lost("nothing came for a while", waited=True)
        raise Lost(reason_of(self._reason.value))

    def close(self) -> None:
        """
        Want no more of it. May be called at any time, also twice.
        """
        if self._reason is None:
            self._silence.stop()
            self._abort()
        self._pieces.clear()
        self._held = 0


def _transport(body: Body) -> Any:
    # Twisted's proxy for the connection has more than ITransport, and no interface that says so.
    return body.transport


@frozen
class Headed:
    """
    What has headers.
    """

    headers: Headers

    def header(self, name: str) -> str:
        """
        The value of a header; empty where there is none.
        """
        # As bytes, for Twisted keeps names of both kinds in one dictionary, and they don't compare.
        values = self.headers.getRawHeaders(name.encode())
        return values[0].decode("utf-8", "replace") if values else ""


@frozen
class Reply(Headed):
    """
    What a server answered; its body is still to be read, or closed.
    """

    status: int
    #: Of the body, in bytes, where it is told beforehand.
    length: int | None
    body: Body


def first_of(error: BaseException) -> BaseException:
    """
    The first of all the errors that are one error to Twisted's HTTP client.
    """
    reasons = getattr(error, "reasons", None)
    return first_of(reasons[0].value) if reasons else error


def reason_of(error: BaseException) -> str:
    """
    What an error says, without what Twisted says of its own classes.
    """
    return str(first_of(error)).strip().rstrip(".") or type(error).__name__
