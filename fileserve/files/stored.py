"""
What the file API says of a stored file.
"""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from fileserve.catalogue.interfaces import StoredFile
from fileserve.http.moments import in_calendar

#: Of these a short name is made: easy to read out, nothing that looks alike.
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

#: 57 ** 22 is over 2 ** 128: nobody guesses one.
_LENGTH = 22
_NAMES = len(_ALPHABET) ** _LENGTH


def new_short_name() -> str:
    """
    Make a name that nobody can guess, and that can be dictated.
    """
    number = secrets.randbelow(_NAMES)  # one call of the system, where a choice for each letter takes 22
    letters = []
    for _ in range(_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        letters.append(_ALPHABET[digit])
    return "".join(letters)


def new_id() -> str:
    """
    Make a UUID.
    """
    return str(uuid4())


def described(file: StoredFile) -> dict[str, Any]:
    """
    A stored file as the API answers it; ``url`` is relative to ``/api/v1/``.
    """
    return {
        "id": file.id,
        "short_name": file.short_name,
        "filename": file.filename,
        "size": file.size,
        "file_type": file.media_type,
        "sha256": file.sha256,
        "crc32": f"{file.crc32:08x}",
        "path_in_storage": f"{file.short_name}/{file.path.decode('utf-8', 'replace')}",
        "created_at": timestamp(file.created_us),
        "processed": file.status == "processed",
        "status": file.status,
        "error": file.error,
        "metadata": dict(file.metadata),
        "url": "download-stream/" + quote(file.short_name),
    }


def timestamp(microseconds: int) -> str:
    """
    A moment as RFC 3339 writes it, in UTC.

    :param microseconds: since 1970 UTC.
    """
    return in_calendar(microseconds).isoformat(timespec="microseconds").replace("+00:00", "Z")
