"""
What transfers are made of: bytes that wait, parts of a size, work that is waited for or done side by side.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred, DeferredLock, FirstError, gatherResults
from twisted.python.failure import Failure

#: The largest file that is sent in one piece. Until it is known that a file is larger, so much of it is held;
#: then the same room holds one part on its way and one that is gathered.
WHOLE = 16 * 1024 * 1024

#: A part, while there are few; S3 wants no less than 5 MiB, and all alike where it is R2 of Cloudflare.
PART = WHOLE // 2

#: S3 takes 10,000 parts of at most 5 GiB, and files of at most 5 TiB (Amazon S3 User Guide, "Multipart upload
#: limits"). So the parts of files over 31 GiB grow, and with them what is held of such a file.
_EQUAL_PARTS = 4000
_DOUBLED_EVERY = 650
_MOST_DOUBLINGS = 9

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def part_size(number: int) -> int:
    """
    How large a part is, in bytes; all but the last are.

    :param number: from 1 to 10,000.
    """
    doublings = 0 if number <= _EQUAL_PARTS else 1 + (number - _EQUAL_PARTS - 1) // _DOUBLED_EVERY
    return PART << min(doublings, _MOST_DOUBLINGS)


#: Pieces of fewer bytes are put together until they have so many.
_SMALL, _JOINED = 4 * 1024, 64 * 1024


class Gathered:
    """
    Bytes that wait to be sent, as they came: nothing is copied but small pieces,
    each of which would take more memory than its bytes.
    """

    def __init__(self) -> None:
        self._pieces: deque[memoryview] = deque()
        self._small = bytearray()
        self.size = 0

    def add(self, pieces: Sequence[bytes]) -> None:
        """
        Let them wait behind the others.
        """
        for piece in pieces:
            self.size += len(piece)
            if len(piece) < _SMALL:
                self._small += piece
            if len(piece) >= _SMALL or len(self._small) >= _JOINED:
                self._join()
            if len(piece) >= _SMALL:
                self._pieces.append(memoryview(piece))

    def _join(self) -> None:
        if self._small:
            self._pieces.append(memoryview(bytes(self._small)))
            self._small.clear()

    def take(self, length: int) -> list[memoryview]:
        """
        Take exactly so many bytes, which must be there.
        """
        self._join()
        self.size -= length
        taken = []
        while length:
            piece = self._pieces.popleft()
            if len(piece) > length:
                self._pieces.appendleft(piece[length:])
                piece = piece[:length]
            taken.append(piece)
            length -= len(piece)
        return taken

    def clear(self) -> None:
        """
        Forget all.
        """
        self._pieces.clear()
        self._small.clear()
        self.size = 0


class Work(Generic[_Result]):
    """
    Something under way, for which any number wait: no longer to wait does not end it.
    """

    def __init__(self, work: Coroutine[Deferred[Any], Any, _Result]) -> None:
        self._waiting: list[Deferred[_Result]] = []
        self._done: list[_Result | Failure] = []
        self._working = Deferred.fromCoroutine(work)
        self._working.addBoth(self._end)

    def _end(self, result: _Result | Failure) -> None:
        self._done.append(result)
        for waiting in self._waiting:
            if not waiting.called:
                waiting.callback(result)

    def wait(self) -> Deferred[_Result]:
        """
        :return: fires, or fails, as the work does.
        """
        waiting: Deferred[_Result] = Deferred(lambda _: None)
        if self._done:
            waiting.callback(self._done[0])
        else:
            self._waiting.append(waiting)
        return waiting

    def cancel(self) -> Deferred[None]:
        """
        End it.

        :return: fires when it has ended.
        """
        self._working.cancel()
        return self.ended()

    def ended(self) -> Deferred[None]:
        """
        :return: fires when it has ended, however it did.
        """
        return self.wait().addBoth(lambda _: None)


class Turns:
    """
    Lets things that concern one key happen one after the other.
    """

    def __init__(self) -> None:
        self._locks: dict[bytes, DeferredLock] = {}
        self._wanted: Counter[bytes] = Counter()

    async def take(self, key: bytes, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """
        Do something when it is its turn.
        """
        lock = self._locks.setdefault(key, DeferredLock())
        self._wanted[key] += 1
        try:
            await lock.acquire()
            try:
                return await work()
            finally:
                lock.release()
        finally:
            self._wanted[key] -= 1
            if not self._wanted[key]:
                del self._wanted[key], self._locks[key]


async def side_by_side(limit: int, work: Callable[[_Item], Awaitable[None]], items: Iterable[_Item]) -> None:
    """
    Do something for each item, for several at once. Ends, cancelling the rest, with the first that fails.
    """
    left = iter(items)

    async def some() -> None:
        for item in left:
            await work(item)

    workers = [Deferred.fromCoroutine(some()) for _ in range(limit)]
    try:
        await gatherResults(workers, consumeErrors=True)
    except FirstError as error:
        error.subFailure.raiseException()
    finally:
        for worker in workers:
            worker.cancel()
