"""What a server refuses is known by its code: what it was, whose constraint it was, and that nothing came of it."""

from __future__ import annotations

import pytest

from databases.own import faults, storm
from running import Idstorm
from servers import On, database

REFUSED = """
class Named(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[int] = mapped_column(unique=True)

def work(session, tokens):
    (token,) = tokens
    same_id, same_name = AT_WORK and token % 8 == 0, AT_WORK and token % 8 == 1
    id_ = 1 if same_id else token % 2_000_000_000
    session.execute(insert(Named).values(id=id_, name=1 if same_name else token % 2_000_000_000, token=token))
    return [id_]

def setup(connection):
    connection.execute(insert(Named).values(id=1, name=1))

mine = Scenario(Named, insert=work, setup=setup, claims=[breaks(accepted, why="one in eight wants the id 1")])
"""
DUPLICATE = {
    "postgresql": (
        "postgresql:23505 UniqueViolation of named_pkey",
        "postgresql:23505 UniqueViolation of named_name_key",
    ),
    "mysql": ("mysql:1062 IntegrityError of PRIMARY", "mysql:1062 IntegrityError of name"),
    "mariadb": ("mariadb:1062 IntegrityError of PRIMARY", "mariadb:1062 IntegrityError of name"),
}


def test_only_the_ids_own_constraint_is_a_collision(idstorm: Idstorm, server: On) -> None:
    report = storm(idstorm, server, REFUSED)
    assert report["code"] == 0, report
    of_the_id, of_another = (report["operations"]["errors"]["by_code"][code] for code in DUPLICATE[server.dialect])
    assert of_the_id > 0
    assert of_another > 0
    assert report["operations"]["failed"] == of_the_id + of_another
    assert report["operations"]["unknown"] == 0
    assert report["verdicts"]["accepted"]["figures"]["collisions"] == of_the_id
    assert faults(report) == {}


CONTENDED = """
class Account(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int] = mapped_column(default=0)

def setup(connection):
    connection.execute(insert(Account).values([{"id": 1, "balance": 0}, {"id": 2, "balance": 0}]))
    if connection.dialect.name == "postgresql":
        connection.execute(text("ALTER SEQUENCE account_id_seq RESTART 3"))

def work(session, tokens):
    (token,) = tokens
    turned = session.get_bind().dialect.name != "postgresql" and token % 2  # there a deadlock is noticed after 1 s
    contended = () if token % 4 > 1 else (2, 1) if turned else (1, 2)
    for id_ in contended:
        session.execute(text(f"UPDATE account SET balance = balance + 1 WHERE id = {id_}"))
    account = Account(token=token)
    session.add(account)
    session.flush()
    return [account.id]

mine = Scenario(Account, insert=work, setup=setup)
"""
GIVEN_UP = {"postgresql": ("postgresql:40001",), "mysql": ("mysql:1213",), "mariadb": ("mariadb:1213", "mariadb:1020")}


def test_a_deadlock_or_a_serialization_failure_is_a_failed_operation(idstorm: Idstorm, server: On) -> None:
    report = storm(idstorm, server, CONTENDED, "-n", "1200", "--isolation", "REPEATABLE READ")
    assert report["code"] == 0, report
    by_code = report["operations"]["errors"]["by_code"]
    assert by_code
    assert all(code.startswith(GIVEN_UP[server.dialect]) for code in by_code)
    assert report["operations"]["failed"] == sum(by_code.values())
    assert report["operations"]["unknown"] == 0
    assert faults(report) == {}


EXHAUSTED = """
from sqlalchemy import SmallInteger

class Few(Row):
    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True)

def setup(connection):
    if connection.dialect.name == "postgresql":
        connection.execute(text("ALTER SEQUENCE few_id_seq RESTART 32468"))
    else:
        connection.execute(text("ALTER TABLE few AUTO_INCREMENT = 32468"))

mine = Scenario(Few, setup=setup, claims=[may_break(accepted, starts_at, why="it starts near the end of its type")])
"""
USED_UP = {
    "postgresql": ("postgresql:2200H",),
    "mysql": ("mysql:1467", "mysql:1062"),
    "mariadb": ("mariadb:167", "mariadb:1062"),
}


def test_ids_that_are_used_up_are_failed_operations(idstorm: Idstorm, server: On) -> None:
    report = storm(idstorm, server, EXHAUSTED)
    assert report["code"] == 0, report
    operations = report["operations"]
    assert operations["acknowledged"] in (299, 300)
    assert all(code.startswith(USED_UP[server.dialect]) for code in operations["errors"]["by_code"])
    assert operations["failed"] == 400 - operations["acknowledged"]
    assert operations["unknown"] == 0
    assert faults(report) == {}
    assert report["verdicts"]["unique"]["status"] == "held"


OTHER_TABLE = """
class Daily(Row):
    day: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)

def work(session, tokens):
    (token,) = tokens
    connection = session.connection()
    id_ = connection.execute(insert(Thing).values(token=token)).inserted_primary_key[0]
    connection.execute(insert(Daily).values(day=token % 331, token=token))
    return [id_]

mine = Scenario(Thing, insert=work, claims=[holds(unique, accepted, durable, faithful)])
"""


@pytest.mark.parametrize("isolation", ["AUTOCOMMIT", "READ COMMITTED"])
def test_the_primary_key_of_another_table_is_not_the_ids_own(idstorm: Idstorm, server: On, isolation: str) -> None:
    report = storm(idstorm, server, OTHER_TABLE, "-n", "600", "--isolation", isolation)
    operations = report["operations"]
    refused = operations["attempted"] - operations["acknowledged"]
    assert refused >= 600 - 331
    # Under AUTOCOMMIT the row of the id itself is there by then.
    assert operations["unknown" if isolation == "AUTOCOMMIT" else "failed"] == refused
    assert report["verdicts"]["accepted"]["status"] == "held"
    assert report["verdicts"]["accepted"]["figures"]["unrecognised"] == 0
    assert faults(report) == {}


MAX_PLUS_ONE = """
class Article(Row):
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)

def work(session, tokens):
    new = (session.scalar(text("SELECT max(id) FROM article")) or 0) + 1
    session.add(Article(id=new, token=tokens[0]))
    session.flush()
    return [new]

mine = Scenario(Article, insert=work, isolation="READ COMMITTED", claims=[breaks(accepted, why="two take one number")])
"""


@pytest.mark.parametrize(
    ("dialect", "driver"),
    [("postgresql", "psycopg2"), ("mysql", "mysqlconnector"), ("mariadb", "mysqlconnector")],
)
def test_refusals_are_seen_by_whatever_driver(idstorm: Idstorm, dialect: str, driver: str) -> None:
    on = database(dialect)
    assert on.url is not None
    other = On(dialect, on.url.set(drivername=f"{dialect}+{driver}"))
    report = storm(idstorm, other, MAX_PLUS_ONE)
    assert report["target"]["driver"] == driver
    assert report["verdicts"]["accepted"]["status"] == "broken"
    assert report["verdicts"]["accepted"]["figures"]["collisions"] == report["operations"]["failed"] > 0
    assert faults(report) == {}
