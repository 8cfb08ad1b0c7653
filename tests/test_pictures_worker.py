"""
Tests of one child process that looks at pictures, with a stand-in that does as it is told, and the real one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import fileserve
from fileserve.pictures.facts import NoPreview, PictureFacts, Why
from fileserve.pictures.worker import CantStart, Output, Worker, WorkerLost, child_command

from .standin import COMMAND, SCRIPT, file_of, is_gone, is_taken_away
from .support import open_descriptors

#: Answers to a look at one file that make no sense.
NO_FACTS = [
    "rubbish",
    "[]",
    '"facts"',
    "{}",
    '{"facts": {}}',
    '{"facts": []}',
    '{"facts": [{}, {}]}',
    '{"facts": [[]]}',
    '{"facts": [{"height": 0}]}',
    '{"facts": [{"height": true}]}',
    '{"facts": [{"height": 1.5}]}',
    '{"facts": [{"width": -1}]}',
    '{"facts": [{"width": 1e400}]}',
    '{"facts": [{"width": 4294967296}]}',
    '{"facts": [{"orientation": 9}]}',
    '{"facts": [{"maker": 1}]}',
    '{"facts": [{"maker": "\\ud800"}]}',
    '{"facts": [{"model": "a\\u0000b"}]}',
    '{"facts": [{"model": "' + "x" * 101 + '"}]}',
    '{"facts": [{"taken": "yesterday"}]}',
    '{"facts": [{"taken": "2026-11-20T21:52:00+01:00<"}]}',
    '{"facts": [{"located": 1}]}',
    '{"facts": [{"found": "out"}]}',
    '{"facts": [{"found": null}]}',
]

#: Answers to a preview that make no sense.
NO_ANSWERS = [
    "{}",
    '{"made": 1}',
    '{"made": true}',  # and nothing written
    '{"why": "because"}',
    '{"why": []}',
    '{"errno": "28"}',
    '{"errno": 99999}',
    '{"errno": true}',
]


class WorkerCase(SynchronousTestCase):
    """One worker, of which nothing is left after a test."""

    limit = 60.0

    def setUp(self) -> None:
        self.files: list[int] = []
        self.before = open_descriptors()
        self.worker = Worker(COMMAND, self.limit)

    def tearDown(self) -> None:
        self.worker.close()
        self.assertTrue(is_taken_away(self.pid))
        for each in self.files:
            os.close(each)
        self.assertEqual(open_descriptors(), self.before)

    @property
    def pid(self) -> int:
        return self.worker._process.pid

    def file(self, text: str) -> int:
        self.files.append(file_of(text))
        return self.files[-1]

    def look(self, *texts: str) -> list[PictureFacts]:
        return self.worker.look([(self.file(each), f"image/{n}") for n, each in enumerate(texts)])

    def preview(self, text: str, *outputs: Output) -> None:
        self.worker.preview(self.file(text), "image/jpeg", outputs or [Output(320, "webp", self.file(""))])

    def assertLost(self, text: str, preview: bool = False) -> WorkerLost:
        with self.assertRaises(WorkerLost) as caught:
            (self.preview if preview else self.look)(text)
        self.assertTrue(self.worker.closed)
        self.assertTrue(is_taken_away(self.pid))
        lost: WorkerLost = caught.exception
        return lost


class WorkerTests(WorkerCase):
    """Work that is done."""

    def test_look(self) -> None:
        """Facts come in the order of the files; of the media type, only our own word counts."""
        self.worker.greet()
        self.assertEqual(
            self.look("one", "two"),
            [PictureFacts("image/0", maker="one"), PictureFacts("image/1", maker="two")],
        )
        said = '{"facts": [{"media_type": "text/html", "width": 4000, "taken": "2026-11-20T21:52:00-08:00"}]}'
        self.assertEqual(
            self.look("say " + said), [PictureFacts("image/0", 4000, taken="2026-11-20T21:52:00-08:00")]
        )
        self.assertEqual(self.worker.jobs, 2)

    def test_sixteen(self) -> None:
        """So many files go with one message; more is a mistake of ours, which costs no child."""
        self.assertEqual(len(self.look(*["x"] * 16)), 16)
        with self.assertRaises(ValueError):
            self.look(*["x"] * 17)
        self.assertEqual(len(self.look("x")), 1)

    def test_preview(self) -> None:
        """Previews are written to the outputs, in place of what was there."""
        outputs = [Output(320, "webp", self.file("before" * 100)), Output(1280, "jpeg", self.file(""))]
        self.preview("picture", *outputs)
        self.assertEqual(os.pread(outputs[0].descriptor, 99, 0), b"RIFF320 picture")
        self.assertEqual(os.pread(outputs[1].descriptor, 99, 0), b"\xff\xd8\xff1280 picture")

    def test_no_preview(self) -> None:
        """Why there is none comes as it was said, and the child goes on."""
        with self.assertRaises(NoPreview) as caught:
            self.preview('say {"why": "too large"}')
        self.assertEqual(caught.exception.why, Why.TOO_LARGE)
        self.preview("picture")

    def test_output_fails(self) -> None:
        """An output that can't be written is no fault of the picture's, or the child's."""
        with self.assertRaises(OSError) as caught:
            self.preview('say {"errno": 28}')
        self.assertEqual(caught.exception.strerror, "No space left on device")
        self.preview("picture")

    def test_descriptors_sent(self) -> None:
        """Open files that a child sends are closed."""
        self.look("x")
        before = open_descriptors()
        self.worker.look([(self.file("send"), "image/jpeg")])
        self.assertEqual(open_descriptors(), before + 1)  # the test's own

    def test_surroundings(self) -> None:
        """A child has its socket and nothing else of ours: no file, no environment, no session, no folder."""
        os.environ["FILESERVE_SECRET"] = "secret"
        self.addCleanup(os.environ.pop, "FILESERVE_SECRET")
        self.worker.close()
        self.worker = Worker(COMMAND)
        self.assertTold("sorted(set(os.environ) - {'LC_CTYPE'})", "['LANG', 'PATH']")
        # 3 is the file that asks, and 4 the folder that is listed.
        self.assertTold("sorted(map(int, os.listdir('/proc/self/fd')))", "[0, 1, 2, 3, 4]")
        self.assertTold("os.getsid(0) == os.getpid(), os.getcwd()", "(True, '/')")
        self.assertTold("os.readlink('/proc/self/fd/1')", "/dev/null")
        self.assertTold("sock.family.name, sock.type.name", "('AF_UNIX', 'SOCK_SEQPACKET')")

    def assertTold(self, expression: str, value: str) -> None:
        (facts,) = self.look("tell " + expression)
        self.assertEqual(facts.maker, value)


