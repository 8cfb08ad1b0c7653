"""
Tests of installing: however it is done, ``twist`` has ``fileserve`` afterwards.
"""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
import venv
import zipfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server import PROJECT, environment, folder, missing

SOURCES = ("LICENSE", "README.rst", "fileserve", "pyproject.toml", "setup.py", "twisted")
LEFT_BEHIND = shutil.ignore_patterns("__pycache__", "dropin.cache")

# What pip says where it can't get setuptools to build with.
OFFLINE = ("No matching distribution found", "Failed to establish a new connection")


class InstallTests(SynchronousTestCase):
    """Each way of installing, in a fresh virtual environment and from a copy of the sources."""

    def setUp(self) -> None:
        self.folder = folder(self)
        self.sources = self.folder / "sources"
        self.sources.mkdir()
        for name in SOURCES:
            if (PROJECT / name).is_dir():
                shutil.copytree(PROJECT / name, self.sources / name, ignore=LEFT_BEHIND)
            else:
                shutil.copy(PROJECT / name, self.sources)
        self.python = self.folder / "venv" / "bin" / "python"
        venv.create(self.folder / "venv", with_pip=True)
        # The libraries are those of this test's Python: to fetch them would take minutes and prove nothing.
        (self.site() / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def site(self) -> Path:
        return next((self.folder / "venv" / "lib").glob("python*/site-packages"))

    def run_python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: text for name, text in environment().items() if name != "PYTHONPATH"}
        return subprocess.run(
            [self.python, *arguments],
            cwd=self.folder,
            env=inherited,
            capture_output=True,
            text=True,
            check=False,
        )

    def pip(self, *arguments: str) -> None:
        done = self.run_python("-m", "pip", *arguments)
        if done.returncode and any(words in done.stderr for words in OFFLINE):
            missing("pip can't reach a package index")
        self.assertEqual(done.returncode, 0, done.stderr)

    def check(self, place: Path) -> None:
        """``twist`` lists the program, and it comes from where it was installed."""
        for program, expected in (
            (["-c", "import fileserve; print(fileserve.__file__)"], str(place / "fileserve" / "__init__.py")),
            (["-m", "twisted", "--help"], " fileserve "),
            (["-m", "twisted", "fileserve", "--version"], "fileserve 0."),
        ):
            self.assertIn(expected, self.run_python(*program).stdout)

    def install(self, *what: str) -> None:
        # What is installed beside this test is none of our business here.
        self.pip("install", "--no-deps", "--ignore-installed", *what)

    def test_folder(self) -> None:
        """``pip install .`` installs it."""
        self.install(str(self.sources))
        self.check(self.site())

    def test_editable(self) -> None:
        """``pip install -e .`` makes Twisted look for plug-ins in the sources."""
        self.install("--editable", str(self.sources))
        self.check(self.sources)

    def test_wheel(self) -> None:
        """A wheel has every file of the packages, and installs it."""
        ours = [path for name in ("fileserve", "twisted") for path in (self.sources / name).rglob("*")]
        expected = {str(path.relative_to(self.sources)) for path in ours if path.is_file()}
        self.pip("wheel", "--no-deps", "--wheel-dir", str(self.folder), str(self.sources))
        (wheel,) = self.folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            held = {name for name in archive.namelist() if ".dist-info/" not in name}
        self.assertEqual(held, expected)
        self.install(str(wheel))
        self.check(self.site())
