"""A control passed where the known fault was seen; where it was not, the run proves nothing, and the reason is said."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from idstorm.errors import UnreadableRun
from idstorm.findings.results import Result, Status
from idstorm.findings.verdict import Control, StormReport, Verdict
from idstorm.judge import judge as judging
from idstorm.judge.control import control
from idstorm.record import store
from idstorm.record import stored as readback
from idstorm.report.junit import junit
from idstorm.report.markdown import markdown
from idstorm.report.terminal import complaints
from idstorm.report.text import control_words
from judged import BROKEN, HELD, report, storm, verdict

SEEN = storm("control", unique=verdict(Status.BROKEN, figures={"duplicated": 212}), pressure=HELD, durable=BROKEN)
MISSED = storm("control", unique=HELD, pressure=verdict(Status.UNKNOWN, reason="one client alone cannot collide"))
FOUND_NOTHING = storm("control", unique=HELD, pressure=HELD)
UNREACHABLE = storm("control", ending="not started: sqlite is out of reach")
YOURS = storm("mine", unique=verdict(Status.HELD, figures={"duplicated": 0}))


def test_what_was_seen_to_break_is_counted_and_passes_whatever_else_came_of_it() -> None:
    found = control(SEEN)
    assert (found.result, found.duplicated, found.reason) == (Result.PASSED, 212, None)
    kept = {field.name for field in fields(StormReport)} - {"result"}
    assert all(getattr(found, name) == getattr(SEEN, name) for name in kept)


@pytest.mark.parametrize(
    ("missed", "reason"),
    [
        (MISSED, "the known fault was not seen: one client alone cannot collide"),
        (FOUND_NOTHING, "the known fault was not seen: no id was told twice"),
        (UNREACHABLE, "not started: sqlite is out of reach"),
    ],
)
def test_what_was_not_seen_to_break_is_inconclusive_with_its_reason(missed: StormReport, reason: str) -> None:
    found = control(missed)
    assert (found.result, found.duplicated, found.reason) == (Result.INCONCLUSIVE, 0, reason)


@pytest.mark.parametrize("missing", ["unique", "pressure"])
def test_what_was_not_judged_for_it_is_no_control(missing: str) -> None:
    for one in (SEEN, MISSED):
        left = {name: verdict for name, verdict in one.verdicts.items() if name != missing}
        with pytest.raises(UnreadableRun, match="is not a control"):
            control(replace(one, verdicts=left))


def said(found: Control, *storms: StormReport) -> str:
    (words,) = control_words(replace(report(*storms), controls=(found,)))
    return words


def test_a_line_says_what_was_seen_and_what_was_seen_then() -> None:
    assert said(control(SEEN), YOURS, YOURS) == "control on sqlite: 212 duplicates in 3.0 s, then yours: 0"
    broken = storm("mine", unique=verdict(Status.BROKEN, figures={"duplicated": 7}))
    assert said(control(SEEN), YOURS, broken).endswith("then yours: 7")
    elsewhere = storm("mine", "mysql", unique=verdict(Status.BROKEN, figures={"duplicated": 7}))
    assert said(control(SEEN), YOURS, elsewhere).endswith("then yours: 0")
    unknown = storm("mine", unique=verdict(Status.UNKNOWN))
    assert said(control(SEEN), YOURS, unknown).endswith("then yours: not judged")
    assert said(control(UNREACHABLE), YOURS) == "control on sqlite: not started: sqlite is out of reach"
    assert said(control(MISSED), YOURS).endswith("what this run did not find may be there all the same")


def test_every_report_has_the_control_in_a_line_or_a_case() -> None:
    passed, missed = (replace(report(YOURS), controls=(control(one),)) for one in (SEEN, MISSED))
    assert "control on sqlite: 212 duplicates in 3.0 s, then yours: 0" in markdown(passed)
    assert 'name="control on sqlite" tests="1" errors="0" failures="0"' in junit(passed).replace("  ", " ")
    assert complaints(passed) == []
    assert "? control: a known fault was seen" in markdown(missed)
    assert "not seen: one client alone cannot collide" in junit(missed)
    assert "<error" in junit(missed)
    assert complaints(missed)[0].startswith("Error: control on sqlite: the known fault was not seen")


@pytest.mark.parametrize(
    ("first", "yours", "result", "code"),
    [
        (SEEN, HELD, "passed", 0),
        (MISSED, HELD, "inconclusive", 3),
        (UNREACHABLE, HELD, "inconclusive", 3),
        (MISSED, BROKEN, "failed", 1),
        (SEEN, BROKEN, "failed", 1),
    ],
)
def test_a_run_is_no_better_than_its_control_and_a_control_is_no_storm(
    first: StormReport, yours: Verdict, result: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"c1": first, "01": storm("mine", unique=yours)}
    monkeypatch.setattr(readback, "read_storm", lambda _, entry: entry["name"])
    monkeypatch.setattr(judging, "judge_storm", lambda name, _=(): known[name])
    run = store.Run(Path("results/one"), "idstorm run", ({"name": "01"},), controls=({"name": "c1"},))
    judged = judging.judge_run(run)
    assert (judged.result, judged.exit_code) == (result, code)
    assert [one.scenario for one in judged.storms] == ["mine"]
    assert [one.scenario for one in judged.controls] == ["control"]
    assert judged.comparisons == ()
