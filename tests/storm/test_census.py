"""The census is one snapshot, and says so where it is not."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from idstorm.databases.base import CensusUnreadable
from idstorm.databases.sqlite import SQLite
from idstorm.record.census import Census
from idstorm.record.columns import Keys
from idstorm.record.keys import Codec
from idstorm.record.stamp import Stamp
from running import Idstorm

TABLE = sa.Table("t", sa.MetaData(), sa.Column("id", sa.Integer), sa.Column("token", sa.BigInteger))
INTEGERS = Codec("int64")


def table(path: Path, rows: list[tuple[Any, Any]]) -> sa.URL:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (id, token)")
    connection.executemany("INSERT INTO t VALUES (?, ?)", rows)
    connection.commit()
    connection.close()
    return sa.make_url(f"sqlite:///{path}")


def read(url: sa.URL, codec: Codec = INTEGERS) -> Census:
    return SQLite().read_census(url, [TABLE.c.id], TABLE.c.token, codec)


def test_ids_that_repeat_are_all_there(tmp_path: Path) -> None:
    census = read(table(tmp_path / "t.db", [(5, 1), (5, 2), (5, 2)]))
    assert sorted(zip(census.ids.words.tolist(), census.tokens.tolist(), strict=True)) == [(5, 1), (5, 2), (5, 2)]


def test_nulls_survive(tmp_path: Path) -> None:
    census = read(table(tmp_path / "t.db", [(1, 10), (None, 11), (2, None), (None, None)]))
    assert census.null_ids is not None
    assert census.null_tokens is not None
    assert sorted(census.null_ids.tolist()) == sorted(census.null_tokens.tolist()) == [False, False, True, True]


def test_more_rows_than_one_fetch_are_all_there(tmp_path: Path) -> None:
    census = read(table(tmp_path / "t.db", [(number, -number) for number in range(120_000)]))
    assert census.ids.words.tolist() == list(range(120_000))
    assert census.tokens.tolist() == [-number for number in range(120_000)]


def test_an_id_that_is_no_integer_makes_the_census_unreadable(tmp_path: Path) -> None:
    with pytest.raises(CensusUnreadable):
        read(table(tmp_path / "t.db", [(1, 1), ("one", 2)]))


def test_a_census_that_differs_from_the_tables_own_count_is_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = table(tmp_path / "t.db", [(1, 1), (2, 2)])
    short = Census(Keys.encode(INTEGERS, [1]), Keys.encode(INTEGERS, [1]).words)
    monkeypatch.setattr(SQLite, "_fast_census", lambda *_: short)
    with pytest.raises(CensusUnreadable, match="1 rows where the table counts 2"):
        read(url)


def test_a_census_is_written_and_read_as_it_was(tmp_path: Path) -> None:
    census = Census.of(Codec("text", 16), [("one", 1), (None, 2), ("three", None)])
    stamp = Stamp("run", "storm", 1)
    census.write(tmp_path / "census.zip", stamp)
    again = Census.read(tmp_path / "census.zip", Codec("text", 16), stamp)
    assert [again.ids.show(place) for place in (0, 2)] == ["one", "three"]
    assert again.null_ids is not None
    assert again.null_ids.tolist() == [False, True, False]


def test_a_table_that_is_gone_leaves_durable_unknown_and_the_run_inconclusive(idstorm: Idstorm) -> None:
    idstorm.write(
        "mine.py",
        """
        from sqlalchemy import text
        from idstorm.scenario import Row, Scenario
        from sqlalchemy.orm import Mapped, mapped_column
        import sys

        class Thing(Row):
            id: Mapped[int] = mapped_column(primary_key=True)

        def work(session, tokens):
            if "idstorm.storm.worker" in sys.orig_argv and calls > 300:
                session.execute(text("DROP TABLE IF EXISTS thing"))
                session.commit()
            globals()["calls"] += 1
            thing = Thing(token=tokens[0])
            session.add(thing)
            session.flush()
            return [thing.id]

        calls = 0
        mine = Scenario(Thing, insert=work)
        """,
    )
    ran = idstorm.storm("mine.py", "-n", "1000")
    assert ran.code == 3
    verdicts = ran.report["storms"][0]["verdicts"]
    assert verdicts["durable"]["status"] == verdicts["faithful"]["status"] == verdicts["gapless"]["status"] == "unknown"
    assert "no such table" in verdicts["durable"]["reason"]
