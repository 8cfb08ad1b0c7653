"""
Bringing the schema of the catalogue's database up to date, by Alembic.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fcntl import LOCK_EX, flock

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, select

from fileserve.catalogue.database import SQLITE, name_of, trouble_named
from fileserve.catalogue.interfaces import CatalogueIsNewer, CatalogueUnavailable

MIGRATION_LOCK = int.from_bytes(b"fileserv", "big")
"""The number of PostgreSQL's advisory lock; any would do."""


def migrate(engine: Engine) -> None:
    """
    Bring the schema up to date, in one transaction: all of it or nothing.

    Blocks; for the start of the program, before anything else asks the database, and once at a time in a
    process (Alembic's context is global).  Two processes may do it at once: the second waits for the first
    and finds nothing to do.  Beside an SQLite file an empty one for that lock is made, and stays.

    :raise CatalogueUnavailable: when the database cannot be used.
    :raise CatalogueIsNewer: when a newer fileserve has been here; nothing was changed.
    """
    config = Config()
    config.set_main_option("script_location", "fileserve.catalogue:migrations")
    with _alone(engine) as connection:
        _refuse_newer(connection, ScriptDirectory.from_config(config))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _alone(engine: Engine) -> Iterator[Connection]:
    """
    A transaction that no other process's `migrate` is in at the same time.
    """
    with ExitStack() as stack:
        stack.enter_context(trouble_named(engine))
        if engine.url.drivername in SQLITE:
            # BEGIN IMMEDIATE comes too late: of two that switch a new file to WAL at once, one is told
            # "database is locked" without any wait (41 of 3600 tries, SQLite 3.40 on 2026-11-20).
            stack.enter_context(_file_lock(engine))
        connection = stack.enter_context(engine.begin())
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        yield connection


@contextmanager
def _file_lock(engine: Engine) -> Iterator[None]:
    try:
        descriptor = os.open(f"{engine.url.database}.lock", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CatalogueUnavailable(name_of(engine), error.strerror or str(error)) from error
    try:
        flock(descriptor, LOCK_EX)  # let go of when the file is closed, even by a kill
        yield
    finally:
        os.close(descriptor)


def _refuse_newer(connection: Connection, script: ScriptDirectory) -> None:
    known = {step.revision for step in script.walk_revisions()}
    for revision in MigrationContext.configure(connection).get_current_heads():
        if revision not in known:
            raise CatalogueIsNewer(name_of(connection.engine), revision)
