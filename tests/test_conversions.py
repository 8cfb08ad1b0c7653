"""
Tests of what the texts of options mean.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from math import isfinite
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from fileserve.conversions import (
    album,
    database_url,
    days,
    directory,
    endpoint,
    file_name,
    positive_seconds,
    positive_size,
    seconds,
    size,
    storage,
    switch,
)
from fileserve.storage.s3location import S3Location

ROOT = Path(__file__).parent.parent


class ConversionTests(SynchronousTestCase):
    """What each kind of text becomes, and what is refused."""

    def refuse(self, convert: Callable[[str], object], *texts: str) -> None:
        for text in texts:
            with self.assertRaises(ValueError, msg=text) as caught:
                convert(text)
            sentence = str(caught.exception)
            self.assertTrue(sentence.endswith("."), sentence)
            self.assertNotIn("\n", sentence)

    def test_switch_on(self) -> None:
        """1, true, yes and on switch on, in any case."""
        for text in ("1", "true", "yes", "on", "TRUE", "Yes", "oN"):
            self.assertIs(switch(text), True, text)

    def test_switch_off(self) -> None:
        """0, false, no and off switch off, in any case."""
        for text in ("0", "false", "no", "off", "FALSE", "No", "oFF"):
            self.assertIs(switch(text), False, text)

    def test_not_a_switch(self) -> None:
        """Nothing else is a switch: not another number, not nothing, not a word with a space."""
        self.refuse(switch, "", "2", "01", "y", "t", "enabled", " 1", "on ", "None")

    def test_directory(self) -> None:
        """A directory is taken as it is, and need not exist."""
        self.assertEqual(directory("no/such place"), "no/such place")

    def test_no_directory(self) -> None:
        """An empty name is refused: it would mean the current folder by accident."""
        self.refuse(directory, "")

    def test_file_name(self) -> None:
        """The name of a file is taken as it is; nothing, and what can only be a directory, is refused."""
        self.assertEqual(file_name("no/such file"), "no/such file")
        self.refuse(file_name, "", "keys/", "/")

    def test_storage_on_disk(self) -> None:
        """What follows ``file:`` is a directory, whatever characters it has; three slashes are one."""
        for text, path in (
            ("file:/srv/files", "/srv/files"),
            ("file:files", "files"),
            ("file:./a b%20c?d#e:f", "./a b%20c?d#e:f"),
            ("file:///srv/files", "/srv/files"),
        ):
            self.assertEqual(storage(text), path)

    def test_storage_in_s3(self) -> None:
        """A part of a bucket, with the server and its region."""
        self.assertEqual(
            storage("s3://bucket/a/b?endpoint=http://127.0.0.1:8333&region=eu-1"),
            S3Location("bucket", "a/b", "http://127.0.0.1:8333", "eu-1"),
        )

    def test_no_storage(self) -> None:
        """A bare path, another scheme, another machine, and half an URL are refused."""
        self.refuse(
            storage,
            "",
            "/srv/files",
            "files",
            "file",
            "file:",
            "file://host/a",
            "File:/a",
            "ftp://host/a",
            "C:\\a",
        )
        for text in ("s3:", "s3://", "s3:bucket", "s3://UPPER", "s3://bucket/a//b", "s3://bucket?x=1"):
            with self.assertRaises(ValueError, msg=text):
                storage(text)

    def test_size(self) -> None:
        """Bytes, or a power of 1024 of them."""
        for text, number in (
            ("0", 0),
            ("1", 1),
            ("0007", 7),
            ("10K", 10_240),
            ("500M", 524_288_000),
            ("5G", 5_368_709_120),
            ("2T", 2_199_023_255_552),
            ("9223372036854775807", 2**63 - 1),
        ):
            self.assertEqual(size(text), number)

    def test_not_a_size(self) -> None:
        """Other units, fractions, signs, white space, and what nothing could hold, are refused."""
        self.refuse(
            size, "", "G", "5GB", "5g", "5 G", " 5", "5\n", "+5", "-5", "1.5G", "5P", "5KK", "1e3", "1_0",
            "0x5", "٣", "9223372036854775808", "8388608T", "9" * 100, "9" * 5000,
        )  # fmt: skip

    @given(st.text(), st.sampled_from(["", "K", "M", "G", "T", "B", "k"]))
    def test_any_text_as_size(self, text: str, unit: str) -> None:
        """Whatever the text is, it becomes a number that 64 bits hold, or is refused."""
        try:
            number = size(text + unit)
        except ValueError:
            return
        self.assertTrue(0 <= number < 2**63)

    @given(st.integers(0, 2**22), st.sampled_from("KMGT"))
    def test_sizes(self, number: int, unit: str) -> None:
        """A unit is a power of 1024, and nothing is rounded."""
        self.assertEqual(size(f"{number}{unit}"), number << 10 * (1 + "KMGT".index(unit)))

    def test_positive_size(self) -> None:
        """Zero is refused where it would refuse everything, however it is written."""
        self.assertEqual(positive_size("1"), 1)
        self.refuse(positive_size, "0", "00", "0G", "x")

    def test_seconds(self) -> None:
        """Seconds may have a fraction, and may be none."""
        self.assertEqual([seconds("0"), seconds("30"), seconds("0.25")], [0, 30, 0.25])

    def test_not_seconds(self) -> None:
        """What is no finite, plain decimal number is refused."""
        self.refuse(seconds, "", "-1", "+1", "1s", "inf", "nan", "1e3", "1_0", " 1", "1\n", ".5", "5.", "٣")
        self.refuse(seconds, "9" * 400)

    @given(st.text())
    def test_any_text_as_seconds(self, text: str) -> None:
        """Whatever the text is, it becomes a finite number that is not negative, or is refused."""
        try:
            number = seconds(text)
        except ValueError:
            return
        self.assertTrue(isfinite(number) and number >= 0)

    @given(st.floats(min_value=0.001, max_value=1e9).map(lambda number: f"{number:f}"))
    def test_decimals(self, text: str) -> None:
        """A number printed with decimals is read back."""
        self.assertEqual(positive_seconds(text), float(text))

    def test_positive_seconds(self) -> None:
        """Zero is refused where a time limit must be, however it is written."""
        self.assertEqual(positive_seconds("0.5"), 0.5)
        self.refuse(positive_seconds, "0", "0.0", "000", "-1", "x")

    def test_album(self) -> None:
        """The name of an album is taken as it is; an empty text is none."""
        for text in ("gallery", "3bea29ccabbbf64bdebcc055319c5745", "-._~A9", "a" * 128):
            self.assertEqual(album(text), text)
        self.assertIsNone(album(""))

    def test_no_album(self) -> None:
        """What can't be the name of an album is refused, however long it is."""
        self.refuse(album, ".", "..", ".a", "a/b", "a b", " ", "\u00e9", "a\n", "a" * 129, "/" * 10_000)

    @given(st.integers(min_value=1, max_value=99_999))
    def test_days(self, number: int) -> None:
        """Whole numbers of days are read, with and without zeros before them."""
        self.assertEqual(days(str(number)), number)
        self.assertEqual(days(f"{number:05}"), number)

    def test_no_days(self) -> None:
        """No days, parts of days, too many and other digits are refused."""
        self.refuse(days, "", "0", "00000", "-1", "1.5", "1d", " 1", "1\n", "100000", "9" * 5000, "\u0661")

    def test_database(self) -> None:
        """URLs of SQLite and PostgreSQL are taken as they are, with or without a driver."""
        for url in (
            "sqlite:////var/lib/fileserve/catalogue.sqlite",
            "postgresql://user@host/name",
            "postgresql+psycopg://user:secret@/name?host=/run/postgresql",
        ):
            self.assertEqual(database_url(url), url)

    def test_other_database(self) -> None:
        """Other databases and things that are no URL are refused."""
        self.refuse(database_url, "", "catalogue.sqlite", "mysql://host/name", "sqlite", "postgresql:name")

    def test_database_secret(self) -> None:
        """The sentence about a database URL repeats nothing of it, because it may hold a password."""
        with self.assertRaises(ValueError) as caught:
            database_url("mysql://me:hunter2@host/name")
        self.assertNotIn("hunter2", str(caught.exception))


