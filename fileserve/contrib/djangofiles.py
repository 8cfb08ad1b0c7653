"""
Files as Django has them: one that comes from the server, and any that goes there as pieces of bytes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import chain
from typing import Any

from django.core.files import File

from .client import FileAPI, RemoteFile

# Bytes. So much of an upload is held at a time, and the piece before it.
_PIECE = 1 << 20

# Bytes. So much of a download is read at a time.
_BUFFER = 256 << 10


class StoredFile(File):  # type: ignore[misc]  # Django has no hints
    """
    A file of a `FileserveStorage`, which comes from the server while it is read.
    """

    def __init__(self, api: FileAPI, name: str, mode: str) -> None:
        self._api = api
        super().__init__(self._stream(name, mode), name)
        self.mode = mode

    def open(self, mode: str | None = None) -> StoredFile:
        """
        Go back to the beginning, also after the file was closed.
        """
        if self.closed:
            self.file = self._stream(self.name, mode or self.mode)
        else:
            self.seek(0)
        return self

    def _stream(self, name: str, mode: str) -> io.BufferedReader:
        if mode != "rb":
            raise io.UnsupportedOperation(f"A stored file is only read, with mode 'rb', not {mode!r}.")
        remote = RemoteFile(self._api, short_name(name))
        self.size = remote.size
        return io.BufferedReader(remote, _BUFFER)


def short_name(name: str) -> str:
    """
    The part of a name in the database by which the server knows the file.
    """
    return str(name).partition("/")[0]


def pieces_of(content: Any) -> tuple[int | None, Iterator[bytes]]:
    """
    Take a file for what is sent: how many bytes it has, where it says so, and its pieces.
    """
    length = _length(content)
    pieces = iter(content.chunks(_PIECE))
    first = next(pieces, b"")
    if isinstance(first, str):
        return None, (piece.encode() for piece in chain([first], pieces))  # its size counts characters
    return length, chain([first], pieces)


def _length(content: Any) -> int | None:
    # A pipe says that it has no bytes at all.
    try:
        return int(content.size) if content.seekable() else None
    except (AttributeError, TypeError, ValueError, OSError):
        return None
