"""A driver that is missing, or cannot be made use of: one sentence that names what can, and nothing left behind."""

from __future__ import annotations

import sys

import pytest
import sqlalchemy as sa

from databases.own import own_database, rows
from idstorm.databases import doctor
from idstorm.databases.base import Database
from idstorm.databases.private.finding import look
from idstorm.databases.registry import DATABASES
from idstorm.databases.targets import Address, opened, resolve
from idstorm.errors import EnvironmentFault, UsageError
from servers import On

MODULES = {
    "psycopg": "postgresql+psycopg",
    "psycopg2": "postgresql+psycopg2",
    "pymysql": "mysql+pymysql",
    "MySQLdb": "mysql+mysqldb",
    "mysql": "mysql+mysqlconnector",
    "mariadb": "mariadb+mariadbconnector",
}
PACKAGES = {
    "psycopg": "'idstorm[postgresql]'",
    "psycopg2": "psycopg2-binary",
    "pymysql": "'idstorm[mysql]'",
    "MySQLdb": "mysqlclient",
    "mysql": "mysql-connector-python",
    "mariadb": "mariadb",
}


@pytest.fixture
def missing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A driver's module that Python does not find."""
    module: str = request.param
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Hiding(module), *sys.meta_path])
    return module


class _Hiding:
    def __init__(self, module: str) -> None:
        self._module = module

    def find_spec(self, name: str, *_: object) -> None:
        if name.partition(".")[0] == self._module:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@pytest.mark.parametrize("missing", MODULES, indirect=True)
def test_a_driver_that_is_missing_is_named_as_it_is_installed(missing: str) -> None:
    scheme = MODULES[missing]
    with pytest.raises(UsageError) as raised:
        resolve(f"{scheme}://me:s3cr3t@host/db", {})
    assert str(raised.value) == f"the driver of {scheme}:// is not installed: pip install {PACKAGES[missing]}"


@pytest.mark.parametrize("scheme", ["oracle", "oracle+oracledb", "mssql", "mssql+pyodbc", "duckdb"])
def test_a_database_that_cannot_be_stormed_is_said_at_once(scheme: str) -> None:
    with pytest.raises(UsageError, match=r"cannot be stormed; sqlite, postgresql, mysql, mariadb can|is not a dialect"):
        resolve(f"{scheme}://host/db", {})


@pytest.mark.parametrize(
    ("given", "own"),
    [
        ("postgresql+asyncpg://me@host/db?ssl=require&statement_cache_size=0", "+psycopg://me@host/db?sslmode=require"),
        ("postgresql+pg8000://me@host/db", "+psycopg://me@host/db"),
        (
            "postgresql+psycopg_async://me@host/db?sslmode=require",
            "+psycopg://me@host/db?sslmode=require",
        ),
        ("postgresql+psycopg2://me@host/db", "+psycopg2://me@host/db"),
        ("mysql+aiomysql://host/db", "+pymysql://host/db"),
        ("mariadb+asyncmy://host/db", "+pymysql://host/db"),
        ("sqlite+aiosqlite:///x.db", "+pysqlite:///x.db"),
    ],
)
def test_beside_a_driver_that_cannot_do_its_work_idstorm_uses_another(given: str, own: str) -> None:
    address = resolve(given, {})
    url = address.database.threaded(address.url).render_as_string(hide_password=False)
    assert url.partition("+")[2] == own[1:]


def test_a_driver_that_does_not_take_what_it_is_given_leaves_nothing(
    postgresql: On, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pg8000 takes a keyword less than the URL of a schema has. That is known of it; of others it is found out."""
    there = DATABASES["postgresql"]
    monkeypatch.setattr(there, "threaded", lambda url: url)
    monkeypatch.setattr(there, "kind_for", lambda url: "schema")
    with own_database(postgresql) as on:
        assert on.url is not None
        address = resolve(on.url.set(drivername="postgresql+pg8000").render_as_string(hide_password=False), {})
        with pytest.raises(UsageError, match="does not do what idstorm needs"):
            _connect_in_a_namespace(address)
        assert not rows(on, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'idstorm%%'")


def _connect_in_a_namespace(address: Address) -> None:
    with (
        address.database.namespace(address.url, "20000101-000000-abcd-1") as inside,
        address.database.administer(inside),
    ):
        pass


class _Broken(Exception):
    """None that anybody expects."""


def test_a_namespace_is_taken_away_whatever_fails(server: On, monkeypatch: pytest.MonkeyPatch) -> None:
    database: Database = DATABASES[server.dialect]

    def break_down(url: sa.URL) -> bool:
        raise _Broken

    monkeypatch.setattr(database, "quiesce", break_down)
    with own_database(server) as on:
        assert on.url is not None
        with pytest.raises(_Broken), database.namespace(on.url, "20000101-000000-beef-1"):
            pass
        assert not [one for one in database.namespaces(on.url) if "beef" in one.name]


@pytest.mark.parametrize("missing", ["psycopg"], indirect=True)
def test_a_private_server_needs_its_driver_too(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if look("postgresql", {})[0] is None:
        pytest.skip("there are no programs of a private server")
    monkeypatch.setattr(DATABASES["postgresql"], "drivers", ("psycopg",))
    address = resolve("postgresql", {})
    assert address.fault == "the driver of postgresql+psycopg:// is not installed: pip install 'idstorm[postgresql]'"
    assert doctor.diagnose("postgresql", {}).startswith("✗  postgresql  the driver of ")
    with opened([address]) as (found,):
        assert found.fault == address.fault


def test_a_private_server_is_reached_by_the_driver_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    if look("postgresql", {})[0] is None:
        pytest.skip("there are no programs of a private server")
    monkeypatch.setattr(DATABASES["postgresql"], "drivers", ("psycopg2",))
    with opened([resolve("postgresql", {})]) as (address,):
        assert address.url.drivername == "postgresql+psycopg2"
        with address.database.administer(address.url) as connection:
            assert connection.dialect.driver == "psycopg2"


def test_what_stands_between_is_blamed_for_a_search_path_that_is_ignored(postgresql: On) -> None:
    """A URL that leads nowhere is what PgBouncer makes of one that leads somewhere, once it is told to ignore it."""
    with own_database(postgresql) as on:
        assert on.url is not None
        database = DATABASES["postgresql"]
        inside = on.url.update_query_dict({"options": "-csearch_path=idstorm_not_there"})
        for users, fault, said in (
            (False, EnvironmentFault, "PgBouncer"),
            (True, UsageError, "engine of the scenario"),
        ):
            engine = sa.create_engine(on.url, poolclass=sa.NullPool)
            database.configure(engine, inside, {}, users=users)
            with pytest.raises(fault, match=said):
                engine.connect()
