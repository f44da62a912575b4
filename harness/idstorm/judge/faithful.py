"""`faithful`: is the id that a client was told the id that its row has?"""

from __future__ import annotations

import numpy as np

from idstorm.judge.evidence import WITNESSES, Evidence
from idstorm.judge.groups import pieces
from idstorm.record.columns import Ints
from idstorm.record.outcome import Outcome, Status
from idstorm.record.verdict import Finding


def faithful(evidence: Evidence) -> Finding:
    """Hold where each row that may have committed, and is found, has the id that its client was told."""
    if evidence.plan.ids.token is None:
        return Finding(Status.NA, reason="no column of the table can carry a token, so a row's own id is not known")
    if evidence.census is None:
        return Finding(Status.UNKNOWN, reason=evidence.ending.census or "there is no census")
    census = evidence.census
    differs = _differing(evidence)
    rows = evidence.row_of_entry[differs]
    told = evidence.owned[rows] & (evidence.row_outcome[rows] != Outcome.FAILED)
    wrong, rows = differs[told], rows[told]
    if len(wrong):  # of a token with several rows, one may have the id after all
        same = np.setdiff1d(np.flatnonzero(np.isin(evidence.row_of_entry, rows)), differs)
        wrong = wrong[~np.isin(rows, evidence.row_of_entry[same])]
        wrong = wrong[np.unique(evidence.row_of_entry[wrong], return_index=True)[1]]
    witnesses = tuple(
        {
            "told": (row := evidence.describe(int(evidence.row_of_entry[entry]))).pop("id"),
            "stored": None if census.null_ids is not None and census.null_ids[entry] else census.ids.show(int(entry)),
            **row,
        }
        for entry in wrong[:WITNESSES]
    )
    return Finding(Status.BROKEN if len(wrong) else Status.HELD, {"misattributed": len(wrong)}, witnesses)


def _differing(evidence: Evidence) -> Ints:
    """Return the entries of the census that are a row, and have another id than its client was told."""
    census, keys = evidence.census, evidence.history.keys
    assert census is not None
    found = []
    for piece in pieces(len(census)):
        rows = evidence.row_of_entry[piece]
        known = rows >= 0
        same = keys.take(np.where(known, rows, 0)).equal(census.ids.take(piece)) if len(keys) else known
        if census.null_ids is not None:
            same &= ~census.null_ids[piece]
        found.append(np.flatnonzero(known & ~same) + piece.start)
    return np.concatenate(found) if found else np.zeros(0, np.int64)
