"""What `--on` understands, and what the compose file promises."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from idstorm.databases.registry import DATABASES
from idstorm.databases.targets import resolve
from idstorm.errors import UsageError
from idstorm.extensions import DIALECTS
from keeper import COMPOSE
from running import Idstorm
from servers import On

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = (ROOT / "docker-compose.yml").read_text()


@pytest.mark.parametrize(
    ("url", "dialect", "driver"),
    [
        ("postgresql://me@host/db", "postgresql", "psycopg"),
        ("postgres://me@host/db", "postgresql", "psycopg"),
        ("postgresql+psycopg://me@host/db", "postgresql", "psycopg"),
        ("mysql://me@host/db", "mysql", "pymysql"),
        ("mariadb://me@host/db", "mariadb", "pymysql"),
        ("mariadb+pymysql://me@host/db", "mariadb", "pymysql"),
        ("sqlite:///app.db", "sqlite", "pysqlite"),
    ],
)
def test_a_url_gets_the_driver_that_is_there(url: str, dialect: str, driver: str) -> None:
    address = resolve(url, {})
    assert (address.database.name, address.url.get_driver_name()) == (dialect, driver)
    assert address.name == url


def test_every_dialect_can_be_stormed() -> None:
    assert tuple(DATABASES) == tuple(DIALECTS)


def test_a_variable_comes_before_a_private_server() -> None:
    address = resolve("postgresql", {"IDSTORM_POSTGRESQL_URL": "postgres://me@host/db"})
    assert address.programs is None
    assert address.url.host == "host"


def test_a_variable_with_the_url_of_another_database_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"^\$IDSTORM_POSTGRESQL_URL is the URL of sqlite, not of postgresql$"):
        resolve("postgresql", {"IDSTORM_POSTGRESQL_URL": "sqlite:///x"})


def test_a_variable_that_leads_to_a_server_of_another_kind_is_an_error(idstorm: Idstorm, server: On) -> None:
    if server.dialect != "mariadb":
        pytest.skip("the other two have URLs of their own")
    assert server.url is not None
    url = server.url.set(drivername="mysql+pymysql").render_as_string(hide_password=False)
    ran = idstorm.storm("autoincrement", "--on", "mysql", IDSTORM_MYSQL_URL=url)
    assert ran.code == 2
    assert "$IDSTORM_MYSQL_URL leads to a server of mariadb, not of mysql" in ran.err + ran.out


def test_what_cannot_be_had_names_the_three_ways_to_get_it(tmp_path: Path) -> None:
    script = "from idstorm.databases.targets import resolve; print(resolve('mysql', {'PATH': ''}).fault)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    if done.stdout.strip() == "None":
        pytest.skip("this machine has a MySQL server of its own")
    assert all(way in done.stdout for way in ("IDSTORM_MYSQL_URL", "docker compose up -d --wait", "install"))


def test_a_variable_that_points_at_another_program_is_an_error() -> None:
    with pytest.raises(UsageError, match="IDSTORM_MYSQLD"):
        resolve("mysql", {"IDSTORM_MYSQLD": sys.executable})


def test_a_private_server_serves_a_run_and_is_gone_after_it(idstorm: Idstorm) -> None:
    ran = idstorm.storm("autoincrement", "--on", "postgresql")
    assert ran.code == 0, ran.err
    (judged,) = ran.report["storms"]
    assert judged["target"]["dialect"] == "postgresql"
    assert ran.report["command"].startswith("idstorm run autoincrement --on postgresql ")


def test_the_report_sets_databases_side_by_side(idstorm: Idstorm, server: On) -> None:
    words = ("rollbacks", "--on", "sqlite", "--on", server.dialect)
    ran = idstorm.storm(*words, **server.environ)
    assert ran.code == 0, ran.err
    (comparison,) = ran.report["comparisons"]
    assert [target.split()[0] for target in comparison["targets"]] == ["sqlite", server.dialect]
    assert comparison["differs"] == ["gapless"]
    assert comparison["verdicts"]["gapless"] == ["held", "broken"]
    assert all(rate > 0 for rate in comparison["figures"]["operations.per_second"])
    assert "differ in gapless" in idstorm("check", str(idstorm.run_folder)).out


def test_each_storm_has_its_own_facts(idstorm: Idstorm, server: On) -> None:
    (judged,) = idstorm.storm("autoincrement", "--on", server.dialect, **server.environ).report["storms"]
    facts = judged["target"]["facts"]
    expected: dict[str, dict[str, Any]] = {
        "postgresql": {"fsync": "on", "synchronous_commit": "on"},
        "mysql": {"innodb_autoinc_lock_mode": 2, "innodb_flush_log_at_trx_commit": 1},
        "mariadb": {"innodb_autoinc_lock_mode": 1, "innodb_flush_log_at_trx_commit": 1},
    }
    assert expected[server.dialect].items() <= facts.items()
    if server.dialect == "postgresql":
        assert facts["sequences"]["user_id_seq"]["last_value"] >= 400


def test_settings_reach_every_session(idstorm: Idstorm, server: On) -> None:
    setting = {"postgresql": "lock_timeout=1234", "mysql": "auto_increment_increment=10"}
    words = ("--set", setting.get(server.dialect, "auto_increment_increment=10"), "-v")
    ran = idstorm.storm("autoincrement", "--on", server.dialect, *words, **server.environ)
    (judged,) = ran.report["storms"]
    assert ran.code == 0
    if server.dialect != "postgresql":
        figures = judged["verdicts"]["starts_at"]["figures"]
        assert (figures["step"], figures["asked_step"]) == (10, 10)  # the server's step is what is asked for


@pytest.mark.parametrize("level", ["AUTOCOMMIT", "SERIALIZABLE"])
def test_an_isolation_level_is_the_storms(idstorm: Idstorm, server: On, level: str) -> None:
    words = ("autoincrement", "--on", server.dialect, "--isolation", level)
    (judged,) = idstorm.storm(*words, **server.environ).report["storms"]
    assert judged["fleet"]["isolation"] == level
    assert judged["verdicts"]["durable"]["status"] == judged["verdicts"]["unique"]["status"] == "held"


def test_the_compose_file_is_one() -> None:
    subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )


@pytest.mark.parametrize("dialect", COMPOSE)
def test_the_urls_of_the_compose_file_are_those_that_the_page_gives(dialect: str) -> None:
    address = resolve(COMPOSE[dialect], {})
    assert address.database.name == dialect
    assert f"IDSTORM_{dialect.upper()}_URL={COMPOSE[dialect]}" in (ROOT / "docs" / "databases.md").read_text()
    services = re.split(r"\n  (?=\w+:\n)", COMPOSE_FILE.partition("\nvolumes:")[0])
    (block,) = (block for block in services if block.startswith(f"{dialect}:"))
    assert f'"127.0.0.1:{address.url.port}:' in block
    assert f"PASSWORD: {address.url.password}" in block
    assert "healthcheck:" in block
