"""`--control`: what is known to break is stormed first, and a run that does not see it proves nothing."""

from __future__ import annotations

import json

import pytest

from running import Idstorm
from servers import database

WAYS = [
    ("sqlite", ()),
    ("sqlite", ("--set", "begin=immediate")),
    ("sqlite", ("--isolation", "AUTOCOMMIT")),
    ("postgresql", ()),
    ("postgresql", ("--isolation", "SERIALIZABLE", "--pool-size", "1")),
    ("mysql", ()),
    ("mysql", ("--isolation", "SERIALIZABLE")),
    ("mariadb", ()),
]


@pytest.mark.parametrize(("dialect", "words"), WAYS, ids=[" ".join((one, *words)) for one, words in WAYS])
def test_the_known_fault_is_seen_on_every_database_however_it_is_opened(
    idstorm: Idstorm, dialect: str, words: tuple[str, ...]
) -> None:
    on = database(dialect)
    ran = idstorm.storm("autoincrement", "--control", "--on", dialect, "-n", "200", *words, **on.environ)
    (control,) = ran.report["controls"]
    assert (control["result"], control["reason"]) == ("passed", None)
    assert control["duplicated"] > 0
    assert [storm["scenario"] for storm in ran.report["storms"]] == ["autoincrement"]
    assert f"control on {dialect}: {control['duplicated']} duplicates in " in ran.err
    again = idstorm("check", str(idstorm.run_folder), "--json", "-")
    assert (again.code, again.report) == (ran.code, ran.report)
    assert " --control " in ran.report["command"]


def test_one_client_cannot_see_it_and_the_run_is_inconclusive_with_the_reason(idstorm: Idstorm) -> None:
    ran = idstorm("run", "autoincrement", "--control", "-n", "200", "-j", "1", "-c", "1", IDSTORM_ON="sqlite")
    assert ran.code == 3
    assert "control on sqlite: the known fault was not seen: one client alone cannot collide" in ran.err
    assert idstorm("check", str(idstorm.run_folder)).code == 3


def test_a_target_out_of_reach_is_said_to_be_that(idstorm: Idstorm) -> None:
    ran = idstorm("run", "autoincrement", "-n", "200", "--on", "postgresql://me@127.0.0.1:1/x", IDSTORM_CONTROL="yes")
    assert ran.code == 3
    (line,) = (line for line in ran.err.splitlines() if line.startswith("Error: control"))
    assert "not started" in line
    assert "is out of reach" in line
    assert "seen" not in line


def test_it_runs_once_a_target_before_all_repetitions_and_is_none_of_them(idstorm: Idstorm) -> None:
    idstorm.write("idstorm.toml", "[profiles.ci]\ncontrol = true\nrepeat = 2\nscenarios = 'autoincrement'\n")
    ran = idstorm("run", "--profile", "ci", "--until-broken", "-n", "200", "--json", "-")
    assert ran.code == 0, ran.err
    assert [control["storm"] for control in ran.report["controls"]] == ["c1-control-sqlite"]
    assert len(ran.report["storms"]) == 2
    assert ran.report["until_broken"]["storm"] is None
    entries = json.loads((idstorm.run_folder / "run.json").read_text())
    assert [entry["name"] for entry in entries["controls"]] == ["c1-control-sqlite"]
    assert len(entries["storms"]) == 2


@pytest.mark.parametrize(("words", "controls"), [((), 1), (("--no-control",), 0)])
def test_a_matrix_has_one_unless_it_is_told_not_to(idstorm: Idstorm, words: tuple[str, ...], controls: int) -> None:
    scenario = ("--scenario", "autoincrement", "--on", "sqlite", "-n", "200")
    ran = idstorm("matrix", *scenario, *words, "--json", "-")
    assert ran.code == 0, ran.err
    assert len(ran.report["controls"]) == controls
    assert {line["scenario"] for line in ran.report["matrix"]["lines"]} == {"autoincrement"}
    assert ("--no-control" in ran.report["command"]) == (not controls)
    assert idstorm("check", str(idstorm.run_folder), "--json", "-").report == ran.report
