"""
What is counted while the server runs, as plain numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

#: Seconds from one look at the loop's delay to the next.
_LOOK = 0.5


class Counts:
    """
    Counts archives. It is what `fileserve.archive.transfer.Counters` describes.

    :ivar outcomes: how many transfers ended in which way.
    """

    def __init__(self) -> None:
        self.started = 0
        self.bytes_sent = 0
        self.outcomes: Counter[str] = Counter(finished=0, interrupted=0, failed=0)

    def archive_started(self) -> None:
        """
        An archive's transfer began.
        """
        self.started += 1

    def archive_sent(self, size: int) -> None:
        """
        So many bytes were handed to a client.
        """
        self.bytes_sent += size

    def archive_ended(self, outcome: str) -> None:
        """
        A transfer ended: finished, interrupted or failed.
        """
        self.outcomes[outcome] += 1

    @property
    def open_transfers(self) -> int:
        """
        How many archives are being sent.
        """
        return self.started - self.outcomes.total()


class Lag:
    """
    Measures how late the reactor's loop comes round. Its owner calls `start` and `stop`.

    :ivar seconds: the greatest delay of about the last minute.
    """

    _KEPT = 120

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._delays: list[float] = []
        self._expected = 0.0
        self._call = LoopingCall(self._look)
        self._call.clock = clock

    def start(self) -> None:
        """
        Begin to measure.
        """
        self._expected = self._clock.seconds()
        self._call.start(_LOOK)

    def stop(self) -> None:
        """
        Measure no more.
        """
        if self._call.running:
            self._call.stop()

    @property
    def seconds(self) -> float:
        """
        The greatest delay of about the last minute.
        """
        return max(self._delays, default=0.0)

    def _look(self) -> None:
        now = self._clock.seconds()
        self._delays.append(max(0.0, now - self._expected))
        del self._delays[: -self._KEPT]
        self._expected = now + _LOOK


#: Gauges by name, each a function that tells its value now.
Gauges = Mapping[str, Callable[[], float]]
