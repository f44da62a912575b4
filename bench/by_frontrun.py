"""A number for each of two clients by max(number) + 1, in every order that frontrun tries, as its own program.

It prints how many executions it took and how many seconds. It needs frontrun and psycopg alone, so it runs in an
environment of its own: frontrun's plugin for pytest would patch the locks of this project's tests.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import frontrun
import psycopg

URL = sys.argv[1]


def setup() -> None:
    with psycopg.connect(URL, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS taken")
        connection.execute("CREATE TABLE taken (id serial PRIMARY KEY, number int)")


def take(_: Any) -> None:
    with psycopg.connect(URL) as connection:
        (number,) = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM taken").fetchone() or (0,)
        connection.execute("INSERT INTO taken (number) VALUES (%s) RETURNING id", (number,)).fetchone()


def took_different_ones(_: Any) -> bool:
    with psycopg.connect(URL) as connection:
        rows = connection.execute("SELECT count(DISTINCT number) FROM taken").fetchone()
        return rows == (2,)


def main() -> None:
    """Try all that it tries by itself, beyond the first that breaks it."""
    began = time.monotonic()
    found = frontrun.explore(
        setup=setup,
        workers=take,
        count=2,
        invariant=took_different_ones,
        stop_on_first=False,
        reproduce_on_failure=0,
        warn_nondeterministic_sql=False,
    )
    print(found.num_explored, time.monotonic() - began)


if __name__ == "__main__":
    main()
