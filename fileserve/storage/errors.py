"""
What can go wrong in any store, by the name of what happened.
"""

from __future__ import annotations

from .keys import display_path


class NoSuchAlbum(LookupError):
    """
    There is no album of that name, or none that may be shown.
    """


class NoSuchFile(LookupError):
    """
    An album has no member of that path.
    """


class FileExists(Exception):
    """
    A file that must not be there already is.
    """


class NoSpace(Exception):
    """
    The store has no room for more.
    """


class StoreUnavailable(Exception):
    """
    The store can't be asked, or can't be written to, for now: it is away, or read-only.

    Its text says why, and holds no secret name.
    """


class Unreadable(Exception):
    """
    Something in an album is there and can't be read.
    """

    def __init__(self, path: bytes, reason: str | None) -> None:
        super().__init__(f"{display_path(path)}: {reason}")
        self.path = path
        self.reason = reason


class MemberChanged(Exception):
    """
    A member is no longer the version that was listed: changed, shrunk, grown, replaced or gone.
    """

    def __init__(self, path: bytes, reason: str) -> None:
        super().__init__(f"{display_path(path)}: {reason}")
        self.path = path
        self.reason = reason
