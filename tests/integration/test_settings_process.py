"""
Tests of starting ``twist fileserve``: what it refuses, in which words, and what it starts with.
"""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.postgres import fresh_database

from .clients import LOOPBACK, PATIENCE
from .server import ENDPOINT, TWIST, environment, folder, launch, start
from .trees import make_album

BAD_OPTIONS = [
    ("--path", ""),
    ("--listen", "nonsense"),
    ("--listen", "tcp:99999"),
    ("--listen", "tcp:http"),
    ("--listen", "ssl:8443:privateKey=/nowhere.pem"),
    ("--listen", "systemd:domain=INET:name=http"),
    ("--admin", "carrier-pigeon:1"),
    ("--state", ""),
    ("--database", "mysql://host/name"),
    ("--trust-proxy", "10.0.0.1/8"),
    ("--trust-proxy", "localhost"),
    ("--stall-timeout", "0"),
    ("--stall-timeout", "soon"),
    ("--drain", "-1"),
    ("--drain", "nan"),
]

BAD_VARIABLES = [
    ("BASE_FILE_STORAGE_PATH", "", "--path"),
    ("ENABLE_LOGGING", "perhaps", "--logging"),
    ("ENABLE_RESPONSE_DELAY", "2", "--delay"),
    ("FILESERVE_LISTEN", "tcp:0 nonsense", "--listen"),
    ("FILESERVE_ADMIN", "nonsense", "--admin"),
    ("FILESERVE_STATE", "", "--state"),
    ("FILESERVE_DATABASE", "oracle://host", "--database"),
    ("FILESERVE_TRUST_PROXY", "proxy.example", "--trust-proxy"),
    ("FILESERVE_STALL_TIMEOUT", "-5", "--stall-timeout"),
    ("FILESERVE_DRAIN", "30s", "--drain"),
]


class ProcessCase(SynchronousTestCase):
    """Processes that are to end by themselves."""

    def setUp(self) -> None:
        self.root, self.state = folder(self), folder(self)

    def twist(self, *options: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*TWIST, "--log-level=error", "fileserve", *options],
            cwd=self.state,
            env=environment(**variables),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def refused(self, *options: str, **variables: str) -> str:
        """
        It ends with status 1, and says why in one line on standard error.
        """
        done = self.twist("--path", str(self.root), "--state", str(self.state), *options, **variables)
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        return done.stderr.strip()


class RefusedTests(ProcessCase):
    """Unusable values."""

    def test_bad_options(self) -> None:
        """One sentence that names the option, for each that can't be used."""
        for option, value in BAD_OPTIONS:
            said = self.refused(option, value)
            self.assertTrue(said.startswith(f"twist fileserve: {option}: "), said)
            self.assertTrue(said.endswith("."), said)

    def test_bad_variables(self) -> None:
        """The same for the environment; the sentence names the variable too."""
        for variable, value, option in BAD_VARIABLES:
            done = self.twist(**{variable: value})
            said = done.stderr.strip()
            self.assertEqual((done.returncode, len(done.stderr.splitlines())), (1, 1), said)
            self.assertTrue(said.startswith(f"twist fileserve: {option} (from {variable}): "), said)

    def test_what_is_no_option(self) -> None:
        """Unknown options and stray words are named."""
        self.assertIn("--nonsense", self.refused("--nonsense"))
        self.assertIn("'stray'", self.refused("stray"))
        self.assertIn("--drain", self.refused("--drain"))

    def test_missing_root(self) -> None:
        """A root that is no folder: a line that names it, even with logging off, and status 1."""
        for path in (self.root / "missing", Path(__file__)):
            self.assertEqual(
                self.refused("--path", str(path)), f"Base file storage path does not exist: {path}"
            )

    def test_port_in_use(self) -> None:
        """A port that somebody has: a sentence that names the endpoint, for either listener."""
        with socket.create_server((LOOPBACK, 0)) as taken:
            endpoint = f"tcp:{taken.getsockname()[1]}:interface={LOOPBACK}"
            for options in (("--listen", endpoint), ("--listen", ENDPOINT, "--admin", endpoint)):
                said = self.refused(*options)
                self.assertIn(endpoint, said)
                self.assertIn("in use", said)

    def test_unusable_databases(self) -> None:
        """A database that can't be opened: a sentence, without its password."""
        for url in (
            f"sqlite:///{self.root}/missing/x.db",
            f"sqlite:///{self.root}",
            "postgresql://user:pa55word@127.0.0.1:1/x",
            "postgresql+unheard://user:pa55word@host/x",
        ):
            said = self.refused("--database", url)
            self.assertIn("The catalogue can't be opened: ", said)
            self.assertNotIn("pa55word", said)

    def test_unusable_state_directory(self) -> None:
        """A state directory that can't be made: a sentence that names it."""
        self.assertIn(__file__, self.refused("--state", __file__))


