"""`idstorm results` and `idstorm compare`: runs that are stored, which to remove, and what is different between two."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from running import STRANGERS_IDS, Idstorm


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of results in which one run has passed, one has failed, and one is inconclusive. Nobody changes it."""
    idstorm = Idstorm(tmp_path_factory.mktemp("kept"))
    idstorm.write("mine.py", STRANGERS_IDS)
    codes = [idstorm.storm(*words).code for words in (["autoincrement"], ["mine.py"], ["autoincrement", "-n", "20"])]
    assert codes == [0, 1, 3]
    return idstorm.folder


@pytest.fixture
def stored(kept: Path, idstorm: Idstorm) -> Idstorm:
    """A copy of it."""
    shutil.copytree(kept, idstorm.folder, dirs_exist_ok=True)
    return idstorm


def runs(idstorm: Idstorm) -> list[Path]:
    return sorted(path for path in (idstorm.folder / "results").iterdir() if path.is_dir())


def of(idstorm: Idstorm, result: str) -> Path:
    (found,) = (path for path in runs(idstorm) if json.loads((path / "report.json").read_text())["result"] == result)
    return found


def age(run: Path, days: int) -> None:
    """Let a run be older."""
    about = json.loads((run / "run.json").read_text())
    about["made"]["when"] = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    (run / "run.json").write_text(json.dumps(about))


def test_runs_are_listed_with_their_results_the_newest_first(stored: Idstorm) -> None:
    age(of(stored, "passed"), 3)
    (stored.folder / "results" / "notes").mkdir()
    ran = stored("results")
    *lines, total = ran.out.splitlines()
    assert [next(word for word in line.split() if word in ("passed", "failed", "inconclusive")) for line in lines][
        -1
    ] == "passed"
    assert {line.split()[2] for line in lines} == {"run"}
    assert (ran.code, len(lines), total.startswith("3 runs, ")) == (0, 3, True), ran.out


def test_nothing_is_removed_unless_that_is_said_and_nothing_that_failed_unless_asked(stored: Idstorm) -> None:
    assert "2 runs, " in stored("results", "--newest", "0").out
    assert len(runs(stored)) == 3
    ran = stored("results", "--newest", "0", "--prune")
    assert (ran.code, "removed" in ran.out, runs(stored)) == (0, True, [of(stored, "failed")]), ran.out
    stored("results", "--newest", "0", "--even-failed", "--prune")
    assert runs(stored) == []


def test_only_what_is_old_enough_is_removed(stored: Idstorm) -> None:
    age(of(stored, "passed"), 40)
    old = of(stored, "passed")
    stored("results", "--older", "30d", "--prune")
    assert (old.exists(), len(runs(stored))) == (False, 2)


def test_what_is_not_a_run_is_never_removed(stored: Idstorm) -> None:
    folder = stored.folder / "results"
    elsewhere = stored.folder / "elsewhere"
    shutil.move(of(stored, "passed"), elsewhere)
    (folder / "mine").mkdir()
    (folder / "mine" / "thesis.txt").touch()
    os.symlink(elsewhere, folder / "20260101-000000-0000")
    ran = stored("results", "--newest", "0", "--even-failed", "--prune")
    assert (ran.code, runs(stored)) == (0, [folder / "20260101-000000-0000", folder / "mine"]), ran.err
    assert (folder / "mine" / "thesis.txt").exists()
    assert (elsewhere / "run.json").exists()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["results", "nowhere"], 3, "cannot read nowhere"),
        (["results", "--prune"], 2, "--prune goes with --newest or --older"),
        (["results", "--older", "99999999999d"], 0, ""),
        (["results", "--older", "long"], 2, "'long' is not a duration"),
        (["compare", "nowhere", "results"], 3, "nowhere is not a run of idstorm"),
    ],
)
def test_bad_input_gets_one_sentence(stored: Idstorm, words: list[str], code: int, says: str) -> None:
    ran = stored(*words)
    assert (ran.code, says in ran.err) == (code, True), ran.err


def compared(idstorm: Idstorm, *words: str) -> dict[str, Any]:
    ran = idstorm("compare", *words, "--json", "-")
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert isinstance(found, dict)
    return found


def test_a_run_is_the_same_as_itself(stored: Idstorm) -> None:
    run = str(of(stored, "passed"))
    found = compared(stored, run, run)
    assert (found["worse"], found["conditions"], found["findings"]) == (False, [], [])
    assert "rates are not comparable" in found["notes"][0]
    assert stored("compare", run, run, "--fail-if-worse").code == 0


def test_what_held_and_is_unknown_now_is_worse_and_the_bounds_are_said_first(stored: Idstorm) -> None:
    before, after = str(of(stored, "passed")), str(of(stored, "inconclusive"))
    found = compared(stored, before, after)
    assert {"where": "autoincrement on sqlite", "what": "inserts", "before": "400", "after": "20", "worse": False} in (
        found["conditions"]
    )
    worse = {change["what"]: change["after"] for change in found["findings"] if change["worse"]}
    assert worse.items() >= {"result": "inconclusive", "pressure": "unknown"}.items()
    ran = stored("compare", before, after, "--fail-if-worse")
    assert (ran.code, ran.out.index("inserts") < ran.out.index("pressure")) == (1, True)
    assert stored("compare", after, before, "--fail-if-worse").code == 0


