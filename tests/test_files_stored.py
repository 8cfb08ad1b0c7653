"""
Tests of names for stored files, and of what the API says of one.
"""

from __future__ import annotations

import json
import re
import uuid

from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.catalogue.interfaces import StoredFile
from fileserve.files.stored import described, new_id, new_short_name, timestamp
from fileserve.storage.keys import album_name

FILE = StoredFile(
    id="6f1f3a54-95a5-4b8e-8d52-0f2d9b7d4a10",
    short_name="abcdefghijkmnopqrstuvw",
    filename="Звёздные войны.txt",
    path="Звёздные войны.txt".encode(),
    size=5,
    media_type="text/plain",
    sha256="ab" * 32,
    crc32=0xABC,
    created_us=1_700_000_000_000_001,
)


class NameTests(SynchronousTestCase):
    """Short names and ids."""

    def test_short_name(self) -> None:
        """It has 22 characters that can be dictated, and is the name of an album."""
        names = {new_short_name() for _ in range(100)}
        self.assertEqual(len(names), 100)
        for name in names:
            self.assertTrue(re.fullmatch("[2-9A-HJ-NP-Za-km-z]{22}", name), name)
            self.assertEqual(album_name(name), name)

    def test_not_to_be_guessed(self) -> None:
        """There are more than 2**128 of them."""
        alphabet = set("".join(new_short_name() for _ in range(1000)))
        self.assertGreater(len(alphabet) ** 22, 2**128)

    def test_id(self) -> None:
        """An id is a UUID by chance."""
        self.assertEqual(uuid.UUID(new_id()).version, 4)
        self.assertNotEqual(new_id(), new_id())


class DescribedTests(SynchronousTestCase):
    """What the API says."""

    def test_all_of_it(self) -> None:
        """It says what DESIGN section 8 promises, under these keys and no others."""
        self.assertEqual(
            described(FILE),
            {
                "id": "6f1f3a54-95a5-4b8e-8d52-0f2d9b7d4a10",
                "short_name": "abcdefghijkmnopqrstuvw",
                "filename": "Звёздные войны.txt",
                "size": 5,
                "file_type": "text/plain",
                "sha256": "ab" * 32,
                "crc32": "00000abc",
                "path_in_storage": "abcdefghijkmnopqrstuvw/Звёздные войны.txt",
                "created_at": "2023-11-14T22:13:20.000001Z",
                "processed": False,
                "status": "stored",
                "error": None,
                "metadata": {},
                "url": "download-stream/abcdefghijkmnopqrstuvw",
            },
        )

    def test_processed(self) -> None:
        """Only one whose processing went well is processed."""
        for status in ("stored", "processing", "processed", "failed"):
            file = evolve(FILE, status=status, error="why", metadata={"width": 3})
            said = described(file)
            self.assertEqual((said["processed"], said["status"]), (status == "processed", status))
            self.assertEqual((said["error"], said["metadata"]), ("why", {"width": 3}))

    @given(st.binary(max_size=30))
    def test_any_path(self, path: bytes) -> None:
        """A path of any bytes can be said in JSON."""
        json.dumps(described(evolve(FILE, path=path)), ensure_ascii=False).encode()

    def test_moments(self) -> None:
        """A moment always has six digits of a second, so that they sort as text."""
        self.assertEqual(timestamp(0), "1970-01-01T00:00:00.000000Z")
        self.assertEqual(timestamp(-1), "1969-12-31T23:59:59.999999Z")

    @given(st.integers(253_402_300_800_000_000, 10**40))
    @example(253_402_300_800_000_000)
    def test_out_of_the_calendar(self, distance: int) -> None:
        """What a file system takes for a date and no calendar has is the nearest that there is."""
        self.assertEqual(timestamp(distance), "9999-12-31T23:59:59.999999Z")
        self.assertEqual(timestamp(-distance), "0001-01-01T00:00:00.000000Z")
