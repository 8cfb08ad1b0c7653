"""
A store in memory, gone with its process: for tests, and for trying things out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from itertools import count

from attrs import frozen
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from zope.interface import implementer

from .errors import FileExists, MemberChanged, NoSpace, NoSuchAlbum, NoSuchFile, StoreUnavailable
from .interfaces import IFileStore, IIncoming, Listing, Member
from .keys import is_member_name
from .memoryreader import MemoryReader


@frozen
class _File:
    member: Member
    data: bytes


class _Album:
    """
    Files by path, and when one of them last changed or went.
    """

    def __init__(self) -> None:
        self.files: dict[bytes, _File] = {}
        self.changed_ns = 0


@implementer(IFileStore)
class MemoryStore:
    """
    Keeps albums in a dictionary. All its results are there at once.

    :param room: how many bytes it takes in all, those on their way included;
        ``None`` for no bound.
    :param now_ns: tells nanoseconds since 1970 UTC.
    """

    def __init__(self, room: int | None = None, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._albums: dict[str, _Album] = {}
        self._room = room
        self._now_ns = now_ns
        self._versions = count(1)
        #: What is on its way.
        self.incoming: set[MemoryIncoming] = set()

    def list(self, album: str) -> Deferred[Listing]:
        """
        List an album: members of hidden names, which only tests put there, are not in it.
        """
        return maybeDeferred(self._list, album)

    def _list(self, album: str) -> Listing:
        found = self._album(album)
        members = [file.member for path, file in found.files.items() if _is_shown(path)]
        return Listing(members, [], found.changed_ns)

    def reader(self, album: str) -> MemoryReader:
        """
        :raise NoSuchAlbum: it has no files.
        """
        self._album(album)
        return MemoryReader(partial(self._data, album))

    def _data(self, album: str, member: Member) -> bytes:
        file = self._file(album, member.path)
        if file is None or file.member != member:
            raise MemberChanged(member.path, "it is gone" if file is None else "it was replaced")
        return file.data

    def exist(self, albums: Sequence[str]) -> Deferred[Collection[str]]:
        """
        Find out which of some albums have files.
        """
        return succeed(self._albums.keys() & set(albums))

    def stat(self, album: str, path: bytes) -> Deferred[Member]:
        """
        Look at one member.
        """
        file = self._file(album, path)
        return succeed(file.member) if file and _is_shown(path) else fail(NoSuchFile("no such file"))

    def receive(self, album: str, path: bytes, replaces: str | None = None) -> Deferred[IIncoming]:
        """
        Begin to take a file in.
        """
        incoming = MemoryIncoming(self, album, path, replaces)
        return maybeDeferred(incoming.begin)

    def delete(self, album: str, path: bytes, version: str | None = None) -> Deferred[None]:
        """
        Remove a member, at once.
        """
        return maybeDeferred(self._delete, album, path, version)

    def _delete(self, album: str, path: bytes, version: str | None) -> None:
        file = self._file(album, path)
        if file is None:
            raise NoSuchFile("no such file")
        if version not in {None, file.member.version}:
            raise MemberChanged(path, "it is another version")
        found = self._albums[album]
        del found.files[path]
        found.changed_ns = self._now_ns()
        if not found.files:
            del self._albums[album]

    def free(self) -> Deferred[int | None]:
        """
        Ask how much of the room is left.
        """
        return succeed(None if self._room is None else max(0, self._room - self._taken()))

    def clean(self) -> Deferred[None]:
        """
        Nothing outlives the process.
        """
        return succeed(None)

    def close(self) -> Deferred[None]:
        """
        Nothing has to be given back.
        """
        return succeed(None)

    def check(self) -> Deferred[None]:
        """
        It can always serve.
        """
        return succeed(None)

    # For what is on its way into it.

    def require_place(self, album: str, path: bytes, replaces: str | None) -> None:
        """
        :raise FileExists: a file is there, or there would be files below a file.
        :raise MemberChanged: not the version to be replaced.
        """
        file = self._file(album, path)
        if replaces is not None:
            if file is None or file.member.version != replaces:
                raise MemberChanged(path, "it is gone" if file is None else "it is another version")
        elif file or self._is_in_the_way(album, path):
            raise FileExists("something of that name is there already")

    def _is_in_the_way(self, album: str, path: bytes) -> bool:
        """
        Tell whether a folder is of that name, or a file of the name of one of its folders.
        """
        found = self._albums.get(album)
        return found is not None and any(
            each.startswith(path + b"/") or path.startswith(each + b"/") for each in found.files
        )

    def require_room(self) -> None:
        """
        :raise NoSpace: more was taken than there is room for.
        """
        if self._room is not None and self._taken() > self._room:
            raise NoSpace("the store is full")

    def put(self, album: str, path: bytes, data: bytes) -> Member:
        """
        Make a file visible, in place of what is there.
        """
        now = self._now_ns()
        member = Member(path, len(data), now, (next(self._versions),))
        found = self._albums.setdefault(album, _Album())
        found.files[path] = _File(member, data)
        found.changed_ns = now
        return member

    def _file(self, album: str, path: bytes) -> _File | None:
        found = self._albums.get(album)
        return found.files.get(path) if found else None

    def _album(self, name: str) -> _Album:
        try:
            return self._albums[name]
        except KeyError:
            raise NoSuchAlbum("no such album") from None

    def _taken(self) -> int:
        kept = sum(file.member.size for album in self._albums.values() for file in album.files.values())
        return kept + sum(incoming.size for incoming in self.incoming)


def _is_shown(path: bytes) -> bool:
    return all(map(is_member_name, path.split(b"/")))


@implementer(IIncoming)
class MemoryIncoming:
    """
    Gathers the pieces of a file.
    """

    def __init__(self, store: MemoryStore, album: str, path: bytes, replaces: str | None) -> None:
        self._store = store
        self._place = album, path, replaces
        self._pieces: list[bytes] = []
        self._over: Exception | None = None
        self.size = 0

    def begin(self) -> MemoryIncoming:
        """
        See that the place is free, and be known to the store.
        """
        self._store.require_place(*self._place)
        self._store.incoming.add(self)
        return self

    def write(self, pieces: Sequence[bytes]) -> Deferred[None]:
        """
        Take the next bytes.
        """
        return maybeDeferred(self._write, pieces)

    def _write(self, pieces: Sequence[bytes]) -> None:
        if self._over:
            raise self._over
        self._pieces.extend(pieces)
        self.size += sum(map(len, pieces))
        try:
            self._store.require_room()
        except NoSpace as error:
            self._end(error)
            raise

    def keep(self) -> Deferred[Member]:
        """
        Make the file visible.
        """
        return maybeDeferred(self._keep)

    def _keep(self) -> Member:
        if self._over:
            raise self._over
        data = b"".join(self._pieces)
        self._end(StoreUnavailable("the file was kept already"))
        self._store.require_place(*self._place)
        album, path, _ = self._place
        return self._store.put(album, path, data)

    def drop(self) -> Deferred[None]:
        """
        Forget it.
        """
        self._end(StoreUnavailable("the file was dropped"))
        return succeed(None)

    def _end(self, reason: Exception) -> None:
        self._over = self._over or reason
        self._pieces.clear()
        self.size = 0
        self._store.incoming.discard(self)
