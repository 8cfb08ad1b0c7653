"""
Tests of handing pictures to child processes: with stand-ins, in threads and without, and with the real child.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, DeferredList, fail
from twisted.internet.task import Clock, deferLater
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase, TestCase

from fileserve.pictures.facts import NoPreview, PictureFacts, Why
from fileserve.pictures.worker import Output, Worker
from fileserve.pictures.workshop import Busy, NoWorkers, Workshop, processors
from fileserve.threads import Threads

from .standin import COMMAND, file_of, is_taken_away
from .support import ByHand, at_once, open_descriptors, until


class Crew:
    """
    Threads that are none.
    """

    def __init__(self, run: Callable[..., Deferred[Any]]) -> None:
        self.run = run

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass


class Told:
    """
    Files that tell the stand-ins what to do, and all stand-ins that were started.
    """

    def __init__(self) -> None:
        self.descriptors = open_descriptors()
        self.files: list[int] = []
        self.workers: list[Worker] = []
        self.command: Sequence[str] = COMMAND
        #: Seconds that each job has, but for the greeting.
        self.limit = 60.0

    def start(self) -> Worker:
        worker = _Hasty(self.command)
        worker.limit_of_jobs = self.limit
        self.workers.append(worker)
        return worker

    def file(self, text: str) -> int:
        self.files.append(file_of(text))
        return self.files[-1]

    def batch(self, *texts: str) -> list[tuple[int, str]]:
        return [(self.file(each), f"image/{n}") for n, each in enumerate(texts)]

    def preview(self, workshop: Workshop, text: str) -> Deferred[None]:
        output = Output(320, "webp", self.file(""))
        result = workshop.preview(self.file(text), "image/jpeg", [output])
        self.close()
        return result

    def close(self) -> None:
        """
        Close the files; whoever needs them has copies.
        """
        while self.files:
            os.close(self.files.pop())


async def _running() -> None:
    """
    Wait until the reactor runs, which opens pipes of its own for that.
    """
    await deferLater(cast(Any, reactor), 0)


class _Hasty(Worker):
    limit_of_jobs = 60.0

    def greet(self) -> None:
        super().greet()
        self._socket.settimeout(self.limit_of_jobs)


class WorkshopCase(SynchronousTestCase):
    """One bench; what is done is done at once, or when the test says so."""

    size = 1

    def setUp(self) -> None:
        self.told = Told()
        self.clock = Clock()
        self.threads: Any = at_once
        self.workshop = Workshop(cast(Any, self.clock), Crew(self.in_thread), self.size, self.told.start)
        self.workshop.start()

    def in_thread(self, *work: Any) -> Any:
        return self.threads(*work)

    def tearDown(self) -> None:
        self.workshop.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.told.close()
        for each in self.told.workers:
            self.assertTrue(is_taken_away(each._process.pid))
        self.assertEqual(open_descriptors(), self.told.descriptors)

    def look(self, *texts: str, urgent: bool = True) -> Deferred[list[PictureFacts]]:
        result = self.workshop.look(self.told.batch(*texts), urgent)
        self.told.close()
        return result

    def preview(self, text: str) -> Deferred[None]:
        return self.told.preview(self.workshop, text)

    def assertMakers(self, looked: Deferred[list[PictureFacts]], *makers: str | None) -> None:
        facts = self.successResultOf(looked)
        self.assertEqual(facts, [PictureFacts(f"image/{n}", maker=each) for n, each in enumerate(makers)])


class WorkshopTests(WorkshopCase):
    """Work that is done at once."""

    def test_look(self) -> None:
        """Facts come in the order of the files, which may be closed meanwhile."""
        self.assertMakers(self.look("a", "b"), "a", "b")
        self.assertMakers(self.look("c", urgent=False), "c")
        self.assertEqual(self.successResultOf(self.workshop.look([])), [])

    def test_preview(self) -> None:
        """Previews are written to the caller's outputs."""
        small, large = self.told.file(""), self.told.file("")
        outputs = [Output(320, "webp", small), Output(1280, "jpeg", large)]
        made = self.workshop.preview(self.told.file("picture"), "image/jpeg", outputs)
        self.assertIsNone(self.successResultOf(made))
        self.assertEqual(os.pread(small, 99, 0), b"RIFF320 picture")
        self.assertEqual(os.pread(large, 99, 0), b"\xff\xd8\xff1280 picture")

    def test_no_preview(self) -> None:
        """Why there is none is passed on."""
        failure = self.failureResultOf(self.preview('say {"why": "broken"}'), NoPreview)
        self.assertEqual(failure.value.why, Why.BROKEN)

    def test_deadly_preview(self) -> None:
        """A preview that no child survives fails for that reason, and is told to the operator."""
        with capturedLogs() as logs:
            failure = self.failureResultOf(self.preview("die SIGSEGV"), NoPreview)
        self.assertEqual(failure.value.why, Why.DEADLY)
        self.assertEqual([str(each["why"]) for each in logs], ["it was ended by SIGSEGV"])
        self.assertMakers(self.look("x"), "x")

    def test_hung_preview(self) -> None:
        """So does one that does not come to an end."""
        self.told.limit = 0.05
        self.assertEqual(self.failureResultOf(self.preview("hang"), NoPreview).value.why, Why.DEADLY)

    def test_deadly_look(self) -> None:
        """Of a file that no child survives, the media type is known."""
        self.assertMakers(self.look("exit 1"), None)

    def test_deadly_batch(self) -> None:
        """When a batch kills its child, its files are looked at one by one: others' facts are found."""
        self.assertMakers(self.look("a", "exit 1", "b", "say rubbish", "c"), "a", None, "b", None, "c")

    def test_sick_batch(self) -> None:
        """So they are when the child was worn out by others."""
        self.look("x")
        self.assertMakers(self.look("a", "worn", "b"), "a", "worn", "b")

    def test_retried(self) -> None:
        """A picture does not pay for what others left behind in a child."""
        self.look("x")
        self.successResultOf(self.preview("worn"))

    def test_idle(self) -> None:
        """A child that has nothing to do for 60 seconds is ended; then the next is started when needed."""
        self.look("x")
        self.clock.advance(59)
        self.look("x")
        self.clock.advance(59)
        self.assertFalse(self.told.workers[0].closed)
        self.clock.advance(1)
        self.assertTrue(self.told.workers[0].closed)
        self.assertMakers(self.look("y"), "y")
        self.assertEqual(len(self.told.workers), 2)

    def test_idle_fails(self) -> None:
        """Where ending it fails, that is logged, and the work goes on."""
        self.look("x")
        self.threads = lambda *work: fail(ZeroDivisionError())
        self.clock.advance(60)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.threads = at_once
        self.assertMakers(self.look("y"), "y")

    def test_no_workers(self) -> None:
        """Where no child can be started, that is no picture's fault; it is logged once until one can."""
        self.told.command = ["/bin/false"]
        with capturedLogs() as logs:
            for _ in range(3):
                self.failureResultOf(self.preview("x"), NoWorkers)
                self.failureResultOf(self.look("a", "b"), NoWorkers)
        self.assertEqual([str(each["why"]) for each in logs], ["it ended with status 1"])
        self.told.command = COMMAND
        self.assertMakers(self.look("x"), "x")
        self.look("exit 1")
        self.told.command = ["/no/such/program"]
        with capturedLogs() as logs:
            self.failureResultOf(self.look("x"), Busy)
        self.assertIn("No such file", str(logs[0]["why"]))

    def test_batch_without_workers(self) -> None:
        """Where none can be started any more while a batch is looked at one by one, the batch fails."""
        self.look("x")
        self.told.command = ["/bin/false"]
        self.failureResultOf(self.look("a", "exit 1"), NoWorkers)

    def test_closed_descriptor(self) -> None:
        """A descriptor that is none fails, and nothing stays open."""
        self.failureResultOf(self.workshop.look([(self.told.file("x"), "image/0"), (-1, "image/1")]), OSError)

    def test_output_fails(self) -> None:
        """Where an output can't be written, that is said as it is."""
        self.assertEqual(self.failureResultOf(self.preview('say {"errno": 28}'), OSError).value.errno, 28)

    def test_stopped(self) -> None:
        """Nothing is taken after the end."""
        self.workshop.stop()
        self.failureResultOf(self.look("x"), NoWorkers)

    def test_processors(self) -> None:
        """There are as many children as processors for us, but 4 at most."""
        self.assertIn(processors(), range(1, 5))
        self.assertEqual(processors(), min(4, len(os.sched_getaffinity(0))))


