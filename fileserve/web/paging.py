"""
The numbers of pages: reading one, and which of them a page leads to.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

#: On each side of the present page so many others are within one step.
_AROUND = 2


def page_number(text: bytes) -> int | None:
    """
    Read the number of a page, from 1 on.

    :return: ``None`` for what no page has for its number.
    """
    if not text.isdigit() or len(text) > 9 or text.startswith(b"0"):
        return None
    return int(text)


def page_links(number: int, pages: int) -> Sequence[int | None]:
    """
    Which pages one page leads to: the first, the last, and those around it.

    :return: their numbers, its own among them; ``None`` where some are left out.
    """
    shown = sorted({1, pages, *range(max(1, number - _AROUND), min(pages, number + _AROUND) + 1)})
    links: list[int | None] = []
    for before, each in zip((0, *shown), shown, strict=False):
        if each - before == 2:
            links.append(each - 1)  # no longer than a mark for the gap
        elif each - before > 2:
            links.append(None)
        links.append(each)
    return links
