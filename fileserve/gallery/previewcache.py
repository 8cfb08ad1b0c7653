"""
Previews on the disk, by what they are previews of; those used least recently make room for others.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from secrets import token_hex
from threading import Lock
from typing import NamedTuple

from fileserve.pictures.facts import Why
from fileserve.pictures.formats import WAY

#: How previews of each format begin. A file that a loss of power caught begins otherwise.
BEGINNINGS = {"webp": b"RIFF", "jpeg": b"\xff\xd8\xff"}

#: The names of our folders, and of what lies in them: a preview's, made in whichever way, or a mark's.
_FOLDER = re.compile(r"[0-9a-f]{2}")
_NAME = re.compile(r"[0-9a-f]{64}(-[0-9]+(-[0-9]+)?\.(webp|jpeg)|\.none)")

#: Seconds after which using a file is noted again: writing at each use would cost more than reading.
_NOTED = 3600

#: Seconds after which it is tried again to make a preview: a newer decoder may be able to.
_TRIED_AGAIN = 30 * 24 * 60 * 60

#: The same for what a child died of, or did not come to an end with: there may have been too little memory,
#: or a disk that hung.
_DEADLY_TRIED_AGAIN = 24 * 60 * 60

#: How much is left when room is made: enough to go on for a while, in percent.
_KEPT = 90

#: What a file takes on the disk is a multiple of this, in bytes.
_BLOCK = 4096

#: What is being written begins so, which no preview does.
_DRAFT = ".draft-"

#: The largest text of a mark, in bytes.
_MARK = 64


class _File(NamedTuple):
    """
    In the order in which they go.
    """

    used_ns: int
    path: str
    room: int


class PreviewCache:
    """
    Keeps previews below one directory, which is its alone. All methods block, for any thread, and raise
    ``OSError`` where the disk fails.

    :param cap: how many bytes it takes at most; passed only while one file is written.
    :param now: tells seconds since 1970 UTC.
    """

    def __init__(self, directory: str, cap: int, now: Callable[[], float] = time.time) -> None:
        self._directory = directory
        self._cap = cap
        self._now = now
        #: Drafts of other processes are known by another name.
        self._draft = f"{_DRAFT}{token_hex(8)}-"
        self._drafts = count()
        self._lock = Lock()
        self._sweeping = Lock()
        #: Bytes; what was there before is not in it until the first sweep.
        self._taken = 0

    def read(self, sha256: str, size: int, kind: str) -> bytes | None:
        """
        Get a preview, if it is here.

        :param kind: ``webp`` or ``jpeg``.
        """
        path = self._path(sha256, f"-{size}-{WAY}.{kind}")
        try:
            with open(path, "rb") as file:
                data = file.read()
                used = os.fstat(file.fileno()).st_mtime
        except FileNotFoundError:
            return None
        if not data.startswith(BEGINNINGS[kind]):
            self._remove(path)
            return None
        self._note_use(path, used)
        return data

    def why_not(self, sha256: str) -> Why | None:
        """
        Tell why there is no preview of something, if that is known.
        """
        path = self._path(sha256, ".none")
        try:
            with open(path, "rb") as file:
                text = file.read(_MARK)
                made = os.fstat(file.fileno()).st_mtime
        except FileNotFoundError:
            return None
        try:
            why = Why(text.decode())
        except ValueError:
            self._remove(path)
            return None
        counts = _DEADLY_TRIED_AGAIN if why is Why.DEADLY else _TRIED_AGAIN
        return why if 0 <= self._now() - made < counts else None

    def keep(self, sha256: str, size: int, kind: str, data: bytes) -> None:
        """
        Keep a preview, and make room for it where there is not enough; but not one for which all others would
        have to go.
        """
        self._publish(self._path(sha256, f"-{size}-{WAY}.{kind}"), data)

    def mark(self, sha256: str, why: Why) -> None:
        """
        Keep why there is no preview. That a decoder is missing is not kept: it may come.
        """
        if why is not Why.UNSUPPORTED:
            self._publish(self._path(sha256, ".none"), why.value.encode())

    def drop(self, sha256: str) -> None:
        """
        Forget all that was made of something.
        """
        for entry in _entries(os.path.dirname(self._path(sha256, ".none"))):
            if entry.name.startswith(sha256):
                self._remove(entry.path)

    def sweep(self) -> None:
        """
        Remove what another process left unfinished, what is too much, and folders in which nothing is. To be
        called at start.
        """
        for folder in self._folders():
            for entry in _entries(folder):
                if entry.name.startswith(_DRAFT) and not entry.name.startswith(self._draft):
                    self._remove(entry.path)
        self._make_room()
        for folder in self._folders():
            with self._lock, suppress(OSError):  # most are not empty
                os.rmdir(folder)

    def _make_room(self) -> None:
        """
        Count what is here, and remove what was used least recently if it is too much.
        """
        if not self._sweeping.acquire(blocking=False):
            return  # another thread is at it
        try:
            taken = sum(file.room for file in self._files())
            with self._lock:
                self._taken = taken
            if taken > self._cap:
                self._shrink()
        finally:
            self._sweeping.release()

    def _shrink(self) -> None:
        for file in sorted(self._files()):
            if self._taken * 100 <= self._cap * _KEPT:
                break
            self._remove(file.path)

    def _folders(self) -> Iterator[str]:
        return (entry.path for entry in _entries(self._directory) if _FOLDER.fullmatch(entry.name))

    def _files(self) -> Iterator[_File]:
        for folder in self._folders():
            for entry in _entries(folder):
                if _NAME.fullmatch(entry.name):
                    with suppress(FileNotFoundError):
                        about = entry.stat(follow_symlinks=False)
                        yield _File(about.st_mtime_ns, entry.path, _room(about.st_size))

    def _path(self, sha256: str, rest: str) -> str:
        name = sha256 + rest
        if not _NAME.fullmatch(name):
            raise ValueError("This names no preview.")
        return os.path.join(self._directory, sha256[:2], name)

    def _publish(self, path: str, data: bytes) -> None:
        """
        Write aside, and then put in place in one step, so that nobody reads a half.
        """
        if _room(len(data)) > self._cap:
            return
        folder = os.path.dirname(path)
        draft = os.path.join(folder, f"{self._draft}{next(self._drafts)}")
        try:
            with self._lock:  # else the folder might be removed while it is empty
                os.makedirs(folder, mode=0o700, exist_ok=True)
                file = open(draft, "xb")  # noqa: SIM115  # closed below
            with file:
                file.write(data)
            os.utime(draft, (self._now(), self._now()))
            self._replace(draft, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(draft)
            raise
        if self._taken > self._cap:
            self._make_room()

    def _replace(self, draft: str, path: str) -> None:
        with self._lock:
            before = _room_of(path)
            os.replace(draft, path)
            self._taken += _room_of(path) - before

    def _remove(self, path: str) -> None:
        with self._lock, suppress(FileNotFoundError):
            room = _room_of(path)
            os.unlink(path)
            self._taken -= room

    def _note_use(self, path: str, used: float) -> None:
        now = self._now()
        if not 0 <= now - used < _NOTED:
            # Room may just have been made, or the disk be read-only: it was read all the same.
            with suppress(OSError):
                os.utime(path, (now, now))


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def _room_of(path: str) -> int:
    try:
        return _room(os.stat(path).st_size)
    except FileNotFoundError:
        return 0


def _room(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
