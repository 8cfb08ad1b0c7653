"""
What some stores and open members can do, and others cannot; each is asked for by its interface.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.defer import Deferred
from zope.interface import Interface

from .interfaces import Listing


class IGivesLinks(Interface):
    """
    A store that can give links with which anybody reads a file from it directly.
    """

    def link(album: str, path: bytes, expires: int, headers: Mapping[str, str]) -> str:
        """
        Sign a link.

        :param expires: seconds from now.
        :param headers: of the response, such as ``Content-Type`` and ``Content-Disposition``.
        :return: an absolute URL.
        """


class ITellsChanges(Interface):
    """
    A store that can tell, at much less cost than listing an album, whether entries came or went.
    """

    def same_entries(album: str, listing: Listing) -> Deferred[bool]:
        """
        See whether an album still has just the entries that it had when it was listed. A file that was
        written to in place does not count.

        :return: fires with ``False`` also where the album is gone; does not fail.
        """


class IDescriptor(Interface):
    """
    An open member that has a file descriptor, which ``sendfile(2)`` can take.
    """

    def fileno() -> int:
        """
        The descriptor; it stays the open member's, which closes it.
        """
