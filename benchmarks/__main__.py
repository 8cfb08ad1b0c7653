"""
The command: ``python -m benchmarks [NAME ...] [--runs N] [--quick] [--rst FILE] [--work DIR]``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.albums import QUICK, Albums, Scale
from benchmarks.bench import Bench
from benchmarks.measures import (
    cold,
    downloads,
    dropped,
    evicted,
    gallery,
    large,
    listing,
    members,
    memory,
    multipart,
    previews,
    put,
    s3,
    slow,
    small,
    stalled,
    uploads,
)
from benchmarks.peers import twist
from benchmarks.report import Table, as_text, circumstances, page

MEASURES: dict[str, Callable[[Bench], list[Table]]] = {
    "large": large.measure,
    "small": small.measure,
    "cold": cold.measure,
    "members": members.measure,
    "stalled": stalled.measure,
    "slow": slow.measure,
    "memory": memory.measure,
    "evicted": evicted.measure,
    "put": put.measure,
    "multipart": multipart.measure,
    "uploads": uploads.measure,
    "downloads": downloads.measure,
    "listing": listing.measure,
    "s3": s3.measure,
    "gallery": gallery.measure,
    "dropped": dropped.measure,
    "previews": previews.measure,
}


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """
    Understand the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="fileserve beside its peers.")
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"one of {', '.join(MEASURES)}; all by default"
    )
    parser.add_argument("--runs", type=int, default=7, metavar="N", help="runs of each thing (default 7)")
    parser.add_argument("--quick", action="store_true", help="little albums: targets mean little, too")
    parser.add_argument("--rst", type=Path, metavar="FILE", help="write the documentation's tables")
    parser.add_argument("--work", type=Path, metavar="DIR", help="where to keep albums and uploads (8 GB)")
    parser.add_argument("--twist", default=twist(), metavar="PROGRAM", help="the twist that runs fileserve")
    options = parser.parse_args(argv)
    if unknown := set(options.names) - set(MEASURES):
        parser.error(f"there is no measure {', '.join(sorted(unknown))}")
    return options


def main(argv: Sequence[str]) -> None:
    """
    Measure, print each table as soon as there is one, and write the page if asked.
    """
    options = arguments(argv)
    facts = circumstances()
    print(*facts, sep="\n", end="\n\n", flush=True)
    tables: list[Table] = []
    with _work(options.work) as work:
        bench = Bench(Albums(work, QUICK if options.quick else Scale()), options.runs, options.twist)
        for name in options.names or MEASURES:
            for table in MEASURES[name](bench):
                print(as_text(table), flush=True)
                tables.append(table)
    print(_verdict(tables))
    if options.rst:
        options.rst.write_text(page(_command(options), facts, tables))


def _command(options: argparse.Namespace) -> list[str]:
    # Without the directories of the machine it ran on.
    quick = ["--quick"] if options.quick else []
    return ["python", "-m", "benchmarks", *options.names, "--runs", str(options.runs), *quick]


def _verdict(tables: Sequence[Table]) -> str:
    judged = [row.met for table in tables for row in table.rows if row.met in ("yes", "NO")]
    return f"{judged.count('yes')} of {len(judged)} targets met."


@contextmanager
def _work(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        yield given.resolve()
    else:
        with tempfile.TemporaryDirectory(prefix="fileserve-albums-") as name:
            yield Path(name)


if __name__ == "__main__":
    main(sys.argv[1:])
