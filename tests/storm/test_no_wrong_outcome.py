"""Work that is hard to follow: whatever its errors leave of it, no outcome is said that is not so."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from idstorm.databases.mysql.statements import STATEMENTS as MYSQL
from idstorm.databases.registry import DATABASES
from running import Idstorm

HEAD = """
import random, sqlite3, threading
from itertools import count
from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column
from idstorm.scenario import *

class Thing(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
"""
LATE = """
lock, numbers = threading.Lock(), count(1)

def work(session, tokens):
    with lock:
        ids = [next(numbers) for _ in tokens]
    session.add_all([Thing(id=id_, token=token) for id_, token in zip(ids, tokens)])  # flushed by the COMMIT
    return ids

mine = Scenario(Thing, insert=work, generated=False, claims=[holds(ordered)])
"""
DELETED_ELSEWHERE = """
calls = count(1)

def delete(session, ids):
    other = sqlite3.connect(session.get_bind().url.database, timeout=10)
    other.executemany("DELETE FROM thing WHERE id = ?", [(id_,) for id_ in ids])
    other.commit()
    other.close()
    if next(calls) % 5 == 0:
        raise TimeoutError("no answer")

mine = Scenario(Thing, delete=delete, deletes=0.3, failing=0.4)
"""
GOT_OVER = """
def work(session, tokens):
    (token,) = tokens
    try:
        return [session.execute(insert(Thing).values(id=1, token=token).returning(Thing.id)).scalar_one()]
    except IntegrityError:
        session.rollback()
        id_ = session.execute(insert(Thing).values(token=token).returning(Thing.id)).scalar_one()
        session.connection().connection.commit()
        if random.random() < 0.2:
            raise RuntimeError("after it was done")
        return [id_]

mine = Scenario(Thing, insert=work, generated=False, failing=0.4)
"""
MANY = """
def work(session, tokens):
    (token,) = tokens
    id_ = random.randrange(1_000, 1 << 40)
    rows = [{"id": id_, "token": token}, {"id": random.randrange(20), "token": None}]
    session.execute(insert(Thing.__table__), rows)
    return [id_]

mine = Scenario(Thing, insert=work, generated=False, isolation="AUTOCOMMIT", failing=0.99)
"""


def verdicts(idstorm: Idstorm, body: str, *words: str) -> dict[str, Any]:
    ran = idstorm.storm(idstorm.write("mine.py", HEAD + body), "-n", "300", *words)
    (storm,) = ran.report["storms"]
    judged: dict[str, Any] = storm["verdicts"]
    return judged


def test_work_whose_rows_are_sent_by_the_commit_has_begun_before_its_ids_were_handed(idstorm: Idstorm) -> None:
    assert verdicts(idstorm, LATE, "-c", "4", "--think", "1..4ms")["ordered"]["status"] == "held"


@pytest.mark.parametrize("body", [DELETED_ELSEWHERE, GOT_OVER, MANY])
def test_what_was_committed_past_the_harness_is_never_called_failed(idstorm: Idstorm, body: str) -> None:
    judged = verdicts(idstorm, body)
    assert {check: judged[check]["status"] for check in ("durable", "unique")} == {"durable": "held", "unique": "held"}


def retried_without_a_connection(connection: sa.Connection) -> None:
    """Be refused a row and, while that is handled, find no connection in the pool."""
    try:
        connection.exec_driver_sql("INSERT INTO thing VALUES (1)")
    except sa.exc.IntegrityError:
        pool: dict[str, Any] = {"poolclass": sa.QueuePool, "pool_size": 1, "max_overflow": 0, "pool_timeout": 0.01}
        engine = sa.create_engine("sqlite:///:memory:", **pool)
        with engine.connect():
            engine.connect()


def test_a_pool_without_a_connection_in_time_is_no_refusal_whatever_was_being_handled() -> None:
    with sa.create_engine("sqlite://").connect() as connection:
        connection.exec_driver_sql("CREATE TABLE thing (id INTEGER PRIMARY KEY)")
        connection.exec_driver_sql("INSERT INTO thing VALUES (1)")
        with pytest.raises(sa.exc.TimeoutError) as caught:
            retried_without_a_connection(connection)
    code = DATABASES["sqlite"].classify(caught.value, ["thing.id"], ["thing.PRIMARY(id)"])
    assert (code.refused, code.recognised) == (False, True)


@pytest.mark.parametrize(
    "statement", ["SET STATEMENT max_statement_time=1 FOR ALTER TABLE t ADD x INT", "/*M! COMMIT */"]
)
def test_what_mariadb_alone_understands_may_commit(statement: str) -> None:
    assert MYSQL.may_commit(statement)