class QueueTests(WorkshopCase):
    """Work that is done when the test says so."""

    def setUp(self) -> None:
        super().setUp()
        self.threads = self.steps = ByHand()
        self.order: list[str] = []

    def noted(self, name: str, urgent: bool = True) -> Deferred[Any]:
        result = self.look(name, urgent=urgent)
        result.addCallback(lambda facts: self.order.append(name))
        return result

    def test_order(self) -> None:
        """What nobody waits for comes last; otherwise it goes by turns. All that waits is counted."""
        for name, urgent in (("a", True), ("z", False), ("y", False), ("b", True), ("c", True)):
            self.noted(name, urgent)
        self.assertEqual(self.workshop.queued, 4)
        self.assertEqual(len(self.steps), 1)
        self.steps.run()
        self.assertEqual(self.order, ["a", "b", "c", "z", "y"])
        self.assertEqual(self.workshop.queued, 0)

    def test_busy(self) -> None:
        """64 jobs for which somebody waits may wait, and no more; those at work do not count."""
        results = [self.look("x") for _ in range(65)]
        self.failureResultOf(self.look("x"), Busy)
        self.failureResultOf(self.preview("x"), Busy)
        late = self.noted("late", urgent=False)
        self.steps.run()
        for each in results:
            self.assertMakers(each, "x")
        self.successResultOf(late)

    def test_patient_busy(self) -> None:
        """So may 16 batches for which nobody does."""
        results = [self.look("x", urgent=False) for _ in range(17)]
        self.failureResultOf(self.look("x", urgent=False), Busy)
        self.noted("now")
        self.steps.run()
        for each in results:
            self.assertMakers(each, "x")

    def test_cancelled_before(self) -> None:
        """Work for which nobody waits any more is not done, and its copies are closed."""
        first, second = self.look("a"), self.look("b")
        before = open_descriptors()
        second.cancel()
        self.failureResultOf(second, CancelledError)
        self.assertEqual(open_descriptors(), before - 1)
        self.steps.run()
        self.assertMakers(first, "a")
        self.assertEqual(self.told.workers[0].jobs, 1)

    def test_cancelled_after(self) -> None:
        """Work that began ends for nobody, also where it kills its child."""
        for text in ("a", "exit 1"):
            work = self.look(text, text)
            work.cancel()
            self.failureResultOf(work, CancelledError)
            self.steps.run()
        self.assertEqual(self.workshop.queued, 0)
        self.assertEqual(sum(each.jobs for each in self.told.workers), 2)

    def test_one_by_one_first(self) -> None:
        """The files of a batch that killed its child come before what came later."""
        batch = self.look("a", "exit 1", "b")
        batch.addCallback(lambda _: self.order.append("batch"))
        self.noted("later")
        self.steps.run()
        self.assertEqual(self.order, ["batch", "later"])

    def test_patient_one_by_one(self) -> None:
        """Where nobody waits for them, what somebody waits for comes between."""
        batch = self.look("a", "exit 1", urgent=False)
        batch.addCallback(lambda _: self.order.append("batch"))
        self.steps.step()
        self.noted("urgent")
        self.steps.run()
        self.assertEqual(self.order, ["urgent", "batch"])

    def test_stop(self) -> None:
        """At the end, all that waits fails, and no picture is blamed."""
        results = [self.preview("a"), self.look("a", "b"), self.preview("b"), self.look("c", urgent=False)]
        self.workshop.stop()
        for each in results:
            self.failureResultOf(each, NoWorkers)
        self.steps.run()

    def test_stop_while_ending(self) -> None:
        """A child that is just being ended because it had nothing to do is no hindrance."""
        self.look("a")
        self.steps.run()
        self.clock.advance(60)
        self.workshop.stop()
        self.steps.run()
        self.assertTrue(self.told.workers[0].closed)

    def test_stop_one_by_one(self) -> None:
        """So does a batch that is just looked at one by one."""
        batch = self.look("a", "exit 1")
        self.steps.step()
        self.workshop.stop()
        self.failureResultOf(batch, NoWorkers)
        self.steps.run()


