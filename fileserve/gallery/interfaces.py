"""
What the gallery needs of others: what takes files in, reads them whole, and looks at pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from twisted.internet.defer import Deferred

from fileserve.catalogue.interfaces import MemberFacts
from fileserve.pictures.facts import PictureFacts
from fileserve.storage.interfaces import Member


class Source(Protocol):
    """
    What the bytes of a file come from.
    """

    async def read(self) -> list[bytes]:
        """Wait for more; none at the end."""


class Arrived(Protocol):
    """
    A file that was taken in.
    """

    @property
    def member(self) -> Member:
        """The new member."""

    @property
    def facts(self) -> MemberFacts:
        """What its bytes are."""


class Taken(Protocol):
    """
    A file of which all bytes have come; not to be seen before `keep`. Its owner keeps or drops it.
    """

    @property
    def facts(self) -> MemberFacts:
        """What its bytes are."""

    async def keep(self) -> Arrived:
        """Make it durable, and then visible; raises ``FileExists`` where something is there already."""

    def drop(self) -> object:
        """Forget it."""


class Intake(Protocol):
    """
    Takes files into the store: `fileserve.files.intake.Intake`.
    """

    def check_size(self, size: int) -> None:
        """Raises a refusal (413) where no file of so many bytes is taken."""

    async def admit_form(self, length: int | None) -> None:
        """Raises a refusal (507) where there is no room for so many bytes."""

    async def take(self, source: Source, album: str, path: bytes, filename: str) -> Taken:
        """Take all bytes of a file; raises a refusal, ``FileExists``, and what the source raises."""


class Knows(Protocol):
    """
    Finds out what a member's bytes are: `fileserve.files.contents.Contents`.
    """

    async def facts(self, album: str, member: Member, filename: str) -> MemberFacts:
        """All there is to know of one version; raises ``MemberChanged`` where meanwhile it is another."""


class Looks(Protocol):
    """
    Looks at pictures: `fileserve.pictures.workshop.Workshop`.
    """

    def look(self, files: Sequence[tuple[int, str]], urgent: bool = True) -> Deferred[list[PictureFacts]]:
        """Tell what some files are, by descriptor and media type; fails with ``Busy``."""
