"""
Arithmetic on samples: medians with their spread, ratios of pairs, and whether a target is met.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median

from attrs import frozen


@frozen
class Unit:
    """
    How to write a value that is kept in bytes, in seconds, or in one by the other.
    """

    name: str
    size: float
    digits: Callable[[float], str]

    def number(self, value: float) -> str:
        """
        Without the name.
        """
        return self.digits(value / self.size)

    def text(self, value: float) -> str:
        """
        With the name.
        """
        return f"{self.number(value)} {self.name}".rstrip()


@frozen
class Spread:
    """
    The middle of some samples, and how far they lie apart.
    """

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> Spread:
        """
        Sum up one sample or more.
        """
        return cls(median(samples), min(samples), max(samples))

    def text(self, unit: Unit) -> str:
        """
        The median, and for more than one sample the extremes in brackets.
        """
        middle = unit.text(self.median)
        if self.low == self.high:
            return middle
        return f"{middle} ({unit.number(self.low)}-{unit.number(self.high)})"


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> Spread:
    """
    Compare samples that were taken in pairs: what disturbed one of a pair most likely disturbed the other.
    """
    return Spread.of([one / other for one, other in zip(ours, theirs, strict=True)])


def percentile(samples: Sequence[float], share: float) -> float:
    """
    The smallest sample that ``share`` (0 to 1) of them do not exceed: the nearest rank, nothing in between.
    """
    rank = math.ceil(share * len(samples))
    return sorted(samples)[max(rank, 1) - 1]


@frozen
class Target:
    """
    What must be reached, in the unit that values are kept in: the text for the table, and the test.
    """

    text: str
    met: Callable[[float], bool]


def at_least(bound: float, unit: Unit) -> Target:
    """
    Met by ``bound`` and more.
    """
    return Target(f"≥ {_bound(bound, unit)}", lambda value: value >= bound * unit.size)


def at_most(bound: float, unit: Unit) -> Target:
    """
    Met by ``bound`` and less.
    """
    return Target(f"≤ {_bound(bound, unit)}", lambda value: value <= bound * unit.size)


def below(bound: float, unit: Unit) -> Target:
    """
    Met by less than ``bound``.
    """
    return Target(f"< {_bound(bound, unit)}", lambda value: value < bound * unit.size)


def _bound(bound: float, unit: Unit) -> str:
    return f"{bound:g} {unit.name}".rstrip()


def _three_digits(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


GB_PER_SECOND = Unit("GB/s", 1e9, "{:.2f}".format)
SECONDS = Unit("s", 1.0, "{:.2f}".format)
MILLISECONDS = Unit("ms", 1e-3, _three_digits)
MICROSECONDS = Unit("µs", 1e-6, _three_digits)
KIB = Unit("KiB", 1024, _three_digits)
MIB = Unit("MiB", 1 << 20, _three_digits)
MEBIBYTES_PER_SECOND = Unit("MiB/s", 1 << 20, _three_digits)
PER_SECOND = Unit("/s", 1.0, _three_digits)
TIMES = Unit("", 1.0, "{:.2f}".format)
"""Of a ratio: no unit at all."""
