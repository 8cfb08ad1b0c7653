"""
What Django does with `FileserveStorage` and a server, as tests; a subclass says which server.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.request import urlopen

from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from twisted.trial.unittest import SynchronousTestCase

from fileserve.contrib.django import FileserveError, FileserveStorage
from tests.django_site import admin, model, with_database, with_settings
from tests.integration.trees import noise

NAME = 'Звёздные войны (1) & "co" #100%?.tar.gz'
DATA = noise(3_000_000)
NOWHERE = "nothing-has-this-name-/report.pdf"


class DjangoContract(SynchronousTestCase):
    """
    Tests of a storage with its server.
    """

    def start_server(self) -> Mapping[str, Any]:
        """Start a server, and say what ``FILESERVE`` has to be for it."""
        raise NotImplementedError

    def setUp(self) -> None:
        super().setUp()
        self.settings = dict(self.start_server())
        with_settings(self, FILESERVE=self.settings)
        with_database(self)
        self.storage = FileserveStorage()

    def save(self, data: bytes | str = DATA, name: str = NAME) -> str:
        stored: str = self.storage.save(name, ContentFile(data))
        return stored

    def read(self, name: str) -> bytes:
        with self.storage.open(name) as file:
            data: bytes = file.read()
            return data

    def fetch(self, url: str) -> bytes:
        with urlopen(url, timeout=60) as response:
            data: bytes = response.read()
            return data


class ModelTests(DjangoContract):
    """Fields of models."""

    def test_field(self) -> None:
        """What is saved in a field is read from it after the row is loaded, and gone when it's deleted."""
        film = model("Film")(title="a")
        film.file.save("a b.txt", ContentFile(b"hello"))
        loaded = model("Film").objects.get()
        with loaded.file.open() as file:
            self.assertEqual(file.read(), b"hello")
        self.assertEqual((loaded.file.size, loaded.file.storage.exists(loaded.file.name)), (5, True))
        name = loaded.file.name
        loaded.file.delete()
        self.assertEqual(model("Film").objects.get().file.name, "")
        self.assertFalse(self.storage.exists(name))

    def test_name(self) -> None:
        """The row holds the short name and the name as it was; ``upload_to`` adds nothing."""
        film = model("Film").objects.create(title="a", file=SimpleUploadedFile(NAME, DATA))
        self.assertRegex(film.file.name, rf"\A[0-9A-Za-z_-]{{22}}/{re.escape(NAME)}\Z")
        self.assertEqual(self.storage.listdir(film.file.name.partition("/")[0]), ([], [NAME]))

    def test_long_name(self) -> None:
        """A name that is too long for its field is cut before its extension."""
        poster = model("Poster").objects.create(file=SimpleUploadedFile("x" * 60 + ".jpeg", b"1"))
        poster.refresh_from_db()
        self.assertEqual(len(poster.file.name), 40)
        self.assertEqual(poster.file.name[22:], "/" + "x" * 12 + ".jpeg")
        self.assertEqual(self.read(poster.file.name), b"1")

    def test_default_storage(self) -> None:
        """As the default storage of a project it serves fields, and code that asks for that storage."""
        note = model("Note").objects.create(file=SimpleUploadedFile("n.txt", b"note"))
        with default_storage.open(note.file.name) as file:
            self.assertEqual(file.read(), b"note")

    def test_copy(self) -> None:
        """A stored file may be the content of another field."""
        film = model("Film").objects.create(title="a", file=SimpleUploadedFile("f.bin", DATA))
        note = model("Note").objects.create(file=File(film.file.open(), "copy.bin"))
        film.file.close()
        self.assertEqual(self.read(note.file.name), DATA)
        self.assertNotEqual(note.file.name[:22], film.file.name[:22])

    def test_row_of_before(self) -> None:
        """A row that holds the short name alone is as good."""
        name = self.save(b"old")
        film = model("Film").objects.create(title="a", file=name[:22])
        film.refresh_from_db()
        self.assertEqual((film.file.read(), film.file.size), (b"old", 3))
        film.file.close()
        self.assertEqual(self.fetch(film.file.url), b"old")
        film.file.delete()
        self.assertFalse(self.storage.exists(name))


