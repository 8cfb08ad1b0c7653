"""
Walking an album on a disk by directory descriptors, so that no link leads out of it.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Callable

from attrs import evolve

from .errors import NoSuchAlbum, Unreadable
from .interfaces import Folder, Listing, Member
from .keys import is_member_name

#: How a folder is opened: never through a symbolic link.
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

# What os.fsencode uses, which as a call for each name would cost a tenth of a walk.
_ENCODING = sys.getfilesystemencoding()
_ENCODING_ERRORS = sys.getfilesystemencodeerrors()

#: Deeper trees are refused: each level costs a descriptor while it is walked.
MAX_DEPTH = 100

#: What is opened without permission or with a failing disk, against what is not there.
NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})

#: Two changes closer together than this may bear one change time: the kernel's
#: coarse clock ticks every 1 to 10 ms (CONFIG_HZ), doubled to be sure.
TICK_NS = 20_000_000

#: How often an album that changes just now is looked at again.
_LOOKS = 5


def list_album(
    root: str,
    album: str,
    now_ns: Callable[[], int] = time.time_ns,
    sleep: Callable[[float], object] = time.sleep,
) -> Listing:
    """
    List an album. Blocks: for a thread.

    An album that changed within the last tick of the clock is looked at again
    after it, so that any later change shows in a member's version, and in
    `Listing.folders`; of an album that did not rest these are not told.

    :raise NoSuchAlbum: there is no such folder.
    :raise Unreadable: a folder or member in it can't be read.
    """
    for look in range(_LOOKS):
        if look:
            sleep(TICK_NS / 1e9)
        began = now_ns()
        listing = _walk_album(root, album)
        # What was looked at first may have changed once more while the rest was
        # walked, so the start of the walk counts. A time in the future comes
        # from another clock, and waiting would not bring it nearer.
        if not began - TICK_NS < listing.changed_ns <= now_ns():
            break
    if any(changed > began - TICK_NS for _, (_, changed, *_) in listing.folders):
        listing = evolve(listing, folders=())
    return listing


def same_entries(root: str, album: str, listing: Listing) -> bool:
    """
    See whether an album's folders are those that were listed, and nothing came into them or went.

    Where another folder has its name, or that of one above it, change time and inode are others.
    """
    try:
        descriptor = open_album(root, album)
    except (NoSuchAlbum, Unreadable):
        return False
    try:
        return bool(listing.folders) and all(
            _folder_stamp(os.stat(path or b".", dir_fd=descriptor, follow_symlinks=False)) == stamp
            for path, stamp in listing.folders
        )
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _folder_stamp(about: os.stat_result) -> tuple[int, int, int]:
    return about.st_mtime_ns, about.st_ctime_ns, about.st_ino


def open_album(root: str, album: str) -> int:
    """
    Open an album's folder.

    :return: a descriptor that the caller closes.
    """
    try:
        return os.open(os.path.join(root, album), FOLDER_FLAGS)
    except OSError as error:
        if error.errno in NOT_THERE:
            raise NoSuchAlbum("no such album") from None
        # Not "from error", whose text has the secret name.
        raise Unreadable(b"", error.strerror) from None


def _walk_album(root: str, album: str) -> Listing:
    descriptor = open_album(root, album)
    try:
        walk = _Walk()
        walk.folder(descriptor, b"", 0)
        return Listing(walk.members, walk.empty_folders, walk.changed_ns, tuple(walk.folders))
    finally:
        os.close(descriptor)


class _Walk:
    """
    What one walk through an album has found so far.
    """

    def __init__(self) -> None:
        self.members: list[Member] = []
        self.empty_folders: list[Folder] = []
        self.folders: list[tuple[bytes, tuple[int, int, int]]] = []
        self.changed_ns = 0

    def folder(self, descriptor: int, prefix: bytes, depth: int) -> None:
        """
        Take in a folder that is open, and all below it.
        """
        before = len(self.members)
        about = os.fstat(descriptor)
        self.changed_ns = max(self.changed_ns, about.st_ctime_ns)
        # As it was before its entries were read: what changes meanwhile shows later.
        self.folders.append((prefix[:-1], _folder_stamp(about)))
        try:
            names = self._files(descriptor, prefix)
        except OSError as error:
            raise Unreadable(prefix[:-1], error.strerror) from error
        for name in names:
            self._subfolder(descriptor, name, prefix, depth + 1)
        if prefix and len(self.members) == before:
            self.empty_folders.append(Folder(prefix[:-1], about.st_mtime_ns))

    def _files(self, descriptor: int, prefix: bytes) -> list[bytes]:
        """
        Take in the files of one folder.

        One loop with local names: at 10,000 members this is most of the time to
        the first byte of an archive.

        :return: the names of its sub-folders.
        """
        folders = []
        add, new = self.members.append, tuple.__new__
        changed = self.changed_ns
        with os.scandir(descriptor) as entries:
            for entry in entries:
                name = entry.name.encode(_ENCODING, _ENCODING_ERRORS)
                if not is_member_name(name):
                    continue
                try:
                    about = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                mode = about.st_mode
                if stat.S_ISREG(mode):
                    if mode & 0o444 != 0o444 and not _readable(descriptor, name, prefix):
                        continue
                    ctime = about.st_ctime_ns
                    if ctime > changed:  # noqa: PLR1730 - max() is a call for each member
                        changed = ctime
                    stamp = (ctime, about.st_ino)
                    add(new(Member, (prefix + name, about.st_size, about.st_mtime_ns, stamp)))
                elif stat.S_ISDIR(mode):
                    folders.append(name)
        self.changed_ns = changed
        return folders

    def _subfolder(self, parent: int, name: bytes, prefix: bytes, depth: int) -> None:
        path = prefix + name
        if depth > MAX_DEPTH:
            raise Unreadable(path, f"folders nest deeper than {MAX_DEPTH}")
        try:
            descriptor = os.open(name, FOLDER_FLAGS, dir_fd=parent)
        except OSError as error:
            if error.errno in NOT_THERE:
                return
            raise Unreadable(path, error.strerror) from error
        try:
            self.folder(descriptor, path + b"/", depth)
        finally:
            os.close(descriptor)


def _readable(folder: int, name: bytes, prefix: bytes) -> bool:
    """
    :return: false for a file that is gone by now.
    :raise Unreadable: it is there.
    """
    if os.access(name, os.R_OK, dir_fd=folder, effective_ids=True, follow_symlinks=False):
        return True
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    raise Unreadable(prefix + name, "permission denied")
