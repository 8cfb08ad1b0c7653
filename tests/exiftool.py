"""
Phil Harvey's exiftool, as judge of what stands in a picture.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.integration.server import need


def described(files: Mapping[str, bytes], *options: str) -> Mapping[str, Mapping[str, Any]]:
    """
    Ask what stands in some files, of which the names have right extensions.

    :param options: which tags, and more.
    :return: by name; values as numbers where they are numbers.
    :raise SkipTest: it is not installed.
    """
    need("exiftool")
    folder = Path(tempfile.mkdtemp(prefix="fileserve-test-"))
    try:
        for name, data in files.items():
            (folder / name).write_bytes(data)
        told = _told(["-json", "-n", "-charset", "exif=utf8", *options, str(folder)])
    finally:
        shutil.rmtree(folder)
    return {Path(each["SourceFile"]).name: each for each in json.loads(told)}


def _told(arguments: Sequence[str]) -> bytes:
    # Its status says as well that some file has an error, as ours are meant to have.
    return subprocess.run(["exiftool", *arguments], capture_output=True, check=False).stdout
