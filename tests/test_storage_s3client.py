"""
Tests of requests to a bucket, against a server that fails as it is told to.
"""

from __future__ import annotations

from hashlib import sha256

from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from fileserve.storage.errors import StoreUnavailable
from fileserve.storage.s3client import UNSIGNED, Refused, S3Client, digest_of
from fileserve.storage.s3location import S3Location
from fileserve.storage.s3signing import Signer
from fileserve.storage.s3wire import Wire

from .s3script import ScriptCase, answer, broken, error, lost, silent
from .support import deferred, until

_OBJECT = {"ETag": '"e"'}


class S3ClientTests(ScriptCase):
    """A client asks again where that helps, and says what is wrong where it does not."""

    async def test_answers(self) -> None:
        """An answer comes with its headers and its whole body."""
        script = self.play(answer(200, b"x" * 100_000, _OBJECT))
        got = await self.client().call("GET", b"a b/\xc3\xa9", {"b": "2 3", "a": ""})
        self.assertEqual((got.body, got.header("etag"), got.header("nothing")), (b"x" * 100_000, '"e"', ""))
        self.assertEqual(script.asked[0].uri, "/bucket/a%20b/%C3%A9?a=&b=2%203")

    async def test_sends(self) -> None:
        """A body goes out in order, its length and its digest before it."""
        script = self.play(answer())
        pieces: list[bytes | memoryview] = [b"1" * 300_000, memoryview(b"2345")[1:3], b"", b"6"]
        body = b"".join(pieces)
        await self.client().call("PUT", b"key", headers={"x-amz-meta-a": "b"}, body=pieces)
        asked = script.asked[0]
        self.assertEqual((asked.method, asked.body), ("PUT", body))
        self.assertEqual(asked.headers["content-length"], str(len(body)))
        self.assertEqual(asked.headers["x-amz-content-sha256"], sha256(body).hexdigest())
        self.assertEqual(asked.headers["x-amz-meta-a"], "b")
        self.assertIn(
            "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-meta-a", asked.headers["authorization"]
        )

    async def test_connections_are_used_again(self) -> None:
        """One request after the other goes over one connection, whatever is answered."""
        script = self.play(
            answer(200, b"body"), answer(204), error(404, "NoSuchKey"), answer(200, b"x" * 99_999)
        )
        client = self.client()
        await client.call("GET", b"1")
        await client.call("DELETE", b"2")
        await self.assertFailure(deferred(client.call("GET", b"3")), Refused)
        reply = await client.fetch(b"4", {})
        self.assertEqual(len(await reply.body.read(99_999)), 99_999)
        await client.call("GET", b"5")
        self.assertEqual(len({asked.connection for asked in script.asked}), 1)

    async def test_asks_again(self) -> None:
        """After errors that pass, a request is made again, and its body sent again."""
        for scene in (
            error(503, "SlowDown"),
            error(500, ""),
            error(429, ""),
            error(400, "RequestTimeout"),
            lost(),
            error(409, "ConditionalRequestConflict"),
        ):
            script = self.play(scene, scene, answer(200, b"done"))
            got = await self.client().call("PUT", b"key", body=[b"body"])
            self.assertEqual(got.body, b"done")
            self.assertEqual([asked.body for asked in script.asked], [b"body"] * 3)

    async def test_asks_again_for_half_an_answer(self) -> None:
        """The same where an answer ends before it should."""
        script = self.play(broken(1000, b"half", {}), answer(200, b"whole"))
        self.assertEqual((await self.client().call("GET", b"key")).body, b"whole")
        self.assertEqual(len(script.asked), 2)

    async def test_gives_up(self) -> None:
        """After four tries the store is unavailable; the next request begins anew."""
        script = self.play(*[error(503, "SlowDown")] * 4, *[lost()] * 4, answer(200, b"back"))
        client = self.client()
        failure = await self.assertFailure(deferred(client.call("GET", b"key")), StoreUnavailable)
        self.assertIn("503 SlowDown", str(failure))
        failure = await self.assertFailure(deferred(client.call("GET", b"key")), StoreUnavailable)
        self.assertIn("S3 does not answer: ", str(failure))
        self.assertEqual(len(script.asked), 8)
        self.assertEqual((await client.call("GET", b"key")).body, b"back")

    async def test_does_not_ask_again(self) -> None:
        """What S3 won't do it is asked once; the error tells the code, and nothing that names a file."""
        for status, code in (
            (403, "AccessDenied"),
            (404, "NoSuchBucket"),
            (412, "PreconditionFailed"),
            (400, "BadDigest"),
        ):
            script = self.play(error(status, code))
            failure = await self.assertFailure(deferred(self.client().call("GET", b"album/key")), Refused)
            self.assertEqual((failure.status, failure.code), (status, code))
            self.assertEqual(str(failure), f"S3 refuses: {status} {code}")
            self.assertEqual(len(script.asked), 1)

    async def test_error_in_an_answer_that_is_none(self) -> None:
        """An upload that S3 began to answer with 200 may have failed all the same."""
        script = self.play(error(200, "InternalError"), answer(200, b"<Good/>"))
        self.assertEqual((await self.client().call("POST", b"key", body=[b"<x/>"])).body, b"<Good/>")
        self.assertEqual(len(script.asked), 2)

    async def test_nobody_there(self) -> None:
        """A port at which nobody listens is said to refuse."""
        script = self.play(answer())
        self.location = S3Location("bucket", "", "http://127.0.0.1:9")
        failure = await self.assertFailure(deferred(self.client().call("GET")), StoreUnavailable)
        self.assertIn("refused", str(failure))
        self.assertEqual(script.asked, [])

    async def test_silence(self) -> None:
        """A server that says nothing is given up, after two tries: waiting has its price."""
        script = self.play(silent())
        failure = await self.assertFailure(deferred(self.client(0.2).call("GET")), StoreUnavailable)
        self.assertEqual(str(failure), "S3 does not answer: nothing came for a while")
        self.assertEqual(len(script.asked), 2)

    async def test_cancelling(self) -> None:
        """Who no longer waits for an answer closes the connection, and it is not asked again."""
        ended: list[object] = []
        script = self.play(lambda request: request.notifyFinish().addErrback(ended.append))
        asking = deferred(self.client().call("GET"))
        await until(lambda: bool(script.asked))
        asking.cancel()
        await self.assertFailure(asking, CancelledError)
        await until(lambda: bool(ended))
        await deferLater(reactor, 0.3)
        self.assertEqual(len(script.asked), 1)

    async def test_cancelling_what_is_sent(self) -> None:
        """The same while a body goes out that the server does not take."""
        script = self.play(answer())
        failures: list[Failure] = []
        asking = deferred(self.client().call("PUT", body=[bytes(50_000_000)], digest=UNSIGNED))
        asking.addErrback(failures.append)
        await deferLater(reactor, 0.01)
        asking.cancel()
        await asking
        self.assertEqual([failure.type for failure in failures], [CancelledError])
        await deferLater(reactor, 0.3)
        self.assertEqual([asked.method for asked in script.asked if len(asked.body) == 50_000_000], [])

    async def test_too_long(self) -> None:
        """An answer without end is not taken in."""
        self.play(answer(200, bytes(17 * 1024 * 1024)))
        await self.assertFailure(deferred(self.client().call("GET")), StoreUnavailable)

    async def test_as_stored(self) -> None:
        """What is stored compressed comes as it is stored."""
        self.play(answer(200, b"not gzip at all", {"Content-Encoding": "gzip"}))
        self.assertEqual((await self.client().call("GET", b"key")).body, b"not gzip at all")

    async def test_redirects(self) -> None:
        """S3 sends nobody elsewhere: a signature is for one place."""
        script = self.play(answer(307, b"", {"Location": "/elsewhere"}), answer(200))
        await self.assertFailure(deferred(self.client().call("GET", b"key")), Refused)
        self.assertEqual(len(script.asked), 1)

    async def test_no_credentials(self) -> None:
        """Without credentials nothing is asked, and the reason is said."""
        script = self.play(answer())
        wire = Wire(reactor)
        self.addCleanup(wire.close)

        def none() -> None:
            raise StoreUnavailable("there are no S3 credentials")

        client = S3Client(self.location, wire, Signer("r", deferToThread, none), reactor)
        failure = await self.assertFailure(deferred(client.call("GET")), StoreUnavailable)
        self.assertIn("credentials", str(failure))
        self.assertEqual(script.asked, [])

    def test_digests(self) -> None:
        """A body is hashed where it is to be signed, and is not where TLS guards it."""
        self.assertEqual(digest_of([b"ab", memoryview(b"c")], signed=True), sha256(b"abc").hexdigest())
        self.assertEqual(digest_of([b"abc"], signed=False), UNSIGNED)
