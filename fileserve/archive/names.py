"""
Names of members that every system can unpack, made from any bytes a disk may hold.

Pure rules: PKWARE's APPNOTE section 4.4.17, and what would let one member overwrite
another where case or Unicode form don't count. What one name may be, looked at
alone, `fileserve.storage.names` decides.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from itertools import count

from fileserve.storage.names import numbered, safe_segment

# What HFS+ passes over when it compares names (Apple's TN1150); the other ones
# are hostile and gone already.
_PASSED_OVER = re.compile("[\u200c-\u200f\u206a-\u206f]")


def safe_names(paths: Iterable[bytes]) -> dict[bytes, bytes]:
    """
    Find a name for each member of one archive.

    Names that are safe already stay as they are, whatever the others need; of
    those that some system takes for one, the first as bytes.

    :param paths: of files, and of folders (ending with ``/``); relative,
        segments joined by ``/``, in any order.
    :return: for each path its name, in UTF-8, no two alike in any case or
        Unicode normal form, nor a file and a folder.
    """
    paths = sorted(paths)
    inside = _by_folder(paths)
    names = {b"": b""}
    for folder in sorted(inside, key=len):
        _name_inside(names, names[folder], inside[folder])
    return {path: names[path] for path in paths}


def safe_component(raw: bytes) -> str:
    """
    Make one segment of a path safe, looking at it alone.

    Bytes that are not UTF-8 stand as ``%FF``; the extension is kept.
    """
    return safe_segment(raw.decode("utf-8", "surrogateescape"))


def _by_folder(paths: Iterable[bytes]) -> dict[bytes, dict[bytes, bytes]]:
    """
    Sort paths by what they lie in, and the folders on the way to them as well.

    :return: for each folder (the outermost is empty, others end with ``/``) the
        paths of all that lies directly in it, each with its last segment.
    """
    inside: dict[bytes, dict[bytes, bytes]] = {b"": {}}
    for path in paths:
        child, is_known = path, False
        while not is_known:
            above, slash, name = child.removesuffix(b"/").rpartition(b"/")
            folder = above + slash
            is_known = folder in inside
            inside.setdefault(folder, {})[child] = name
            child = folder
    return inside


def _name_inside(names: dict[bytes, bytes], prefix: bytes, children: Mapping[bytes, bytes]) -> None:
    """
    Name all that lies directly in one folder; names that need no change go first.
    """
    wanted = [(path, safe_component(raw), raw) for path, raw in children.items()]
    wanted.sort(key=lambda child: child[1].encode() != child[2])
    taken: set[str] = set()
    twins = []
    for path, name, _ in wanted:
        identity = _identity(name)
        if identity in taken:
            twins.append((path, name))
        else:
            taken.add(identity)
            names[path] = _below(prefix, name, path)
    numbers: dict[str, int] = {}
    for path, name in twins:
        names[path] = _below(prefix, _numbered(name, taken, numbers), path)


def _below(prefix: bytes, name: str, path: bytes) -> bytes:
    return prefix + name.encode() + (b"/" if path.endswith(b"/") else b"")


def _numbered(name: str, taken: set[str], numbers: dict[str, int]) -> str:
    """
    Tell a name from those that are taken by a number before its extension.

    :param numbers: where the search went on before, for names that begin it alike;
        without it, many alike would take quadratic time.
    """
    first = _identity(numbered(name, 2))
    for number in count(numbers.get(first, 2)):
        candidate = numbered(name, number)
        identity = _identity(candidate)
        if identity not in taken:
            break
    taken.add(identity)
    numbers[first] = number + 1
    return candidate


def _identity(name: str) -> str:
    """
    What two names share that some system takes for one: compatibility caseless
    matching (Unicode 3.13 D146), of capitals too, because Turkish has two kinds
    of ``i`` that elsewhere share one.
    """
    if name.isascii():
        return name.lower()
    text = unicodedata.normalize("NFKD", _PASSED_OVER.sub("", name)).upper().casefold()
    return unicodedata.normalize("NFKD", text)
