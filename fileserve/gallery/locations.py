"""
What takes the location out of members, found out once for each version and remembered.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from time import monotonic

from attrs import frozen
from twisted.internet.defer import DeferredSemaphore

from fileserve.http.kinds import HEAD, media_type
from fileserve.pictures.location.patch import Patch, Unstrippable
from fileserve.pictures.location.reading import Steps, Wanted, Window
from fileserve.pictures.location.rules import patching, refusing
from fileserve.storage.errors import MemberChanged, Unreadable
from fileserve.storage.held import InThread
from fileserve.storage.interfaces import IAlbumReader, IOpenMember, Member, Part

#: So much is remembered, in bytes: what some 100,000 pictures of phones take.
_REMEMBERED = 64 * 1024 * 1024

#: So many members are looked at together, by so many requests at once.
_TOGETHER = 32
_LOOKING = 2

#: Bytes that are read together, as readers promise to.
_CHUNK = 256 * 1024

#: What is so small is read whole when it is first looked at.
_SMALL = 128 * 1024

#: So long a thread goes through them, in seconds, before it may turn out that nobody waits for it any more.
_MOMENT = 0.1

#: More than that is not held of all members that are looked at together.
_HELD = 8 * 1024 * 1024


@frozen
class Verdict:
    """
    What was found out of one version of a member.
    """

    #: Why a location can't be taken out of it.
    refused: str | None = None
    #: What takes it out; ``None`` where that was not looked for yet.
    patches: Sequence[Patch] | None = None

    @property
    def weight(self) -> int:
        """
        What remembering it costs, about, in bytes.
        """
        return 600 + sum(patch.weight for patch in self.patches or ())


class Locations:
    """
    Finds out of which members a location can be taken, and how.

    :param in_thread: for going through what was read.
    :param remembered: bytes that may be kept in memory.
    :param now: a clock, in seconds.
    """

    def __init__(
        self, in_thread: InThread, remembered: int = _REMEMBERED, now: Callable[[], float] = monotonic
    ) -> None:
        self._in_thread = in_thread
        self._now = now
        self._most = remembered
        # The one asked for last comes last.
        self._verdicts: OrderedDict[tuple[str, Member], Verdict] = OrderedDict()
        self._weight = 0
        self._looking = DeferredSemaphore(_LOOKING)

    async def refused(self, album: str, reader: IAlbumReader, members: Iterable[Member]) -> dict[Member, str]:
        """
        Find out of which members a location can't be taken.

        A member that changes meanwhile is not among them: reading it will show that it is another.

        :param reader: of the album; stays the caller's.
        :return: why, by member.
        :raise Unreadable: one of them can't be read.
        """
        refused: dict[Member, str] = {}
        waiting = iter(members)
        while batch := list(islice(self._unknown(album, waiting, refused), _TOGETHER)):
            await self._looking.acquire()
            try:
                found = await self._look(reader, batch)
            finally:
                self._looking.release()
            for member, verdict in found.items():
                self._remember(album, member, verdict)
                _note(refused, member, verdict)
        return refused

    def _unknown(self, album: str, members: Iterator[Member], refused: dict[Member, str]) -> Iterator[Member]:
        """
        Those of which nothing is remembered; of the others, why they are refused is noted.
        """
        for member in members:
            verdict = self._verdicts.get((album, member))
            if verdict is None:
                yield member
            else:
                _note(refused, member, verdict)

    async def _look(self, reader: IAlbumReader, members: Sequence[Member]) -> dict[Member, Verdict]:
        looks = {member.path: _Look(member) for member in members}
        while waiting := _together([look for look in looks.values() if look.wanted is not None]):
            try:
                await _read(reader, waiting)
            except MemberChanged as error:
                if looks.pop(error.path, None) is None:
                    raise
            else:
                while waiting:
                    waiting = await self._in_thread(_go_on, waiting, self._now)
        return {look.member: look.verdict for look in looks.values()}

    def known(self, album: str, member: Member) -> Sequence[Patch] | None:
        """
        What takes the location out of a member, if that is remembered.
        """
        verdict = self._verdicts.get((album, member))
        if verdict is None:
            return None
        self._verdicts.move_to_end((album, member))
        return verdict.patches

    async def patches(self, album: str, opened: IOpenMember) -> Sequence[Patch]:
        """
        Find out what takes the location out of a member, which may mean to read all of it.

        :param opened: the member; stays the caller's.
        :raise MemberChanged: it is another by now.
        :raise Unreadable: it can't be read, or a location can't be taken out of it.
        """
        member = opened.member
        if (known := self.known(album, member)) is not None:
            return known
        look = _Look(member, wholly=True)
        while look.wanted is not None:
            offset, length = look.wanted
            for at in range(offset, offset + length, _CHUNK):
                look.take(at, await opened.read(at, min(_CHUNK, offset + length - at)))
            await self._in_thread(look.go_on)
        opened.check()
        if look.verdict.patches is None:
            raise Unreadable(member.path, look.verdict.refused)
        self._remember(album, member, look.verdict)
        return look.verdict.patches

    def _remember(self, album: str, member: Member, verdict: Verdict) -> None:
        before = self._verdicts.pop((album, member), None)
        self._weight += verdict.weight - (0 if before is None else before.weight)
        self._verdicts[album, member] = verdict
        while self._weight > self._most:
            _, forgotten = self._verdicts.popitem(last=False)
            self._weight -= forgotten.weight


def _note(refused: dict[Member, str], member: Member, verdict: Verdict) -> None:
    if verdict.refused is not None:
        refused[member] = verdict.refused


class _Look:
    """
    A look at one member, as far as it has come.

    :param wholly: whether what takes the location out is looked for also where all must be read for that.
    :ivar wanted: the bytes to be given next; ``None`` at the end.
    """

    def __init__(self, member: Member, wholly: bool = False) -> None:
        self.member = member
        self.verdict = Verdict(patches=())
        self._steps = _finding(member, wholly or member.size <= _SMALL)
        self.wanted: Wanted | None = next(self._steps) if member.size else None
        self.data = self._room()

    def _room(self) -> bytearray:
        return bytearray(0 if self.wanted is None else self.wanted.length)

    def take(self, offset: int, data: bytes | bytearray) -> None:
        """
        Take some of what is wanted.
        """
        assert self.wanted is not None, "something is wanted"
        at = offset - self.wanted.offset
        self.data[at : at + len(data)] = data

    def parts(self) -> Iterator[tuple[memoryview, Part]]:
        """
        What is wanted, and where it is to be read into.
        """
        assert self.wanted is not None, "something is wanted"
        offset, length = self.wanted
        view = memoryview(self.data)
        for at in range(0, length, _CHUNK):
            some = min(_CHUNK, length - at)
            yield view[at : at + some], Part(self.member, offset + at, some)

    def go_on(self) -> None:
        """
        Look at what was read. In a thread.
        """
        try:
            self.wanted = self._steps.send(bytes(self.data))
        except StopIteration as end:
            self.wanted, self.verdict = None, Verdict(patches=end.value)
        except Unstrippable as error:
            self.wanted, self.verdict = None, Verdict(refused=str(error))
        self.data = self._room()


def _finding(member: Member, wholly: bool) -> Steps[Sequence[Patch] | None]:
    """
    Find out the kind of a member, and what follows from it.
    """
    head = yield from Window(member.size).get(0, HEAD)
    filename = member.path.rpartition(b"/")[2].decode("utf-8", "replace")
    kind = media_type(head, filename)
    if wholly:
        return (yield from patching(member.size, kind, head))
    yield from refusing(member.size, kind, head)
    return None


def _together(looks: Sequence[_Look]) -> Sequence[_Look]:
    """
    As many of them as may be held at once, and one at the least.
    """
    room = _HELD
    for index, look in enumerate(looks):
        room -= len(look.data)
        if room < 0:
            return looks[: max(1, index)]
    return looks


async def _read(reader: IAlbumReader, looks: Iterable[_Look]) -> None:
    buffers: list[memoryview] = []
    parts: list[Part] = []
    room = _CHUNK
    for buffer, part in (each for look in looks for each in look.parts()):
        if part.length > room and parts:
            await reader.read_into(buffers, parts)
            buffers, parts, room = [], [], _CHUNK
        buffers.append(buffer)
        parts.append(part)
        room -= part.length
    if parts:
        await reader.read_into(buffers, parts)


def _go_on(looks: Sequence[_Look], now: Callable[[], float]) -> Sequence[_Look]:
    """
    Look at what was read of some members, for a moment.

    :return: those that are left.
    """
    end = now() + _MOMENT
    for index, look in enumerate(looks, 1):
        look.go_on()
        if now() > end:
            return looks[index:]
    return ()
