"""
The peer with the stack of a small file service, ``fastapi_files.py STORAGE PORT``: FastAPI with
python-multipart and uvicorn, and a table of files in SQLite.

A file, the name of it in its folder, and its row are on the disk before the answer.  Whatever waits for
the disk or for the table is in plain functions, which FastAPI runs in threads.  The table has one
connection, with a lock: threads that each have their own wait for each other by sleeping.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_urlsafe
from threading import Lock
from typing import Any, BinaryIO
from uuid import uuid4

import uvicorn
from fastapi import FastAPI, HTTPException, Request, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse

CHUNK = 1 << 20


class Table:
    """
    The rows of the files.
    """

    def __init__(self, path: str) -> None:
        self._lock = Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute(
            "CREATE TABLE files (id TEXT PRIMARY KEY, short_name TEXT UNIQUE, filename TEXT, size INTEGER,"
            " file_type TEXT, created_at TEXT)"
        )

    def add(self, row: dict[str, Any]) -> None:
        """
        Add a row, durably.
        """
        with self._lock, self._connection:
            self._connection.execute(
                "INSERT INTO files VALUES (:id, :short_name, :filename, :size, :file_type, :created_at)", row
            )

    def find(self, short_name: str) -> tuple[str, str] | None:
        """
        The name and the type of a file.
        """
        with self._lock:
            found: tuple[str, str] | None = self._connection.execute(
                "SELECT filename, file_type FROM files WHERE short_name = ?", (short_name,)
            ).fetchone()
        return found


def make_durable(file: BinaryIO, folder: Path) -> None:
    """
    Have a new file and its name on the disk.
    """
    file.flush()
    os.fsync(file.fileno())
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def row_of(short_name: str, filename: str, file_type: str, size: int) -> dict[str, Any]:
    """
    What is told of a file.
    """
    return {
        "id": str(uuid4()),
        "short_name": short_name,
        "filename": filename,
        "size": size,
        "file_type": file_type,
        "created_at": datetime.now(UTC).isoformat(),
    }


def application(storage: Path, table: Table) -> FastAPI:
    """
    The routes.
    """
    app = FastAPI()

    def finish(target: BinaryIO, short_name: str, filename: str, file_type: str) -> dict[str, Any]:
        make_durable(target, storage)
        row = row_of(short_name, filename, file_type, target.tell())
        table.add(row)
        return row

    @app.post("/api/v1/", status_code=201)
    def post(file: UploadFile) -> dict[str, Any]:
        short_name = token_urlsafe(16)
        with (storage / short_name).open("xb") as target:
            shutil.copyfileobj(file.file, target, CHUNK)
            return finish(target, short_name, file.filename or "", file.content_type or "")

    @app.put("/api/v1/files/{name}", status_code=201)
    async def put(request: Request, name: str) -> dict[str, Any]:
        short_name = token_urlsafe(16)
        with (storage / short_name).open("xb") as target:
            async for piece in request.stream():
                target.write(piece)
            return await run_in_threadpool(finish, target, short_name, name, "application/octet-stream")

    @app.get("/api/v1/download-full/{short_name}")
    def download(short_name: str) -> FileResponse:
        found = table.find(short_name)
        if found is None:
            raise HTTPException(404, "File was not found")
        filename, file_type = found
        return FileResponse(storage / short_name, filename=filename, media_type=file_type)

    return app


if __name__ == "__main__":
    # In the scratch directory, where it is started.
    app = application(Path(sys.argv[1]), Table("files.sqlite"))
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
