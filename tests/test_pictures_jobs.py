"""
Tests of one piece of work for a child process, and of its copies of files.
"""

from __future__ import annotations

import os
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from fileserve.pictures.facts import NoPreview, PictureFacts, Why
from fileserve.pictures.jobs import Job
from fileserve.pictures.worker import Output

from .standin import file_of
from .support import open_descriptors


class Seeing:
    """
    A worker that tells what it was given.
    """

    def look(self, files: Any) -> list[str]:
        return [f"{kind} {os.pread(descriptor, 99, 0).decode()}" for descriptor, kind in files]

    def preview(self, descriptor: int, media_type: str, outputs: Any) -> list[str]:
        return [*self.look([(descriptor, media_type)]), *(f"{each.size} {each.format}" for each in outputs)]


class JobTests(SynchronousTestCase):
    """Jobs from files that are closed as soon as the job is made."""

    def setUp(self) -> None:
        self.before = open_descriptors()

    def tearDown(self) -> None:
        self.assertEqual(open_descriptors(), self.before)

    def job(self, *texts: str, sizes: tuple[int, ...] = ()) -> Job:
        files = [(file_of(each), "image/png") for each in texts]
        outputs = [Output(each, "webp", file_of("")) for each in sizes]
        try:
            job = Job.with_copies(files, outputs)
        finally:
            for each in [each for each, _ in files] + [each.descriptor for each in outputs]:
                os.close(each)
        job.result = Deferred(lambda _: None)
        return job

    def work(self, job: Job) -> Any:
        return job.work(cast(Any, Seeing()))

    def test_copies(self) -> None:
        """A job works with its own copies, in the order that they were given, and closes them once."""
        job = self.job("a", "b")
        self.assertEqual(self.work(job), ["image/png a", "image/png b"])
        self.assertEqual(open_descriptors(), self.before + 2)
        job.done([])
        self.assertEqual(self.successResultOf(job.result), [])
        job.close()

    def test_preview(self) -> None:
        """So does a job for previews, with its outputs."""
        job = self.job("a", sizes=(320, 1280))
        self.assertEqual(self.work(job), ["image/png a", "320 webp", "1280 webp"])
        self.assertEqual(open_descriptors(), self.before + 3)
        job.done(None)

    def test_no_copies(self) -> None:
        """Where one can't be copied, none stays."""
        file = file_of("a")
        with self.assertRaises(OSError):
            Job.with_copies([(file, "image/png")], [Output(320, "webp", -1)])
        os.close(file)

    def test_one_by_one(self) -> None:
        """The copies go over to jobs for one file each."""
        job = self.job("a", "b")
        self.assertFalse(job.alone)
        parts = job.one_by_one()
        job.done([])
        self.assertEqual([self.work(each) for each in parts], [["image/png a"], ["image/png b"]])
        self.assertTrue(all(each.alone for each in parts))
        for each in parts:
            each.close()

    def test_deadly(self) -> None:
        """What no child survives has its media type, or no preview."""
        job = self.job("a")
        self.assertEqual(job.deadly(), [PictureFacts("image/png")])
        job.close()
        job = self.job("a", sizes=(320,))
        job.done(job.deadly())
        self.assertEqual(self.failureResultOf(job.result, NoPreview).value.why, Why.DEADLY)

    def test_cancelled(self) -> None:
        """A result for which nobody waits any more is dropped."""
        job = self.job("a")
        job.result.cancel()
        job.done([])
        self.failureResultOf(job.result)
