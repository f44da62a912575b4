"""Repeated storms merge their findings first, and then claims are settled, in whatever order they were stormed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idstorm.errors import UnreadableRun
from idstorm.findings.finding import Finding
from idstorm.findings.gate import GateVerdict
from idstorm.findings.results import Result, Stance, Status, StormState
from idstorm.findings.verdict import StormReport, UntilBroken
from idstorm.judge.claims import judge_claim, result_of
from idstorm.judge.repeats import merge, repeats, until_broken
from idstorm.record.plan import Claim

HELD, BROKEN, UNKNOWN, NA = Status.HELD, Status.BROKEN, Status.UNKNOWN, Status.NA
HOLDS, MAY_BREAK, BREAKS = (Claim(stance, "because", named=True) for stance in Stance)
CRASHED = Finding(UNKNOWN, reason="the check crashed: ZeroDivisionError", crashed=True)


def found(status: Status, *ids: int, reason: str | None = None) -> Finding:
    """A finding with a witness for each id; what broke has one."""
    if status is BROKEN:
        ids = ids or (1,)
    return Finding(status, {"found": len(ids)}, tuple({"id": id_} for id_ in ids), reason)


def counted(*findings: Finding) -> dict[int, Finding]:
    return dict(enumerate(findings, start=1))


def storm(
    *findings: Finding,
    claim: Claim = HOLDS,
    state: StormState = StormState.FINISHED,
    gates: tuple[Result, ...] = (),
    **more: Any,
) -> StormReport:
    """A storm of checks that are numbered, and gates that came to this. Without findings it came to no verdict."""
    verdicts = {str(place): judge_claim(claim, finding) for place, finding in enumerate(findings)}
    stopped = tuple(GateVerdict(f"gate {place}", None, result) for place, result in enumerate(gates))
    report = StormReport(
        storm="01",
        scenario="thing",
        result=result_of(state, verdicts, stopped),
        target={"name": "sqlite"} | ({"dialect": "sqlite"} if verdicts else {}),
        fleet={},
        ending=None if state is StormState.FINISHED else f"{state}: for a reason",
        notes=(),
        operations=operations() if verdicts else {},
        verdicts=verdicts,
        gates=stopped,
        state=state,
    )
    return replace(report, **more)


def operations(acknowledged: int = 10, seconds: float = 1.0, p50: float = 1.0, **by_code: int) -> dict[str, Any]:
    counts = dict.fromkeys(("attempted", "failed", "unknown", "rolled_back", "deleted"), 0)
    return {
        **counts,
        "acknowledged": acknowledged,
        "seconds": seconds,
        "per_second": acknowledged / seconds,
        "latency_ms": {"p50": p50, "max": 2 * p50},
        "failing": {"share": p50 / 10, "share_raced": 0.0, "expected": 0.0},
        "errors": {"total": sum(by_code.values()), "by_code": by_code},
    }


@pytest.mark.parametrize(
    ("statuses", "merged"),
    [
        ((HELD, HELD, BROKEN), BROKEN),
        ((UNKNOWN, BROKEN, NA), BROKEN),
        ((HELD, UNKNOWN, HELD), UNKNOWN),
        ((NA, UNKNOWN), UNKNOWN),
        ((NA, HELD, NA), HELD),
        ((NA, NA), NA),
    ],
)
def test_broken_once_is_broken_and_unknown_once_is_not_held(statuses: tuple[Status, ...], merged: Status) -> None:
    assert merge(counted(*map(found, statuses))).status is merged


def test_it_is_counted_in_how_many_repetitions_a_check_was_what() -> None:
    merged = merge(counted(*map(found, (HELD, BROKEN, HELD, NA))))
    assert merged.figures == {"repetitions": {"broken": 1, "held": 2, "n/a": 1}}


@pytest.mark.parametrize(
    ("claim", "result"), [(HOLDS, Result.FAILED), (MAY_BREAK, Result.PASSED), (BREAKS, Result.PASSED)]
)
def test_a_claim_is_settled_once_for_all_repetitions(claim: Claim, result: Result) -> None:
    storms = [storm(found(HELD), claim=claim)] * 9 + [storm(found(BROKEN), claim=claim)]
    assert repeats(storms).result is result
    assert repeats(storms).verdicts["0"].result is result


def test_what_was_to_break_and_never_did_asks_for_more_pressure() -> None:
    merged = repeats([storm(found(HELD), claim=BREAKS)] * 3)
    assert merged.result is Result.INCONCLUSIVE
    assert "more pressure" in str(merged.verdicts["0"].reason)
    assert repeats([storm(found(HELD), claim=BREAKS), storm(found(BROKEN), claim=BREAKS)]).verdicts["0"].reason is None


@pytest.mark.parametrize(
    ("claim", "status", "result"),
    [
        (HOLDS, HELD, Result.INCONCLUSIVE),
        (MAY_BREAK, HELD, Result.INCONCLUSIVE),
        (MAY_BREAK, BROKEN, Result.INCONCLUSIVE),
        (BREAKS, BROKEN, Result.INCONCLUSIVE),
        (HOLDS, BROKEN, Result.FAILED),
    ],
)
def test_a_check_that_crashed_once_stays_crashed_and_can_only_fail(
    claim: Claim, status: Status, result: Result
) -> None:
    merged = repeats([storm(found(status), claim=claim), storm(CRASHED, claim=claim)]).verdicts["0"]
    assert (merged.crashed, merged.result) == (True, result)
    assert "repetition 2: the check crashed" in str(merged.reason)


def test_witnesses_come_from_the_repetitions_that_broke_the_first_of_each_first() -> None:
    merged = merge(counted(found(BROKEN, 10, 11), found(HELD, 20), found(BROKEN, 30), found(UNKNOWN, 40)))
    assert merged.witnesses == (
        {"repetition": 1, "id": 10},
        {"repetition": 3, "id": 30},
        {"repetition": 1, "id": 11},
    )


def test_no_more_witnesses_are_kept_than_of_one_storm() -> None:
    merged = merge(counted(*(found(BROKEN, *range(20)) for _ in range(30))))
    assert [witness["repetition"] for witness in merged.witnesses] == list(range(1, 25))


def test_a_reason_names_its_repetition_unless_all_say_the_same() -> None:
    assert merge(counted(found(HELD), found(UNKNOWN, reason="no census"))).reason == "repetition 2: no census"
    assert merge(counted(found(NA, reason="no reader"), found(NA, reason="no reader"))).reason == "no reader"
    assert merge(counted(found(HELD, reason="so"), found(HELD))).reason is None


def test_a_repetition_without_verdicts_keeps_its_number_and_lets_nothing_pass() -> None:
    merged = repeats(
        [storm(state=StormState.NOT_STARTED), storm(found(BROKEN), claim=BREAKS), storm(found(HELD), claim=BREAKS)]
    )
    assert merged.result is Result.INCONCLUSIVE
    assert merged.verdicts["0"].witnesses[0]["repetition"] == 2
    assert merged.ending == "1 of 3: repetition 1, not started: for a reason"
    assert merged.target["dialect"] == "sqlite"


@pytest.mark.parametrize(
    ("state", "verdicts", "result"),
    [
        ("at fault", [], Result.INCONCLUSIVE),
        ("at fault", [HELD], Result.INCONCLUSIVE),
        ("failed fast", [HELD], Result.INCONCLUSIVE),
        ("unfinished", [HELD], Result.INCONCLUSIVE),
        ("unfinished", [BROKEN], Result.FAILED),
        ("interrupted", [HELD], Result.PASSED),
        ("interrupted", [], Result.INCONCLUSIVE),
        ("not applicable", [], Result.PASSED),
    ],
)
def test_a_storm_that_ended_badly_counts_among_others_as_it_does_alone(
    state: str, verdicts: list[Status], result: Result
) -> None:
    assert repeats([storm(found(HELD)), storm(*map(found, verdicts), state=StormState(state))]).result is result


def test_what_is_never_applicable_is_not_applicable() -> None:
    assert repeats([storm(state=StormState.NOT_APPLICABLE)] * 2).result is Result.NA


def test_of_a_gate_the_worst_repetition_counts() -> None:
    passed, failed, unmeasured = Result.PASSED, Result.FAILED, Result.INCONCLUSIVE
    merged = repeats([storm(found(HELD), gates=gates) for gates in ((passed, passed), (unmeasured, failed))])
    assert [(gate.gate, gate.result) for gate in merged.gates] == [("gate 0", unmeasured), ("gate 1", failed)]
    assert merged.result is failed
    assert repeats([storm(found(HELD), gates=(one,)) for one in (passed, unmeasured)]).result is unmeasured


def test_operations_are_added_up_and_the_slowest_repetition_is_shown() -> None:
    merged = repeats(
        [
            storm(found(HELD), operations=operations(10, 1.0, 1.0, locked=2)),
            storm(found(HELD), operations=operations(50, 2.0, 0.5, locked=1, gone=4)),
            storm(state=StormState.NOT_STARTED),
        ]
    ).operations
    assert (merged["acknowledged"], merged["seconds"], merged["per_second"]) == (60, 3.0, 20.0)
    assert merged["latency_ms"] == {"p50": 1.0, "max": 2.0}
    assert merged["failing"]["share"] == 0.1
    assert merged["errors"] == {"total": 7, "by_code": {"gone": 4, "locked": 3}}


def test_the_failures_that_a_report_leads_with_are_those_that_nobody_expected() -> None:
    shares = [{"share": 0.35, "share_raced": 0.4, "expected": 0.4}, {"share": 0.7, "share_raced": 0.0, "expected": 0.4}]
    storms = [storm(found(HELD), operations={**operations(), "failing": one}) for one in shares]
    assert repeats(storms).operations["failing"] == shares[1]


def test_what_was_judged_of_something_else_is_no_repetition() -> None:
    joined = {name: value for name, value in operations().items() if name != "failing"}
    first = storm(found(HELD), found(HELD), storm="01")
    for other in (storm(found(HELD), storm="02"), replace(first, storm="02", operations=joined)):
        for storms in ([first, other], [other, first]):
            with pytest.raises(UnreadableRun, match=r"^0[12] does not repeat 0[12]: "):
                repeats(storms)
    assert "failing" not in repeats([replace(first, operations=joined)] * 2).operations


def test_the_first_witness_is_the_first_in_the_order_of_the_storms() -> None:
    def series(name: str, *statuses: Status, claim: Claim = HOLDS) -> list[StormReport]:
        return [storm(found(one), claim=claim, storm=f"{name}{at}") for at, one in enumerate(statuses, start=1)]

    one, other = series("one", HELD, HELD, BROKEN), series("other", HELD, BROKEN)
    assert until_broken([one, other], 5.0) == UntilBroken(5.0, "other2", 2, ("0",))
    assert until_broken([one, other[:1]], 5.0) == UntilBroken(5.0, "one3", 3, ("0",))
    assert until_broken([series("b", BROKEN, claim=BREAKS)], None) == UntilBroken(None, "b1", 1, ("0",))
    assert until_broken([series("m", BROKEN, claim=MAY_BREAK), one[:2]], 5.0) == UntilBroken(5.0)
    assert until_broken([], 5.0) == UntilBroken(5.0)


UNSTORMED = (StormState.NOT_STARTED, StormState.NOT_APPLICABLE, StormState.INTERRUPTED, StormState.AT_FAULT)
STATES = st.sampled_from(
    [state for state in StormState if state not in (StormState.NOT_APPLICABLE, StormState.UNREADABLE)]
)
FINDINGS = st.one_of(st.builds(found, st.sampled_from(Status)), st.just(CRASHED))
CLAIMS = st.builds(Claim, st.sampled_from(Stance), st.just("because"), st.booleans())


@st.composite
def repetitions(draw: st.DrawFn) -> list[StormReport]:
    claim, gates = draw(CLAIMS), draw(st.integers(0, 2))
    results = st.sampled_from([Result.PASSED, Result.FAILED, Result.INCONCLUSIVE])
    return [
        storm(*findings, claim=claim, state=draw(STATES), gates=tuple(draw(results) for _ in range(gates)))
        if (findings := draw(st.sampled_from([(), (draw(FINDINGS), draw(FINDINGS))])))
        else storm(state=draw(st.sampled_from(UNSTORMED)))
        for _ in range(draw(st.integers(1, 6)))
    ]


@settings(deadline=None)
@given(st.data())
def test_the_order_of_repetitions_does_not_matter(data: st.DataObject) -> None:
    storms = data.draw(repetitions())
    one, other = repeats(storms), repeats(data.draw(st.permutations(storms)))
    assert one.result is other.result
    assert [gate.result for gate in one.gates] == [gate.result for gate in other.gates]
    assert one.operations == other.operations
    for check, verdict in one.verdicts.items():
        again = other.verdicts[check]
        assert (verdict.status, verdict.result, verdict.crashed) == (again.status, again.result, again.crashed)
        assert verdict.figures == again.figures
        assert len(verdict.witnesses) == len(again.witnesses)


@settings(deadline=None)
@given(repetitions())
def test_a_storm_that_is_repeated_once_comes_to_what_it_comes_to_alone(storms: list[StormReport]) -> None:
    for alone in storms:
        assert repeats([alone]).result is alone.result


@settings(deadline=None)
@given(repetitions(), st.integers(0, 5))
def test_one_more_repetition_never_takes_back_what_broke(storms: list[StormReport], at: int) -> None:
    broken = storm(found(BROKEN), found(HELD), gates=tuple(gate.result for gate in storms[0].gates))
    of_holds = [
        storm(*map(_finding, one.verdicts.values()), state=one.state, gates=tuple(gate.result for gate in broken.gates))
        for one in storms
    ]
    merged = repeats([*of_holds[:at], broken, *of_holds[at:]])
    assert merged.result is Result.FAILED
    assert merged.verdicts["0"].status is BROKEN
    assert {witness["repetition"] for witness in merged.verdicts["0"].witnesses} >= {min(at, len(storms)) + 1}


def _finding(verdict: Any) -> Finding:
    return Finding(verdict.status, verdict.figures, verdict.witnesses, verdict.reason, verdict.crashed)


def test_what_is_merged_is_named_and_described_as_the_first_that_was_judged() -> None:
    never = storm(state=StormState.NOT_STARTED, storm="01", scenario="thing", fleet={"clients": 1}, notes=("none",))
    judged = storm(found(HELD), storm="02", scenario="thing:one", fleet={"clients": 2}, notes=("said",))
    merged = repeats([never, judged])
    assert (merged.storm, merged.repetitions) == ("01", ("01", "02"))
    assert (merged.scenario, merged.fleet, merged.notes) == ("thing:one", {"clients": 2}, ("said",))
    assert merged.state is StormState.NOT_STARTED
    assert merged.ending == "1 of 2: repetition 1, not started: for a reason"
    assert repeats([judged]).state is StormState.FINISHED


def test_storms_that_all_ended_badly_have_the_first_ones_ending() -> None:
    merged = repeats([storm(state=StormState.INTERRUPTED), storm(state=StormState.NOT_STARTED)])
    assert (merged.ending, merged.state) == ("interrupted: for a reason", StormState.INTERRUPTED)


def test_a_claim_keeps_its_reason_and_its_author() -> None:
    for named in (True, False):
        verdict = repeats([storm(found(BROKEN), claim=Claim(Stance.BREAKS, "it is a race", named))]).verdicts["0"]
        assert (verdict.why, verdict.named) == ("it is a race", named)


def test_rates_are_those_of_all_repetitions_together() -> None:
    merged = repeats(
        [storm(found(HELD), operations=operations(10, seconds)) for seconds in (1.00062, 2.00011)]
    ).operations
    assert (merged["seconds"], merged["per_second"]) == (3.001, 6.7)
    assert repeats([storm(found(HELD), operations={**operations(0), "seconds": 0.0})]).operations["per_second"] == 0.0
