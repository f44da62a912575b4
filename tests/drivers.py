"""Every driver that SQLAlchemy has for the databases; and `make drivers`: the quick catalogue with each of them.

`make check` storms one scenario with each, in `databases/test_drivers.py`.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from servers import On, database

_BY_DIALECT = {
    "postgresql": ("psycopg", "psycopg2", "asyncpg", "psycopg_async", "pg8000"),
    "mysql": ("pymysql", "mysqldb", "mysqlconnector", "aiomysql", "asyncmy"),
    "mariadb": ("pymysql", "mysqldb", "mysqlconnector", "mariadbconnector", "aiomysql", "asyncmy"),
    "sqlite": ("pysqlite", "aiosqlite"),
}
DRIVERS = [(dialect, name) for dialect, names in _BY_DIALECT.items() for name in names]

_MODULES = {"mysqldb": "MySQLdb", "mysqlconnector": "mysql.connector", "mariadbconnector": "mariadb"}
_WITHOUT_A_WHEEL = ("mysqldb", "mariadbconnector")  # they are built, with a client library of the system's


def missing(name: str) -> str | None:
    """Return why a driver is not here. One that pip installs everywhere is: that it is missing is a fault."""
    module = _MODULES.get(name, name).partition(".")[0]
    if name in _WITHOUT_A_WHEEL and find_spec(module) is None:
        return f"{name} has no wheel, and was not built here"
    return None


def target(on: On, name: str) -> str:
    """Return what to write after --on for a database by a driver."""
    if on.url is None:
        return f"sqlite+{name}://"
    return on.url.set(drivername=f"{on.dialect}+{name}").render_as_string(hide_password=False)


@pytest.mark.parametrize(("dialect", "name"), DRIVERS, ids=map("-".join, DRIVERS))
def test_the_quick_catalogue_passes(dialect: str, name: str, tmp_path: Path) -> None:
    if why := missing(name):
        pytest.skip(why)
    command = [sys.executable, "-m", "idstorm", "matrix", "--quick", "--on", target(database(dialect), name)]
    ran = subprocess.run([*command, "--results", str(tmp_path)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-20_000:]
