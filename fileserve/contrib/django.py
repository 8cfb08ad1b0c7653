"""
`FileserveStorage`: a Django storage that keeps files in a fileserve server. For Django 4.2 and newer.

In the settings::

    STORAGES = {"default": {"BACKEND": "fileserve.contrib.django.FileserveStorage"}, ...}
    FILESERVE = {
        "URL": "http://127.0.0.1:8080",               # where Django reaches the server
        "UPLOAD_KEY_FILE": "/etc/site/upload-key",    # or "UPLOAD_KEY": "..."
        "PUBLIC_URL": "https://files.example",        # where browsers reach it; URL where it is left out
        "TIMEOUT": 60,                                # seconds for each piece that is sent or read
        "LINK_EXPIRES": 3600,                         # seconds; links work for ever where it is left out
    }

Each may be given to `FileserveStorage` too, or as one of its ``OPTIONS``, in lower case (``URL`` is
``base_url``), and then counts before the settings. The settings are read when they are needed. With
``--open-uploads`` files are saved without the upload key; what deletes, lists, or makes links that expire
needs it still.

What a file is called
    The database holds ``SHORT/name``: the short name, by which the server knows the file, and what the user
    called it, cut before its extension where the field is too short. Only the short name counts afterwards,
    so a row that holds a short name alone works as well. The folders of ``upload_to`` are ignored: a short
    name says neither where a file lies nor what it is.

What can go wrong
    `FileserveError`, an ``OSError``, says in one sentence what to do. It comes before the row is written, so
    nothing is saved. A file without a row is possible: where the row can't be written after the file, and
    where the connection breaks after the file was sent and before the answer. An upload is never repeated.
    ``listdir("")`` finds such files.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.storage import Storage
from django.utils.timezone import get_default_timezone, make_naive

from .client import SHORT_LENGTH, FileAPI
from .djangofiles import StoredFile, pieces_of, short_name
from .exchange import FileserveError, FileserveTimeout, FileserveUnreachable, Server

__all__ = ["FileserveError", "FileserveStorage", "FileserveTimeout", "FileserveUnreachable"]

# Seconds. A server answers an upload when all of it is on the disk, which may take a while after a large one.
_TIMEOUT = 60.0

# What the settings are called as arguments.
_SETTINGS = {
    "URL": "base_url",
    "UPLOAD_KEY": "upload_key",
    "UPLOAD_KEY_FILE": "upload_key_file",
    "PUBLIC_URL": "public_url",
    "TIMEOUT": "timeout",
    "LINK_EXPIRES": "link_expires",
}


class FileserveStorage(Storage):  # type: ignore[misc]  # Django has no hints
    """
    Keeps files in a fileserve server, by its file API.

    :param base_url: the server's address as Django reaches it.
    :param upload_key: what the server lets write, and make links that expire. It is never written into a
        migration.
    :param upload_key_file: a file that holds it, read each time.
    :param public_url: the server's address as browsers reach it.
    :param timeout: seconds that each piece sent or read may take.
    :param link_expires: seconds that a link works. Each link is then a request to the server.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        upload_key: str | None = None,
        upload_key_file: str | None = None,
        public_url: str | None = None,
        timeout: float | None = None,
        link_expires: int | None = None,
    ) -> None:
        options = {
            "base_url": base_url,
            "upload_key": upload_key,
            "upload_key_file": upload_key_file,
            "public_url": public_url,
            "timeout": timeout,
            "link_expires": link_expires,
        }
        self._options = {name: value for name, value in options.items() if value is not None}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FileserveStorage) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    @property
    def _identity(self) -> tuple[object, ...]:
        return type(self), *sorted(self._options.items())

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """
        Say how a migration makes this storage. Django's decorator ``deconstructible`` would do it as well,
        but write the upload key into a file that is kept with the sources.
        """
        kind = type(self)
        options = {name: value for name, value in self._options.items() if name != "upload_key"}
        return f"{kind.__module__}.{kind.__qualname__}", [], options

    # Names.

    def get_valid_name(self, name: str) -> str:
        """
        Keep a name as it is, but for what nobody can see.
        """
        valid = "".join(each for each in str(name) if each.isprintable()).strip()
        if valid in {"", ".", ".."}:
            raise SuspiciousFileOperation(f"Could not derive file name from '{name}'")
        return valid

    def generate_filename(self, filename: str) -> str:
        """
        Take the name, and leave the folders of ``upload_to`` away.
        """
        path: str = super().generate_filename(filename)
        return posixpath.basename(path)

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """
        Make the name so short that a short name fits before it. It is always free.
        """
        name = self.get_valid_name(posixpath.basename(str(name).replace("\\", "/")))
        room = len(name) if max_length is None else max_length - SHORT_LENGTH - 1
        if room <= 0:
            raise SuspiciousFileOperation(
                f"A field with max_length={max_length} can't hold the name of a file: {SHORT_LENGTH + 1} "
                "characters come before it."
            )
        stem, extension = posixpath.splitext(name)
        kept = room - len(extension)
        return stem[:kept] + extension if kept > 0 else name[:room]

    # Files.

    def _save(self, name: str, content: Any) -> str:
        name = posixpath.basename(name)
        length, pieces = pieces_of(content)
        return f"{self._writing().put(name, pieces, length)}/{name}"

    def _open(self, name: str, mode: str = "rb") -> StoredFile:
        return StoredFile(self._reading(), name, mode)

    def delete(self, name: str) -> None:
        """
        Remove a file; that it is gone already is fine.
        """
        if not name:
            raise ValueError("The name must be given to delete().")
        with suppress(FileNotFoundError):
            self._writing().delete(short_name(name))

    def exists(self, name: str) -> bool:
        """
        Tell whether the server has the file.
        """
        try:
            self._facts(name)
        except FileNotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        """
        How many bytes the file has.
        """
        size: int = self._facts(name)["size"]
        return size

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """
        List all files of the server, each as a folder with its short name, or the one file in such a folder.

        Asks for page after page, so it's slow where there are many files. Needs the upload key.
        """
        short = path.strip("/")
        if short in {"", "."}:
            return [facts["short_name"] for facts in self._writing().files()], []
        return [], [self.get_valid_name(posixpath.basename(self._facts(short)["filename"]))]

    def url(self, name: str) -> str:
        """
        The address of a file for browsers: without a question to the server, unless links shall expire.
        """
        expires = self._option("link_expires")
        if expires:
            # Where there is no such file, the page is worth more than its link, which will say so.
            with suppress(FileNotFoundError):
                return self._public(self._writing().link(short_name(name), int(expires)))
        return self._public(f"/api/v1/download-stream/{quote(short_name(name), safe='')}")

    def get_created_time(self, name: str) -> datetime:
        """
        When the file was stored.
        """
        return _as_django(datetime.fromisoformat(self._facts(name)["created_at"]))

    def get_modified_time(self, name: str) -> datetime:
        """
        When the file was changed last, to a second; only somebody at the server's disk can change it.
        """
        return _as_django(parsedate_to_datetime(self._reading().describe(short_name(name))["Last-Modified"]))

    # The server.

    def _facts(self, name: str) -> dict[str, Any]:
        return self._reading().facts(short_name(name))

    def _reading(self) -> FileAPI:
        return FileAPI(self._server())

    def _writing(self) -> FileAPI:
        return FileAPI(replace(self._server(), upload_key=_key(self._options) or _key(_settings())))

    def _server(self) -> Server:
        url = self._option("base_url")
        if not url:
            raise ImproperlyConfigured('Say where the server is: FILESERVE = {"URL": "http://...", ...}')
        try:
            return Server(str(url), float(self._option("timeout") or _TIMEOUT))
        except ValueError as error:
            raise ImproperlyConfigured(f"FILESERVE, or the options of the storage: {error}") from None

    def _option(self, name: str) -> Any:
        return self._options.get(name, _settings().get(name))

    def _public(self, link: str) -> str:
        # The server says in its links how it was asked, which is not how browsers have to ask.
        path = urlsplit(urljoin("/api/v1/get-url/", link))._replace(scheme="", netloc="")
        public = str(self._option("public_url") or self._server().base_url)
        return public.rstrip("/") + urlunsplit(path)


def _settings() -> dict[str, Any]:
    given = getattr(settings, "FILESERVE", {})
    if not isinstance(given, Mapping) or not given.keys() <= _SETTINGS.keys():
        raise ImproperlyConfigured(f"FILESERVE must be a dictionary with keys of {', '.join(_SETTINGS)}.")
    return {_SETTINGS[name]: value for name, value in given.items() if value is not None}


def _key(options: Mapping[str, Any]) -> str | None:
    text, path = options.get("upload_key"), options.get("upload_key_file")
    if not text and path:
        try:
            text = Path(path).read_text(encoding="ascii")
        except (OSError, UnicodeError) as error:
            raise ImproperlyConfigured(f"The upload key can't be read: {error}") from None
    text = str(text or "").strip()
    # http.client would refuse it too, and show it in the error.
    if not (text.isascii() and text.isprintable()):
        raise ImproperlyConfigured("The upload key has characters that can't stand in a header.")
    return text or None


def _as_django(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment if settings.USE_TZ else make_naive(moment, get_default_timezone())
