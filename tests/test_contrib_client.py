"""
Tests of `fileserve.contrib.client`: the file API as methods, and stored files that read like local ones.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fileserve.contrib.client import FileAPI, RemoteFile
from fileserve.contrib.exchange import Answer, FileserveError, FileserveTimeout, Server
from tests.fake_fileserve import KEY, FakeCase, Refusal
from tests.integration.trees import noise

DATA = noise(1_000_000)
SHORT = "BmV4w7oL9idaLjVBmfQXZe"


class APICase(FakeCase):
    """With a server."""

    def setUp(self) -> None:
        self.start_server()
        self.api = FileAPI(Server(self.fake.url, 10, KEY))

    def put(self, data: bytes = DATA) -> str:
        return self.api.put("a.bin", [data], len(data))

    def stored(self, short: str) -> bytes:
        return self.fake.files[short].path.read_bytes()


class PutTests(APICase):
    """Storing."""

    def test_framing(self) -> None:
        """A known length is said; an unknown one needs the chunked coding. Empty pieces end neither."""
        pieces = [b"", b"abc", b"", b"defg", b""]
        for length, field in ((7, "content-length"), (None, "transfer-encoding")):
            short = self.api.put("a", pieces, length)
            self.assertEqual(self.stored(short), b"abcdefg")
            self.assertIn(field, self.fake.headers)
        self.assertEqual([self.stored(self.api.put("a", [], length)) for length in (0, None)], [b"", b""])

    def test_names(self) -> None:
        """Any name comes to the server as it is."""
        for name in ("a b", "%41", "?x=1#y", "ö/ä", "+&;", "x" * 255, "😀"):
            self.assertEqual(self.api.facts(self.api.put(name, [b"1"], 1))["filename"], name)

    def test_other_length(self) -> None:
        """Content of another length than it says is never sent so far that the server had a whole file."""
        sent: list[bytes] = []

        class Recording(Server):
            def ask(self, *question: Any) -> Answer:
                sent.extend(question[3])
                raise AssertionError

        for pieces in ([], [b"1"], [b"1", b"2", b"3"], [b"12", b"3"], [b"123"], [b"12", b"", b"3"]):
            put = FileAPI(Recording("http://a", 10)).put
            self.assertIn("not 2 bytes", str(self.assertRaises(FileserveError, put, "a", pieces, 2)))
            self.assertLess(len(b"".join(sent)), 2)
            sent.clear()
            self.assertRaises(FileserveError, self.api.put, "a", pieces, 2)
        self.assertEqual(self.fake.files, {})

    def test_holds_little(self) -> None:
        """Pieces are taken as they are sent, two at a time."""
        held: list[int] = []
        alive = 0

        class Piece(bytes):
            def __del__(self) -> None:
                nonlocal alive
                alive -= 1

        def pieces() -> Iterator[bytes]:
            nonlocal alive
            for _ in range(20):
                alive += 1
                held.append(alive)
                yield Piece(100_000)

        self.api.put("a", pieces(), 2_000_000)
        self.assertLessEqual(max(held), 3)


class ListTests(APICase):
    """Listing."""

    def test_pages(self) -> None:
        """Page after page is asked for."""
        shorts = [self.put(b"1") for _ in range(201)]
        self.assertEqual([facts["short_name"] for facts in self.api.files()], shorts[::-1])
        self.assertEqual(len([each for each in self.fake.requests if each[0] == "GET"]), 3)


class RemoteFileTests(APICase):
    """Reading."""

    def test_one_request(self) -> None:
        """Reading from the beginning to the end is one request."""
        with RemoteFile(self.api, self.put()) as file:
            self.assertEqual((file.readall(), file.size), (DATA, len(DATA)))
            self.assertEqual(file.read(1), b"")
        self.assertEqual(len(self.fake.requests), 2)

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 1200), st.sampled_from([0, 1, 2]), st.integers(0, 700))))
    def test_like_a_local_file(self, steps: list[tuple[int, int, int]]) -> None:
        """Whatever is sought and read, it's what ``io.BytesIO`` gives, through a buffer too."""
        data = DATA[:1000]
        short = self.put(data)
        with io.BufferedReader(RemoteFile(self.api, short), 256) as file:
            local = io.BytesIO(data)
            for distance, whence, count in steps:
                offset = -min(distance, 1000) if whence == os.SEEK_END else distance
                self.assertEqual(file.seek(offset, whence), local.seek(offset, whence))
                self.assertEqual(file.read(count), local.read(count))
                self.assertEqual(file.tell(), local.tell())

    def test_seek(self) -> None:
        """Before the beginning there is nothing; a wrong ``whence`` is an error."""
        with RemoteFile(self.api, self.put()) as file:
            self.assertRaises(ValueError, file.seek, -1)
            self.assertRaises(ValueError, file.seek, 0, 9)
            self.assertEqual(file.tell(), 0)
            self.assertTrue(file.seekable() and file.readable() and not file.writable())

    def test_goes_on(self) -> None:
        """Where the connection breaks, reading goes on with the rest."""
        short = self.put()
        self.fake.cut_after = 300_000
        with RemoteFile(self.api, short) as file:
            self.assertEqual(file.readall(), DATA)
        self.assertEqual(len(self.fake.requests), 3)
        self.assertEqual(self.fake.headers["range"], "bytes=300000-")

    def test_gives_up(self) -> None:
        """Where it can't go on, the error is told; the file is not taken to end there."""
        short = self.put()
        self.fake.cut_after = 300_000
        with RemoteFile(self.api, short) as file:
            file.read(10)
            self.fake.files[short].path.unlink()
            del self.fake.files[short]
            self.assertRaises(FileNotFoundError, file.readall)

    def test_changed(self) -> None:
        """A file that was changed meanwhile is not put together from two versions."""
        short = self.put()
        self.fake.cut_after = 300_000
        with RemoteFile(self.api, short) as file:
            file.read(10)
            path = self.fake.files[short].path
            os.utime(path, ns=(1, 1))
            self.assertIn("changed", str(self.assertRaises(FileserveError, file.readall)))

    def test_patience(self) -> None:
        """A server that falls silent is waited for once, and may be asked again later."""
        short = self.put()
        self.fake.cut_after, self.fake.stalls = 300_000, True
        with RemoteFile(FileAPI(Server(self.fake.url, 0.2)), short) as file:
            self.assertRaises(FileserveTimeout, file.readall)
            self.assertEqual(len(self.fake.requests), 2)
            position = file.tell()
            self.assertEqual(file.read(10), DATA[position : position + 10])

    def test_no_parts(self) -> None:
        """A proxy that sends the whole file where a part was asked for is found out."""
        self.fake.refusal = Refusal(200, b"0123456789", "application/octet-stream")
        self.assertRaises(FileserveError, self.api.download, SHORT, 5)
        self.api.download(SHORT).close()

    def test_closed(self) -> None:
        """A closed file can't be read, and may be closed again."""
        file = RemoteFile(self.api, self.put())
        file.close()
        file.close()
        self.assertRaises(ValueError, file.read, 1)
