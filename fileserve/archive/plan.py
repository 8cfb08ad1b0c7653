"""
An album laid out as an archive at one moment, and remembered as long as it stays so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence

from attrs import frozen
from twisted.logger import Logger
from twisted.python.failure import Failure

from fileserve.catalogue.interfaces import CatalogueUnavailable, Crcs, IFacts
from fileserve.storage.errors import NoSuchAlbum
from fileserve.storage.held import InThread
from fileserve.storage.interfaces import IFileStore, Listing, Member

from .checksums import Checksums
from .layout import Layout
from .names import safe_names
from .records import Records
from .runs import Runs
from .zipformat import Entry

_log = Logger(namespace="fileserve.archive")

#: Part of every entity-tag. To be changed whenever the same members would give
#: other bytes than before.
_FORMAT = b"fileserve archive 1"

#: How many members the remembered plans may have together: about 1 KB each.
_REMEMBERED_MEMBERS = 150_000


class NoSuchMember(LookupError):
    """
    An album has no member of the path that was asked for.
    """


@frozen(eq=False)
class Plan:
    """
    What an archive holds, and where. Transfers of the same bytes share it.
    """

    album: str
    listing: Listing
    #: One for each entry of the layout; ``None`` for a folder.
    members: Sequence[Member | None]
    layout: Layout
    checksums: Checksums
    records: Records
    runs: Runs
    #: A strong entity-tag, with its quotes.
    etag: bytes

    @property
    def last_modified(self) -> int:
        """
        When anything in the album last changed, in whole seconds since 1970 UTC.
        """
        return self.listing.changed_ns // 1_000_000_000

    def only(self, paths: frozenset[bytes]) -> Plan:
        """
        The plan of an archive of some of the members, under the same names.

        :raise NoSuchMember: one of the paths is no member's.
        """
        pairs = [
            (entry, member)
            for entry, member in zip(self.layout.entries, self.members, strict=True)
            if member is not None and member.path in paths
        ]
        if len(pairs) != len(paths):
            raise NoSuchMember("no such file in this archive")
        return _plan(self.album, self.listing, pairs, self.checksums)


def _weight(plan: Plan) -> int:
    """
    What remembering a plan costs, in members; an empty one is not free.
    """
    return len(plan.members) + 1


def _plan(
    album: str,
    listing: Listing,
    pairs: Iterable[tuple[Entry, Member | None]],
    checksums: Checksums,
) -> Plan:
    pairs = sorted(pairs, key=lambda pair: pair[0].name)
    members = [member for _, member in pairs]
    layout = Layout([entry for entry, _ in pairs])
    records = Records(layout, members, checksums)
    runs = Runs(layout, members, records)
    return Plan(album, listing, members, layout, checksums, records, runs, _entity_tag(pairs))


def _pairs(listing: Listing) -> list[tuple[Entry, Member | None]]:
    """
    The entries of a whole album, each with its member.
    """
    folders = [folder.path + b"/" for folder in listing.empty_folders]
    names = safe_names([member.path for member in listing.members] + folders)
    pairs: list[tuple[Entry, Member | None]] = [
        (Entry(names[member.path], member.size, member.mtime_ns), member) for member in listing.members
    ]
    pairs += [
        (Entry(names[folder.path + b"/"], 0, folder.mtime_ns), None) for folder in listing.empty_folders
    ]
    return pairs


def _entity_tag(pairs: Iterable[tuple[Entry, Member | None]]) -> bytes:
    """
    Changes whenever a byte of the archive may have changed.

    A member's version stands for its bytes, for reading them all would keep the
    first byte waiting. Names have no NUL, so no two albums spell the same text.
    """
    told = [
        b"%b\0%d %b\0" % (entry.name, entry.mtime_ns, member.version.encode() if member else b"")
        for entry, member in pairs
    ]
    digest = hashlib.sha256(_FORMAT + b"".join(told))
    return b'"' + digest.hexdigest()[:32].encode() + b'"'


class Planner:
    """
    Makes plans, and remembers those of the albums that were asked for lately.

    Every plan is of the album as it is: it is listed each time, and only what
    follows from an equal listing is taken from memory.
    """

    def __init__(self, store: IFileStore, facts: IFacts, in_thread: InThread) -> None:
        self._store = store
        self._facts = facts
        self._in_thread = in_thread
        # The one asked for last comes last.
        self._remembered: dict[str, Plan] = {}
        self._weight = 0

    async def plan(self, album: str, paths: Collection[bytes] = ()) -> Plan:
        """
        Lay out an album as it is now, or those of its members that are named.

        :raise NoSuchAlbum: there is none of that name.
        :raise NoSuchMember: one of the paths is no member's.
        :raise Unreadable: something in it can't be read.
        """
        plan = await self._whole(album)
        return await self._in_thread(plan.only, frozenset(paths)) if paths else plan

    def learnt(self, plan: Plan) -> None:
        """
        Make use of what a transfer found out, for the next one of the same plan:
        there is none of a plan that is not remembered.
        """
        if plan.runs.made or self._remembered.get(plan.album) is not plan:
            return
        together = self._in_thread(plan.runs.put_together)
        together.addErrback(lambda failure: _log.failure("A plan is not put together", failure))

    async def _whole(self, album: str) -> Plan:
        try:
            listing = await self._store.list(album)
        except NoSuchAlbum:
            self._forget(album)
            raise
        plan = self._recalled(album, listing)
        if plan is None:
            known = await self._known(album)
            made = await self._in_thread(self._lay_out, album, listing, known)
            # Another request may have made the same meanwhile: share its checksums.
            plan = self._recalled(album, listing) or made
        self._remember(plan)
        return plan

    def _lay_out(self, album: str, listing: Listing, known: Crcs) -> Plan:
        """
        Make the plan of a whole album. In a thread: it takes some microseconds for each member.
        """
        checksums = Checksums(album, listing.members, known, self._facts, self._store.reader)
        return _plan(album, listing, _pairs(listing), checksums)

    def _forget(self, album: str) -> None:
        """
        Drop what is known of an album that is gone; only if it was asked for
        lately, or every wrong name would cost a look into the catalogue.
        """
        if self._drop(album):
            self._facts.forget(album, ()).addErrback(self._not_forgotten)

    def _not_forgotten(self, failure: Failure) -> None:
        _log.warn("Facts of a removed album are left: {reason}", reason=failure.getErrorMessage())

    def _recalled(self, album: str, listing: Listing) -> Plan | None:
        plan = self._remembered.get(album)
        return plan if plan is not None and plan.listing == listing else None

    def _remember(self, plan: Plan) -> None:
        self._drop(plan.album)
        self._remembered[plan.album] = plan
        self._weight += _weight(plan)
        while self._weight > _REMEMBERED_MEMBERS:
            self._drop(next(iter(self._remembered)))

    def _drop(self, album: str) -> bool:
        """
        Remember an album's plan no longer.

        :return: whether there was one.
        """
        plan = self._remembered.pop(album, None)
        if plan is not None:
            self._weight -= _weight(plan)
        return plan is not None

    async def _known(self, album: str) -> Crcs:
        try:
            return await self._facts.recall(album)
        except CatalogueUnavailable as error:
            _log.warn("The catalogue is not asked: {reason}", reason=error)
            return {}
