"""
The file API as methods, and a stored file that reads like a local one.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from http.client import HTTPMessage
from typing import Any
from urllib.parse import quote

from .exchange import Answer, FileserveError, FileserveTimeout, Server

#: Characters of a short name.
SHORT_LENGTH = 22

_SHORT_NAME = re.compile(rf"[0-9A-Za-z_-]{{{SHORT_LENGTH}}}")


class FileAPI:
    """
    The stored files of a server.

    A short name that can't be one is that of no file, and nobody is asked.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    def put(self, name: str, pieces: Iterable[bytes], length: int | None) -> str:
        """
        Store a file, as its pieces come.

        It is sent once. When the connection breaks before the answer came, nobody here knows whether the
        server has the file.

        :param name: what the file is called, without folders.
        :param length: bytes of all pieces together, where that is known.
        :return: the short name.
        :raise FileserveError: it was not stored, or the answer did not come.
        """
        headers = {"Content-Type": "application/octet-stream"}
        headers |= {"Transfer-Encoding": "chunked"} if length is None else {"Content-Length": str(length)}
        body = _chunks(pieces) if length is None else _counted(pieces, length)
        with closing(self._server.ask("PUT", f"files/{quote(name, safe='')}", headers, body)) as answer:
            short = self._object(answer).get("short_name")
        if not isinstance(short, str) or not _SHORT_NAME.fullmatch(short):
            raise self._server.stranger("it named no short name")
        return short

    def facts(self, short: str) -> dict[str, Any]:
        """
        Ask for what is known of a stored file.

        :raise FileNotFoundError: there is none.
        """
        with closing(self._server.ask("GET", _segment(short))) as answer:
            facts = self._object(answer)
        if not facts.keys() >= {"short_name", "filename", "size", "created_at"}:
            raise self._server.stranger("it did not describe a file")
        return facts

    def files(self) -> Iterator[dict[str, Any]]:
        """
        Ask for the facts of all stored files, newest first, page by page. Needs the upload key.
        """
        query = "?limit=100"
        while query:
            with closing(self._server.ask("GET", query)) as answer:
                page = self._object(answer)
            if not isinstance(page.get("files"), list):
                raise self._server.stranger("it listed no files")
            yield from page["files"]
            after = page.get("next")
            query = f"?limit=100&after={quote(str(after), safe='')}" if after else ""

    def link(self, short: str, seconds: int) -> str:
        """
        Ask for a link that works for so long without a key; it may be relative. Needs the upload key.

        :raise FileNotFoundError: there is no such file.
        """
        with closing(self._server.ask("GET", f"get-url/{_segment(short)}?expires={seconds}")) as answer:
            link = answer.json()
        if not isinstance(link, str):
            raise self._server.stranger("it gave no link")
        return link

    def delete(self, short: str) -> None:
        """
        Remove a stored file. Needs the upload key.

        :raise FileNotFoundError: there is none.
        """
        self._server.ask("DELETE", _segment(short)).close()

    def describe(self, short: str) -> HTTPMessage:
        """
        Ask for the headers of a download.

        :raise FileNotFoundError: there is no such file.
        """
        with closing(self._server.ask("HEAD", f"download-stream/{_segment(short)}")) as answer:
            return answer.headers

    def download(self, short: str, start: int = 0, etag: str | None = None) -> Answer:
        """
        Begin to read a stored file. The caller closes the answer.

        :param start: the first byte wanted.
        :param etag: the version wanted; any where it is None.
        :raise FileNotFoundError: there is no such file.
        :raise FileserveError: it has other bytes by now, among others.
        """
        headers = {"If-Match": etag} if etag else {}
        headers |= {"Range": f"bytes={start}-"} if start else {}
        answer = self._server.ask("GET", f"download-stream/{_segment(short)}", headers)
        if start and not answer.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            answer.close()
            raise self._server.stranger("it does not give parts of files")
        return answer

    def _object(self, answer: Answer) -> dict[str, Any]:
        said = answer.json()
        if not isinstance(said, dict):
            raise self._server.stranger("it did not answer with an object")
        return said


class RemoteFile(io.RawIOBase):
    """
    A stored file, opened for reading.

    It is one response that is read on and on. Reading elsewhere is a new request, and so is going on after
    the connection broke: a server cuts whoever reads nothing for long.

    :ivar size: bytes.
    :raise FileNotFoundError: there is no such file.
    """

    def __init__(self, api: FileAPI, short: str) -> None:
        self._answer: Answer | None = None  # first of all: even a file that can't be opened is closed
        self._api, self._short = api, short
        self._position = self._reached = 0
        self._etag: str | None = None
        headers = self._begin().headers
        self._etag = headers["ETag"]
        try:
            self.size = int(headers["Content-Length"])
        except (TypeError, ValueError):
            self.close()
            raise FileserveError(f"the server did not say how long {short} is") from None

    def readable(self) -> bool:
        """
        It is only ever read.
        """
        return True

    def seekable(self) -> bool:
        """
        Any byte of it can be read next.
        """
        return True

    def tell(self) -> int:
        """
        Which byte is read next.
        """
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """
        Say where to read next. It costs nothing until something is read there.
        """
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.size}.get(whence)
        if start is None or start + offset < 0:
            raise ValueError(f"nothing lies at {offset} from {whence}")
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        """
        Read what has come; 0 at the end of the file only.
        """
        if self.closed:
            raise ValueError("the file is closed")
        if self._position >= self.size or not len(buffer):
            return 0
        if self._answer is not None and self._reached == self._position:
            try:
                return self._take(self._answer, buffer)
            except FileserveTimeout:
                raise
            except FileserveError:
                pass
        return self._take(self._begin(), buffer)

    def close(self) -> None:
        """
        Let go of the connection.
        """
        if not self.closed and self._answer is not None:
            self._answer.close()
            self._answer = None
        super().close()

    def _begin(self) -> Answer:
        if self._answer is not None:
            self._answer.close()
            self._answer = None
        self._answer = self._api.download(self._short, self._position, self._etag)
        self._reached = self._position
        return self._answer

    def _take(self, answer: Answer, buffer: Any) -> int:
        count = answer.readinto(buffer)
        if not count:
            raise FileserveError(f"the server gave {self._position} bytes of {self._short}, not {self.size}")
        self._position += count
        self._reached = self._position
        return count


def _segment(short: str) -> str:
    # More than escaping: ``..`` or ``albums`` in this place would be another question.
    if not _SHORT_NAME.fullmatch(short):
        raise FileNotFoundError(f"{short!r} is not the short name of a stored file")
    return short


def _counted(pieces: Iterable[bytes], length: int) -> Iterator[bytes]:
    """
    Pass the pieces on, the last one only when they are as long together as was said: else the server would
    have a whole file that is not the one meant.
    """
    held, count = b"", 0
    for piece in filter(None, pieces):
        count += len(piece)
        if count > length:
            break
        yield held
        held = piece
    if count != length:
        raise FileserveError(f"the content is not {length} bytes long as it says; nothing was stored")
    yield held


def _chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """
    The pieces in the chunked coding (RFC 9112 section 7.1).
    """
    for piece in filter(None, pieces):  # an empty chunk would be the end
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"
