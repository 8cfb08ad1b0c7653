"""
Programs of others that read ZIP files, as judges of ours.

Each is asked for two things: the names, having read every member to its end, and to unpack.  A reader that
is not installed skips the test with a printed reason, or fails it where ``FILESERVE_REQUIRE_ALL`` is set.
"""

from __future__ import annotations

import os
import subprocess
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Protocol

from stream_unzip import UnzipError, stream_unzip

from tests.integration.server import missing, need

_JAVA_SOURCE = Path(__file__).parent / "java" / "Reader.java"

# Whatever the language and encoding of whoever runs the tests. Far from Greenwich, a time that is meant as
# UTC and taken as local can't come out right.
_ENVIRONMENT = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "TST-5:45"}

_CHUNK = 1 << 20


class Rejected(Exception):
    """
    A reader found fault with an archive, or warned of it. The text says how.
    """


class Reader(Protocol):
    """
    One program that reads ZIP files.
    """

    def require(self) -> None:
        """
        Go on only where it is installed.
        """

    def read(self, archive: Path) -> Sequence[bytes]:
        """
        Read every member, and check its CRC-32 where the program does.

        :return: the names, in the program's order.
        :raise Rejected: the archive is not sound.
        """

    def unpack(self, archive: Path, folder: Path) -> None:
        """
        Unpack into an empty folder.

        :raise Rejected: as above.
        """


class PythonZipfile:
    """``zipfile`` of Python's standard library."""

    def require(self) -> None:
        """Python has it."""

    def read(self, archive: Path) -> Sequence[bytes]:
        try:
            with zipfile.ZipFile(archive) as opened:
                bad = opened.testzip()
                names = [name.encode() for name in opened.namelist()]
        except zipfile.BadZipFile as error:
            raise Rejected(str(error)) from error
        if bad is not None:
            raise Rejected(f"the CRC-32 of {bad} is wrong")
        return names

    def unpack(self, archive: Path, folder: Path) -> None:
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder)


class InfoZip:
    """``unzip`` of Info-ZIP."""

    # Of an archive without members, that status and no other.
    _WARNS_OF_NOTHING = 1

    def require(self) -> None:
        need("unzip")

    def read(self, archive: Path) -> Sequence[bytes]:
        if _is_empty(archive):
            done = _run(["unzip", "-t", str(archive)])
            warned = b"zipfile is empty" in done.stdout + done.stderr
            if done.returncode != self._WARNS_OF_NOTHING or not warned:
                raise Rejected(_said(done))
            return []
        _sound(["unzip", "-tqq", str(archive)])
        return _sound(["unzip", "-Z1", str(archive)]).splitlines()

    def unpack(self, archive: Path, folder: Path) -> None:
        _sound(["unzip", "-qq", str(archive), "-d", str(folder)])


class SevenZip:
    """``7z``."""

    def require(self) -> None:
        need("7z")

    def read(self, archive: Path) -> Sequence[bytes]:
        verdict = _sound(["7z", "t", "-bd", str(archive)])
        if b"Everything is Ok" not in verdict or b"WARNING" in verdict.upper():
            raise Rejected(verdict.decode())
        listing = _sound(["7z", "l", "-slt", "-ba", "-sccUTF-8", str(archive)])
        path = b"Path = "
        kinds = (b"Folder = +", b"Folder = -")
        lines = [line for line in listing.splitlines() if line.startswith((path, *kinds))]
        return [
            line.removeprefix(path) + (b"/" if kind == kinds[0] else b"")
            for line, kind in zip(lines[::2], lines[1::2], strict=True)
        ]

    def unpack(self, archive: Path, folder: Path) -> None:
        _sound(["7z", "x", "-bd", f"-o{folder}", str(archive)])


class Bsdtar:
    """``bsdtar`` (libarchive), which gets the archive through a pipe."""

    def require(self) -> None:
        need("bsdtar")

    def read(self, archive: Path) -> Sequence[bytes]:
        # Listing passes over the data, so the CRC-32 is checked by unpacking into nothing.
        _sound_from_pipe(["bsdtar", "-xOf", "-"], archive, subprocess.DEVNULL)
        return _sound_from_pipe(["bsdtar", "-tf", "-"], archive).splitlines()

    def unpack(self, archive: Path, folder: Path) -> None:
        _sound_from_pipe(["bsdtar", "-xf", "-", "-C", str(folder)], archive)


class _Java:
    way: ClassVar[str]

    def require(self) -> None:
        need("java")
        # A runtime alone can't compile our source.
        if _run(["java", "--describe-module", "jdk.compiler"]).returncode:
            missing("java is installed, its compiler is not")

    def read(self, archive: Path) -> Sequence[bytes]:
        return self._sound(archive)

    def unpack(self, archive: Path, folder: Path) -> None:
        self._sound(archive, str(folder))

    def _sound(self, archive: Path, *folder: str) -> Sequence[bytes]:
        # File names follow the locale; without UTF-8 there, Java knows only ASCII ones.
        command = ["java", "-XX:TieredStopAtLevel=1", str(_JAVA_SOURCE), self.way, str(archive), *folder]
        return _sound(command).split(b"\0")[:-1]


class JavaZipFile(_Java):
    """``java.util.zip.ZipFile``."""

    way = "file"


class JavaZipInputStream(_Java):
    """``java.util.zip.ZipInputStream``."""

    way = "stream"


class StreamUnzip:
    """``stream-unzip`` of PyPI. It has no unpacking of its own, so that is as simple as it can be."""

    def require(self) -> None:
        """The tests need it anyhow."""

    def read(self, archive: Path) -> Sequence[bytes]:
        try:
            return [name for name, _ in self._members(archive)]
        except UnzipError as error:
            raise Rejected(repr(error)) from error

    def unpack(self, archive: Path, folder: Path) -> None:
        for name, chunks in self._members(archive):
            path = folder / name.decode()
            if name.endswith(b"/"):
                path.mkdir(parents=True, exist_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"".join(chunks))

    def _members(self, archive: Path) -> Iterator[tuple[bytes, Iterator[bytes]]]:
        with archive.open("rb") as file:
            for name, _, chunks in stream_unzip(iter(lambda: file.read(_CHUNK), b""), chunk_size=_CHUNK):
                yield name, chunks
                for _ in chunks:
                    pass


def _is_empty(archive: Path) -> bool:
    return archive.stat().st_size == 22  # the end of the central directory alone (APPNOTE section 4.3.16)


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, env=_ENVIRONMENT, check=False
    )


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    text = (done.stdout or b"") + done.stderr
    return f"{done.args[0]}, status {done.returncode}: {text.decode('utf-8', 'backslashreplace')}"


def _sound(command: Sequence[str]) -> bytes:
    """
    Run a reader that must neither fail nor warn.
    """
    done = _run(command)
    if done.returncode or done.stderr.strip():
        raise Rejected(_said(done))
    return done.stdout


def _sound_from_pipe(command: Sequence[str], archive: Path, output: int = subprocess.PIPE) -> bytes:
    with subprocess.Popen(["cat", str(archive)], stdout=subprocess.PIPE) as cat:
        done = subprocess.run(
            command, stdin=cat.stdout, stdout=output, stderr=subprocess.PIPE, env=_ENVIRONMENT, check=False
        )
    if done.returncode or done.stderr.strip():
        raise Rejected(_said(done))
    return done.stdout or b""
