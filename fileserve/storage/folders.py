"""
The way to a member on a disk, by descriptors: folders that are made for the first file and go with the last.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Self

from attrs import frozen

from .errors import MemberChanged, NoSpace, NoSuchFile, StoreUnavailable
from .interfaces import Member
from .keys import BadKey, is_member_name
from .walk import FOLDER_FLAGS, MAX_DEPTH, NOT_THERE

#: The root itself may be reached by a symbolic link: whoever runs us named it.
_ROOT_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC

#: Bytes of one name, on nearly all file systems (``NAME_MAX`` in ``limits.h``).
_NAME_MAX = 255

#: What is told of a disk that is full, of a quota that is, and of a file larger
#: than its file system, or this process, may have one.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def store_errors() -> Iterator[None]:
    """
    Tell errors of the system in the words of every store.

    Never "from" the error, whose text has the secret name of an album.
    """
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise BadKey("a name is too long for the disk") from None
        raise (NoSpace if error.errno in _NO_ROOM else StoreUnavailable)(error.strerror) from None


@frozen
class Place:
    """
    Where a member lies, or shall lie. What its methods do blocks: for a thread.
    """

    root: str
    album: str
    #: Below the album.
    path: bytes

    @property
    def folders(self) -> list[bytes]:
        """
        Names of the folders from the root to the member, the album's first.
        """
        return [os.fsencode(self.album), *self.path.split(b"/")[:-1]]

    @property
    def name(self) -> bytes:
        """
        The member's own.
        """
        return self.path.rpartition(b"/")[2]

    def require_possible(self) -> None:
        """
        :raise BadKey: no disk can have such a name, or no listing would show it.
        """
        names = self.path.split(b"/")
        if len(names) - 1 > MAX_DEPTH or max(map(len, names)) > _NAME_MAX:
            raise BadKey("a name is too long, or lies too deep, for the disk")

    def stat(self) -> Member:
        """
        :raise NoSuchFile: no regular file lies there, or a hidden one.
        :raise StoreUnavailable: the disk does not say.
        """
        if not all(map(is_member_name, self.path.split(b"/"))):
            raise NoSuchFile("no such file")
        with store_errors(), Way(self) as way:
            way.enter_existing()
            return way.find()

    def delete(self, version: str | None, lock: Lock) -> None:
        """
        Remove the member, durably, and folders that have nothing in them any more;
        also where there is no member: a crash may have left them without one.

        :param lock: held from looking at the version to removing it.
        :raise NoSuchFile: see `stat`.
        :raise MemberChanged: another version is there.
        """
        with store_errors(), Way(self) as way:
            try:
                way.enter_existing()
                with lock:
                    way.require(version)
                    os.unlink(self.name, dir_fd=way.folder)
            finally:
                way.remove_empty()
            way.sync()


class Way:
    """
    The folders from the root to a place, open; to be used as a context manager.

    None of them is entered through a symbolic link. What is not said to be
    raised is an ``OSError``, as the system gave it.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._names = place.folders
        self._open = [os.open(place.root, _ROOT_FLAGS)]
        self._first_made = len(self._names)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._open:
            os.close(self._open.pop())

    @property
    def folder(self) -> int:
        """
        The folder that was entered last.
        """
        return self._open[-1]

    def enter(self) -> None:
        """
        Enter all folders.
        """
        for name in self._names:
            self._enter(name)

    def enter_existing(self) -> None:
        """
        Enter all folders, or say that there can't be such a member.

        :raise NoSuchFile: one of them is not there, or is no folder.
        """
        try:
            self.enter()
        except OSError as error:
            if error.errno in NOT_THERE:
                raise NoSuchFile("no such file") from None
            raise

    def make(self) -> None:
        """
        Enter all folders, and make those that are not there.

        :raise FileNotFoundError: one vanished again before it was entered.
        """
        for depth, name in enumerate(self._names):
            try:
                self._enter(name)
            except FileNotFoundError:
                self._first_made = min(self._first_made, depth)
                with suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=self.folder)
                self._enter(name)

    def _enter(self, name: bytes) -> None:
        self._open.append(os.open(name, FOLDER_FLAGS, dir_fd=self.folder))

    def look(self) -> os.stat_result | None:
        """
        What lies at the place, of whatever kind, once all folders are entered;
        ``None`` where nothing does.
        """
        try:
            return os.stat(self._place.name, dir_fd=self.folder, follow_symlinks=False)
        except OSError as error:
            if error.errno in NOT_THERE:
                return None
            raise

    def find(self) -> Member:
        """
        Look at the member, once all folders are entered.

        :raise NoSuchFile: there is none.
        """
        about = self.look()
        if about is None or not stat.S_ISREG(about.st_mode):
            raise NoSuchFile("no such file")
        return member_of(self._place.path, about)

    def require(self, version: str | None) -> None:
        """
        See that the member is there, of this version or of any.

        :raise NoSuchFile: there is none.
        :raise MemberChanged: it is another version.
        """
        member = self.find()
        if version not in {None, member.version}:
            raise MemberChanged(self._place.path, "it is another version")

    def remove_empty(self, *, made: bool = False) -> None:
        """
        Leave, and remove, folders that have nothing in them, the album's too.

        :param made: only those that were made on this way.
        """
        highest = self._first_made if made else 0
        # Not empty, busy, not ours to remove: it stays, which harms nobody.
        with suppress(OSError):
            while len(self._open) - 2 >= highest:
                os.rmdir(self._names[len(self._open) - 2], dir_fd=self._open[-2])
                os.close(self._open.pop())

    @property
    def made_album(self) -> bool:
        """
        Whether the album's folder was made on this way, and so the root changed.
        """
        return self._first_made == 0

    def sync(self, *, root: bool = True) -> None:
        """
        Make durable what was changed in the last folder, and the folders made on this way.

        The deepest comes first: on a journalling file system that one makes all
        of it durable, and asking for the others then costs next to nothing.

        :param root: false where the root was made durable since.
        """
        last = len(self._open) - 1
        for depth in range(last, -1 if root else 0, -1):
            if depth == last or depth >= self._first_made:
                os.fsync(self._open[depth])


def existing(root: str, albums: Sequence[str]) -> Collection[str]:
    """
    Which of some albums have a folder. Blocks: for a thread.

    :raise StoreUnavailable: the disk does not say.
    """
    with store_errors():
        folder = os.open(root, _ROOT_FLAGS)
        try:
            return {album for album in albums if _is_folder(folder, os.fsencode(album))}
        finally:
            os.close(folder)


def _is_folder(parent: int, name: bytes) -> bool:
    if not is_member_name(name):
        return False
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    except OSError as error:
        if error.errno in NOT_THERE:
            return False
        raise


def member_of(path: bytes, about: os.stat_result) -> Member:
    """
    The member, as a listing of the album has it.
    """
    return Member(path, about.st_size, about.st_mtime_ns, (about.st_ctime_ns, about.st_ino))
