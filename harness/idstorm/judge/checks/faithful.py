"""`faithful`: is the id that a client was told the id that its row has?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from idstorm.findings.checks import Check, Figure
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.judge.evidence import WITNESSES, Evidence
from idstorm.judge.existing import strangers
from idstorm.record.columns import Ints
from idstorm.record.keys import Shown
from idstorm.record.outcome import Outcome


def faithful(evidence: Evidence) -> Finding:
    """Hold where each row that may have committed, and is found, has the id that its client was told.

    The id of an `Existing` is judged where its operation is ok: some row must have it, and the owner's, where the owner
    is named. `misattributed` counts both kinds.
    """
    if evidence.plan.ids.token is None:
        return Finding(Status.NA, reason="no column of the table can carry a token, so a row's own id is not known")
    if evidence.census is None:
        return Finding(Status.UNKNOWN, reason=evidence.ending.census.unread or "there is no census")
    wrong, strange = _misattributed(evidence), strangers(evidence)
    figures = {"misattributed": len(wrong) + len(strange), "of_existing": len(strange)}
    witnesses = [_witness(evidence, int(entry)) for entry in wrong[:WITNESSES]]
    witnesses += [_existing(evidence, row, stored) for row, stored in strange[:WITNESSES]]
    return Finding(Status.BROKEN if witnesses else Status.HELD, figures, tuple(witnesses[:WITNESSES]))


def _misattributed(evidence: Evidence) -> Ints:
    """Return an entry of each row that has another id than its client was told."""
    differs = evidence.differing
    rows = evidence.row_of_entry[differs]
    told = evidence.owned[rows] & (evidence.row_outcome[rows] != Outcome.FAILED)
    wrong, rows = differs[told], rows[told]
    if not len(wrong):
        return np.zeros(0, np.int64)
    # Of a token with several rows, one may have the id after all.
    same = np.setdiff1d(np.flatnonzero(np.isin(evidence.row_of_entry, rows)), differs)
    wrong = wrong[~np.isin(rows, evidence.row_of_entry[same])]
    return np.asarray(wrong[np.unique(evidence.row_of_entry[wrong], return_index=True)[1]])


def _witness(evidence: Evidence, entry: int) -> dict[str, Any]:
    census = evidence.census
    assert census is not None
    row = evidence.describe(int(evidence.row_of_entry[entry]))
    return {"told": row.pop("id"), "stored": census.show_id(entry), **row}


def _existing(evidence: Evidence, row: int, stored: Shown | None) -> dict[str, Any]:
    described = evidence.describe(row)
    return {"told": described.pop("id"), "stored": stored, "existing": True, **described}


def _in_words(figures: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    return f"{figures['misattributed']:,} strangers' ids (told {first['told']}, stored {first['stored']})"


CHECK = Check(
    "faithful",
    "the id told is the id of that row",
    faithful,
    figures={"misattributed": Figure("rows"), "of_existing": Figure("rows")},
    holds=True,
    broke=_in_words,
    place=50,
)