class AdminTests(DjangoContract):
    """The admin's pages."""

    def test_upload_and_download(self) -> None:
        """A file comes in through a form of the admin, and back by the link in it."""
        client = admin()
        upload = SimpleUploadedFile(NAME, DATA, "application/gzip")
        answer = client.post("/admin/films/film/add/", {"title": "a", "file": upload})
        self.assertEqual(answer.status_code, 302)
        film = model("Film").objects.get()
        page = client.get(f"/admin/films/film/{film.pk}/change/").content.decode()
        self.assertIn(f'<a href="{film.file.url}">', page)
        self.assertEqual(self.fetch(film.file.url), DATA)

    def test_replace(self) -> None:
        """Another file in the form is another file at the server, and the row's."""
        client = admin()
        film = model("Film").objects.create(title="a", file=SimpleUploadedFile("1.txt", b"one"))
        upload = SimpleUploadedFile("2.txt", b"two")
        client.post(f"/admin/films/film/{film.pk}/change/", {"title": "a", "file": upload})
        self.assertEqual(self.read(model("Film").objects.get().file.name), b"two")

    def test_spooled_upload(self) -> None:
        """An upload that Django spooled to its disk is the same."""
        with_settings(self, FILE_UPLOAD_MAX_MEMORY_SIZE=1000)
        upload = SimpleUploadedFile("large.bin", DATA)
        admin().post("/admin/films/note/add/", {"file": upload})
        self.assertEqual(self.read(model("Note").objects.get().file.name), DATA)


