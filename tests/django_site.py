"""
The Django project of the tests, in this process: set up once, with a fresh database for each test.
"""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any
from unittest import TestCase

import django
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.test import Client, override_settings

from tests.integration.server import folder

SETTINGS = "tests.integration.django_project.settings"


def set_up() -> None:
    """
    Make Django know the project; a second time changes nothing.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS)
    if not apps.ready:
        django.setup()


def with_settings(case: TestCase, **values: Any) -> None:
    """
    Change settings of the project until the end of the test.
    """
    set_up()
    override = override_settings(**values)
    override.enable()
    case.addCleanup(override.disable)


def with_database(case: TestCase) -> None:
    """
    Give the test a database of its own, with all tables and nothing in them.
    """
    set_up()
    path = folder(case) / "db.sqlite3"
    path.write_bytes(_tables())
    _use(str(path))
    case.addCleanup(connection.close)


def model(name: str) -> Any:
    """
    A model of the project: Film, Poster, Note or Old.
    """
    return apps.get_model("films", name)


def admin() -> Client:
    """
    A browser of somebody who may do everything.
    """
    client = Client()
    client.force_login(apps.get_model("auth", "User").objects.create_superuser("admin"))
    return client


@cache
def _tables() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "db.sqlite3")
        _use(str(path))
        call_command("migrate", verbosity=0)
        connection.close()
        return path.read_bytes()


def _use(path: str) -> None:
    connection.close()
    connection.settings_dict["NAME"] = path
