"""
Tests of `fileserve.contrib.exchange`: one request and its answer, and all that may become of it.
"""

from __future__ import annotations

import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from traceback import TracebackException
from typing import cast

from twisted.trial.unittest import SynchronousTestCase

from fileserve.contrib.exchange import FileserveError, FileserveTimeout, FileserveUnreachable, Server
from tests.fake_fileserve import KEY, FakeCase, Refusal, problem
from tests.integration.server import descriptors_of, environment, free_port

LENGTH = {"Content-Length": "100000000"}


def descriptors() -> int:
    """How many this process has open."""
    return len(descriptors_of(os.getpid()))


class ServerTests(SynchronousTestCase):
    """What a server is made of."""

    def test_addresses(self) -> None:
        """An address is one of HTTP, of a host and perhaps a path; all else is refused."""
        for url in ("http://a", "https://a:8443/store/", "http://[::1]:8080"):
            Server(url, 1)
        for url in ("", "a:80", "ftp://a", "http://", "http://a:x", "http://a:0", "http://a:70000", "http://a?b",
                    "http://a#b", "http://me:secret@a", "http://me@a"):  # fmt: skip
            self.assertNotIn("secret", str(self.assertRaises(ValueError, Server, url, 1)), url)

    def test_repr(self) -> None:
        """The upload key is not shown."""
        self.assertNotIn(KEY, repr(Server("http://a", 1, KEY)))


class AnswerTests(FakeCase):
    """What servers answer."""

    def setUp(self) -> None:
        self.start_server()
        self.server = Server(self.fake.url, 10)

    def refused(self, *answer: object, method: str = "GET") -> FileserveError:
        self.fake.refusal = Refusal(*answer)  # type: ignore[arg-type]
        return cast(FileserveError, self.assertRaises(FileserveError, self.server.ask, method, "x"))

    def test_request(self) -> None:
        """A request has the address's path, the key where there is one, and a connection of its own."""
        server = Server(self.fake.url + "/store/", 10, "key")
        self.fake.refusal = Refusal(200, b"{}")
        server.ask("GET", "x", {"If-Match": '"1"'}).close()
        self.assertEqual(self.fake.requests, [("GET", "/store/api/v1/x")])
        host = self.fake.url.removeprefix("http://")
        expected = {"host": host, "accept-encoding": "identity", "connection": "close", "if-match": '"1"'}
        self.assertEqual(self.fake.headers, {**expected, "authorization": "Bearer key"})
        self.server.ask("GET", "x").close()
        self.assertNotIn("authorization", self.fake.headers)

    def test_missing_file(self) -> None:
        """404 is a missing file where a program says it, else a wrong address; an upload misses nothing."""
        self.fake.refusal = problem(404, "File was not found")
        self.assertRaises(FileNotFoundError, self.server.ask, "GET", "x")
        for answer, method in (
            ((404, b"Nothing", "text/html"), "GET"),
            ((404, b"{}", "application/json"), "PUT"),
        ):
            error = self.refused(*answer, method=method)
            self.assertEqual(error.status, 404)
            self.assertIn("no file API", str(error))

    def test_detail(self) -> None:
        """The server's own words are in the error; what is no such words is left out."""
        self.assertIn("500 (Broken): look into its log", str(self.refused(500, b'{"detail": "Broken"}')))
        for body in (b"", b"{", b"[]", b"{}", b"null", b"\xff"):
            self.assertIn("answered 500: look into its log", str(self.refused(500, body)))
        self.assertLess(len(str(self.refused(500, b'{"detail": "%s"}' % (b"x" * 10_000)))), 400)

    def test_redirect(self) -> None:
        """A redirect is not followed, but told: the key is for one server only."""
        error = self.refused(308, b"", "text/plain", (("Location", "https://b.example/"),))
        self.assertIn("set URL to where it says it is, https://b.example/", str(error))

    def test_refused_before_it_was_sent(self) -> None:
        """A server that refuses a large file at once is heard, and the rest is not sent to its end."""
        self.fake.refusal = problem(413, "Too large")
        sent: list[int] = []

        def body() -> Iterator[bytes]:
            for number in range(100):
                sent.append(number)
                yield bytes(1_000_000)

        error = self.assertRaises(FileserveError, self.server.ask, "PUT", "files/x", LENGTH, body())
        self.assertEqual(error.status, 413)
        self.assertLess(len(sent), 100)

    def test_content_that_fails(self) -> None:
        """What the content raises comes through as it is, and the server has no file of it."""
        missing = FileNotFoundError("the disk of the caller")

        def body() -> Iterator[bytes]:
            yield bytes(1000)
            raise missing

        error = self.assertRaises(OSError, self.server.ask, "PUT", "files/x", LENGTH, body())
        self.assertIs(error, missing)
        self.assertEqual(self.fake.files, {})

    def test_closes(self) -> None:
        """However it goes, no connection stays open."""
        self.fake.refusal = Refusal(200, b"{}")
        before = descriptors()
        answer = self.server.ask("GET", "x")
        answer.close()
        for status in (308, 404, 503):
            self.refused(status, b"x" * 100_000, "text/plain")
        self.fake.refusal = problem(404, "File was not found")
        self.assertRaises(FileNotFoundError, self.server.ask, "HEAD", "x")
        deadline = time.monotonic() + 10
        while descriptors() > before and time.monotonic() < deadline:
            time.sleep(0.01)  # the other ends are in this process too
        self.assertEqual(descriptors(), before)