class EndpointTests(SynchronousTestCase):
    """Endpoint strings are checked before anything listens."""

    def test_usable(self) -> None:
        """The kinds of endpoint that Twisted has are taken as they are."""
        for text in (
            "tcp:0",
            "tcp:8080",
            "tcp:port=65535:interface=127.0.0.1",
            r"tcp6:8080:interface=\:\:1",
            "unix:/run/fileserve.sock:mode=660",
            "haproxy:tcp:8080",
        ):
            self.assertEqual(endpoint(text), text)

    def test_unusable(self) -> None:
        """What Twisted could not listen on is refused, and the sentence holds the string."""
        for text in (
            "",
            "8080",
            "tcp",
            "tcp:",
            "tcp:http",
            "tcp:65536",
            "tcp:-1",
            "tcp:port=99999",
            "tcp6:65536",
            "tcp:80:colour=red",
            "tcp:8080:interface=::1",
            "tcp:80\\",
            "haproxy:tcp:65536",
            "unix",
            "unix:/run/x:mode=9",
            "gopher:70",
            "ssl:443:privateKey=/no/such/file.pem",
        ):
            with self.assertRaises(ValueError, msg=text) as caught:
                endpoint(text)
            self.assertIn(repr(text), str(caught.exception))

    def test_no_socket_from_systemd(self) -> None:
        """A socket that systemd did not hand over is refused in words that say so."""
        for text in ("systemd:domain=INET:name=http", "systemd:domain=INET:index=0"):
            with self.assertRaisesRegex(ValueError, "systemd handed over no socket"):
                endpoint(text)

    def test_no_reactor(self) -> None:
        """Looking at endpoints, TLS included, installs no reactor: ``twist --reactor`` has yet to choose."""
        script = (
            "import sys\n"
            "from fileserve.settings import Options\n"
            "for text in ['tcp:1', 'unix:/x', 'tcp6:1', 'haproxy:tcp:1']:\n"
            "    Options({'FILESERVE_LISTEN': text}).parseOptions([])\n"
            "try:\n"
            "    Options({'FILESERVE_LISTEN': 'ssl:443'}).parseOptions([])\n"
            "except SystemExit:\n"
            "    print('twisted.internet.ssl' in sys.modules)\n"
            "print([name for name in ('klein', 'twisted.internet.reactor') if name in sys.modules])\n"
        )
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        out = subprocess.run(
            [sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True
        ).stdout
        self.assertEqual(out, "True\n[]\n")
