"""`unique`: was no id told to two rows that are certainly committed?

An id that was only handed proves nothing: SQLite hands it out again after a rollback, lawfully. Neither does an id
whose row was deleted in between, if its delete had begun before the second client was handed it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from idstorm.judge.evidence import WITNESSES, Evidence
from idstorm.judge.groups import lookup, repeated, starts_of_groups
from idstorm.record.columns import Ints
from idstorm.record.outcome import Outcome, Status
from idstorm.record.tape import Told
from idstorm.record.verdict import Finding


def unique(evidence: Evidence) -> Finding:
    """Hold where no two committed rows, and no foreign row that was there before, share an id unlawfully."""
    contested = evidence.contested
    rows = repeated(evidence.history.keys, contested[evidence.committed[contested]])
    starts, groups = _unlawful(evidence, rows)
    taken = _taken_before(evidence)
    witnesses: list[Mapping[str, Any]] = [
        {
            "id": evidence.history.keys.show(int(group[0])),
            "times": len(group),
            "rows": evidence.describe_all(group),
        }
        for group in groups[:WITNESSES]
    ]
    witnesses += evidence.describe_all(taken, foreign=True)
    figures = {"duplicated": starts + len(taken)}
    if starts or len(taken):
        return Finding(Status.BROKEN, figures, tuple(witnesses[:WITNESSES]))
    unsure = evidence.census is None and bool(
        ((evidence.row_outcome == Outcome.UNKNOWN) & (evidence.history.told == Told.ID)).any()
    )
    reason = "without a census it is not known which of the unknown inserts committed" if unsure else None
    return Finding(Status.UNKNOWN if unsure else Status.HELD, figures, reason=reason)


def _unlawful(evidence: Evidence, rows: Ints) -> tuple[int, list[Ints]]:
    """Return how many ids were handed out again before a delete of the row before had begun, and those rows.

    Only the rows of the first few ids are returned, in the order in which they were handed their id.
    """
    if not len(rows):
        return 0, []
    handed = evidence.history.of_rows(evidence.history.handed, rows)
    group = np.zeros(len(rows), np.int64)
    group[starts_of_groups(evidence.history.keys.take(rows))] = 1
    group = np.cumsum(group)
    order = np.lexsort([handed, group])
    rows, handed, group = rows[order], handed[order], group[order]
    unlawful = group[1:] == group[:-1]
    if evidence.delete_began is not None:
        unlawful &= evidence.delete_began[rows[:-1]] >= handed[1:]
    broken = np.unique(group[1:][unlawful])
    return len(broken), [rows[group == number] for number in broken[:WITNESSES]]


def _taken_before(evidence: Evidence) -> Ints:
    """Return the committed rows that were told an id which a foreign row had had all along."""
    if evidence.before is None:
        return np.zeros(0, np.int64)
    rows = np.flatnonzero(evidence.committed)
    return rows[lookup(evidence.before.known_ids, evidence.history.keys.take(rows)) >= 0]