class ThreadsTests(TestCase):
    """Two benches with real threads."""

    timeout = 60

    def setUp(self) -> None:
        self.told = Told()
        crew = Threads(cast(Any, reactor), "pictures", 2)
        self.workshop = Workshop(cast(Any, reactor), crew, 2, self.told.start)
        self.workshop.start()
        self.stopped = False

    def tearDown(self) -> None:
        if not self.stopped:
            self.workshop.stop()
        self.told.close()
        for each in self.told.workers:
            self.assertTrue(is_taken_away(each._process.pid))

    def preview(self, text: str) -> Deferred[None]:
        return self.told.preview(self.workshop, text)

    async def test_side_by_side(self) -> None:
        """While one picture holds a child up, others are served by the other child."""
        path = self.mktemp()
        open(path, "w").close()
        held = self.preview(f"wait {os.path.abspath(path)}")
        for _ in range(20):
            await self.preview("picture")
        self.assertFalse(held.called)
        os.unlink(path)
        await held
        self.assertEqual(len(self.told.workers), 2)

    async def test_deaths(self) -> None:
        """Among many that do harm, each harmless one gets what it asked for."""
        texts = ["picture", "die SIGKILL", "picture", "say rubbish", "exit 0"] * 6
        await _running()
        before = open_descriptors()
        results = await DeferredList([self.preview(each) for each in texts], consumeErrors=True)
        self.assertEqual([done for done, _ in results], [each == "picture" for each in texts])
        for done, result in results:
            if not done:
                self.assertEqual(cast(Any, result).value.why, Why.DEADLY)
        alive = [each for each in self.told.workers if not each.closed]
        self.assertLessEqual(len(alive), 2)
        # A socket of each child that lives.
        self.assertEqual(open_descriptors(), before + len(alive))

    async def test_stop(self) -> None:
        """The end does not wait for what hangs, and blames no picture."""
        hanging = [self.preview("hang"), self.preview("hang"), self.preview("picture")]
        await until(lambda: [each.jobs for each in self.told.workers] == [1, 1])
        self.workshop.stop()
        self.stopped = True
        for each in hanging:
            self.failureResultOf(each, NoWorkers)

    async def test_stop_while_starting(self) -> None:
        """Nor for a child that does not come to work."""
        self.told.command = ["/bin/sleep", "1000"]
        hanging = self.preview("x")
        await until(lambda: len(self.told.workers) == 1)
        self.workshop.stop()
        self.stopped = True
        self.failureResultOf(hanging, NoWorkers)


class RealTests(TestCase):
    """The real child, with a picture."""

    timeout = 60

    async def test_works(self) -> None:
        """Facts are found, previews are made, and what is broken is said to be."""
        await _running()
        before = open_descriptors()
        crew = Threads(cast(Any, reactor), "pictures", 1)
        workshop = Workshop(cast(Any, reactor), crew, 1)
        workshop.start()
        picture, output = os.memfd_create("picture"), os.memfd_create("preview")
        try:
            os.write(picture, b"P6 640 400 255\n" + bytes(640 * 400 * 3))
            kind = "image/x-portable-anymap"
            (facts,) = await workshop.look([(picture, kind)])
            self.assertEqual((facts.width, facts.height), (640, 400))
            await workshop.preview(picture, kind, [Output(320, "jpeg", output)])
            self.assertEqual(os.pread(output, 3, 0), b"\xff\xd8\xff")
            os.ftruncate(picture, 10)
            with self.assertRaises(NoPreview):
                await workshop.preview(picture, kind, [Output(320, "jpeg", output)])
        finally:
            workshop.stop()
            os.close(picture)
            os.close(output)
        self.assertEqual(open_descriptors(), before)
