"""How a driver that a scenario names is led to where another driver is."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from idstorm.databases.registry import DATABASES
from idstorm.errors import ScenarioError

THERE = DATABASES["postgresql"]
NAME = "idstorm_20000101_000000_abcd_1"
SCHEMA = (
    f"postgresql+psycopg://me@db/app?options=-cstatement_timeout%3D9s+-csearch_path%3D{NAME}&application_name={NAME}"
)
DATABASE = "postgresql+psycopg://me@db/idstorm_x?application_name=mine"


def by(url: str, driver: str) -> tuple[str, dict[str, object]]:
    there, arguments = THERE.by(sa.make_url(url), driver)
    return str(there), arguments


def test_a_driver_of_libpq_is_told_the_same_by_its_url() -> None:
    url = sa.make_url(SCHEMA)
    assert THERE.by(url, "psycopg2") == (url.set(drivername="postgresql+psycopg2"), {})
    assert THERE.by(url, "psycopg") == (url, {})


def test_asyncpg_is_told_by_arguments_what_a_url_of_libpq_says() -> None:
    url, arguments = by(f"{SCHEMA}&sslmode=require&connect_timeout=5", "asyncpg")
    assert url == "postgresql+asyncpg://me@db/app"
    assert arguments == {
        "server_settings": {"search_path": NAME, "statement_timeout": "9s", "application_name": NAME},
        "ssl": "require",
        "timeout": 5.0,
    }
    assert by(DATABASE, "asyncpg") == (
        "postgresql+asyncpg://me@db/idstorm_x",
        {"server_settings": {"application_name": "mine"}},
    )


def test_the_url_of_asyncpg_says_the_same_to_a_driver_of_libpq() -> None:
    assert by("postgresql+asyncpg://me@db/idstorm_x?ssl=require", "psycopg") == (
        "postgresql+psycopg://me@db/idstorm_x?sslmode=require",
        {},
    )


@pytest.mark.parametrize(
    ("url", "driver", "says"),
    [
        (SCHEMA, "pg8000", "pg8000 cannot be led into a schema: storm with --namespace database"),
        (DATABASE, "pg8000", "pg8000 does not take application_name"),
        (f"{DATABASE}&target_session_attrs=any", "asyncpg", "asyncpg does not take target_session_attrs"),
    ],
)
def test_what_a_driver_cannot_be_told_is_named(url: str, driver: str, says: str) -> None:
    with pytest.raises(ScenarioError, match=says):
        by(url, driver)
