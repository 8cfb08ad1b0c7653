"""
Tests of files on their way into S3: large ones into a real SeaweedFS, the rest by a script.
"""

from __future__ import annotations

import random
import zlib

from twisted.internet.defer import Deferred

from fileserve.storage.errors import FileExists, MemberChanged, NoSpace, NoSuchAlbum, StoreUnavailable
from fileserve.storage.interfaces import Member
from fileserve.storage.s3 import S3Store
from fileserve.storage.s3parts import WHOLE
from fileserve.storage.s3upload import S3Incoming

from .s3script import Scene, Script, ScriptCase, answer, error, lost, stored
from .support import until
from .test_storage_s3 import S3Case

_MIB = 1024 * 1024
_DATA = random.Random(7).randbytes(21 * _MIB)
_PIECE = 65_536


class LargeFileTests(S3Case):
    """Files of more than 16 MiB go in parts."""

    _made: S3Store | None = None

    async def large(self, path: bytes, size: int, replaces: str | None = None) -> S3Incoming:
        incoming = await (await self.store()).receive("album", path, replaces)
        self.addCleanup(incoming.drop)
        for at in range(0, size, 16 * _PIECE):
            end = min(size, at + 16 * _PIECE)
            await incoming.write([_DATA[here : min(end, here + _PIECE)] for here in range(at, end, _PIECE)])
        assert isinstance(incoming, S3Incoming)
        return incoming

    async def store(self) -> S3Store:
        if self._made is None:
            self._made = await self.make_store()
        return self._made

    async def test_sizes(self) -> None:
        """Every byte arrives, in one piece or in parts, and S3 knows the CRC-32 of the whole."""
        store = await self.store()
        for size in (WHOLE - 1, WHOLE, WHOLE + 1, 20 * _MIB, 20 * _MIB + 12_345):
            path = b"%d" % size
            member = await (await self.large(path, size)).keep()
            self.assertEqual(member.size, size)
            self.assertEqual("-" in str(member.stamp), size > WHOLE)  # as S3 marks what came in parts
            self.assertEqual(await store.stat("album", path), member)
            opened = await self.reader(store).open(member)
            read = [await opened.read(at, min(_MIB, size - at)) for at in range(0, size, _MIB)]
            self.assertTrue(b"".join(map(bytes, read)) == _DATA[:size])
            opened.close()
            told = await store._client.call(
                "HEAD", store._key("album", path), headers={"x-amz-checksum-mode": "ENABLED"}
            )
            self.assertTrue(told.header("x-amz-checksum-crc32"))
            crc = await self.reader(store).crc32(member)
            self.assertEqual(crc, zlib.crc32(_DATA[:size]))
        await self.assert_no_leftovers()

    async def test_dropped(self) -> None:
        """A large file that is dropped leaves no upload behind, whatever was under way."""
        for size in (WHOLE, WHOLE + 1, 20 * _MIB):
            incoming = await self.large(b"1.jpg", size)
            await incoming.drop()
            await self.assert_no_leftovers()
        incoming = await self.large(b"1.jpg", WHOLE)
        writing = incoming.write([b"more"])
        writing.addErrback(lambda _: None)
        await incoming.drop()  # while the upload is being begun
        await writing
        await self.assert_no_leftovers()
        await self.failure((await self.store()).list("album"), NoSuchAlbum)

    async def test_taken_meanwhile(self) -> None:
        """A place that is taken meanwhile, or changed, is left as it is, and no upload is left."""
        incoming = await self.large(b"1.jpg", WHOLE + 1)
        small = await self.large(b"1.jpg", WHOLE)
        await self.put("album", {"1.jpg": b"1"})
        await self.failure(incoming.keep(), FileExists)
        await self.failure(small.keep(), FileExists)
        version = (await self.member(await self.store())).version
        incoming = await self.large(b"1.jpg", WHOLE + 1, version)
        await self.put("album", {"1.jpg": b"2"})
        await self.failure(incoming.keep(), MemberChanged)
        self.assertEqual(await self.contents(await self.store()), {b"1.jpg": b"2"})
        await self.assert_no_leftovers()

    async def test_one_of_many(self) -> None:
        """Of large files that want one place at the same time one gets it."""
        incoming = [await self.large(b"1.jpg", WHOLE + 1 + number) for number in range(3)]
        kept = await self.only_one([each.keep() for each in incoming], FileExists)
        self.assertEqual((await (await self.store()).stat("album", b"1.jpg")).size, WHOLE + 1 + kept)
        await self.assert_no_leftovers()

    async def test_replaces(self) -> None:
        """A large file takes the place of another."""
        first = await (await self.large(b"1.jpg", WHOLE + 1)).keep()
        second = await (await self.large(b"1.jpg", WHOLE + 2, first.version)).keep()
        self.assertEqual(await (await self.store()).stat("album", b"1.jpg"), second)


