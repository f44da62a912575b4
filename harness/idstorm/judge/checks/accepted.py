"""`accepted`: was no insert refused by the id's own constraint?

A refusal is not a fault of the table, which stays unique, but of the code that chose the id. The ends of operations are
judged: a refusal that the work caught and recovered from is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from idstorm.findings.checks import Check, Figure
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.judge.evidence import WITNESSES, Evidence
from idstorm.record.code import Code
from idstorm.record.columns import Ints
from idstorm.record.outcome import Outcome
from idstorm.record.tape import Flag


def accepted(evidence: Evidence) -> Finding:
    """Hold where no insert ended with an error of the id's own constraint.

    An error that no dialect recognises leaves it unknown; `unrecognised` counts the inserts that ended with one. So
    does a refusal by a key of which idstorm itself filled a member: whether the application would have chosen such
    values is not known. `retried` counts the inserts that were refused, got over it, and are ok.
    """
    history, filled = evidence.history, evidence.plan.ids.filled
    ours = [_filled(code, filled) if code.refused else () for code in history.codes]
    refused = _ended_with(evidence, [code.refused and not mine for code, mine in zip(history.codes, ours, strict=True)])
    chosen = _ended_with(evidence, [bool(mine) for mine in ours])
    strange = _ended_with(evidence, [not code.recognised and not code.refused for code in history.codes])
    retried = (history.outcome == Outcome.OK) & ((history.flags & Flag.RETRIED) != 0)
    figures = {"collisions": len(refused), "unrecognised": len(strange), "retried": int(np.count_nonzero(retried))}
    if len(refused):
        witnesses = tuple(_witness(evidence, operation) for operation in refused[:WITNESSES].tolist())
        return Finding(Status.BROKEN, figures, witnesses)
    reasons = []
    if len(chosen):
        members = sorted({member for mine in ours for member in mine})
        reasons.append(
            f"{len(chosen):,} inserts were refused by a key with {', '.join(members)}, which idstorm itself filled: "
            "write a scenario with an insert of your own, Scenario(model=…, insert=…)"
        )
    if len(strange):
        code = history.codes[int(np.bincount(history.code[strange]).argmax()) - 1]
        said = f": {code.message}" if code.message else ""
        reasons.append(
            f"{len(strange):,} inserts ended with an error that may be a refusal by the id's own constraint, most with "
            f"{code.name}{said}"
        )
    return Finding(Status.UNKNOWN if reasons else Status.HELD, figures, reason="; ".join(reasons) or None)


def _filled(code: Code, filled: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return those members of the key named in an error that idstorm filled."""
    return next((members for name, members in filled.items() if name in code.message), ())


def _ended_with(evidence: Evidence, codes: Sequence[bool]) -> Ints:
    """Return the inserting operations that one of these codes ended: with a success, the work got over it."""
    if not any(codes):
        return np.zeros(0, np.int64)
    which = np.array([False, *codes])
    badly = evidence.inserts & (evidence.history.outcome != Outcome.OK)
    return np.flatnonzero(which[evidence.history.code] & badly)


def _witness(evidence: Evidence, operation: int) -> dict[str, object]:
    history = evidence.history
    client = int(np.searchsorted(history.op_offsets, operation, side="right")) - 1
    return {
        "client": client,
        "operation": operation - int(history.op_offsets[client]),
        "error": history.codes[int(history.code[operation]) - 1].name,
    }


CHECK = Check(
    "accepted",
    "no insert was refused by the id's own constraint",
    accepted,
    figures={"collisions": Figure("inserts"), "unrecognised": Figure("inserts"), "retried": Figure("inserts")},
    holds=True,
    broke=lambda figures, first: f"{figures['collisions']:,} refused ({first['error']})",
    place=30,
)
