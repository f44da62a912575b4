"""`--repeat` and `--until-broken`: rare races are stormed again and again, and judged together."""

from __future__ import annotations

import json
import shlex
import signal
from typing import Any

import pytest

from running import Idstorm, eventually, workers_at_work

MINE = '''
"""A client is told a wrong id now and then, but only in some repetitions."""

import sys
from glob import glob
from idstorm.scenario import Row, Scenario, breaks, faithful, gapless, holds, may_break
from sqlalchemy.orm import Mapped, mapped_column

REPETITION = len(glob("results/*/*/plan.json")) if "idstorm.storm.worker" in sys.orig_argv else None

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)

def insert(session, tokens):
    thing = Thing(token=tokens[0])
    session.add(thing)
    session.flush()
    return [thing.id + 10**9 if REPETITION in WRONG and thing.id % 50 == 0 else thing.id]

WRONG = {wrong}
mine = Scenario(model=Thing, insert=insert, claims=[{claim}])
'''

HOLDS, BREAKS, MAY_BREAK = "holds(faithful)", "breaks(faithful, why='')", "may_break(faithful, why='')"


def mine(idstorm: Idstorm, *wrong: int, claim: str = HOLDS) -> str:
    """Write a scenario whose clients are told wrong ids in these repetitions, and return how to name it."""
    return idstorm.write("mine.py", MINE.replace("{wrong}", str(set(wrong))).replace("{claim}", claim))


def judged(idstorm: Idstorm, code: int) -> dict[str, Any]:
    """Return the report of the only run, which is the same whenever it is judged again."""
    again = idstorm("check", str(idstorm.run_folder), "--json", "-")
    assert again.code == code
    assert again.report == json.loads((idstorm.run_folder / "report.json").read_text())
    return again.report


@pytest.mark.parametrize(
    ("claim", "wrong", "code", "shown", "alone"),
    [
        (HOLDS, [3], 1, "broken", ["passed", "passed", "failed", "passed"]),
        (BREAKS, [3], 0, "broken, as claimed", ["inconclusive", "inconclusive", "passed", "inconclusive"]),
        (MAY_BREAK, [3], 0, "broken, as it may", ["passed"] * 4),
        (HOLDS, [], 0, "held", ["passed"] * 4),
        (BREAKS, [], 3, "held", ["inconclusive"] * 4),
    ],
)
def test_broken_in_one_repetition_is_broken(
    idstorm: Idstorm, claim: str, wrong: list[int], code: int, shown: str, alone: list[str]
) -> None:
    ran = idstorm("run", mine(idstorm, *wrong, claim=claim), "-n", "400", "--repeat", "4", "--seed", "7")
    assert ran.code == code, ran.out
    lines = (" ".join(line.split()) for line in ran.out.splitlines() if not line.startswith("next "))
    rows = [line for line in lines if line.startswith(("✓", "~", "✗", "?")) and "faithful" in line]
    of_all = f"faithful {shown} in {len(wrong) or 4} of 4"
    assert len(rows) == 1
    assert (of_all if (claim, wrong) != (HOLDS, []) else "✓ held") in rows[0]
    assert ran.out.count("mine on sqlite") == 1
    report = judged(idstorm, code)
    assert [storm["result"] for storm in report["storms"]] == alone
    assert [storm["fleet"]["seed"] for storm in report["storms"]] == [7, 8, 9, 10]
    assert all((idstorm.run_folder / storm["storm"] / "history.zip").exists() for storm in report["storms"])
    (merged,) = report["repeats"]
    assert merged["repetitions"] == [storm["storm"] for storm in report["storms"]]
    assert merged["operations"]["attempted"] == 1600
    assert {witness["repetition"] for witness in merged["verdicts"]["faithful"]["witnesses"]} == set(wrong)


@pytest.mark.release
def test_each_scenario_on_each_target_is_merged_by_itself(idstorm: Idstorm) -> None:
    name = mine(idstorm, 2, 6)  # the second of four storms, both times
    on = ["--on", "sqlite", "--on", "sqlite:///app.db"]
    ran = idstorm.storm(name, "uuid4", *on, "--repeat", "2", "-n", "400")
    assert ran.code == 1
    storms = [(storm["scenario"], storm["target"]["name"]) for storm in ran.report["storms"]]
    each = [(scenario, target) for scenario in ("mine", "uuid4") for target in ("sqlite", "sqlite:///app.db")]
    assert storms == each * 2
    merged = ran.report["repeats"]
    assert [(one["scenario"], one["target"]["name"]) for one in merged] == each
    counts = [one["verdicts"]["faithful"]["figures"]["repetitions"] for one in merged]
    assert counts == [{"held": 2}, {"broken": 2}, {"held": 2}, {"held": 2}]
    assert ["faithful" in comparison["differs"] for comparison in ran.report["comparisons"]] == [True, False]
    assert judged(idstorm, 1) == ran.report


