"""
Models with a file each; they differ in how the field comes by its storage.
"""

from __future__ import annotations

from django.core.files.storage import Storage
from django.db import models

from fileserve.contrib.django import FileserveStorage
from tests.integration.django_project.seed_storage import CustomStorage


def films_storage() -> Storage:
    """A storage that is chosen when the project starts."""
    return FileserveStorage(timeout=30)


def seed_storage() -> Storage:
    """The storage of before."""
    return CustomStorage()


class Film(models.Model):  # type: ignore[misc]  # Django has no hints
    """With an instance of the storage."""

    title = models.CharField(max_length=100)
    file = models.FileField(storage=FileserveStorage(timeout=20), upload_to="films/%Y/", blank=True)

    def __str__(self) -> str:
        return str(self.title)


class Poster(models.Model):  # type: ignore[misc]  # Django has no hints
    """With a callable that makes the storage, and little room for names."""

    file = models.FileField(storage=films_storage, max_length=40)

    def __str__(self) -> str:
        return str(self.file)


class Note(models.Model):  # type: ignore[misc]  # Django has no hints
    """With the default storage of the project."""

    file = models.FileField()

    def __str__(self) -> str:
        return str(self.file)


class Old(models.Model):  # type: ignore[misc]  # Django has no hints
    """With the storage of before."""

    file = models.FileField(storage=seed_storage, null=True)

    def __str__(self) -> str:
        return str(self.file)
