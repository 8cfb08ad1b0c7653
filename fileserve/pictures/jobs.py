"""
One piece of work for a child process, with its own copies of the files, and who waits for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from .facts import NoPreview, PictureFacts, Why
from .worker import Output, Worker


class Job:
    """
    Some files to look at, or one to make previews of.

    :param files: (descriptor, media type); the descriptors become the job's own.
    :param outputs: previews to be made of the one file, of which the descriptors become the job's own, too;
        none to look.
    :ivar result: fires with facts or ``None``. Its maker puts it there.
    """

    result: Deferred[Any]

    def __init__(self, files: Sequence[tuple[int, str]], outputs: Sequence[Output]) -> None:
        self._files = files
        self._outputs = outputs

    @classmethod
    def with_copies(cls, files: Sequence[tuple[int, str]], outputs: Sequence[Output]) -> Job:
        """
        Make a job from descriptors that stay the caller's.

        :raise OSError: they can't be copied.
        """
        copies = _copies([*(each for each, _ in files), *(each.descriptor for each in outputs)])
        return cls(
            [(copy, kind) for copy, (_, kind) in zip(copies, files, strict=False)],
            [evolve(each, descriptor=copy) for copy, each in zip(copies[len(files) :], outputs, strict=True)],
        )

    @property
    def alone(self) -> bool:
        """
        Whether it is about one file.
        """
        return len(self._files) == 1

    def work(self, worker: Worker) -> Any:
        """
        Do it; in a thread.
        """
        if not self._outputs:
            return worker.look(self._files)
        ((descriptor, media_type),) = self._files
        return worker.preview(descriptor, media_type, self._outputs)

    def deadly(self) -> Any:
        """
        The result where no child survives its file.
        """
        if self._outputs:
            return Failure(NoPreview(Why.DEADLY))
        return [PictureFacts(media_type) for _, media_type in self._files]

    def one_by_one(self) -> list[Job]:
        """
        Make a job of each file, to which the descriptors go over.
        """
        files, self._files = self._files, []
        return [Job([each], []) for each in files]

    def done(self, result: Any) -> None:
        """
        Close the copies, and tell the result to whoever still waits.
        """
        self.close()
        if not self.result.called:
            self.result.callback(result)

    def close(self) -> None:
        """
        Close the copies; may be called twice.
        """
        for descriptor, _ in self._files:
            os.close(descriptor)
        for output in self._outputs:
            os.close(output.descriptor)
        self._files, self._outputs = [], []


def _copies(descriptors: Iterable[int]) -> list[int]:
    copies: list[int] = []
    try:
        for each in descriptors:
            copies.append(os.dup(each))  # noqa: PERF401  # those that were made must be known
    except BaseException:
        for each in copies:
            os.close(each)
        raise
    return copies
