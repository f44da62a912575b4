"""`single_use`: was no id acknowledged for a second row, even after the first was deleted?

Stricter than `unique`. Whoever keeps ids elsewhere (a log, a URL, another service) depends on it.
"""

from __future__ import annotations

from idstorm.judge.evidence import WITNESSES, Evidence
from idstorm.judge.groups import repeated, starts_of_groups
from idstorm.record.outcome import Outcome, Status
from idstorm.record.verdict import Finding


def single_use(evidence: Evidence) -> Finding:
    """Hold where each acknowledged id was acknowledged once."""
    keys, contested = evidence.history.keys, evidence.contested
    rows = repeated(keys, contested[evidence.row_outcome[contested] == Outcome.OK])
    if not len(rows):
        return Finding(Status.HELD, {"reissued": 0})
    starts = starts_of_groups(keys.take(rows))
    ends = [*starts[1:].tolist(), len(rows)]
    witnesses = tuple(
        {
            "id": keys.show(int(rows[start])),
            "times": end - start,
            "rows": evidence.describe_all(rows[start:end]),
        }
        for start, end in zip(starts[:WITNESSES].tolist(), ends, strict=False)
    )
    return Finding(Status.BROKEN, {"reissued": len(starts)}, witnesses)
