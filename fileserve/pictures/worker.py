"""
One child process that looks at pictures, as a thread of the server drives it: it may die, hang or lie.

The child decodes what strangers sent, in C; so nothing that it says is believed before it was looked at, and
it is killed for the first thing that makes no sense.
"""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from subprocess import DEVNULL, Popen, SubprocessError, TimeoutExpired
from threading import Lock
from typing import Any, NoReturn, Self

from attrs import fields, frozen

from .facts import NoPreview, PictureFacts, Why
from .protocol import LONGEST_TEXT, Garbled, receive, send

#: Seconds by the clock on the wall that a child has for one job; its own limit of CPU time is lower.
WALL_LIMIT = 60.0
_LOOK_LIMIT = 20.0

#: Seconds until a child that ended its conversation is killed: time to say by its status what happened.
_LAST_WORDS = 1.0

#: Seconds in which the system takes a killed process away, unless a disk under it hangs.
_BURIAL = 5.0

#: What a child runs. Of the environment it gets nothing but where to find modules: all that this process has,
#: so that it works alike from a checkout, a wheel, a user's site-packages and ``pip install -e``. What failed
#: before the first job is told where our own errors go; what decoders print about pictures is for nobody.
_BOOTSTRAP = """\
import sys
sys.path[:] = sys.argv[1:]
del sys.argv[1:]
import os
from fileserve.pictures import child
os.dup2(1, 2)
child.main()
"""

_NAMES = frozenset(each.name for each in fields(PictureFacts))

#: Facts that are numbers, and the largest that makes sense: a side of the largest PNG, and CIPA DC-008.
_NUMBERS = {"width": 2**31 - 1, "height": 2**31 - 1, "orientation": 8}

#: Local time, with an offset or without.
_TAKEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([+-]\d\d:\d\d)?", re.ASCII)


class WorkerLost(Exception):
    """
    The child died, hung, or said what makes no sense, in the middle of a job. It is gone now.

    :ivar hung: it did not come to an end in time, so that trying again would take as long.
    """

    def __init__(self, reason: str, *, hung: bool = False) -> None:
        super().__init__(reason)
        self.hung = hung


class CantStart(Exception):
    """
    No child can be started; that is no picture's fault.
    """


@frozen
class Output:
    """
    A preview to be made.
    """

    #: Pixels on the long side, at most.
    size: int
    #: ``webp`` or ``jpeg``.
    format: str
    #: A regular file, which is overwritten; it stays the caller's.
    descriptor: int


def child_command() -> Sequence[str]:
    """
    How the child is started: isolated, with the modules that this process has.
    """
    return [sys.executable, "-I", "-c", _BOOTSTRAP, *map(os.path.abspath, sys.path)]


