"""
The one place where untrusted text becomes the name of an album or of a member.

Pure rules: nothing here touches a disk.
"""

from __future__ import annotations

import re

#: An album's name: 1 to 128 of the URL's unreserved characters (RFC 3986
#: section 2.3), the first not a dot, so that ``.``, ``..`` and hidden names
#: can't be spelt at all.
_ALBUM = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,127}")


class BadKey(ValueError):
    """
    A text that can't be the name of an album or of a member.
    """


def album_name(segment: str) -> str:
    """
    Take one decoded segment of a URL for the name of an album.

    :raise BadKey: it is no such name.
    """
    if not _ALBUM.fullmatch(segment):
        raise BadKey("not the name of an album")
    return segment


def member_path(path: bytes) -> bytes:
    """
    Take the decoded path of a member inside its album, segments joined by ``/``.

    Bytes, because names on a disk need not be UTF-8.

    :raise BadKey: a segment is empty, hidden (so also ``.`` and ``..``), or
        holds a NUL.
    """
    if b"\0" in path or not all(is_member_name(name) for name in path.split(b"/")):
        raise BadKey("not the path of a member")
    return path


def is_member_name(name: bytes) -> bool:
    """
    Tell whether a file or folder of this name belongs to the album it lies in.

    Hidden names never do: uploads in progress lie under such names.
    """
    return bool(name) and not name.startswith(b".")


def display_path(path: bytes) -> str:
    """
    Spell a member's path for a log line, whatever bytes it is made of: on one
    line, with nothing in it that a terminal obeys or that turns the writing.
    """
    text = path.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
