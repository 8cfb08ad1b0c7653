"""
Facts about albums that are gone: nobody asks for them again, so somebody has to look for them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence

from fileserve.catalogue.interfaces import IFacts

PORTION = 500
"""Albums that the store is asked for at once."""


async def forget_gone(
    facts: IFacts, exists: Callable[[Sequence[str]], Awaitable[Collection[str]]], portion: int = PORTION
) -> int:
    """
    Forget the facts of albums that the store no longer has, gently: one after the other.

    Cancelling ends it, with what was forgotten until then.  An album that comes back meanwhile loses what is
    remembered of it, and is read again when somebody asks.

    :param exists: tells which of some albums (at most ``portion``) the store has; what it raises ends it.
    :return: how many albums were forgotten.
    :raise CatalogueUnavailable: when the database cannot be asked.
    """
    forgotten = 0
    albums = await facts.albums()
    for start in range(0, len(albums), portion):
        some = albums[start : start + portion]
        there = await exists([_stored(album) for album in some])
        for album in some:
            if _stored(album) not in there:
                await facts.forget(album, ())
                forgotten += 1
    return forgotten


def _stored(album: str) -> str:
    """
    The album in the store of which something is remembered. What is behind a question mark says in which
    way it is looked at.
    """
    return album.partition("?")[0]
