"""
What several test modules share: threads that are none, albums, consumers that push back, requests in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from http.client import HTTPMessage, HTTPResponse
from io import BytesIO
from pathlib import Path
from typing import Any, cast

from attrs import frozen
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.interfaces import IAddress, IConsumer, IProducer
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.trial.unittest import SkipTest
from twisted.web.resource import IResource
from zope.interface import implementer

from fileserve.archive.endpoint import Archives, Pace
from fileserve.archive.plan import Planner
from fileserve.catalogue.interfaces import IFacts
from fileserve.catalogue.memory import MemoryFacts, MemoryFiles
from fileserve.catalogue.memorypictures import MemoryPictures
from fileserve.files.albums import AlbumApi, Taking
from fileserve.files.api import FileApi, Linking
from fileserve.files.contents import Contents
from fileserve.files.downloads import Downloads
from fileserve.files.excerpts import Excerpts
from fileserve.files.intake import Intake, Limits
from fileserve.files.members import Members
from fileserve.files.uploads import Uploads
from fileserve.gallery.stripped import WithoutLocation
from fileserve.gallery.strippedfacts import FactsWithoutLocation
from fileserve.http.links import LinkSigner
from fileserve.http.site import Channel, Logging, Site
from fileserve.operations.counters import Counts
from fileserve.storage.disk import DiskStore
from fileserve.storage.interfaces import IAlbumReader, IFileStore, Part
from fileserve.web.access import Access
from fileserve.web.api import FileFeatures
from fileserve.web.keys import Keys
from fileserve.web.root import site as resource_of
from fileserve.web.throttle import Throttle

from .gallerysupport import gallery_features

#: The upload key of the sites here.
KEY = "an-upload-key-for-tests"


def at_once(work: Callable[..., Any], *args: object, **named: object) -> Deferred[Any]:
    """
    Do at once what a thread should do.
    """
    return maybeDeferred(work, *args, **named)


class ByHand:
    """
    Threads that begin a piece of work only when the test says so.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[], Any], Deferred[Any]]] = []

    def __call__(self, work: Callable[..., Any], *args: object, **named: object) -> Deferred[Any]:
        # As deferToThreadPool does: its Deferred knows no way to cancel the work.
        done: Deferred[Any] = Deferred()
        self._waiting.append((partial(work, *args, **named), done))
        return done

    def __len__(self) -> int:
        return len(self._waiting)

    def step(self) -> None:
        """
        Do the oldest piece of work.
        """
        work, done = self._waiting.pop(0)
        maybeDeferred(work).chainDeferred(done)

    def run(self) -> None:
        """
        Work until nothing waits any more.
        """
        while self._waiting:
            self.step()


def deferred(coroutine: Any) -> Deferred[Any]:
    """
    Begin a coroutine, or whatever else an interface calls an awaitable.
    """
    if isinstance(coroutine, Deferred):
        return coroutine
    return Deferred.fromCoroutine(cast(Coroutine[Deferred[Any], Any, Any], coroutine))


class TimedReactor:
    """
    The reactor of the test, with a clock of its own.
    """

    def __init__(self, clock: Clock) -> None:
        self.seconds = clock.seconds
        self.callLater = clock.callLater

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)


async def until(happened: Callable[[], bool]) -> None:
    """
    Wait for something to happen in this process or outside; the time limit of the test is the limit.
    """
    while not happened():
        await deferLater(cast(Any, reactor), 0.002)


def open_descriptors() -> int:
    """
    How many descriptors this process has open.
    """
    return len(os.listdir("/proc/self/fd"))


def evict(path: Path) -> None:
    """
    Put a file out of the page cache; skip the test where that is not possible, or can't be seen.
    """
    # Looking at the file itself could begin to bring it in again (Linux 6 reads ahead then).
    scratch = path.with_name(".scratch")
    scratch.write_bytes(bytes(1024 * 1024))
    try:
        with scratch.open("rb") as file:
            if not _is_cached(file.fileno()):
                raise SkipTest("a file that was just written is not cached here")
            _evict(file.fileno())
            if _is_cached(file.fileno()):
                raise SkipTest("this kernel keeps the pages that it was told to drop")
    finally:
        scratch.unlink()
    with path.open("rb") as file:
        _evict(file.fileno())


def _evict(descriptor: int) -> None:
    os.fsync(descriptor)  # only clean pages leave
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _is_cached(descriptor: int) -> bool:
    try:
        return os.preadv(descriptor, [bytearray(1)], 0, os.RWF_NOWAIT) == 1
    except BlockingIOError:
        return False
    except OSError as error:
        raise SkipTest(f"this file system can't tell what is cached: {error.strerror}") from None


