"""
An answer that is not what was asked for, as an exception that routes raise.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus


class Refusal(Exception):
    """
    Ends a request with an error status.

    :param status: the HTTP status, 400 and above.
    :param detail: one sentence for the person who asked: what to do about it.
    :param headers: to be sent with it.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[bytes, bytes] | None = None) -> None:
        super().__init__(f"{status} {detail}")
        self.status = HTTPStatus(status)
        self.detail = detail
        self.headers = dict(headers or {})
