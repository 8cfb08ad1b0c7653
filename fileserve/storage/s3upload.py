"""
A file on its way into S3: kept in one piece where it is small, in parts as they come where it is not.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from uuid import uuid4

from isal import isal_zlib
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from zope.interface import implementer

from .errors import MemberChanged, NoSpace, StoreUnavailable
from .held import InThread
from .interfaces import IIncoming, Member
from .s3body import Pieces
from .s3client import Answer, Refused, S3Client, digest_of
from .s3parts import WHOLE, Gathered, Work, part_size
from .s3place import MARK, Place
from .s3xml import NotUnderstood, completion, parse, text_of

_log = Logger(namespace="fileserve.storage")

#: To put 10,000 parts together takes S3 minutes.
_COMPLETING = 10

_NO_SPACE = frozenset({"InsufficientCapacity", "InsufficientStorage", "QuotaExceeded", "XMinioStorageFull"})


@implementer(IIncoming)
class S3Incoming:
    """
    Takes one file in. Of a file of any usual size it holds 16 MiB at most, and what one `write` brings.
    """

    def __init__(self, client: S3Client, place: Place, in_thread: InThread) -> None:
        self._client = client
        self._place = place
        self._in_thread = in_thread
        self._mark = uuid4().hex
        self._gathered = Gathered()
        self._size = 0
        self._crc = 0
        self._number = 0
        self._whole_checksum = False
        self._etags: list[str] = []
        self._upload: Work[str] | None = None
        self._sending: Work[None] | None = None
        self._keeping: Work[Member] | None = None
        self._dropping: Work[None] | None = None

    def write(self, pieces: Sequence[bytes]) -> Deferred[None]:
        """
        Gather bytes; wait while a part is on its way and the next one is complete.
        """
        return Deferred.fromCoroutine(self._write(pieces))

    async def _write(self, pieces: Sequence[bytes]) -> None:
        self._require_open()
        self._gathered.add(pieces)
        self._size += sum(map(len, pieces))
        if self._upload is None:
            if self._gathered.size <= WHOLE:
                return
            self._upload = Work(self._begin())
        await self._upload.wait()
        while self._gathered.size >= part_size(self._number + 1):
            await self._sent()
            self._send(part_size(self._number + 1))

    def _require_open(self) -> None:
        if self._keeping is not None or self._dropping is not None:
            raise RuntimeError("the file is kept already, or dropped")

    def _send(self, length: int) -> None:
        self._number += 1
        self._sending = Work(self._part(self._number, self._gathered.take(length)))

    async def _sent(self) -> None:
        """
        Wait for the part that is on its way.
        """
        if self._sending is not None:
            await self._sending.wait()

    async def _begin(self) -> str:
        marks = {MARK: self._mark}
        query, dialect = {"uploads": ""}, self._client.dialect
        if dialect.whole_checksums:
            self._whole_checksum = True
            known = {"x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "FULL_OBJECT"}
            try:
                return _upload_id(await self._call("POST", query, {**marks, **known}))
            except Refused as error:
                if not error.not_known:
                    raise
        upload_id = _upload_id(await self._call("POST", query, marks))
        self._whole_checksum = dialect.whole_checksums = False
        return upload_id

    async def _part(self, number: int, pieces: Pieces) -> None:
        assert self._upload is not None, "there are parts of uploads only"
        query = {"partNumber": str(number), "uploadId": await self._upload.wait()}
        checksum, digest = await self._measured(pieces)
        answer = await self._call("PUT", query, checksum, body=pieces, digest=digest)
        self._etags.append(answer.header("ETag"))

    async def _measured(self, pieces: Pieces) -> tuple[dict[str, str], str]:
        """
        What goes with a body: its CRC-32, by which S3 sees that it came unharmed, and what its
        signature covers.
        """
        crc, self._crc, digest = await self._in_thread(_measure, pieces, self._crc, self._client.signs_bodies)
        return {"x-amz-checksum-crc32": _spelt(crc)}, digest

    async def _call(
        self,
        method: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        body: Pieces = (),
        digest: str | None = None,
        patience: float = 1,
    ) -> Answer:
        key = self._place.key
        try:
            return await self._client.call(
                method, key, query, headers, body=body, digest=digest, patience=patience
            )
        except Refused as error:
            if error.status == 507 or error.code in _NO_SPACE:
                raise NoSpace("S3 has no room for more") from None
            raise

    def keep(self) -> Deferred[Member]:
        """
        Send what is left, and let S3 make it one visible object.
        """
        try:
            self._require_open()
        except RuntimeError:
            return fail()
        self._keeping = Work(self._keep())
        return self._keeping.wait()

    async def _keep(self) -> Member:
        try:
            if self._upload is None:
                await self._put_whole()
            else:
                await self._complete(self._upload)
            return await self._kept()
        except BaseException:
            await self._abort()
            raise

    async def _put_whole(self) -> None:
        pieces = self._gathered.take(self._size)
        checksum, digest = await self._measured(pieces)
        headers = {MARK: self._mark, **checksum}
        await self._finish(
            lambda conditions: self._call("PUT", {}, {**headers, **conditions}, body=pieces, digest=digest)
        )

    async def _complete(self, upload: Work[str]) -> None:
        await self._sent()
        if self._gathered.size:
            self._send(self._gathered.size)
            await self._sent()
        query = {"uploadId": await upload.wait()}
        headers = {}
        if self._whole_checksum:
            headers = {"x-amz-checksum-crc32": _spelt(self._crc), "x-amz-checksum-type": "FULL_OBJECT"}
        body = [completion(self._etags)]

        def step(conditions: dict[str, str]) -> Awaitable[Answer]:
            named = {**headers, **conditions}
            return self._call("POST", query, named, body=body, patience=_COMPLETING)

        # SeaweedFS (4.48) looks at the conditions first and completes then: of several at the same time each
        # finds its place free. So that at least this process keeps the order, one goes after the other.
        await self._client.turns.take(self._place.key, partial(self._finish, step))

    async def _finish(self, step: Callable[[dict[str, str]], Awaitable[object]]) -> None:
        """
        Take the step that makes the file visible. Where its answer is lost, or told of our own first
        try, what lies there tells who came first.
        """
        try:
            await self._on_condition(step)
        except StoreUnavailable as error:
            try:
                found = await self._place.look()
            except StoreUnavailable:
                raise error from None
            if found is not None and found[1] == self._mark:
                return
            self._place.require(found and found[0])
            raise

    async def _on_condition(self, step: Callable[[dict[str, str]], Awaitable[object]]) -> None:
        dialect = self._client.dialect
        if dialect.conditions:
            try:
                await step(self._place.conditions)
            except Refused as error:
                if not error.not_known:
                    raise
            else:
                return
        found = await self._place.look()
        self._place.require(found and found[0])
        await step({})
        dialect.conditions = False

    async def _kept(self) -> Member:
        found = await self._place.look()
        if found is None or found[1] != self._mark:
            # A server that looks first and writes then let another come between: the last one wins.
            self._place.require(found and found[0])
            raise MemberChanged(self._place.path, "it was replaced as soon as it was there")
        if found[0].size != self._size:
            raise StoreUnavailable(f"S3 kept {found[0].size} bytes of {self._size}")
        return found[0]

    def drop(self) -> Deferred[None]:
        """
        End what is being sent, and let S3 forget the parts that it has.
        """
        if self._dropping is None:
            self._dropping = Work(self._drop())
        return self._dropping.ended()

    async def _drop(self) -> None:
        if self._keeping is not None:
            await self._keeping.ended()
            return
        self._gathered.clear()
        if self._sending is not None:
            await self._sending.cancel()
        await self._abort()

    async def _abort(self) -> None:
        upload, self._upload = self._upload, None
        if upload is None:
            return
        try:
            upload_id = await upload.wait()
        except (StoreUnavailable, NoSpace):
            return  # it never began
        try:
            await self._call("DELETE", {"uploadId": upload_id}, {})
        except StoreUnavailable as error:
            if not (isinstance(error, Refused) and error.status == 404):
                _log.warn("An unfinished upload is left in S3: {reason}", reason=error)


def _upload_id(answer: Answer) -> str:
    try:
        return text_of(parse(answer.body), "UploadId")
    except NotUnderstood as error:
        raise StoreUnavailable(str(error)) from None


def _measure(pieces: Pieces, whole: int, signed: bool) -> tuple[int, int, str]:
    """
    :return: the CRC-32 of a part, that of the file up to its end, and what is signed of it.
    """
    crc = 0
    for piece in pieces:
        crc = isal_zlib.crc32(piece, crc)
        whole = isal_zlib.crc32(piece, whole)
    return crc, whole, digest_of(pieces, signed)


def _spelt(crc: int) -> str:
    return base64.b64encode(crc.to_bytes(4, "big")).decode()
