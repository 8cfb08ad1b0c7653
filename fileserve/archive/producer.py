"""
Producing an archive's bytes: small members gathered into chunks, large ones sent from their files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from fileserve.http.ranges import Span
from fileserve.http.site import Request
from fileserve.storage.interfaces import (
    Data,
    IAlbumReader,
    IDescriptor,
    IOpenMember,
    Member,
    MemberChanged,
    Part,
    Unreadable,
)

from .ahead import Ahead, abandon
from .layout import Kind, Piece
from .plan import Plan
from .runs import LARGE, Run, lay_out
from .transfer import Transfer
from .zipformat import has_descriptor

#: The most that is read for a consumer at once, in bytes.
CHUNK = 256 * 1024

#: So much is gathered without asking the consumer for room: the records
#: between two large bodies.
_UNASKED = 4 * 1024

#: So many records go into one chunk at the most: some 3 milliseconds of making them.
_RECORDS = 1000

#: How much of a file is made ready, and then sent, at once.
_WINDOW = 2 * 1024 * 1024

#: The last bytes of a large member are read, and not sent from the file, so
#: that its version is checked before the client has all of it.
_TAIL = 16 * 1024


@implementer(IPushProducer)
class ArchiveProducer:
    """
    Produces parts of one archive into one request.

    While it is paused it holds nothing. Everything it opens is closed when it
    ends, however it ends.

    :param items: what to send, in order: bytes as they are, and spans of the archive.
    :param reader: of the album's members; closed at the end.
    :param pause: awaited before each chunk, for slowing down; no file is then
        sent past us.
    """

    def __init__(
        self,
        plan: Plan,
        items: Iterable[bytes | Span],
        reader: IAlbumReader,
        transfer: Transfer,
        pause: Callable[[], Deferred[None]] | None = None,
    ) -> None:
        self._plan = plan
        self._items = items
        self._reader = reader
        self._transfer = transfer
        self._pause = pause
        self._resumed: Deferred[None] | None = None
        self._ahead = Ahead(plan)

    def produce_to(self, request: Request) -> Deferred[None]:
        """
        Produce everything.

        :return: fires when every byte was handed on; fails with
            ``MemberChanged`` or ``Unreadable``; may be cancelled.
        """
        self._consumer = request
        self._sends_files = request.sends_files and self._pause is None
        self._produced = Deferred.fromCoroutine(self._produce())
        return self._produced

    def pauseProducing(self) -> None:
        """
        Hold back, until `resumeProducing`.
        """
        if self._resumed is None:
            self._resumed = Deferred()

    def resumeProducing(self) -> None:
        """
        Go on. Harmless when nothing is paused.
        """
        if self._resumed is not None:
            resumed, self._resumed = self._resumed, None
            resumed.callback(None)

    def stopProducing(self) -> None:
        """
        The consumer is gone.
        """
        self._produced.cancel()

    async def _produce(self) -> None:
        self._transfer.started()
        self._consumer.registerProducer(self, True)
        try:
            for item in self._items:
                if isinstance(item, Span):
                    await self._send_span(item)
                else:
                    await self._write(item)
        except CancelledError:
            self._transfer.interrupted()
            raise  # the consumer is gone: nothing to unregister from
        except BaseException as error:
            self._transfer.failed(error)
            self._consumer.unregisterProducer()
            raise
        finally:
            self._close()
        self._transfer.finished()
        self._consumer.unregisterProducer()

    def _close(self) -> None:
        self._ahead.close()
        self._reader.close()
        self._plan.checksums.save()

    async def _send_span(self, span: Span) -> None:
        """
        Send a part of the archive: runs of it as far as there are any, the rest piece by piece.
        """
        at, room = span.start, 0
        batch: list[Run] = []
        for run in self._plan.runs.within(span.start, span.stop):
            if run.start > at or run.stop - at > room:
                await self._send_runs(batch)
                await self._send_pieces(at, run.start)
                batch, room = [], await self._room()
            batch.append(run)
            room -= run.stop - run.start
            at = run.stop
        await self._send_runs(batch)
        await self._send_pieces(at, span.stop)

    async def _send_runs(self, runs: Sequence[Run]) -> None:
        """
        Send runs as one chunk.
        """
        if not runs:
            return
        chunk, buffers = lay_out(runs)
        parts = [part for run in runs for part in run.bodies]
        if parts:
            await self._reader.read_into(buffers, parts)
        await self._write(chunk)

    async def _send_pieces(self, start: int, stop: int) -> None:
        """
        Send a part of the archive, cut where chunks and large bodies begin.
        """
        gathered: list[Piece] = []
        room = _UNASKED
        for piece in self._plan.layout.pieces(start, stop):
            if piece.kind is Kind.BODY and piece.length > LARGE:
                await self._send_gathered(gathered)
                await self._send_large(piece)
                gathered, room = [], _UNASKED
                continue
            needed = self._needs(piece)
            if needed and (needed > room or len(gathered) >= _RECORDS):
                await self._send_gathered(gathered)
                gathered, room = [], await self._room()
            gathered.append(piece)
            room -= needed
        await self._send_gathered(gathered)

    async def _room(self) -> int:
        """
        How much to gather for a consumer that is not paused.
        """
        return min(CHUNK, await self._consumer.room()) if self._sends_files else CHUNK

    def _needs(self, piece: Piece) -> int:
        """
        The room to look for before a piece joins a chunk. A header asks for its
        small body too, which stays with it, so that reading it once gives both.
        """
        if piece.kind is Kind.BODY:
            return 0
        if piece.kind is not Kind.LOCAL_HEADER:
            return piece.length
        size = self._plan.layout.entries[piece.entry].size
        return piece.length + (size if size <= LARGE else 0)

    async def _send_gathered(self, pieces: Sequence[Piece]) -> None:
        """
        Send pieces as one chunk: bodies are read first, for the headers need their CRC-32.
        """
        if not pieces:
            return
        parts = [
            Part(self._member(piece.entry), piece.offset, piece.length)
            for piece in pieces
            if piece.kind is Kind.BODY
        ]
        bodies = [bytearray(part.length) for part in parts]
        if parts:
            await self._reader.read_into(bodies, parts)
        checksums = self._plan.checksums
        for part, data in zip(parts, bodies, strict=True):
            if len(data) == part.member.size and checksums.get(part.member) is None:
                checksums.note(part.member, data)
        body = iter(bodies)
        chunk = [
            next(body)
            if piece.kind is Kind.BODY
            else self._plan.records.get(piece) or await self._learn(piece)
            for piece in pieces
        ]
        await self._write(b"".join(chunk))

    async def _learn(self, piece: Piece) -> bytes:
        """
        Get a record whose checksum is not known yet.
        """
        member = self._member(piece.entry)
        self._ahead.look(piece.entry + 1, 0 if piece.kind is Kind.CENTRAL_HEADER else LARGE)
        await self._ahead.compute(member)
        record = self._plan.records.get(piece)
        assert record is not None, "its checksum is known now"
        return record

    async def _send_large(self, piece: Piece) -> None:
        """
        Send of a large member's data, in windows; each is made ready while the one before is sent.
        """
        member = self._member(piece.entry)
        at, end = piece.offset, piece.offset + piece.length
        if end == member.size and has_descriptor(member.size):
            self._ahead.compute(member)
        self._ahead.look(piece.entry + 1, LARGE)
        opened = await self._reader.open(member)
        try:
            descriptor = IDescriptor(opened, None)
            if self._sends_files and descriptor is not None:
                at = await self._send_file(opened, descriptor.fileno(), at, end - _TAIL)
            while at < end:
                length = min(CHUNK, end - at)
                await self._write(await opened.read(at, length))
                at += length
        finally:
            opened.close()

    async def _send_file(self, opened: IOpenMember, descriptor: int, at: int, end: int) -> int:
        """
        Send from a file, past this process.

        :return: ``end``.
        """
        sent: Deferred[None] | None = None
        try:
            while at < end:
                length = min(_WINDOW, end - at)
                await opened.prepare(at, length)
                await self._handed_on(sent)
                sent = self._consumer.send_file(descriptor, at, length)
                sent.addCallback(self._counted, length)
                at += length
            await self._handed_on(sent)
        except EOFError:
            raise MemberChanged(opened.member.path, "it is shorter than it was") from None
        except OSError as error:
            raise Unreadable(opened.member.path, error.strerror) from error
        finally:
            if sent is not None:
                abandon(sent)
        opened.check()
        return end

    def _counted(self, _: None, length: int) -> None:
        self._transfer.chunk(length)

    async def _handed_on(self, sent: Deferred[None] | None) -> None:
        """
        Wait for the part of a file before, and for the consumer.
        """
        if sent is not None:
            await sent
        while self._resumed is not None:
            await self._resumed

    async def _write(self, chunk: Data) -> None:
        if self._pause is not None:
            await self._pause()
        while self._resumed is not None:
            await self._resumed
        self._transfer.chunk(len(chunk))
        self._consumer.write(chunk)
        while self._resumed is not None:
            await self._resumed

    def _member(self, index: int) -> Member:
        member = self._plan.members[index]
        assert member is not None, "a folder has no body"
        return member
