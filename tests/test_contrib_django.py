"""
Tests of `fileserve.contrib.django`: with a server that keeps to the file API.
"""

from __future__ import annotations

import json
from typing import Any

from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import call_command
from django.db.migrations.writer import MigrationWriter
from twisted.trial.unittest import SynchronousTestCase

import fileserve.contrib.django
from fileserve.contrib.django import FileserveStorage
from tests import djangocontract as contract
from tests.django_site import set_up, with_database, with_settings
from tests.fake_fileserve import KEY, FakeCase, Refusal, start
from tests.integration.server import folder

SHORT = "BmV4w7oL9idaLjVBmfQXZe"


class ModelTests(FakeCase, contract.ModelTests):
    """Fields of models, with the fake."""


class AdminTests(FakeCase, contract.AdminTests):
    """The admin's pages, with the fake."""


class StorageTests(FakeCase, contract.StorageTests):
    """The methods of the storage, with the fake."""


class UploadKeyTests(FakeCase, contract.UploadKeyTests):
    """A wrong upload key, with the fake."""


class OpenUploadsTests(FakeCase, contract.OpenUploadsTests):
    """The storage of before, with the fake."""

    open_uploads = True


class NamesTests(SynchronousTestCase):
    """What files are called. No server is asked."""

    def setUp(self) -> None:
        set_up()
        self.storage = FileserveStorage()

    def test_folders(self) -> None:
        """Folders, of either kind, are left away; going up is refused as everywhere in Django."""
        for name in ("films/2026/a b.txt", "films\\a b.txt", "a b.txt"):
            self.assertEqual(self.storage.generate_filename(name), "a b.txt")
            self.assertEqual(self.storage.get_available_name(name), "a b.txt")
        self.assertRaises(SuspiciousFileOperation, self.storage.generate_filename, "../a.txt")

    def test_invisible(self) -> None:
        """What can't be seen, or turns the writing, is left away; where nothing stays, it's no name."""
        self.assertEqual(self.storage.get_valid_name(" a\x00\r\n\u202egpj.exe\ud800 "), "agpj.exe")
        for name in ("", " ", "\n", ".", " .. "):
            self.assertRaises(SuspiciousFileOperation, self.storage.get_valid_name, name)

    def test_cut(self) -> None:
        """Names are cut before the extension as long as something stays before it, and then anywhere."""
        for name, length, cut in (
            ("name.txt", 31, "name.txt"),
            ("name.txt", 30, "nam.txt"),
            ("name.txt", 28, "n.txt"),
            ("name.txt", 27, "name"),
            ("name", 26, "nam"),
            (".profile", 26, ".pr"),
        ):
            self.assertEqual(self.storage.get_available_name(name, length), cut)
        error = self.assertRaises(SuspiciousFileOperation, self.storage.get_available_name, "a", 23)
        self.assertIn("max_length=23", str(error))

    def test_no_path(self) -> None:
        """There is no path on a disk."""
        self.assertRaises(NotImplementedError, self.storage.path, SHORT)

    def test_no_name(self) -> None:
        """Without a name nothing is there, and nothing can be deleted."""
        with_settings(self, FILESERVE={"URL": "http://127.0.0.1:1"})
        self.assertFalse(self.storage.exists(""))
        self.assertRaises(ValueError, self.storage.delete, "")

    def test_questions_of_another_kind(self) -> None:
        """A name in the database that is none can't lead to another part of the API."""
        with_settings(self, FILESERVE={"URL": "http://127.0.0.1:1"})
        for name in ("..", "albums/a", "files/x", "?limit=100", f"{SHORT}%2f", f"{SHORT}\n", f"{SHORT}?x"):
            self.assertFalse(self.storage.exists(name), name)
            self.assertRaises(FileNotFoundError, self.storage.open, name)
            self.storage.delete(name)


class AddressTests(FakeCase):
    """The addresses of files."""

    def url(self, **settings: Any) -> str:
        with_settings(self, FILESERVE={**self.start_server(), **settings})
        url: str = FileserveStorage().url(f"{SHORT}/a.txt")
        return url

    def test_plain(self) -> None:
        """They are known without asking, and hold the short name alone."""
        self.assertEqual(self.url(), f"{self.fake.url}/api/v1/download-stream/{SHORT}")
        self.assertEqual(self.fake.requests, [])

    def test_public(self) -> None:
        """Browsers get the public address, with its path."""
        for public in ("https://files.example/store", "https://files.example/store/"):
            expected = f"https://files.example/store/api/v1/download-stream/{SHORT}"
            self.assertEqual(self.url(PUBLIC_URL=public), expected)

    def test_expiring(self) -> None:
        """Links that expire are public too, however the server spells its own address."""
        link = "/api/v1/linked/1?expires=2&signature=3"
        settings = {**self.start_server(), "PUBLIC_URL": "https://files.example/store", "LINK_EXPIRES": 60}
        with_settings(self, FILESERVE=settings)
        for said in (
            link,
            self.fake.url + link,
            f"http://inside{link}",
            f"../{link.removeprefix('/api/v1/')}",
        ):
            self.fake.refusal = Refusal(200, json.dumps(said).encode(), "application/json")
            self.assertEqual(FileserveStorage().url(SHORT), f"https://files.example/store{link}")
            self.assertEqual(self.fake.requests.pop(), ("GET", f"/api/v1/get-url/{SHORT}?expires=60"))

    def test_expiring_without_file(self) -> None:
        """A page with the link of a file that is gone can still be made."""
        self.assertEqual(self.url(LINK_EXPIRES=60), f"{self.fake.url}/api/v1/download-stream/{SHORT}")


