"""
Requests to one bucket: signed, tried again where that helps, their errors told in our words.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import frozen
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from .errors import StoreUnavailable
from .s3body import Headed, Lost, Pieces, Reply, TooLong
from .s3location import S3Location, url_of
from .s3parts import Turns
from .s3xml import error_code

if TYPE_CHECKING:  # they import botocore and treq, which are extras
    from .s3signing import Signer
    from .s3wire import Wire

_log = Logger(namespace="fileserve.storage")

#: How often a request is tried; one that was waited for in vain counts twice.
_TRIES = 4

#: Seconds before the second try, doubled for each further one, and from half to one and a half of that so
#: that not all who failed together come back together.
_PAUSE = 0.2

#: No answer other than a file is longer: a page of 1000 objects has some 500 KiB at the most.
_LONGEST_ANSWER = 16 * 1024 * 1024

#: Answers after which trying again helps.
_PASSING = frozenset({429, 500, 502, 503, 504})
_PASSING_CODES = frozenset(
    {"ConditionalRequestConflict", "InternalError", "OperationAborted", "RequestTimeout", "SlowDown"}
)

#: How servers say that they don't know a header, other than with the status for it, 501.
_UNKNOWN_CODES = frozenset({"InvalidArgument", "InvalidRequest", "NotImplemented"})

#: Instead of a body's SHA-256: TLS, and the CRC-32 in the headers, guard it.
UNSIGNED = "UNSIGNED-PAYLOAD"

#: The SHA-256 of nothing.
_NOTHING = sha256(b"").hexdigest()

_Taken = TypeVar("_Taken")


class Refused(StoreUnavailable):
    """
    S3 answered that it won't.

    :param code: what S3 calls the error, such as ``AccessDenied``; empty where it did not say.
    """

    def __init__(self, status: int, code: str) -> None:
        # Not the message of S3, which may tell the key.
        super().__init__(f"S3 refuses: {status} {code}".rstrip())
        self.status = status
        self.code = code

    @property
    def passing(self) -> bool:
        """
        Whether it may be otherwise soon.
        """
        return self.status in _PASSING or self.code in _PASSING_CODES

    @property
    def not_known(self) -> bool:
        """
        Whether the server may be one that does not know some header of the request.
        """
        return self.status == 501 or (self.status == 400 and self.code in _UNKNOWN_CODES)


@frozen
class Answer(Headed):
    """
    An answer and its whole body.
    """

    body: bytes


@frozen
class _Request:
    method: str
    url: str
    headers: Mapping[str, str]
    pieces: Pieces
    digest: str
    patience: float


class Dialect:
    """
    What is known of a server: that which it was seen not to know is not tried again.
    """

    def __init__(self) -> None:
        #: ``If-None-Match`` and ``If-Match`` where something is written, and where something is deleted.
        self.conditions = True
        self.deletes_on_condition = True
        #: The CRC-32 of an object that is uploaded in parts.
        self.whole_checksums = True


class S3Client:
    """
    Asks one bucket.

    :param chance: gives numbers from 0 to 1, for pauses of uneven length.
    """

    def __init__(
        self,
        location: S3Location,
        wire: Wire,
        signer: Signer,
        clock: IReactorTime,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.dialect = Dialect()
        #: Of what is written under one key, where the server can't be left to see to it.
        self.turns = Turns()
        self.root = location.root(signer.region)
        #: Whether bodies are signed: TLS guards them anyhow.
        self.signs_bodies = self.root.startswith("http:")
        self._wire = wire
        self._signer = signer
        self._clock = clock
        self._chance = chance

    async def call(
        self,
        method: str,
        key: bytes = b"",
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        body: Pieces = (),
        digest: str | None = None,
        patience: float = 1,
    ) -> Answer:
        """
        Ask for something, and get the whole answer.

        :param digest: the SHA-256 of the body in hexadecimal digits, or
            `UNSIGNED`; computed where it is not given.
        :param patience: how many times longer than usual the answer may take.
        :raise Refused: S3 won't.
        :raise StoreUnavailable: S3 does not answer.
        """
        if digest is None:
            digest = sha256(b"".join(body)).hexdigest() if body else _NOTHING
        url = url_of(self.root, key, dict(query or {}))
        return await self._tried(_Request(method, url, headers or {}, body, digest, patience), _whole)

    async def fetch(self, key: bytes, headers: Mapping[str, str]) -> Reply:
        """
        Get an object, or a part of it. The caller reads its body to the end, or closes it.

        :raise Refused: S3 won't.
        :raise StoreUnavailable: S3 does not answer.
        """
        url = url_of(self.root, key, {})
        return await self._tried(_Request("GET", url, headers, (), _NOTHING, 1), _unread)

    async def _tried(self, request: _Request, take: Callable[[Reply], Awaitable[_Taken]]) -> _Taken:
        left, pause = _TRIES, _PAUSE
        while True:
            trouble: StoreUnavailable
            try:
                return await take(await self._once(request))
            except Lost as error:
                left -= 2 if error.waited else 1
                trouble = StoreUnavailable(f"S3 does not answer: {error}")
            except Refused as error:
                left -= 1 if error.passing else left
                trouble = error
            if left <= 0:
                raise trouble
            _log.debug("S3 is asked again: {reason}", reason=trouble)
            await self.pause(pause)
            pause *= 2

    async def pause(self, seconds: float) -> None:
        """
        Wait about so long before trying again.
        """
        await deferLater(self._clock, seconds * (0.5 + self._chance()))

    async def _once(self, request: _Request) -> Reply:
        headers = await self._signer.sign(request.method, request.url, request.headers, request.digest)
        reply = await self._wire.send(request.method, request.url, headers, request.pieces, request.patience)
        if reply.status < 300:
            return reply
        raise Refused(reply.status, error_code(await _read(reply)))

    def link(self, key: bytes, query: Mapping[str, str], expires: int) -> str:
        """
        A URL with which anybody may read an object.

        :param query: what the response is to be like, such as ``response-content-type``.
        """
        return self._signer.link(url_of(self.root, key, dict(query)), expires)


async def _unread(reply: Reply) -> Reply:
    return reply


async def _whole(reply: Reply) -> Answer:
    body = await _read(reply)
    # To complete an upload may take S3 long; it then says 200 before it knows.
    code = error_code(body) if body and b"<Error" in body[:200] else ""
    if code:
        raise Refused(reply.status, code)
    return Answer(reply.headers, body)


async def _read(reply: Reply) -> bytes:
    try:
        return await reply.body.rest(_LONGEST_ANSWER)
    except TooLong:
        raise StoreUnavailable("S3 answers more than it can mean") from None


def quoted(etag: str) -> str:
    """
    An entity-tag as conditions spell it.
    """
    return f'"{etag}"'


def digest_of(pieces: Pieces, signed: bool) -> str:
    """
    The SHA-256 of a body, where it is to be signed. To be called in a thread: 0.6 ms for each MiB.
    """
    if not signed:
        return UNSIGNED
    digest: Any = sha256()
    for piece in pieces:
        digest.update(piece)
    return str(digest.hexdigest())
