"""
Answers that operations have in common: their headers, the problems, bytes of files.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from .schemas import Piece, ref, text

_WHOLE: Piece = {"type": "integer", "minimum": 0}
_SECONDS: Piece = {"type": "integer", "minimum": 1}


def _header(description: str, schema: Piece, *, required: bool = True) -> Piece:
    return {"description": description, "required": required, "schema": schema}


#: Headers of answers. Of those that are not required the description says when they come.
HEADERS: Mapping[str, Piece] = {
    "Location": _header(
        "Where it is, relative to the address of the request; of several files the first.",
        text("A relative reference.", format="uri-reference"),
    ),
    "ETag": _header("The strong entity-tag of this version.", text("", pattern='^"[0-9a-f]{32}"$')),
    "Last-Modified": _header("When it changed last.", text("An HTTP date.")),
    "Accept-Ranges": _header("Parts can be asked for.", {"const": "bytes"}),
    "Content-Length": _header("Bytes of the body.", _WHOLE),
    "Content-Range": _header("Which part this is; only of one range.", text(""), required=False),
    "Unsatisfied-Range": _header("How many bytes there are.", text("", pattern=r"^bytes \*/[0-9]+$")),
    "Content-Disposition": _header(
        "Whether to show or to save it, and under which name (RFC 6266).",
        text("", pattern='^(inline|attachment); filename="'),
    ),
    "Content-Security-Policy": _header("Keeps what was uploaded from running in a browser.", text("")),
    "X-Content-Type-Options": _header("Browsers are to trust the type.", {"const": "nosniff"}),
    "WWW-Authenticate": _header("RFC 6750.", {"const": "Bearer"}),
    "Allow": _header("The methods of this address.", text("")),
    "Retry-After": _header("Seconds to wait.", _SECONDS),
    "X-Request-Id": _header("Finds the error in the log of the server.", text("", pattern="^[0-9a-f]{16}$")),
    "Access-Control-Allow-Origin": _header("Pages of every site may read it.", {"const": "*"}),
}


def headers(*names: str, **renamed: str) -> Piece:
    """
    Name headers of an answer.

    :param renamed: components whose names are not the headers' own, by the header with ``_`` for ``-``.
    """
    own = {name: ref("headers", name) for name in names}
    return own | {name.replace("_", "-"): ref("headers", other) for name, other in renamed.items()}


_Problem = tuple[str, str, Piece]

#: By status: what it means, an example of its detail, and its headers.
_PROBLEMS: Mapping[int, _Problem] = {
    400: ("The request is broken.", "A request names one host.", {}),
    401: (
        "The upload key is missing or wrong.",
        "Send the upload key: Authorization: Bearer KEY.",
        headers("WWW-Authenticate"),
    ),
    403: (
        "The session of a browser permits it, but the request comes from a page of another site.",
        "This can only be done from a page of this server.",
        {},
    ),
    404: ("There is nothing of this name.", "File was not found", {}),
    405: ("This address has no such method.", "This can't be done here.", headers("Allow")),
    409: (
        "It exists already.",
        "There is something of that name already: to replace a file, send If-Match with its ETag.",
        {},
    ),
    410: ("It was there, and is not any more.", "The time of this link is over. Ask for a new one.", {}),
    412: (
        "A condition of the request is not met. ETag tells the present version, if there is one.",
        "The file is not the version you asked for.",
        {"ETag": {"description": "The present version.", "schema": {"type": "string"}}},
    ),
    413: ("It is too large.", "No file of more than 5368709120 bytes is taken here.", {}),
    415: ("This type of body is not taken.", "Send a form of the type multipart/form-data.", {}),
    416: (
        "No range that was asked for is there.",
        "There are only 4 bytes.",
        headers("Accept-Ranges", Content_Range="Unsatisfied-Range"),
    ),
    422: ("Something in the request can't be used.", "'limit' is a number from 1 to 1000.", {}),
    429: (
        "Too many wrong keys came from this address: for so long no key is looked at.",
        "Too many wrong keys. Try again in 42 seconds.",
        headers("Retry-After"),
    ),
    500: (
        "A fault of the server.",
        "Something went wrong here. The operator finds it in the log.",
        headers("X-Request-Id"),
    ),
    503: (
        "The store or the catalogue can't be reached just now.",
        "This can't be done just now. Try again soon.",
        headers("Retry-After"),
    ),
    507: ("There is no room.", "There is no room left for this file.", {}),
}


# As RFC 9110 names them; Python's own names are others from one version to the next.
_NAMES: Mapping[int, str] = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Gone",
    412: "PreconditionFailed",
    413: "ContentTooLarge",
    415: "UnsupportedMediaType",
    416: "RangeNotSatisfiable",
    422: "UnprocessableContent",
    429: "TooManyRequests",
    500: "InternalServerError",
    503: "ServiceUnavailable",
    507: "InsufficientStorage",
}


def _problem(status: int) -> Piece:
    meaning, detail, fields = _PROBLEMS[status]
    example = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    content = {"application/problem+json": {"schema": ref("schemas", "Problem"), "example": example}}
    return {"description": meaning, "headers": fields, "content": content}


#: The problems as components.
RESPONSES: Mapping[str, Piece] = {name: _problem(status) for status, name in _NAMES.items()}

#: What every address may answer.
_ALWAYS = (400, 405, 500)


def problems(*statuses: int, **meanings: str) -> Piece:
    """
    The problems that an operation may answer, beside those that all may.

    :param meanings: what one means here, by its status after an underscore: ``_404="..."``.
    """
    here = {int(status.strip("_")): meaning for status, meaning in meanings.items()}
    found: Piece = {}
    for status in sorted({*_ALWAYS, *statuses, *here}):
        found[str(status)] = ref("responses", _NAMES[status])
        if status in here:
            # Beside a reference a description takes the place of its own (OpenAPI 3.1, Reference Object).
            found[str(status)]["description"] = here[status]
    return found


def answer(
    description: str, schema: str, fields: Piece | None = None, links: Mapping[str, Piece] | None = None
) -> Piece:
    """
    An answer of JSON.

    :param links: what can be done next with what is answered.
    """
    found: Piece = {
        "description": description,
        "content": {"application/json": {"schema": ref("schemas", schema)}},
    }
    if fields:
        found["headers"] = fields
    if links:
        found["links"] = dict(links)
    return found


def empty(description: str, fields: Piece | None = None) -> Piece:
    """
    An answer without a body.
    """
    return {"description": description} | ({"headers": fields} if fields else {})


def file_bytes(how: str) -> Piece:
    """
    The answers that give the bytes of a file out, whole or in parts, or say that the client has them.
    """
    validators = headers("ETag", "Last-Modified", "Accept-Ranges")
    safe = headers(
        "Content-Length", "Content-Disposition", "Content-Security-Policy", "X-Content-Type-Options"
    )
    # Every media type can come, so there is no schema.
    content: Piece = {"*/*": {}}
    part = validators | safe | headers("Content-Range")
    return {
        "200": {"description": f"The bytes, {how}.", "headers": validators | safe, "content": content},
        "206": {
            "description": "The part that Range asks for; several as multipart/byteranges.",
            "headers": part,
            "content": content,
        },
        "304": empty("The client has this version.", validators),
    }


def _link(operation: str, description: str, **parameters: str) -> Piece:
    return {"operationId": operation, "description": description, "parameters": parameters}


def links_to_stored(short_name: str) -> Piece:
    """
    What can be done with a file that was stored.

    :param short_name: where in the answer it is, as a runtime expression (OpenAPI 3.1, Link Object).
    """
    return {
        name: _link(identity, description, short_name=short_name)
        for name, identity, description in (
            ("describe", "describeFile", "Ask what is known of it."),
            ("show", "showFile", "Show it."),
            ("save", "saveFile", "Save it."),
            ("link", "linkFile", "Make a link to it."),
            ("remove", "removeFile", "Remove it."),
        )
    }


def links_to_member() -> Piece:
    """
    What can be done with a file that is in an album now.
    """
    album, name = "$request.path.album", "$request.path.name"
    return {
        "download": _link("getMember", "Download it.", album=album, name=name),
        "list": _link("listAlbum", "List its album.", album=album),
        "delete": _link("removeMember", "Remove it.", album=album, name=name),
    }