class NetworkTests(SynchronousTestCase):
    """What networks do."""

    def setUp(self) -> None:
        self.over = threading.Event()

    def listen(self, behave: Callable[[socket.socket], None]) -> Server:
        """A server that behaves so to its first connection."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def serve() -> None:
            with listener.accept()[0] as connection:
                behave(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.over.set)
        return Server(f"http://127.0.0.1:{listener.getsockname()[1]}", 10)

    def test_nobody(self) -> None:
        """Nobody listens, or there is no such host."""
        for url in (f"http://127.0.0.1:{free_port()}", "http://host.invalid"):
            error = self.assertRaises(FileserveUnreachable, Server(url, 10).ask, "GET", "x")
            self.assertIsInstance(error, ConnectionError)
            self.assertIn(f"fileserve at {url} can't be reached (", str(error))
            self.assertIsNone(error.status)

    def test_no_answer(self) -> None:
        """The connection ends before, or within an answer, or what comes is no HTTP."""
        for said in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", b"SSH-2.0-OpenSSH_9.2\r\n"):

            def behave(connection: socket.socket, said: bytes = said) -> None:
                connection.recv(65536)
                connection.sendall(said)

            server = self.listen(behave)

            def ask(server: Server = server) -> object:
                with closing(server.ask("GET", "x")) as answer:
                    return answer.json()

            self.assertRaises(FileserveUnreachable, ask)

    def test_stalls(self) -> None:
        """A server that takes nothing, or stops in the middle of an answer, is given up."""

        def stops(connection: socket.socket) -> None:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            self.over.wait()

        server = Server(self.listen(lambda connection: cast(None, self.over.wait())).base_url, 0.2)
        body = (bytes(1_000_000) for _ in range(100))
        error = self.assertRaises(FileserveTimeout, server.ask, "PUT", "files/x", LENGTH, body)
        self.assertIsInstance(error, TimeoutError)
        self.assertIn("0.2 seconds", str(error))
        answer = Server(self.listen(stops).base_url, 0.2).ask("GET", "x")
        with closing(answer):
            self.assertRaises(FileserveTimeout, answer.json)

    def test_no_key_in_tracebacks(self) -> None:
        """Not even with the variables of all frames does an error show the upload key."""

        def hangs_up(connection: socket.socket) -> None:
            connection.recv(1)

        for behave in (lambda connection: cast(None, self.over.wait()), hangs_up):
            url = self.listen(behave).base_url
            shown = ""
            try:
                # So long a key does not fit into the buffers of a connection: sending it is what fails.
                Server(url, 0.2, KEY * 1_000_000).ask("PUT", "files/x", LENGTH, [b"1"])
            except FileserveError as error:
                shown = "".join(TracebackException.from_exception(error, capture_locals=True).format())
            self.assertIn("Server(base_url=", shown)
            self.assertFalse(KEY in shown, "the key is shown")

    def test_tls(self) -> None:
        """With https the server has to prove who it is; one without TLS can't."""
        server = Server(self.listen(lambda connection: None).base_url.replace("http", "https"), 10)
        self.assertRaises(FileserveUnreachable, server.ask, "GET", "x")


class ErrorTests(SynchronousTestCase):
    """The errors themselves."""

    def test_pickle(self) -> None:
        """They travel between processes, as tests in parallel and task queues want it."""
        error = FileserveError("a sentence", 503)
        again = pickle.loads(pickle.dumps(error))
        self.assertEqual((str(again), again.status), ("a sentence", 503))


class ImportTests(SynchronousTestCase):
    """What comes with it into somebody's process."""

    def test_nothing_else(self) -> None:
        """Neither Twisted nor the rest of fileserve, nor what they need."""
        program = "import sys, fileserve.contrib.django; print(*sorted(sys.modules))"
        words = [sys.executable, "-W", "error", "-c", program]
        done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=True)
        modules = set(done.stdout.split())
        ours = {name for name in modules if name.startswith("fileserve")}
        self.assertEqual({name for name in ours if not name.startswith("fileserve.contrib")}, {"fileserve"})
        self.assertFalse({"twisted", "klein", "attr", "zope.interface", "sqlalchemy"} & modules)
