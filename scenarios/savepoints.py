"""Rolling back to a savepoint takes the row back, but not the id.

Inside one transaction, `session.begin_nested()` marks a point to return to: what follows can be undone while the rest
is committed. Here the second of three rows is undone. The servers' generators know nothing of it, so its id is never
used; SQLite hands it to the next row. Python's driver for SQLite has another trap: it opens no transaction for a
SAVEPOINT, so releasing the outermost one commits, and a rollback afterwards undoes nothing. The report then notes that
the work commits by itself. The workaround that SQLAlchemy documents, an explicit BEGIN, puts that right.

https://docs.sqlalchemy.org/en/20/orm/session_transaction.html#using-savepoint
https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#sqlite-transactions
https://docs.python.org/3/library/sqlite3.html#transaction-control-via-the-isolation-level-attribute
https://www.postgresql.org/docs/current/functions-sequence.html
"""

from collections.abc import Sequence

from sqlalchemy.orm import Mapped, Session, mapped_column

from idstorm.scenario import (
    Burned,
    Row,
    Scenario,
    accepted,
    breaks,
    durable,
    explained,
    faithful,
    gapless,
    holds,
    sqlite_begin,
    unique,
)


class Step(Row):
    id: Mapped[int] = mapped_column(primary_key=True)


def give_up_the_second(session: Session, tokens: Sequence[int]) -> list[int | Burned]:
    told: list[int | Burned] = []
    for place, token in enumerate(tokens):
        savepoint = session.begin_nested()
        step = Step(token=token)
        session.add(step)
        session.flush()
        id_ = step.id
        if place % 3 == 1:
            savepoint.rollback()
            told.append(Burned(id_))
        else:
            savepoint.commit()
            told.append(id_)
    return told


CLAIMS = [
    holds(unique, durable, faithful, accepted, explained),
    breaks(gapless, why="a generator does not take part in transactions, nor in savepoints"),
    holds(gapless, when={"sqlite"}, why="the counter is the table itself"),
]

savepoints = Scenario(model=Step, insert=give_up_the_second, batch=3, claims=CLAIMS)

begin = Scenario(
    model=Step,
    insert=give_up_the_second,
    batch=3,
    rollback=0.2,
    least=1_200,
    engine=sqlite_begin("BEGIN"),
    claims=CLAIMS,
)
"""With an explicit BEGIN, which SQLite's driver would leave out."""
