"""`SELECT max(number) + 1` gives the same number to everybody who asks at the same time.

Invoice numbers, ticket numbers, positions in a list: wherever a column is not the primary key, somebody writes this. It
works on a developer's machine, and in every test that has one client. Between the SELECT and the INSERT another client
does the same; without a UNIQUE constraint both rows are stored. A transaction does not help at READ COMMITTED or
REPEATABLE READ. On SQLite, Python's driver opens no transaction for a SELECT; one that begins with BEGIN IMMEDIATE
(`--set begin=immediate`) makes the pattern safe there, by letting one client in at a time.

https://docs.python.org/3/library/sqlite3.html#transaction-control-via-the-isolation-level-attribute
https://www.postgresql.org/docs/current/transaction-iso.html#XACT-READ-COMMITTED
"""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from idstorm.scenario import Row, Scenario, breaks, durable, faithful, holds, unique


class Invoice(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(index=True)


def insert(session: Session, tokens: Sequence[int]) -> list[int]:
    highest = session.scalar(select(func.max(Invoice.number))) or 0
    invoices = [Invoice(number=number, token=token) for number, token in enumerate(tokens, start=highest + 1)]
    session.add_all(invoices)
    session.flush()
    return [invoice.number for invoice in invoices]


max_plus_one = Scenario(
    model=Invoice,
    id=Invoice.number,
    insert=insert,
    claims=[
        breaks(unique, why="two clients read the same maximum"),
        holds(durable, faithful),
    ],
)
