"""`accepted`: was no insert refused by the id's own constraint?

A refusal is no fault of the table, which stays unique; it is one of the code that chose the id.
"""

from __future__ import annotations

import numpy as np

from idstorm.judge.evidence import WITNESSES, Evidence
from idstorm.record.outcome import Status
from idstorm.record.verdict import Finding


def accepted(evidence: Evidence) -> Finding:
    """Hold where no insert ended with an error of the id's own constraint."""
    history = evidence.history
    refusing = np.array([False, *(code.refused for code in history.codes)])
    refused = np.flatnonzero(refusing[history.code] & evidence.inserts) if refusing.any() else np.zeros(0, np.int64)
    witnesses = tuple(
        {
            "client": (client := int(np.searchsorted(history.op_offsets, operation, side="right")) - 1),
            "operation": operation - int(history.op_offsets[client]),
            "error": history.codes[int(history.code[operation]) - 1].name,
        }
        for operation in refused[:WITNESSES].tolist()
    )
    return Finding(Status.BROKEN if len(refused) else Status.HELD, {"collisions": len(refused)}, witnesses)
