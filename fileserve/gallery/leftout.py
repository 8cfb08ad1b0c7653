"""
What is said of the files that an archive without locations does not hold.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from itertools import count

from attrs import frozen

from fileserve.storage.interfaces import Member
from fileserve.storage.keys import display_path
from fileserve.storage.names import numbered

_NAME = "NOT-INCLUDED.txt"
_STEM = "NOT-INCLUDED"

_WHY = (
    "These files are not in here, because nobody can tell whether they say where they were made, "
    "or a location can't be taken out of them:\n\n"
)


@frozen
class Note:
    """
    A member that lies in no store, but is made of the names of others.
    """

    member: Member
    text: bytes


def note(left_out: Sequence[Member], taken: Collection[bytes], mark: str) -> Note:
    """
    Tell which members are left out. The same of them always make the same bytes.

    :param left_out: one at least.
    :param taken: paths of what else is there.
    :param mark: what the version begins with.
    """
    names = [display_path(path) for path in sorted(member.path for member in left_out)]
    text = (_WHY + "".join(f"{name}\n" for name in names)).encode()
    path = next(name for name in map(_numbered, count(1)) if name not in taken)
    newest = max(member.mtime_ns for member in left_out)
    digest = hashlib.sha256(text).hexdigest()[:32]
    return Note(Member(path, len(text), newest, mark + digest), text)


def may_be_note(path: bytes) -> bool:
    """
    Whether a note could stand under this path.
    """
    return b"/" not in path and path.startswith(_STEM.encode())


def _numbered(number: int) -> bytes:
    return (_NAME if number == 1 else numbered(_NAME, number)).encode()
