"""From a stored run to a report: every check on every storm, and what each means for what was claimed."""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from idstorm.errors import UnreadableRun, show_users_error
from idstorm.findings.checks import Check
from idstorm.findings.finding import Finding
from idstorm.findings.gate import Gate
from idstorm.findings.results import Result, Status, StormState, exit_code, worst
from idstorm.findings.verdict import Report, StormReport, Verdict
from idstorm.judge.claims import judge_claim, result_of
from idstorm.judge.compare import compare
from idstorm.judge.control import control
from idstorm.judge.evidence import Evidence
from idstorm.judge.explored import schedule_of, verdicts_of
from idstorm.judge.gates import judge_gates
from idstorm.judge.own import checks_of
from idstorm.judge.repeats import repeats, until_broken
from idstorm.judge.summary import operations
from idstorm.judge.tabulate import matrix, with_explored
from idstorm.record import store, stored
from idstorm.record.plan import Plan
from idstorm.record.store import EXPLORE


def judge_run(run: store.Run, judged: Sequence[StormReport] = ()) -> Report:
    """Return the report of a stored run, reading one storm at a time.

    The first storms may have been judged already. One that cannot be read is inconclusive, and the others are judged.
    Raises UnreadableRun where none can be, and where what is said to belong together does not.
    """
    controls = tuple(control(_judge_entry(run, entry)) for entry in run.controls)
    storms = [*judged, *(judge_stored(run, entry) for entry in run.storms[len(judged) :])]
    _refuse_nothing([*controls, *storms])
    series: dict[str, list[StormReport]] = {}
    for entry, storm in zip(run.storms, storms, strict=True):
        if "repeats" in entry:
            series.setdefault(entry["repeats"], []).append(storm)
    merged = tuple(repeats(one) for one in series.values())
    unmeasured = [Result.INCONCLUSIVE] if _gates_on_nothing(storms) else []
    result = worst([worst(storm.result for storm in merged or storms), *(one.result for one in controls), *unmeasured])
    states = {storm.state for storm in (*controls, *storms)}
    wide = {"matrix": matrix(storms)} if run.kind == "matrix" else {"comparisons": compare(merged or storms)}
    report = Report(
        run.name,
        str(run.folder),
        run.command,
        result,
        int(exit_code(result, at_fault=StormState.AT_FAULT in states, interrupted=StormState.INTERRUPTED in states)),
        tuple(storms),
        **wide,
        repeats=merged,
        until_broken=until_broken(list(series.values()), run.seconds) if run.until_broken else None,
        controls=controls,
    )
    return report if run.explored is None else _with_exploration(report, run.folder.parent / run.explored)


def _with_exploration(report: Report, folder: Path) -> Report:
    """Return the report of a matrix with what exploring it came to, which is in a run of its own."""
    try:
        return with_exploration(report, judge_run(stored.open_run(folder)))
    except UnreadableRun:
        result = worst([report.result, Result.INCONCLUSIVE])
        code = report.exit_code if result is report.result else int(exit_code(result))
        return replace(report, result=result, exit_code=code)


def with_exploration(report: Report, explored: Report) -> Report:
    """Return the report of a matrix with one more line for each scenario: what exploring it came to.

    If a claim failed in that, the matrix has failed; what it leaves open was for the storms to settle.
    """
    assert report.matrix is not None
    failed = any(storm.result is Result.FAILED for storm in explored.storms)
    return replace(
        report,
        matrix=with_explored(report.matrix, report.storms, explored.storms),
        result=Result.FAILED if failed else report.result,
        exit_code=int(exit_code(Result.FAILED)) if failed else report.exit_code,
    )


def _gates_on_nothing(storms: Sequence[StormReport]) -> bool:
    """Whether a gate limits a figure that no storm reported, so that it never compared anything."""
    gates = zip(*(storm.gates for storm in storms if storm.gates), strict=True)
    return any(all(gate.result is Result.NA for gate in one) for one in gates)


def judge_stored(run: store.Run, entry: Mapping[str, str]) -> StormReport:
    """Return the report of one storm of a run; where it cannot be read, it is inconclusive, and its ending says why."""
    return _judge_entry(run, entry, run.gates)


def _judge_entry(run: store.Run, entry: Mapping[str, str], gates: Sequence[Gate] = ()) -> StormReport:
    """Judge a storm, and keep nothing of what was read: a history may fill half of the memory."""
    try:
        return _judge_explored(run, entry) if run.kind == EXPLORE else judge_storm(stored.read_storm(run, entry), gates)
    except UnreadableRun as error:
        return StormReport(
            storm=entry["name"],
            scenario=entry["scenario"],
            result=Result.INCONCLUSIVE,
            target={"name": entry["target"]},
            fleet={},
            ending=f"{StormState.UNREADABLE}: {error}",
            notes=(),
            operations={},
            verdicts={},
            state=StormState.UNREADABLE,
        )


def _refuse_nothing(storms: Sequence[StormReport]) -> None:
    """Raise UnreadableRun if none of these storms could be read; it says what is wrong with the first."""
    if storms and all(storm.state == StormState.UNREADABLE and not storm.verdicts for storm in storms):
        raise UnreadableRun(str(storms[0].ending).removeprefix(f"{StormState.UNREADABLE}: "))


