"""
Names of members that every system can unpack, made from any bytes a disk may hold.

Pure rules: PKWARE's APPNOTE section 4.4.17, what Windows forbids in names, and
what would let one member overwrite another where case or Unicode form don't count.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

#: Names made of these alone are safe as they are and need no further look.
_PLAIN = re.compile(rb"[A-Za-z0-9_\-][A-Za-z0-9_\-]*(\.[A-Za-z0-9_\-]+)*")

#: What Windows forbids, control characters (C0, DEL, C1), the separators of
#: lines, and what turns the direction of writing (a name could lie about its
#: extension).
_HOSTILE = re.compile(
    '[\\\\/:*?"<>|\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]'
)

#: Names of devices on Windows, with any extension.
_DEVICE = re.compile(
    r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(COM|LPT)[0-9\u00b9\u00b2\u00b3])[ ]*(\..*)?",
    re.IGNORECASE | re.DOTALL,
)

#: The longest name a common file system takes: 255 bytes on Linux; 255 UTF-16
#: units, which are never fewer bytes, on Windows and macOS.
_LONGEST = 255


def safe_names(paths: Iterable[bytes]) -> dict[bytes, bytes]:
    """
    Find a name for each member of one archive.

    Names that are safe already stay as they are, whatever the others need.

    :param paths: of files, and of folders (ending with ``/``); relative,
        segments joined by ``/``, in any order.
    :return: for each path its name, in UTF-8, no two alike in any case or
        Unicode normal form, nor a file and a folder.
    """
    paths = sorted(paths)
    names: dict[bytes, bytes] = {b"": b""}
    folders = sorted({path[:end] for path in paths for end in _folder_ends(path)}, key=_depth)
    children: dict[bytes, list[bytes]] = {}
    for path in {*folders, *paths}:
        children.setdefault(_parent(path), []).append(path)
    for folder in [b"", *folders]:
        _name_children(names, names[folder], sorted(children.get(folder, ())))
    return {path: names[path] for path in paths}


def safe_component(raw: bytes) -> str:
    """
    Make one segment of a path safe, looking at it alone.

    Bytes that are not UTF-8 stand as ``%FF``; the extension is kept.
    """
    if _PLAIN.fullmatch(raw) and not _DEVICE.fullmatch(raw.decode("ascii")):
        return raw.decode("ascii")
    text = raw.decode("utf-8", "surrogateescape")
    text = re.sub("[\udc80-\udcff]", lambda found: f"%{ord(found[0]) - 0xDC00:02X}", text)
    text = _HOSTILE.sub("_", unicodedata.normalize("NFC", text))
    text = text.rstrip(". ") or "_"
    if _DEVICE.fullmatch(text):
        text = "_" + text
    stem, extension = _split(text)
    return _fitted(stem, extension)


def _folder_ends(path: bytes) -> list[int]:
    return [found.end() for found in re.finditer(b"/", path)]


def _depth(folder: bytes) -> int:
    return folder.count(b"/")


def _parent(path: bytes) -> bytes:
    return path[: path.rstrip(b"/").rfind(b"/") + 1]


def _name_children(names: dict[bytes, bytes], prefix: bytes, children: list[bytes]) -> None:
    """
    Name all that lies directly in one folder; names that need no change go first.
    """
    wanted = {path: safe_component(_own_name(path)) for path in children}
    taken: set[str] = set()
    for path in sorted(children, key=lambda path: wanted[path].encode() != _own_name(path)):
        name = _unique(wanted[path], taken)
        names[path] = prefix + name.encode() + (b"/" if path.endswith(b"/") else b"")


def _own_name(path: bytes) -> bytes:
    return path.rstrip(b"/").rpartition(b"/")[2]


def _unique(name: str, taken: set[str]) -> str:
    stem, extension = _split(name)
    number, candidate = 1, name
    while (identity := _identity(candidate)) in taken:
        number += 1
        candidate = _fitted(stem, f" ({number}){extension}")
    taken.add(identity)
    return candidate


def _identity(name: str) -> str:
    """
    What two names share that some system takes for one: canonical caseless
    matching, Unicode 3.13 D145.
    """
    if name.isascii():
        return name.lower()
    decomposed = unicodedata.normalize("NFD", name).casefold()
    return unicodedata.normalize("NFD", decomposed)


def _split(name: str) -> tuple[str, str]:
    """
    Split off the extension, with its dot; one longer than 20 characters is none.
    """
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension) > 20:
        return name, ""
    return stem, dot + extension


def _fitted(stem: str, rest: str) -> str:
    room = _LONGEST - len(rest.encode())
    if len(stem.encode()) > room:
        stem = stem.encode()[:room].decode("utf-8", "ignore").rstrip(". ")
    return stem + rest
