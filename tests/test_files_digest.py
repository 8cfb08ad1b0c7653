"""
Tests of what is computed of a file's bytes.
"""

from __future__ import annotations

import hashlib
import zlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.catalogue.interfaces import MemberFacts
from fileserve.files.digest import Digest
from fileserve.http.kinds import HEAD


class DigestTests(SynchronousTestCase):
    """One pass over the bytes."""

    @given(st.lists(st.lists(st.binary(max_size=50), max_size=5), max_size=5))
    def test_however_they_come(self, groups: list[list[bytes]]) -> None:
        """Sums and size are those of all bytes together, however they were divided."""
        digest = Digest()
        for pieces in groups:
            digest.update(pieces)
        data = b"".join(b"".join(pieces) for pieces in groups)
        facts = digest.facts("a.bin")
        self.assertEqual(facts.sha256, hashlib.sha256(data).hexdigest())
        self.assertEqual(facts.crc32, zlib.crc32(data))
        self.assertEqual(digest.size, len(data))

    @given(st.lists(st.integers(0, HEAD), max_size=6))
    def test_head(self, sizes: list[int]) -> None:
        """The beginning is kept, and no more of it than tells the type."""
        pieces = [bytes([number]) * size for number, size in enumerate(sizes)]
        digest = Digest()
        digest.update(pieces)
        self.assertEqual(digest.head, b"".join(pieces)[:HEAD])

    def test_type_by_content(self) -> None:
        """The type is told by the content; the name only tells kinds of text apart."""
        digest = Digest()
        digest.update([b"%PDF", b"-1.7\n"])
        self.assertEqual(digest.facts("a.png").media_type, "application/pdf")
        digest = Digest()
        digest.update([b"a,b\n1,2\n"])
        self.assertEqual(digest.facts("a.csv").media_type, "text/csv")

    def test_no_bytes(self) -> None:
        """A file of no bytes has the sums of none, and no type."""
        empty = hashlib.sha256().hexdigest()
        self.assertEqual(Digest().facts("a.txt"), MemberFacts(0, empty, "application/octet-stream"))

    def test_any_buffer(self) -> None:
        """What was read from a disk is a ``bytearray``, and is taken too."""
        digest = Digest()
        digest.update([bytearray(b"hel"), b"lo"])
        self.assertEqual(digest.facts("").crc32, zlib.crc32(b"hello"))
        self.assertIsInstance(digest.head, bytes)
