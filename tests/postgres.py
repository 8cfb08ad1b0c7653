"""
A real PostgreSQL for tests: started at the first use in a process, stopped when the process ends.

The package ``pgserver`` brings one for Python up to 3.12; elsewhere the installed one is used.  Neither
runs as root: ``pgserver`` makes a user of its own then, and the installed one runs as ``postgres``.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from unittest import SkipTest, TestCase

from sqlalchemy import Connection, create_engine, make_url
from sqlalchemy.pool import NullPool


def fresh_database(case: TestCase) -> str:
    """
    Make an empty database for one test, dropped after it.

    :return: its URL, in the plain form that an operator writes.
    :raise SkipTest: where there is no PostgreSQL.
    """
    server = _server()
    name = f"test_{uuid.uuid4().hex}"
    with administrator(server) as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    case.addCleanup(_drop, server, name)
    return make_url(server).set(database=name).render_as_string(hide_password=False)


@contextmanager
def administrator(url: str) -> Iterator[Connection]:
    """
    A connection of its own, in which each statement takes effect at once.
    """
    there = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(there, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


def _drop(server: str, name: str) -> None:
    with administrator(server) as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@cache
def _server() -> str:
    """
    The URL of the one server of this process.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pgserver warns where XDG_RUNTIME_DIR is not set
        try:
            pgserver = import_module("pgserver")
        except ImportError:
            return _installed()
        # It stops the server and removes the directory itself when the interpreter ends.
        server = pgserver.get_server(tempfile.mkdtemp(prefix="postgres-"), cleanup_mode="delete")
        return str(server.get_uri())


def _installed() -> str:
    initdb, pg_ctl = shutil.which("initdb"), shutil.which("pg_ctl")
    if initdb is None or pg_ctl is None:
        raise SkipTest("no PostgreSQL: neither pgserver nor initdb and pg_ctl are installed")
    user = "postgres" if os.geteuid() == 0 else None
    directory = tempfile.mkdtemp(prefix="postgres-")
    if user is not None:
        shutil.chown(directory, user)
    data = os.path.join(directory, "data")

    def run(*arguments: str) -> None:
        subprocess.run(arguments, check=True, user=user, cwd=directory, stdout=subprocess.DEVNULL)

    def stop() -> None:
        run(pg_ctl, "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(directory)

    run(initdb, "-D", data, "-U", "postgres", "--auth=trust", "--encoding=utf8")
    run(pg_ctl, "-D", data, "-w", "-l", f"{directory}/log", "-o", f"-h '' -k {directory}", "start")
    atexit.register(stop)
    return f"postgresql://postgres@/postgres?host={directory}"
