"""
The peer that takes files in by Django: a WSGI application for gunicorn, with the folder in ``STORAGE``.
"""

from __future__ import annotations

import os
from pathlib import Path
from secrets import token_hex

from django.conf import settings
from django.core.files.storage import default_storage
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

CHUNK = 1 << 16
STORAGE = Path(os.environ["STORAGE"])

settings.configure(
    SECRET_KEY=token_hex(), ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, MEDIA_ROOT=str(STORAGE), MIDDLEWARE=[]
)


def post(request: HttpRequest) -> JsonResponse:
    """
    Take the file of a form.
    """
    short_name = default_storage.save(token_hex(11), request.FILES["file"])
    return JsonResponse({"short_name": short_name}, status=201)


def put(request: HttpRequest, name: str) -> JsonResponse:  # noqa: ARG001 - of the route
    """
    Take a file that is the body.
    """
    short_name = token_hex(11)
    with (STORAGE / short_name).open("xb", buffering=0) as target:
        while piece := request.read(CHUNK):
            target.write(piece)
    return JsonResponse({"short_name": short_name}, status=201)


urlpatterns = [path("api/v1/", post), path("api/v1/files/<name>", put)]
application = get_wsgi_application()
