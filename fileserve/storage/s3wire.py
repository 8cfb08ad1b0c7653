"""
Single exchanges with an S3 server: sent over kept connections, watched for silence, taken with back-pressure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError, UserError
from twisted.internet.interfaces import IConsumer, IStreamClientEndpoint
from twisted.web.client import (
    Agent,
    HTTPConnectionPool,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
)
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IBodyProducer, IPolicyForHTTPS, IResponse
from zope.interface import implementer

from .s3body import SILENCE, Body, Lost, Pieces, Reply, Silence, first_of, reason_of

#: Seconds to reach the server.
_CONNECT = 5

#: Connections kept open for the next request, and for how many seconds: servers close idle ones, AWS after
#: some twenty, and what is sent at that moment is lost.
_KEPT = 16
_KEPT_SECONDS = 15

#: The most handed to the transport at once, which copies it.
_STRIDE = 256 * 1024


@implementer(IBodyProducer)
class _Sent:
    """
    Sends a body of pieces as fast as the connection takes them.
    """

    def __init__(self, pieces: Pieces, heard: Callable[[], object]) -> None:
        self.length = sum(map(len, pieces))
        self._left = _strides(pieces)
        self._heard = heard
        self._paused = False

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """
        Begin.
        """
        self._consumer = consumer
        self._done: Deferred[None] | None = Deferred(lambda _: self.stopProducing())
        done = self._done
        self._send()
        return done

    def _send(self) -> None:
        while not self._paused and self._done is not None:
            stride = next(self._left, None)
            if stride is None:
                done, self._done = self._done, None
                done.callback(None)
            else:
                self._consumer.write(stride)

    def pauseProducing(self) -> None:
        """
        The connection has enough for now.
        """
        self._paused = True

    def resumeProducing(self) -> None:
        """
        It took what it had.
        """
        self._paused = False
        self._heard()
        self._send()

    def stopProducing(self) -> None:
        """
        The connection is gone.
        """
        self._done = None
        self._left = iter(())


def _strides(pieces: Pieces) -> Iterator[bytes]:
    for piece in pieces:
        for at in range(0, len(piece), _STRIDE):
            yield bytes(piece[at : at + _STRIDE])


class _Noting:
    """
    The pool as one exchange sees it: notes the connection that it gets, so that it can be closed at once.
    What a response offers for that, ``loseConnection``, waits for the other side where there is TLS.
    """

    def __init__(self, pool: HTTPConnectionPool) -> None:
        self._pool = pool
        self.persistent = pool.persistent
        self._connection: Any = None

    def getConnection(self, key: object, endpoint: IStreamClientEndpoint) -> Deferred[Any]:
        return self._pool.getConnection(key, endpoint).addCallback(self._note)

    def _note(self, connection: Any) -> Any:
        self._connection = connection
        return connection

    def abort(self) -> None:
        if self._connection is not None:
            self._connection.transport.abortConnection()


@implementer(IAgent)
class _AsStored:
    """
    Hides from treq how a body is encoded: what is stored compressed is to come as it is stored.
    """

    def __init__(self, agent: IAgent) -> None:
        self._agent = agent

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """
        Make a request that asks for no encoding.
        """
        headers = Headers() if headers is None else headers
        headers.setRawHeaders(b"Accept-Encoding", [b"identity"])
        return self._agent.request(method, uri, headers, bodyProducer).addCallback(self._hide)

    @staticmethod
    def _hide(response: IResponse) -> IResponse:
        response.headers.removeHeader(b"Content-Encoding")
        return response


class Wire:
    """
    Connections to S3. Its owner closes it.

    :param policy: how certificates are checked; ``None`` for what the system trusts.
    """

    def __init__(self, reactor: Any, policy: IPolicyForHTTPS | None = None, silence: float = SILENCE) -> None:
        self._reactor = reactor
        self._policy = {} if policy is None else {"contextFactory": policy}
        self._silence = silence
        self._pool = HTTPConnectionPool(reactor)
        self._pool.maxPersistentPerHost = _KEPT
        self._pool.cachedConnectionTimeout = _KEPT_SECONDS
        self._pool.retryAutomatically = False  # who asks knows better what may be asked twice

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], pieces: Pieces = (), patience: float = 1
    ) -> Reply:
        """
        Send one request; cancelling closes its connection.

        :param patience: how many times longer than usual an answer may take.
        :raise Lost: no answer came.
        """
        pool = _Noting(self._pool)
        agent = Agent(self._reactor, connectTimeout=_CONNECT, pool=pool, **self._policy)
        silence = Silence(self._reactor, self._silence * patience, pool.abort)
        waiting = HTTPClient(_AsStored(agent)).request(
            method,
            url,
            headers=Headers({name.encode(): [value.encode()] for name, value in headers.items()}),
            data=_Sent(pieces, silence.heard) if pieces else None,
            allow_redirects=False,
            unbuffered=True,
            reactor=self._reactor,
        )
        silence.cut = waiting.cancel
        try:
            response = await waiting
        except BaseException as error:  # noqa: BLE001 - raised again
            silence.stop()
            raise _translated(error, silence) from None
        silence.cut = pool.abort
        return _reply(response, silence, pool.abort)

    def close(self) -> Deferred[None]:
        """
        Close the connections that nobody uses.
        """
        closed: Deferred[None] = self._pool.closeCachedConnections()
        return closed


def _reply(response: IResponse, silence: Silence, abort: Callable[[], object]) -> Reply:
    length = None if response.length is UNKNOWN_LENGTH else int(response.length)
    body = Body(length, silence, abort)
    response.deliverBody(body)
    body.pause()
    return Reply(response.headers, response.code, length, body)


#: What Twisted says when an exchange did not come to its end. A UserError is its time-out.
_TROUBLE = (
    ConnectError,
    ConnectionClosed,
    DNSLookupError,
    OSError,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseFailed,
    UserError,
)


def _translated(error: BaseException, silence: Silence) -> BaseException:
    if silence.broken:
        return Lost("nothing came for a while", waited=True)
    if not isinstance(error, _TROUBLE):
        return error
    first = first_of(error)
    if isinstance(first, CancelledError):
        return first
    return Lost(reason_of(first), waited=isinstance(first, UserError))
