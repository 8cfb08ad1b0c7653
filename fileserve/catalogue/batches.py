"""
Work that comes while other such work is under way: it is gathered, and done together next.

Nothing is waited for here: whoever comes when nothing is under way is served at once and alone.  The more
come, the larger the batches, and the less each one costs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import groupby, islice
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from fileserve.catalogue.interfaces import CatalogueUnavailable

MOST = 128
"""The most that go together: the last one's answer waits for all of them."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batches(Generic[Item, Result]):
    """
    Hands items over together, in the order in which they came, one batch at a time.

    :param work: does what is to be done for some items, and fires with as many results in their order, of
        which any may be a ``Failure``.  If it fails, that is the result of each of them.
    :param most: how many items go together.
    """

    def __init__(
        self, work: Callable[[Sequence[Item]], Deferred[Sequence[Result | Failure]]], most: int = MOST
    ) -> None:
        self._work = work
        self._most = most
        self._waiting: dict[Deferred[Any], Item] = {}
        self._busy = False

    def put(self, item: Item) -> Deferred[Result]:
        """
        Have one item done.

        :return: fires with its result.  Cancelled before its batch began, it is left out; later it goes on,
            and nobody is told.
        """
        waiting: Deferred[Result] = Deferred(self._leave)
        self._waiting[waiting] = item
        if not self._busy:
            self._next()
        return waiting

    def _leave(self, cancelled: Deferred[Any]) -> None:
        self._waiting.pop(cancelled, None)

    def _next(self) -> None:
        self._busy = bool(self._waiting)
        if self._busy:
            callers = list(islice(self._waiting, self._most))
            items = [self._waiting.pop(caller) for caller in callers]
            self._work(items).addBoth(self._done, callers)

    def _done(self, results: Sequence[Result | Failure] | Failure, callers: Sequence[Deferred[Any]]) -> None:
        # First, so that the disk is at work while the callers are told.
        self._next()
        each = [results] * len(callers) if isinstance(results, Failure) else results
        for caller, result in zip(callers, each, strict=True):
            if not caller.called:  # else it was cancelled
                caller.callback(result)


Call = Callable[[Connection], Any]
"""Something small to be done in a transaction."""


class Rows:
    """
    A call that does the same for each of some rows; neighbours that do it too are done with it, at once.

    To execute a statement costs 60 us, and 5 us for each further row (SQLite, measured 2026-11-20).

    :param work: ``work(connection, rows)``.  If it raises for several rows, it is called for each alone.
    """

    def __init__(self, work: Callable[[Connection, Sequence[Any]], None], rows: Sequence[Any]) -> None:
        self.work = work
        self.rows = rows

    def __call__(self, connection: Connection) -> None:
        """
        Do it for one row after the other, so that what is raised is about one of them.
        """
        for row in self.rows:
            self.work(connection, [row])


class Transactions:
    """
    Small changes of the database, of which those that come at the same time share one transaction.

    A disk that must be waited for is waited for once: that is what makes many small uploads fast.  For each
    caller it is as if it had a transaction of its own.  If one of them raises, all is undone and each is done
    again alone, so that only what it did itself fails it.

    :param run: `Catalogue.run`.
    """

    def __init__(self, run: Callable[..., Deferred[Any]]) -> None:
        self._run = run
        self._batches: Batches[Call, Any] = Batches(self._together)

    def run(self, call: Call) -> Deferred[Any]:
        """
        Do one of them.

        :return: fires with what ``call`` returns when that is committed; fails as `Catalogue.run` does.
        """
        return self._batches.put(call)

    def _together(self, calls: Sequence[Call]) -> Deferred[Sequence[Any]]:
        return Deferred.fromCoroutine(self._do(calls))

    async def _do(self, calls: Sequence[Call]) -> Sequence[Any]:
        if len(calls) == 1:
            return [await self._run(calls[0])]
        try:
            results: Sequence[Any] = await self._run(_each, calls)
        except _Undone:
            return await self._one_by_one(calls)
        return results

    async def _one_by_one(self, calls: Sequence[Call]) -> Sequence[Any]:
        results: list[Any] = []
        for call in calls:
            begun = _Begun(call)
            try:
                results.append(await self._run(begun))
            except CatalogueUnavailable:
                results.append(Failure())
                if not begun.begun:
                    # The database is away: to ask for each of the others in vain would take minutes.
                    return results + [results[-1]] * (len(calls) - len(results))
            except Exception:  # noqa: BLE001 - its caller is told
                results.append(Failure())
        return results


def _each(connection: Connection, calls: Sequence[Call]) -> Sequence[Any]:
    results: list[Any] = []
    try:
        for _, alike in groupby(calls, _kind):
            results += _do_alike(connection, list(alike))
    except Exception as error:
        raise _Undone from error
    return results


def _kind(call: Call) -> Hashable:
    return call.work if isinstance(call, Rows) else call


def _do_alike(connection: Connection, calls: Sequence[Call]) -> Sequence[Any]:
    first = calls[0]
    if not isinstance(first, Rows):
        return [call(connection) for call in calls]
    first.work(connection, [row for call in calls if isinstance(call, Rows) for row in call.rows])
    return [None] * len(calls)


class _Undone(Exception):
    """
    One of several failed, and with it the transaction.
    """


class _Begun:
    """
    A call that tells whether its transaction began.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self.begun = False

    def __call__(self, connection: Connection) -> Any:
        self.begun = True
        return self._call(connection)
