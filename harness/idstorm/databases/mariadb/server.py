"""A private MariaDB server.

https://mariadb.com/kb/en/mariadbd-options/#-bootstrap
"""

from __future__ import annotations

from pathlib import Path

from idstorm.databases.mysql.server import MySQLServer, share_of, version_said
from idstorm.databases.private.programs import Programs
from idstorm.errors import EnvironmentFault


class MariaDBServer(MySQLServer):
    """MariaDB. SQL files that come with it make its data."""

    variable = "IDSTORM_MARIADBD"
    names = ("mariadbd", "mysqld")
    driver = "mariadb+pymysql"
    settings = ()

    def version_in(self, said: str) -> str | None:
        """The program says that it is MariaDB, whatever its name."""
        return version_said(said) if "mariadb" in said.lower() else None

    def initialise(self, programs: Programs, folder: Path) -> tuple[list[str], Path]:
        """Feed the server its own files, with one statement a line as it expects, and delete all who could log in."""
        share, script = share_of(programs), folder / "bootstrap.sql"
        with script.open("xb") as file:
            file.write(b"CREATE DATABASE mysql;\nUSE mysql;\n")
            for name in ("system_tables", "system_tables_data"):
                places = [share / f"{prefix}_{name}.sql" for prefix in ("mariadb", "mysql")]
                found = next((place for place in places if place.exists()), None)
                if found is None:
                    raise EnvironmentFault(f"{share} has no {places[0].name}, without which there is no server")
                file.write(found.read_bytes() + b"\n")
            file.write(b"DELETE FROM global_priv WHERE User IN ('', 'root');\n")
        script.chmod(0o644)
        return [*self._command(programs, folder), "--bootstrap"], script
