"""
The tables, as ``makemigrations`` wrote them.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import migrations, models

from fileserve.contrib.django import FileserveStorage
from tests.integration.django_project.films.models import films_storage, seed_storage


def _key() -> tuple[str, models.Field]:
    key = models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")
    return "id", key


def _title() -> models.Field:
    return models.CharField(max_length=100)


def _film() -> models.Field:
    return models.FileField(blank=True, storage=FileserveStorage(timeout=20), upload_to="films/%Y/")


class Migration(migrations.Migration):  # type: ignore[misc]  # Django has no hints
    """
    All of them.
    """

    initial = True
    dependencies: ClassVar[list[Any]] = []
    operations: ClassVar[list[Any]] = [
        migrations.CreateModel("Film", [_key(), ("title", _title()), ("file", _film())]),
        migrations.CreateModel("Note", [_key(), ("file", models.FileField(upload_to=""))]),
        migrations.CreateModel(
            "Old", [_key(), ("file", models.FileField(null=True, storage=seed_storage, upload_to=""))]
        ),
        migrations.CreateModel(
            "Poster", [_key(), ("file", models.FileField(max_length=40, storage=films_storage, upload_to=""))]
        ),
    ]
