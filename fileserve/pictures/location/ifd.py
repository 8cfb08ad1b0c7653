"""
One directory of a TIFF structure: its entries, and the directory without some of them.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Literal, NamedTuple

from attrs import frozen

from .reading import Steps, Window

Order = Literal["little", "big"]

#: Bytes of each value, by its field type: TIFF 6.0 section 2, Adobe's supplement 1 (13), EXIF 3.0 (129).
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 129: 1}
_POINTERS = {3: 2, 4: 4, 13: 4}

#: An entry has so many bytes, of which the last four hold the value, or tell where it is.
ENTRY = 12


class NotUnderstood(Exception):
    """
    Nobody can tell what a structure says: it is damaged, or built so that it could only be damaged.
    """


class Span(NamedTuple):
    """
    From where to where something stands, in bytes from the start of the structure.
    """

    start: int
    stop: int


class Entry(NamedTuple):
    """
    One field of a directory. A tuple, because a picture has dozens, and an album thousands of pictures.
    """

    tag: int
    type: int
    #: How many values it has.
    number: int
    #: As it stands in the directory.
    raw: bytes
    #: Where it stands.
    at: int
    order: Order

    @property
    def has_known_type(self) -> bool:
        """
        Whether anybody can tell how long its value is.
        """
        return self.type in _SIZES

    @property
    def length(self) -> int:
        """
        Bytes of its value; 0 where the type is not known.
        """
        return _SIZES.get(self.type, 0) * self.number

    @property
    def value(self) -> Span:
        """
        Where its value stands.
        """
        start = self.at + 8 if self.length <= 4 else int.from_bytes(self.raw[8:], self.order)
        return Span(start, start + self.length)

    @property
    def is_inline(self) -> bool:
        """
        Whether the value stands in the entry itself.
        """
        return self.length <= 4

    @property
    def pointer(self) -> int:
        """
        The offset that it holds.

        :raise NotUnderstood: it is none, or there are several.
        """
        size = _POINTERS.get(self.type)
        if size is None or self.number != 1:
            raise NotUnderstood("a directory is pointed to in an unknown way")
        return int.from_bytes(self.raw[8 : 8 + size], self.order)

    def numbers(self, view: Window) -> Steps[list[int]]:
        """
        The offsets or lengths that it holds.

        :raise NotUnderstood: they are none.
        :raise TooMuchError: they are too many.
        """
        size = _POINTERS.get(self.type)
        if size is None:
            raise NotUnderstood("there are pointers of an unknown kind")
        view.budget.spend(values=self.number)
        start, stop = self.value
        data = yield from view.get(start, stop - start)
        return [int.from_bytes(data[at : at + size], self.order) for at in range(0, len(data), size)]


@frozen
class Directory:
    """
    An image file directory (TIFF 6.0 section 2).
    """

    at: int
    entries: Sequence[Entry]
    #: The bytes that tell where the next one is; fewer than four at the end of a file.
    tail: bytes
    order: Order

    @property
    def next(self) -> int:
        """
        Where the next one is; 0 for nowhere.
        """
        return int.from_bytes(self.tail, self.order) if len(self.tail) == 4 else 0

    @property
    def fields(self) -> Span:
        """
        Where its entries stand, with their number.
        """
        return Span(self.at, self.at + 2 + ENTRY * len(self.entries))

    @property
    def table(self) -> Span:
        """
        Where all of it stands.
        """
        return Span(self.at, self.fields.stop + len(self.tail))

    def without(self, gone: Container[int]) -> bytes:
        """
        Itself without the entries of some tags, as long as before.
        """
        kept = [entry.raw for entry in self.entries if entry.tag not in gone]
        bare = len(kept).to_bytes(2, self.order) + b"".join(kept) + self.tail
        return bare.ljust(self.table.stop - self.at, b"\0")


def read_directory(view: Window, at: int, order: Order) -> Steps[Directory | None]:
    """
    Read a directory.

    :return: ``None`` where the file has ended before.
    :raise NotUnderstood: the file ends within its entries.
    :raise TooMuchError: they are too many.
    """
    head = yield from view.get(at, 2)
    if len(head) < 2:
        return None
    count = int.from_bytes(head, order)
    view.budget.spend(values=1 + count)
    data = yield from view.get(at + 2, ENTRY * count + 4)
    if len(data) < ENTRY * count:
        raise NotUnderstood("a directory goes on behind the end")
    entries = tuple(_entries(data[: ENTRY * count], at + 2, order))
    return Directory(at, entries, data[ENTRY * count :], order)


def _entries(data: bytes, start: int, order: Order) -> Iterator[Entry]:
    for at in range(0, len(data), ENTRY):
        raw = data[at : at + ENTRY]
        tag, kind = int.from_bytes(raw[:2], order), int.from_bytes(raw[2:4], order)
        yield Entry(tag, kind, int.from_bytes(raw[4:8], order), raw, start + at, order)
