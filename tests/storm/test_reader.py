"""A reader polls while the storm runs, misses what such readers miss, and leaves the storm as it was."""

from __future__ import annotations

from typing import Any

import pytest

from idstorm.record import stored
from idstorm.record.poll_log import Reading
from running import Idstorm
from servers import On, database

HEAD = """
from idstorm.scenario import *
from sqlalchemy import BigInteger, String, select
from sqlalchemy.orm import Mapped, mapped_column

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
"""


def storms(idstorm: Idstorm, *words: str, on: On | None = None) -> list[dict[str, Any]]:
    on = on or database("sqlite")
    ran = idstorm.storm(*words, "--on", on.dialect, **on.environ)
    assert ran.out, ran.err
    found: list[dict[str, Any]] = ran.report["storms"]
    return found


def reading(idstorm: Idstorm) -> Reading:
    run = stored.open_run(idstorm.run_folder)
    (entry,) = run.storms
    recorded = stored.read_storm(run, entry).reading
    assert recorded is not None
    return recorded


def test_a_reader_sees_every_row_where_ids_become_visible_in_order(idstorm: Idstorm) -> None:
    (storm,) = storms(idstorm, "autoincrement", "--reader", "-n", "800")
    visible = storm["verdicts"]["visible"]
    assert (visible["status"], visible["figures"]["skipped"]) == ("held", 0)
    recorded = reading(idstorm)
    assert recorded.complete
    assert recorded.counts.sum() == len(recorded.tokens) == 800
    assert recorded.high[-1] == 800
    assert (recorded.ended >= recorded.begin).all()
    assert (recorded.begin[1:] >= recorded.ended[:-1]).all()


def test_what_a_reader_misses_on_a_server_is_found_and_each_row_is_still_there(idstorm: Idstorm, server: On) -> None:
    (storm,) = storms(idstorm, "autoincrement", "--reader", "--think", "0..5ms", "-n", "1200", on=server)
    visible = storm["verdicts"]["visible"]
    assert visible["status"] == "broken"
    assert storm["verdicts"]["durable"]["status"] == "held"
    figures = visible["figures"]
    assert figures["safe_lag_ids"] >= figures["overtake"] >= 1
    assert figures["safe_lag_ms"] > 0
    assert visible["witnesses"][0]["had_seen"] > visible["witnesses"][0]["id"]


@pytest.mark.release
def test_the_remedies_of_the_outbox_scenario_miss_nothing(idstorm: Idstorm, postgresql: On) -> None:
    outbox, *remedies = storms(idstorm, "outbox", "-n", "1200", on=postgresql)
    assert outbox["verdicts"]["visible"]["status"] == "broken"
    assert {each["scenario"]: each["verdicts"]["visible"]["status"] for each in remedies} == {
        f"outbox:{name}": "held" for name in ("lag", "watermark", "one_at_a_time", "reader_locks", "gap_aware")
    }


NO_ROOM = """
from uuid import uuid4
from sqlalchemy.orm import DeclarativeBase

class Base(DeclarativeBase):
    pass

class Tokenless(Base):
    __tablename__ = "tokenless"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=lambda: uuid4().hex)

class Loose(Row):
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=lambda: uuid4().hex)

unread, loose = Scenario(Thing), Scenario(Loose, reader=True)
tokenless = Scenario(Tokenless, reader=True)
"""


def test_where_a_reader_makes_no_sense_it_is_said_why(idstorm: Idstorm) -> None:
    found = {
        storm["scenario"].rpartition(":")[2]: storm["verdicts"]["visible"]
        for storm in storms(idstorm, idstorm.write("mine.py", HEAD + NO_ROOM))
    }
    assert {verdict["status"] for verdict in found.values()} == {"n/a"}
    assert "there was no reader" in found["unread"]["reason"]
    assert "no column of the table can carry a token" in found["tokenless"]["reason"]
    assert "not meant to be in any order" in found["loose"]["reason"]


def test_ids_that_sort_are_read_in_their_order(idstorm: Idstorm) -> None:
    (storm,) = storms(idstorm, "ulids", "--reader", "--deletes", "0", "-n", "800")
    assert storm["verdicts"]["ordered"]["status"] in ("held", "broken")
    run = stored.open_run(idstorm.run_folder)
    recorded = stored.read_storm(run, run.storms[0])
    assert recorded.reading is not None
    assert recorded.census is not None
    id_of = {token: str(recorded.census.show_id(place)) for place, token in enumerate(recorded.census.tokens.tolist())}
    seen = [id_of[token] for token in recorded.reading.tokens.tolist()]
    assert len(seen) > 1
    assert seen == sorted(set(seen))


def test_a_poll_of_the_users_own_that_fails_is_shown_as_theirs(idstorm: Idstorm) -> None:
    body = "def poll(connection, last, final):\n    return 1 / 0, None\n\nmine = Scenario(Thing, reader=poll)\n"
    ran = idstorm.storm(idstorm.write("mine.py", f"{HEAD}\n{body}"))
    assert ran.code == 2
    assert "the reader failed" in ran.err
    assert "return 1 / 0" in ran.err


def test_a_table_that_is_gone_for_a_while_is_no_end_of_the_reader(idstorm: Idstorm, postgresql: On) -> None:
    words = ("backup_restore:position", "--reader", "-n", "1200")
    (storm,) = storms(idstorm, *words, on=postgresql)
    assert storm["verdicts"]["durable"]["status"] == "held"
    assert reading(idstorm).complete


