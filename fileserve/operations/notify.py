"""
What the service manager is told of our state: systemd's notification protocol, sd_notify(3).

Each message is one datagram of ``NAME=VALUE`` lines to the UNIX socket that ``NOTIFY_SOCKET`` names.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from contextlib import suppress

from attrs import define
from twisted.logger import Logger

# Seconds that a message which is sent only once may wait for a place in the queue of the manager. Without
# READY=1 systemd would kill us when TimeoutStartSec= is over: that is worth a little waiting, even here.
_PATIENCE = 0.5

# systemd drops messages over 4096 bytes (NOTIFY_BUFFER_MAX); a character becomes six at most, as \udcff.
_LONGEST_STATUS = 500

_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
_MICROSECONDS = 1_000_000

_log = Logger()


@define
class Notifier:
    """
    Tells the service manager how we are; without a manager, every method does nothing.

    No method raises: that the manager can't be reached is logged, and is no reason to stop serving. Whoever
    made it calls ``close`` when there is nothing more to tell.

    :ivar watchdog_interval: seconds from one ``alive`` to the next, half of what the manager waits; ``None``
        where it does not watch us.
    """

    # Opened once, not for each message: a busy server that lacks descriptors must still feed the watchdog.
    _socket: socket.socket | None = None
    _address: str = ""
    watchdog_interval: float | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Notifier:
        """
        Make the notifier that ``NOTIFY_SOCKET``, ``WATCHDOG_USEC`` and ``WATCHDOG_PID`` ask for.
        """
        name = environ.get("NOTIFY_SOCKET", "")
        if not name:
            return cls()
        if name[0] not in "/@":
            _log.warn("The service manager can't be told anything: NOTIFY_SOCKET is {name!r}.", name=name)
            return cls()
        # A name that begins with "@" is in the abstract name space (unix(7)).
        address = "\0" + name[1:] if name[0] == "@" else name
        try:
            datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        except OSError as error:
            _log.warn("The service manager can't be told anything: {error}", error=error)
            return cls()
        return cls(datagrams, address, _watchdog_interval(environ))

    def ready(self, status: str) -> None:
        """
        Say that we serve: we listen, and what we need was found in order.

        :param status: a line for people, which ``systemctl status`` shows.
        """
        self._send("READY=1", _status(status), patience=_PATIENCE)

    def status(self, text: str) -> None:
        """
        Say something to the people who read ``systemctl status``.
        """
        self._send(_status(text))

    def alive(self) -> None:
        """
        Keep the watchdog quiet; to be called every ``watchdog_interval`` seconds.
        """
        self._send("WATCHDOG=1")

    def stopping(self, seconds: float = 0.0) -> None:
        """
        Say that we have begun to stop.

        :param seconds: how much longer that takes at most. The manager then waits so long before it kills us,
            even where that is longer than its own limit.
        """
        extension = [f"EXTEND_TIMEOUT_USEC={int(seconds * _MICROSECONDS)}"] if seconds > 0 else []
        self._send("STOPPING=1", *extension, patience=_PATIENCE)

    def close(self) -> None:
        """
        Give the socket back; what is told after that goes nowhere.
        """
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *lines: str, patience: float = 0.0) -> None:
        if self._socket is None:
            return
        message = "\n".join(lines).encode("utf-8", "backslashreplace")
        self._socket.settimeout(patience)
        try:
            self._socket.sendto(message, self._address)
        except OSError as error:
            _log.warn("The service manager was not told {first}: {error}", first=lines[0], error=error)


def _status(text: str) -> str:
    """One line, whatever the text: a line end would begin another message, READY=1 for instance."""
    return "STATUS=" + _CONTROLS.sub(" ", text)[:_LONGEST_STATUS]


def _watchdog_interval(environ: Mapping[str, str]) -> float | None:
    """Half the time that the watchdog waits, as sd_watchdog_enabled(3) advises, where it is us it watches."""
    ours = str(os.getpid())
    if environ.get("WATCHDOG_PID", ours) != ours:
        return None
    with suppress(ValueError):
        microseconds = int(environ.get("WATCHDOG_USEC", "0"))
        if microseconds > 0:
            return microseconds / _MICROSECONDS / 2
    return None
