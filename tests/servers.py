"""One server of each kind for all test workers of a session.

In this order: the URL in the dialect's variable; a private server of programs that are found; the project's compose
file, where a Docker engine answers; a private server of programs that are fetched. The process that first needs one
has it started by a keeper, which ends with the whole session. What cannot be had is skipped with its reason, or fails
where `IDSTORM_REQUIRE` names it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import psutil
import pytest
import sqlalchemy as sa

from fetch import Unavailable, programs_of
from idstorm.databases.private.programs import Programs
from idstorm.databases.private.session import session
from idstorm.databases.private.shared import shared_server
from idstorm.databases.targets import variable_of
from idstorm.errors import EnvironmentFault

SERVERS = ("postgresql", "mysql", "mariadb")

# pytester forgets what was imported during its test: a dialect that came twice would register its functions twice.
for _module in ("sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.mysql", "psycopg", "pymysql"):
    with suppress(ModuleNotFoundError):
        import_module(_module)

_PATIENCE = 600.0  # seconds: a first fetch takes a while


@dataclass(frozen=True)
class On:
    """A database to storm."""

    dialect: str
    url: sa.URL | None = None

    @property
    def environ(self) -> dict[str, str]:
        """What makes `--on DIALECT` mean this database."""
        if self.url is None:
            return {}
        return {variable_of(self.dialect): self.url.render_as_string(hide_password=False)}

    def engine(self, **options: object) -> sa.Engine:
        """An engine of a test's own, as the server's superuser, each statement a transaction."""
        assert self.url is not None
        return sa.create_engine(self.url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT", **options)


def session_folder() -> Path:
    """Return the folder of the test session that this process belongs to: its controller's, under xdist."""
    pid = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    return Path(tempfile.gettempdir(), f"idstorm-tests-{pid}-{psutil.Process(pid).create_time():.0f}")


def database(dialect: str) -> On:
    """Return a database of this dialect that all tests of the session share."""
    if dialect == "sqlite":
        return On(dialect)
    if url := os.environ.get(variable_of(dialect)):
        return On(dialect, sa.make_url(url))
    try:
        url = shared_server(dialect, session_folder(), [str(Path(__file__).with_name("keeper.py"))], _PATIENCE)
    except EnvironmentFault as fault:
        _absent(dialect, str(fault))
    return On(dialect, sa.make_url(url))


@contextmanager
def whole_session() -> Iterator[None]:
    """Hold the session for all test workers: in their controller, or in the only process."""
    folder = session_folder()
    folder.mkdir(mode=0o700, exist_ok=True)
    with session(folder):
        yield
    shutil.rmtree(folder, ignore_errors=True)


@cache
def had(dialect: str) -> Programs | str:
    """Return the programs of a private server, or why there are none."""
    try:
        return programs_of(dialect)
    except Unavailable as error:
        return str(error)


def programs_for(dialect: str) -> Programs:
    """Return the programs of a private server of a test's own."""
    programs = had(dialect)
    if isinstance(programs, str):
        _absent(dialect, programs)
    return programs


def _absent(dialect: str, why: str) -> NoReturn:
    reason = f"no {dialect} server: {why}"
    if dialect in os.environ.get("IDSTORM_REQUIRE", "").split(","):
        pytest.fail(reason)
    pytest.skip(reason)
