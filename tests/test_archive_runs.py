"""
Runs of small members: nothing of an archive is lost, doubled or moved by sending them.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fileserve.archive.runs import LARGE, Run
from fileserve.http.ranges import Span

from .test_archive_producer import ProducingCase

_SIZES = [0, 1, 700, 3_000, 20_000, LARGE, LARGE + 1, 300_000]


def _files(sizes: list[int]) -> dict[str, bytes]:
    return {f"{number:03}.bin": bytes([number % 251]) * size for number, size in enumerate(sizes)}


class PuttingTogetherTests(ProducingCase):
    """What is put together, and when."""

    def test_nothing_known(self) -> None:
        """As long as a checksum is missing there are none."""
        self.album(_files([20_000] * 20))
        plan = self.cold_plan()
        plan.runs.put_together()
        self.assertEqual(list(plan.runs.within(0, plan.layout.length)), [])

    def test_half_known(self) -> None:
        """Nor are there some as long as one is missing; once all are known there are all."""
        self.album(_files([20_000] * 20))
        plan = self.cold_plan()
        self.bytes_of(plan, [Span(0, plan.layout.length // 2)])
        plan.runs.put_together()
        self.assertEqual(list(plan.runs.within(0, plan.layout.length)), [])
        self.assertFalse(plan.runs.made)
        self.bytes_of(plan)
        plan.runs.put_together()
        self.assertEqual([*plan.runs.within(0, plan.layout.length)][-1].stop, plan.layout.length)
        self.assertTrue(plan.runs.made)

    def test_learnt(self) -> None:
        """Only a plan that will be used again is put together."""
        self.album(_files([20_000] * 20))
        plan = self.plan()
        picked = plan.only(frozenset([b"000.bin"]))
        self.bytes_of(plan)
        for each in (picked, plan):
            self.planner.learnt(each)
        self.assertEqual((picked.runs.made, plan.runs.made), (False, True))

    def test_small_members(self) -> None:
        """An album of small members is runs from its first byte to its last, without a gap."""
        self.album(_files([20_000] * 20))
        plan = self.plan()
        self.bytes_of(plan)
        plan.runs.put_together()
        runs = list(plan.runs.within(0, plan.layout.length))
        self.assertGreater(len(runs), 2)
        self.assertEqual([run.start for run in runs], [0, *(run.stop for run in runs[:-1])])
        self.assertEqual(runs[-1].stop, plan.layout.length)

    def test_large_members(self) -> None:
        """A large member's data is in none."""
        self.album(_files([LARGE + 1, 20_000, LARGE + 1, 20_000]))
        plan = self.plan()
        self.bytes_of(plan)
        plan.runs.put_together()
        runs = list(plan.runs.within(0, plan.layout.length))
        self.assertEqual([[part.length for part in run.bodies] for run in runs][:2], [[20_000], [20_000]])

    def test_within(self) -> None:
        """Only those are given that lie wholly in the part that is asked for."""
        self.album(_files([20_000] * 20))
        plan = self.plan()
        self.bytes_of(plan)
        plan.runs.put_together()
        first, second, *_ = plan.runs.within(0, plan.layout.length)
        self.assertEqual(list(plan.runs.within(first.start, second.stop - 1)), [first])
        self.assertEqual(list(plan.runs.within(first.start + 1, second.stop)), [second])

    def test_lengths(self) -> None:
        """A run is as long as it says."""
        self.album(_files(_SIZES * 4))
        plan = self.plan()
        self.bytes_of(plan)
        plan.runs.put_together()
        for run in plan.runs.within(0, plan.layout.length):
            self.assertEqual(_length(run), run.stop - run.start)


def _length(run: Run) -> int:
    return sum(map(len, run.headers)) + sum(part.length for part in run.bodies) + len(run.tail)


class SendingTests(ProducingCase):
    """What is sent of them."""

    def test_read_once(self) -> None:
        """Sending runs opens each album once, and computes nothing."""
        self.album(_files([20_000] * 20))
        plan = self.plan()
        self.bytes_of(plan)
        plan.runs.put_together()
        self.store.readers = 0
        self.bytes_of(plan, sends_files=True)
        self.assertEqual(self.store.readers, 1)

    def test_any_part(self) -> None:
        """Any part of any archive is the same bytes with runs and without."""

        @given(st.lists(st.sampled_from(_SIZES), max_size=30), st.data())
        def check(sizes: list[int], data: st.DataObject) -> None:
            self.setUp()
            self.album(_files(sizes))
            plan = self.plan()
            whole = self.bytes_of(plan)
            plan.runs.put_together()
            start = data.draw(st.integers(0, len(whole) - 1))
            stop = data.draw(st.integers(start + 1, len(whole)))
            for span in (Span(start, stop), Span(0, len(whole))):
                for sends_files in (False, True):
                    got = self.bytes_of(plan, [span], sends_files=sends_files)
                    self.assertEqual(got, whole[span.start : span.stop])

        check()
