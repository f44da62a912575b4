"""The census is one snapshot, and says so where it is not."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from idstorm.databases.censuses import CensusUnreadable
from idstorm.databases.sqlite import SQLite
from idstorm.record.census import Census
from idstorm.record.columns import Keys
from idstorm.record.keys import Codec
from idstorm.record.stamp import Stamp
from idstorm.record.texts import Odd
from running import Idstorm
from servers import On

TABLE = sa.Table("t", sa.MetaData(), sa.Column("id", sa.Integer), sa.Column("token", sa.BigInteger))
INTEGERS = Codec("int64")
STAMP = Stamp("run", "storm", 1)


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


class Fragile(sa.TypeDecorator[str]):
    """A type that cannot read back all that it has written."""

    impl = sa.String
    cache_ok = True

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else {"a": "A", "b": "B"}[value]


def test_an_id_that_is_no_integer_is_kept_as_it_is_stored(tmp_path: Path) -> None:
    census = read(table(tmp_path / "t.db", [(1, 1), ("one", 2), (b"\x01", 3), (1.5, 4), (None, 5), (1 << 62, 6)]))
    shown = {token: census.show_id(place) for place, token in enumerate(census.tokens.tolist())}
    assert shown == {1: 1, 2: "one", 3: "01", 4: "1.5", 5: None, 6: 1 << 62}
    assert sorted(census.known_ids.words.tolist()) == [1, 1 << 62]


def test_an_id_that_its_type_fails_to_read_back_does_not_hide_the_others(tmp_path: Path) -> None:
    fragile = sa.Table("t", sa.MetaData(), sa.Column("id", Fragile), sa.Column("token", sa.BigInteger))
    url = table(tmp_path / "t.db", [("a", 1), ("c", 2), ("b", 3), (None, 4)])
    census = SQLite().read_census(url, [fragile.c.id], fragile.c.token, Codec("text", 8))
    shown = {token: census.show_id(place) for place, token in enumerate(census.tokens.tolist())}
    assert shown == {1: "A", 2: "c", 3: "B", 4: None}
    there = (tmp_path / "t.db").stat()
    ids = SQLite().read_ids(url, [fragile.c.id], f"{there.st_dev}:{there.st_ino}")
    assert ids == ["A", Odd("c"), "B", None]


def test_a_part_of_an_id_that_does_not_read_back_makes_the_whole_odd(tmp_path: Path) -> None:
    fragile = sa.Table(
        "t", sa.MetaData(), sa.Column("id", Fragile), sa.Column("token", sa.BigInteger), sa.Column("no", sa.Integer)
    )
    url = table(tmp_path / "t.db", [("a", 1), ("c", 2)])
    with sqlite3.connect(url.database or "") as connection:
        connection.execute("ALTER TABLE t ADD COLUMN no DEFAULT 7")
    census = SQLite().read_census(url, [fragile.c.id, fragile.c.no], fragile.c.token, Codec("text", 16))
    assert {census.show_id(place) for place in range(2)} == {'["A", "7"]', '["c", "7"]'}
    assert census.null_ids is not None
    assert census.null_ids.sum() == 1


def test_a_token_that_does_not_read_back_is_nobodys(tmp_path: Path) -> None:
    fragile = sa.Table("t", sa.MetaData(), sa.Column("id", sa.Integer), sa.Column("token", Fragile))
    census = SQLite().read_census(table(tmp_path / "t.db", [(1, "c")]), [fragile.c.id], fragile.c.token, INTEGERS)
    assert census.null_tokens is not None
    assert census.null_tokens.tolist() == [True]


def test_a_census_that_differs_from_the_tables_own_count_is_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = table(tmp_path / "t.db", [(1, 1), (2, 2)])
    short = Census(Keys.encode(INTEGERS, [1]), Keys.encode(INTEGERS, [1]).words)
    monkeypatch.setattr(SQLite, "_fast_census", lambda *_: short)
    assert len(read(url)) == 2  # the plain way does not fall short
    monkeypatch.setattr("idstorm.databases.censuses.read_pairs", lambda *_: [(1, 1)])
    with pytest.raises(CensusUnreadable, match="1 rows where the table counts 2"):
        read(url)


def test_a_census_is_written_and_read_as_it_was(tmp_path: Path) -> None:
    census = Census.of(Codec("text", 16), [("one", 1), (None, 2), ("three", None)])
    stamp = STAMP
    census.write(tmp_path / "census.zip", stamp)
    again = Census.read(tmp_path / "census.zip", Codec("text", 16), stamp)
    assert [again.ids.show(place) for place in (0, 2)] == ["one", "three"]
    assert again.null_ids is not None
    assert again.null_ids.tolist() == [False, True, False]


def test_odd_ids_are_written_and_read_as_they_were(tmp_path: Path) -> None:
    census = Census.of(INTEGERS, [(1, 1), ("odd", 2), (None, 3)])
    census.write(tmp_path / "census.zip", STAMP)
    again = Census.read(tmp_path / "census.zip", INTEGERS, STAMP)
    assert [again.show_id(place) for place in range(3)] == [1, "odd", None]


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


SOME_READ_BACK = """
    import itertools, os
    from sqlalchemy import String, TypeDecorator
    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
    from idstorm.scenario import Scenario

    class Base(DeclarativeBase):
        pass

    class Code(TypeDecorator):
        impl = String(40)
        cache_ok = True

        def process_result_value(self, value, dialect):
            return value if value.endswith(READABLE) else {}[value]

    READABLE = ("0", "1", "2", "3", "4", "5", "6", "7", "8")
    numbers = itertools.count()

    class Thing(Base):
        __tablename__ = "thing"
        id: Mapped[str] = mapped_column(Code, primary_key=True, default=lambda: f"{os.getpid()}-{next(numbers)}")
        name: Mapped[str] = mapped_column(String(40))

    class Other(Base):
        __tablename__ = "other"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(String(40))

    things, others = Scenario(Thing), Scenario(Other)
    """


def test_ids_that_do_not_read_back_are_broken_and_the_run_goes_on(idstorm: Idstorm, anywhere: On) -> None:
    ran = idstorm.storm(idstorm.write("mine.py", SOME_READ_BACK), "--on", anywhere.dialect, **anywhere.environ)
    assert ran.code == 1, ran.err
    things, others = ran.report["storms"]
    faithful = things["verdicts"]["faithful"]
    assert faithful["status"] == "broken"
    assert {witness["stored"] == witness["told"] for witness in faithful["witnesses"]} == {True}
    assert {witness["stored"][-1] for witness in faithful["witnesses"]} == {"9"}
    assert faithful["figures"]["misattributed"] == 40
    assert others["result"] == "passed"
