"""
Tests of removing members.
"""

from __future__ import annotations

from typing import cast

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from fileserve.files.members import Members
from fileserve.storage.errors import MemberChanged, NoSuchFile
from fileserve.storage.interfaces import IFileStore

from .filesupport import FilesSite, Spied
from .support import deferred


class MembersTests(SynchronousTestCase):
    """A member goes, with the row of a file that has a short name."""

    def setUp(self) -> None:
        self.site = FilesSite()
        self.store = Spied(self.site.store)
        self.members = Members(cast("IFileStore", self.store), self.site.uploads)

    def remove(self, album: str, path: bytes, version: str | None = None) -> Deferred[None]:
        return deferred(self.members.remove(album, path, version))

    def test_member(self) -> None:
        """A plain member is gone from the store."""
        self.site.store.put("films", b"a", b"1")
        self.site.store.put("films", b"b", b"2")
        self.successResultOf(self.remove("films", b"a"))
        left = self.successResultOf(self.site.store.list("films")).members
        self.assertEqual([member.path for member in left], [b"b"])

    def test_stored(self) -> None:
        """A stored file goes with its row."""
        file = self.site.stored("a.txt")
        self.successResultOf(self.remove(file["short_name"], b"a.txt"))
        self.assertEqual(self.site.rows(), [])

    def test_refused(self) -> None:
        """What is gone, or meanwhile another version, is not removed."""
        self.failureResultOf(self.remove("films", b"a"), NoSuchFile)
        old = self.site.store.put("films", b"a", b"1")
        self.site.store.put("films", b"a", b"22")
        self.failureResultOf(self.remove("films", b"a", old.version), MemberChanged)
        self.assertEqual(len(self.successResultOf(self.site.store.list("films")).members), 1)

    def test_client_leaves(self) -> None:
        """Once begun, it is done, whoever waits for it."""
        self.site.store.put("films", b"a", b"1")
        self.site.store.put("films", b"b", b"1")
        held = self.store.hold("delete")
        removing = self.remove("films", b"a")
        removing.cancel()
        held.callback(None)
        self.assertEqual(len(self.successResultOf(self.site.store.list("films")).members), 1)
        removing.addErrback(lambda failure: None)
