"""
A real server with a gallery, and a client of its forms.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest import TestCase
from urllib.parse import quote

from attrs import frozen

from tests.picturesamples import CAMERA, sample

from .clients import PATIENCE, Answer, ask, eventually
from .gallerypage import Page
from .uploading import FileServer

#: The album that `/gallery/` shows.
ALBUM = "gallery"

#: Its form.
UPLOAD = f"/upload/{ALBUM}/"

#: What a browser says that it likes.
HTML = "text/html,application/xhtml+xml,*/*;q=0.8"

_BOUNDARY = "a-boundary-that-no-picture-holds"

#: The header of what `form` makes.
FORM: Mapping[str, Any] = {"Content_Type": f"multipart/form-data; boundary={_BOUNDARY}"}

# Of EXIF: the fraction of the second at which a picture was taken, which nobody looks at.
_SUBSEC = 0x9291


@frozen
class Field:
    """
    One field of a form; a file where it has a file name.
    """

    name: str
    value: bytes
    filename: str | None = None


class GalleryServer(FileServer):
    """
    A `FileServer` whose gallery is asked as browsers and programs ask it.
    """

    def album(self, name: str = ALBUM) -> Path:
        """
        The folder of an album, made where it is not there.
        """
        path = self.root / name
        path.mkdir(exist_ok=True)
        return path

    def request(
        self, target: str, method: str = "GET", body: bytes | None = None, key: bool = True, **headers: str
    ) -> Answer:
        """
        Make one request, with the key or without.
        """
        permitted = {"Authorization": f"Bearer {self.key}"} if key else {}
        return ask(self.process.port, target, method, body, **{**permitted, **headers})

    def cookie(self) -> str:
        """
        The session of a browser that signs in now.
        """
        answer = self.request(f"/sign-in?key={self.key}", key=False)
        assert answer.status == 303, answer
        return answer["Set-Cookie"].partition(";")[0]

    def post(self, target: str, *fields: Field, key: bool = True, **headers: str) -> Answer:
        """
        Send a form.
        """
        return self.request(target, "POST", form(*fields), key, **FORM, **headers)

    def upload(
        self, data: bytes, name: str = "", filename: str = "picture.jpg", album: str = ALBUM, **how: Any
    ) -> Answer:
        """
        Send a picture by the form, as a program does.
        """
        fields = (Field("name", name.encode()), Field("file", data, filename))
        return self.post(f"/upload/{album}/", *fields, **how)

    def upload_head(self, body: bytes) -> bytes:
        """
        The head of a request that uploads this form, for clients that stop in the middle.
        """
        lines = (
            f"POST /upload/{ALBUM}/ HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {self.key}",
            f"Content-Type: {FORM['Content_Type']}",
            f"Content-Length: {len(body)}",
            "",
            "",
        )
        return "\r\n".join(lines).encode()

    def spools(self) -> bool:
        """
        Whether it has something written aside just now.
        """
        return any("spool" in each for each in self.process.descriptors())

    def page(self, number: int = 1, album: str = ALBUM) -> Page:
        """
        Look at a page of an album.
        """
        address = f"/gallery/{album}/" + (f"?page={number}" if number > 1 else "")
        answer = self.request(address, Accept=HTML)
        assert answer.status == 200, answer
        return Page(address, answer.body.decode())

    def preview(self, target: str, **headers: Any) -> Answer:
        """
        Get a preview, again and again while the server is busy.
        """

        def once() -> Answer | None:
            answer = self.request(target, **headers)
            return None if answer.status == 503 else answer

        answer = eventually(once, f"{target} while the server is busy")
        assert answer is not None
        return answer

    def catalogue(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """
        Ask its catalogue directly.
        """
        path = f"file:{self.state / 'catalogue.sqlite'}?mode=ro"
        with closing(sqlite3.connect(path, uri=True, timeout=PATIENCE)) as catalogue:
            return catalogue.execute(query, values).fetchall()

    def looked_at(self, album: str = ALBUM) -> int:
        """
        How many members of an album its catalogue has looked at.
        """
        return int(self.catalogue("SELECT count(*) FROM pictures WHERE album = ?", album)[0][0])

    def kept(self, folder: str = "previews") -> list[Path]:
        """
        Every file in a folder of its state directory.
        """
        return sorted(path for path in (self.state / folder).rglob("*") if path.is_file())


def form(*fields: Field) -> bytes:
    """
    A body of ``multipart/form-data``. Names of files are spelled as browsers do (WHATWG HTML, 4.10.21.8).
    """
    body = b""
    for each in fields:
        said = f'form-data; name="{each.name}"'
        if each.filename is not None:
            escaped = each.filename.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
            said += f'; filename="{escaped}"\r\nContent-Type: application/octet-stream'
        head = f"--{_BOUNDARY}\r\nContent-Disposition: {said}\r\n\r\n".encode("utf-8", "surrogateescape")
        body += head + each.value + b"\r\n"
    return body + f"--{_BOUNDARY}--\r\n".encode()


def original(path: str, album: str = ALBUM) -> str:
    """
    The address of a picture itself.
    """
    return f"/gallery/{album}/original/{quote(path)}"


def photo(number: int = 0, width: int = 60, height: int = 40, **how: Any) -> bytes:
    """
    A photo as a camera makes it; each number is another one.

    :param how: see `sample`; ``exif`` is added to what the camera says.
    """
    fields = {**CAMERA, _SUBSEC: f"{number:04}", **how.pop("exif", {})}
    return sample("image/jpeg", width=width, height=height, exif=fields, gps=True, **how)


class GalleryCase(TestCase):
    """A server with a gallery."""

    options: tuple[str, ...] = ()

    def setUp(self) -> None:
        self.server = GalleryServer(self, *self.options)
        self.album = self.server.album()

    def drop(self, name: str, data: bytes) -> Path:
        """Put a file into the album, as FTP does."""
        path = self.album / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return path

    def seen(self, text: str) -> Page:
        """The page, as soon as it says something."""

        def page() -> Page | None:
            found = self.server.page()
            return found if text in found.text else None

        found = eventually(page, f"{text!r} on the page")
        assert found is not None
        return found

    def preview(self, name: str, size: int = 320, **headers: str) -> Answer:
        return self.server.preview(f"/gallery/{ALBUM}/preview/{size}/{name}", **headers)


class UploadCase(TestCase):
    """A server with a gallery in which nothing is yet."""

    options: tuple[str, ...] = ()

    def setUp(self) -> None:
        self.server = GalleryServer(self, *self.options)

    def stored(self) -> list[str]:
        """What lies in the album."""
        try:
            return sorted(os.listdir(self.server.root / ALBUM))
        except FileNotFoundError:
            return []

    def assert_nothing(self) -> None:
        """Nothing was stored, nothing is left over, and nothing went wrong."""
        self.assertEqual(self.stored(), [])
        self.assert_well()

    def assert_well(self) -> None:
        """Nothing unfinished is there, and nothing that the operator should look at."""
        self.server.wait_until_settled()
        self.assertEqual(self.server.catalogue("SELECT * FROM claims"), [])
        self.assertNotIn("Traceback", self.server.process.log)
        self.assertNotIn("Unhandled", self.server.process.log)

    def refused(self, status: int, answer: Answer) -> str:
        """The reason of a refusal, which a program can read."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer["Content-Type"], "application/problem+json")
        told = json.loads(answer.body)
        self.assertEqual(told["status"], status)
        return str(told["detail"])
