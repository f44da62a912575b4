"""Reports written by hand: what a storm's checks found, what was claimed of them, and what that comes to.

report(storm(unique=BROKEN, gapless=(Status.BROKEN, Stance.MAY_BREAK)), storm("uuid4", ending="not started: …"))
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from idstorm.findings.checks import CHECKS
from idstorm.findings.gate import GateVerdict
from idstorm.findings.results import Result, Stance, Status, exit_code, settle, worst
from idstorm.findings.verdict import Report, StormReport, Verdict

WITNESSES = ({"told": 105, "stored": 104, "client": 0}, {"told": 107, "stored": 106, "client": 3})

_NO_EVIDENCE = ("at fault", "failed fast", "stuck", "unfinished")


def verdict(
    status: Status,
    claim: Stance = Stance.HOLDS,
    *,
    reason: str | None = None,
    why: str = "",
    figures: Mapping[str, Any] | None = None,
    witnesses: tuple[Mapping[str, Any], ...] | None = None,
) -> Verdict:
    """Return what a finding means for a claim that the scenario made by name. What broke has witnesses."""
    shown = WITNESSES if witnesses is None and status is Status.BROKEN else witnesses or ()
    return Verdict(status, claim, settle(claim, status), reason, why, figures or {}, shown, named=True)


HELD = verdict(Status.HELD)
BROKEN = verdict(Status.BROKEN, figures={"misattributed": 2})
UNKNOWN = verdict(Status.UNKNOWN, reason="the census could not be read: out of reach")
NA = verdict(Status.NA, Stance.MAY_BREAK, reason="there was no reader: ask for one with --reader")


def storm(
    scenario: str = "autoincrement",
    target: str = "sqlite",
    *,
    ending: str | None = None,
    gates: tuple[GateVerdict, ...] = (),
    seconds: float = 3.0,
    **verdicts: Verdict,
) -> StormReport:
    """Return a storm with these verdicts; it ended as planned unless it has an ending."""
    assert verdicts.keys() <= CHECKS.keys()
    results = [*(each.result for each in verdicts.values()), *(gate.result for gate in gates)]
    if ending is not None and (not verdicts or ending.startswith(_NO_EVIDENCE)):
        results.append(Result.INCONCLUSIVE)
    return StormReport(
        storm=f"01-{scenario}-{target}",
        scenario=scenario,
        result=Result.NA if ending is not None and ending.startswith("not applicable") else worst(results),
        target={"name": target, "dialect": "sqlite", "server": "3.40.1", "driver": "pysqlite"},
        fleet={},
        ending=ending,
        notes=(),
        operations={"seconds": seconds},
        verdicts=verdicts,
        gates=gates,
    )


def report(*storms: StormReport, command: str = "idstorm run autoincrement --seed 7") -> Report:
    """Return the report of these storms."""
    result = worst(each.result for each in storms)
    endings = [each.ending or "" for each in storms]
    code = exit_code(
        result,
        at_fault=any(ending.startswith("at fault") for ending in endings),
        interrupted=any(ending.startswith("interrupted") for ending in endings),
    )
    return Report("20261124-054226-fb17", "results/20261124-054226-fb17", command, result, int(code), storms)
