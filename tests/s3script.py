"""
An S3 server that answers as a test tells it to, for what a real one does not do when it is asked to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from attrs import frozen
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from fileserve.storage.s3 import S3Store
from fileserve.storage.s3client import S3Client
from fileserve.storage.s3location import S3Location
from fileserve.storage.s3signing import Signer
from fileserve.storage.s3wire import Wire

from .s3server import credentials

#: Answers one request.
Scene = Callable[[Any], None]


@frozen
class Asked:
    """
    What a server was asked.
    """

    method: str
    uri: str
    headers: Mapping[str, str]
    body: bytes
    #: Tells connections apart.
    connection: int


class Script(Resource):
    """
    Answers each request by the next scene; the last one goes on for ever.
    """

    isLeaf = True

    def __init__(self, scenes: tuple[Scene, ...]) -> None:
        super().__init__()
        self._scenes = list(scenes)
        self.asked: list[Asked] = []

    def render(self, request: Request) -> Any:
        headers = {
            name.decode().lower(): values[0].decode()
            for name, values in request.requestHeaders.getAllRawHeaders()
        }
        connection, content = request.getClientAddress().port, request.content
        assert content is not None, "it is there when the request is"
        self.asked.append(
            Asked(request.method.decode(), request.uri.decode(), headers, content.read(), connection)
        )
        scene = self._scenes.pop(0) if len(self._scenes) > 1 else self._scenes[0]
        scene(request)
        return NOT_DONE_YET

    @property
    def methods(self) -> list[str]:
        return [asked.method for asked in self.asked]


def answer(status: int = 200, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Scene:
    """
    Answer, wholly.
    """

    def scene(request: Any) -> None:
        request.setResponseCode(status)
        for name, value in (headers or {}).items():
            request.responseHeaders.setRawHeaders(name.encode(), [value.encode()])
        if request.method != b"HEAD":
            request.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % len(body)])
            request.write(body)
        request.finish()

    return scene


def error(status: int, code: str) -> Scene:
    """
    Answer that there is an error.
    """
    return answer(status, f"<Error><Code>{code}</Code><Message>secret</Message></Error>".encode())


def lost() -> Scene:
    """
    Close the connection instead of answering.
    """
    return lambda request: request.transport.abortConnection()


def silent() -> Scene:
    """
    Never answer.
    """
    return lambda request: None


def broken(length: int, body: bytes, headers: Mapping[str, str], status: int = 200) -> Scene:
    """
    Promise a body, and close the connection in its middle.
    """

    def scene(request: Any) -> None:
        request.setResponseCode(status)
        request.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % length])
        for name, value in headers.items():
            request.responseHeaders.setRawHeaders(name.encode(), [value.encode()])
        request.write(body)
        request.transport.loseConnection()

    return scene


class ScriptCase(TestCase):
    """
    Asks a server that answers by a script.
    """

    timeout = 30

    def play(self, *scenes: Scene) -> Script:
        script = Script(scenes)
        site: Any = Site(script)
        port: Any = reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.location = S3Location("bucket", "prefix", f"http://127.0.0.1:{port.getHost().port}")
        return script

    def client(self, silence: float = 20) -> S3Client:
        wire = Wire(reactor, silence=silence)
        self.addCleanup(wire.close)
        self.addCleanup(settled)
        signer = Signer("us-east-1", deferToThread, credentials)
        return S3Client(self.location, wire, signer, reactor, chance=lambda: 0)

    def store(self) -> S3Store:
        store = S3Store(self.location, reactor, deferToThread, find_credentials=partial(credentials))
        self.addCleanup(store.close)
        self.addCleanup(settled)
        return store


def settled() -> Deferred[None]:
    """
    Let connections that are being closed, or are being given back, come to that.
    """
    return deferLater(reactor, 0)


def stored(etag: str = "e", **headers: str) -> dict[str, str]:
    """
    The headers of an object.
    """
    return {
        "ETag": f'"{etag}"',
        "Last-Modified": "Fri, 20 Nov 2026 21:33:47 GMT",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }


class Endless:
    """
    A scene: sends as fast as the connection takes it.
    """

    def __init__(self, size: int, headers: Mapping[str, str] | None = None) -> None:
        self._size = size
        self._headers = headers or {}
        self.written = 0
        self.stopped = False
        self._paused = False

    def __call__(self, request: Any) -> None:
        self._request = request
        for name, value in self._headers.items():
            request.responseHeaders.setRawHeaders(name.encode(), [value.encode()])
        request.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % self._size])
        request.registerProducer(self, True)
        self.resumeProducing()

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        while not self._paused and self.written < self._size:
            stride = min(65_536, self._size - self.written)
            self.written += stride
            self._request.write(bytes(stride))
        if self.written == self._size:
            self._request.unregisterProducer()
            self._request.finish()

    def stopProducing(self) -> None:
        self._paused = self.stopped = True
