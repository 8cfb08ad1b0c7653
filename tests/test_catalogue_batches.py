"""
Batches: what comes while others are under way goes together, and for each it is as if it had gone alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import CancelledError, Deferred, fail, maybeDeferred, succeed
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from fileserve.catalogue.batches import Batches, Rows, Transactions
from fileserve.catalogue.database import Catalogue, open_engine, sqlite_url
from fileserve.catalogue.interfaces import CatalogueUnavailable


class BatchesTests(SynchronousTestCase):
    """`Batches`, with work that ends when the test says so."""

    def setUp(self) -> None:
        self.under_way: list[tuple[Sequence[str], Deferred[Sequence[str | Failure]]]] = []
        self.batches: Batches[str, str] = Batches(self.work, 3)

    def work(self, items: Sequence[str]) -> Deferred[Sequence[str | Failure]]:
        ended: Deferred[Sequence[str | Failure]] = Deferred()
        self.under_way.append((items, ended))
        return ended

    def end(self) -> Sequence[str]:
        ((items, ended),) = self.under_way
        self.under_way.clear()
        ended.callback([item.upper() for item in items])
        return items

    def test_alone(self) -> None:
        """Whoever comes when nothing is under way is served at once."""
        for name in "ab":
            result = self.batches.put(name)
            self.assertEqual(self.end(), [name])
            self.assertEqual(self.successResultOf(result), name.upper())

    def test_gathered(self) -> None:
        """What comes meanwhile goes together next, in its order; each gets its own result."""
        results = [self.batches.put(name) for name in "abc"]
        self.assertEqual(self.end(), ["a"])
        self.assertNoResult(results[1])
        self.assertEqual(self.end(), ["b", "c"])
        self.assertEqual([self.successResultOf(result) for result in results], ["A", "B", "C"])
        self.assertEqual(self.under_way, [])

    def test_bounded(self) -> None:
        """No more go together than were said; the others follow."""
        results = [self.batches.put(name) for name in "abcdefgh"]
        self.assertEqual([self.end() for _ in range(4)], [["a"], ["b", "c", "d"], ["e", "f", "g"], ["h"]])
        self.assertEqual([self.successResultOf(result) for result in results], list("ABCDEFGH"))

    def test_equal_items(self) -> None:
        """Two that want the same are two."""
        results = [self.batches.put(name) for name in "aaa"]
        self.end()
        self.assertEqual(self.end(), ["a", "a"])
        self.assertEqual([self.successResultOf(result) for result in results], ["A", "A", "A"])

    def test_next_goes_first(self) -> None:
        """The next batch is under way before anybody hears of the last one."""
        seen: list[object] = []
        self.batches.put("a").addCallback(lambda _: seen.append(self.under_way[0][0]))
        self.batches.put("b")
        self.end()
        self.assertEqual(seen, [["b"]])

    def test_comes_from_a_callback(self) -> None:
        """Whoever asks again when told is served like anybody else."""
        again = self.batches.put("a").addCallback(lambda _: self.batches.put("b"))
        self.end()
        self.assertEqual(self.end(), ["b"])
        self.assertEqual(self.successResultOf(again), "B")

    def test_left_out(self) -> None:
        """Cancelled before its batch began, an item is left out."""
        first, second, third = (self.batches.put(name) for name in "abc")
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.end()
        self.assertEqual(self.end(), ["c"])
        self.assertEqual([self.successResultOf(first), self.successResultOf(third)], ["A", "C"])

    def test_all_left(self) -> None:
        """When all that wait have left, nothing goes; who comes then is served at once."""
        first, second = (self.batches.put(name) for name in "ab")
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.end()
        self.successResultOf(first)
        self.assertEqual(self.under_way, [])
        self.batches.put("c")
        self.assertEqual(self.end(), ["c"])

    def test_cancelled_later(self) -> None:
        """Cancelled when it is under way, an item goes on, and the others hear of theirs."""
        first, second, third = (self.batches.put(name) for name in "abc")
        self.end()
        self.successResultOf(first)
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.end(), ["b", "c"])
        self.assertEqual(self.successResultOf(third), "C")

    def test_work_fails(self) -> None:
        """When the work fails, each of the batch fails, and the next batch goes."""
        first, second, third = (self.batches.put(name) for name in "abc")
        self.end()
        self.successResultOf(first)
        fourth = self.batches.put("d")
        ((_, ended),) = self.under_way
        self.under_way.clear()
        ended.errback(KeyError("why"))
        for result in (second, third):
            self.failureResultOf(result, KeyError)
        self.end()
        self.assertEqual(self.successResultOf(fourth), "D")

    def test_one_fails(self) -> None:
        """A result that is a failure is for its own item alone."""
        batches: Batches[str, str] = Batches(lambda items: succeed([Failure(KeyError(i)) for i in items]))
        self.assertEqual(self.failureResultOf(batches.put("a"), KeyError).value.args, ("a",))


class Refused(Exception):
    """What a call raises by itself."""


def insert(connection: Connection, number: int) -> str:
    connection.execute(text("INSERT INTO numbers VALUES (:number)"), {"number": number})
    return f"inserted {number}"


def insert_and_raise(connection: Connection, number: int) -> str:
    connection.execute(text("INSERT INTO numbers VALUES (:number)"), {"number": number + 100})
    raise Refused(number)


def remove(connection: Connection, number: int) -> int:
    return connection.execute(text("DELETE FROM numbers WHERE number = :number"), {"number": number}).rowcount


def count(connection: Connection, number: int) -> int | None:
    found = connection.scalar(text("SELECT count(*) FROM numbers WHERE number > :number"), {"number": number})
    return found if found is None else int(found)


def mistake(connection: Connection, number: int) -> None:
    connection.execute(text("SELECT * FROM nowhere"), {"number": number})


def insert_rows(connection: Connection, rows: Sequence[Any]) -> None:
    for row in rows:
        row["noted"]()
    numbers = [{"number": row["number"]} for row in rows]
    connection.execute(text("INSERT INTO numbers VALUES (:number)"), numbers)


calls = st.tuples(
    st.sampled_from([insert, insert_and_raise, insert_rows, insert_rows, remove, count, mistake]),
    st.integers(0, 4),
)
CANCEL, STEP = "cancel", "step"
steps = st.lists(st.one_of(calls, calls, st.just(STEP), st.tuples(st.just(CANCEL), st.integers(0, 9))))


class TransactionsTests(SynchronousTestCase):
    """`Transactions`, as ``Catalogue.together`` in SQLite, with threads that work when the test says so."""

    def setUp(self) -> None:
        self.engine = open_engine(sqlite_url(os.path.abspath(self.mktemp())), busy_timeout=0.05)
        self.addCleanup(self.engine.dispose)
        with self.engine.begin() as connection:
            connection.execute(text("CREATE TABLE numbers (number INTEGER PRIMARY KEY)"))
        self.delayed: list[tuple[Deferred[Any], Callable[[], Any]]] = []
        self.catalogue = Catalogue(self.engine, self.in_thread)
        self.commits = 0
        event.listen(self.engine, "commit", self.committed)

    def committed(self, _: Connection) -> None:
        self.commits += 1

    def in_thread(self, f: Callable[..., Any], *args: Any) -> Deferred[Any]:
        waiting: Deferred[Any] = Deferred()
        self.delayed.append((waiting, partial(f, *args)))
        return waiting

    def step(self) -> None:
        waiting, work = self.delayed.pop(0)
        maybeDeferred(work).chainDeferred(waiting)

    def numbers(self) -> Sequence[int]:
        with self.engine.begin() as connection:
            return connection.scalars(text("SELECT number FROM numbers ORDER BY number")).all()

    def run_all(self) -> None:
        while self.delayed:
            self.step()

    def test_one_commit(self) -> None:
        """Many that come while one is under way take one transaction; nobody is told before its end."""
        results = [self.catalogue.together(insert, number) for number in range(33)]
        self.step()
        self.assertEqual(self.successResultOf(results[0]), "inserted 0")
        for result in results[1:]:
            self.assertNoResult(result)
        self.step()
        self.assertEqual(
            [self.successResultOf(result) for result in results[1:3]], ["inserted 1", "inserted 2"]
        )
        self.assertEqual((self.commits, self.delayed, len(self.numbers())), (2, [], 33))

    def test_one_statement(self) -> None:
        """Rows of many callers for which the same is to be done are handed to the database at once."""
        statements: list[bool] = []
        event.listen(self.engine, "before_cursor_execute", lambda *args: statements.append(args[-1]))
        rows = [{"number": number, "noted": lambda: None} for number in range(33)]
        results = [self.catalogue.together_rows(insert_rows, [row]) for row in rows]
        self.run_all()
        for result in results:
            self.assertIsNone(self.successResultOf(result))
        # Each transaction begins with a statement of its own; the second is for 32 rows.
        self.assertEqual(statements, [False, False, False, True])
        self.assertEqual(len(self.numbers()), 33)

    def test_only_the_guilty(self) -> None:
        """One that raises fails alone, with what it raised; nothing of it stays, all of the others does."""
        wanted = [insert, insert, insert_and_raise, insert]
        results = [self.catalogue.together(f, number) for number, f in enumerate(wanted)]
        self.run_all()
        self.failureResultOf(results[2], Refused)
        self.assertEqual(self.numbers(), [0, 1, 3])
        self.assertEqual(self.successResultOf(results[3]), "inserted 3")

    def test_locked(self) -> None:
        """When no transaction can begin, all fail at once, with one asking."""
        results = [self.catalogue.together(insert, number) for number in range(9)]
        self.step()
        with self.engine.begin():
            self.step()
        for result in results[1:]:
            self.failureResultOf(result, CatalogueUnavailable)
        self.assertEqual((self.numbers(), self.delayed), ([0], []))

    def test_away_after_trouble(self) -> None:
        """When the database goes away while each is done alone, the others fail without being tried."""
        asked: list[object] = []

        def run(f: Callable[..., Any], *args: Any) -> Deferred[Any]:
            asked.append(f)
            if len(asked) == 3:
                return fail(CatalogueUnavailable("c", "away"))
            return maybeDeferred(f, None, *args)

        def raises(_: Connection) -> None:
            raise Refused

        transactions = Transactions(run)
        blocked: Deferred[None] = Deferred()
        first = transactions.run(lambda _: blocked)
        tried: list[int] = []
        results = [transactions.run(raises), *(transactions.run(lambda _: tried.append(1)) for _ in range(5))]
        blocked.callback(None)
        self.successResultOf(first)
        self.failureResultOf(results[0], CatalogueUnavailable)
        for result in results[1:]:
            self.failureResultOf(result, CatalogueUnavailable)
        self.assertEqual((len(asked), tried), (3, []))

    def test_as_one_by_one(self) -> None:
        """Whatever comes, whenever, failing or not: all is as with one transaction after the other."""

        @settings(max_examples=150, deadline=None, derandomize=True)
        @given(steps)
        def same(doings: list[Any]) -> None:
            asked: list[_Asked] = []
            for doing in doings:
                if doing == STEP:
                    if self.delayed:
                        self.step()
                elif doing[0] == CANCEL:
                    if doing[1] < len(asked):
                        asked[doing[1]].result.cancel()
                else:
                    asked.append(_Asked(self.catalogue, *doing))
            self.run_all()
            rows = self.numbers()
            self.clear()
            outcomes = [one.outcome() for one in asked]
            self.assertEqual(outcomes, [one.alone(self) for one in asked])
            self.assertEqual(rows, self.numbers())
            self.clear()

        same()

    def clear(self) -> None:
        with self.engine.begin() as connection:
            connection.execute(text("DELETE FROM numbers"))


CANCELLED = "cancelled"


class _Asked:
    """One call that was asked for, and what came of it."""

    def __init__(self, catalogue: Catalogue, f: Callable[..., Any], number: int) -> None:
        self.began = False
        self.outcomes: list[object] = []
        self.call: Callable[[Connection], Any] = partial(f, number=number)
        self.result: Deferred[Any]
        if f is insert_rows:
            # The last one is there already, when two such calls are of the same number.
            rows = [{"number": each, "noted": self.begin} for each in (number * 10 + 200, number * 10 + 201)]
            self.call = Rows(insert_rows, rows)
            self.result = catalogue.together_rows(insert_rows, rows)
        else:
            self.result = catalogue.together(self.noted)
        self.result.addBoth(self.outcomes.append)

    def begin(self) -> None:
        self.began = True

    def noted(self, connection: Connection) -> Any:
        self.began = True
        return self.call(connection)

    def outcome(self) -> object:
        (outcome,) = self.outcomes
        return said(outcome)

    def alone(self, case: TransactionsTests) -> object:
        """What comes of it in a transaction of its own; nothing, where it was cancelled in time."""
        outcomes: list[object] = []
        if self.began:
            case.catalogue.run(self.call).addBoth(outcomes.append)
            case.run_all()
        return CANCELLED if self.outcome() == CANCELLED else said(outcomes[0])


def said(outcome: object) -> object:
    if not isinstance(outcome, Failure):
        return outcome
    if outcome.check(CancelledError):
        return CANCELLED
    if outcome.check(IntegrityError):
        return "refused by the database"
    return outcome.type, str(outcome.value)
