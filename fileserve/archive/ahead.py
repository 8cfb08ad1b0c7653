"""
Checksums of the members to come, computed while those before them are sent.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from fileserve.http.producing import abandon
from fileserve.storage.interfaces import Member

from .plan import Plan

#: For so many members to come.
_COUNT = 4


class Ahead:
    """
    What one transfer has computed in advance. Its owner calls `close`.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._computing: dict[bytes, Deferred[int]] = {}

    def compute(self, member: Member) -> Deferred[int]:
        """
        Have the CRC-32 of a member computed, if that was not begun.
        """
        computing = self._computing.get(member.path)
        if computing is None:
            computing = self._computing[member.path] = self._plan.checksums.compute(member)
            computing.addCallback(self._computed, member.path)
        return computing

    def _computed(self, crc: int, path: bytes) -> int:
        del self._computing[path]
        return crc

    def look(self, entry: int, size: int) -> None:
        """
        Have those computed that will be needed next.

        :param entry: the first that comes.
        :param size: only of members larger than this; smaller ones give theirs when they are sent.
        """
        known = self._plan.checksums.get
        for member in self._plan.members[entry : entry + _COUNT]:
            if member is not None and member.size > size and known(member) is None:
                self.compute(member)

    def close(self) -> None:
        """
        Wait for none of them any more.
        """
        for computing in list(self._computing.values()):
            abandon(computing)
