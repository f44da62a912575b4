"""A row locked with SELECT … FOR UPDATE gives numbers without gaps, to one client at a time.

In many countries invoices must not skip a number, so a sequence will not do. Here the last number is kept in a row. A
transaction locks the row, takes the next number, and holds the lock until it ends; a rollback gives the number back.
That is also the price: all transactions that need a number wait in one queue, for as long as each of them takes. With a
transaction that does nothing else, the rate seen here was a quarter to a half of a generator's; with one that waits for
anything, transactions run one at a time.

Without the lock, two clients read the same number. Since 11.6 MariaDB refuses the second, where
`innodb_snapshot_isolation` is on; `without_lock` then tries again, as applications do. SQLite has no FOR UPDATE, so the
clause is left out there; BEGIN IMMEDIATE locks the whole database before the number is read.

https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-ROWS
https://dev.mysql.com/doc/refman/9.7/en/innodb-locking-reads.html
https://mariadb.com/kb/en/innodb-system-variables/#innodb_snapshot_isolation
https://www.sqlite.org/lang_transaction.html#immediate
https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#sqlite-transactions
"""

from collections.abc import Sequence

from sqlalchemy import Connection, String, insert, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Mapped, Session, mapped_column

from idstorm.scenario import Row, Scenario, breaks, durable, faithful, gapless, holds, sqlite_begin, unique

TRIES = 5


class Invoice(Row):
    number: Mapped[int] = mapped_column(index=True)
    id: Mapped[int] = mapped_column(primary_key=True)


class Counter(Row):
    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    last: Mapped[int]


def open_counter(connection: Connection) -> None:
    connection.execute(insert(Counter).values(name="invoices", last=0))


def number(session: Session, tokens: Sequence[int], *, lock: bool) -> list[int]:
    query = select(Counter.last)
    last = session.scalars(query.with_for_update() if lock else query).one()
    numbers = range(last + 1, last + 1 + len(tokens))
    session.add_all(Invoice(number=number, token=token) for number, token in zip(numbers, tokens, strict=True))
    session.execute(update(Counter).values(last=numbers[-1]))
    session.flush()
    return list(numbers)


def insert_locked(session: Session, tokens: Sequence[int]) -> list[int]:
    return number(session, tokens, lock=True)


def insert_unlocked(session: Session, tokens: Sequence[int]) -> list[int]:
    for _ in range(TRIES - 1):
        try:
            return number(session, tokens, lock=False)
        except OperationalError:
            session.rollback()
    return number(session, tokens, lock=False)


counter_table = Scenario(
    model=Invoice,
    id=Invoice.number,
    insert=insert_locked,
    engine=sqlite_begin("BEGIN IMMEDIATE"),
    setup=open_counter,
    rollback=0.1,
    claims=[
        holds(unique, durable, faithful),
        holds(gapless, why="a transaction that is rolled back gives its number back"),
    ],
)

without_lock = Scenario(
    model=Invoice,
    id=Invoice.number,
    insert=insert_unlocked,
    setup=open_counter,
    claims=[
        breaks(unique, why="two clients read the same last number"),
        holds(unique, when={"lost_updates_refused"}, why="the second to write is refused, since the row has changed"),
        holds(durable, faithful),
    ],
)
"""Without FOR UPDATE, two clients read the same last number."""
