from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from histories import LOCKED, NOTHING, UUIDS, failed, storm, told, unknown
from idstorm.errors import UnreadableRun
from idstorm.findings.checks import CHECKS
from idstorm.findings.finding import Finding
from idstorm.findings.gate import parse_gate
from idstorm.findings.results import Result, Stance, Status, StormState
from idstorm.findings.verdict import UntilBroken
from idstorm.judge.claims import judge_claim
from idstorm.judge.evidence import Evidence
from idstorm.judge.judge import judge_run, judge_storm
from idstorm.record import store
from idstorm.record import stored as readback
from idstorm.record.ending import CensusQuality, Ending, ServerAfterwards
from idstorm.record.origins import Origins
from idstorm.record.plan import Claim, Target
from idstorm.record.stored import StoredStorm

HOLDS, MAY_BREAK, BREAKS = (Claim(stance, "because", named=True) for stance in Stance)
INDIFFERENT = dict.fromkeys(CHECKS, MAY_BREAK)


def stored(evidence: Evidence) -> StoredStorm:
    """Return a storm as it is read back."""
    history, census, before = evidence.history, evidence.census, evidence.before
    return StoredStorm("thing-sqlite", "thing", "sqlite", evidence.plan, evidence.ending, history, before, census)


def without_plan(state: StormState) -> StoredStorm:
    """Return a storm that never came to a plan."""
    return StoredStorm("thing-sqlite", "thing", "sqlite", None, Ending(state, "for a reason"), None, None, None)


PASSED = stored(storm(told(1), claims=INDIFFERENT))
FAILED = stored(storm(told(1), census=[], claims={**INDIFFERENT, "durable": HOLDS}))
INCONCLUSIVE = stored(storm(told(1), claims={**INDIFFERENT, "pressure": HOLDS}))
NOT_APPLICABLE = without_plan(StormState.NOT_APPLICABLE)
INTERRUPTED = stored(storm(told(1), claims=INDIFFERENT, ending=Ending(StormState.INTERRUPTED)))


@pytest.mark.parametrize(
    ("claim", "held", "broken", "unknown", "n_a"),
    [
        (HOLDS, Result.PASSED, Result.FAILED, Result.INCONCLUSIVE, Result.INCONCLUSIVE),
        (Claim(Stance.HOLDS), Result.PASSED, Result.FAILED, Result.INCONCLUSIVE, Result.NA),
        (MAY_BREAK, Result.PASSED, Result.PASSED, Result.PASSED, Result.NA),
        (BREAKS, Result.INCONCLUSIVE, Result.PASSED, Result.INCONCLUSIVE, Result.INCONCLUSIVE),
    ],
)
def test_each_claim_is_settled_by_what_was_found(
    claim: Claim, held: Result, broken: Result, unknown: Result, n_a: Result
) -> None:
    found = {Status.HELD: held, Status.BROKEN: broken, Status.UNKNOWN: unknown, Status.NA: n_a}
    assert {status: judge_claim(claim, Finding(status)).result for status in Status} == found


def test_a_verdict_is_the_finding_and_the_claim() -> None:
    verdict = judge_claim(MAY_BREAK, Finding(Status.BROKEN, {"missing": 1}, ({"id": 2},), "a reason"))
    assert (verdict.status, verdict.claim, verdict.why) == (Status.BROKEN, Stance.MAY_BREAK, "because")
    assert (verdict.figures, verdict.witnesses, verdict.reason) == ({"missing": 1}, ({"id": 2},), "a reason")


def test_what_was_to_break_and_did_not_asks_for_more_pressure() -> None:
    reason = "it was claimed to break but was not seen to: more pressure is needed"
    assert judge_claim(BREAKS, Finding(Status.HELD)).reason == reason
    assert judge_claim(BREAKS, Finding(Status.BROKEN)).reason is None
    assert judge_claim(BREAKS, Finding(Status.UNKNOWN, reason="no census")).reason == "no census"
    assert judge_claim(HOLDS, Finding(Status.HELD)).reason is None