class LostTests(WorkerCase):
    """A child that died, or said what makes no sense, is killed and taken away at once."""

    def test_died(self) -> None:
        """A child that was killed; it is said by what."""
        lost = self.assertLost("die SIGSEGV")
        self.assertEqual((str(lost), lost.hung), ("it was ended by SIGSEGV", False))

    def test_ended(self) -> None:
        """A child that ended by itself."""
        self.assertEqual(str(self.assertLost("exit 3", preview=True)), "it ended with status 3")

    def test_ate(self) -> None:
        """A child that got no more memory."""
        self.assertEqual(str(self.assertLost("eat")), "it ended with status 1")

    def test_closed(self) -> None:
        """A child that closed its socket, and goes on."""
        self.patch(sys.modules[Worker.__module__], "_LAST_WORDS", 0.01)
        self.assertEqual(str(self.assertLost("close")), "it ended the conversation")

    def test_rubbish(self) -> None:
        """Facts that make no sense."""
        for said in NO_FACTS:
            self.worker.close()
            self.worker = Worker(COMMAND)
            self.assertIn("no sense", str(self.assertLost("say " + said)), said)

    def test_rubbish_previews(self) -> None:
        """Answers to a preview that make no sense, and previews that are not there."""
        for said in NO_ANSWERS:
            self.worker.close()
            self.worker = Worker(COMMAND)
            self.assertLost("say " + said, preview=True)

    def test_too_much(self) -> None:
        """A packet that is too large, and one that JSON can't be so deep."""
        self.assertLost("large")
        self.worker = Worker(COMMAND)
        self.assertLost("deep")

    def test_gone_before(self) -> None:
        """A child that died between two jobs."""
        self.look("x")
        os.kill(self.pid, signal.SIGKILL)
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        self.assertEqual(str(self.assertLost("x")), "it was ended by SIGKILL")


class HungTests(WorkerCase):
    """A child that has little time."""

    limit = 0.1

    def test_hung(self) -> None:
        """A child that does not answer in time is killed."""
        lost = self.assertLost("hang")
        self.assertEqual((str(lost), lost.hung), ("no answer for 0.1 seconds", True))


class PatientTests(WorkerCase):
    """A child that has more time for previews than for looking."""

    def test_hung_look(self) -> None:
        """Looking is short: a child that looks for longer is killed."""
        self.patch(sys.modules[Worker.__module__], "_LOOK_LIMIT", 0.1)
        self.worker.greet()
        self.preview("picture")
        lost = self.assertLost("hang")
        self.assertEqual((str(lost), lost.hung), ("no answer for 0.1 seconds", True))

    def test_used_up(self) -> None:
        """A child that used up its processor time need not be tried with the same again."""
        lost = self.assertLost("die SIGXCPU")
        self.assertEqual((str(lost), lost.hung), ("it was ended by SIGXCPU", True))


