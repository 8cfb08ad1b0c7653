"""
``Content-Disposition`` for a name that anybody may have chosen (RFC 6266, RFC 8187).

Every string makes a header of printable ASCII.  It has an ASCII ``filename`` first, which all clients
understand, and a ``filename*`` after it only where that says more.
"""

from __future__ import annotations

import os.path
import re
import unicodedata
from urllib.parse import quote

# What file systems take for one name.
_MOST_BYTES = 255

# A longer "extension" is a sentence with a full stop in it, and may be cut.
_MOST_EXTENSION_BYTES = 32

_NAMELESS = "download"

# Path separators, control characters (C0, DEL, C1), the marks, embeddings and isolates that reorder text
# (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+206F), line and paragraph separators, and lone
# surrogates, which are not text.
_HARMFUL = re.compile(r"[/\\\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u206f\ud800-\udfff]")

# RFC 6266 appendix D: some clients would decode a `%`, or misread what is escaped by a backslash.
_HARMFUL_IN_QUOTES = re.compile(r'[%"/\\\x00-\x1f\x7f]')

# RFC 8187 section 3.2.1, attr-char; quote() itself adds the letters, the digits and `_.-~`.
_ATTR_CHARS = "!#$&+^`|"


def attachment(filename: str) -> bytes:
    """
    The header's value for what is to be saved under a name.

    :param filename: any string.  What could leave the folder, or hide what the name is, becomes ``_``; it is
        cut to 255 bytes of UTF-8 before its extension; where nothing is left it is ``download``.
    """
    return b"attachment; " + _filename_parameters(filename)


def inline(filename: str) -> bytes:
    """
    The header's value for what may be shown, and is saved under a name if it is saved.

    :param filename: as for ``attachment``.
    """
    return b"inline; " + _filename_parameters(filename)


def _filename_parameters(filename: str) -> bytes:
    name = _usable(_HARMFUL.sub("_", filename))
    fallback = _usable(_HARMFUL_IN_QUOTES.sub("_", _in_ascii(name)))
    parameters = f'filename="{fallback}"'
    if fallback != name:
        parameters += f"; filename*=UTF-8''{quote(name, safe=_ATTR_CHARS)}"
    return parameters.encode("ascii")


def _in_ascii(name: str) -> str:
    """The same name in ASCII, character by character, as far as the compatibility forms tell."""
    return "".join(map(_ascii_of, name))


def _ascii_of(character: str) -> str:
    if unicodedata.combining(character):
        return ""  # its base character stands for both
    spelled = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    return spelled if spelled.isascii() else "_"


def _usable(name: str) -> str:
    """Not empty, not a way to a folder, and not too long."""
    name = _shortened(name.strip())
    return name if name.strip(". ") else _NAMELESS


def _shortened(name: str) -> str:
    stem, extension = os.path.splitext(name)
    if len(extension.encode()) > _MOST_EXTENSION_BYTES:
        stem, extension = name, ""
    return _first_bytes(stem, _MOST_BYTES - len(extension.encode())) + extension


def _first_bytes(text: str, most: int) -> str:
    """As many whole characters as take no more than so many bytes of UTF-8."""
    return text.encode()[:most].decode(errors="ignore")
