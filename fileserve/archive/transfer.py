"""
One archive on its way to one client, as the log and the counters see it.
"""

from __future__ import annotations

from typing import Protocol

from twisted.logger import Logger

from fileserve.http.redaction import shorten

_log = Logger(namespace="fileserve.archive")


class Counters(Protocol):
    """
    Counts what happens to archives.
    """

    def archive_started(self) -> None:
        """An archive's transfer began."""

    def archive_sent(self, size: int) -> None:
        """So many bytes were handed to the client."""

    def archive_ended(self, outcome: str) -> None:
        """A transfer ended: ``finished``, ``interrupted`` or ``failed``."""


class Transfer:
    """
    Tells the log, where it is wanted, and the counters how a transfer goes.

    Outcomes: *finished*, every byte was handed on; *interrupted*, the client
    left or was cut off; *failed*, we could not go on, and the log says why.
    """

    def __init__(self, album: str, counters: Counters, logs: bool) -> None:
        self._name = shorten(album)
        self._counters = counters
        self._logs = logs
        self._chunks = 0
        self._bytes = 0

    def started(self) -> None:
        """
        The transfer begins.
        """
        self._counters.archive_started()
        if self._logs:
            _log.info("Archive {name}: started", name=self._name)

    def chunk(self, size: int) -> None:
        """
        So many bytes are handed on.
        """
        self._chunks += 1
        self._bytes += size
        self._counters.archive_sent(size)
        if self._logs:
            _log.debug(
                "Archive {name}: sending chunk #{number} with size {size} bytes",
                name=self._name,
                number=self._chunks,
                size=size,
            )

    def finished(self) -> None:
        """
        Every byte was handed on.
        """
        self._counters.archive_ended("finished")
        self._say("transfer finished")

    def interrupted(self) -> None:
        """
        The client left, or was cut off.
        """
        self._counters.archive_ended("interrupted")
        self._say("download was interrupted")

    def failed(self, error: BaseException) -> None:
        """
        We can't go on. Always logged, for only the log can name the member.
        """
        self._counters.archive_ended("failed")
        _log.error("Archive {name}: failed: {error}", name=self._name, error=str(error))

    def _say(self, what: str) -> None:
        if self._logs:
            _log.info(
                "Archive {name}: {what} after {chunks} chunks, {size} bytes",
                name=self._name,
                what=what,
                chunks=self._chunks,
                size=self._bytes,
            )
