"""What a scenario's server must have been started with: a private one is, any other is taken as it is or left alone."""

from __future__ import annotations

import os

import pytest

from databases.own import HEAD, judged
from idstorm.databases.private.finding import look
from idstorm.databases.targets import variable_of
from running import Idstorm
from servers import On

ASKING = """
def ask(connection):
    print(*connection.exec_driver_sql("SHOW max_prepared_transactions").one(), file=open("asked", "a"))

mine = Scenario(model=Thing, setup=ask, needs={{"two_phase"}}, server={{"postgresql": {{{setting}}}}})
"""


@pytest.fixture
def private(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `--on postgresql` mean a private server."""
    monkeypatch.delenv(variable_of("postgresql"), raising=False)
    programs, passed_over = look("postgresql", os.environ)
    if programs is None:
        why = f"no postgresql server: {'; '.join(passed_over) or 'there is no program of one'}"
        if "postgresql" in os.environ.get("IDSTORM_REQUIRE", "").split(","):
            pytest.fail(why)
        pytest.skip(why)


@pytest.mark.usefixtures("private")
def test_a_private_server_is_started_with_it(idstorm: Idstorm) -> None:
    name = idstorm.write("mine.py", HEAD + ASKING.format(setting='"max_prepared_transactions": "64"'))
    report = judged(idstorm.storm(name, "--on", "postgresql"))
    assert report["code"] == 0
    assert (idstorm.folder / "asked").read_text().split() == ["64", "64"]  # in the rehearsal and before the storm
    assert "two_phase" in report["target"]["capabilities"]


@pytest.mark.usefixtures("private")
def test_a_private_server_that_cannot_be_started_with_it_says_why(idstorm: Idstorm) -> None:
    name = idstorm.write("mine.py", HEAD + ASKING.format(setting='"max_prepared_transactions": "many"'))
    report = judged(idstorm.storm(name, "--on", "postgresql"))
    assert report["code"] == 3
    assert report["ending"].startswith("not started")
    assert 'invalid value for parameter "max_prepared_transactions": "many"' in report["ending"]


def test_a_server_that_was_started_otherwise_is_not_applicable(idstorm: Idstorm, postgresql: On) -> None:
    name = idstorm.write(
        "mine.py", HEAD + ASKING.format(setting='"max_prepared_transactions": "17"').replace("two_phase", "identity")
    )
    report = judged(idstorm.storm(name, "--on", "postgresql", **postgresql.environ))
    assert (report["code"], report["result"]) == (3, "n/a")
    wanted = "it takes a server with max_prepared_transactions=17, and this one was started with max_prepared_"
    assert report["ending"].startswith(f"not applicable: {wanted}")


def test_a_server_that_has_it_already_is_stormed(idstorm: Idstorm, server: On) -> None:
    setting = {"postgresql": ("wal_level", "replica")}.get(server.dialect, ("innodb_file_per_table", "ON"))
    body = f"\nmine = Scenario(model=Thing, server={{{server.dialect!r}: {dict([setting])}}})\n"
    report = judged(idstorm.storm(idstorm.write("mine.py", HEAD + body), "--on", server.dialect, **server.environ))
    assert (report["code"], report["result"]) == (0, "passed"), report["ending"]


def test_a_setting_that_there_is_not_is_said_to_be_missing(idstorm: Idstorm, server: On) -> None:
    body = f"\nmine = Scenario(model=Thing, server={{{server.dialect!r}: {{'no_such_setting': '1'}}}})\n"
    report = judged(idstorm.storm(idstorm.write("mine.py", HEAD + body), "--on", server.dialect, **server.environ))
    assert (report["code"], report["result"]) == (3, "n/a")
    assert report["ending"].endswith("with no_such_setting=1, and this one has no no_such_setting")
