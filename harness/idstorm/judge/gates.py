"""The results of a run's gates: each is compared with the figures of each storm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from idstorm.findings.checks import CHECKS
from idstorm.findings.gate import Gate, GateVerdict
from idstorm.findings.results import Result, Status
from idstorm.findings.verdict import Verdict


def judge_gates(
    gates: Sequence[Gate], operations: Mapping[str, Any], verdicts: Mapping[str, Verdict]
) -> tuple[GateVerdict, ...]:
    """Return the result of each gate: failed if it is tripped, inconclusive if its figure was not measured.

    On a user's own check, of which this storm's scenario claims nothing, it is n/a.
    """
    return tuple(_judge(gate, operations, verdicts) for gate in gates)


def _judge(gate: Gate, operations: Mapping[str, Any], verdicts: Mapping[str, Verdict]) -> GateVerdict:
    value = figure_of(gate.figure, operations, verdicts)
    where = gate.figure.partition(".")[0]
    if where not in (*verdicts, *CHECKS, "operations", "errors"):
        return GateVerdict(str(gate), None, Result.NA)
    if value is None:
        return GateVerdict(str(gate), None, Result.INCONCLUSIVE)
    return GateVerdict(str(gate), value, Result.FAILED if gate.tripped(value) else Result.PASSED)


def figure_of(figure: str, operations: Mapping[str, Any], verdicts: Mapping[str, Verdict]) -> float | None:
    """Return a figure of a storm by its path in the report; None: it was not measured."""
    where, *path = figure.split(".")
    found: Any = operations
    if where == "errors":
        path = ["errors", *path]
    elif where != "operations":
        verdict = verdicts.get(where)
        judged = verdict is not None and verdict.status not in (Status.NA, Status.UNKNOWN)
        if verdict is None or not (judged or where == "pressure"):  # whose figures are counts, even if it is unknown
            return None
        found = verdict.figures
    for name in path:
        if not isinstance(found, Mapping) or name not in found:
            return 0 if (where, path[0]) == ("gapless", "ledger") else None  # which names the causes that it found
        found = found[name]
    measured: float = found
    return measured
