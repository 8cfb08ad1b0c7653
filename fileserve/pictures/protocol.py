"""
How a worker and its child talk: one JSON object a packet, with open files beside it.

The socket is of AF_UNIX and SOCK_SEQPACKET (unix(7)), which keeps packets apart and tells when the other side
ends. Either side may be broken: the child because a picture made it so. Hence what is received is bounded in
size, in number of files, and in kind.
"""

from __future__ import annotations

import json
import os
import socket
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

#: How many files may be looked at with one message, and the most descriptors that go with any.
MOST_FILES = 16

#: The longest text of a picture that is passed on (a camera's maker, its model), in characters.
LONGEST_TEXT = 100

#: The largest packet, in bytes. An answer about 16 files has at most 16 * (2 * 6 * 100 + 400) = 25,600; a
#: socket takes eight times this by default (net.core.wmem_default is 212,992).
_LARGEST = 65_536

_DESCRIPTOR = array("i").itemsize


class Garbled(ValueError):
    """
    The other side sent something that is no message.
    """


def send(sock: socket.socket, message: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
    """
    Send one message.

    :param message: what JSON can say.
    :param descriptors: open files that the other side gets copies of; the caller's stay open, and its own.
    :raises OSError: where the other side is gone (`BrokenPipeError`), or takes nothing in the socket's time
        (`TimeoutError`).
    """
    packet = json.dumps(message, separators=(",", ":")).encode("ascii")
    if len(packet) > _LARGEST or len(descriptors) > MOST_FILES:
        raise ValueError("This message is too large.")
    socket.send_fds(sock, [packet], descriptors)


def receive(sock: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """
    Wait for one message.

    :return: the message and the descriptors that came with it, which the caller closes; ``None`` when the
        other side closed its end.
    :raises Garbled: where it is no message; its descriptors are closed then.
    :raises OSError: as `send` does.
    """
    # One more than is allowed finds room, so that too many are seen as such rather than dropped.
    packet, ancillary, flags, _ = sock.recvmsg(
        _LARGEST, socket.CMSG_SPACE((MOST_FILES + 1) * _DESCRIPTOR), socket.MSG_CMSG_CLOEXEC
    )
    descriptors = [each for control in ancillary for each in _descriptors(*control)]
    try:
        if not packet and not descriptors:
            return None
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC) or len(descriptors) > MOST_FILES:
            raise Garbled("This packet is too large.")  # noqa: TRY301 - what came with it must be closed
        return _message(packet), descriptors
    except BaseException:
        for each in descriptors:
            os.close(each)
        raise


def _descriptors(level: int, kind: int, data: bytes) -> list[int]:
    if (level, kind) != (socket.SOL_SOCKET, socket.SCM_RIGHTS):
        return []
    found = array("i")
    found.frombytes(data[: len(data) - len(data) % _DESCRIPTOR])
    return found.tolist()


def _message(packet: bytes) -> dict[str, Any]:
    try:
        message = json.loads(packet)
    except (ValueError, RecursionError):
        raise Garbled("This packet is not JSON.") from None
    if not isinstance(message, dict):
        raise Garbled("This packet is not a JSON object.")
    return message
