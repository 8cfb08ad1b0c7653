"""
The child that decodes pictures: ``python -m fileserve.pictures.child``, with a socket as its standard input.

It is asked and answers as `fileserve.pictures.protocol` has it, one job at a time, until the other ends::

    {"job": "look", "media_types": ["image/jpeg", ...]} and a descriptor for each
    {"facts": [{the fields of `PictureFacts`}, ...]}

    {"job": "preview", "media_type": "image/jpeg", "outputs": [[320, "webp"], ...]}
        and the descriptor of the picture, then one for each output
    {"made": true}, or {"why": "too large"} (`Why`), or {"errno": 28} where an output can't be written

What it is sent are copies of others' descriptors, which share one position; so it opens each file anew, and
writes without moving.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

import attrs

# Nearly every picture needs these, so they are there before the first comes.
from . import limits, pillowpicture  # noqa: F401
from .facts import NoPreview, PictureFacts
from .looking import look
from .previewing import previews
from .protocol import receive, send

_Answer = Mapping[str, Any]


def main() -> None:
    """
    Work until the other side closes the socket.
    """
    limits.limit()
    # A broken connection says that nobody waits for the answer any more.
    with socket.socket(fileno=sys.stdin.fileno()) as sock, suppress(ConnectionError):
        serve(sock)


def serve(sock: socket.socket) -> None:
    """
    Answer jobs until there are no more.

    :raises OSError: the other side went away.
    :raises Exception: it sent what is no job; nobody but our own workers sends any.
    """
    while (received := receive(sock)) is not None:
        message, descriptors = received
        limits.next_job(_SECONDS[message["job"]])
        try:
            answer = _JOBS[message["job"]](message, descriptors)
        finally:
            for each in descriptors:
                os.close(each)
        send(sock, answer)


def _look(message: _Answer, descriptors: Sequence[int]) -> _Answer:
    pairs = zip(descriptors, message["media_types"], strict=True)
    return {"facts": [attrs.asdict(_seen(descriptor, media_type)) for descriptor, media_type in pairs]}


def _seen(descriptor: int, media_type: str) -> PictureFacts:
    try:
        with _anew(descriptor) as file:
            return look(file, media_type)
    except (OSError, MemoryError):
        return PictureFacts(media_type)


def _preview(message: _Answer, descriptors: Sequence[int]) -> _Answer:
    picture, *outputs = descriptors
    wanted = [(int(size), str(form)) for size, form in message["outputs"]]
    try:
        with _anew(picture) as file:
            made = previews(file, message["media_type"], wanted)
        for output, data in zip(outputs, made, strict=True):
            _write(output, data)
    except NoPreview as error:
        return {"why": error.why.value}
    except OSError as error:
        return {"errno": error.errno}
    return {"made": True}


def _anew(descriptor: int) -> BinaryIO:
    """The same file with a position of its own (proc_pid_fd(5)), also where it has no name any more."""
    return open(f"/proc/self/fd/{descriptor}", "rb")


def _write(descriptor: int, data: bytes) -> None:
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, data[written:], written)


_JOBS = {"look": _look, "preview": _preview}

# Of processor, that a job may take. Looking decodes no pixels, and somebody may send many files for it.
_SECONDS = {"look": 5, "preview": 30}

if __name__ == "__main__":
    main()
