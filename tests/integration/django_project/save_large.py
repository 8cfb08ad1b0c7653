"""
Save a file of so many bytes in the project, read it back, and say what became of it, as JSON.

Run as ``python -m tests.integration.django_project.save_large BYTES known|unknown``, with an empty database.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.core.files import File
from django.core.management import call_command

_PIECE = 1 << 20


class Zeros(io.RawIOBase):
    """
    So many zeros, that can't be sought, as from a pipe.
    """

    def __init__(self, size: int) -> None:
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self._left)
        buffer[:count] = bytes(count)
        self._left -= count
        return count


def _peak() -> int:
    # Not ru_maxrss: what a process inherits by fork counts there too.
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024


def _save(content: Any) -> None:
    apps.get_model("films", "Film")(title="large").file.save("large.bin", File(content, "large.bin"))


def main(size: int, known: bool) -> None:
    """
    Save with the size known from a sparse file, or unknown as from a pipe; read back; tell.
    """
    django.setup()
    call_command("migrate", verbosity=0)
    film = apps.get_model("films", "Film")
    # Whatever a first time needs is there before it is measured.
    film(title="small").file.save("small.bin", File(io.BytesIO(bytes(4 * _PIECE)), "small.bin"))
    film.objects.get().file.read()
    before = _peak()
    if known:
        with open("sparse", "w+b") as sparse:
            sparse.truncate(size)
            _save(sparse)
    else:
        _save(Zeros(size))
    digest = hashlib.sha256()
    stored = film.objects.get(title="large").file
    with stored.open() as file:
        for piece in file.chunks(_PIECE):
            digest.update(piece)
    sys.stdout.write(
        json.dumps({"grown": _peak() - before, "sha256": digest.hexdigest(), "size": stored.size})
    )


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.integration.django_project.settings")
    main(int(sys.argv[1]), sys.argv[2] == "known")
