"""
The operations on stored files, and links to them.
"""

from __future__ import annotations

from .answers import answer, empty, file_bytes, headers, links_to_stored, problems
from .operations import WITH_KEY, head, operation, redirect
from .parameters import CONDITIONS, FORM, RANGES, RAW
from .schemas import IDENTITY, SHORT_NAME, Piece

_TAG = "Files"

_UNKNOWN = "File was not found: there is none of this name, or it was removed."
_LINK = f"'/api/v1/linked/{IDENTITY}?expires=1795212000&key=1c9e4a07&signature=...'"
_SLASH = "The address of the API ends with a slash."


def paths(uploading: list[Piece]) -> Piece:
    """
    Describe the addresses of stored files.

    :param uploading: the security of an upload.
    """
    return {
        "/api/v1": {
            "get": redirect("getWithoutSlash", _TAG, _SLASH, "-i /api/v1"),
            "post": redirect("postWithoutSlash", _TAG, _SLASH, "-i -X POST /api/v1"),
        },
        "/api/v1/": {"get": _list(), "post": _post(uploading)},
        "/api/v1/files/{filename}": {"put": _put(uploading)},
        "/api/v1/{short_name}": {"get": _describe(), "delete": _remove()},
        "/api/v1/download-stream/{short_name}": _bytes(_show(), f"/api/v1/download-stream/{SHORT_NAME}"),
        "/api/v1/download-full/{short_name}": _bytes(_save(), f"/api/v1/download-full/{SHORT_NAME}"),
        "/api/v1/get-url/{short_name}": {"get": _link()},
        "/api/v1/linked/{id}": _bytes(_linked(), _LINK),
    }


def _bytes(get: Piece, path: str) -> Piece:
    return {"get": get, "head": head(get, path)}


def _list() -> Piece:
    return operation(
        "listFiles",
        _TAG,
        "List stored files.",
        {"200": answer("A page of files, the newest first.", "FilePage")}
        | problems(401, 429, 503, _422="A parameter can't be understood."),
        ("limit_files", "after_files", "processed"),
        description="Pages stay exact while files come and go: what is there all the while comes once.",
        security=WITH_KEY,
        curl="KEY '/api/v1/?limit=10'",
    )


def _post(uploading: list[Piece]) -> Piece:
    return operation(
        "uploadForm",
        _TAG,
        "Store the files of a form.",
        {
            "201": answer(
                "They are stored.",
                "StoredFiles",
                headers("Location"),
                links_to_stored("$response.header.Location"),
            )
        }
        | problems(
            401,
            403,
            429,
            503,
            507,
            _400="The form is broken.",
            _413="A file is larger than the server takes, or the form has more than 1000 fields.",
            _415="It is no form.",
            _422="The form has no field 'file' with a file name.",
        ),
        description="Either all files of the form are stored or, when it can't be, none.",
        body=FORM,
        security=uploading,
        curl="KEY -F file=@greetings.txt /api/v1/",
    )


def _put(uploading: list[Piece]) -> Piece:
    return operation(
        "uploadFile",
        _TAG,
        "Store the body of the request as a file.",
        {
            "201": answer(
                "It is stored.",
                "StoredFile",
                headers("Location"),
                links_to_stored("$response.body#/short_name"),
            )
        }
        | problems(
            401,
            403,
            429,
            503,
            507,
            _404="A slash is in the name.",
            _413="It is larger than the server takes.",
            _422="The name holds a NUL.",
        ),
        ("filename",),
        description="Each request stores a new file, with a short name of its own.",
        body=RAW,
        security=uploading,
        curl="KEY -T greetings.txt /api/v1/files/",
    )


def _describe() -> Piece:
    return operation(
        "describeFile",
        _TAG,
        "Tell what is known of a stored file.",
        {"200": answer("The file as it is now.", "StoredFile")} | problems(503, _404=_UNKNOWN),
        ("short_name",),
        curl=f"/api/v1/{SHORT_NAME}",
    )


def _remove() -> Piece:
    return operation(
        "removeFile",
        _TAG,
        "Remove a stored file.",
        {"204": empty("It is gone for good.")} | problems(401, 403, 429, 503, _404=_UNKNOWN),
        ("short_name",),
        security=WITH_KEY,
        curl=f"KEY -X DELETE /api/v1/{SHORT_NAME}",
    )


def _show() -> Piece:
    return operation(
        "showFile",
        _TAG,
        "Download a stored file, to be shown where that is safe.",
        file_bytes("inline where they can't run anything in a browser")
        | problems(412, 416, 503, _404=_UNKNOWN),
        ("short_name", *RANGES, *CONDITIONS),
        curl=f"-r 0-1023 /api/v1/download-stream/{SHORT_NAME}",
    )


def _save() -> Piece:
    return operation(
        "saveFile",
        _TAG,
        "Download a stored file, to be saved.",
        file_bytes("as an attachment") | problems(412, 416, 503, _404=_UNKNOWN),
        ("short_name", *RANGES, *CONDITIONS),
        curl=f"-OJ /api/v1/download-full/{SHORT_NAME}",
    )


def _link() -> Piece:
    return operation(
        "linkFile",
        _TAG,
        "Make a link to a stored file that works for a while.",
        {
            "200": answer(
                "The link. It works without any permission, and does not tell the short name.", "Link"
            )
        }
        | problems(
            401, 429, 503, _404=_UNKNOWN, _422="A parameter can't be understood, or the files are not in S3."
        ),
        ("short_name", "expires", "direct"),
        security=WITH_KEY,
        curl=f"KEY '/api/v1/get-url/{SHORT_NAME}?expires=3600'",
    )


def _linked() -> Piece:
    return operation(
        "followLink",
        _TAG,
        "Download what a link is for.",
        file_bytes("inline where they can't run anything in a browser")
        | problems(
            412,
            416,
            503,
            _403="The link is not one of ours, or not whole.",
            _404=_UNKNOWN,
            _410="The time of the link is over.",
        ),
        ("id", "expires_link", "key_link", "signature_link", *RANGES, *CONDITIONS),
        description="Nobody writes such an address: it is what a link made here leads to.",
        curl=f"-OJ {_LINK}",
    )