@pytest.mark.release
def test_one_scenario_that_is_named_twice_is_not_its_own_repetition(idstorm: Idstorm) -> None:
    ran = idstorm.storm("uuid4", "uuid4", "--repeat", "2", "-n", "400")
    assert [len(one["repetitions"]) for one in ran.report["repeats"]] == [2, 2]


def test_without_repetitions_nothing_is_merged(idstorm: Idstorm) -> None:
    report = idstorm.storm("uuid4").report
    assert (report["repeats"], report["until_broken"]) == ([], None)
    assert "repeats" not in (idstorm.run_folder / "run.json").read_text()


def test_a_gate_is_judged_for_each_repetition_and_the_worst_counts(idstorm: Idstorm) -> None:
    gate = ["--fail-if", "faithful.misattributed > 0"]
    ran = idstorm("run", mine(idstorm, 2, claim=MAY_BREAK), "-n", "400", "--repeat", "3", *gate)
    assert ran.code == 1
    assert "faithful.misattributed > 0 fails the run" in ran.out
    assert [storm["result"] for storm in judged(idstorm, 1)["storms"]] == ["passed", "failed", "passed"]


@pytest.mark.release
def test_verbose_shows_the_repetitions_too(idstorm: Idstorm) -> None:
    ran = idstorm("run", "uuid4", "-n", "400", "--repeat", "2", "-v")
    assert ran.out.count("uuid4 on sqlite") == 3


@pytest.mark.parametrize("claim", [HOLDS, BREAKS])
def test_until_broken_stops_at_the_first_witness_and_says_when(idstorm: Idstorm, claim: str) -> None:
    code = 1 if claim == HOLDS else 0
    ran = idstorm("run", mine(idstorm, 3, 4, claim=claim), "-n", "400", "--until-broken")
    assert ran.code == code, ran.err
    report = judged(idstorm, code)
    assert len(report["storms"]) == 3
    found = report["until_broken"]
    assert (found["storm"], found["repetition"]) == (report["storms"][2]["storm"], 3)
    assert found["checks"] == ["faithful"]
    assert found["seconds"] > max(storm["operations"]["seconds"] for storm in report["storms"])
    assert f"broken in repetition 3 of mine on sqlite: faithful, after {found['seconds']:g} s" in ran.out
    assert "in 1 of 3" in ran.out


def test_until_broken_is_at_most_as_often_as_it_is_to_be_repeated(idstorm: Idstorm) -> None:
    ran = idstorm("run", mine(idstorm, 3), "-n", "400", "--until-broken", "--repeat", "2")
    assert ran.code == 0
    assert "nothing broke in 2 repetitions, " in ran.out
    report = judged(idstorm, 0)
    assert len(report["storms"]) == 2
    assert report["until_broken"]["storm"] is None
    assert report["until_broken"]["seconds"] > 0


def test_what_may_break_does_not_end_it(idstorm: Idstorm) -> None:
    name = mine(idstorm, 1, claim=MAY_BREAK)
    ran = idstorm("run", name, "-n", "400", "--until-broken", "--repeat", "2")
    assert ran.code == 0
    assert "nothing broke in 2 repetitions" in ran.out
    assert "in 1 of 2" in ran.out


def test_what_was_not_stormed_at_all_when_something_else_broke_does_not_pass(idstorm: Idstorm) -> None:
    ran = idstorm("run", mine(idstorm, 1, claim=BREAKS), "uuid4", "-n", "400", "--until-broken")
    assert ran.code == 3
    assert "uuid4: not started: something else had broken by then" in ran.err
    assert [one["result"] for one in judged(idstorm, 3)["repeats"]] == ["passed", "inconclusive"]


def test_a_race_of_the_catalogue_is_found(idstorm: Idstorm) -> None:
    ran = idstorm("run", "select_max_after", "-n", "1000", "--until-broken", "--repeat", "30")
    assert ran.code == 0, ran.out
    found = judged(idstorm, 0)["until_broken"]
    assert found["checks"] == ["faithful"]


