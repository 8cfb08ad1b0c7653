"""
Hands pictures to a few disposable child processes, and outlives whatever becomes of them.

Why not what there is: one dead process breaks a whole ``concurrent.futures.ProcessPoolExecutor`` with all
that waits in it, which knows no time limit for a job either; and it pickles, so the server would execute
what a child that a picture took over answers. Ampoule restarts its children and limits their time, but talks
AMP to them over pipes: a value has 65,535 bytes at most, no open file can be passed (for that AMP needs a
UNIX socket as its transport), its queue has no bound and no order, and each child runs a reactor.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from twisted.internet.defer import Deferred, FirstError, fail, gatherResults, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from .bench import Bench
from .facts import PictureFacts
from .jobs import Job
from .worker import CantStart, Output, Worker, WorkerLost

_log = Logger(namespace="fileserve.pictures")

#: How many jobs wait at most for which somebody waits; and batches of looks for which nobody does, each of
#: which holds up to 16 descriptors.
_WAITING = 64
_PATIENT = 16

#: Seconds until a child that has nothing to do is ended.
_IDLE = 60.0

#: Children at once, at most: more would take the whole machine from all else that runs there.
_MOST = 4


class Busy(Exception):
    """
    So much waits already that this had better be asked again in a moment.
    """


class NoWorkers(Busy):
    """
    No child can be started now, or none is any more because the server stops.
    """


class Crew(Protocol):
    """
    Threads that may wait: `fileserve.threads.Threads`.
    """

    def start(self) -> None:
        """Take work from now on."""

    def stop(self) -> None:
        """End the threads once they did what they are doing."""

    def run(self, work: Callable[..., Any], *args: object) -> Deferred[Any]:
        """Do a piece of work."""


def processors() -> int:
    """
    How many children are worth having: one for each processor that we may use, within reason.
    """
    return max(1, min(_MOST, len(os.sched_getaffinity(0))))


class Workshop:
    """
    Has pictures looked at and previews made. Its owner calls `start` and `stop`.

    :param crew: threads for it alone, ``size`` of them.
    :param size: how many children there are at most; each is started when it is needed first.
    :param worker: starts one.
    """

    def __init__(
        self, clock: IReactorTime, crew: Crew, size: int, worker: Callable[[], Worker] = Worker
    ) -> None:
        self._clock = clock
        self._crew = crew
        self._benches = [Bench(worker) for _ in range(size)]
        self._free = list(self._benches)
        self._resting: dict[Bench, IDelayedCall] = {}
        self._urgent: deque[Job] = deque()
        self._patient: deque[Job] = deque()
        self._at_work: set[Job] = set()
        self._stopped = False
        self._told = False

    @property
    def size(self) -> int:
        """
        How many jobs are done at once.
        """
        return len(self._benches)

    @property
    def queued(self) -> int:
        """
        How many jobs wait for a child.
        """
        return len(self._urgent) + len(self._patient)

    def look(self, files: Sequence[tuple[int, str]], urgent: bool = True) -> Deferred[list[PictureFacts]]:
        """
        See what cameras and others wrote into some files.

        :param files: (descriptor, media type) of 16 files at most; the descriptors are copied at once.
        :param urgent: somebody waits for it. What nobody waits for is done when there is nothing else.
        :return: in the same order; of a file that no child survives, its media type only. May be cancelled.
            Fails with `Busy`, or an ``OSError`` where the descriptors can't be copied.
        """
        return self._add(files, (), urgent) if files else succeed([])

    def preview(self, descriptor: int, media_type: str, outputs: Sequence[Output]) -> Deferred[None]:
        """
        Make previews of a picture. The descriptors are copied at once.

        :return: fires when all are made. May be cancelled; what began is then done for nobody. Fails with
            `NoPreview`, `Busy`, or an ``OSError`` as `look` does.
        """
        return self._add([(descriptor, media_type)], outputs, True)

    def start(self) -> None:
        """
        Take work from now on.
        """
        self._crew.start()

    def stop(self) -> None:
        """
        Kill the children, whatever they do; all that waits for them fails with `NoWorkers`.
        """
        self._stopped = True
        for call in self._resting.values():
            call.cancel()
        self._resting.clear()
        for bench in self._benches:
            bench.stop()
        self._crew.stop()
        for bench in self._benches:
            bench.clear()
        jobs = [*self._at_work, *self._urgent, *self._patient]
        for queue in (self._at_work, self._urgent, self._patient):
            queue.clear()
        for job in jobs:
            job.done(Failure(NoWorkers("The server stops.")))

    def _add(
        self, files: Sequence[tuple[int, str]], outputs: Sequence[Output], urgent: bool
    ) -> Deferred[Any]:
        queue, room = (self._urgent, _WAITING) if urgent else (self._patient, _PATIENT)
        if self._stopped:
            return fail(NoWorkers("The server stops."))
        if len(queue) >= room:
            return fail(Busy("So many pictures wait already."))
        try:
            job = Job.with_copies(files, outputs)
        except OSError:
            return fail()
        result = self._result_of(job, queue)
        queue.append(job)
        self._go_on()
        return result

    def _result_of(self, job: Job, queue: deque[Job]) -> Deferred[Any]:
        def give_up(_: Deferred[Any]) -> None:
            # What a child is at already is done for nobody.
            if job in queue:
                queue.remove(job)
                job.close()

        job.result = Deferred(give_up)
        return job.result

    def _go_on(self) -> None:
        while self._free and (queue := self._urgent or self._patient):
            job, bench = queue.popleft(), self._free.pop()
            if (resting := self._resting.pop(bench, None)) is not None:
                resting.cancel()
            self._at_work.add(job)
            self._crew.run(partial(bench.do, job.work, alone=job.alone)).addBoth(self._did, job, bench, queue)

    def _did(self, result: Any, job: Job, bench: Bench, queue: deque[Job]) -> None:
        if self._stopped:
            return
        self._at_work.remove(job)
        self._free.append(bench)
        self._resting[bench] = self._clock.callLater(_IDLE, self._rest, bench)
        self._judge(result, job, queue)
        self._go_on()

    def _judge(self, result: Any, job: Job, queue: deque[Job]) -> None:
        lost = isinstance(result, Failure) and result.check(WorkerLost)
        if lost:
            _log.warn("A picture was too much for the process that opened it: {why}", why=result.value)
        if lost and not job.alone and not job.result.called:
            self._one_by_one(job, queue)
        else:
            job.done(job.deadly() if lost else self._started(result))

    def _one_by_one(self, job: Job, queue: deque[Job]) -> None:
        """
        Find out which file of a batch no child survives, and look at the others.
        """
        parts = job.one_by_one()
        results = [self._result_of(each, queue) for each in parts]
        queue.extendleft(reversed(parts))
        gatherResults(results, consumeErrors=True).addCallbacks(_joined, _first).addBoth(job.done)

    def _started(self, result: Any) -> Any:
        """
        Say once, and once more after each success, that no child can be started.
        """
        failed = isinstance(result, Failure) and result.check(CantStart)
        if failed and not self._told:
            _log.error("No process that decodes pictures can be started: {why}", why=result.value)
        self._told = bool(failed)
        return Failure(NoWorkers("Pictures can't be decoded now.")) if failed else result

    def _rest(self, bench: Bench) -> None:
        """
        End the child of a bench where nothing was done for a while.
        """
        del self._resting[bench]
        self._free.remove(bench)
        self._crew.run(bench.clear).addBoth(self._rested, bench)

    def _rested(self, result: object, bench: Bench) -> None:
        if isinstance(result, Failure):
            _log.failure("A process that decodes pictures was not ended", result)
        self._free.append(bench)
        if not self._stopped:
            self._go_on()


def _joined(results: Sequence[list[PictureFacts]]) -> list[PictureFacts]:
    return [facts for each in results for facts in each]


def _first(failure: Failure) -> Failure:
    assert isinstance(failure.value, FirstError)
    return failure.value.subFailure
