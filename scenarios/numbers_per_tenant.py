"""Numbers that each tenant counts for itself repeat if they are read first and written later.

Each workspace has its tasks 1, 2, 3, each customer its invoices, each year its documents. No generator of a database
counts within a scope, so applications do: a row for each tenant holds the last number. Who reads it first and writes it
later (`read_then_write`) gives the same number to two tasks of one tenant, whenever two clients come at the same time.
Clients of different tenants do not get into each other's way, which is why it works in most tests.

Locking the tenant's row before it is read (`locked`) makes the clients of one tenant wait for each other alone.
A rollback gives the number back, so that no tenant has a gap. A trigger that increases the number first, and then reads
what it has written (`by_trigger`), does the same in the database, since UPDATE locks the row. The client has to ask for
the number afterwards: it is not the one that the row was inserted with.

SQLite has no FOR UPDATE, so the clause is left out there; BEGIN IMMEDIATE locks the whole database before the number is
read. Where MariaDB's `innodb_snapshot_isolation` is on, the second to write is refused, and tries again. For a trigger,
MySQL asks a user without SUPER for `log_bin_trust_function_creators` while the binary log is on.

https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-ROWS
https://www.postgresql.org/docs/current/plpgsql-trigger.html
https://dev.mysql.com/doc/refman/9.7/en/stored-programs-logging.html
https://www.sqlite.org/lang_createtrigger.html
"""

from collections.abc import Sequence
from random import random
from time import sleep

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Mapped, Session, mapped_column

from idstorm.scenario import (
    Row,
    Scenario,
    breaks,
    durable,
    faithful,
    gapless,
    holds,
    ordered,
    sqlite_begin,
    starts_at,
    unique,
)

TENANTS = 2  # few, so that clients really meet in each
TRIES = 6


class Tenant(Row):
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]


class Task(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant_id: Mapped[int] = mapped_column(index=True)
    number: Mapped[int] = mapped_column(default=0)


TRIGGERS = {
    "postgresql": [
        """
        CREATE FUNCTION give_number() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE tenant SET last = last + 1 WHERE id = NEW.tenant_id RETURNING last INTO NEW.number;
            RETURN NEW;
        END $$
        """,
        "CREATE TRIGGER number_task BEFORE INSERT ON task FOR EACH ROW EXECUTE FUNCTION give_number()",
    ],
    "sqlite": [
        """
        CREATE TRIGGER number_task AFTER INSERT ON task BEGIN
            UPDATE tenant SET last = last + 1 WHERE id = NEW.tenant_id;
            UPDATE task SET number = (SELECT last FROM tenant WHERE id = NEW.tenant_id) WHERE id = NEW.id;
        END
        """,
    ],
}
TRIGGERS["mysql"] = TRIGGERS["mariadb"] = [
    """
    CREATE TRIGGER number_task BEFORE INSERT ON task FOR EACH ROW
    BEGIN
        UPDATE tenant SET last = last + 1 WHERE id = NEW.tenant_id;
        SET NEW.number = (SELECT last FROM tenant WHERE id = NEW.tenant_id);
    END
    """,
]


def open_counters(connection: Connection) -> None:
    connection.execute(insert(Tenant), [{"id": tenant, "last": 0} for tenant in range(1, TENANTS + 1)])


def open_counters_and_trigger(connection: Connection) -> None:
    open_counters(connection)
    for statement in TRIGGERS[connection.dialect.name]:
        connection.exec_driver_sql(statement)


def tenant_of(token: int) -> int:
    return token % TENANTS + 1


def number(session: Session, token: int, *, lock: bool) -> tuple[int, int]:
    tenant = tenant_of(token)
    query = select(Tenant.last).where(Tenant.id == tenant)
    last = session.scalars(query.with_for_update() if lock else query).one()
    session.execute(update(Tenant).where(Tenant.id == tenant).values(last=last + 1))
    session.add(Task(tenant_id=tenant, number=last + 1, token=token))
    session.flush()
    return tenant, last + 1


def insert_locked(session: Session, tokens: Sequence[int]) -> list[tuple[int, int]]:
    in_turn = sorted(tokens, key=tenant_of)  # two clients that lock several rows each have to do so in the same order
    numbers = {token: number(session, token, lock=True) for token in in_turn}
    return [numbers[token] for token in tokens]


def insert_unlocked(session: Session, tokens: Sequence[int]) -> list[tuple[int, int]]:
    for _ in range(TRIES - 1):
        try:
            return [number(session, token, lock=False) for token in tokens]
        except OperationalError:
            session.rollback()
            sleep(random() / 100)  # clients that collided once would collide again
    return [number(session, token, lock=False) for token in tokens]


def insert_by_trigger(session: Session, tokens: Sequence[int]) -> list[tuple[int, int]]:
    tasks = [Task(tenant_id=tenant_of(token), token=token) for token in tokens]
    for task in sorted(tasks, key=lambda task: task.tenant_id):
        session.add(task)
        session.flush()
        session.refresh(task)
    return [(task.tenant_id, task.number) for task in tasks]


WITHOUT_GAPS = holds(gapless, starts_at, ordered, why="tenants' rows are locked, and a rollback gives the number back")

read_then_write = Scenario(
    model=Task,
    id=Task.number,
    scope=Task.tenant_id,
    insert=insert_unlocked,
    setup=open_counters,
    claims=[
        breaks(unique, why="two clients read the same last number of a tenant"),
        holds(unique, when={"lost_updates_refused"}, why="the second to write is refused, since the row has changed"),
        holds(durable, faithful),
    ],
)
"""A tenant's last number is read first and written later."""

locked = Scenario(
    model=Task,
    id=Task.number,
    scope=Task.tenant_id,
    insert=insert_locked,
    engine=sqlite_begin("BEGIN IMMEDIATE"),
    setup=open_counters,
    rollback=0.1,
    claims=[holds(unique, durable, faithful), WITHOUT_GAPS],
)
"""The tenant's row is locked before it is read."""

by_trigger = Scenario(
    model=Task,
    id=Task.number,
    scope=Task.tenant_id,
    insert=insert_by_trigger,
    engine=sqlite_begin("BEGIN IMMEDIATE"),
    setup=open_counters_and_trigger,
    rollback=0.1,
    claims=[holds(unique, durable, faithful), WITHOUT_GAPS],
)
"""A trigger increases the tenant's number, and then reads what it has written."""
