"""`faithful`: is the id that a client was told the id that its row has?"""

from __future__ import annotations

import numpy as np

from idstorm.judge.evidence import WITNESSES, Evidence
from idstorm.record.outcome import Outcome, Status
from idstorm.record.verdict import Finding


def faithful(evidence: Evidence) -> Finding:
    """Hold where each row that may have committed, and is found, has the id that its client was told."""
    if evidence.plan.ids.token is None:
        return Finding(Status.NA, reason="no column of the table can carry a token, so a row's own id is not known")
    if evidence.census is None:
        return Finding(Status.UNKNOWN, reason=evidence.ending.census or "there is no census")
    census, history = evidence.census, evidence.history
    everything = len(evidence.entries) == len(census)
    rows = evidence.row_of_entry if everything else evidence.row_of_entry[evidence.entries]
    stored = census.ids if everything else census.ids.take(evidence.entries)
    same = history.keys.take(rows).equal(stored)
    if census.null_ids is not None:
        same &= ~census.null_ids[evidence.entries]
    wrong = np.flatnonzero(~same)
    wrong = wrong[evidence.owned[rows[wrong]] & (evidence.row_outcome[rows[wrong]] != Outcome.FAILED)]
    if len(wrong):  # of a token with several rows, one may have the id after all
        wrong = wrong[~np.isin(rows[wrong], rows[same])]
        wrong = wrong[np.unique(rows[wrong], return_index=True)[1]]
    witnesses = tuple(
        {
            "told": (row := evidence.describe(int(rows[place]))).pop("id"),
            "stored": None
            if census.null_ids is not None and census.null_ids[evidence.entries[place]]
            else stored.show(int(place)),
            **row,
        }
        for place in wrong[:WITNESSES]
    )
    return Finding(Status.BROKEN if len(wrong) else Status.HELD, {"misattributed": len(wrong)}, witnesses)
