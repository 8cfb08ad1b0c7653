"""
The storage that users of the file API had before: it posts forms, and knows how to save and to link.
"""

from __future__ import annotations

from typing import Any

import requests
from django.conf import settings
from django.core.files.storage import Storage


class CustomStorage(Storage):  # type: ignore[misc]  # Django has no hints
    """
    Written as it is taught, with all that it leaves out.
    """

    def _save(self, name: str, content: Any) -> Any:
        r = requests.post(  # no time-out: so it is
            f"{settings.FILESERVE['URL']}/api/v1/",
            files={"file": (content.name, content, content.content_type)},
        )
        return r.json()["short_name"]

    def url(self, name: str) -> str:
        return f"{settings.FILESERVE['URL']}/api/v1/download-stream/{name}"

    def exists(self, name: str) -> bool:
        return False
