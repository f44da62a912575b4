"""`SELECT max(number) + 1` gives the same number to all clients that ask at the same time.

Invoice numbers, ticket numbers, positions in a list: where a column is not the primary key, people write this. It works
on a developer's machine, and in every test that has one client. Between the SELECT and the INSERT another client does
the same; without a UNIQUE constraint both rows are stored. A transaction does not help at READ COMMITTED or REPEATABLE
READ, where each client sees a consistent past. SERIALIZABLE does, on the servers: PostgreSQL aborts one of the two
(40001), and in MySQL and MariaDB they run into each other's locks (1213). The application has to try again. On SQLite
the isolation level changes nothing: Python's driver opens no transaction for a SELECT. BEGIN IMMEDIATE (`--set
begin=immediate`) makes the pattern safe there, by letting one client in at a time.

https://docs.python.org/3/library/sqlite3.html#transaction-control-via-the-isolation-level-attribute
https://www.postgresql.org/docs/current/transaction-iso.html
https://dev.mysql.com/doc/refman/9.7/en/innodb-transaction-isolation-levels.html
"""

from collections.abc import Sequence
from random import random
from time import sleep

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapped, Session, mapped_column

from idstorm.scenario import Row, Scenario, breaks, durable, faithful, holds, unique

TRIES = 6


class Invoice(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(index=True)


def insert(session: Session, tokens: Sequence[int]) -> list[int]:
    highest = session.scalar(select(func.max(Invoice.number))) or 0
    invoices = [Invoice(number=number, token=token) for number, token in enumerate(tokens, start=highest + 1)]
    session.add_all(invoices)
    session.flush()
    return [invoice.number for invoice in invoices]


def insert_again_and_again(session: Session, tokens: Sequence[int]) -> list[int]:
    """Try again when the database aborts this transaction."""
    for _ in range(TRIES - 1):
        try:
            return insert(session, tokens)
        except DBAPIError:
            session.rollback()
            sleep(random() / 100)  # clients that collided once would collide again
    return insert(session, tokens)


WHY = "two clients read the same maximum"

max_plus_one = Scenario(
    model=Invoice,
    id=Invoice.number,
    insert=insert,
    claims=[breaks(unique, why=WHY), holds(durable, faithful)],
)

read_uncommitted = Scenario(
    model=Invoice,
    id=Invoice.number,
    insert=insert,
    isolation="READ UNCOMMITTED",
    claims=[breaks(unique, why=WHY), holds(durable, faithful)],
)
"""At READ UNCOMMITTED, two clients still read the same maximum."""

read_committed = Scenario(
    model=Invoice,
    id=Invoice.number,
    insert=insert,
    isolation="READ COMMITTED",
    needs={"isolation_levels"},
    claims=[breaks(unique, why=WHY), holds(durable, faithful)],
)
"""At READ COMMITTED, two clients read the same maximum."""

repeatable_read = Scenario(
    model=Invoice,
    id=Invoice.number,
    insert=insert,
    isolation="REPEATABLE READ",
    needs={"isolation_levels"},
    claims=[breaks(unique, why=WHY), holds(durable, faithful)],
)
"""At REPEATABLE READ, each client sees a consistent past, and the same maximum."""

serializable = Scenario(
    model=Invoice,
    id=Invoice.number,
    insert=insert_again_and_again,
    isolation="SERIALIZABLE",
    least=1_200,  # about half are made to give up for good
    claims=[
        holds(unique, durable, faithful, why="of two that read the same maximum, the database aborts one"),
        breaks(unique, when={"sqlite"}, why="the driver opens no transaction for the SELECT"),
    ],
)
"""At SERIALIZABLE the database ends one of two such transactions, which is tried again."""
