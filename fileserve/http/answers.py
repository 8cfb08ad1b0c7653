"""
Answers that are whole in memory: pages, JSON.
"""

from __future__ import annotations

import json

from .request import Request


def sized(request: Request, media_type: bytes, body: bytes) -> bytes:
    """
    Describe a body that is whole in memory.

    :return: the body.
    """
    request.setHeader(b"Content-Type", media_type)
    request.setHeader(b"Content-Length", b"%d" % len(body))
    return body


def as_json(request: Request, value: object, status: int = 200) -> bytes:
    """
    Answer with a value as JSON, which nobody keeps: it may be another the next time.

    :return: the body.
    """
    request.setResponseCode(status)
    request.setHeader(b"Cache-Control", b"no-store")
    request.setHeader(b"X-Content-Type-Options", b"nosniff")
    return sized(request, b"application/json", json.dumps(value, ensure_ascii=False).encode())


def nothing(request: Request, status: int = 204) -> bytes:
    """
    Answer without a body.
    """
    request.setResponseCode(status)
    if status != 204:
        request.setHeader(b"Content-Length", b"0")
    return b""