class StorageTests(DjangoContract):
    """The methods of the storage."""

    def test_contents(self) -> None:
        """Bytes, text, nothing at all, and what a pipe brings are stored as they are."""
        self.assertEqual(self.read(self.save(b"")), b"")
        self.assertEqual(self.read(self.save("größe")), "größe".encode())
        reader, writer = os.pipe()
        with open(reader, "rb") as pipe:
            with open(writer, "wb") as end:
                end.write(b"from a pipe")
            name = self.storage.save("p", File(pipe))
        self.assertEqual(self.read(name), b"from a pipe")

    def test_begins_at_the_beginning(self) -> None:
        """A file that was read before it is saved is saved whole."""
        content = io.BytesIO(b"0123456789")
        content.read(5)
        self.assertEqual(self.read(self.storage.save("a", content)), b"0123456789")

    def test_reads_anywhere(self) -> None:
        """An open file is read in parts, from anywhere, by lines, and again after it was closed."""
        with self.storage.open(self.save()) as file:
            self.assertEqual((file.size, file.read(10), file.tell()), (len(DATA), DATA[:10], 10))
            for start in (2_000_000, 5, 2_999_990):
                file.seek(start)
                self.assertEqual(file.read(100), DATA[start : start + 100])
            self.assertEqual(file.read(), b"")
            file.seek(-4, io.SEEK_END)
            self.assertEqual(file.read(), DATA[-4:])
            self.assertEqual(b"".join(file.chunks()), DATA)
            self.assertEqual(b"".join(file), DATA)
        with file.open() as again:
            self.assertEqual(again.read(3), DATA[:3])

    def test_archive(self) -> None:
        """Whoever needs to seek, such as a reader of ZIP files, can."""
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("a", DATA)
            archive.writestr("b", b"second")
        with self.storage.open(self.storage.save("a.zip", content)) as file, zipfile.ZipFile(file) as archive:
            self.assertEqual((archive.read("b"), archive.read("a")), (b"second", DATA))

    def test_nothing(self) -> None:
        """What isn't there is ``FileNotFoundError``, as on a disk, and may be deleted."""
        for ask in (self.storage.open, self.storage.size, self.storage.get_created_time):
            self.assertRaises(FileNotFoundError, ask, NOWHERE)
        self.assertRaises(FileNotFoundError, self.storage.get_modified_time, NOWHERE)
        self.assertFalse(self.storage.exists(NOWHERE))
        self.storage.delete(NOWHERE)

    def test_twice(self) -> None:
        """Two files of one name are two files."""
        first, second = self.save(b"1"), self.save(b"2")
        self.storage.delete(first)
        self.assertFalse(self.storage.exists(first))
        self.assertEqual(self.read(second), b"2")

    def test_times(self) -> None:
        """Times are aware, and between before and after."""
        before = datetime.now(UTC).replace(microsecond=0)
        name = self.save(b"1")
        for moment in (self.storage.get_created_time(name), self.storage.get_modified_time(name)):
            self.assertTrue(timezone.is_aware(moment))
            self.assertTrue(before <= moment <= datetime.now(UTC), moment)

    def test_naive_times(self) -> None:
        """Where the project has no time zones, times are naive, and local ones."""
        name = self.save(b"1")
        created, changed = self.storage.get_created_time(name), self.storage.get_modified_time(name)
        with_settings(self, USE_TZ=False)
        zone = timezone.get_default_timezone()
        self.assertEqual(self.storage.get_created_time(name), created.astimezone(zone).replace(tzinfo=None))
        self.assertEqual(self.storage.get_modified_time(name), changed.astimezone(zone).replace(tzinfo=None))

    def test_list(self) -> None:
        """The list has every file as a folder of its short name, in which the file lies."""
        names = [self.save(b"1", f"{number}.txt") for number in range(3)]
        folders, files = self.storage.listdir("")
        self.assertEqual((sorted(folders), files), (sorted(name[:22] for name in names), []))
        self.assertEqual([f"{each}/{self.storage.listdir(each)[1][0]}" for each in reversed(folders)], names)

    def test_expiring_link(self) -> None:
        """Where links shall expire, they do, and work until then."""
        name = self.save()
        plain = self.storage.url(name)
        link = FileserveStorage(link_expires=600).url(name)
        self.assertNotEqual(link, plain)
        self.assertEqual(hashlib.sha256(self.fetch(link)).digest(), hashlib.sha256(DATA).digest())


class OpenUploadsTests(DjangoContract):
    """A server that lets everybody write. To be run with one only."""

    def test_seed_storage(self) -> None:
        """The storage that users had before works as it is: model, admin, link."""
        client = admin()
        upload = SimpleUploadedFile(NAME, DATA, "application/gzip")
        self.assertEqual(client.post("/admin/films/old/add/", {"file": upload}).status_code, 302)
        old = model("Old").objects.get()
        self.assertRegex(old.file.name, r"\A[0-9A-Za-z_-]{22}\Z")
        page = client.get(f"/admin/films/old/{old.pk}/change/").content.decode()
        self.assertIn(f'<a href="{old.file.url}">', page)
        self.assertEqual(self.fetch(old.file.url), DATA)
        self.assertEqual(self.read(old.file.name), DATA)


class UploadKeyTests(DjangoContract):
    """A server that wants its upload key. To be run with one only."""

    def test_wrong_key(self) -> None:
        """Without the key, or with another, nothing is stored, deleted or listed, and the error says so."""
        name = self.save()
        for key in ("", "another"):
            settings = {"URL": self.settings["URL"], "UPLOAD_KEY": key}
            with_settings(self, FILESERVE=settings)
            writing = ((self.save, b"1"), (self.storage.delete, name), (self.storage.listdir, ""))
            for work, argument in writing:
                error = self.assertRaises(FileserveError, work, argument)
                self.assertEqual(error.status, 401)
                self.assertIn("UPLOAD_KEY", str(error))
            self.assertEqual(self.read(name), DATA)
