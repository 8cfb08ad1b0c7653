"""
Tests of `fileserve.contrib.djangofiles`: what is sent of a Django file, and what comes back as one.
"""

from __future__ import annotations

import errno
import io
import os

from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from twisted.trial.unittest import SynchronousTestCase

from fileserve.contrib.client import FileAPI
from fileserve.contrib.djangofiles import StoredFile, pieces_of, short_name
from fileserve.contrib.exchange import Server
from tests.django_site import set_up
from tests.fake_fileserve import KEY, FakeCase
from tests.integration.trees import MIB, noise

DATA = noise(3 * MIB)


class PiecesTests(SynchronousTestCase):
    """What is sent."""

    def setUp(self) -> None:
        set_up()

    def test_length(self) -> None:
        """The length is told where it is sure: not of a pipe, which says 0, nor of text."""
        for content in (ContentFile(b"123"), File(io.BytesIO(b"123")), SimpleUploadedFile("a", b"123")):
            length, pieces = pieces_of(content)
            self.assertEqual((length, b"".join(pieces)), (3, b"123"))
        length, pieces = pieces_of(ContentFile("größe"))
        self.assertEqual((length, b"".join(pieces)), (None, "größe".encode()))
        reader, writer = os.pipe()
        os.write(writer, b"123")
        os.close(writer)
        with open(reader, "rb") as pipe:
            length, pieces = pieces_of(File(pipe))
            self.assertEqual((length, b"".join(pieces)), (None, b"123"))

    def test_unknown_size(self) -> None:
        """Content that can't say its size is taken as it comes."""

        class Pieces:
            def chunks(self, size: int) -> list[bytes]:
                return [b"12", b"3"]

        class Unsized(io.BytesIO):
            def seek(self, offset: int, whence: int = 0) -> int:
                raise OSError(errno.ESPIPE, "Illegal seek") if whence else io.UnsupportedOperation

        for content in (Pieces(), File(Unsized(b"123"))):
            length, pieces = pieces_of(content)
            self.assertEqual((length, b"".join(pieces)), (None, b"123"))

    def test_pieces(self) -> None:
        """A file comes in pieces of 1 MiB, from its beginning."""
        content = File(io.BytesIO(DATA))
        content.seek(5)
        pieces = list(pieces_of(content)[1])
        self.assertEqual([len(piece) for piece in pieces], [MIB, MIB, MIB])
        self.assertEqual(b"".join(pieces), DATA)

    def test_short_name(self) -> None:
        """The short name is what comes before the first slash."""
        self.assertEqual([short_name(name) for name in ("a/b.c", "a/b/c", "a", "")], ["a", "a", "a", ""])


class StoredFileTests(FakeCase):
    """What comes back."""

    def setUp(self) -> None:
        self.start_server()
        self.api = FileAPI(Server(self.fake.url, 10, KEY))
        self.name = self.api.put("a.bin", [DATA], len(DATA)) + "/a.bin"

    def test_file(self) -> None:
        """It is a Django file with a name, a mode and a size, and reads like any."""
        with StoredFile(self.api, self.name, "rb") as file:
            self.assertEqual(
                (file.name, file.mode, file.size, len(file)), (self.name, "rb", len(DATA), len(DATA))
            )
            self.assertEqual(b"".join(file.chunks()), DATA)
            self.assertEqual(len(self.fake.requests), 2)
        self.assertTrue(file.closed)

    def test_open_again(self) -> None:
        """``open`` goes to the beginning, of an open file and of a closed one."""
        file = StoredFile(self.api, self.name, "rb")
        for _ in range(2):
            self.assertEqual(file.read(3), DATA[:3])
            self.assertIs(file.open(), file)
            self.assertEqual(file.read(3), DATA[:3])
            file.close()
            file.open("rb")
        file.close()

    def test_modes(self) -> None:
        """Stored files are read as bytes only, and nothing is asked where they shall not be."""
        asked = len(self.fake.requests)
        for mode in ("r", "w", "wb", "ab", "r+b", "rb+"):
            error = self.assertRaises(io.UnsupportedOperation, StoredFile, self.api, self.name, mode)
            self.assertIn(repr(mode), str(error))
        self.assertEqual(len(self.fake.requests), asked)
