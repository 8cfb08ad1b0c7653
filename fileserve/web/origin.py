"""
Whether a request that a cookie permits to write comes from our own pages.

Without TLS, but for this machine itself, browsers send no ``Sec-Fetch-Site``. And what a form sends from a
page with ``Referrer-Policy: no-referrer`` has ``Origin: null`` (WHATWG Fetch section 3.2; so does Chromium
156), which is no origin of ours. So a page with forms must say ``same-origin`` there, by which other sites
get no referrer either.
"""

from __future__ import annotations

from collections.abc import Sequence


def from_our_pages(fetch_site: Sequence[bytes] | None, origin: Sequence[bytes] | None, ours: str) -> bool:
    """
    Judge by what browsers say and pages can't change (Fetch Metadata, and RFC 6454).

    :param fetch_site: the values of ``Sec-Fetch-Site``; ``same-origin`` only is ours. Where a
        browser sends it, ``Origin`` does not count: it says less.
    :param origin: the values of ``Origin``.
    :param ours: the origin under which the client knows us, as `forwarded_origin` of
        `fileserve.http.forwarded` spells it.
    :return: false where neither says that it is so.
    """
    if fetch_site:
        return list(fetch_site) == [b"same-origin"]
    return origin is not None and list(origin) == [ours.encode("utf-8", "replace")]