@pytest.mark.parametrize("stance", Stance)
def test_a_check_that_crashes_is_inconclusive_whatever_the_claim(
    stance: Stance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(_: Evidence) -> Finding:
        raise ZeroDivisionError("a bug of the check")

    monkeypatch.setattr("idstorm.judge.own.CHECKS", {**CHECKS, "gapless": replace(CHECKS["gapless"], judge=crash)})
    report = judge_storm(stored(storm(told(1), claims={**INDIFFERENT, "gapless": Claim(stance)})))
    verdict = report.verdicts["gapless"]
    assert (verdict.status, verdict.result) == (Status.UNKNOWN, Result.INCONCLUSIVE)
    assert "ZeroDivisionError: a bug of the check" in str(verdict.reason)
    assert report.verdicts["durable"].status is Status.HELD
    assert report.result is Result.INCONCLUSIVE


def test_every_check_has_a_verdict_in_the_order_of_the_report() -> None:
    assert list(judge_storm(PASSED).verdicts) == list(CHECKS)


def test_a_plan_from_before_a_check_was_there_is_judged_without_it() -> None:
    evidence = storm(told(1), claims=INDIFFERENT)
    del evidence.plan.claims["gapless"]
    report = judge_storm(stored(evidence))
    assert (list(report.verdicts), report.result) == ([name for name in CHECKS if name != "gapless"], Result.PASSED)


def test_a_storm_is_as_good_as_its_worst_claim() -> None:
    both = {"pressure": HOLDS, "durable": HOLDS}
    assert judge_storm(PASSED).result is Result.PASSED
    assert judge_storm(INCONCLUSIVE).result is Result.INCONCLUSIVE
    assert judge_storm(stored(storm(told(1), census=[], claims={**INDIFFERENT, **both}))).result is Result.FAILED


def test_by_default_a_storm_without_pressure_does_not_pass() -> None:
    report = judge_storm(stored(storm(told(1))))
    passed = {name for name, verdict in report.verdicts.items() if verdict.result is Result.PASSED}
    assert (report.result, set(CHECKS) - passed) == (
        Result.INCONCLUSIVE,
        {"pressure", "visible", "headroom"},
    )


def test_a_default_claim_that_means_nothing_is_left_out() -> None:
    claims = {**INDIFFERENT, "faithful": Claim(Stance.HOLDS)}
    assert judge_storm(stored(storm(told(1), token=False, claims=claims))).result is Result.PASSED
    claims = {**INDIFFERENT, "faithful": HOLDS}
    assert judge_storm(stored(storm(told(1), token=False, claims=claims))).result is Result.INCONCLUSIVE


def test_an_unreadable_census_is_inconclusive_where_it_matters() -> None:
    ending = Ending(census=CensusQuality(unread="the server is gone"))
    report = judge_storm(stored(storm(told(1), census=None, ending=ending, claims={**INDIFFERENT, "durable": HOLDS})))
    assert report.result is Result.INCONCLUSIVE
    assert report.verdicts["durable"].reason == "the server is gone"


def test_a_storm_that_was_not_applicable_or_not_started_has_no_verdicts() -> None:
    report = judge_storm(NOT_APPLICABLE)
    assert (report.result, report.verdicts, report.operations) == (Result.NA, {}, {})
    assert (report.ending, report.target) == ("not applicable: for a reason", {"name": "sqlite"})
    assert judge_storm(without_plan(StormState.NOT_STARTED)).result is Result.INCONCLUSIVE


@pytest.mark.parametrize("state", [state for state in StormState if state.cut_short])
def test_a_storm_that_was_cut_short_does_not_pass_but_may_fail(state: StormState) -> None:
    passing = storm(told(1), claims=INDIFFERENT, ending=Ending(state))
    failing = storm(told(1), census=[], claims={**INDIFFERENT, "durable": HOLDS}, ending=Ending(state))
    assert judge_storm(stored(passing)).result is Result.INCONCLUSIVE
    assert judge_storm(stored(failing)).result is Result.FAILED


def test_what_a_reader_must_know_is_noted() -> None:
    assert judge_storm(PASSED).notes == ()
    assert judge_storm(stored(storm(told(1), token=False))).notes == (
        "no column can carry a token: rows are matched by id, and whose row an id names is not judged",
    )
    autonomous = replace(storm().plan.ids, autonomous=True)
    ending = Ending(notes=("the server was slow",), kept="thing.db")
    evidence = storm(told(1), ids=autonomous, notes=("seven of them",), ending=ending)
    assert judge_storm(stored(evidence)).notes == (
        "seven of them",
        "the server was slow",
        "the work commits by itself: an error leaves its operation unknown",
        "kept: thing.db",
    )


def test_where_everything_failed_the_first_error_is_shown() -> None:
    other = replace(LOCKED, name="another", shown="another")
    operations = [failed(NOTHING, error=LOCKED), failed(NOTHING, error=other)]
    assert judge_storm(stored(storm(*operations, ending=Ending(StormState.FAILED_FAST)))).notes == (LOCKED.shown,)
    assert judge_storm(stored(storm(*operations))).notes == ()


def test_the_report_names_the_target_and_the_fleet() -> None:
    target = Target("sqlite", "sqlite", "pysqlite", "SQLite 3.45", "", ("rowid_reuse",), {"a": 1, "b": 1})
    evidence = storm(told(1), clients=3, target=target, ending=Ending(server=ServerAfterwards(facts={"b": 2})))
    report = judge_storm(stored(evidence))
    assert (report.storm, report.scenario, report.ending) == ("thing-sqlite", "thing", None)
    assert report.target == {
        "name": "sqlite",
        "dialect": "sqlite",
        "driver": "pysqlite",
        "server": "SQLite 3.45",
        "capabilities": ["rowid_reuse"],
        "facts": {"a": 1, "b": 2},
    }
    plan = evidence.plan
    assert report.fleet == {
        **{name: value for name, value in asdict(plan.fleet).items() if value not in (None, 0.0)},
        "think": list(plan.fleet.think),
        "pool_size": 3,
        "max_overflow": plan.pool.max_overflow,
        "pool_timeout": plan.pool.timeout,
        "isolation": plan.isolation,
        "settings": plan.settings,
        "seed": plan.fleet.seed,
    }


def test_rows_that_were_there_before_are_part_of_the_evidence() -> None:
    assert judge_storm(stored(storm(told(5), before=[5]))).verdicts["unique"].status is Status.BROKEN


def test_a_storm_of_which_nothing_was_recorded_is_not_judged_nor_held_against_gates() -> None:
    nothing = replace(PASSED, history=None, ending=Ending(StormState.UNFINISHED))
    for lost in (nothing, NOT_APPLICABLE):
        report = judge_storm(lost, [parse_gate("durable.lost > 0")])
        assert (report.verdicts, report.operations, report.gates) == ({}, {}, ())
    report = judge_storm(nothing)
    assert (report.result, report.ending) == (Result.INCONCLUSIVE, "unfinished: no reason is known")
    assert report.fleet["clients"] == 2


@pytest.mark.parametrize(
    "evidence",
    [
        storm(census=[]),
        storm(census=None),
        storm(census=[(None, None)], codec=UUIDS),
        storm(unknown(NOTHING, ended=0), census=[], before=[None]),
        storm(failed(NOTHING, NOTHING), census=[(1, None)], token=False),
    ],
)
def test_no_check_crashes_on_next_to_nothing(evidence: Evidence) -> None:
    for verdict in judge_storm(stored(evidence)).verdicts.values():
        assert "crashed" not in str(verdict.reason)


@pytest.mark.parametrize(
    ("storms", "result", "code"),
    [
        ([PASSED, PASSED], Result.PASSED, 0),
        ([PASSED, NOT_APPLICABLE], Result.PASSED, 0),
        ([PASSED, INCONCLUSIVE], Result.INCONCLUSIVE, 3),
        ([INCONCLUSIVE, FAILED, PASSED], Result.FAILED, 1),
        ([NOT_APPLICABLE, NOT_APPLICABLE], Result.INCONCLUSIVE, 3),
        ([], Result.INCONCLUSIVE, 3),
        ([PASSED, without_plan(StormState.AT_FAULT)], Result.INCONCLUSIVE, 2),
        ([PASSED, INTERRUPTED], Result.PASSED, 130),
        ([FAILED, INTERRUPTED], Result.FAILED, 1),
    ],
)
def test_a_run_is_as_good_as_its_worst_storm(
    storms: list[StoredStorm], result: Result, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readback, "read_storm", lambda _, entry: storms[int(entry["name"])])
    run = store.Run(Path("results/one"), "idstorm run", tuple({"name": str(place)} for place in range(len(storms))))
    report = judge_run(run)
    assert (report.run, report.command, len(report.storms)) == ("one", "idstorm run", len(storms))
    assert (report.result, report.exit_code) == (result, code)
    assert report.folder == str(Path("results/one"))


DAMAGED = UnreadableRun("census.zip is damaged")


@pytest.mark.parametrize(
    ("storms", "control", "result", "code"),
    [
        ([PASSED, DAMAGED], None, Result.INCONCLUSIVE, 3),
        ([DAMAGED, FAILED, DAMAGED], None, Result.FAILED, 1),
        ([DAMAGED, NOT_APPLICABLE], None, Result.INCONCLUSIVE, 3),
        ([FAILED], DAMAGED, Result.FAILED, 1),
        ([PASSED], DAMAGED, Result.INCONCLUSIVE, 3),
    ],
)
@pytest.mark.parametrize("repeated", [{}, {"repeats": "0"}])
def test_a_storm_that_cannot_be_read_is_inconclusive_and_the_others_are_judged(
    storms: list[StoredStorm | UnreadableRun],
    control: UnreadableRun | None,
    result: Result,
    code: int,
    repeated: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read(monkeypatch, {**{str(place): one for place, one in enumerate(storms)}, "c": control})
    entries = tuple(
        {"name": str(place), "scenario": "thing", "target": "sqlite", **repeated} for place in range(len(storms))
    )
    controls = ({"name": "c", "scenario": "control", "target": "sqlite"},) if control else ()
    report = judge_run(store.Run(Path("results/one"), "idstorm run", entries, controls=controls))
    assert (report.result, report.exit_code) == (result, code)
    said = [storm.ending for storm in (*report.storms, *report.controls) if storm.state is StormState.UNREADABLE]
    assert said == ["unreadable: census.zip is damaged"] * [*storms, control].count(DAMAGED)


def test_a_run_of_which_nothing_can_be_read_has_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    read(monkeypatch, {"0": DAMAGED, "1": UnreadableRun("plan.json is damaged")})
    entries = tuple({"name": name, "scenario": "thing", "target": "sqlite"} for name in "01")
    with pytest.raises(UnreadableRun, match=r"^census\.zip is damaged$"):
        judge_run(store.Run(Path("results/one"), "idstorm run", entries))


def read(monkeypatch: pytest.MonkeyPatch, storms: Mapping[str, StoredStorm | UnreadableRun | None]) -> None:
    """Let these be what is read of the storms of a run."""

    def read_storm(_: store.Run, entry: Mapping[str, str]) -> StoredStorm:
        one = storms[entry["name"]]
        if not isinstance(one, StoredStorm):
            raise one or KeyError(entry["name"])
        return one

    monkeypatch.setattr(readback, "read_storm", read_storm)


def test_a_run_is_compared_or_laid_out_as_it_was_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readback, "read_storm", lambda *_: PASSED)
    entries = ({"name": "0"}, {"name": "1"})
    compared = judge_run(store.Run(Path("results/one"), "idstorm run", entries))
    assert (len(compared.comparisons), compared.matrix) == (1, None)
    laid_out = judge_run(store.Run(Path("results/one"), "idstorm matrix", entries, "matrix"))
    assert laid_out.comparisons == ()
    assert laid_out.matrix is not None
    assert laid_out.matrix.targets == ("sqlite SQLite 3.45",)


def test_the_gates_of_a_run_are_held_against_each_storm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readback, "read_storm", lambda *_: PASSED)
    gates = (parse_gate("operations.acknowledged > 0"),)
    report = judge_run(store.Run(Path("results/one"), "idstorm run", ({"name": "0"}, {"name": "1"}), gates=gates))
    assert [storm.result for storm in report.storms] == [Result.FAILED, Result.FAILED]


