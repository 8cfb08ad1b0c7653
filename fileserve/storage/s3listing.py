"""
What the objects of an album in S3 are to us: members, and folders that hold none.

Pure rules: nothing here asks S3.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime

from .errors import NoSuchAlbum, StoreUnavailable
from .interfaces import Folder, Listing, Member
from .keys import is_member_name
from .s3xml import Object


class Contents:
    """
    What a listing finds in an album.
    """

    def __init__(self, prefix: bytes) -> None:
        self._prefix = prefix
        self._markers: dict[bytes, int] = {}
        self._members: list[Member] = []
        self._changed_ns: int | None = None

    def add(self, found: Object) -> None:
        """
        Take in an object of any key that begins with the prefix.
        """
        self._changed_ns = max(self._changed_ns or 0, found.modified_ns)
        path = found.key[len(self._prefix) :]
        folder = path.removesuffix(b"/")
        if not may_be_member(folder):
            return
        if folder != path:
            self._markers[folder] = found.modified_ns
        else:
            self._members.append(Member(path, found.size, found.modified_ns, found.etag))

    def listing(self) -> Listing:
        """
        :raise NoSuchAlbum: nothing was found at all.
        """
        if self._changed_ns is None:
            raise NoSuchAlbum("no such album")
        # No object tells of a deletion: only what the members themselves say shows it.
        return Listing(self._members, self._empty_folders(), self._changed_ns)

    def _empty_folders(self) -> list[Folder]:
        """
        Folders are there in S3 only where somebody put an object whose key ends in a slash.
        """
        if not self._markers:
            return []
        empty = {folder: when for marker, when in self._markers.items() for folder in _above(marker + b"/")}
        for member in self._members:
            for folder in _above(member.path):
                empty.pop(folder, None)
        return [Folder(path, self._markers.get(path, when)) for path, when in empty.items()]


def may_be_member(path: bytes) -> bool:
    """
    Tell whether an object can have such a path: keys are UTF-8.
    """
    try:
        path.decode()
    except UnicodeDecodeError:
        return False
    return all(map(is_member_name, path.split(b"/")))


def _above(path: bytes) -> list[bytes]:
    """
    The folders that something lies in.
    """
    steps = path.split(b"/")
    return [b"/".join(steps[:depth]) for depth in range(1, len(steps))]


def member_of(path: bytes, header: Callable[[str], str]) -> Member:
    """
    A member as the headers of its object tell of it: the same that a listing tells.
    """
    try:
        modified = parsedate_to_datetime(header("Last-Modified"))
        size = int(header("Content-Length"))
    except ValueError:
        raise StoreUnavailable("S3 does not tell the size or the time of an object") from None
    return Member(path, size, int(modified.timestamp()) * 1_000_000_000, header("ETag").strip('"'))
