"""How a private server of each dialect is made, started, known to be ready, and asked to end.

Settings are those that a server is shipped with, but for where it is: its folder, and one port of the loopback.

https://www.postgresql.org/docs/current/app-initdb.html
https://dev.mysql.com/doc/refman/8.4/en/data-directory-initialization.html
https://mariadb.com/kb/en/mariadbd-options/#-bootstrap
"""

from __future__ import annotations

import os
import signal
import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from idstorm.databases.private.programs import Programs
from idstorm.errors import EnvironmentFault

SUPERUSER = "idstorm"
_LONGEST = 1 << 12  # bytes of a file that tells of a server's process


class Manners(ABC):
    """What is peculiar to the servers of one dialect. `data`, `log` and `secret` are what its folder holds."""

    driver: ClassVar[str]
    database: ClassVar[str] = ""
    farewell: ClassVar[signal.Signals] = signal.SIGTERM  #: ends it in order, without waiting for its clients
    leaves_memory: ClassVar[bool] = False  #: a crash leaves shared memory that only the next start gives back

    @abstractmethod
    def secret(self, password: str) -> str:
        """Return what the file `secret` has to say, which is there until the server has come up."""

    @abstractmethod
    def initialise(self, programs: Programs, folder: Path) -> tuple[list[str], Path]:
        """Return the command that fills the empty folder `data`, and what it reads from stdin."""

    @abstractmethod
    def serve(self, programs: Programs, folder: Path, port: int, first: bool, settings: Mapping[str, str]) -> list[str]:
        """Return the command that serves `data` with these settings."""

    @abstractmethod
    def ready(self, folder: Path, pid: int, port: int) -> bool:
        """Return whether the server with this number serves. A file left by one that crashed has another number."""


class PostgreSQL(Manners):
    """No socket files: their paths are limited to some 100 bytes, and the loopback is enough."""

    driver = "postgresql+psycopg"
    database = "postgres"
    farewell = signal.SIGINT
    leaves_memory = True

    def secret(self, password: str) -> str:
        """The password, for initdb."""
        return password + "\n"

    def initialise(self, programs: Programs, folder: Path) -> tuple[list[str], Path]:
        """Fresh data need no sync: a SIGKILL takes nothing from the system's cache."""
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
        """Call postgres, not pg_ctl, which would leave."""
        place = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": ""}
        told = [word for name, value in {**settings, **place}.items() for word in ("-c", f"{name}={value}")]
        return [*programs.command(), "-D", str(folder / "data"), *told]

    def ready(self, folder: Path, pid: int, port: int) -> bool:
        """Look where pg_ctl does: the server's number in the first line of its file, its state in the eighth."""
        lines = _lines(folder / "data" / "postmaster.pid")
        return len(lines) > 7 and lines[0] == str(pid) and lines[7] == "ready"


class MySQL(Manners):
    """MySQL. Its socket is named relative to its data, since a path is limited to some 100 bytes."""

    driver = "mysql+pymysql"
    settings: ClassVar[tuple[str, ...]] = ("--mysqlx=OFF", "--secure-file-priv=NULL")
    """No second port, and no folder that only a package's installation makes."""

    def secret(self, password: str) -> str:
        """The superuser, in SQL, for the server's first start: before that it cannot make users."""
        return (
            f"CREATE USER IF NOT EXISTS {SUPERUSER}@'127.0.0.1' IDENTIFIED BY '{password}';\n"
            f"GRANT ALL ON *.* TO {SUPERUSER}@'127.0.0.1' WITH GRANT OPTION;\n"
            "DROP USER IF EXISTS root@localhost;\n"
        )

    def initialise(self, programs: Programs, folder: Path) -> tuple[list[str], Path]:
        """The one user without a password that this makes is dropped before anybody can connect."""
        return [*self._command(programs, folder), "--initialize-insecure"], Path(os.devnull)

    def serve(self, programs: Programs, folder: Path, port: int, first: bool, settings: Mapping[str, str]) -> list[str]:
        """The file of SQL is read before the first client is let in."""
        return [
            *self._command(programs, folder),
            *self.settings,
            *(f"--{name}={value}" for name, value in settings.items()),
            "--bind-address=127.0.0.1",
            f"--port={port}",
            "--socket=server.sock",
            "--pid-file=server.pid",
            *([f"--init-file={folder / 'secret'}"] if first else []),
        ]

    def ready(self, folder: Path, pid: int, port: int) -> bool:
        """Wait for its number, written once it has its port, and for its greeting. One greeting a start is taken."""
        if _lines(folder / "data" / "server.pid") != [str(pid)]:
            return False
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0) as connection:
            return bool(connection.recv(1))
        return False

    def _command(self, programs: Programs, folder: Path) -> list[str]:
        return [
            *programs.command(),
            "--no-defaults",
            f"--basedir={programs.home}",
            f"--datadir={folder / 'data'}",
            f"--lc-messages-dir={programs.share}",
            f"--character-sets-dir={programs.share / 'charsets'}",
        ]


class MariaDB(MySQL):
    """MariaDB. Its data are made by SQL that comes with it."""

    driver = "mariadb+pymysql"
    settings = ()

    def initialise(self, programs: Programs, folder: Path) -> tuple[list[str], Path]:
        """Feed the server its own files, a statement a line as it wants them, and take away all who could log in."""
        script = folder / "bootstrap.sql"
        with script.open("xb") as file:
            file.write(b"CREATE DATABASE mysql;\nUSE mysql;\n")
            for name in ("system_tables", "system_tables_data"):
                places = [programs.share / f"{prefix}_{name}.sql" for prefix in ("mariadb", "mysql")]
                found = next((place for place in places if place.exists()), None)
                if found is None:
                    raise EnvironmentFault(
                        f"{programs.share} has no {places[0].name}, without which there is no server"
                    )
                file.write(found.read_bytes() + b"\n")
            file.write(b"DELETE FROM global_priv WHERE User IN ('', 'root');\n")
        script.chmod(0o644)
        return [*self._command(programs, folder), "--bootstrap"], script


MANNERS: dict[str, Manners] = {"postgresql": PostgreSQL(), "mysql": MySQL(), "mariadb": MariaDB()}


def _lines(path: Path) -> list[str]:
    """Return the lines of a file that the server's user has made: what is not a short, plain file has none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            return [line.strip() for line in file.read(_LONGEST).decode(errors="replace").splitlines()]
    except OSError:
        return []
