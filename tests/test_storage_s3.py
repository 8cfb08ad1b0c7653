"""
Tests of the store in S3, against a real SeaweedFS.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

import treq
from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from fileserve.storage.abilities import IGivesLinks
from fileserve.storage.errors import MemberChanged, NoSuchFile, StoreUnavailable
from fileserve.storage.interfaces import Part
from fileserve.storage.s3 import S3Store
from fileserve.storage.s3listing import may_be_member
from fileserve.storage.s3location import S3Location, url_of
from fileserve.storage.s3parts import WHOLE, side_by_side

from .nasty import NASTY_PATHS
from .s3server import BUCKET, OWNER, STRANGER, S3Server, credentials, new_server, server
from .storecontract import FileStoreContract, StoreCase
from .support import read_parts


class S3Case(StoreCase, TestCase):
    """
    A store in a real S3, and the same seen past it.
    """

    timeout = 60

    #: Keys are UTF-8; to SeaweedFS a backslash is a slash, and what is before it a folder.
    odd_paths: Sequence[bytes] = [path for path in NASTY_PATHS if may_be_member(path) and b"\\" not in path]

    def setUp(self) -> None:
        self.server = self.start_server()

    def start_server(self) -> S3Server:
        return server()

    async def make_store(self) -> S3Store:
        self.location = self.server.fresh_location()
        return self.store_at(self.location)

    def store_at(self, location: S3Location, who: tuple[str, str] = OWNER, silence: float = 20) -> S3Store:
        store = S3Store(
            location, reactor, deferToThread, find_credentials=partial(credentials, who), silence=silence
        )
        self.addCleanup(store.close)
        return store

    def path_of(self, album: str, path: str) -> str:
        return f"/{BUCKET}/" + quote(self.location.key(album.encode(), path.encode()))

    async def put(self, album: str, files: Mapping[str, bytes]) -> None:
        for path, data in files.items():
            status = await deferToThread(self.server.request, "PUT", self.path_of(album, path), data)
            self.assertEqual(status, 200)

    async def delete(self, album: str, path: str) -> None:
        status = await deferToThread(self.server.request, "DELETE", self.path_of(album, path))
        self.assertEqual(status, 204)

    async def leftovers(self) -> Sequence[object]:
        prefix = self.location.key(b"").decode()
        url = url_of(f"/{BUCKET}", b"", {"uploads": "", "prefix": prefix})
        _, body = await deferToThread(self.server.ask, "GET", url)
        return [body] if b"<Upload>" in body else []


class S3StoreTests(FileStoreContract, S3Case):
    """An `S3Store` does what every store does."""

    async def test_changing_what_is_open(self) -> None:
        """
        Reading of an open member that changed gives the bytes that were listed, which were on their
        way, or fails; it never gives others.
        """
        for change in self.changes():
            store = await self.store_of({"1.jpg": b"0123456789"})
            opened = await self.opened(store)
            await change()
            self.assertEqual(await opened.read(0, 10), b"0123456789")
            await self.failure(opened.read(0, 1), MemberChanged)

    async def test_reading_what_was_replaced(self) -> None:
        """The same where the store itself replaced it."""
        store = await self.store_of({"1.jpg": b"0123456789"})
        opened, reader, member = await self.opened(store), self.reader(store), await self.member(store)
        await self.keep(store, b"1.jpg", b"abcdefghij", replaces=member.version)
        self.assertEqual(await opened.read(0, 10), b"0123456789")
        await self.failure(opened.read(0, 10), MemberChanged)
        await self.failure(read_parts(reader, [Part(member, 0, 10)]), MemberChanged)

    async def test_links(self) -> None:
        """With a link anybody reads a file, under the name and type that the link says, until it expires."""
        store: Any = await self.store_of({"a b/\u00e9+&?.jpg": b"0123456789"})
        verifyObject(IGivesLinks, store)
        headers = {
            "Content-Type": "image/x-test",
            "Content-Disposition": 'attachment; filename="\u00e9.jpg"'.encode().decode("latin-1"),
            "X-Content-Type-Options": "nosniff",
        }
        link = store.link("album", "a b/\u00e9+&?.jpg".encode(), 60, headers)
        got = await treq.get(link, persistent=False)
        self.assertEqual((got.code, await got.content()), (200, b"0123456789"))
        self.assertEqual(got.headers.getRawHeaders(b"Content-Type"), [b"image/x-test"])
        self.assertIn(b"attachment", got.headers.getRawHeaders(b"Content-Disposition")[0])
        for wrong in (link.replace("image", "text"), link.replace("X-Amz-Expires=60", "X-Amz-Expires=6000")):
            got = await treq.get(wrong, persistent=False)
            self.assertEqual(got.code, 403)
            await got.content()

    async def test_pages(self) -> None:
        """Albums of more files than one page of a listing has are listed whole."""
        store = await self.make_store()
        names = [b"%04d/%d.jpg" % (number % 7, number) for number in range(2500)]
        await side_by_side(20, lambda name: self._put_one(store, name), names)
        listing = await self.listing(store)
        self.assertEqual(sorted(member.path for member in listing.members), sorted(names))
        self.assertEqual({member.size for member in listing.members}, {1})

    async def _put_one(self, store: S3Store, name: bytes) -> None:
        # Past what a careful store asks before and after: only the number matters here.
        await store._client.call("PUT", self.location.key(b"album", name), body=[b"1"])

    async def test_empty_folders(self) -> None:
        """A folder that somebody marked is there while it holds no member; nothing else is a folder."""
        store = await self.store_of(
            {"empty/": b"", "a/b/empty/": b"", "full/": b"", "full/1.jpg": b"", ".hidden/": b"", "2.jpg": b""}
        )
        folders = {folder.path for folder in (await self.listing(store)).empty_folders}
        self.assertEqual(folders, {b"empty", b"a", b"a/b", b"a/b/empty"})
        self.assertEqual(set(await self.members(store)), {b"full/1.jpg", b"2.jpg"})

    async def test_names_that_are_no_keys(self) -> None:
        """A name that is not UTF-8 is no key; a file of such a name is not taken in, and none is there."""
        store = await self.make_store()
        await self.failure(store.receive("album", b"caf\xe9.jpg"), StoreUnavailable)
        await self.failure(store.stat("album", b"caf\xe9.jpg"), NoSuchFile)

    async def test_whole_bucket(self) -> None:
        """A store may have a bucket for itself; one that is missing is made at the first check."""
        self.location = S3Location(f"fresh-{uuid.uuid4().hex[:12]}", "", self.server.endpoint)
        store = self.store_at(self.location)
        await self.nothing(store.check())
        member = await self.keep(store, b"1.jpg", b"1")
        self.assertEqual(await store.stat("album", b"1.jpg"), member)
        self.assertEqual(await self.contents(store), {b"1.jpg": b"1"})
        await store.delete("album", b"1.jpg")
        await deferToThread(self.server.request, "DELETE", f"/{self.location.bucket}")
        failure = await self.failure(store.check(), StoreUnavailable)
        self.assertIn(f"the bucket {self.location.bucket} does not exist", str(failure))

    async def test_cleaning_up(self) -> None:
        """Uploads in parts that are older than a day, and ours, are aborted; younger ones are not."""
        store = await self.make_store()
        other = self.store_at(self.server.fresh_location())
        for each in (store, other):
            incoming = await self.receive(each, b"1.jpg", bytes(WHOLE + 1))
        await store.clean()
        self.assertEqual(len(await self.leftovers()), 1)
        tomorrow = S3Store(
            self.location,
            reactor,
            deferToThread,
            find_credentials=credentials,
            now=lambda: time.time() + 24 * 60 * 60 + 60,
        )
        self.addCleanup(tomorrow.close)
        await tomorrow.clean()
        await self.assert_no_leftovers()
        await incoming.keep()
        self.assertEqual((await other.stat("album", b"1.jpg")).size, WHOLE + 1)

    async def test_wrong_credentials(self) -> None:
        """Whoever may not, or is not known, is told so by the name that S3 has for it, and at once."""
        await self.store_of({"1.jpg": b"1"})
        for who, reason in (
            (STRANGER, "403 AccessDenied"),
            (("owner", "wrong"), "403 SignatureDoesNotMatch"),
            (("nobody", "wrong"), "403 InvalidAccessKeyId"),
        ):
            store = self.store_at(self.location, who)
            for asking in (store.check(), store.list("album"), store.exist(["album"])):
                failure = await self.failure(asking, StoreUnavailable)
                self.assertEqual(str(failure), f"S3 refuses: {reason}")
            failure = await self.failure(store.stat("album", b"1.jpg"), StoreUnavailable)
            self.assertIn("403", str(failure))
            await self.failure(store.receive("album", b"2.jpg"), StoreUnavailable)
            await self.failure(store.delete("album", b"1.jpg"), StoreUnavailable)

    async def test_credentials_of_the_environment(self) -> None:
        """Where nothing else is said, credentials come from where every AWS tool finds them."""
        await self.store_of({"1.jpg": b"1"})
        for name, value in (
            ("AWS_ACCESS_KEY_ID", OWNER[0]),
            ("AWS_SECRET_ACCESS_KEY", OWNER[1]),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ):
            self.patch(os, "environ", {**os.environ, name: value})
        store = S3Store(self.location, reactor, deferToThread)
        self.addCleanup(store.close)
        self.assertEqual(list(await self.members(store)), [b"1.jpg"])


class S3AwayTests(S3Case):
    """A store outlives its server."""

    def start_server(self) -> S3Server:
        started = new_server()
        self.addCleanup(started.remove)
        started.start()
        return started

    async def test_away_and_back(self) -> None:
        """While S3 is away all is unavailable, in the middle of things too; afterwards all goes on."""
        store = await self.store_of({"1.jpg": bytes(5_000_000), "2.jpg": b"2"})
        opened, member = await self.opened(store), await self.member(store, b"2.jpg")
        await opened.read(0, 100)
        incoming = await self.receive(store, b"3.jpg", bytes(WHOLE + 1))
        self.server.stop()
        for asking in (
            store.check(),
            store.list("album"),
            store.stat("album", b"2.jpg"),
            store.receive("album", b"4.jpg"),
            store.delete("album", b"2.jpg"),
            store.clean(),
            self.reader(store).crc32(member),
            read_parts(self.reader(store), [Part(member, 0, 1)]),
            opened.read(4_000_000, 1_000_000),
            incoming.keep(),
        ):
            failure = await self.failure(asking, StoreUnavailable)
            self.assertIn("S3 does not answer", str(failure))
            self.assertNotIn("album", str(failure))
        await deferToThread(self.server.start)
        # SeaweedFS takes files in before it finds all again that it has.
        while not await self.is_back({"1.jpg": 5_000_000, "2.jpg": 1}):
            await deferLater(reactor, 0.1)
        await store.check()
        self.assertEqual(set(await self.contents(store)), {b"1.jpg", b"2.jpg"})
        self.assertEqual(await opened.read(4_000_000, 1_000_000), bytes(1_000_000))
        await self.keep(store, b"3.jpg", bytes(WHOLE + 1))
        self.assertEqual((await store.stat("album", b"3.jpg")).size, WHOLE + 1)

    async def is_back(self, sizes: Mapping[str, int]) -> bool:
        asked = [await deferToThread(self.server.ask, "GET", self.path_of("album", path)) for path in sizes]
        return [(status, len(body)) for status, body in asked] == [(200, size) for size in sizes.values()]
