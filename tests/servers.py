"""One server of each kind for all test workers of a session.

In this order: the URL in the dialect's variable; a private server of programs that are found; the project's compose
file, where a Docker engine answers; a private server of programs that are fetched. Whoever needs a server first has it
started, by a keeper that waits for the end of the whole session. What cannot be had is skipped with its reason, or
fails where `IDSTORM_REQUIRE` names it.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import psutil
import pytest
import sqlalchemy as sa

from fetch import Unavailable, programs_of
from idstorm.databases.private.programs import Programs
from idstorm.databases.targets import variable_of

SERVERS = ("postgresql", "mysql", "mariadb")

# pytester forgets what was imported during its test: a dialect that came twice would register its functions twice.
for _module in ("sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.mysql", "psycopg", "pymysql"):
    with suppress(ModuleNotFoundError):
        import_module(_module)

_keepers: list[subprocess.Popen[bytes]] = []  # nobody waits for them: they end after us
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


@dataclass(frozen=True)
class _Session:
    """The test session that this process belongs to: its controller's, under xdist."""

    pid: int = field(default_factory=lambda: os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid())

    @property
    def folder(self) -> Path:
        began = psutil.Process(self.pid).create_time()
        folder = Path(tempfile.gettempdir(), f"idstorm-tests-{self.pid}-{began:.0f}")
        folder.mkdir(exist_ok=True)
        return folder


def database(dialect: str) -> On:
    """Return a database of this dialect that all tests of the session share."""
    if dialect == "sqlite":
        return On(dialect)
    if url := os.environ.get(variable_of(dialect)):
        return On(dialect, sa.make_url(url))
    folder = _Session().folder
    url_file, error_file = folder / f"{dialect}.url", folder / f"{dialect}.error"
    with (folder / f"{dialect}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not url_file.exists() and not error_file.exists():
            _keep(dialect, folder, url_file, error_file)
    if not url_file.exists():
        _absent(dialect, error_file.read_text())
    return On(dialect, sa.make_url(url_file.read_text()))


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


def _keep(dialect: str, folder: Path, url_file: Path, error_file: Path) -> None:
    """Start a keeper, which outlives this worker, and wait until it has a server or knows why not."""
    with (folder / f"{dialect}.log").open("w") as log:
        keeper = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("keeper.py")), dialect, str(folder), str(_Session().pid)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )
    _keepers.append(keeper)
    deadline = time.monotonic() + _PATIENCE
    while not url_file.exists() and not error_file.exists():
        if keeper.poll() is not None or time.monotonic() > deadline:
            error_file.write_text((folder / f"{dialect}.log").read_text() or "its keeper took too long")
        time.sleep(0.05)
