"""When, where and with what a run was made: what has to be said first where two runs are compared."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from idstorm.record.shapes import read_as

_PACKAGES = (
    *("idstorm", "SQLAlchemy", "psycopg", "psycopg2", "pg8000", "asyncpg"),
    *("PyMySQL", "mysqlclient", "mysql-connector-python", "mariadb", "aiomysql", "asyncmy", "aiosqlite"),
)
_GIT_WITHIN = 2.0  # seconds


@dataclass(frozen=True)
class Provenance:
    """When, where and with what a run was made."""

    when: str  #: in ISO format, in UTC
    host: str  #: a digest of the machine's name, which may be nobody else's business
    cores: int  #: on which it may run
    versions: Mapping[str, str] = field(default_factory=dict)  #: of Python and of packages that are installed
    commit: str | None = None  #: that the current directory is at, with a + if something in it has changed since
    label: str | None = None  #: what the user calls the machine, or the occasion
    sources: Mapping[str, str] = field(
        default_factory=dict
    )  #: by name of a scenario, a digest of the files that it is written in

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON's own types."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Provenance:
        """Return what is stored. Raises what `intact` turns into UnreadableRun."""
        return read_as(cls, data)


def provenance(label: str | None = None, sources: Mapping[str, str] | None = None) -> Provenance:
    """Return that of a run that begins here and now."""
    versions = {"Python": platform.python_version()}
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return Provenance(
        datetime.now(UTC).isoformat(timespec="seconds"),
        blake2b(platform.node().encode(), digest_size=4).hexdigest(),
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        versions,
        _commit(),
        label,
        sources or {},
    )


def _commit() -> str | None:
    """Return the commit that the current directory is at; None: there is none, or no git."""
    command = ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
    with suppress(OSError, subprocess.SubprocessError):
        found = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_WITHIN, check=True)
        return found.stdout.strip() or None
    return None
