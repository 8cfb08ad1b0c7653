"""
Where a file is to go in S3, on which condition, and how we know our own again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import frozen

from .errors import FileExists, MemberChanged
from .interfaces import Member
from .s3client import quoted

#: Under this name an object tells which upload it came from, so that we know our own where an answer was
#: lost.
MARK = "x-amz-meta-fileserve-upload"


@frozen
class Place:
    """
    Where a file is to go, and in whose place.
    """

    key: bytes
    path: bytes
    #: ``None``: there must be no file.
    replaces: Member | None
    #: Looks what is there, and by which upload: ``None`` for nothing.
    look: Callable[[], Awaitable[tuple[Member, str] | None]]

    @property
    def conditions(self) -> dict[str, str]:
        """
        The place as S3 is to see to it.
        """
        if self.replaces is None:
            return {"If-None-Match": "*"}
        return {"If-Match": quoted(str(self.replaces.stamp))}

    def require(self, found: Member | None) -> None:
        """
        :raise FileExists: there is a file, and must not be one.
        :raise MemberChanged: it is not the one to be replaced.
        """
        if self.replaces is None:
            if found is not None:
                raise FileExists("there is a file of that name")
        elif found is None:
            raise MemberChanged(self.path, "it is gone")
        elif found.stamp != self.replaces.stamp:
            raise MemberChanged(self.path, "it was replaced")


def mark_of(header: Callable[[str], str]) -> str:
    """
    Which upload an object came from; empty where it was not one of ours.
    """
    return header(MARK)
