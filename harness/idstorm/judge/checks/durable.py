"""`durable`: is every acknowledged row there, once, and no row that failed or was deleted?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from idstorm.findings.checks import Check, Figure
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status
from idstorm.judge.evidence import UNEXPECTED, Evidence
from idstorm.record.columns import Ints
from idstorm.record.outcome import Outcome
from idstorm.record.tape import Told

_FAULTS = ("lost", "doubled", "undeleted", "revived", "unexpected")


def durable(evidence: Evidence) -> Finding:
    """Hold where each acknowledged row is in the census exactly once, no failed one is, and no deleted one is."""
    if evidence.census is None:
        return Finding(Status.UNKNOWN, reason=evidence.ending.census.unread or "there is no census")
    if not evidence.ending.census.quiet:
        return Finding(Status.UNKNOWN, reason="sessions of the storm may still have been at work during the census")
    outcome, found, rows = evidence.row_outcome, evidence.found, evidence.row_of_entry
    certain = outcome == Outcome.OK
    deletes = len(evidence.history.deleted) > 0
    absent = outcome == Outcome.FAILED
    absent |= certain & (evidence.history.told != Told.ID)
    faults = {
        "lost": np.flatnonzero(evidence.lost),
        "doubled": _doubled(evidence, rows),
        "undeleted": np.flatnonzero(evidence.deleted(Outcome.OK) & found) if deletes else np.zeros(0, np.int64),
        "revived": np.flatnonzero(absent & found),
    }
    _, foreign, strange = evidence.kinds_of_entries
    unexpected = np.flatnonzero(rows == UNEXPECTED) if strange else np.zeros(0, np.int64)
    witnesses: list[Any] = []
    for fault, places in faults.items():
        described = evidence.describe_all(places[:8], fault=fault)
        several = fault == "doubled"
        witnesses += _with_what_is_stored(evidence, places[:8], described) if several else described
    witnesses += [
        {
            "fault": "unexpected",
            "token": int(evidence.census.tokens[entry]),
            "id": evidence.census.show_id(int(entry)),
        }
        for entry in unexpected[:8]
    ]
    figures = {
        **{fault: len(places) for fault, places in faults.items()},
        "unexpected": strange,
        "recovered": int(np.count_nonzero(found & (outcome == Outcome.UNKNOWN))),
        "foreign": foreign,
    }
    return Finding(Status.BROKEN if witnesses else Status.HELD, figures, tuple(witnesses))


def _with_what_is_stored(
    evidence: Evidence, rows: Ints, described: list[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    """Yield these witnesses with the ids that the census holds for the token of each."""
    assert evidence.census is not None
    for row, witness in zip(rows.tolist(), described, strict=True):
        entries = np.flatnonzero(evidence.row_of_entry == row)
        yield {**witness, "stored": [evidence.census.show_id(int(entry)) for entry in entries[:8]]}


def _doubled(evidence: Evidence, rows: Ints) -> Ints:
    """Return the rows that the census holds more than once."""
    if evidence.kinds_of_entries[0] == np.count_nonzero(evidence.found):
        return np.zeros(0, np.int64)
    return np.flatnonzero(np.bincount(rows[rows >= 0]) > 1)


def _in_words(figures: Mapping[str, Any], first: Mapping[str, Any]) -> str:
    counts = ", ".join(f"{figures[fault]:,} {fault}" for fault in _FAULTS if figures.get(fault))
    return f"{counts} (id {first['id']} {first['fault']})"


CHECK = Check(
    "durable",
    "every acknowledged row is there, once",
    durable,
    figures={
        **{fault: Figure("rows") for fault in _FAULTS},
        "recovered": Figure("rows", where_held=True),
        "foreign": Figure("rows", where_held=True),
    },
    holds=True,
    broke=_in_words,
    place=40,
)
