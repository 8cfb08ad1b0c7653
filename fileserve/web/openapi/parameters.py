"""
What requests of the API say: parameters of paths and queries, headers, bodies.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .schemas import ALBUM, ALBUM_TEXT, CURSOR_TEXT, IDENTITY, SHORT_NAME, SHORT_NAME_TEXT, Piece, ref

# Bytes have no type in JSON, so none is said (OpenAPI 3.1, "Working with Binary Data").
_BYTES: Piece = {"contentMediaType": "application/octet-stream"}


def _text(description: str, example: str, **more: Any) -> Piece:
    return {"schema": {"type": "string", **more}, "description": description, "example": example}


def _of(schema: Piece, example: str) -> Piece:
    return {"schema": schema, "description": schema["description"], "example": example}


def _count(description: str, default: int, most: int) -> Piece:
    schema = {"type": "integer", "minimum": 1, "maximum": most, "default": default}
    return {"schema": schema, "description": description, "example": default, "allowEmptyValue": True}


def _switch(description: str, **more: Any) -> Piece:
    schema = {"type": "boolean", **more}
    return {"schema": schema, "description": description, "allowEmptyValue": True}


def _path(**parameters: Piece) -> Mapping[str, Piece]:
    return {
        key: {"name": key, "in": "path", "required": True, **parameter}
        for key, parameter in parameters.items()
    }


def _query(**parameters: Piece) -> Mapping[str, Piece]:
    """Parameters of a query; what one is called in the document is its name, and where it is used."""
    return {
        key: {"name": key.partition("_")[0], "in": "query", "required": False, **parameter}
        for key, parameter in parameters.items()
    }


def _condition(name: str, description: str, example: str) -> Mapping[str, Piece]:
    parameter = {"name": name, "in": "header", "required": False, **_text(description, example)}
    return {name: parameter}


_ETAG = '"7b52009b64fd0a2a49e6d8a939753077"'
_DATE = "Fri, 20 Nov 2026 22:03:24 GMT"

#: All parameters, as components.
PARAMETERS: Mapping[str, Piece] = {
    **_path(
        short_name=_of(SHORT_NAME_TEXT, SHORT_NAME),
        id=_text("The id of a stored file.", IDENTITY, format="uuid"),
        filename=_text(
            "The name of the file, kept as it is sent; a slash can't be in it.",
            "greetings.txt",
            minLength=1,
            pattern="^[^/]+$",
        ),
        album=_of(ALBUM_TEXT, ALBUM),
        name=_text(
            "The path of the file in the album; a slash in it is sent as it is, and not as %2F.",
            "2.txt",
            minLength=1,
            maxLength=1024,
        ),
    ),
    "album_unseen": {
        "name": "album",
        "in": "path",
        "required": True,
        **_text("The name of an album; whether it can be one is not looked at.", ALBUM, pattern="^[^/]+$"),
    },
    **_query(
        limit_files=_count("How many files to list at the most.", 100, 1000),
        after_files={
            "schema": {key: value for key, value in CURSOR_TEXT.items() if key != "description"},
            "description": CURSOR_TEXT["description"],
            "example": "000000000000002a",
            "allowEmptyValue": True,
        },
        processed=_switch("Only those whose status is processed, or only the others."),
        limit_members=_count("How many files to list at the most.", 1000, 1000),
        after_members={
            "schema": {"type": "string", "pattern": "^([A-Za-z0-9_-]{4})*([A-Za-z0-9_-]{2,3})?$"},
            "description": "The next of the page before, as it came.",
            "example": "MS50eHQ",
            "allowEmptyValue": True,
        },
        expires=_count("For how many seconds the link is to work: at the most a week.", 86_400, 604_800),
        direct=_switch(
            "Whether the link is to lead to S3 itself; only where the files are kept there.", default=False
        ),
    ),
    **{
        f"{name}_link": {"name": name, "in": "query", "required": True, **_text(description, example)}
        for name, description, example in (
            ("expires", "When the link ends, in seconds since 1970 UTC.", "1795212000"),
            ("key", "Which key signed it.", "1c9e4a07"),
            ("signature", "The signature.", "dGhpcyBpcyBvbmx5IGFuIGV4YW1wbGUgb2YgYSBzaWc"),
        )
    },
    **_condition("Range", "Which bytes to send (RFC 9110); at most 16 ranges count.", "bytes=0-1023"),
    **_condition("If-Range", "Ranges count only if this is the version.", _ETAG),
    **_condition("If-Match", "Only if this is the version.", _ETAG),
    **_condition("If-None-Match", "Only if this is not the version; * is any.", _ETAG),
    **_condition("If-Modified-Since", "Only if it changed since.", _DATE),
    **_condition("If-Unmodified-Since", "Only if it did not change since.", _DATE),
}


def parameters(*names: str) -> list[Piece]:
    """
    Name parameters of an operation.
    """
    return [ref("parameters", name) for name in names]


#: Of requests that read the bytes of a file.
CONDITIONS = ("If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since")
RANGES = ("Range", "If-Range")

#: A form with files, as browsers send it.
FORM: Piece = {
    "description": "A form. Each file is stored; other fields are skipped.",
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {
                    "file": {
                        "type": "array",
                        "minItems": 1,
                        "maxItems": 1000,
                        "items": _BYTES,
                        "description": "Once for each file; each with a file name.",
                    }
                },
            }
        }
    },
}

#: The bytes of one file.
RAW: Piece = {
    "description": "The bytes of the file, of whatever Content-Type: it is not looked at.",
    # Without a body there is a file all the same, of no bytes.
    "required": False,
    "content": {"application/octet-stream": {"schema": _BYTES}},
}
