"""A private MySQL server.

https://dev.mysql.com/doc/refman/8.4/en/data-directory-initialization.html
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from idstorm.databases.private.programs import Programs
from idstorm.databases.private.recipe import SUPERUSER, Recipe, lines_of


class MySQLServer(Recipe):
    """MySQL. Its socket is named relative to its data, since socket paths are limited to about 100 bytes."""

    variable = "IDSTORM_MYSQLD"
    names: ClassVar[tuple[str, ...]] = ("mysqld",)
    driver = "mysql+pymysql"
    settings: ClassVar[tuple[str, ...]] = ("--mysqlx=OFF", "--secure-file-priv=NULL")
    """No second port, and no folder that only installing a package makes."""

    def version_in(self, said: str) -> str | None:
        """On Debian `mysqld` is a link to mariadbd, which says that it is MariaDB."""
        return None if "mariadb" in said.lower() else version_said(said)

    def secret(self, password: str) -> str:
        """SQL that makes the superuser at the server's first start: before that it cannot make users."""
        return (
            f"CREATE USER IF NOT EXISTS {SUPERUSER}@'127.0.0.1' IDENTIFIED BY '{password}';\n"
            f"GRANT ALL ON *.* TO {SUPERUSER}@'127.0.0.1' WITH GRANT OPTION;\n"
            "DROP USER IF EXISTS root@localhost;\n"
        )

    def initialise(self, programs: Programs, folder: Path) -> tuple[list[str], Path]:
        """This makes one user without a password, who is dropped before any client can connect."""
        return [*self._command(programs, folder), "--initialize-insecure"], Path(os.devnull)

    def serve(self, programs: Programs, folder: Path, port: int, first: bool, settings: Mapping[str, str]) -> list[str]:
        """The server runs the SQL file before it lets the first client in."""
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
        """Look for its pid, written once it has its port, and for its greeting. Each start takes one greeting."""
        if lines_of(folder / "data" / "server.pid") != [str(pid)]:
            return False
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0) as connection:
            return bool(connection.recv(1))
        return False

    def _command(self, programs: Programs, folder: Path) -> list[str]:
        share = share_of(programs)
        return [
            *programs.command(),
            "--no-defaults",
            f"--basedir={programs.home}",
            f"--datadir={folder / 'data'}",
            f"--lc-messages-dir={share}",
            f"--character-sets-dir={share / 'charsets'}",
        ]


def share_of(programs: Programs) -> Path:
    """Return the folder with the messages, character sets and SQL files of MySQL or MariaDB."""
    places = [programs.home / "share" / name for name in (programs.dialect, "mysql", "")]
    return next((place for place in places if (place / "english" / "errmsg.sys").exists()), places[0])


def version_said(said: str) -> str | None:
    """Return the version in a program's output, whichever of the two it is."""
    found = re.search(r"\bVer (\d[\w.]*)", said)
    return found[1] if found else None