class EndingTests(WorkerCase):
    """Ending a child."""

    def test_close(self) -> None:
        """Closing kills the child, whatever it does; it may be done twice, and no more is done after it."""
        self.worker.close()
        self.assertTrue(is_taken_away(self.pid))
        self.worker.close()
        with self.assertRaises(WorkerLost):
            self.look("x")

    def test_cut(self) -> None:
        """Another thread can end what hangs; also what has ended already."""
        files = [(self.file("hang"), "image/jpeg")]
        lost: list[BaseException] = []

        def work() -> None:
            try:
                self.worker.look(files)
            except WorkerLost as error:
                lost.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        while not self.worker.jobs:
            time.sleep(0.001)
        self.worker.cut()
        thread.join()
        self.assertEqual(len(lost), 1)
        self.assertTrue(is_taken_away(self.pid))
        self.worker.cut()

    def test_parent_killed(self) -> None:
        """When this process is killed, its children end by themselves, however many there are."""
        program = (
            "import os, signal, sys\n"
            "from fileserve.pictures.worker import Worker\n"
            "workers = [Worker([sys.executable, '-I', '-S', '-c', sys.argv[1]]) for _ in range(3)]\n"
            "for each in workers: each.greet()\n"
            "print(*[each._process.pid for each in workers], flush=True)\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        root = Path(fileserve.__file__).parent.parent
        done = subprocess.run(
            [sys.executable, "-c", program, SCRIPT], cwd=root, stdout=subprocess.PIPE, check=False
        )
        self.assertEqual(done.returncode, -signal.SIGKILL)
        pids = [int(each) for each in done.stdout.split()]
        self.assertEqual(len(pids), 3)
        while not all(map(is_gone, pids)):
            time.sleep(0.001)


class StartTests(SynchronousTestCase):
    """Children that do not come to work."""

    def setUp(self) -> None:
        self.before = open_descriptors()

    def tearDown(self) -> None:
        self.assertEqual(open_descriptors(), self.before)

    def assertCantStart(self, *command: str) -> str:
        with self.assertRaises(CantStart) as caught:
            Worker(command).greet()
        return str(caught.exception)

    def test_no_program(self) -> None:
        """There is no such program."""
        self.assertIn("No such file", self.assertCantStart("/no/such/program"))

    def test_ends(self) -> None:
        """It ends at once."""
        self.assertEqual(
            self.assertCantStart(sys.executable, "-S", "-c", "raise SystemExit(4)"), "it ended with status 4"
        )

    def test_says_nothing_useful(self) -> None:
        """Its first answer is not the one it ought to be."""
        script = "import socket; s = socket.socket(fileno=0); s.recv(99); s.send(b'{}'); s.recv(99)"
        self.assertEqual(
            self.assertCantStart(sys.executable, "-S", "-c", script), "its first answer makes no sense"
        )


class RealTests(SynchronousTestCase):
    """The real child."""

    def setUp(self) -> None:
        before = open_descriptors()
        self.addCleanup(lambda: self.assertEqual(open_descriptors(), before))

    def test_command(self) -> None:
        """It finds our modules wherever this process has them, from any folder, and is isolated."""
        command = child_command()
        self.assertEqual(command[:2], [sys.executable, "-I"])
        self.assertTrue(all(map(os.path.isabs, command[4:])))
        self.assertIn(str(Path(fileserve.__file__).parent.parent), command)

    def test_works(self) -> None:
        """It looks at files, and makes previews, each a picture of its own size."""
        picture = os.memfd_create("picture")
        self.addCleanup(os.close, picture)
        os.write(picture, b"P6 640 400 255\n" + bytes(640 * 400 * 3))
        outputs = [Output(320, "webp", os.memfd_create("a")), Output(1280, "jpeg", os.memfd_create("b"))]
        for each in outputs:
            self.addCleanup(os.close, each.descriptor)
        with Worker() as worker:
            worker.greet()
            nothing = os.memfd_create("nothing")
            self.addCleanup(os.close, nothing)
            kind = "image/x-portable-anymap"
            picture_facts, no_facts = worker.look([(picture, kind), (nothing, "image/jpeg")])
            self.assertEqual((picture_facts.width, picture_facts.height), (640, 400))
            self.assertEqual(no_facts, PictureFacts("image/jpeg"))
            worker.preview(picture, kind, outputs)
            facts = worker.look([(each.descriptor, f"image/{each.format}") for each in outputs])
            self.assertEqual([(each.width, each.height) for each in facts], [(320, 200), (640, 400)])
            with self.assertRaises(NoPreview) as caught:
                worker.preview(nothing, "image/jpeg", outputs)
            self.assertEqual(caught.exception.why, Why.BROKEN)
