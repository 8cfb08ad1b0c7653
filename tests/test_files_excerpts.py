"""
``fileserve.files.excerpts``: the beginning of a text, whatever it is encoded in.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from fileserve.files.excerpts import LONGEST, Excerpt, Excerpts, decoded
from fileserve.http.refusal import Refusal
from fileserve.storage.interfaces import Member
from fileserve.storage.memory import MemoryStore

from .filesupport import FilesSite
from .support import deferred

#: Text of what HTML can hold.
texts = st.text(st.characters(exclude_categories=("Cc", "Cs")) | st.sampled_from("\t\n"), min_size=1)


class DecodedTests(SynchronousTestCase):
    """What bytes say."""

    @given(texts)
    def test_unicode(self, text: str) -> None:
        """UTF-8 and UTF-16 with its mark are read as they were written."""
        for encoding in ("utf-8-sig", "utf-16"):
            self.assertEqual(decoded(text.encode(encoding), cut=False), text)
        self.assertEqual(decoded(text.encode(), cut=False), text.removeprefix("\ufeff"))

    def test_old(self) -> None:
        """What is not UTF-8 is read as Windows-1252, of which everything means something."""
        self.assertEqual(decoded("café – “x”".encode("cp1252"), cut=False), "café – “x”")
        decoded(bytes(range(256)), cut=False)

    def test_cut_within_a_character(self) -> None:
        """Of a text that is cut, half a character is left away; of one that is not, it shows."""
        half = "aé".encode()[:2]
        self.assertEqual(decoded(half, cut=True), "a")
        self.assertEqual(decoded(half, cut=False), "a\ufffd")

    def test_damaged_later(self) -> None:
        """A text that begins as UTF-8 is UTF-8, with a few bytes that are none."""
        self.assertEqual(decoded("é".encode() * 8192 + b"\xff", cut=False), "é" * 8192 + "\ufffd")

    @given(st.binary(max_size=100), st.booleans())
    def test_anything(self, data: bytes, cut: bool) -> None:
        """Whatever bytes come, a text that HTML can hold comes out."""
        text = decoded(data, cut=cut)
        text.encode()
        self.assertFalse(set(text) & {chr(each) for each in (*range(9), 11, *range(14, 32), 127)})


class ExcerptsTests(SynchronousTestCase):
    """Reading them."""

    def excerpt(self, data: bytes) -> Excerpt:
        site = FilesSite()
        file = self.successResultOf(site.files.get(site.stored(data=data)["short_name"]))
        found: Excerpt = self.successResultOf(deferred(Excerpts(site.store).text(file)))
        return found

    def test_whole(self) -> None:
        """A short file is whole, and so is one that just fits."""
        self.assertEqual(self.excerpt(b"hello"), Excerpt("hello", cut=False))
        self.assertEqual(self.excerpt(b"a" * LONGEST), Excerpt("a" * LONGEST, cut=False))

    def test_cut(self) -> None:
        """Of a longer one there is the beginning, and it says so."""
        self.assertEqual(self.excerpt(b"a" * LONGEST + b"b"), Excerpt("a" * LONGEST, cut=True))

    def refused(self, site: FilesSite, short_name: str) -> int:
        file = self.successResultOf(site.files.get(short_name))
        failure = self.failureResultOf(deferred(Excerpts(site.store).text(file)), Refusal)
        refusal: Refusal = failure.value
        return refusal.status

    def test_gone(self) -> None:
        """A file whose bytes are gone is 404."""
        site = FilesSite()
        short_name = site.stored()["short_name"]
        self.successResultOf(site.store.delete(short_name, b"a.txt"))
        self.assertEqual(self.refused(site, short_name), 404)

    def test_changing(self) -> None:
        """One that is being changed is to be asked for again."""

        class Changing(MemoryStore):
            """A store that always sees the version before the present one."""

            def stat(self, album: str, path: bytes) -> Deferred[Member]:
                return super().stat(album, path).addCallback(lambda member: member._replace(mtime_ns=1))

        site = FilesSite(store=Changing())
        self.assertEqual(self.refused(site, site.stored()["short_name"]), 503)
