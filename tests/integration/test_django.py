"""
Tests of Django with a real server: one that lets everybody upload, one that wants its key, and one that dies.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from twisted.trial.unittest import SynchronousTestCase

from fileserve.contrib.django import FileserveError, FileserveStorage
from tests import djangocontract as contract
from tests.django_site import SETTINGS, admin, model, with_database, with_settings

from .server import Server, environment, folder, start
from .trees import MIB

_PROJECT = "tests.integration.django_project"


class ServerCase(SynchronousTestCase):
    """A server that wants its upload key."""

    options: tuple[str, ...] = ()

    def start_server(self) -> Mapping[str, Any]:
        self.root, state = folder(self) / "root", folder(self)
        self.root.mkdir()
        self.server: Server = start(self, self.root, *self.options, state=state)
        key = {} if self.options else {"UPLOAD_KEY_FILE": str(state / "upload-key")}
        return {"URL": f"http://127.0.0.1:{self.server.port}", **key}


class ModelTests(ServerCase, contract.ModelTests):
    """Fields of models."""


class AdminTests(ServerCase, contract.AdminTests):
    """The admin's pages."""


class StorageTests(ServerCase, contract.StorageTests):
    """The methods of the storage."""


class UploadKeyTests(ServerCase, contract.UploadKeyTests):
    """A wrong upload key."""


class OpenUploadsTests(ServerCase, contract.OpenUploadsTests):
    """The storage of before, at a server that lets everybody upload."""

    options = ("--open-uploads",)

    def test_no_key(self) -> None:
        """The storage of now saves without a key as well."""
        self.assertEqual(self.read(self.save()), contract.DATA)


class FailureTests(ServerCase):
    """A server that can't, or is gone."""

    def begin(self, *options: str) -> None:
        self.options = options
        settings = self.start_server()
        with_settings(self, FILESERVE=settings)
        with_database(self)
        self.client = admin()

    def refused(self, *words: str, size: int = 1) -> None:
        """Nothing is saved, by a model or the admin, and the error says why."""
        content = bytes(size)
        note = model("Note")(file=ContentFile(content, "a.txt"))
        upload = {"file": SimpleUploadedFile("a.txt", content)}
        for save in (note.save, lambda: self.client.post("/admin/films/note/add/", upload)):
            error = str(self.assertRaises(FileserveError, save))
            for word in words:
                self.assertIn(word, error)
        self.assertEqual(model("Note").objects.count(), 0)

    def test_away(self) -> None:
        """A server that was stopped; what was saved before is there when it's back."""
        self.begin("--open-uploads")
        name = FileserveStorage().save("a.txt", ContentFile(b"1"))
        self.server.stop()
        self.refused("can't be reached", "look whether it runs")
        self.assertRaises(FileserveError, FileserveStorage().exists, name)

    def test_too_large(self) -> None:
        """A file over its limit, with the length known and unknown."""
        self.begin("--open-uploads", "--max-upload", "1M")
        self.refused("413", "--max-upload", size=30 * MIB)
        text = ContentFile("x" * 30 * MIB)
        self.assertEqual(self.assertRaises(FileserveError, FileserveStorage().save, "a", text).status, 413)
        self.assertEqual([path for path in self.root.rglob("*") if path.is_file()], [])

    def test_full(self) -> None:
        """A disk without room."""
        self.begin("--open-uploads", "--min-free", "1024T")
        self.refused("507", "--min-free")


class ProcessTests(ServerCase):
    """What is only seen in a process of its own."""

    def run_project(self, module: str, *arguments: str, **fileserve: Any) -> str:
        """Run a program of the project, with an empty database."""
        where = folder(self)
        variables = {
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "DJANGO_DATABASE": str(where / "db"),
            "DJANGO_FILESERVE": json.dumps(fileserve),
        }
        done = subprocess.run(
            [sys.executable, "-b", "-W", "error", "-m", f"{_PROJECT}.{module}", *arguments],
            cwd=where,
            env=environment(**variables),
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_makemigrations(self) -> None:
        """Nothing is left to migrate."""
        self.assertEqual(self.run_project("manage", "makemigrations", "--check"), "No changes detected\n")

    def test_checks(self) -> None:
        """Django's own checks find nothing."""
        self.assertIn("no issues", self.run_project("manage", "check"))

    def large(self, known: str) -> None:
        size, digest = 1 << 30, hashlib.sha256()
        for _ in range(size // MIB):
            digest.update(bytes(MIB))
        settings = {**self.start_server(), "TIMEOUT": 300}
        told = json.loads(self.run_project("save_large", str(size), known, **settings))
        self.assertEqual((told["size"], told["sha256"]), (size, digest.hexdigest()))
        self.assertLess(told["grown"], 8 * MIB)

    def test_large_file(self) -> None:
        """A file of 1 GiB is saved and read with no more memory than one of 4 MiB."""
        self.large("known")

    def test_large_pipe(self) -> None:
        """So is what comes through a pipe."""
        self.large("unknown")
