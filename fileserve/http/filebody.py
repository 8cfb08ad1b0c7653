"""
One open member as the body of a response: the whole of it, or parts.
"""

from __future__ import annotations

from collections.abc import Iterable

from fileserve.storage.interfaces import IOpenMember

from .producing import PushProducer
from .ranges import Span


class FileBody(PushProducer):
    """
    Produces parts of one file into one request.

    :param opened: ours from now on: closed when `produce_to` has ended, however
        it ends. Who never calls that, because nothing is to be sent, calls `close`.
    :param items: what to send, in order, as `fileserve.http.representation.describe` tells:
        bytes as they are, and spans of the file.
    """

    def __init__(self, opened: IOpenMember, items: Iterable[bytes | Span]) -> None:
        super().__init__(items)
        self._opened = opened

    async def send_span(self, span: Span) -> None:
        """
        Send a part of the file.
        """
        await self.send_open(self._opened, span.start, span.stop)

    def close(self) -> None:
        """
        Give the file back.
        """
        self._opened.close()