class StartedTests(ProcessCase):
    """What it starts with."""

    def setUp(self) -> None:
        super().setUp()
        make_album(self.root, "album", {"1.txt": b"one"})

    def test_help_and_version(self) -> None:
        """``--help`` tells every option with its variable; ``--version`` is one line."""
        done = self.twist("--help")
        self.assertEqual(done.returncode, 0)
        text = "".join(done.stdout.split())
        for option, variable in (
            ("--path", "BASE_FILE_STORAGE_PATH"),
            ("--logging", "ENABLE_LOGGING"),
            ("--delay", "ENABLE_RESPONSE_DELAY"),
            *((f"--{name}", f"FILESERVE_{name.upper().replace('-', '_')}") for name in (
                "listen", "admin", "state", "database", "trust-proxy", "stall-timeout", "drain"
            )),
        ):  # fmt: skip
            self.assertIn(option, text)
            self.assertIn(f"[{variable};", text)
        self.assertRegex(self.twist("--version").stdout, r"\Afileserve \d+\.\d+\.\d+\n\Z")

    def test_reactors(self) -> None:
        """``twist --reactor`` is free to choose: nothing of ours chose before."""
        for reactor in ("epoll", "poll", "select", "asyncio"):
            server = start(self, self.root, twist=("--log-format=text", f"--reactor={reactor}"))
            self.assertEqual(server.ask("/archive/album/").status, 200, reactor)
            server.stop()

    def test_environment(self) -> None:
        """Every option can come from the environment, and the command line wins over it."""
        server = launch(
            self,
            "--drain",
            "1",
            environ={
                "BASE_FILE_STORAGE_PATH": str(self.root),
                "ENABLE_LOGGING": "Yes",
                "FILESERVE_LISTEN": f"{ENDPOINT} {ENDPOINT}",
                "FILESERVE_STATE": str(self.state / "made"),
                "FILESERVE_DRAIN": "600",
            },
        )
        server.wait_until_ready()
        ready = server.wait_for_log("fileserve is ready: ")
        self.assertEqual(ready.count(f"http://{LOOPBACK}:"), 2)
        server.ask("/archive/album/")
        server.wait_for_log('"GET /archive/alb…/" 200')
        self.assertTrue((self.state / "made" / "catalogue.sqlite").exists())

    def test_state_directory_of_systemd(self) -> None:
        """``STATE_DIRECTORY`` is the state directory where nothing else says; ours is made for us alone."""
        where = self.state / "given"
        launch(
            self, "--path", str(self.root), "--listen", ENDPOINT, environ={"STATE_DIRECTORY": str(where)}
        ).wait_until_ready()
        self.assertTrue((where / "catalogue.sqlite").exists())
        self.assertEqual(where.stat().st_mode & 0o777, 0o700)

    def test_postgresql(self) -> None:
        """The catalogue in PostgreSQL: nothing is written beside it, and a restart remembers."""
        url = fresh_database(self)
        for _ in range(2):
            server = start(self, self.root, "--database", url)
            self.assertEqual(server.ask("/archive/album/").status, 200)
            self.assertEqual(server.stop(), -15)
            self.assertNotIn("Traceback", server.log)

    def test_home_page(self) -> None:
        """``/`` says what this server is, and names no album."""
        page = start(self, self.root).ask("/")
        self.assertEqual((page.status, page["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertNotIn(b"album/", page.body.replace(b"/archive/&lt;album&gt;/", b""))
        self.assertIn("default-src 'none'", page["Content-Security-Policy"])
