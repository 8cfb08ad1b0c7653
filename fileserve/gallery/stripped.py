"""
A store as it is without locations: what archives and downloads are served from that do not tell where.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence

from attrs import frozen
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from fileserve.pictures.location.patch import Unstrippable
from fileserve.pictures.location.rules import VERSION
from fileserve.storage.errors import MemberChanged, NoSuchAlbum, NoSuchFile, StoreUnavailable
from fileserve.storage.held import InThread
from fileserve.storage.interfaces import IFileStore, IIncoming, Listing, Member

from .leftout import Note, may_be_note, note
from .locations import Locations
from .strippedreader import Original, StrippedReader

#: How the version of every member begins: the same file has other bytes here than in its store.
_MARK = f"location-{VERSION}-"

# A note's version; one made of numbers; one that is a text.
_NOTE, _NUMBERS, _TEXT = _MARK + "note-", _MARK + "n-", _MARK + "t-"

#: How many members the remembered listings may have together: about 1 KB each.
_REMEMBERED_MEMBERS = 100_000


@frozen(eq=False)
class _Seen:
    """
    An album as it was listed, and what is shown of it.
    """

    listing: Listing
    shown: Listing
    note: Note | None


@implementer(IFileStore)
class WithoutLocation:
    """
    Shows the members of another store without their locations, each as long as it is there. Those out of
    which a location can't be taken are left out, and named in one more member.

    It takes nothing in, and removes nothing.

    :param store: stays its owner's.
    :param in_thread: for looking through what was read.
    """

    def __init__(self, store: IFileStore, in_thread: InThread) -> None:
        self._store = store
        self._in_thread = in_thread
        self._locations = Locations(in_thread)
        # The one asked for last comes last.
        self._seen: OrderedDict[str, _Seen] = OrderedDict()
        self._weight = 0

    def list(self, album: str) -> Deferred[Listing]:
        """
        List an album. All of its members that were not looked at yet are looked at first.
        """
        return Deferred.fromCoroutine(self._list(album))

    async def _list(self, album: str) -> Listing:
        return (await self._look(album)).shown

    async def _look(self, album: str) -> _Seen:
        listing = await self._store.list(album)
        seen = self._seen.get(album)
        if seen is None or seen.listing != listing:
            refused = await self._refused(album, listing.members)
            seen = await self._in_thread(_shown, listing, refused.keys())
        self._remember(album, seen)
        return seen

    async def _refused(self, album: str, members: Iterable[Member]) -> dict[Member, str]:
        reader = self._store.reader(album)
        try:
            return await self._locations.refused(album, reader, members)
        finally:
            reader.close()

    def _remember(self, album: str, seen: _Seen) -> None:
        self._forget(album)
        self._seen[album] = seen
        self._weight += len(seen.listing.members) + 1
        while self._weight > _REMEMBERED_MEMBERS:
            self._forget(next(iter(self._seen)))

    def _forget(self, album: str) -> None:
        seen = self._seen.pop(album, None)
        if seen is not None:
            self._weight -= len(seen.listing.members) + 1

    def reader(self, album: str) -> StrippedReader:
        """
        :raise NoSuchAlbum: it is gone.
        """
        original = Original(album, _original, self._text)
        return StrippedReader(self._store.reader(album), original, self._locations, self._in_thread)

    async def _text(self, album: str, member: Member) -> bytes:
        seen = self._seen.get(album)
        if seen is None or seen.note is None or seen.note.member != member:
            seen = await self._look(album)
        if seen.note is None or seen.note.member != member:
            raise MemberChanged(member.path, "other files are left out by now")
        return seen.note.text

    def stat(self, album: str, path: bytes) -> Deferred[Member]:
        """
        Look at one member.

        :return: fails also with `Unstrippable`, where it is left out of the album.
        """
        return Deferred.fromCoroutine(self._stat(album, path))

    async def _stat(self, album: str, path: bytes) -> Member:
        try:
            member = await self._store.stat(album, path)
        except NoSuchFile:
            if not may_be_note(path):
                raise
            return await self._stat_note(album, path)
        try:
            refused = await self._refused(album, [member])
        except NoSuchAlbum:
            raise NoSuchFile("no such file") from None
        if member in refused:
            raise Unstrippable(refused[member])
        return _stripped(member)

    async def _stat_note(self, album: str, path: bytes) -> Member:
        try:
            seen = await self._look(album)
        except NoSuchAlbum:
            raise NoSuchFile("no such file") from None
        if seen.note is None or seen.note.member.path != path:
            raise NoSuchFile("no such file")
        return seen.note.member

    def exist(self, albums: Sequence[str]) -> Deferred[Collection[str]]:
        """
        Find out which of some albums there are.
        """
        return self._store.exist(albums)

    def receive(self, album: str, path: bytes, replaces: str | None = None) -> Deferred[IIncoming]:
        """
        Nothing is taken in.
        """
        return fail(StoreUnavailable("nothing is written where locations are taken out"))

    def delete(self, album: str, path: bytes, version: str | None = None) -> Deferred[None]:
        """
        Nothing is removed.
        """
        return fail(StoreUnavailable("nothing is removed where locations are taken out"))

    def free(self) -> Deferred[int | None]:
        """
        Ask the store.
        """
        return self._store.free()

    def clean(self) -> Deferred[None]:
        """
        Nothing is left unfinished here.
        """
        return succeed(None)

    def close(self) -> Deferred[None]:
        """
        Nothing is held that has to be given back.
        """
        return succeed(None)

    def check(self) -> Deferred[None]:
        """
        Ask the store.
        """
        return self._store.check()


def _shown(listing: Listing, refused: Collection[Member]) -> _Seen:
    """
    What is shown of an album. In a thread: it takes some microseconds for each member.
    """
    members = [_stripped(member) for member in listing.members if member not in refused]
    left = None
    if refused:
        taken = {member.path.partition(b"/")[0] for member in listing.members}
        taken |= {folder.path.partition(b"/")[0] for folder in listing.empty_folders}
        left = note(list(refused), taken, _NOTE)
        members.append(left.member)
    return _Seen(listing, Listing(members, listing.empty_folders, listing.changed_ns), left)


def _stripped(member: Member) -> Member:
    stamp = member.stamp
    told = _TEXT + stamp if isinstance(stamp, str) else _NUMBERS + ".".join(map(str, stamp))
    return member._replace(stamp=told)


def _original(member: Member) -> Member | None:
    """
    The member of the store that is shown so; ``None`` for a note.
    """
    stamp = str(member.stamp)
    if stamp.startswith(_NUMBERS):
        return member._replace(stamp=tuple(map(int, stamp.removeprefix(_NUMBERS).split("."))))
    if stamp.startswith(_TEXT):
        return member._replace(stamp=stamp.removeprefix(_TEXT))
    if stamp.startswith(_NOTE):
        return None
    raise MemberChanged(member.path, "its location is taken out in another way by now")
