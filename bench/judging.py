"""One judging, in a process of its own, so that its peak of memory is its own: `python -m bench.judging KIND NUMBER`.

`KIND` is that of the keys, or the number of the scopes within which ids are counted.

The history has faults planted in it, and a reader. Prints JSON: the seconds of the whole, those of each check, the
bytes that columns and checks came to hold, and what was found. What several checks share is made by the first that asks
for it, and counts there.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from time import perf_counter

from bench.figures import peak
from bench.plans import plan_of
from bench.synthetic import storm_of
from idstorm.findings.checks import CHECKS, Check
from idstorm.findings.finding import Finding
from idstorm.judge import judge, own
from idstorm.judge.evidence import Evidence
from idstorm.record.keys import Codec
from idstorm.record.plan import Fleet, Generator, Pool

CLIENTS = 64


def main(kind: str, operations: int) -> None:
    """Judge a synthetic storm with ids of this kind."""
    scopes = int(kind) if kind.isdigit() else 0
    codec = Codec("text", 16, ("int", "int"), scope=1) if scopes else Codec(kind)
    fleet = Fleet(processes=2, clients=CLIENTS, inserts=operations)
    plan = plan_of(fleet, Pool(CLIENTS // 2), codec=codec, generator=Generator() if codec.words == 1 else None)
    plan = replace(plan, reader=codec.words == 1)
    seconds: dict[str, float] = {}
    vars(own)["CHECKS"] = {name: _timed(check, seconds) for name, check in CHECKS.items()}
    baseline = peak()
    storm = storm_of(plan, operations, faults=True, scopes=scopes or 1)
    columns = peak() - baseline
    begun = perf_counter()
    report = judge.judge_storm(storm)
    whole = perf_counter() - begun
    found = {
        name: {key: value for key, value in verdict.figures.items() if isinstance(value, int)}
        for name, verdict in report.verdicts.items()
    }
    seconds = {"operations": whole - sum(seconds.values()), **seconds}
    memory = {"columns": columns, "peak": peak() - baseline, "resident": peak()}
    print(json.dumps({"seconds": whole, "checks": seconds, "bytes": memory, "found": found}))


def _timed(check: Check, seconds: dict[str, float]) -> Check:
    def timed(evidence: Evidence) -> Finding:
        begun = perf_counter()
        finding = check(evidence)
        seconds[check.name] = perf_counter() - begun
        return finding

    return replace(check, judge=timed)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
