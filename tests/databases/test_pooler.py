"""Storms through a pooler in transaction mode: clients go through it, idstorm itself goes past it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from fetch import Unavailable
from pooler import pgbouncer
from running import Idstorm
from servers import database


def _text(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def server() -> sa.URL:
    url = database("postgresql").url
    assert url is not None
    return url.set(drivername="postgresql+psycopg")


@pytest.fixture(scope="module")
def pooler(server: sa.URL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.URL]:
    try:
        with pgbouncer(server, tmp_path_factory.mktemp("pgbouncer")) as url:
            yield url
    except Unavailable as why:
        pytest.skip(f"no PgBouncer can be had: {why}")


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
def test_clients_go_through_it_and_idstorm_past_it(
    idstorm: Idstorm, server: sa.URL, pooler: sa.URL, driver: str
) -> None:
    through = pooler.set(drivername=f"postgresql+{driver}")
    ran = idstorm.storm("autoincrement", "--on", _text(through), "--admin-url", _text(server), "-n", "200")
    (storm,) = ran.report["storms"]
    assert (ran.code, storm["verdicts"]["durable"]["status"], storm["target"]["driver"]) == (0, "held", driver)
    assert str(server.password) not in ran.out + ran.err


def test_a_race_is_found_through_it(idstorm: Idstorm, server: sa.URL, pooler: sa.URL) -> None:
    ran = idstorm.storm("max_plus_one:read_committed", "--on", _text(pooler), "--admin-url", _text(server), "-n", "400")
    assert ran.code == 0, ran.out
    assert ran.report["storms"][0]["verdicts"]["unique"]["status"] == "broken"


def test_a_pooler_that_leads_to_no_new_database_is_out_of_reach(
    idstorm: Idstorm, server: sa.URL, pooler: sa.URL, tmp_path: Path
) -> None:
    with pgbouncer(server, tmp_path, databases=str(server.database)) as strict:
        ran = idstorm("run", "autoincrement", "--on", _text(strict), "--admin-url", _text(server), "-n", "50")
    assert (ran.code, "is out of reach" in ran.out, "no such database" in ran.out) == (3, True, True), ran.out


@pytest.mark.parametrize(
    ("on", "words", "says"),
    [
        ("sqlite", ["--admin-url", "postgresql://u:secret@h/d"], "leads to postgresql, and --on to sqlite"),
        ("postgresql://u:p@h/d", ["--admin-url", "h/secret"], "that is not a SQLAlchemy URL"),
        (
            "postgresql://u:p@h/d",
            ["--admin-url", "postgresql://u:secret@h/d", "--namespace", "schema"],
            "a pooler would lead clients elsewhere",
        ),
        (
            "postgresql://u:p@h/d",
            ["--on", "sqlite", "--admin-url", "postgresql://u:secret@h/d"],
            "--admin-url belongs to one target",
        ),
        (
            "postgresql://u:p@h/d",
            ["--admin-url", "postgresql://v:secret@h/d"],
            "is for v, and --on for u: name the same",
        ),
    ],
)
def test_what_makes_no_sense_is_one_sentence(idstorm: Idstorm, on: str, words: list[str], says: str) -> None:
    ran = idstorm("run", "autoincrement", "--on", on, *words)
    assert (ran.code, says in ran.err, "secret" in ran.out + ran.err) == (2, True, False), ran.err


def test_a_dry_run_hides_its_secrets(idstorm: Idstorm) -> None:
    ran = idstorm(
        *("run", "autoincrement", "--on", "postgresql://u:p@h/d", "--dry-run"),
        *("--admin-url", "postgresql://u:secret?x@h/d?sslpassword=secret"),
    )
    assert (ran.code, "secret" in ran.out, "postgresql://***@h/d" in ran.out) == (0, False, True), ran.out
    assert "CREATEDB" in ran.out
