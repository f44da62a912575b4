"""`accepted`: was no insert refused by the id's own constraint?

A refusal is no fault of the table, which stays unique; it is one of the code that chose the id. How operations ended is
judged: a refusal that the work caught, and got over, is lawful.
"""

from __future__ import annotations

import numpy as np

from idstorm.judge.evidence import WITNESSES, Evidence
from idstorm.record.columns import Bools, Ints
from idstorm.record.outcome import Outcome, Status
from idstorm.record.verdict import Finding


def accepted(evidence: Evidence) -> Finding:
    """Hold where no insert ended with an error of the id's own constraint.

    An error that no dialect recognises leaves it unknown; `unrecognised` counts the inserts that ended with one.
    """
    codes = evidence.history.codes
    refused = _ended_with(evidence, np.array([False, *(code.refused for code in codes)]))
    strange = _ended_with(evidence, np.array([False, *(not code.recognised and not code.refused for code in codes)]))
    figures = {"collisions": len(refused), "unrecognised": len(strange)}
    if len(refused):
        witnesses = tuple(_witness(evidence, operation) for operation in refused[:WITNESSES].tolist())
        return Finding(Status.BROKEN, figures, witnesses)
    if len(strange):
        commonest = int(np.bincount(evidence.history.code[strange]).argmax())
        code = codes[commonest - 1]
        said = f": {code.message}" if code.message else ""
        reason = (
            f"{len(strange):,} inserts ended with an error that may be a refusal by the id's own constraint, most with "
            f"{code.name}{said}"
        )
        return Finding(Status.UNKNOWN, figures, reason=reason)
    return Finding(Status.HELD, figures)


def _ended_with(evidence: Evidence, which: Bools) -> Ints:
    """Return the inserting operations that one of these codes ended: with a success, the work got over it."""
    if not which.any():
        return np.zeros(0, np.int64)
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
