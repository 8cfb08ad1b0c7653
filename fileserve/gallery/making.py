"""
A preview on its way, and all who wait for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from fileserve.pictures.facts import NoPreview
from fileserve.pictures.workshop import Busy
from fileserve.storage.errors import MemberChanged, NoSuchAlbum, StoreUnavailable, Unreadable
from fileserve.storage.interfaces import Member

_log = Logger(namespace="fileserve.gallery")

#: What is wrong with one file, and not with another of the same bytes.
OF_THE_FILE = (MemberChanged, Unreadable, NoSuchAlbum)

#: What may become of a preview; where nobody waits for it any more, that is not worth a line in the log.
_FORESEEN = (NoPreview, Busy, StoreUnavailable, *OF_THE_FILE)


@frozen
class Wanted:
    """
    One preview of one version of a member.
    """

    album: str
    member: Member
    media_type: str
    #: Of the member, in hexadecimal digits.
    sha256: str
    #: Pixels on the long side.
    size: int
    #: ``webp`` or ``jpeg``.
    kind: str

    @property
    def key(self) -> tuple[str, str]:
        """
        What is made by one job at a time.
        """
        return self.sha256, self.kind

    @property
    def file(self) -> tuple[str, Member]:
        """
        Where the bytes come from.
        """
        return self.album, self.member


class Making:
    """
    Hands one result to all who wait for it, of whom each may be cancelled.

    :ivar wanted: for whom it was begun; others may wait for the same bytes of another file.
    :ivar dropped: whether it is not to be kept.
    """

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self._waiting: list[Deferred[Mapping[int, bytes]]] = []
        self._result: Any = None
        self.dropped = False

    def wait(self) -> Deferred[Mapping[int, bytes]]:
        """
        Wait for it.

        :return: fires with previews by their size.
        """
        waiting: Deferred[Mapping[int, bytes]] = Deferred(lambda _: None)
        if self._result is None:
            self._waiting.append(waiting)
        else:
            waiting.callback(self._result)
        return waiting

    def done(self, result: Mapping[int, bytes] | Failure) -> None:
        """
        Tell the result to all who still wait.
        """
        self._result = result
        waiting = [each for each in self._waiting if not each.called]
        if isinstance(result, Failure) and not waiting and not result.check(*_FORESEEN):
            _log.failure("A preview was not made", result)
        for each in waiting:
            each.callback(result)