def write_album(root: str | Path, album: str, files: Mapping[str, bytes]) -> Path:
    """
    Make an album, or more members in one.

    :param files: contents by path; a path that ends with ``/`` is a folder.
    """
    folder = Path(root) / album
    folder.mkdir(parents=True, exist_ok=True)
    for path, data in files.items():
        at = folder / path
        if path.endswith("/"):
            at.mkdir(parents=True)
        else:
            at.parent.mkdir(parents=True, exist_ok=True)
            at.write_bytes(data)
    return folder


def site_of(
    store: IFileStore,
    *,
    clock: Clock | None = None,
    logging: Logging | None = None,
    facts: IFacts | None = None,
    counts: Counts | None = None,
) -> Site:
    """
    The whole public site over a store, without threads and without a network.
    """
    clock, logging = clock or Clock(), logging or Logging(access=False, trusted=())
    pace = Pace(logs=logging.access, pause=None, now=clock.seconds)
    facts, counts = facts or MemoryFacts(), counts or Counts()
    archives = Archives(store, Planner(store, facts, at_once), counts, pace)
    view, strange = WithoutLocation(store, at_once), FactsWithoutLocation(facts)
    stripped = Archives(view, Planner(view, strange, at_once), counts, pace)
    keys = Keys.parse(KEY)
    access = Access(keys, Throttle(clock.seconds), open_uploads=False, now=clock.seconds)
    features = _features(store, facts, keys, clock.seconds)
    contents = Contents(store, facts, at_once)
    intake = Intake(store, at_once, Limits(features.max_upload, min_free=0), clock.seconds)
    galleries = gallery_features(
        store, facts, MemoryPictures(), contents, intake, clock=clock, in_thread=at_once, remove=store.delete
    )
    return Site(resource_of(archives, stripped, features, galleries, access), clock, logging)


def _features(store: IFileStore, facts: IFacts, keys: Keys, now: Callable[[], float]) -> FileFeatures:
    files, limits = MemoryFiles(), Limits(max_upload=64 * 1024 * 1024, min_free=0)
    contents = Contents(store, facts, at_once)
    intake = Intake(store, at_once, limits, now)
    uploads = Uploads(store, files, facts, intake, lambda: int(now() * 1_000_000))
    downloads = Downloads(store, files, contents, now)
    api = FileApi(uploads, downloads, files, store, Linking(LinkSigner(keys.link_keys), now))
    albums = AlbumApi(
        store,
        at_once,
        contents,
        pictures=MemoryPictures(),
        taking=Taking(intake, Members(store, uploads).remove),
        downloads=downloads,
    )
    return FileFeatures(uploads, downloads, api, albums, files, Excerpts(store), limits.max_upload)


def site_of_folder(root: str | Path, **options: Any) -> Site:
    """
    The same over a folder on a disk.
    """
    return site_of(DiskStore(str(root), at_once), **options)


def site_of_resource(resource: object, clock: Clock | None = None, **options: Any) -> Site:
    """
    A site of ours around some other resource.
    """
    logging = Logging(access=options.pop("access", False), trusted=options.pop("trusted", ()))
    return Site(cast(IResource, resource), clock or Clock(), logging)


@frozen
class Answer:
    """
    A response as Python's own client reads it.
    """

    status: int
    headers: HTTPMessage
    body: bytes


class _Transport(StringTransportWithDisconnection):
    """
    A transport in memory that says when it closes, as real ones do: what comes after is not looked at.
    """

    aborted = False

    def loseConnection(self) -> None:
        self.disconnecting = True
        super().loseConnection()

    def abortConnection(self) -> None:
        self.aborted = True
        super().loseConnection()


class Connection:
    """
    One client's connection to a site, in memory.

    :ivar lost: whether the server let go of it.
    """

    def __init__(self, site: Site, peer: IAddress | None = None, host: IAddress | None = None) -> None:
        peer = peer or IPv4Address("TCP", "192.0.2.7", 4711)
        self.channel = cast(Channel, site.buildProtocol(peer))
        self.transport = _Transport(hostAddress=host, peerAddress=peer)
        self.transport.protocol = self.channel
        self.channel.makeConnection(self.transport)

    @property
    def lost(self) -> bool:
        return not self.transport.connected

    def send(self, data: bytes) -> None:
        """
        Send bytes to the server.
        """
        self.channel.dataReceived(data)

    def leave(self) -> None:
        """
        Go away without a word.
        """
        self.transport.loseConnection()

    def received(self) -> bytes:
        """
        Take all that came.
        """
        data: bytes = self.transport.value()
        self.transport.clear()
        return data

    def answer(self, method: str = "GET") -> Answer:
        """
        Take one whole response.
        """
        return parse(self.received(), method)


