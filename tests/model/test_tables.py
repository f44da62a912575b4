"""Tables that migrations make, and tables that no class is mapped to."""

from __future__ import annotations

from pathlib import Path

import pytest

from running import Idstorm
from servers import On

EXAMPLE = Path(__file__).parents[2] / "examples" / "migrated.py"
CORE = """
import sqlalchemy as sa
from idstorm.scenario import Scenario

metadata = sa.MetaData()
orders = sa.Table("orders", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("no", sa.Integer))
keyless = sa.Table("keyless", metadata, sa.Column("id", sa.Integer))

def fails(connection):
    connection.exec_driver_sql("ALTER TABLE nowhere ADD COLUMN x int")

failing = Scenario(orders, tables=fails)
schemas = sa.MetaData()
there = sa.Table("there", schemas, sa.Column("id", sa.Integer, primary_key=True), schema="hr")
elsewhere = Scenario(there, tables=fails)

def migrate(connection):
    connection.exec_driver_sql("CREATE SCHEMA hr")
    connection.exec_driver_sql("CREATE SEQUENCE hr.number START 100")
    connection.exec_driver_sql("CREATE TABLE hr.there (id int DEFAULT nextval('hr.number') PRIMARY KEY)")

migrated = Scenario(there, tables=migrate)
place = sa.Table("place", schemas, sa.Column("id", sa.Integer, primary_key=True), schema="shop")
person = sa.Table(
    "person",
    schemas,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("place", sa.ForeignKey(place.c.id), nullable=False),
    sa.Column("token", sa.BigInteger),
    schema="hr",
)
"""


def test_a_table_is_stormed_as_its_migrations_leave_it(idstorm: Idstorm, anywhere: On) -> None:
    ran = idstorm.storm(str(EXAMPLE), "-n", "400", "--on", anywhere.dialect, **anywhere.environ)
    (storm,) = ran.report["storms"]
    assert (ran.code, storm["verdicts"]["durable"]["status"]) == (0, "held"), ran.err


def test_a_table_of_core_is_stormed_by_its_name(idstorm: Idstorm) -> None:
    ran = idstorm.storm(f"{idstorm.write('mine.py', CORE)}:orders", "-n", "400")
    (storm,) = ran.report["storms"]
    assert (ran.code, storm["verdicts"]["unique"]["status"]) == (0, "held"), ran.err


def test_a_column_of_a_table_of_core_is_judged_by_its_name(idstorm: Idstorm) -> None:
    ran = idstorm("run", f"{idstorm.write('mine.py', CORE)}:orders.nr", "-n", "400")
    assert (ran.code, "orders has no column nr; there are id, no" in ran.err) == (2, True), ran.err


def test_a_table_without_a_primary_key_is_refused_in_a_sentence(idstorm: Idstorm) -> None:
    ran = idstorm("run", f"{idstorm.write('mine.py', CORE)}:keyless")
    assert (ran.code, "the table keyless has no primary key" in ran.err) == (2, True), ran.err


def test_migrations_that_name_a_schema_are_refused_where_a_storm_has_none(idstorm: Idstorm) -> None:
    path = idstorm.write("mine.py", CORE)
    for words in ([], ["--on", "postgresql://u@h/d", "--namespace", "schema"]):
        ran = idstorm("run", f"{path}:elsewhere", "-n", "400", *words)
        assert (ran.code, "the model names the schema hr, in which migrations would alter" in ran.err) == (2, True)


def test_migrations_that_name_a_schema_have_a_database_of_their_own(idstorm: Idstorm, postgresql: On) -> None:
    with postgresql.engine().connect() as connection:
        before = connection.exec_driver_sql("SELECT to_regnamespace('hr')::text").scalar_one()
    path = idstorm.write("mine.py", CORE)
    ran = idstorm.storm(f"{path}:migrated", "-n", "200", "--on", "postgresql", **postgresql.environ)
    (storm,) = ran.report["storms"]
    held = [storm["verdicts"][name]["status"] for name in ("durable", "headroom")]
    assert (ran.code, held, storm["target"]["facts"]["namespace"]) == (0, ["held", "held"], "database"), ran.out
    with postgresql.engine().connect() as connection:
        assert connection.exec_driver_sql("SELECT to_regnamespace('hr')::text").scalar_one() == before


@pytest.mark.parametrize("kind", ["schema", "database"])
def test_tables_in_several_schemas_are_stormed(idstorm: Idstorm, postgresql: On, kind: str) -> None:
    words = ("-n", "200", "--reader", "--deletes", "0.1", "--namespace", kind, "--on", "postgresql")
    ran = idstorm.storm(f"{idstorm.write('mine.py', CORE)}:person", *words, **postgresql.environ)
    (storm,) = ran.report["storms"]
    statuses = {storm["verdicts"][name]["status"] for name in ("durable", "faithful", "headroom", "visible")}
    assert (ran.code, statuses - {"held", "broken"}) == (0, set()), ran.out
    assert storm["verdicts"]["durable"]["status"] == "held"


def test_migrations_that_fail_are_shown_as_theirs(idstorm: Idstorm) -> None:
    ran = idstorm("run", f"{idstorm.write('mine.py', CORE)}:failing", "-n", "400")
    assert ran.code == 2
    assert "bringing the tables to their schema failed" in ran.err
    assert "ALTER TABLE nowhere" in ran.err
