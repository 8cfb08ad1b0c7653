"""
Files in progress on a disk: where they lie, and which of them belong to processes that are no more.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from fcntl import LOCK_EX, LOCK_NB, flock

from .folders import store_errors

#: Below the root, so on the same file system as the albums, and of a name that
#: no album can have.
FOLDER = ".incoming"

#: Without O_NONBLOCK a pipe that somebody put there would stop us.
_CLEANING_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def remove_abandoned(root: str) -> None:
    """
    Delete the drafts of processes that are no more. Blocks: for a thread.
    """
    folder = os.path.join(root, FOLDER)
    with store_errors(), suppress(FileNotFoundError):
        for name in os.listdir(folder):
            _remove_if_abandoned(os.path.join(folder, name))


def _remove_if_abandoned(path: str) -> None:
    try:
        descriptor = os.open(path, _CLEANING_FLAGS)
    except OSError as error:
        # Kept or dropped meanwhile; or a link or folder, which is none of ours.
        if error.errno in {errno.ENOENT, errno.ELOOP, errno.EISDIR}:
            return
        raise
    try:
        if lock(descriptor):
            # The name is made by chance and used once, so it is no other file by now.
            with suppress(FileNotFoundError):
                os.unlink(path)
    finally:
        os.close(descriptor)


def lock(descriptor: int) -> bool:
    """
    Mark a file in progress as one of a process that lives.

    :return: false where another process has the lock, or another thread of this one.
    """
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return True
