"""
Finishing what must not be left half done, also when nobody waits for it any more.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

T = TypeVar("T")

_log = Logger(namespace="fileserve.http")


def shielded(
    work: Coroutine[Any, Any, T], dropped: Callable[[T], object] = lambda result: None
) -> Deferred[T]:
    """
    Do some work that cancelling does not stop.

    :param dropped: called with the result when nobody waits for it any more.
    :return: fires with its result; cancelled, only the waiting ends, and a
        failure of the work after that is logged.
    """
    waiting: Deferred[T] = Deferred(lambda _: None)

    def done(result: Any) -> None:
        if not waiting.called:
            waiting.callback(result)
        elif isinstance(result, Failure):
            _log.failure("Work went on for a client that left, and failed", result)
        else:
            dropped(result)

    Deferred.fromCoroutine(work).addBoth(done)
    return waiting
