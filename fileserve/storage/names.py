"""
Names of files that every system can take, made from any text that somebody sent.

Pure rules for one name at a time: what Windows forbids, what hides or disguises, and what is too long. A
member of an archive and a file in a store are named by the same rules, so they stand here once.
"""

from __future__ import annotations

import re
import unicodedata

#: The longest name that a common file system takes: 255 bytes on Linux. Windows
#: and macOS count units of UTF-16, of which a name never has more than bytes.
LONGEST_NAME = 255

# Room for what may be added to a name later, such as " (2)" or the ending of a part.
_LONGEST_SENT = 200

# For who sent no name.
_NAMELESS = "file"

# What Windows forbids, control characters (C0, DEL, C1), the separators of
# lines, and what turns the direction of writing (a name could lie about its
# extension).
_HOSTILE = '\\\\/:*?"<>|\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff'
_HOSTILE_CHARACTER = re.compile(f"[{_HOSTILE}]")

# Bytes that are not UTF-8, as "surrogateescape" decodes them.
_UNDECODED = "\udc80-\udcff"
_UNDECODED_BYTE = re.compile(f"[{_UNDECODED}]")

# What is no text at all: half of a UTF-16 pair.
_SURROGATE = re.compile("[\ud800-\udfff]")

# How a name of a device on Windows begins; whatever extension it has, it is one.
_DEVICE = re.compile(r"(?i:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|(?:COM|LPT)[0-9\u00b9\u00b2\u00b3])[ ]*(?:\.|\Z)")

# Names that need no change, if they are not too long and in the normal form.
_SAFE = re.compile(f"(?!{_DEVICE.pattern})[^{_HOSTILE}{_UNDECODED}]*[^{_HOSTILE}{_UNDECODED}. ]")


def safe_name(filename: str) -> str:
    r"""
    Make the last segment of a key from the name that a client gave a file.

    Only what follows the last ``/`` or ``\`` is the name: browsers of old sent
    whole paths, and what is before it says something of the sender's disk only.
    (The name as it was sent is kept in the catalogue.) Of that, what some system
    can't take becomes ``_``; a leading dot gets a ``_`` before it, because hidden
    names are never members.

    :param filename: any string, lone surrogates included.
    :return: a name in normal form C, of at most 200 bytes in UTF-8, with the
        extension that was sent; ``file`` where it holds nothing but dots and
        spaces. A safe name is its own safe name.
    """
    text = _percent_bytes(re.split(r"[/\\]", filename)[-1])
    if not text.strip(". "):
        return _NAMELESS
    name = safe_segment(_SURROGATE.sub("_", text), _LONGEST_SENT)
    return fitted(*split_extension("_" + name), _LONGEST_SENT) if name.startswith(".") else name


def safe_segment(text: str, longest: int = LONGEST_NAME) -> str:
    """
    Make one segment of a path safe, looking at it alone.

    :param text: with bytes that are not UTF-8 as ``surrogateescape`` decodes them; they become ``%FF``.
    :param longest: bytes of UTF-8; the extension is kept when a name is cut.
    :return: a name in normal form C; ``_`` where nothing is left.
    """
    if _SAFE.fullmatch(text) and len(text.encode()) <= longest and unicodedata.is_normalized("NFC", text):
        return text
    text = _HOSTILE_CHARACTER.sub("_", unicodedata.normalize("NFC", _percent_bytes(text)))
    text = fitted(*split_extension(text.rstrip(". ")), longest)
    if _DEVICE.match(text):
        text = fitted(*split_extension("_" + text), longest)
    return text


def numbered(name: str, number: int) -> str:
    """
    Tell a safe name from another by a number before its extension: ``name (2).jpg``.
    """
    stem, extension = split_extension(name)
    return fitted(stem, f" ({number}){extension}")


def split_extension(name: str) -> tuple[str, str]:
    """
    Split off the extension, with its dot; one longer than 20 characters is none.
    """
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension) > 20:
        return name, ""
    return stem, dot + extension


def fitted(stem: str, rest: str, longest: int = LONGEST_NAME) -> str:
    """
    Join both, with so much of the stem that the whole is not too long; ``_`` for none.
    """
    room = longest - len(rest.encode())
    if len(stem.encode()) > room:
        stem = stem.encode()[:room].decode("utf-8", "ignore").rstrip(". ")
    return (stem or "_") + rest


def _percent_bytes(text: str) -> str:
    return _UNDECODED_BYTE.sub(lambda found: f"%{ord(found[0]) - 0xDC00:02X}", text)
