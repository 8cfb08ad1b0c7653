"""
The peer that pipes: ``zip_pipe_server.py STORAGE PORT`` passes on what ``zip -0`` writes, 256 KiB at a time.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from aiohttp import web

CHUNK = 256 << 10


async def download(request: web.Request) -> web.StreamResponse:
    """
    Send a folder as the output of ``zip``.
    """
    folder = request.app[STORAGE] / request.match_info["album"]
    if not folder.is_dir():
        raise web.HTTPNotFound
    process = await asyncio.create_subprocess_exec(
        "zip", "-0", "-r", "-q", "-", ".", cwd=folder, stdout=asyncio.subprocess.PIPE, limit=CHUNK
    )
    assert process.stdout is not None
    response = web.StreamResponse(headers={"Content-Disposition": 'attachment; filename="archive.zip"'})
    try:
        await response.prepare(request)
        while chunk := await process.stdout.read(CHUNK):
            await response.write(chunk)
        await response.write_eof()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    return response


STORAGE = web.AppKey("STORAGE", Path)

if __name__ == "__main__":
    app = web.Application()
    app[STORAGE] = Path(sys.argv[1])
    app.router.add_get("/archive/{album}/", download)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=None, print=None)
