"""The fast census reads what the table holds, whatever that is, on every database."""

from __future__ import annotations

import random
import secrets
from collections import Counter
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from idstorm.databases.registry import DATABASES
from idstorm.record.census import Census
from idstorm.record.keys import Codec
from servers import On

Rows = list[tuple[int | None, int | None]]

DENSE: Rows = [(number, 10**15 + number) for number in range(1, 20_001)]
CASES: dict[str, Rows] = {
    "nothing": [],
    "one row": [(7, 1)],
    "dense ids": DENSE,
    "more than one piece exactly": DENSE[:16_384],
    "ids that repeat": [(number % 7, number) for number in range(10_000)],
    "one id only": [(1, number) for number in range(9_000)],
    "descending and negative ids": [(-number, number) for number in range(5_000)],
    "the largest and the smallest": [((1 << 63) - 2, 1), (-(1 << 63), 2), (0, (1 << 63) - 2)],
    "one far away from the others": [*DENSE[:3_000], (1 << 62, 5)],
    "random ids": [(random.Random(number).getrandbits(62), number) for number in range(5_000)],
    "nulls": [(None, 1), (2, None), (None, None), (3, 3), (3, 3)],
}


@pytest.fixture
def place(anywhere: On) -> Iterator[sa.URL]:
    """A namespace of this test's own."""
    url = anywhere.url or sa.make_url("sqlite+pysqlite://")
    with DATABASES[anywhere.dialect].namespace(url, f"20000101-000000-{secrets.token_hex(4)}-1") as inside:
        yield inside


def pairs(census: Census) -> Counter[tuple[int | None, int | None]]:
    ids: list[int | None] = census.ids.words.tolist()
    tokens: list[int | None] = census.tokens.tolist()
    for column, nulls in ((ids, census.null_ids), (tokens, census.null_tokens)):
        for place in [] if nulls is None else nulls.nonzero()[0].tolist():
            column[place] = None
    return Counter(zip(ids, tokens, strict=True))


@pytest.mark.parametrize("indexed", [True, False])
def test_a_census_is_what_the_table_holds(anywhere: On, place: sa.URL, indexed: bool) -> None:
    database = DATABASES[anywhere.dialect]
    metadata = sa.MetaData()
    tables = {}
    for number, what in enumerate(CASES):
        id_ = sa.Column("order", sa.BigInteger, index=indexed)  # a reserved word, too
        tables[what] = sa.Table(f"t{number}", metadata, id_, sa.Column("token", sa.BigInteger))
    engine = sa.create_engine(place)
    with engine.begin() as connection:
        metadata.create_all(connection, checkfirst=False)
        for what, rows in CASES.items():
            if rows:
                connection.execute(sa.insert(tables[what]), [{"order": id_, "token": token} for id_, token in rows])
    engine.dispose()
    for what, rows in CASES.items():
        census = database.read_census(place, [tables[what].c.order], tables[what].c.token, Codec("int64"))
        assert pairs(census) == Counter(rows), what
