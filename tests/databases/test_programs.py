"""Which server programs are found: what a program says counts, and a variable is never passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from idstorm.databases.private.finding import find, look
from idstorm.errors import UsageError

MARIADB = "mysqld  Ver 10.11.99-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)"
MYSQL = "/usr/sbin/mysqld  Ver 9.99.1 for Linux on x86_64 (MySQL Community Server - GPL)"
POSTGRESQL = "postgres (PostgreSQL) 99.1 (Debian 99.1-1)"


def program(folder: Path, name: str, says: str, code: int = 0) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    path.chmod(0o755)
    return path


def test_a_mysqld_that_says_it_is_mariadb_is_not_mysql(tmp_path: Path) -> None:
    program(tmp_path, "mariadbd-of-old", MARIADB)
    (tmp_path / "mysqld").symlink_to("mariadbd-of-old")
    found, passed = look("mysql", {"PATH": str(tmp_path)})
    assert found is None or found.version != "10.11.99"
    assert "says it is mariadb 10.11.99, not mysql" in passed[0]
    mariadb = find("mariadb", {"PATH": str(tmp_path)})
    assert mariadb is not None
    with pytest.raises(UsageError, match=r"IDSTORM_MYSQLD.* says it is mariadb 10.11.99, not mysql"):
        find("mysql", {"IDSTORM_MYSQLD": str(tmp_path / "mysqld")})


def test_a_mysqld_that_says_it_is_mysql_is_not_mariadb(tmp_path: Path) -> None:
    path = program(tmp_path, "mysqld", MYSQL)
    found, passed = look("mariadb", {"PATH": str(tmp_path)})
    assert found is None or found.version != "9.99.1"
    assert found or "says it is mysql 9.99.1, not mariadb" in passed[0]
    with pytest.raises(UsageError, match="says it is mysql"):
        find("mariadb", {"IDSTORM_MARIADBD": str(path)})
    mysql = find("mysql", {"PATH": str(tmp_path)})
    assert mysql is not None
    assert (mysql.dialect, mysql.version, mysql.server, mysql.prefix) == ("mysql", "9.99.1", path, ())
    assert "on the PATH" in mysql.where


def test_a_variable_comes_first(tmp_path: Path) -> None:
    program(tmp_path / "path", "mysqld", MYSQL)
    path = program(tmp_path / "bin", "mysqld", MYSQL.replace("9.99.1", "9.99.2"))
    found = find("mysql", {"PATH": str(tmp_path / "path"), "IDSTORM_MYSQLD": str(path)})
    assert found is not None
    assert (found.version, found.where) == ("9.99.2", "$IDSTORM_MYSQLD")


def test_postgres_is_beside_pg_ctl(tmp_path: Path) -> None:
    pg_ctl = program(tmp_path / "real", "pg_ctl", "pg_ctl (PostgreSQL) 99.1")
    link = tmp_path / "pg_ctl"
    link.symlink_to(pg_ctl)
    with pytest.raises(UsageError, match=r"IDSTORM_PG_CTL: .*postgres does not tell its version: No such file"):
        find("postgresql", {"IDSTORM_PG_CTL": str(link)})
    program(tmp_path / "real", "postgres", POSTGRESQL)
    found = find("postgresql", {"IDSTORM_PG_CTL": str(link)})
    assert found is not None
    assert found.version == "99.1"
    assert found.command("initdb") == [str(tmp_path / "real" / "initdb")]


@pytest.mark.parametrize(
    ("says", "code", "reason"),
    [("what?", 0, "does not tell the version of a server: what"), (MYSQL, 1, "does not tell the version of a server")],
)
def test_a_variable_that_leads_astray_is_an_error(tmp_path: Path, says: str, code: int, reason: str) -> None:
    path = program(tmp_path, "mysqld", says, code)
    with pytest.raises(UsageError, match=reason):
        find("mysql", {"IDSTORM_MYSQLD": str(path)})
    with pytest.raises(UsageError, match="No such file"):
        find("mysql", {"IDSTORM_MYSQLD": str(tmp_path / "nothing")})
    path.chmod(0o644)
    with pytest.raises(UsageError, match="Permission denied"):
        find("mysql", {"IDSTORM_MYSQLD": str(path)})


def test_what_was_unpacked_runs_by_its_own_loader(tmp_path: Path) -> None:
    loader = program(tmp_path / "usr" / "lib" / "somewhere", "ld-linux-some.so.2", MYSQL)
    server = program(tmp_path / "usr" / "sbin", "mysqld", "not by itself", 1)
    found = find("mysql", {"IDSTORM_MYSQLD": str(server)})
    assert found is not None
    assert found.command() == [str(loader), "--library-path", str(loader.parent), str(server)]
    lent = found.lend(tmp_path / "lent")
    assert lent.command()[0] == str(tmp_path / "lent" / "usr" / "lib" / "somewhere" / loader.name)
    assert lent.server.samefile(server)
