"""`single_use`: was no id acknowledged for a second row, even after the first was deleted?

Stricter than `unique`. Anything that keeps ids elsewhere (a log, a URL, another service) depends on it.
"""

from __future__ import annotations

from idstorm.findings.checks import Check, Figure
from idstorm.findings.finding import Finding
from idstorm.findings.results import Status, StormState
from idstorm.judge.evidence import WITNESSES, Evidence
from idstorm.judge.groups import repeated, starts_of_groups
from idstorm.record.outcome import Outcome

_UNTRIED = "nothing could have brought an id back: no row was deleted, and the server was left alone; use --deletes"


def single_use(evidence: Evidence) -> Finding:
    """Hold where each acknowledged id was acknowledged once, although something could have brought one back."""
    keys, contested = evidence.history.keys, evidence.contested
    rows = repeated(keys, contested[evidence.row_outcome[contested] == Outcome.OK])
    if not len(rows):
        tried = _could_come_back(evidence)
        return Finding(Status.HELD if tried else Status.UNKNOWN, {"reissued": 0}, reason=None if tried else _UNTRIED)
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


def _could_come_back(evidence: Evidence) -> bool:
    """Whether an acknowledged row is gone, by a delete or without, or the server or an interlude came in between.

    Without a census of a quiet table, a delete that was acknowledged counts for a row that is gone.
    """
    interlude = evidence.plan.interlude and evidence.ending.state == StormState.FINISHED
    if interlude or evidence.restarted:
        return True
    gone = evidence.owned & (evidence.row_outcome == Outcome.OK)
    if evidence.census is not None and evidence.ending.census.quiet:
        gone &= ~evidence.found
    else:
        gone &= evidence.deleted(Outcome.OK)
    return bool(gone.any())


CHECK = Check(
    "single_use",
    "no id came back after its row was deleted",
    single_use,
    figures={"reissued": Figure("ids")},
    broke=lambda figures, first: f"{figures['reissued']:,} ids again ({first['id']}, {first['times']} times)",
    place=20,
)
