"""Whose unique key refused a row: the id's own, that of something else, or one of which it cannot be told."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from databases.own import execute, own_database
from idstorm.databases.error_code import ErrorCode
from idstorm.databases.registry import DATABASES
from idstorm.databases.uniques import Unique, guards, written
from idstorm.model.work import constraints_of, id_columns
from idstorm.scenario import Scenario
from servers import On, database


class Base(DeclarativeBase):
    metadata = sa.MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_N_name)s"})


class Invoice(Base):
    __tablename__ = "invoice"
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[int]
    number: Mapped[int]
    code: Mapped[str] = mapped_column(sa.String(20))
    __table_args__ = (
        sa.UniqueConstraint("tenant", "number"),
        sa.Index("by_code", sa.text("lower(code)"), unique=True),
        sa.Index(None, "number", "code", unique=True, postgresql_where=sa.text("code > ''")),
    )


class Payment(Base):
    __tablename__ = "payment"
    id: Mapped[int] = mapped_column(primary_key=True)
    invoice: Mapped[int] = mapped_column(unique=True)


def keys(*columns: str) -> tuple[str, ...]:
    return constraints_of(id_columns(Scenario(Invoice, id=columns), sa.inspect(Invoice)))


@pytest.mark.parametrize(
    ("key", "ids", "own"),
    [
        ({"number"}, {"number"}, True),
        ({"tenant", "number"}, {"number"}, True),  # it includes the id
        ({"tenant", "number", "year"}, {"tenant", "number"}, True),
        ({"number"}, {"tenant", "number"}, True),  # it is on a part of the id, and on nothing else
        ({"email"}, {"number"}, False),
        ({"number", "year"}, {"tenant", "number"}, False),  # it refuses for the year's sake as well
        (set(), {"number"}, False),
    ],
)
def test_a_key_is_the_ids_own_if_one_includes_the_other(key: set[str], ids: set[str], own: bool) -> None:
    assert guards(key, ids) is own


def test_a_model_names_its_keys_as_each_database_does() -> None:
    assert keys("number") == (
        "invoice.invoice_tenant_number_key(tenant,number)",
        "invoice.ix_invoice_number_code(number,code)",
        "invoice.tenant(tenant,number)",
        "~invoice.PRIMARY(id)",
        "~invoice.invoice_pkey(id)",
        "~payment.PRIMARY(id)",
        "~payment.invoice(invoice)",
        "~payment.payment_invoice_key(invoice)",
        "~payment.payment_pkey(id)",
    )


@pytest.mark.parametrize("name", ["plain", "two words", 'a"quote', "dot.ted", "par(en)", "~", "é"])
def test_any_name_is_read_back_as_it_was_written(name: str) -> None:
    for own, triggers in ((True, False), (False, True)):
        key = Unique(name, name, (name, "plain"), own=own, triggers=triggers)
        assert Unique.of(str(key)) == key


@pytest.mark.parametrize(
    ("said", "own"),
    [
        ("invoice_tenant_number_key", True),
        ("invoice.tenant", True),
        ("invoice.tenant, invoice.number", True),  # as SQLite has it
        ("tenant_2", True),  # as MySQL calls the second that begins so
        ("invoice_pkey", False),
        ("payment.PRIMARY", False),
        ("PRIMARY", False),
        ("ck_positive", None),
    ],
)
def test_an_application_may_name_a_constraint(said: str, own: bool | None) -> None:
    for one in DATABASES.values():
        assert one.is_own(said, keys("number")) is own


def test_a_name_of_both_kinds_tells_nothing() -> None:
    both = written(["a.id"], [("a", "PRIMARY", ["id"], False), ("b", "PRIMARY", ["id"], False)])
    assert DATABASES["mariadb"].is_own("PRIMARY", both) is None
    assert DATABASES["mariadb"].is_own("a.PRIMARY", both) is True
    assert DATABASES["mariadb"].is_own("b.PRIMARY", both) is False


def refused(on: On, columns: Sequence[str], names: Sequence[str], *statements: str) -> ErrorCode:
    """What the error of the last statement means, for the id in these columns, as `table.column`."""
    with on.engine().connect() as connection:
        for statement in statements[:-1]:
            connection.exec_driver_sql(statement)
        with pytest.raises(sa.exc.DBAPIError) as raised:
            connection.exec_driver_sql(statements[-1])
    return DATABASES[on.dialect].classify(raised.value, columns, names)


def catalogue(on: On, *columns: str) -> tuple[str, ...]:
    with on.engine().connect() as connection:
        return DATABASES[on.dialect].keys(connection, columns)


INVOICE = "CREATE TABLE invoice (id INTEGER PRIMARY KEY, tenant INTEGER, number INTEGER, code VARCHAR(20))"
FIRST, SAME_NUMBER = "INSERT INTO invoice VALUES (1, 1, 7, 'a')", "INSERT INTO invoice VALUES (2, 1, 7, 'b')"


def test_a_key_that_no_model_has_is_found_in_the_catalogue(server: On) -> None:
    with own_database(server) as on:
        execute(on, INVOICE, "CREATE UNIQUE INDEX made_by_hand ON invoice (tenant, number)", FIRST)
        ids = ("invoice.number",)
        code = refused(on, ids, catalogue(on, *ids), SAME_NUMBER)
        assert (code.refused, code.recognised) == (True, True), code
        assert code.name.endswith(" of made_by_hand")
        code = refused(on, ids, keys("number"), SAME_NUMBER)
        told = server.dialect == "postgresql"  # which says the columns; the others have nothing but the name
        assert (code.refused, code.recognised) == (told, told), code
        code = refused(on, ids, catalogue(on, *ids), "INSERT INTO invoice VALUES (1, 2, 8, 'b')")
        assert (code.refused, code.recognised) == (False, True), code


def test_a_table_that_no_model_has_is_another_table(server: On) -> None:
    with own_database(server) as on:
        execute(on, INVOICE, "CREATE TABLE stranger (id INTEGER PRIMARY KEY)", "INSERT INTO stranger VALUES (1)")
        code = refused(on, ("invoice.id",), catalogue(on, "invoice.id"), "INSERT INTO stranger VALUES (1)")
        assert (code.refused, code.recognised) == (False, True), code


def test_the_keys_of_partitions_are_those_of_the_whole(postgresql: On) -> None:
    with own_database(postgresql) as on:
        execute(
            on,
            "CREATE TABLE invoice (id INTEGER, year INTEGER, PRIMARY KEY (id, year)) PARTITION BY RANGE (year)",
            "CREATE TABLE invoice_2026 PARTITION OF invoice FOR VALUES FROM (2026) TO (2027)",
            "INSERT INTO invoice VALUES (1, 2026)",
        )
        again, ids = "INSERT INTO invoice VALUES (1, 2026)", ("invoice.id",)
        code = refused(on, ids, catalogue(on, *ids), again)
        assert code.refused, code
        assert code.name.endswith(" of invoice_2026_pkey")
        code = refused(on, ids, keys("id"), again)
        assert (code.refused, code.recognised) == (False, False), code  # it may be, the model does not know


def test_an_index_on_an_expression_and_an_exclusion_constraint_are_keys(postgresql: On) -> None:
    with own_database(postgresql) as on:
        execute(
            on,
            INVOICE,
            "CREATE UNIQUE INDEX by_code ON invoice (lower(code)) WHERE tenant > 0",
            "ALTER TABLE invoice ADD CONSTRAINT numbers EXCLUDE USING btree (number WITH =)",
            FIRST,
        )
        for column, again in (("code", "(2, 1, 8, 'A')"), ("number", "(2, 0, 7, 'b')")):
            ids = (f"invoice.{column}",)
            for names in (catalogue(on, *ids), keys(column)):
                assert refused(on, ids, names, f"INSERT INTO invoice VALUES {again}").refused
            other = ("invoice.tenant",)
            code = refused(on, other, catalogue(on, *other), f"INSERT INTO invoice VALUES {again}")
            assert (code.refused, code.recognised) == (False, True), code


def test_a_function_that_raises_a_refusal_of_its_own_leaves_it_unknown(postgresql: On) -> None:
    with own_database(postgresql) as on:
        execute(on, INVOICE)
        for state in ("unique_violation", "raise_exception", "45000"):
            raising = f"DO $$ BEGIN RAISE 'no' USING ERRCODE = '{state}'; END $$"
            code = refused(on, ("invoice.id",), keys("id"), raising)
            assert (code.refused, code.recognised) == (False, False), code


def test_what_fails_after_an_error_that_was_swallowed_leaves_it_unknown(postgresql: On) -> None:
    with own_database(postgresql) as on:
        execute(on, INVOICE, FIRST)
        assert on.url is not None
        with sa.create_engine(on.url, poolclass=sa.NullPool).connect() as connection:
            with pytest.raises(sa.exc.IntegrityError):
                connection.exec_driver_sql(FIRST)
            with pytest.raises(sa.exc.DBAPIError) as raised:
                connection.exec_driver_sql("SELECT 1")
        code = DATABASES["postgresql"].classify(raised.value, ("invoice.id",), keys("id"))
        assert (code.refused, code.recognised, code.rolled_back) == (False, False, True), code


@pytest.mark.parametrize("dialect", ["mysql", "mariadb"])
def test_a_trigger_may_write_where_no_statement_says(dialect: str) -> None:
    with own_database(database(dialect)) as on:
        execute(
            on,
            "CREATE TABLE invoice (id INTEGER PRIMARY KEY, tenant INTEGER)",
            "CREATE TABLE log (id INTEGER PRIMARY KEY)",
            "CREATE TRIGGER logs BEFORE INSERT ON invoice FOR EACH ROW INSERT INTO log VALUES (new.tenant)",
            "INSERT INTO invoice VALUES (1, 1)",
        )
        ids, other, own = ("invoice.id",), "INSERT INTO invoice VALUES (2, 1)", "INSERT INTO invoice VALUES (1, 2)"
        names = catalogue(on, *ids)
        told = dialect == "mysql"  # which names the table
        assert refused(on, ids, names, own).refused is told
        for statement in (own, other):
            assert refused(on, ids, names, statement).recognised is told
        assert not refused(on, ids, names, other).refused


def test_on_mariadb_the_failing_statement_names_the_table() -> None:
    with own_database(database("mariadb")) as on:
        execute(
            on, "CREATE TABLE invoice (id INTEGER PRIMARY KEY)", "CREATE TABLE `other one` (id INTEGER PRIMARY KEY)"
        )
        execute(on, "INSERT INTO invoice VALUES (1)", "INSERT INTO `other one` VALUES (1)")
        assert on.url is not None
        names, there = catalogue(on, "invoice.id"), on.url.database
        for statement, own in (
            ("INSERT INTO invoice VALUES (1)", True),
            (f"/* app */ insert\n  into `{there}`.`invoice` (id) values (1)", True),
            ("UPDATE invoice SET id = 1 WHERE id = 3", True),
            ("INSERT INTO `other one` VALUES (1)", False),
            ("UPDATE `other one` JOIN invoice SET invoice.id = 1 WHERE invoice.id = 3", None),
            ("BEGIN NOT ATOMIC INSERT INTO invoice VALUES (1); END", None),
        ):
            code = refused(on, ("invoice.id",), names, "REPLACE INTO invoice VALUES (3)", statement)
            assert (code.refused, code.recognised) == (own is True, own is not None), (statement, code)
