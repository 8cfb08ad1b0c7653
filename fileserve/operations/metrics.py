"""
The counters as Prometheus text, by the optional package ``prometheus_client``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from typing import Any

from .counters import Counts, Gauges

#: What each gauge that the program offers means.
_GAUGES = {
    "fileserve_reactor_lag_seconds": "Greatest delay of the event loop within the last minute.",
    "fileserve_disk_queue": "Pieces of work that wait for a thread of the disk.",
    "fileserve_catalogue_queue": "Pieces of work that wait for a thread of the database.",
    "fileserve_pictures_queue": "Pictures that wait for a process to look at them, or to make a preview.",
    "fileserve_connections": "Open connections.",
}


class MetricsMissing(Exception):
    """
    The optional package is not installed.
    """


def prepare() -> None:
    """
    Import the package, if it is there: at the first request it would hold the loop for 40 milliseconds.
    """
    with suppress(ImportError):
        import_module("prometheus_client.exposition")


def render(counts: Counts, gauges: Gauges) -> tuple[bytes, bytes]:
    """
    Tell all numbers.

    :return: the media type and the text.
    :raise MetricsMissing: the extra ``metrics`` is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry
        from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
    except ImportError:
        raise MetricsMissing("install fileserve with the extra 'metrics'") from None
    registry = CollectorRegistry()
    registry.register(_Collector(counts, gauges))
    return CONTENT_TYPE_LATEST.encode(), generate_latest(registry)


class _Collector:
    """
    Reads our numbers when they are asked for, so counting costs no more than adding.
    """

    def __init__(self, counts: Counts, gauges: Gauges) -> None:
        self._counts = counts
        self._gauges = gauges

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        counts = self._counts
        yield CounterMetricFamily(
            "fileserve_archives_started", "Transfers of archives begun.", value=counts.started
        )
        ended = CounterMetricFamily(
            "fileserve_archives_ended", "Transfers of archives ended, by outcome.", labels=["outcome"]
        )
        for outcome, number in counts.outcomes.items():
            ended.add_metric([outcome], number)
        yield ended
        yield CounterMetricFamily(
            "fileserve_archive_bytes", "Bytes of archives handed to clients.", value=counts.bytes_sent
        )
        yield GaugeMetricFamily(
            "fileserve_open_transfers", "Archives being sent.", value=counts.open_transfers
        )
        for name, tell in self._gauges.items():
            yield GaugeMetricFamily(name, _GAUGES[name], value=tell())
