"""
The rows for rounds in which many clients asked: how many were answered, and how long they waited.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.figures import MILLISECONDS, PER_SECOND, Target, percentile
from benchmarks.kept import Round
from benchmarks.report import Row, compared


def rows(what: str, ours: Sequence[Round], theirs: Sequence[Round], target: Target | None) -> Iterator[Row]:
    """
    Compare rounds that were taken in turns; the target is for answers per second.
    """
    rates = [[each.rate() for each in rounds] for rounds in (ours, theirs)]
    yield compared(what, rates[0], rates[1], PER_SECOND, target)
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        waits = [[percentile(each.waits, share) for each in rounds] for rounds in (ours, theirs)]
        yield compared(f"{name}, {what}", waits[0], waits[1], MILLISECONDS)
