"""Whatever a user's table and columns are called, their rows are read, fast, and what is asked of them is answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from databases.own import unique
from idstorm.databases.base import Database
from idstorm.databases.registry import DATABASES
from idstorm.record.keys import Codec
from servers import On

NAMES = (
    *("order", "select", "group", "table", "index", "key", "value", "values", "null", "default", "count", "user"),
    *("id", "token", "piece", "pieces", "place", "one", "other", "rowid", "_rowid_", "oid", "name", "limit", "first"),
    *("Mixed", "UPPER", "a b", "a.b", "a:b", ":a", "a;b", "a--b", "/*a*/", "a,b", "a(b)", "[a]", "{a}", "a=b", "a#b"),
    *("100%", "%s", "%(a)s", "%%", "?", "$1", "1", "1a", "a'b", 'a"b', "a`b", "a\\b", "ä", "日本語", "𝄞", "a" * 60),
)
IMPOSSIBLE = {"mysql": ("𝄞",), "mariadb": ("𝄞", "value")}
"""No characters beyond U+FFFF, and a word that SQLAlchemy does not quote.

https://dev.mysql.com/doc/refman/9.7/en/identifiers.html
"""

pytestmark = pytest.mark.release  # every name on every server
_ROWS = 8_200  # more than a server packs into one


def tables_of(on: On) -> list[tuple[str, sa.Column[Any], sa.Column[Any], sa.Table]]:
    """Return for each name a table that has it, one whose id has it, and one whose token has it."""
    metadata, made = sa.MetaData(), []
    for number, name in enumerate(one for one in NAMES if one not in IMPOSSIBLE.get(on.dialect, ())):
        for what, words in (
            ("table", (name, "id", "token")),
            ("id", (f"i{number}", name, "_token")),
            ("token", (f"t{number}", "_id", name)),
        ):
            columns = sa.Column(words[1], sa.BigInteger), sa.Column(words[2], sa.BigInteger)
            made.append((f"{what} {name}", *columns, sa.Table(words[0], metadata, *columns)))
    return made


def test_no_name_stands_in_the_way_of_a_census(anywhere: On, monkeypatch: pytest.MonkeyPatch) -> None:
    database = DATABASES[anywhere.dialect]
    made = tables_of(anywhere)
    wrong = list[str]()
    with database.namespace(
        anywhere.url or sa.make_url("sqlite+pysqlite://"), f"20000101-000000-{unique('n')[-8:]}-1"
    ) as url:
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            for _, id_, token, table in made:
                table.create(connection, checkfirst=False)
                connection.execute(sa.insert(table), [{id_.key: 1, token.key: 11}, {id_.key: 2, token.key: 12}])
        engine.dispose()
        only_fast(database, monkeypatch)
        for what, id_, token, _ in made:
            try:
                census = database.read_census(url, [id_], token, Codec("int64"))
                read = sorted(zip(census.ids.words.tolist(), census.tokens.tolist(), strict=True))
            except Exception as error:
                read = [repr(error)]  # type: ignore[list-item]
            if read != [(1, 11), (2, 12)]:
                wrong.append(f"{what}: {read}")
            wrong += answers(database, url, id_, what)
    assert wrong == []


def only_fast(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no failure of the fast way be made good by the slow one."""

    def refuse(*_: Any) -> Any:
        raise AssertionError("it was read row by row")

    monkeypatch.setattr("idstorm.databases.censuses.read_pairs", refuse)


def answers(database: Database, url: sa.URL, id_: sa.Column[Any], what: str) -> Sequence[str]:
    """Return what goes wrong where the database is asked about a column and its table."""
    table = str(id_.table.name)
    try:
        with database.snapshot(url) as connection:
            database.capacity(connection, table, id_.name, None, down=False)
            database.keys(connection, [f"{table}.{id_.name}"])
            found = database.physical(connection.connection, table, None)
    except Exception as error:
        return [f"{what}: {error!r}"]
    return [] if found is not None and not found.private else [f"{what}: the table is not found"]


@pytest.mark.parametrize("taken", [("_rowid_",), ("_ROWID_", "rowid"), ("_rowid_", "RowId", "oid")], ids=" ".join)
def test_a_column_that_takes_the_name_of_sqlites_rowid_loses_no_rows(taken: tuple[str, ...]) -> None:
    database, metadata = DATABASES["sqlite"], sa.MetaData()
    more = [sa.Column(name, sa.Integer) for name in taken]
    thing = sa.Table("thing", metadata, sa.Column("id", sa.BigInteger), sa.Column("token", sa.BigInteger), *more)
    with database.namespace(sa.make_url("sqlite+pysqlite://"), "20000101-000000-abcd-1") as url:
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            metadata.create_all(connection)
            row = dict.fromkeys(taken, 7)
            connection.execute(sa.insert(thing), [{"id": one, "token": one, **row} for one in range(_ROWS)])
        engine.dispose()
        census = database.read_census(url, [thing.c.id], thing.c.token, Codec("int64"))
    assert np.array_equal(np.sort(census.ids.words), np.arange(_ROWS))