def judge_storm(storm: stored.StoredStorm, gates: Sequence[Gate] = ()) -> StormReport:
    """Return the report of one storm."""
    plan, ending = storm.plan, storm.ending
    verdicts: dict[str, Verdict] = {}
    figures: dict[str, Any] = {}
    if plan is not None and storm.history is not None:
        evidence = evidence_of(plan, storm)
        figures = operations(evidence)
        verdicts = {
            check.name: judge_claim(
                plan.claims[check.name], find(check, evidence), check.meaning if check.origin else ""
            )
            for check in checks_of(plan.claims)
        }
    stopped = judge_gates(gates, figures, verdicts) if verdicts else ()
    return StormReport(
        storm=storm.name,
        scenario=storm.scenario,
        result=result_of(ending.state, verdicts, stopped),
        target=_target(storm),
        fleet={} if plan is None else _fleet(storm),
        ending=None
        if ending.state == StormState.FINISHED
        else f"{ending.state}: {ending.message or 'no reason is known'}",
        notes=_notes(storm),
        operations=figures,
        verdicts=verdicts,
        gates=stopped,
        state=ending.state,
    )


def _judge_explored(run: store.Run, entry: Mapping[str, str]) -> StormReport:
    """Return the report of an exploration, of whose witnesses each is judged again."""
    storm, explored = stored.read_exploration(run, entry)
    report = judge_storm(storm)
    if storm.plan is None or explored is None:
        return report
    broken = {name: seen.broken for name, seen in explored.checks.items() if seen.broken is not None}
    again = dict[str, Finding]()
    for check in checks_of(storm.plan.claims):
        if check.name in broken:
            witness = stored.read_storm(run, entry, within=broken[check.name].folder)
            if witness.history is not None:
                again[check.name] = find(check, evidence_of(storm.plan, witness))
    verdicts = verdicts_of(storm.plan, explored, again)
    return replace(
        report,
        verdicts=verdicts,
        result=result_of(storm.ending.state, verdicts, ()),
        explored={
            "clients": storm.plan.fleet.clients,
            "operations": explored.operations,
            "reader": storm.plan.reader,
            "schedules": explored.number,
            "by_preemptions": explored.by_preemptions,
            "raced": explored.raced,
            "isolation": storm.plan.isolation,
            "seconds": explored.seconds,
            "broken": [schedule_of(name, one) for name, one in broken.items()],
        },
    )


def evidence_of(plan: Plan, storm: stored.StoredStorm) -> Evidence:
    """Return what the checks look at in a storm of which something was recorded."""
    assert storm.history is not None
    return Evidence(plan, storm.history, storm.census, storm.before, storm.reading, storm.ending, storm.origins)


def find(check: Check, evidence: Evidence) -> Finding:
    """Run a check. One that raises an error becomes an unknown finding that says so; the other checks still run."""
    if check.name in evidence.plan.not_judged:
        return Finding(Status.NA, reason=evidence.plan.not_judged[check.name])
    try:
        return check(evidence)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a user's own may call sys.exit, or pytest.skip
        shown = show_users_error(error) if check.origin else traceback.format_exc()
        return Finding(Status.UNKNOWN, reason=f"the check crashed:\n{shown}", crashed=True)


def _target(storm: stored.StoredStorm) -> dict[str, Any]:
    if storm.plan is None:
        return {"name": storm.target}
    target = storm.plan.target
    return {
        "name": target.name,
        "dialect": target.dialect,
        "driver": target.driver,
        "server": target.server,
        "capabilities": list(target.capabilities),
        "facts": {**target.facts, **storm.ending.server.facts},
    }


def _fleet(storm: stored.StoredStorm) -> dict[str, Any]:
    assert storm.plan is not None
    plan = storm.plan
    fleet = {name: value for name, value in plan.to_json()["fleet"].items() if value not in (None, 0.0)}
    fleet["think"] = list(plan.fleet.think)
    pool = {
        "pool_size": plan.pool.size,
        "max_overflow": plan.pool.max_overflow,
        "pool_timeout": plan.pool.timeout,
    }
    return {**fleet, **pool, "isolation": plan.isolation, "settings": plan.settings, "seed": plan.fleet.seed}


def _notes(storm: stored.StoredStorm) -> tuple[str, ...]:
    """Return what a reader needs to know to interpret the verdicts."""
    notes = [*(storm.plan.notes if storm.plan is not None else ()), *storm.ending.notes]
    if storm.plan is not None and storm.plan.ids.autonomous:
        which = "an error once it has sent COMMIT" if storm.plan.ids.heard else "an error"
        notes.append(f"the work commits by itself: {which} leaves its operation unknown")
    if storm.plan is not None and storm.plan.ids.token is None:
        notes.append("no column can carry a token: rows are matched by id, and whose row an id names is not judged")
    if storm.ending.kept is not None:
        notes.append(f"kept: {storm.ending.kept}")
    if storm.history is not None:
        shown = [code.shown for code in storm.history.codes[:1] if storm.ending.state == StormState.FAILED_FAST]
        notes += shown
    return tuple(notes)