def test_the_report_is_the_same_wherever_the_runs_folder_lies(tmp_path: Path) -> None:
    reports: list[dict[str, Any]] = []
    for folder in ("here", "there"):
        run = store.Run(tmp_path / folder / "one", "idstorm run", ({"name": "a", "scenario": "s", "target": "t"},))
        store.write_ending(run.folder / "a", Ending(StormState.NOT_APPLICABLE, "no sequences"), run.stamp("a"))
        reports.append(judge_run(run).to_json())
    assert reports[0] == reports[1]
    assert reports[0]["storms"][0]["result"] == "n/a"


def test_repetitions_are_judged_one_by_one_and_merged_by_what_they_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = stored(storm(told(1), claims={**INDIFFERENT, "durable": HOLDS}))
    storms = {name: replace(one, name=name) for name, one in {"1a": sound, "2b": sound, "3a": FAILED}.items()}
    monkeypatch.setattr(readback, "read_storm", lambda _, entry: storms[entry["name"]])
    entries = ({"name": "1a", "repeats": "a"}, {"name": "2b", "repeats": "b"}, {"name": "3a", "repeats": "a"})
    run = store.Run(Path("results/one"), "idstorm run", entries)
    report = judge_run(run)
    assert [one.repetitions for one in report.repeats] == [("1a", "3a"), ("2b",)]
    assert [one.result for one in report.repeats] == [Result.FAILED, Result.PASSED]
    assert [storm.storm for storm in report.storms] == ["1a", "2b", "3a"]
    assert (report.result, report.until_broken) == (Result.FAILED, None)
    hunted = judge_run(replace(run, until_broken=True, seconds=2.5))
    assert hunted.until_broken == UntilBroken(2.5, "3a", 2, ("durable",))


def test_a_storm_that_is_not_repeated_has_no_repetitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readback, "read_storm", lambda *_: PASSED)
    assert judge_run(store.Run(Path("results/one"), "idstorm run", ({"name": "0"},))).repeats == ()


def test_a_check_that_means_nothing_for_a_storm_is_not_run_and_says_why() -> None:
    evidence = storm(told(1), census=[], not_judged={"durable": "the rows are gone"}, claims=INDIFFERENT)
    verdicts = judge_storm(stored(evidence)).verdicts
    assert (verdicts["durable"].status, verdicts["durable"].reason) == (Status.NA, "the rows are gone")
    assert verdicts["unique"].status is Status.HELD


def test_witnesses_name_the_origins_of_what_was_told() -> None:
    evidence = storm(told(1), told(2), told(1, client=1), census=[(1, None), (2, None), (1, None)], token=False)
    origins = Origins(("a test", "another", "a third"), ((0, 1), (2,)))
    (witness,) = judge_storm(replace(stored(evidence), origins=origins)).verdicts["unique"].witnesses
    assert [row["from"] for row in witness["rows"]] == ["a test", "a third"]
    (witness,) = judge_storm(stored(evidence)).verdicts["unique"].witnesses
    assert all("from" not in row for row in witness["rows"])
