"""
Producing an archive's bytes: small members gathered into chunks, large ones sent from their files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from twisted.internet.defer import CancelledError, Deferred

from fileserve.http.producing import PushProducer
from fileserve.http.ranges import Span
from fileserve.storage.interfaces import IAlbumReader, Member, Part

from .ahead import Ahead
from .layout import Kind, Piece
from .plan import Plan
from .runs import LARGE, Run, lay_out
from .transfer import Transfer
from .zipformat import has_descriptor

#: So much is gathered without asking the consumer for room: the records
#: between two large bodies.
_UNASKED = 4 * 1024

#: So many records go into one chunk at the most: some 3 milliseconds of making them.
_RECORDS = 1000


class ArchiveProducer(PushProducer):
    """
    Produces parts of one archive into one request.

    Everything it opens is closed when it ends, however it ends.

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
        super().__init__(items, pause)
        self._plan = plan
        self._reader = reader
        self._transfer = transfer
        self._ahead = Ahead(plan)

    async def produce(self) -> None:
        """
        Produce everything, and tell how it goes.
        """
        self._transfer.started()
        try:
            await super().produce()
        except CancelledError:
            self._transfer.interrupted()
            raise
        except BaseException as error:
            self._transfer.failed(error)
            raise
        self._transfer.finished()

    def handing_on(self, size: int) -> None:
        """
        Count what goes out.
        """
        self._transfer.chunk(size)

    def close(self) -> None:
        """
        Give back what is open, and keep what was learnt.
        """
        self._ahead.close()
        self._reader.close()
        self._plan.checksums.save()

    async def send_span(self, span: Span) -> None:
        """
        Send a part of the archive: runs of it as far as there are any, the rest piece by piece.
        """
        at, room = span.start, 0
        batch: list[Run] = []
        for run in self._plan.runs.within(span.start, span.stop):
            if run.start > at or run.stop - at > room:
                await self._send_runs(batch)
                await self._send_pieces(at, run.start)
                batch, room = [], await self.room()
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
        await self.write(chunk)

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
                gathered, room = [], await self.room()
            gathered.append(piece)
            room -= needed
        await self._send_gathered(gathered)

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
        await self.write(b"".join(chunk))

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
        Send of a large member's data.
        """
        member = self._member(piece.entry)
        end = piece.offset + piece.length
        if end == member.size and has_descriptor(member.size):
            self._ahead.compute(member)
        self._ahead.look(piece.entry + 1, LARGE)
        opened = await self._reader.open(member)
        try:
            await self.send_open(opened, piece.offset, end)
        finally:
            opened.close()

    def _member(self, index: int) -> Member:
        member = self._plan.members[index]
        assert member is not None, "a folder has no body"
        return member
