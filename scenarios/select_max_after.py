"""`SELECT max(id)` after the COMMIT tells a client the id of another client's row.

The row is inserted and committed; then its id is looked up as the largest one. Between the two, another client commits
a larger id, and the first is told that one. Each row keeps its own id, so the table is perfectly unique and no
constraint can object: it is the client that goes on with another customer's order, invoice or account. `RETURNING`,
`lastrowid` and the ORM after a flush ask the connection, or the statement, instead of the table.

https://www.sqlite.org/c3ref/last_insert_rowid.html
https://dev.mysql.com/doc/refman/9.7/en/information-functions.html#function_last-insert-id
"""

from collections.abc import Sequence
from time import sleep

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from idstorm.scenario import Row, Scenario, breaks, durable, faithful, holds, may_break, single_use, unique


class Account(Row):
    id: Mapped[int] = mapped_column(primary_key=True)


def insert_and_look(session: Session, tokens: Sequence[int]) -> list[int | None]:
    ids = []
    for token in tokens:
        session.execute(insert(Account).values(token=token))
        session.commit()
        sleep(0.002)  # an application does other things, too, before it asks
        ids.append(session.scalar(select(func.max(Account.id))))
    return ids


select_max_after = Scenario(
    model=Account,
    insert=insert_and_look,
    claims=[
        breaks(faithful, why="another client commits a larger id in between"),
        may_break(unique, single_use, why="two clients are then told the same id"),
        holds(durable),
    ],
)
