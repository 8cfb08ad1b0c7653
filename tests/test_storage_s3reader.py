"""
Tests of reading members from S3: from a real SeaweedFS, and by a script where that does not fail.
"""

from __future__ import annotations

import base64
import random
import zlib

from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.internet.task import deferLater
from twisted.web.http_headers import Headers

from fileserve.storage.errors import MemberChanged, StoreUnavailable, Unreadable
from fileserve.storage.interfaces import Member, Part
from fileserve.storage.s3body import HELD
from fileserve.storage.s3client import Answer
from fileserve.storage.s3reader import S3Object, S3Reader, checksum_of

from .s3script import Scene, ScriptCase, answer, broken, error, lost, silent, stored
from .support import deferred, read_parts, until
from .test_storage_s3 import S3Case

_CHUNK = 256 * 1024
_DATA = random.Random(3).randbytes(12_345_678)


class ServerTests(S3Case):
    """Reading from a real server."""

    async def test_in_order(self) -> None:
        """A large member that is read in order comes by one request, whole."""
        store = await self.store_of({"1.jpg": _DATA})
        opened = await self.opened(store)
        assert isinstance(opened, S3Object)
        reply = opened._reply
        read = []
        for at in range(0, len(_DATA), _CHUNK):
            read.append(await opened.read(at, min(_CHUNK, len(_DATA) - at)))
            self.assertIs(opened._reply, reply)
        self.assertTrue(b"".join(map(bytes, read)) == _DATA)

    async def test_leaps(self) -> None:
        """Any part can be read, in any order."""
        store = await self.store_of({"1.jpg": _DATA})
        opened = await self.opened(store)
        chance = random.Random(5)
        for _ in range(20):
            at = chance.randrange(len(_DATA))
            length = chance.randrange(1, min(_CHUNK, len(_DATA) - at) + 1)
            self.assertTrue(await opened.read(at, length) == _DATA[at : at + length])
        self.assertEqual(await opened.read(len(_DATA), 0), b"")

    async def test_slow_consumer(self) -> None:
        """Whoever reads slowly holds some MiB, however large the member is and whatever the time."""
        store = await self.store_of({"1.jpg": _DATA})
        opened = await self.opened(store)
        assert isinstance(opened, S3Object)
        for at in range(0, 3 * _CHUNK, _CHUNK):
            await opened.read(at, _CHUNK)
            await deferLater(reactor, 0.05)
            assert opened._reply is not None
            body = opened._reply.body
            self.assertTrue(body._paused)
            self.assertLess(body._held, HELD + 128 * 1024)
        opened.close()

    async def test_small_members(self) -> None:
        """Many small members are read together, each into its own place."""
        contents = {f"{number}": bytes([number]) * number * 100 for number in range(60)}
        store = await self.store_of(contents)
        members = await self.members(store)
        parts = [Part(member, 0, member.size) for member in members.values()]
        data = await read_parts(self.reader(store), parts)
        self.assertEqual(
            {path.decode(): bytes(each) for path, each in zip(members, data, strict=True)}, contents
        )

    async def test_one_of_many_changed(self) -> None:
        """Where one of many members changed, reading fails for it and goes no further."""
        contents = {f"{number}": b"1234567890" for number in range(40)}
        store = await self.store_of(contents)
        members = await self.members(store)
        await self.put("album", {"20": b"0987654321"})
        parts = [Part(member, 0, member.size) for member in members.values()]
        failure = await self.failure(read_parts(self.reader(store), parts), MemberChanged)
        self.assertEqual(failure.path, b"20")


_MEMBER = Member(b"1.jpg", 1000, 0, "e")
_BODY = bytes(range(250)) * 4


def part(at: int, until_: int = 1000, etag: str = "e") -> Scene:
    """Answer with a part of the member."""
    headers = stored(etag, content_range=f"bytes {at}-{until_ - 1}/1000")
    return answer(206, _BODY[at:until_], headers)