def parse(response: bytes, method: str = "GET") -> Answer:
    """
    Read a response; raises for one that is not complete.
    """

    class Socket:
        def makefile(self, _: str) -> BytesIO:
            return BytesIO(response)

    reader = HTTPResponse(cast(Any, Socket()), method=method)
    reader.begin()
    with reader:
        return Answer(reader.status, reader.headers, reader.read())


def ask(
    site: Site,
    target: str | bytes,
    method: str = "GET",
    headers: Iterable[tuple[str, str | bytes]] = (),
    peer: IAddress | None = None,
) -> Answer:
    """
    Make one request on a connection of its own.

    :param target: what stands in the request line, in whatever form.
    """
    lines = [b"%b %b HTTP/1.1" % (method.encode("latin-1"), _bytes(target)), b"Host: files.example"]
    lines += [b"%b: %b" % (_bytes(name), _bytes(value)) for name, value in headers]
    connection = Connection(site, peer)
    connection.send(b"\r\n".join(lines) + b"\r\n\r\n")
    try:
        return connection.answer(method)
    finally:
        connection.leave()


def _bytes(text: str | bytes) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else text


@implementer(IConsumer)
class SlowConsumer:
    """
    What a request is to a producer: takes so much, then pauses it until `drain`.

    :param limit: bytes that it holds before it pauses the producer.
    :param sends_files: whether it also takes parts of files, as a TCP transport does.
    :param files_by_hand: whether such a part is sent only by `send_next_file`.
    :ivar writes: the size of each piece that was written, other than from files.
    :ivar peak: the most bytes that it ever held.
    :ivar unasked: how many times it was given something while the producer was paused.
    """

    def __init__(self, limit: int, *, sends_files: bool = False, files_by_hand: bool = False) -> None:
        self.limit = limit
        self.sends_files = sends_files
        self.received = bytearray()
        self.writes: list[int] = []
        self.peak = self.held = self.unasked = 0
        self.registered = self.unregistered = 0
        self.producer: Any = None
        self.paused = False
        self._files_by_hand = files_by_hand
        self._files: list[tuple[int, int, int, Deferred[None]]] = []

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        assert self.producer is None
        assert streaming
        self.producer = producer
        self.registered += 1

    def unregisterProducer(self) -> None:
        self.producer = None
        self.unregistered += 1

    def write(self, data: bytes | bytearray) -> None:
        assert self.producer is not None
        assert isinstance(data, bytes | bytearray)
        self._take(data)
        self.writes.append(len(data))
        self.held += len(data)
        self.peak = max(self.peak, self.held)
        if self.held > self.limit and not self.paused:
            self.paused = True
            self.producer.pauseProducing()

    def room(self) -> Deferred[int]:
        """
        How much may come.
        """
        return succeed(self.limit)

    def send_file(self, descriptor: int, offset: int, length: int) -> Deferred[None]:
        """
        Take a part of a file.
        """
        assert self.sends_files
        assert not self._files, "one part at a time"
        sent: Deferred[None] = Deferred(lambda _: self._files.clear())
        self._files.append((descriptor, offset, length, sent))
        if not self._files_by_hand:
            self.send_next_file()
        return sent

    @property
    def has_file(self) -> bool:
        """
        Whether a part of a file was given and not sent yet.
        """
        return bool(self._files)

    def send_next_file(self) -> None:
        """
        Send the part of a file that was given.
        """
        descriptor, offset, length, sent = self._files.pop()
        data = os.pread(descriptor, length, offset)
        self._take(data)
        if len(data) < length:
            fail(EOFError()).chainDeferred(sent)
        else:
            sent.callback(None)

    def drain(self) -> None:
        """
        Get rid of what is held, and let the producer go on.
        """
        self.held = 0
        self.paused = False
        if self.producer is not None:
            self.producer.resumeProducing()

    def drain_all(self) -> None:
        """
        Drain until the producer needs no more of it.
        """
        while self.paused:
            self.drain()

    def _take(self, data: bytes | bytearray) -> None:
        self.unasked += self.paused
        self.received += data


async def read_parts(reader: IAlbumReader, parts: Sequence[Part]) -> list[bytes]:
    """The bytes of some parts, each read into a buffer of its own."""
    buffers = [bytearray(part.length) for part in parts]
    await reader.read_into(buffers, parts)
    return [bytes(buffer) for buffer in buffers]