class OptionsTests(FakeCase):
    """Settings and arguments."""

    def key_sent(self, storage: FileserveStorage) -> str | None:
        """The key that the server is shown with an upload."""
        storage.save("a", ContentFile(b"1"))
        return self.fake.headers.get("authorization")

    def test_precedence(self) -> None:
        """Arguments count before settings; a key before the file of a key, which is read each time."""
        self.fake = start(self, KEY, open_uploads=True)
        path = folder(self) / "key"
        path.write_text("in-file\n")
        url, storage = self.fake.url, FileserveStorage()
        with_settings(self, FILESERVE={"URL": url})
        self.assertIsNone(self.key_sent(storage))
        with_settings(self, FILESERVE={"URL": url, "UPLOAD_KEY_FILE": path})
        self.assertEqual(self.key_sent(storage), "Bearer in-file")
        path.write_text("rotated\n")
        self.assertEqual(self.key_sent(storage), "Bearer rotated")
        elsewhere = {"URL": "http://127.0.0.1:1", "UPLOAD_KEY": "setting", "UPLOAD_KEY_FILE": path}
        with_settings(self, FILESERVE=elsewhere)
        self.assertEqual(self.key_sent(FileserveStorage(url)), "Bearer setting")
        self.assertEqual(self.key_sent(FileserveStorage(url, upload_key_file=str(path))), "Bearer rotated")
        self.assertEqual(self.key_sent(FileserveStorage(url, upload_key="argument\n")), "Bearer argument")

    def test_key_is_for_writing(self) -> None:
        """Who only reads shows no key."""
        with_settings(self, FILESERVE=self.start_server())
        storage = FileserveStorage()
        name = storage.save("a", ContentFile(b"1"))
        for ask in (storage.exists, storage.size, storage.get_modified_time):
            ask(name)
            self.assertNotIn("authorization", self.fake.headers)
        storage.open(name).close()
        self.assertNotIn("authorization", self.fake.headers)

    def test_options_of_the_project(self) -> None:
        """``OPTIONS`` in ``STORAGES`` are the arguments."""
        set_up()
        self.assertEqual(
            storages["archive"].url(SHORT),
            f"http://archive.example:8080/store/api/v1/download-stream/{SHORT}",
        )

    def test_unusable(self) -> None:
        """What can't work is said in words, when it is needed and not before."""
        storage, missing = FileserveStorage(), folder(self) / "nothing"
        here = "http://127.0.0.1:1"
        for settings, word in (
            ({}, "where the server is"),
            ({"URL": "files.example"}, "files.example"),
            ({"URL": "ftp://files.example"}, "ftp"),
            ({"URL": "http://me:secret@files.example"}, "without user"),
            ({"URL": "http://files.example:http"}, "Port"),
            ({"URL": here, "TIMEOUT": "soon"}, "soon"),
            ({"URL": here, "UPLOAD_KEY_FILE": missing}, "nothing"),
            ({"URL": here, "UPLOAD_KEY": "a\nb"}, "header"),
            ({"URL": here, "UPLOAD_KEY": "ключ"}, "header"),
            ({"ADDRESS": here}, "keys of URL"),
            (here, "dictionary"),
        ):
            with_settings(self, FILESERVE=settings)
            error = self.assertRaises(ImproperlyConfigured, storage.save, "a", ContentFile(b"1"))
            self.assertIn(word, str(error))


class MigrationsTests(SynchronousTestCase):
    """What migrations make of the storage."""

    def test_makemigrations(self) -> None:
        """An instance, a callable and the default need no further migration."""
        with_database(self)
        call_command("makemigrations", "--check", "--dry-run", verbosity=0)

    def test_written(self) -> None:
        """A migration makes an equal storage, but never holds the upload key."""
        storage = FileserveStorage("http://a.example", upload_key="secret", timeout=5)
        text, imports = MigrationWriter.serialize(storage)
        self.assertEqual(imports, {"import fileserve.contrib.django"})
        again = eval(text, {"fileserve": fileserve})
        self.assertEqual(again, FileserveStorage("http://a.example", timeout=5))
        self.assertNotIn("secret", text)

    def test_equality(self) -> None:
        """Storages are equal that were made alike."""
        make = FileserveStorage
        self.assertEqual(make(), make(None, timeout=None))
        self.assertEqual(hash(make("http://a", timeout=1)), hash(make(base_url="http://a", timeout=1)))
        for other in (
            make("http://b"),
            make("http://a", timeout=1),
            type("Other", (make,), {})("http://a"),
            "a",
        ):
            self.assertNotEqual(make("http://a"), other)