class Worker:
    """
    One child. Its methods block, for one thread at a time, but for `cut`. Its owner closes it.

    :param command: what to run instead of the real child, with its end of the socket as standard input.
    :param limit: seconds for each job; looking never has more than 20.
    :ivar jobs: how many it was given.
    :raise CantStart: the system has no more processes or memory.
    """

    def __init__(self, command: Sequence[str] | None = None, limit: float = WALL_LIMIT) -> None:
        self.jobs = 0
        self._limit = limit
        self._closing = Lock()
        self._cut = False
        # No process gets either end but this one child, as its standard input: so it finds the end of its
        # socket when we are gone, however we went.
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            self._process = _start(command or child_command(), theirs)
        except BaseException:
            self._socket.close()
            raise
        finally:
            theirs.close()

    @property
    def closed(self) -> bool:
        """
        Whether the child is gone.
        """
        return self._socket.fileno() < 0

    def greet(self) -> None:
        """
        Wait until the child is at work, by having it look at nothing.

        :raise CantStart: it does not come so far.
        """
        try:
            if self._ask({"job": "look", "media_types": []}, [], self._limit) != {"facts": []}:
                self._lose("its first answer makes no sense")
        except WorkerLost as lost:
            raise CantStart(str(lost)) from None

    def look(self, files: Sequence[tuple[int, str]]) -> list[PictureFacts]:
        """
        See what cameras and others wrote into some files.

        :param files: (descriptor, media type) of 16 files at most; the descriptors stay the caller's.
        :return: in the same order.
        :raise WorkerLost: one of them was too much for the child.
        """
        media_types = [media_type for _, media_type in files]
        message = {"job": "look", "media_types": media_types}
        answer = self._job(message, [each for each, _ in files], min(self._limit, _LOOK_LIMIT))
        facts = answer.get("facts")
        try:
            if not isinstance(facts, list):
                raise Garbled("no facts")
            return [_facts(kind, each) for kind, each in zip(media_types, facts, strict=True)]
        except ValueError:
            self._lose("its facts make no sense")

    def preview(self, descriptor: int, media_type: str, outputs: Sequence[Output]) -> None:
        """
        Make previews of a picture.

        :raise NoPreview: there can be none.
        :raise OSError: an output can't be written.
        :raise WorkerLost: it was too much for the child.
        """
        for each in outputs:
            os.ftruncate(each.descriptor, 0)
        wanted = [[each.size, each.format] for each in outputs]
        message = {"job": "preview", "media_type": media_type, "outputs": wanted}
        answer = self._job(message, [descriptor, *(each.descriptor for each in outputs)], self._limit)
        if answer.get("made") is not True:
            raise self._failure(answer)
        if not all(os.fstat(each.descriptor).st_size for each in outputs):
            self._lose("its previews are empty")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def cut(self) -> None:
        """
        Make what goes on in the other thread fail soon; for any thread.
        """
        self._cut = True
        with self._closing, suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """
        Kill the child, if it lives, and take it away; may be called twice.
        """
        with self._closing:  # else `cut` might meet what somebody opens next under this number
            self._socket.close()
        self._process.kill()
        # A child that a disk keeps from dying is taken away by the subprocess module, when it starts another.
        with suppress(TimeoutExpired):
            self._process.wait(_BURIAL)

    def _job(self, message: Mapping[str, Any], descriptors: Sequence[int], limit: float) -> dict[str, Any]:
        self.jobs += 1
        return self._ask(message, descriptors, limit)

    def _ask(self, message: Mapping[str, Any], descriptors: Sequence[int], limit: float) -> dict[str, Any]:
        try:
            self._socket.settimeout(limit)
            send(self._socket, message, descriptors)
            received = receive(self._socket)
        except TimeoutError:
            self._lose(f"no answer for {limit:g} seconds", hung=True)
        except Garbled:
            self._lose("its answer makes no sense")
        except OSError:  # it closed its end before it took all
            received = None
        if received is None:
            self._lose(self._end(), hung=self._process.returncode == -signal.SIGXCPU)
        answer, sent = received
        for each in sent:
            os.close(each)
        return answer

    def _failure(self, answer: Mapping[str, object]) -> Exception:
        number = answer.get("errno")
        if type(number) is int and number in errno.errorcode:
            return OSError(number, os.strerror(number))
        try:
            return NoPreview(Why(str(answer.get("why"))))
        except ValueError:
            self._lose("its reason makes no sense")

    def _end(self) -> str:
        """
        How a child ended that closed its socket.
        """
        with suppress(TimeoutExpired):
            status = self._process.wait(0 if self._cut else _LAST_WORDS)
            if status >= 0:
                return f"it ended with status {status}"
            with suppress(ValueError):
                return f"it was ended by {signal.Signals(-status).name}"
        return "it ended the conversation"

    def _lose(self, reason: str, *, hung: bool = False) -> NoReturn:
        self.close()
        raise WorkerLost(reason, hung=hung)


def _start(command: Sequence[str], theirs: socket.socket) -> Popen[bytes]:
    try:
        return Popen(  # noqa: S603  # the command is ours
            command,
            stdin=theirs.fileno(),
            stdout=DEVNULL,
            cwd="/",
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            # Signals from the terminal are for us alone, who know what to do.
            start_new_session=True,
        )
    except (OSError, SubprocessError) as error:
        raise CantStart(str(error)) from error


def _facts(media_type: str, said: object) -> PictureFacts:
    """
    :raise Garbled: they are none.
    """
    if not isinstance(said, dict):
        raise Garbled("no facts of a picture")
    said = said | {"media_type": media_type}
    for name, value in said.items():
        if name not in _NAMES or (value is not None and not _is_fact(name, value)):
            raise Garbled(name)
    return PictureFacts(**said)


def _is_fact(name: str, value: object) -> bool:
    if name in _NUMBERS:
        return type(value) is int and 1 <= value <= _NUMBERS[name]
    if name == "located":
        return isinstance(value, bool)
    if not isinstance(value, str):
        return False
    if name == "taken":
        return _TAKEN.fullmatch(value) is not None
    # What a database and a page take: no half of a surrogate pair, no NUL.
    return len(value) <= LONGEST_TEXT and _is_plain(value)


def _is_plain(text: str) -> bool:
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