class FaultTests(ScriptCase):
    """Reading from a server that fails."""

    def reader(self) -> S3Reader:
        reader = S3Reader(self.client(silence=0.3), lambda path: b"album/" + path)
        self.addCleanup(reader.close)
        return reader

    async def test_goes_on(self) -> None:
        """A stream whose connection was lost goes on where it was, as often as it gets on."""
        headers = stored("e", content_range="bytes 400-999/1000")
        script = self.play(
            broken(1000, _BODY[:500], stored()), broken(600, _BODY[400:650], headers, 206), lost(), part(600)
        )
        opened = await self.reader().open(_MEMBER)
        read = [await opened.read(at, 200) for at in range(0, 1000, 200)]
        self.assertEqual(b"".join(map(bytes, read)), _BODY)
        self.assertEqual(
            [asked.headers.get("range") for asked in script.asked],
            [None, "bytes=400-999", "bytes=600-999", "bytes=600-999"],
        )
        self.assertEqual({asked.headers.get("if-match") for asked in script.asked}, {'"e"'})

    async def test_gives_up(self) -> None:
        """A stream that does not get on is unavailable."""
        script = self.play(
            broken(1000, _BODY[:500], stored()),
            *[broken(800, b"", stored(content_range="bytes 200-999/1000"), 206)] * 2,
        )
        opened = await self.reader().open(_MEMBER)
        await opened.read(0, 200)
        failure = await self.assertFailure(deferred(opened.read(200, 800)), StoreUnavailable)
        self.assertIn("S3 does not answer", str(failure))
        self.assertEqual(len(script.asked), 3)

    async def test_silence(self) -> None:
        """A stream that stops in its middle is unavailable after a while."""

        def half(request: object) -> None:
            broken(1000, _BODY[:500], stored())(_Staying(request))

        self.play(half, silent())
        opened = await self.reader().open(_MEMBER)
        await self.assertFailure(deferred(opened.read(0, 600)), StoreUnavailable)

    async def test_changed_meanwhile(self) -> None:
        """A member that was replaced while the connection was lost is told to have changed."""
        self.play(broken(1000, _BODY[:500], stored()), error(412, "PreconditionFailed"))
        opened = await self.reader().open(_MEMBER)
        await opened.read(0, 400)
        await self.assertFailure(deferred(opened.read(400, 400)), MemberChanged)

    async def test_conditions_not_heeded(self) -> None:
        """A server that gives another version all the same is not believed."""
        for scene in (part(200, 300, "other"), answer(200, _BODY, stored("other"))):
            self.play(scene)
            await self.assertFailure(
                deferred(read_parts(self.reader(), [Part(_MEMBER, 200, 100)])), MemberChanged
            )

    async def test_ranges_not_heeded(self) -> None:
        """A server that gives other bytes than were asked for is not believed."""
        for scene in (
            answer(200, _BODY, stored()),
            part(300, 400),
            part(200, 301),
            answer(206, _BODY[200:300], stored()),
            error(416, "InvalidRange"),
        ):
            self.play(scene)
            failure = await self.assertFailure(
                deferred(read_parts(self.reader(), [Part(_MEMBER, 200, 100)])), Unreadable, MemberChanged
            )
            self.assertEqual(failure.path, b"1.jpg")

    async def test_gone(self) -> None:
        """A member that is gone has changed; a bucket that is gone is another matter."""
        self.play(error(404, "NoSuchKey"))
        await self.assertFailure(deferred(self.reader().open(_MEMBER)), MemberChanged)
        self.play(error(404, "NoSuchBucket"))
        await self.assertFailure(deferred(self.reader().open(_MEMBER)), StoreUnavailable)

    async def test_at_once(self) -> None:
        """So many parts are read at the same time, and no more."""
        asked: list[object] = []
        script = self.play(asked.append)
        reader = self.reader()
        reading = deferred(read_parts(reader, [Part(_MEMBER, at, 10) for at in range(0, 1000, 10)]))
        await until(lambda: len(asked) == 8)
        await deferLater(reactor, 0.05)
        self.assertEqual(len(asked), 8)
        reader.close()
        await self.assertFailure(reading, CancelledError)
        self.assertEqual(len(script.asked), 8)

    async def test_checksums(self) -> None:
        """A CRC-32 that S3 tells is believed and nothing read; else the member is."""
        told = stored(content_length="1000", x_amz_checksum_crc32=base64.b64encode(b"\0\0\1\2").decode())
        script = self.play(answer(200, b"", told))
        self.assertEqual(await self.reader().crc32(_MEMBER), 258)
        self.assertEqual(script.methods, ["HEAD"])
        script = self.play(answer(200, b"", stored(content_length="1000")), answer(200, _BODY, stored()))
        self.assertEqual(await self.reader().crc32(_MEMBER), zlib.crc32(_BODY))
        self.assertEqual(script.methods, ["HEAD", "GET"])
        for changed in (stored("other", content_length="1000"), stored(content_length="999")):
            self.play(answer(200, b"", changed))
            await self.assertFailure(deferred(self.reader().crc32(_MEMBER)), MemberChanged)

    def test_which_checksums(self) -> None:
        """Only that of the whole object is one: not that of parts, nor one of another length."""
        for value, kind, crc in (
            ("AAABAg==", "", 258),
            ("AAABAg==", "FULL_OBJECT", 258),
            ("AAABAg==", "COMPOSITE", None),
            ("AAABAg==-2", "", None),
            ("AAABAgM=", "", None),
            ("", "", None),
            ("\u00e9", "", None),
        ):
            headers = Headers({b"x-amz-checksum-crc32": [value.encode()]})
            if kind:
                headers.addRawHeader(b"x-amz-checksum-type", kind.encode())
            self.assertEqual(checksum_of(Answer(headers, b"")), crc)


class _Staying:
    """
    A request whose connection is not closed by who answers it.
    """

    def __init__(self, request: object) -> None:
        self._request = request
        self.transport = self

    def loseConnection(self) -> None:
        pass

    def __getattr__(self, name: str) -> object:
        return getattr(self._request, name)
