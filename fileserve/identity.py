"""
Who this process is, so that what a dead one left behind can be told from what a living one is at.
"""

from __future__ import annotations

import os
import re
import secrets
from fcntl import LOCK_EX, LOCK_NB, flock
from itertools import count

_FORM = re.compile(rb"[0-9a-f]{32}\n")


class Identity:
    """
    A name that no other living process has, and that a process which takes the place of a dead one inherits.

    The state directory has a file ``identity-N`` for each process that ever used it at the same time.  Each
    holds its file locked with ``flock(2)``, which even a kill lets go of.  Who starts takes the first that is
    free.  So what is noted under one's own name at start was left by a process that is dead.

    A copy of a state directory is not to be used beside the original: two processes would have one name.

    :ivar name: 32 hexadecimal digits.
    """

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self._descriptor = descriptor

    @classmethod
    def claim(cls, directory: str | os.PathLike[str]) -> Identity:
        """
        Take a name until `release`, or until the process ends.

        :param directory: the state directory; it is there already.
        :raise OSError: the files can't be opened, locked or written there.
        """
        tried = (_locked(os.path.join(directory, f"identity-{number}")) for number in count())
        descriptor = next(locked for locked in tried if locked is not None)
        try:
            return cls(_name(descriptor, directory), descriptor)
        except BaseException:
            os.close(descriptor)
            raise

    def release(self) -> None:
        """
        Let go of the name; for the end, when nothing is noted under it any more. May be called twice.
        """
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _locked(path: str) -> int | None:
    """
    Open a file and lock it, unless somebody else has.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _name(descriptor: int, directory: str | os.PathLike[str]) -> str:
    """
    What the file says, which a process that died too early may have left unsaid.
    """
    text = os.pread(descriptor, 64, 0)
    if _FORM.fullmatch(text) is None:
        text = secrets.token_hex(16).encode() + b"\n"
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, text, 0)
        os.fsync(descriptor)
        _fsync_directory(directory)
    return text.decode().strip()


def _fsync_directory(directory: str | os.PathLike[str]) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