HELD_BACK = """
import os

import sqlalchemy as sa

from dataclasses import replace
from idstorm import catalogue
from idstorm.scenario import NotYet

(watermark,) = catalogue.find("outbox:watermark")
elsewhere = sa.create_engine(os.environ["IDSTORM_POSTGRESQL_URL"], poolclass=sa.NullPool)
open_now = []

def begin(place):
    open_now.append(elsewhere.connect())
    open_now[0].execute(sa.text("SELECT pg_current_xact_id()"))
"""

ENDS = """
def poll(connection, last, final):
    try:
        return watermark.scenario.reader(connection, last, final)
    except NotYet:
        assert final
        while open_now:  # other transactions of the server may hold rows back for longer
            open_now.pop().close()
        raise

mine = replace(watermark.scenario, interlude=begin, reader=poll)
"""

STAYS = """
from idstorm.storm import reader
reader._LAST_WITHIN = 0.5

mine = replace(watermark.scenario, interlude=begin)
"""


def test_rows_that_a_strangers_transaction_holds_back_are_read_once_it_ends(idstorm: Idstorm, postgresql: On) -> None:
    (storm,) = storms(idstorm, idstorm.write("mine.py", HELD_BACK + ENDS), "-n", "600", on=postgresql)
    visible = storm["verdicts"]["visible"]
    assert (visible["status"], visible["figures"]["skipped"]) == ("held", 0), visible


def test_while_a_strangers_transaction_holds_rows_back_nobody_knows_whether_they_are_missed(
    idstorm: Idstorm, postgresql: On
) -> None:
    (storm,) = storms(idstorm, idstorm.write("mine.py", HELD_BACK + STAYS), "-n", "600", on=postgresql)
    visible = storm["verdicts"]["visible"]
    assert (storm["result"], visible["status"], visible["figures"]["skipped"]) == ("inconclusive", "unknown", 0)
    assert "not all rows could be read: another transaction of the server is still open" in visible["reason"]


def test_a_local_database_has_no_room_for_a_reader(idstorm: Idstorm) -> None:
    body = "mine = Scenario(Thing, local=True, reader=True)\n"
    ran = idstorm("run", idstorm.write("mine.py", f"{HEAD}\n{body}"))
    assert ran.code == 2
    assert "no client, interlude or reader" in ran.err


UNREADABLE = """
from uuid import uuid4
from sqlalchemy import SmallInteger
from sqlalchemy.orm import DeclarativeBase

class Base(DeclarativeBase):
    pass

class Several(Row):
    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)

counter = __import__("itertools").count(1)

def work(session, tokens):
    rows = [Several(year=tokens[0] % 1_000_000, number=next(counter), token=tokens[0])]
    session.add_all(rows)
    session.flush()
    return [(row.year, row.number) for row in rows]

class Tokenless(Base):
    __tablename__ = "tokenless"
    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=lambda: uuid4().hex)
    note: Mapped[int | None] = mapped_column(SmallInteger)

several, tokenless = Scenario(Several, insert=work), Scenario(Tokenless)
"""


def test_rows_without_a_token_are_read_by_their_ids(idstorm: Idstorm) -> None:
    bare = """
from sqlalchemy.orm import DeclarativeBase

class Base(DeclarativeBase):
    pass

class Bare(Base):
    __tablename__ = "bare"
    id: Mapped[int] = mapped_column(primary_key=True)

mine = Scenario(Bare, reader=True)
"""
    (storm,) = storms(idstorm, idstorm.write("mine.py", HEAD + bare), "-n", "600")
    assert storm["verdicts"]["visible"]["figures"]["advanced"] > 0
    recorded = reading(idstorm)
    assert len(set(recorded.tokens.tolist())) == 600
    assert recorded.tokens.max() == 600


def test_who_asks_for_a_reader_where_none_can_be_is_told_why_and_what_to_do(idstorm: Idstorm) -> None:
    name = idstorm.write("mine.py", f"{HEAD}{UNREADABLE}\nlocal = Scenario(Thing, local=True)\n")
    ways_out = {"several": "Scenario(id=…)", "tokenless": "add a column `token`", "local": "leave out --reader"}
    ran = idstorm.storm(name, "--reader", "--repeat", "2", "-n", "400")
    assert ran.code == 3
    assert {merged["scenario"] for merged in ran.report["repeats"]} == {f"mine:{one}" for one in ways_out}
    for merged in ran.report["repeats"]:
        visible = merged["verdicts"]["visible"]
        assert (visible["status"], visible["result"], merged["result"]) == ("n/a", "inconclusive", "inconclusive")
        assert ways_out[merged["scenario"].partition(":")[2]] in visible["reason"]


def test_a_reader_that_nobody_asked_for_by_name_may_be_missing(idstorm: Idstorm) -> None:
    name = idstorm.write("mine.py", HEAD + UNREADABLE)
    ran = idstorm("matrix", "--scenario", f"{name}:tokenless", "--on", "sqlite", "-n", "400", "--json", "-")
    assert ran.report["storms"][0]["verdicts"]["visible"]["result"] == "n/a"
    assert idstorm.storm(f"{name}:tokenless").report["storms"][0]["verdicts"]["visible"]["result"] == "n/a"
