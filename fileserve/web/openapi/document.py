"""
The whole document: what it is about, who may do what, all paths and all components.
"""

from __future__ import annotations

from fileserve import __version__

from . import albums, files
from .answers import HEADERS, RESPONSES, empty, headers, problems
from .operations import WITH_KEY, WITH_OR_WITHOUT, head, operation
from .parameters import PARAMETERS
from .schemas import SCHEMAS, Piece

_ABOUT = (
    "Stores files, lists them, gives them out and removes them. Whoever knows the secret name of a stored "
    "file or of an album may read it; to list stored files, to upload and to remove takes the upload key. "
    "HEAD is answered wherever GET is, and OPTIONS everywhere, with the methods in Allow. Every error is a "
    "problem of RFC 9457. References in answers are relative, but for links that are made to be given away."
)

_UPLOAD_KEY: Piece = {
    "type": "http",
    "scheme": "bearer",
    "description": "The upload key of the server. In a browser that signed in at /sign-in its session does "
    "as well: then a request that writes has to come from a page of the server. After 10 wrong keys from one "
    "address within a minute no key from there is looked at for a while.",
}

_TAGS = [
    {"name": "Files", "description": "Each has a short name that nobody can guess."},
    {
        "name": "Albums",
        "description": "Folders of files, each with a secret name; also served as ZIP archives.",
    },
    {"name": "Description", "description": "What you are reading."},
]


def document(*, open_uploads: bool) -> Piece:
    """
    Describe the API of a server.

    :param open_uploads: whether everybody may upload.
    """
    uploading = WITH_OR_WITHOUT if open_uploads else WITH_KEY
    return {
        "openapi": "3.1.0",
        "info": {"title": "fileserve", "version": __version__, "description": _ABOUT},
        "tags": _TAGS,
        "paths": files.paths(uploading) | albums.paths(uploading) | _own_paths(),
        "components": {
            "securitySchemes": {"upload_key": _UPLOAD_KEY},
            "schemas": dict(SCHEMAS),
            "parameters": dict(PARAMETERS),
            "headers": dict(HEADERS),
            "responses": dict(RESPONSES),
        },
    }


def _own_paths() -> Piece:
    get = _json()
    return {
        "/api/openapi.json": {"get": get, "head": head(get, "/api/openapi.json")},
        "/api/openapi": {"get": _page()},
    }


def _json() -> Piece:
    validator = headers("ETag", "Access-Control-Allow-Origin")
    found = {"description": "The document.", "headers": validator | headers("Content-Length")}
    found["content"] = {"application/json": {"schema": {"type": "object", "required": ["openapi"]}}}
    return operation(
        "getDescription",
        "Description",
        "This description, for programs.",
        {"200": found, "304": empty("The client has this version.", validator)} | problems(412),
        ("If-Match", "If-None-Match"),
        curl="/api/openapi.json",
    )


def _page() -> Piece:
    shown = {"description": "The page.", "content": {"text/html": {"schema": {"type": "string"}}}}
    return operation(
        "getDescriptionPage",
        "Description",
        "This description, for people.",
        {"200": shown} | problems(),
        curl="/api/openapi",
    )
