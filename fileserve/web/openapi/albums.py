"""
The operations on albums and their members.
"""

from __future__ import annotations

from .answers import answer, empty, file_bytes, headers, links_to_member, problems
from .operations import WITH_KEY, head, operation, redirect
from .parameters import CONDITIONS, RANGES, RAW
from .schemas import ALBUM, Piece

_TAG = "Albums"

_SLASH = "The address of an album ends with a slash."

_UNKNOWN = "File was not found: there is no such album, or no such file in it."

_LOCATION = (
    "The request is broken, or has a parameter location: without its location a file is at "
    "/gallery/{album}/original/{name}?location=strip."
)

_OTHER_VERSION = "If-Match names another version, or If-None-Match the present one."

_NAMES = (
    "An album begins with its first file. To replace one, send If-Match with its ETag, and the upload key "
    "even where everybody may upload. If-None-Match: * makes sure that nothing is replaced. Names are those "
    "that every system can take: each part in normal form C, of at most 200 bytes of UTF-8, without control "
    'characters and \\ : * ? " < > |, without a dot at its beginning, or a dot or a space at its end, and no '
    "name of a device of Windows, such as CON."
)


def paths(uploading: list[Piece]) -> Piece:
    """
    Describe the addresses of albums.

    :param uploading: the security of an upload.
    """
    get = _get()
    return {
        "/api/v1/albums/{album}": {"get": _redirect()},
        "/api/v1/albums/{album}/": {"get": _list()},
        "/api/v1/albums/{album}/{name}": {
            "get": get,
            "head": head(get, f"/api/v1/albums/{ALBUM}/2.txt"),
            "put": _put(uploading),
            "delete": _remove(),
        },
    }


def _redirect() -> Piece:
    curl = f"-i /api/v1/albums/{ALBUM}"
    return redirect("listAlbumWithoutSlash", _TAG, _SLASH, curl, ["album_unseen"])


def _list() -> Piece:
    return operation(
        "listAlbum",
        _TAG,
        "List the files of an album.",
        {"200": answer("A page of files, by their names.", "AlbumPage")}
        | problems(503, _404="There is no such album.", _422="A parameter can't be understood."),
        ("album", "limit_members", "after_members"),
        curl=f"/api/v1/albums/{ALBUM}/",
    )


def _get() -> Piece:
    return operation(
        "getMember",
        _TAG,
        "Download a file of an album.",
        file_bytes("inline where they can't run anything in a browser")
        | problems(412, 416, 503, _400=_LOCATION, _404=_UNKNOWN),
        ("album", "name", *RANGES, *CONDITIONS),
        curl=f"-O /api/v1/albums/{ALBUM}/2.txt",
    )


def _put(uploading: list[Piece]) -> Piece:
    return operation(
        "putMember",
        _TAG,
        "Put a file into an album, or another in its place.",
        {
            "201": answer("It is there.", "Member", headers("ETag"), links_to_member()),
            "200": answer("It is there in place of the other.", "Member", headers("ETag")),
        }
        | problems(
            401,
            403,
            429,
            503,
            507,
            _404="The path has an empty part, or %2F.",
            _409="There is such a file already: If-Match with its ETag replaces it.",
            _412=_OTHER_VERSION,
            _413="It is larger than the server takes.",
            _422="The album or the file can't be called so. The detail tells a name that can be used.",
        ),
        ("album", "name", "If-Match", "If-None-Match", "If-Unmodified-Since"),
        description=_NAMES,
        body=RAW,
        security=uploading,
        curl=f"KEY -T 2.txt /api/v1/albums/{ALBUM}/",
    )


def _remove() -> Piece:
    return operation(
        "removeMember",
        _TAG,
        "Remove a file from an album.",
        {"204": empty("It is gone for good.")}
        | problems(401, 403, 429, 503, _404=_UNKNOWN, _412=_OTHER_VERSION),
        ("album", "name", "If-Match", "If-None-Match", "If-Unmodified-Since"),
        description="The album goes with its last file.",
        security=WITH_KEY,
        curl=f"KEY -X DELETE /api/v1/albums/{ALBUM}/2.txt",
    )
