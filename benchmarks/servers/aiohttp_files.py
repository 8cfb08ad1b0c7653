"""
The peer that takes files in by aiohttp: ``aiohttp_files.py STORAGE PORT plain|hashing|threads``.

A file and its folder are on the disk before the answer.  With ``threads``, a MiB at a time is hashed in one
thread while another writes it; otherwise all is done as it comes.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from aiohttp import BodyPartReader, web

CHUNK = 1 << 20


async def put(request: web.Request) -> web.Response:
    """
    Take a file that is the body.
    """
    return await take(request, request.content.iter_any())


async def post(request: web.Request) -> web.Response:
    """
    Take the first file of a form.
    """
    part = await (await request.multipart()).next()
    assert isinstance(part, BodyPartReader)

    async def pieces() -> AsyncIterator[bytes]:
        while piece := await part.read_chunk(CHUNK):
            yield piece

    return await take(request, pieces())


async def take(request: web.Request, pieces: AsyncIterator[bytes]) -> web.Response:
    """
    Hash, or not, and write, and make it durable.
    """
    storage, how = request.app[STORAGE], request.app[HOW]
    name = token_hex(11)
    digest = hashlib.sha256()
    with (storage / name).open("xb", buffering=0) as target:
        if how == "threads":
            async for piece in gathered(pieces):
                await asyncio.gather(
                    asyncio.to_thread(digest.update, piece), asyncio.to_thread(target.write, piece)
                )
        else:
            async for piece in pieces:
                if how == "hashing":
                    digest.update(piece)
                target.write(piece)
        await asyncio.to_thread(make_durable, target, storage)
    return web.json_response({"short_name": name, "sha256": digest.hexdigest()}, status=201)


async def gathered(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """
    The same bytes in pieces of about a MiB.
    """
    held: list[bytes] = []
    size = 0
    async for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= CHUNK:
            yield b"".join(held)
            held.clear()
            size = 0
    yield b"".join(held)


def make_durable(file: BinaryIO | object, folder: Path) -> None:
    """
    Have a new file and its name on the disk.
    """
    os.fsync(file.fileno())  # type: ignore[union-attr]
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


STORAGE = web.AppKey("STORAGE", Path)
HOW = web.AppKey("HOW", str)

if __name__ == "__main__":
    app = web.Application(client_max_size=1 << 40)
    app[STORAGE] = Path(sys.argv[1])
    app[HOW] = sys.argv[3]
    app.router.add_put("/api/v1/files/{name}", put)
    app.router.add_post("/api/v1/", post)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]), access_log=None, print=None)
