"""The same questions by other means, in a process of its own: `python -m bench.asking sort|duckdb NUMBER`.

`sort` sorts the ids with numpy; `duckdb` asks in SQL which ids were told twice, what was lost, whose id is another's
and how many are missing. Prints JSON: the seconds, and what was found. Making the history does not count, neither does
handing it to DuckDB, which reads numpy's columns where they are.
"""

from __future__ import annotations

import json
import sys
from time import perf_counter
from typing import Any

import numpy as np

from bench.judging import CLIENTS
from bench.plans import plan_of
from bench.synthetic import storm_of
from idstorm.record.keys import Codec
from idstorm.record.plan import Fleet, Generator, Pool

_QUESTIONS = {
    "duplicated": "SELECT count(*) FROM (SELECT id FROM told WHERE ok = 1 GROUP BY id HAVING count(*) > 1)",
    "lost": "SELECT count(*) FROM told ANTI JOIN census USING (token) WHERE ok = 1",
    "misattributed": "SELECT count(*) FROM told JOIN census USING (token) WHERE told.ok <> 2 AND told.id <> census.id",
    "missing": "SELECT max(id) - min(id) + 1 - count(DISTINCT id) FROM census",
}


def main(how: str, operations: int) -> None:
    """Ask of the same synthetic storm."""
    plan = plan_of(
        Fleet(processes=2, clients=CLIENTS, inserts=operations), Pool(1), codec=Codec("int64"), generator=Generator()
    )
    storm = storm_of(plan, operations, faults=True)
    assert storm.history is not None
    assert storm.census is not None
    ids = storm.history.keys.words
    found: dict[str, Any] = {}
    if how == "sort":
        begun = perf_counter()
        np.sort(ids)
    else:
        import duckdb

        each = operations // CLIENTS
        firsts = np.array([plan.tokens.first(client) for client in range(CLIENTS)])
        told = {"token": np.repeat(firsts, each) + np.tile(np.arange(each), CLIENTS), "id": ids}
        told["ok"] = storm.history.outcome.astype(np.int64)
        census = {"token": storm.census.tokens, "id": storm.census.ids.words}
        connection = duckdb.connect()
        connection.execute("SET threads = 2")
        connection.register("told", told)
        connection.register("census", census)
        begun = perf_counter()
        for name, question in _QUESTIONS.items():
            (found[name],) = connection.execute(question).fetchone() or (None,)
    print(json.dumps({"seconds": perf_counter() - begun, "found": found}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
