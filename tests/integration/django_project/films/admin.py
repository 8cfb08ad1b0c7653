"""
The admin's pages of the models.
"""

from __future__ import annotations

from django.contrib import admin

from tests.integration.django_project.films.models import Film, Note, Old, Poster

admin.site.register([Film, Note, Old, Poster])
