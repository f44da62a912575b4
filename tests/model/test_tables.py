"""Tables that migrations make, and tables that no class is mapped to."""

from __future__ import annotations

from pathlib import Path

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
there = sa.Table("there", metadata, sa.Column("id", sa.Integer, primary_key=True), schema="hr")
elsewhere = Scenario(there, tables=fails)
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


def test_migrations_of_a_model_that_names_a_schema_are_refused(idstorm: Idstorm) -> None:
    ran = idstorm("run", f"{idstorm.write('mine.py', CORE)}:elsewhere", "-n", "400")
    assert (ran.code, "the model names the schema hr, in which migrations would alter" in ran.err) == (2, True)


def test_migrations_that_fail_are_shown_as_theirs(idstorm: Idstorm) -> None:
    ran = idstorm("run", f"{idstorm.write('mine.py', CORE)}:failing", "-n", "400")
    assert ran.code == 2
    assert "bringing the tables to their schema failed" in ran.err
    assert "ALTER TABLE nowhere" in ran.err
