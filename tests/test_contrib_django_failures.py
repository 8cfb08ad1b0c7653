"""
Tests of `fileserve.contrib.django` with a server that fails, with one that is no fileserve, and with none.
"""

from __future__ import annotations

from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile

from fileserve.contrib.django import FileserveError, FileserveStorage, FileserveTimeout, FileserveUnreachable
from tests.django_site import admin, model, with_database, with_settings
from tests.fake_fileserve import KEY, FakeCase, Refusal, problem
from tests.integration.server import free_port

SHORT = "BmV4w7oL9idaLjVBmfQXZe"


class NothingSavedTests(FakeCase):
    """What becomes of a model where the storage fails."""

    def setUp(self) -> None:
        self.settings = self.start_server()
        with_settings(self, FILESERVE=self.settings)
        with_database(self)
        self.client = admin()

    def expect(self, error: type[FileserveError], *words: str) -> None:
        """Neither ``save`` nor the admin writes a row."""
        client, note = self.client, model("Note")(file=SimpleUploadedFile("a.txt", b"1"))
        for save in (note.save, lambda: client.post("/admin/films/note/add/", {"file": self.upload()})):
            said = str(self.assertRaises(error, save))
            for word in words:
                self.assertIn(word, said)
            self.assertNotIn(KEY, said)
        self.assertEqual(model("Note").objects.count(), 0)
        self.assertEqual(self.fake.files, {})

    def upload(self) -> SimpleUploadedFile:
        return SimpleUploadedFile("a.txt", b"1")

    def test_away(self) -> None:
        """A server that is away."""
        with_settings(self, FILESERVE={"URL": f"http://127.0.0.1:{free_port()}"})
        self.expect(FileserveUnreachable, "can't be reached", "look whether it runs")

    def test_silent(self) -> None:
        """A server that says nothing."""
        with_settings(self, FILESERVE={**self.settings, "TIMEOUT": 0.2})
        self.fake.silent = True
        self.expect(FileserveTimeout, "0.2 seconds", "TIMEOUT")

    def test_refusals(self) -> None:
        """A server that refuses: each error says what to do, and what the server said."""
        for status, advice in {413: "--max-upload", 429: "wait", 503: "try again later", 507: "room"}.items():
            self.fake.refusal = problem(status, "Because of the test")
            self.expect(FileserveError, f"{status} (Because of the test)", advice)

    def test_page_of_an_error(self) -> None:
        """A debug page, with all variables of all frames, does not show the upload key."""
        with_settings(self, DEBUG=True)
        self.client.raise_request_exception = False
        self.fake.refusal = problem(507, "Full")
        for url in (self.fake.url, f"http://127.0.0.1:{free_port()}"):
            with_settings(self, FILESERVE={"URL": url, "UPLOAD_KEY": KEY})
            answer = self.client.post("/admin/films/note/add/", {"file": self.upload()})
            self.assertEqual(answer.status_code, 500)
            self.assertIn("fileserve at http://127.0.0.1", answer.content.decode())
            self.assertNotIn(KEY, answer.content.decode())


class StrangersTests(FakeCase):
    """Servers that are no fileserve, or not as it should be."""

    def setUp(self) -> None:
        with_settings(self, FILESERVE=self.start_server())
        self.storage = FileserveStorage()

    def test_other_server(self) -> None:
        """What another server answers is an error, never a missing file; above all when deleting."""
        storage = self.storage
        for status in (404, 302, 200):
            location = ("Location", "https://elsewhere.example/")
            self.fake.refusal = Refusal(status, b"<!doctype html>", "text/html", (location,))
            for ask in (storage.exists, storage.size, storage.delete if status != 200 else storage.exists):
                self.assertIn("URL", str(self.assertRaises(FileserveError, ask, SHORT)))
            self.assertRaises(FileserveError, storage.save, "a", ContentFile(b"1"))

    def test_no_file_api(self) -> None:
        """A fileserve without this API has no place for a file, which is not the same as having no file."""
        self.fake.refusal = problem(404, "No such page")
        error = self.assertRaises(FileserveError, self.storage.save, "a", ContentFile(b"1"))
        self.assertIn("no file API", str(error))

    def test_broken_answers(self) -> None:
        """JSON that is broken, or says something else, is an error too."""
        for body in (b'{"short_name": ', b"[]", b'{"short_name": "../x"}', b"{}", b"[" * 100_000, b"\xff"):
            self.fake.refusal = Refusal(201, body, "application/json")
            for work in (lambda: self.storage.save("a", ContentFile(b"1")), lambda: self.storage.size(SHORT)):
                self.assertIn("is no fileserve", str(self.assertRaises(FileserveError, work)))