#: In nanoseconds, what `stored` says.
_WHEN = 1_795_210_427_000_000_000

_TAKEN = answer(200, b"", stored("other", content_length="1"))
_FREE = error(404, "NoSuchKey")


def ours(script_of: list[Script], size: int) -> Scene:
    """
    Tell of an object that it came from the upload that was seen last.
    """

    def scene(request: object) -> None:
        marks = [asked.headers.get("x-amz-meta-fileserve-upload") for asked in script_of[0].asked]
        mark = next(mark for mark in reversed(marks) if mark)
        headers = stored("e", content_length=str(size), x_amz_meta_fileserve_upload=mark)
        answer(200, headers=headers)(request)

    return scene


class FaultTests(ScriptCase):
    """What happens when S3 does not do what it should."""

    async def begin(
        self, *scenes: Scene, size: int = 3, told: int | None = None, replaces: str | None = None
    ) -> S3Incoming:
        script: list[Script] = []
        told = size if told is None else told
        self.script = self.play(*[ours(script, told) if scene is _OURS else scene for scene in scenes])
        script.append(self.script)
        incoming = await self.store().receive("album", b"1.jpg", replaces)
        self.addCleanup(incoming.drop)
        assert isinstance(incoming, S3Incoming)
        left = size
        while left:
            await incoming.write([bytes(min(left, _MIB))])
            left -= min(left, _MIB)
        return incoming

    def conditions(self) -> list[tuple[str, str | None, str | None]]:
        return [
            (asked.method, asked.headers.get("if-none-match"), asked.headers.get("if-match"))
            for asked in self.script.asked
        ]

    async def test_answer_lost(self) -> None:
        """A file that was kept is kept, though the answer was lost, and the second try refused or lost."""
        for again in ([error(412, "PreconditionFailed")], [error(404, "NoSuchUpload")], [lost()] * 3):
            incoming = await self.begin(_FREE, lost(), *again, _OURS)
            self.assertEqual(await incoming.keep(), Member(b"1.jpg", 3, _WHEN, "e"))

    async def test_answer_lost_and_taken(self) -> None:
        """Where another's file lies there then, that one was first."""
        incoming = await self.begin(_FREE, lost(), error(412, "PreconditionFailed"), _TAKEN)
        await self.assertFailure(incoming.keep(), FileExists)

    async def test_answer_lost_for_good(self) -> None:
        """Where nothing lies there, nothing was kept."""
        incoming = await self.begin(_FREE, *[lost()] * 4, _FREE)
        await self.assertFailure(incoming.keep(), StoreUnavailable)

    async def test_conditions_not_known(self) -> None:
        """A server that does not know conditions is looked at instead; the next time it is so at once."""
        incoming = await self.begin(_FREE, error(501, "NotImplemented"), _FREE, answer(), _OURS)
        await incoming.keep()
        self.assertEqual(
            self.conditions(),
            [
                ("HEAD", None, None),
                ("PUT", "*", None),
                ("HEAD", None, None),
                ("PUT", None, None),
                ("HEAD", None, None),
            ],
        )

    async def test_conditions_not_known_and_taken(self) -> None:
        """The same where something is there by then: it stays."""
        incoming = await self.begin(_FREE, error(501, "NotImplemented"), _TAKEN)
        await self.assertFailure(incoming.keep(), FileExists)
        self.assertEqual(self.script.methods, ["HEAD", "PUT", "HEAD"])

    async def test_replaces(self) -> None:
        """A file replaces the version that was seen, by its entity-tag; another version is not replaced."""
        headers = stored("old", content_length="1")
        version = Member(b"1.jpg", 1, _WHEN, "old").version
        incoming = await self.begin(answer(200, b"", headers), answer(), _OURS, replaces=version)
        await incoming.keep()
        self.assertEqual(self.conditions()[1], ("PUT", None, '"old"'))
        incoming = await self.begin(
            answer(200, b"", headers), error(412, "PreconditionFailed"), _FREE, replaces=version
        )
        await self.assertFailure(incoming.keep(), MemberChanged)

    async def test_no_space(self) -> None:
        """A server that is full says so."""
        for scene in (error(507, "InsufficientStorage"), error(403, "QuotaExceeded")):
            incoming = await self.begin(_FREE, scene)
            await self.assertFailure(incoming.keep(), NoSpace)

    async def test_damaged(self) -> None:
        """What S3 did not keep whole was not kept."""
        incoming = await self.begin(_FREE, answer(), _OURS, size=4, told=3)
        failure = await self.assertFailure(incoming.keep(), StoreUnavailable)
        self.assertEqual(str(failure), "S3 kept 3 bytes of 4")

    async def test_checksums_not_known(self) -> None:
        """A server that knows no checksum of a whole object gets parts all the same."""
        begun = answer(200, b"<R><UploadId>u</UploadId></R>")
        part = answer(200, b"", {"ETag": '"p"'})
        incoming = await self.begin(
            _FREE, error(501, "NotImplemented"), begun, part, part, part, answer(), _OURS, size=WHOLE + 1
        )
        await incoming.keep()
        first, second = self.script.asked[1:3]
        self.assertEqual(first.headers.get("x-amz-checksum-type"), "FULL_OBJECT")
        self.assertNotIn("x-amz-checksum-type", second.headers)
        complete = self.script.asked[-2]
        self.assertNotIn("x-amz-checksum-crc32", complete.headers)
        self.assertIn(
            b"<PartNumber>3</PartNumber><ETag>&quot;p&quot;</ETag>".replace(b"&quot;", b'"'), complete.body
        )

    async def test_part_tried_again(self) -> None:
        """A part whose connection was lost is sent again; the parts are as they should be."""
        begun = answer(200, b"<R><UploadId>u</UploadId></R>")
        part = answer(200, b"", {"ETag": '"p"'})
        incoming = await self.begin(_FREE, begun, lost(), part, part, part, answer(), _OURS, size=WHOLE + 1)
        await incoming.keep()
        parts = [asked for asked in self.script.asked if "partNumber" in asked.uri]
        self.assertEqual([asked.uri[asked.uri.index("?") :] for asked in parts], _PARTS)
        self.assertEqual([len(asked.body) for asked in parts[1:]], [WHOLE // 2, WHOLE // 2, 1])

    async def test_part_refused(self) -> None:
        """After a part that S3 refuses writing fails, and the upload is aborted."""
        begun = answer(200, b"<R><UploadId>u</UploadId></R>")
        incoming = await self.begin(_FREE, begun, error(403, "AccessDenied"), answer(204), size=WHOLE)
        await self.assertFailure(incoming.write([b"1"]), StoreUnavailable)
        await incoming.drop()
        self.assertEqual(self.script.methods, ["HEAD", "POST", "PUT", "DELETE"])

    async def test_last_part_refused(self) -> None:
        """The same where the end is reached before that is known."""
        begun, part = answer(200, b"<R><UploadId>u</UploadId></R>"), answer(200, b"", {"ETag": '"p"'})
        incoming = await self.begin(
            _FREE, begun, part, part, error(403, "AccessDenied"), answer(204), size=WHOLE + 1
        )
        await self.assertFailure(incoming.keep(), StoreUnavailable)
        self.assertEqual(self.script.methods, ["HEAD", "POST", "PUT", "PUT", "PUT", "DELETE"])

    async def test_waits(self) -> None:
        """While a part is on its way and the next is complete, writing waits: no more is held."""
        begun = answer(200, b"<R><UploadId>u</UploadId></R>")
        waiting: list[object] = []
        incoming = await self.begin(_FREE, begun, waiting.append, answer(204), size=WHOLE)
        writing: Deferred[None] = incoming.write([b"1"])
        await until(lambda: bool(waiting))
        self.assertFalse(writing.called)
        self.assertEqual(incoming._gathered.size, WHOLE // 2 + 1)
        await incoming.drop()
        await self.assertFailure(writing, Exception)


#: Stands for a scene that is made when the script is there.
def _OURS(request: object) -> None:
    raise AssertionError(request)


_PARTS = [f"?partNumber={number}&uploadId=u" for number in (1, 1, 2, 3)]
