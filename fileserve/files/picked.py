"""
The files that somebody picked in a form, taken in together or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence

from fileserve.catalogue.interfaces import StoredFile
from fileserve.http.forms import Form, Part
from fileserve.http.refusal import Refusal
from fileserve.http.request import Request

from .uploads import Kept, Uploads


async def store_picked(uploads: Uploads, request: Request) -> Sequence[StoredFile]:
    """
    Take in the files of the form that a request brings: its fields ``file``.

    :return: in the order of the form; none, if there is no file in it.
    :raise Refusal: 400, 413, 415, 422 or 507.
    :raise Exception: what breaks one of them; none is kept then.
    """
    form = Form(request.body, request.getHeader(b"Content-Type") or b"")
    await uploads.admit_form(request.body.length)
    kept: list[Kept] = []
    try:
        async for part in form.parts():
            if await _is_file(part):
                # One after the other: what was kept has to be known when the next fails.
                kept.append(await uploads.take(part, part.filename or ""))  # noqa: PERF401
    except BaseException:
        await uploads.drop(kept)
        raise
    if kept:
        await uploads.add(kept)
    return [each.file for each in kept]


async def _is_file(part: Part) -> bool:
    """
    Where no file was picked, browsers send one without bytes and name (HTML section 4.10.21.4).
    """
    if part.name != "file" or part.filename is None:
        return False
    if not part.filename and await part.read():
        raise Refusal(422, "A file in the form has no name.")
    return bool(part.filename)
