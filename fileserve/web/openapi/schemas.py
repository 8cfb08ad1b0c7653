"""
What the JSON of the API looks like: schemas (JSON Schema 2020-12), each with an example.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

#: A piece of the document.
Piece: TypeAlias = dict[str, Any]

#: An example that all others are about.
SHORT_NAME = "oi78kWPXhpRiZCSd6GpDfZ"
ALBUM = "3bea29ccabbbf64bdebcc055319c5745"
IDENTITY = "2e2ac40e-ac36-4440-8d46-f8cc9df02ca0"

_SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_ETAG = '"7b52009b64fd0a2a49e6d8a939753077"'


def ref(section: str, name: str) -> Piece:
    """
    Point to a component.
    """
    return {"$ref": f"#/components/{section}/{name}"}


def text(description: str, **more: Any) -> Piece:
    """
    A string, with whatever else is known of it.
    """
    return {"type": "string", "description": description, **more}


def _maybe(schema: Piece) -> Piece:
    """The same, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def _object(description: str, properties: Mapping[str, Piece], example: object) -> Piece:
    """An object of which all these properties are always there."""
    return {
        "type": "object",
        "description": description,
        "required": list(properties),
        "properties": dict(properties),
        "examples": [example],
    }


_SIZE: Piece = {"type": "integer", "minimum": 0, "description": "Bytes."}
_TYPE = text("The media type, judged by the content.", pattern="^[a-z]+/[a-z0-9.+-]+$")
_SUM = text("Of the bytes, in hexadecimal digits.", pattern="^[0-9a-f]{64}$")
_CRC = text("CRC-32 of the bytes, in hexadecimal digits.", pattern="^[0-9a-f]{8}$")
_MOMENT = text("RFC 3339, in UTC.", format="date-time")
_PIXELS: Piece = {
    "type": "integer",
    "minimum": 1,
    "description": "Pixels of a picture as it is shown, upright; null of one that was not looked at yet.",
}

SHORT_NAME_TEXT = text(
    "The secret name of a stored file, which is the permission to read it.",
    pattern="^[2-9A-HJ-NP-Za-km-z]{22}$",
)
ALBUM_TEXT = text(
    "The secret name of an album, which is the permission to read it.",
    pattern=r"^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,127}$",
)
CURSOR_TEXT = text("The next of the page before, as it came.", pattern="^[0-7][0-9a-f]{15}$")

_STORED_FILE = _object(
    "A stored file.",
    {
        "id": text("Names the file without the permission to read it.", format="uuid"),
        "short_name": SHORT_NAME_TEXT,
        "filename": text("As it was sent."),
        "size": _SIZE,
        "file_type": _TYPE,
        "sha256": _SUM,
        "crc32": _CRC,
        "path_in_storage": text("The key in the store: the short name and a safe name of the file."),
        "created_at": _MOMENT,
        "processed": {"type": "boolean", "description": "Whether the status is processed."},
        "status": text("How far its processing is.", enum=["stored", "processing", "processed", "failed"]),
        "error": _maybe(text("What went wrong in processing it.")),
        "metadata": {"type": "object", "description": "What processing found out."},
        "url": text("Where its bytes are, relative to /api/v1/.", format="uri-reference"),
    },
    {
        "id": IDENTITY,
        "short_name": SHORT_NAME,
        "filename": "Grüße.txt",
        "size": 4,
        "file_type": "text/plain",
        "sha256": _SHA256,
        "crc32": "d87f7e0c",
        "path_in_storage": f"{SHORT_NAME}/Grüße.txt",
        "created_at": "2026-11-20T22:03:24.432063Z",
        "processed": False,
        "status": "stored",
        "error": None,
        "metadata": {},
        "url": f"download-stream/{SHORT_NAME}",
    },
)

_STORED_FILES: Piece = {
    "description": "One stored file; several as an array, in the order in which they came.",
    "oneOf": [
        ref("schemas", "StoredFile"),
        {"type": "array", "minItems": 2, "items": ref("schemas", "StoredFile")},
    ],
}

_FILE_PAGE = _object(
    "Some stored files, the newest first.",
    {
        "files": {"type": "array", "maxItems": 1000, "items": ref("schemas", "StoredFile")},
        "next": _maybe(text("Asks for the page after this one; null on the last.")),
    },
    {"files": _STORED_FILE["examples"], "next": "000000000000002a"},
)

_MEMBER = _object(
    "A file of an album. What is not known of it yet is null.",
    {
        "name": text("Its path in the album."),
        "size": _SIZE,
        "modified_at": _MOMENT,
        "etag": text("The entity-tag of this version, with its quotes.", pattern='^"[0-9a-f]{32}"$'),
        "file_type": _maybe(_TYPE),
        "sha256": _maybe(_SUM),
        "crc32": _maybe(_CRC),
        "width": _maybe(_PIXELS),
        "height": _maybe(_PIXELS),
        "url": text("Where its bytes are, relative to the address of the album.", format="uri-reference"),
    },
    {
        "name": "raw/2.txt",
        "size": 4,
        "modified_at": "2026-11-20T22:03:24.432063Z",
        "etag": _ETAG,
        "file_type": "text/plain",
        "sha256": _SHA256,
        "crc32": "d87f7e0c",
        "width": None,
        "height": None,
        "url": "raw/2.txt",
    },
)

_ALBUM_PAGE = _object(
    "Some files of an album, by their names.",
    {
        "album": ALBUM_TEXT,
        "members": {"type": "array", "maxItems": 1000, "items": ref("schemas", "Member")},
        "next": _maybe(text("Asks for the page after this one; null on the last.")),
    },
    {"album": ALBUM, "members": _MEMBER["examples"], "next": None},
)

_PROBLEM = _object(
    "What is wrong (RFC 9457).",
    {
        "title": text("The words of the status."),
        "status": {"type": "integer", "minimum": 400, "maximum": 599, "description": "The status."},
        "detail": text("What to do about it, in one sentence for people."),
    },
    {"title": "Not Found", "status": 404, "detail": "File was not found"},
)

#: All schemas that answers name.
SCHEMAS: Mapping[str, Piece] = {
    "StoredFile": _STORED_FILE,
    "StoredFiles": _STORED_FILES,
    "FilePage": _FILE_PAGE,
    "Member": _MEMBER,
    "AlbumPage": _ALBUM_PAGE,
    "Problem": _PROBLEM,
    "Link": text("An absolute URL.", format="uri"),
}
