"""
Several things at the same time that only make sense together.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, FirstError, gatherResults

T = TypeVar("T")


async def all_of(
    works: Iterable[Coroutine[Any, Any, T]], dropped: Callable[[T], object] = lambda result: None
) -> Sequence[T]:
    """
    Do several things at once: where one fails, or nobody waits any more, the others are cancelled.

    :param dropped: called with results that nobody gets then.
    """
    waiting = [Deferred.fromCoroutine(work) for work in works]
    try:
        return await gatherResults(waiting, consumeErrors=True)
    except FirstError as error:  # a CancelledError comes as one, too
        for each in waiting:
            each.addCallbacks(lambda result: None if result is None else dropped(result), lambda _: None)
            each.cancel()
        error.subFailure.raiseException()
        raise