def test_what_cannot_be_stormed_is_not_tried_for_ever(idstorm: Idstorm) -> None:
    words = ["--on", "sqlite:////nowhere/at/all/app.db", "--until-broken"]
    ran = idstorm("run", "uuid4", *words)
    assert ran.code == 3
    assert len(judged(idstorm, 3)["storms"]) == 1
    assert idstorm("run", "cached_sequence", "--until-broken").code == 3


@pytest.mark.release
@pytest.mark.parametrize("words", [["--until-broken"], ["--repeat", "5"]])
def test_ctrl_c_ends_it_and_what_there_is_is_judged(idstorm: Idstorm, words: list[str]) -> None:
    with idstorm.started("run", "autoincrement", "-n", "2000", *words) as process:
        eventually(lambda: len(list(idstorm.folder.glob("results/*/*/ending.json"))) >= 2)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
        assert process.returncode == 130, err
    report = judged(idstorm, 130)
    (merged,) = report["repeats"]
    assert merged["verdicts"]["unique"]["status"] == "held"
    assert merged["verdicts"]["unique"]["figures"]["repetitions"]["held"] >= 2
    assert "interrupted" in merged["ending"]
    if words == ["--until-broken"]:
        assert "nothing broke in" in out
        assert report["until_broken"]["seconds"] > 0
    else:
        assert len(report["storms"]) == 5


def test_ctrl_c_in_a_rehearsal_leaves_what_was_stormed_before(idstorm: Idstorm) -> None:
    idstorm.write(
        "slow.py",
        """
        import time
        from pathlib import Path
        from idstorm.scenario import Row, Scenario
        from sqlalchemy.orm import Mapped, mapped_column

        class Thing(Row):
            id: Mapped[int] = mapped_column(primary_key=True)

        def setup(connection):
            if list(Path("results").glob("*/*/ending.json")):
                Path("again").touch()
                time.sleep(600)

        slow = Scenario(model=Thing, setup=setup)
        """,
    )
    with idstorm.started("run", "slow.py", "-n", "400", "--repeat", "3") as process:
        eventually((idstorm.folder / "again").exists)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate()
        assert process.returncode == 130
    assert "in 1 of 1" in out
    assert [storm["ending"] for storm in judged(idstorm, 130)["storms"]] == [
        None,
        "interrupted: at once, by the user",
        "interrupted: before it began",
    ]


@pytest.mark.parametrize(("words", "storms"), [(["--repeat", "3"], 3), (["--until-broken"], 1)])
def test_a_run_that_was_killed_does_not_pass(idstorm: Idstorm, words: list[str], storms: int) -> None:
    with idstorm.started("run", "autoincrement", "-T", "60s", *words) as process:
        workers_at_work(process, idstorm.folder)
        process.kill()
        process.wait()
    checked = idstorm("check", str(idstorm.run_folder), "--json", "-")
    assert checked.code == 3
    (merged,) = checked.report["repeats"]
    assert len(merged["repetitions"]) == storms
    assert merged["ending"].startswith("unfinished") or merged["ending"].startswith(f"{storms} of {storms}")
    if storms == 1:
        assert checked.report["until_broken"]["seconds"] is None


def test_the_command_in_a_report_repeats_as_often(idstorm: Idstorm) -> None:
    name = mine(idstorm)
    report = idstorm.storm(name, "--repeat", "2", "--until-broken", "--seed", "5").report
    assert "--repeat 2 --until-broken" in report["command"]
    again = idstorm(*shlex.split(report["command"])[1:], "--json", "-").report
    assert again["command"] == report["command"]
    assert [storm["fleet"] for storm in again["storms"]] == [storm["fleet"] for storm in report["storms"]]


@pytest.mark.release
def test_progress_tells_the_repetition(idstorm: Idstorm) -> None:
    assert ", repetition 2 of 2 on sqlite: " in idstorm("run", "uuid4", "-T", "6s", "--repeat", "2").err


def test_a_dry_run_says_how_often(idstorm: Idstorm) -> None:
    dry = ["run", "uuid4", "--dry-run"]
    assert idstorm(*dry, "--repeat", "10").out.startswith("uuid4 on sqlite, 10 times\n")
    assert idstorm(*dry, "--until-broken").out.startswith("uuid4 on sqlite, until something breaks\n")
    assert idstorm(*dry, "--repeat", "0").code == 2
