"""
Answering GET and HEAD for bytes that have a length and a validator: status, headers, and what to send.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Sequence

from attrs import frozen

from fileserve.storage.interfaces import Member

from .conditions import Conditions, Outcome, evaluate, http_date, range_applies
from .ranges import (
    NotSatisfiable,
    Span,
    content_range,
    parts,
    parts_length,
    unsatisfied_range,
    wanted,
)
from .refusal import Refusal
from .request import Request


@frozen
class Representation:
    """
    What is known of some bytes before any of them is read.
    """

    media_type: bytes
    #: Bytes.
    length: int
    #: A strong entity-tag, with its quotes: other bytes always have another.
    etag: bytes
    #: Whole seconds since 1970 UTC.
    last_modified: int
    #: A value for ``Content-Disposition``.
    disposition: bytes
    #: A value for ``Cache-Control``.
    cache_control: bytes


def describe(request: Request, what: Representation, now: int) -> Sequence[bytes | Span]:
    """
    Decide what of a representation is to be sent, and say so in status and headers.

    :param now: seconds since 1970 UTC.
    :return: in order, the bytes to send as they are and the spans of the
        representation; nothing for HEAD and 304.
    :raise Refusal: a condition failed (412) or no range can be satisfied (416).
    """
    conditions = conditions_of(request)
    _validators(request, what)
    outcome = evaluate(conditions, request.method, what.etag, what.last_modified, now)
    if outcome is Outcome.PRECONDITION_FAILED:
        raise Refusal(412, "This is not the version you asked for.", {b"ETag": what.etag})
    if outcome is Outcome.NOT_MODIFIED:
        request.setResponseCode(304)
        return ()
    request.setHeader(b"Content-Disposition", what.disposition)
    spans = None
    if request.method == b"GET" and range_applies(conditions.if_range, what.etag, what.last_modified, now):
        spans = _ranges(request, what)
    return _content(request, what, spans)


def _content(request: Request, what: Representation, spans: Sequence[Span] | None) -> Sequence[bytes | Span]:
    media_type, length = what.media_type, what.length
    body: Iterable[bytes | Span] = [Span(0, length)]
    if spans is not None:
        request.setResponseCode(206)
        body = spans
        length = spans[0].length
        if len(spans) == 1:
            request.setHeader(b"Content-Range", content_range(spans[0], what.length))
        else:
            boundary = secrets.token_hex(16).encode()
            body = parts(spans, boundary, what.media_type, what.length)
            length = parts_length(spans, boundary, what.media_type, what.length)
            media_type = b"multipart/byteranges; boundary=" + boundary
    request.setHeader(b"Content-Type", media_type)
    request.setHeader(b"Content-Length", b"%d" % length)
    return () if request.method == b"HEAD" else tuple(body)


def _validators(request: Request, what: Representation) -> None:
    request.setHeader(b"ETag", what.etag)
    request.setHeader(b"Last-Modified", http_date(what.last_modified))
    request.setHeader(b"Accept-Ranges", b"bytes")
    request.setHeader(b"Cache-Control", what.cache_control)


def _ranges(request: Request, what: Representation) -> Sequence[Span] | None:
    try:
        return wanted(_field(request, b"Range"), what.length)
    except NotSatisfiable:
        raise Refusal(
            416,
            f"There are only {what.length} bytes.",
            {b"Content-Range": unsatisfied_range(what.length), b"Accept-Ranges": b"bytes"},
        ) from None


def entity_tag(member: Member) -> bytes:
    """
    The strong entity-tag of one version of a file, with its quotes.
    """
    return b'"' + hashlib.sha256(member.version.encode()).hexdigest()[:32].encode() + b'"'


def conditions_of(request: Request) -> Conditions:
    """
    The conditions that a request makes.
    """
    return Conditions(
        if_match=_field(request, b"If-Match"),
        if_none_match=_field(request, b"If-None-Match"),
        if_modified_since=_field(request, b"If-Modified-Since"),
        if_unmodified_since=_field(request, b"If-Unmodified-Since"),
        if_range=_field(request, b"If-Range"),
    )


def _field(request: Request, name: bytes) -> bytes | None:
    """
    A header's value; one that came several times is one list (RFC 9110 section 5.3).
    """
    values = request.requestHeaders.getRawHeaders(name)
    return b", ".join(values) if values else None
