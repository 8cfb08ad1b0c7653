"""
Tests of a place for one child process after another.
"""

from __future__ import annotations

import os
from functools import partial

from twisted.trial.unittest import SynchronousTestCase

from fileserve.pictures.bench import Bench
from fileserve.pictures.facts import PictureFacts
from fileserve.pictures.worker import CantStart, Worker, WorkerLost

from .standin import COMMAND, file_of, is_taken_away
from .support import open_descriptors


class BenchTests(SynchronousTestCase):
    """A bench with stand-ins, all of which are noted."""

    def setUp(self) -> None:
        self.before = open_descriptors()
        self.workers: list[Worker] = []
        self.limit = 60.0
        self.bench = Bench(self.start)

    def tearDown(self) -> None:
        self.bench.clear()
        for each in self.workers:
            self.assertTrue(is_taken_away(each._process.pid))
        self.assertEqual(open_descriptors(), self.before)

    def start(self) -> Worker:
        self.workers.append(Worker(COMMAND, self.limit))
        return self.workers[-1]

    def look(self, text: str, alone: bool = True) -> list[PictureFacts]:
        file = file_of(text)
        try:
            return self.bench.do(partial(Worker.look, files=[(file, "image/jpeg")]), alone=alone)
        finally:
            os.close(file)

    def test_one_child(self) -> None:
        """A child is started when there is something to do, and does the next as well."""
        self.assertEqual(self.workers, [])
        for _ in range(2):
            self.assertEqual(self.look("x"), [PictureFacts("image/jpeg", maker="x")])
        self.assertEqual(len(self.workers), 1)

    def test_worn(self) -> None:
        """After 500 jobs, a child makes way for a new one."""
        for _ in range(500):
            self.look("x")
        self.assertTrue(self.workers[0].closed)
        self.look("x")
        self.assertEqual([each.jobs for each in self.workers], [500, 1])

    def test_lost(self) -> None:
        """A fresh child's death is its file's fault; the next file gets a new child."""
        with self.assertRaises(WorkerLost):
            self.look("exit 1")
        self.look("x")
        self.assertEqual([each.jobs for each in self.workers], [1, 1])

    def test_another_fault(self) -> None:
        """A child that had done other work may have died of that: a fresh one tries again, once."""
        self.look("x")
        self.assertEqual(self.look("worn"), [PictureFacts("image/jpeg", maker="worn")])
        self.assertEqual([each.jobs for each in self.workers], [2, 1])
        with self.assertRaises(WorkerLost):
            self.look("exit 1")
        self.assertEqual([each.jobs for each in self.workers], [2, 2, 1])

    def test_batch(self) -> None:
        """A batch is not tried again: its files will be, one by one."""
        self.look("x")
        with self.assertRaises(WorkerLost):
            self.look("worn", alone=False)
        self.assertEqual(len(self.workers), 1)

    def test_hung(self) -> None:
        """Nor is what hung: it would hang as long again."""

        def hurry(worker: Worker) -> object:
            worker._limit = 0.05
            file = file_of("hang")
            try:
                return worker.look([(file, "image/jpeg")])
            finally:
                os.close(file)

        self.look("x")
        with self.assertRaises(WorkerLost):
            self.bench.do(hurry, alone=True)
        self.assertEqual(len(self.workers), 1)

    def test_cant_start(self) -> None:
        """A child that does not come to work is taken away; the next time, another is tried."""
        bench = Bench(lambda: Worker(["/bin/false"]))
        with self.assertRaises(CantStart):
            bench.do(lambda worker: None, alone=True)
        with self.assertRaises(CantStart):
            bench.do(lambda worker: None, alone=True)

    def test_stop(self) -> None:
        """What is stopped lets its child fail, and starts no other that comes to work."""
        self.look("x")
        self.bench.stop()
        with self.assertRaises(CantStart):  # the old one is lost, a fresh one can't be greeted
            self.look("x")

    def test_work_fails(self) -> None:
        """What the work itself raises costs no child."""
        self.look("x")
        with self.assertRaises(ZeroDivisionError):
            self.bench.do(lambda worker: 1 / 0, alone=True)
        self.look("x")
        self.assertEqual(len(self.workers), 1)
