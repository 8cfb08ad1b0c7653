"""
When the reactor thread may ask the disk itself: not for a while after that took long.
"""

from __future__ import annotations

from collections.abc import Callable

#: What took so long did wait for the disk, so that what comes next is left to
#: threads.
_SLOW_SECONDS = 0.01
_LEFT_TO_THREADS = 32


class Patience:
    """
    Times what is asked on the reactor thread, as a context manager around it.

    :param clock: tells seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = 0.0
        self._patient = 0

    def allows(self) -> bool:
        """
        Tell whether to ask at once. Each call counts towards the end of a wait.
        """
        self._patient = max(0, self._patient - 1)
        return not self._patient

    def __enter__(self) -> None:
        self._began = self._clock()

    def __exit__(self, *_: object) -> None:
        if self._clock() - self._began > _SLOW_SECONDS:
            self._patient = _LEFT_TO_THREADS
