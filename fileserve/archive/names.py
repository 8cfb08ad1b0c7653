"""
Names of members that every system can unpack, made from any bytes a disk may hold.

Pure rules: PKWARE's APPNOTE section 4.4.17, what Windows forbids in names, and
what would let one member overwrite another where case or Unicode form don't count.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from itertools import count

# What Windows forbids, control characters (C0, DEL, C1), the separators of
# lines, and what turns the direction of writing (a name could lie about its
# extension).
_HOSTILE = '\\\\/:*?"<>|\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff'
_HOSTILE_CHARACTER = re.compile(f"[{_HOSTILE}]")

# Bytes that are not UTF-8, as "surrogateescape" decodes them.
_UNDECODED = "\udc80-\udcff"
_UNDECODED_BYTE = re.compile(f"[{_UNDECODED}]")

# How a name of a device on Windows begins; whatever extension it has, it is one.
_DEVICE = re.compile(r"(?i:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9\u00b9\u00b2\u00b3])[ ]*(?:\.|\Z)")

# Names that need no change, if they are not too long and in the normal form.
_SAFE = re.compile(f"(?!{_DEVICE.pattern})[^{_HOSTILE}{_UNDECODED}]*[^{_HOSTILE}{_UNDECODED}. ]")

# What HFS+ passes over when it compares names (Apple's TN1150); the other ones
# are hostile and gone already.
_PASSED_OVER = re.compile("[\u200c-\u200f\u206a-\u206f]")

# The longest name that a common file system takes: 255 bytes on Linux. Windows
# and macOS count units of UTF-16, of which a name never has more than bytes.
_LONGEST = 255


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
    text = raw.decode("utf-8", "surrogateescape")
    if _SAFE.fullmatch(text) and len(raw) <= _LONGEST and unicodedata.is_normalized("NFC", text):
        return text
    text = _UNDECODED_BYTE.sub(lambda found: f"%{ord(found[0]) - 0xDC00:02X}", text)
    text = _HOSTILE_CHARACTER.sub("_", unicodedata.normalize("NFC", text))
    text = _fitted(*_split(text.rstrip(". ")))
    if _DEVICE.match(text):
        text = _fitted(*_split("_" + text))
    return text


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
    stem, extension = _split(name)
    first = _identity(_fitted(stem, f" (2){extension}"))
    for number in count(numbers.get(first, 2)):
        candidate = _fitted(stem, f" ({number}){extension}")
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


def _split(name: str) -> tuple[str, str]:
    """
    Split off the extension, with its dot; one longer than 20 characters is none.
    """
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension) > 20:
        return name, ""
    return stem, dot + extension


def _fitted(stem: str, rest: str) -> str:
    """
    Join both, with so much of the stem that the whole is not too long; ``_`` for none.
    """
    room = _LONGEST - len(rest.encode())
    if len(stem.encode()) > room:
        stem = stem.encode()[:room].decode("utf-8", "ignore").rstrip(". ")
    return (stem or "_") + rest
