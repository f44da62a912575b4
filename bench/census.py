"""How fast and in how much memory a storm's table is read back, on each database.

Each reading series has a process of its own, `python -m bench.census DIALECT URL-FROM-STDIN`, so that its peak of
memory is its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Sequence
from statistics import median
from time import perf_counter
from typing import Any

import sqlalchemy as sa

from bench.figures import Figure, Measured, peak, resident
from bench.servers import opened
from idstorm.databases.registry import DATABASES
from idstorm.record.keys import Codec

RATES = {"sqlite": 2_000_000, "postgresql": 1_200_000, "mysql": 1_500_000, "mariadb": 1_500_000}
BYTES = 64  # a row, at the peak; 16 of them are the census itself
_DIGITS, _STEP = 6, 1_000_003
ROWS = 10**_DIGITS

_METADATA = sa.MetaData()
_DIGIT = sa.Table("digit", _METADATA, sa.Column("digit", sa.Integer))
_KEPT = sa.Table(
    "kept", _METADATA, sa.Column("id", sa.Integer, primary_key=True), sa.Column("token", sa.BigInteger, nullable=False)
)


def measure(*, quick: bool, on: Sequence[str]) -> Measured:
    """Fill a table on each database and read it back some times, the databases in turn."""
    times = 5 if quick else 15
    runs: dict[str, dict[str, Any]] = {}
    with opened(on) as databases:
        for dialect, url in databases.urls.items():
            _fill(url)
            runs[dialect] = _read(dialect, url, times)
    figures = []
    for dialect, run in runs.items():
        rates = [ROWS / seconds for seconds in run["seconds"]]
        figures += [
            Figure(f"{dialect}: rows a second", median(rates), at_least=RATES[dialect]),
            Figure(f"{dialect}: rows a second, the best", max(rates)),
            Figure(f"{dialect}: memory at the peak", run["bytes"] / ROWS, "B a row", at_most=BYTES),
        ]
    method = (
        f"{ROWS:,} rows of an integer id and a bigint token, read {times} times in one process, counts and snapshot "
        "included; medians; memory is the resident peak beyond what was resident before the first reading"
    )
    return Measured("census", method, tuple(figures), runs, tuple(databases.left_out))


def _fill(url: sa.URL) -> None:
    """Let the database itself make the rows, of digits."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    digits = [_DIGIT.alias(f"digit_{place}") for place in range(_DIGITS)]
    number = sum((digit.c.digit * 10**place for place, digit in enumerate(digits)), start=sa.literal(1, sa.BigInteger))
    with engine.begin() as connection, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "SELECT statement has a cartesian product")
        _METADATA.create_all(connection)
        connection.execute(sa.insert(_DIGIT), [{"digit": digit} for digit in range(10)])
        connection.execute(sa.insert(_KEPT).from_select(["id", "token"], sa.select(number, number * _STEP)))


def _read(dialect: str, url: sa.URL, times: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.census", dialect, str(times)]
    shown = url.render_as_string(hide_password=False)
    done = subprocess.run(command, check=True, input=shown, stdout=subprocess.PIPE, text=True)
    read: dict[str, Any] = json.loads(done.stdout)
    return read


def main(dialect: str, times: int) -> None:
    """Read the table back, and see that it is what was written."""
    url, database, codec = sa.make_url(sys.stdin.read()), DATABASES[dialect], Codec("int64")
    sa.create_engine(url, poolclass=sa.NullPool).connect().close()  # what only the first connection loads
    before, seconds = resident(), []
    for _ in range(times):
        begun = perf_counter()
        census = database.read_census(url, [_KEPT.c.id], _KEPT.c.token, codec)
        seconds.append(perf_counter() - begun)
        if len(census) != ROWS or not (census.ids.words * _STEP == census.tokens).all():
            raise RuntimeError(f"the census of {dialect} is wrong")
        del census
    print(json.dumps({"seconds": seconds, "bytes": peak() - before}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
