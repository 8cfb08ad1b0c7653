"""
What is remembered of pictures: what was seen in them, and which are just being taken in.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TypeAlias

from twisted.internet.defer import Deferred
from zope.interface import Interface

from fileserve.pictures.facts import PictureFacts

Seen: TypeAlias = Mapping[tuple[bytes, str], PictureFacts]
"""What was seen, by the path and the version in which it was seen."""


class IPictures(Interface):
    """
    A memory for what was seen at the heads of an album's members, of pictures and of all else.

    Paths and versions are as in `fileserve.catalogue.interfaces.IFacts`, and one version is remembered for a
    path.  It is a cache of the truth too: a caller whom `CatalogueUnavailable` answers goes on as if nothing
    were known.  What `IFacts.forget` and `IFacts.discard` drop is dropped here as well.
    """

    def note(album: str, seen: Iterable[tuple[bytes, str, PictureFacts]]) -> Deferred[None]:
        """
        Keep what was seen, in place of what was known of the same paths.

        :param seen: (path, version, facts) of any number of members; read before this returns.  A path longer
            than 2048 bytes may be left out.
        :return: fires when it is kept.  Fails with `CatalogueUnavailable`.
        """

    def describe(album: str, paths: Collection[bytes]) -> Deferred[Seen]:
        """
        Learn what is remembered of some members, with one look.

        :param paths: at most a page of them (1,000).
        :return: fails with `CatalogueUnavailable`.
        """

    def known(album: str) -> Deferred[Collection[tuple[bytes, str]]]:
        """
        Learn which members need not be looked at again. Pictures that could not be opened, and can be once
        somebody installs the decoder (`fileserve.pictures.formats.OPTIONAL`), do.

        :return: fires with a set of (path, version) that the caller owns.  Fails with `CatalogueUnavailable`.
        """


class IClaims(Interface):
    """
    Keeps two uploads of the same bytes from both coming into one album, whichever processes take them in.

    A claim lasts from before the present members are looked at until the new one is among them.
    """

    def claim(album: str, sha256: str) -> Deferred[bool]:
        """
        Claim some bytes for an album, as the only one.

        :param sha256: of the bytes, in hexadecimal digits.
        :return: fires with whether the claim is ours now; not, where another upload has it.  A claim that its
            process left behind, or that is older than 5 minutes, counts no more.  Fails with
            `CatalogueUnavailable`.
        """

    def release(album: str, sha256: str) -> Deferred[None]:
        """
        Give up a claim of ours; nothing happens where there is none.

        :return: fails with `CatalogueUnavailable`; then it counts no more after 5 minutes.
        """