def test_runs_of_different_scenarios_have_nothing_in_common(stored: Idstorm) -> None:
    found = compared(stored, str(of(stored, "passed")), str(of(stored, "failed")))
    assert [note.partition(" is only in ")[0] for note in found["notes"]] == [
        "autoincrement on sqlite",
        "mine on sqlite",
    ]


def test_a_trend_shows_what_all_runs_have_found(stored: Idstorm) -> None:
    ran = stored("trend", "--figure", "operations.acknowledged", "--html", "trend.html")
    lines = {line.split()[0]: line for line in ran.out.splitlines() if line}
    assert (ran.code, "pressure" in lines["autoincrement"]) == (0, True), ran.out
    assert "faithful" in lines["mine"]
    assert "<polyline" in (stored.folder / "trend.html").read_text()
    found = json.loads(stored("trend", "--figure", "operations.acknowledged", "--json", "-").out)
    (line,) = (line for line in found["lines"] if line["scenario"] == "autoincrement")
    assert line["figures"]["operations.acknowledged"] == [400, None, 20]


def test_runs_are_told_apart_by_their_label(idstorm: Idstorm) -> None:
    idstorm.storm("autoincrement", "--label", "nightly")
    idstorm.storm("uuid4")
    assert " nightly" in idstorm("results").out
    found = json.loads(idstorm("trend", "--label", "nightly", "--json", "-").out)
    assert [line["scenario"] for line in found["lines"]] == ["autoincrement"]
    assert "--label nightly" in json.loads((runs(idstorm)[0] / "run.json").read_text())["command"]
    none = idstorm("trend", "--label", "weekly")
    assert (none.code, "no run in results has a report that is called weekly" in none.err) == (2, True)


def test_the_page_of_a_comparison_shows_both(stored: Idstorm) -> None:
    before, after = of(stored, "passed"), of(stored, "inconclusive")
    ran = stored("compare", str(before), str(after), "--html", "both.html")
    text = (stored.folder / "both.html").read_text()
    assert (ran.code, text.count("<svg"), before.name in text, after.name in text) == (0, 6, True, True)


def test_a_changed_scenario_is_a_condition(idstorm: Idstorm) -> None:
    name = idstorm.write("mine.py", STRANGERS_IDS)
    idstorm.storm(name)
    with (idstorm.folder / name).open("a") as file:
        file.write("# changed\n")
    idstorm.storm(name)
    conditions = compared(idstorm, *map(str, runs(idstorm)))["conditions"]
    assert "the file of mine" in {change["what"] for change in conditions}


@pytest.mark.parametrize(
    "damage",
    [
        {"storms": 5},
        {"result": "splendid"},
        {"storms": [{"storm": "x"}]},
        {"storms": [{**dict.fromkeys(("storm", "scenario"), "x"), "target": {}}]},
    ],
)
def test_a_report_that_is_damaged_is_left_out_of_a_trend(stored: Idstorm, damage: dict[str, Any]) -> None:
    path = of(stored, "failed") / "report.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | damage))
    ran = stored("trend", "--json", "-")
    found = json.loads(ran.out)
    assert (ran.code, [line["scenario"] for line in found["lines"]]) == (0, ["autoincrement"])
    assert (found["left_out"], path.parent.name in stored("trend").out) == ([path.parent.name], True)


def test_a_run_that_cannot_be_read_is_named(stored: Idstorm) -> None:
    run = of(stored, "failed")
    (run / "run.json").write_text("{")
    ran = stored("results")
    assert (ran.code, "2 runs, " in ran.out, run.name in ran.err) == (0, True, True), ran.err


def test_a_stranger_in_a_report_is_text_and_no_number(stored: Idstorm) -> None:
    path = of(stored, "failed") / "report.json"
    report = json.loads(path.read_text())
    report["storms"][0]["operations"]["per_second"] = "<script>"
    path.write_text(json.dumps(report))
    ran = stored("trend", "--html", "trend.html")
    assert (ran.code, "<script>" in (stored.folder / "trend.html").read_text()) == (0, False), ran.err


def test_a_run_that_says_no_time_is_listed_by_its_name(stored: Idstorm) -> None:
    about = json.loads((of(stored, "failed") / "run.json").read_text())
    for when in ("yesterday", "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-23:59"):
        about["made"]["when"] = when
        (of(stored, "failed") / "run.json").write_text(json.dumps(about))
        assert stored("results", TZ="America/New_York").out.count("results/2") == 3


def test_a_label_is_a_line_that_can_be_seen(idstorm: Idstorm) -> None:
    ran = idstorm("run", "autoincrement", "--label", "a\nb")
    assert (ran.code, "a line of characters that can be seen" in ran.err) == (2, True), ran.err
