"""
One request to a fileserve server and its answer, for programs that block; the standard library does it.

Each request has a connection of its own. A pool would save a round trip; it would also have to know about
threads, forks, and connections that the server closed meanwhile, and an upload can't simply be sent again.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection, IncompleteRead
from typing import Any
from urllib.parse import SplitResult, urlsplit

#: Seconds for making a connection, where the time-out isn't shorter. A host that is away tells nobody so.
CONNECT = 10.0

# Bytes. A page of 100 files has some 50 KiB.
_LARGEST_JSON = 4 << 20

_NO_API = "there is no file API here: look whether URL is the address of fileserve"

_ADVICE = {
    401: "it wants the upload key: set UPLOAD_KEY or UPLOAD_KEY_FILE to the one it was started with",
    403: "it forbids this: look whether the upload key is its own, and whether a proxy before it says no",
    404: _NO_API,
    405: _NO_API,
    412: "the file was changed while it was read: open it again",
    413: "the file is too large for it: raise its --max-upload, or the limit of a proxy before it",
    429: "it had too many wrong keys from here: correct the upload key and wait a minute",
    502: "a proxy can't reach it: look whether it runs",
    503: "its storage or its database is away: try again later, and look into its log",
    504: "a proxy waited too long for it: try again later",
    507: "its disk is full: make room there, or lower its --min-free",
}


class FileserveError(OSError):
    """
    The server refuses, is broken, or is no fileserve. The text says what can be done.

    :ivar status: what it answered; None where no answer came.
    """

    def __init__(self, sentence: str, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


class FileserveUnreachable(FileserveError, ConnectionError):
    """
    There is no connection to the server, or it broke.
    """


class FileserveTimeout(FileserveError, TimeoutError):
    """
    The server took too long.
    """


@dataclass(frozen=True)
class Server:
    """
    Where a fileserve server is, and what it wants to be asked with.

    :param base_url: where it answers, such as ``http://127.0.0.1:8080``; may end in a path.
    :param timeout: seconds that each piece sent or read may take, and the answer to what was sent.
    :param upload_key: sent with every request; leave it out where reading is enough.
    :raise ValueError: ``base_url`` is no such address.
    """

    base_url: str
    timeout: float
    # Not in the repr, which ends up in logs and on pages about errors.
    upload_key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        url = self._url
        # Reading the port raises ValueError where it is no number.
        if url.scheme not in {"http", "https"} or not url.hostname or url.port == 0:
            raise ValueError(f"{self.base_url!r} is no address like http://files.example:8080")
        if url.query or url.fragment or "@" in url.netloc:
            raise ValueError("the address must be without user, query and fragment")

    def ask(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: Iterable[bytes] = ()
    ) -> Answer:
        """
        Make a request.

        :param target: what follows ``/api/v1/``, escaped.
        :param headers: with the one that frames the body, where there is a body.
        :param body: pieces, framed already. What they raise goes through to the caller; the server then
            sees that the body is not whole.
        :return: an answer that is no refusal. The caller closes it.
        :raise FileNotFoundError: the server has no such file.
        :raise FileserveError: it refused otherwise, or did not answer.
        """
        connection = self._connection()
        try:
            self._begin(connection, method, target, headers or {})
            self._send(connection, body)
            with self.explaining():
                answer = Answer(self, connection, connection.getresponse())
        except BaseException:
            connection.close()
            raise
        if answer.status >= 300:
            with closing(answer):
                raise self._refusal(method, answer)
        return answer

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """
        Turn what happens on the network into errors of ours.

        Where they came from is left out: Django's pages about errors show the variables of all frames, and
        those of ``http.client`` hold the upload key.
        """
        try:
            yield
        except TimeoutError:
            raise FileserveTimeout(
                f"fileserve at {self.base_url} did not answer within {self.timeout:g} seconds: "
                "look whether it is overloaded, or raise TIMEOUT"
            ) from None
        except (OSError, HTTPException, UnicodeError) as error:
            raise FileserveUnreachable(
                f"fileserve at {self.base_url} can't be reached ({error or type(error).__name__}): "
                "look whether it runs, and whether URL is its address"
            ) from None

    def stranger(self, why: str) -> FileserveError:
        """
        The error for an answer that fileserve would not give.
        """
        return FileserveError(
            f"what answers at {self.base_url} is no fileserve ({why}): look whether URL is its address"
        )

    @property
    def _url(self) -> SplitResult:
        return urlsplit(self.base_url.rstrip("/"))

    def _connection(self) -> HTTPConnection:
        url = self._url
        kind = HTTPSConnection if url.scheme == "https" else HTTPConnection
        return kind(url.hostname or "", url.port, timeout=min(CONNECT, self.timeout))

    def _begin(
        self, connection: HTTPConnection, method: str, target: str, headers: Mapping[str, str]
    ) -> None:
        with self.explaining():
            connection.connect()
            connection.sock.settimeout(self.timeout)
            connection.putrequest(method, f"{self._url.path}/api/v1/{target}")
            connection.putheader("Connection", "close")
            if self.upload_key:
                connection.putheader("Authorization", f"Bearer {self.upload_key}")
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()

    def _send(self, connection: HTTPConnection, body: Iterable[bytes]) -> None:
        for piece in body:
            try:
                with self.explaining():
                    connection.send(piece)
            except FileserveUnreachable:
                # A server that refuses a file answers and hangs up before the file has come whole. If it
                # said nothing, reading its answer is what fails.
                return

    def _refusal(self, method: str, answer: Answer) -> OSError:
        status = answer.status
        # A page of another server says nothing about files of ours; and nobody deletes by a wrong address.
        if status == 404 and method != "PUT" and answer.headers.get_content_subtype().endswith("json"):
            return FileNotFoundError(errno.ENOENT, f"fileserve at {self.base_url} has no such file")
        if status < 400:
            advice = f"set URL to where it says it is, {answer.headers.get('Location')}"
        else:
            advice = _ADVICE.get(status, "look into its log")
        return FileserveError(
            f"fileserve at {self.base_url} answered {status}{_detail(answer)}: {advice}", status
        )


class Answer:
    """
    A response that is still being read, with its connection. Whoever asked closes it.
    """

    def __init__(self, server: Server, connection: HTTPConnection, response: HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self._server, self._connection, self._response = server, connection, response

    def readinto(self, buffer: Any) -> int:
        """
        Read some of the body; 0 is its end, or that of the connection.
        """
        with self._server.explaining():
            return self._response.readinto(buffer)

    def json(self) -> Any:
        """
        Read what the body says.
        """
        with self._server.explaining():
            body = self._response.read(_LARGEST_JSON)
            if self._response.length and len(body) < _LARGEST_JSON:
                raise IncompleteRead(body, self._response.length)  # read() says it only without a limit
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            raise self._server.stranger("what it says is no JSON") from None

    def close(self) -> None:
        """
        Let go of the connection, whether the body was read or not.
        """
        self._response.close()
        self._connection.close()


def _detail(answer: Answer) -> str:
    try:
        return f" ({str(answer.json()['detail'])[:200]})"
    except (FileserveError, KeyError, TypeError):
        return ""
