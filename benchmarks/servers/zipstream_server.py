"""
The peer made of zipstream-ng and aiohttp: ``zipstream_server.py STORAGE PORT [CHUNK]``.

The archive is sized, so there is a Content-Length. With a CHUNK, what the generator gives in bits is gathered
to so many bytes before it is written; without, each bit is written as it comes, as its documentation shows.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from aiohttp import web
from zipstream import ZipStream


def gathered(pieces: Iterable[bytes], chunk: int) -> Iterator[bytes]:
    """
    The same bytes in pieces of about so many or more.
    """
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= chunk:
            yield b"".join(held)
            held.clear()
            size = 0
    yield b"".join(held)


async def download(request: web.Request) -> web.StreamResponse:
    """
    Send a folder as the archive that zipstream-ng makes of it.
    """
    folder = request.app[STORAGE] / request.match_info["album"]
    if not folder.is_dir():
        raise web.HTTPNotFound
    archive = ZipStream(sized=True)
    archive.add_path(folder, arcname="/")
    response = web.StreamResponse(headers={"Content-Disposition": 'attachment; filename="archive.zip"'})
    response.content_type = "application/zip"
    response.content_length = len(archive)
    response.last_modified = archive.last_modified
    await response.prepare(request)
    for chunk in gathered(archive, request.app[CHUNK]):
        await response.write(chunk)
    await response.write_eof()
    return response


STORAGE = web.AppKey("STORAGE", Path)
CHUNK = web.AppKey("CHUNK", int)

if __name__ == "__main__":
    app = web.Application()
    app[STORAGE] = Path(sys.argv[1])
    app[CHUNK] = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    app.router.add_get("/archive/{album}/", download)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=None, print=None)
