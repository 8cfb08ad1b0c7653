"""
What is computed of a file's bytes, in one pass over them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from isal import isal_zlib

from fileserve.catalogue.interfaces import MemberFacts
from fileserve.http.kinds import HEAD, media_type
from fileserve.storage.interfaces import Data


class Digest:
    """
    Takes the bytes as they come.

    :ivar size: how many there were.
    :ivar head: the first of them, which tell the media type.
    """

    def __init__(self) -> None:
        self.size = 0
        self.head = b""
        self._crc32 = 0
        self._sha256 = hashlib.sha256()

    def update(self, pieces: Sequence[Data]) -> None:
        """
        Take the next bytes.
        """
        for piece in pieces:
            self.size += len(piece)
            self._sha256.update(piece)
            self._crc32 = isal_zlib.crc32(piece, self._crc32)
            if len(self.head) < HEAD:
                self.head += piece[: HEAD - len(self.head)]

    def facts(self, filename: str) -> MemberFacts:
        """
        What is known after the last of them.

        :param filename: a hint for the media type.
        """
        return MemberFacts(self._crc32, self._sha256.hexdigest(), media_type(self.head, filename))
