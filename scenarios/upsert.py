"""An upsert draws an id first and finds out afterwards whether it needs one.

`INSERT … ON CONFLICT DO UPDATE` and `… ON DUPLICATE KEY UPDATE` take the next value of the generator before they find
the existing row; the value is then gone. A table with a thousand updates for each new row uses up its ids a thousand
times as fast. SQLite wastes nothing, since the next id is the largest plus one.

The other question is which id comes back. RETURNING gives the row's id, old or new. MySQL, which has no RETURNING,
reports it if the statement says `id = LAST_INSERT_ID(id)`. What works for plain inserts is wrong after an update, and
`last_id` shows how: `lastval()` of PostgreSQL is the value that was drawn and thrown away, which is no row's id.
LAST_INSERT_ID() of MySQL and MariaDB, and `cursor.lastrowid` on SQLite, are the id that this connection inserted last,
perhaps minutes ago and for another customer, or 0. A test that inserts a new customer each time never notices.

https://www.postgresql.org/docs/current/sql-insert.html#SQL-ON-CONFLICT
https://dev.mysql.com/doc/refman/9.7/en/insert-on-duplicate.html
https://dev.mysql.com/doc/refman/9.7/en/innodb-auto-increment-handling.html
https://dev.mysql.com/doc/refman/9.7/en/information-functions.html#function_last-insert-id
https://mariadb.com/kb/en/insertreturning/
https://www.sqlite.org/lang_upsert.html
https://www.sqlite.org/c3ref/last_insert_rowid.html
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CursorResult, String, func, insert, select, text
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from idstorm.scenario import (
    Existing,
    Row,
    Scenario,
    accepted,
    breaks,
    durable,
    explained,
    faithful,
    gapless,
    holds,
    unique,
)

CUSTOMERS = 500


class Customer(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(50), unique=True)
    orders: Mapped[int] = mapped_column(default=1)


def email_of(token: int) -> str:
    return f"customer-{token % CUSTOMERS}@example.com"


def upsert_one(session: Session, token: int) -> int | Existing:
    if session.get_bind().dialect.name == "mysql":
        statement = counting(session, token, id=func.last_insert_id(Customer.id))
        done: CursorResult[Any] = session.connection().execute(statement)
        return told(int(done.lastrowid), owner_of(session, token), token)
    id_, owner = session.execute(counting(session, token).returning(Customer.id, Customer.token)).one()
    return told(id_, owner, token)


def upsert_and_ask(session: Session, token: int) -> int | Existing:
    """Take as the id the one that the connection reports it inserted last."""
    done: CursorResult[Any] = session.connection().execute(counting(session, token))
    match session.get_bind().dialect.name:
        case "postgresql":
            last = session.scalar(text("SELECT lastval()"))
        case "sqlite":
            last = done.lastrowid
        case _:
            last = session.scalar(text("SELECT LAST_INSERT_ID()"))
    return told(int(last), owner_of(session, token), token)


def counting(session: Session, token: int, **more: Any) -> Any:
    """Insert a customer, or count one more order of an existing one."""
    table: Any = Customer.__table__
    values, once_more = {"email": email_of(token), "token": token}, {"orders": Customer.orders + 1, **more}
    if session.get_bind().dialect.name in ("mysql", "mariadb"):
        return mysql.insert(table).values(values).on_duplicate_key_update(once_more)
    dialect: Any = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(table).values(values).on_conflict_do_update(index_elements=["email"], set_=once_more)


def told(id_: int, owner: int | None, token: int) -> int | Existing:
    """Return the id; for an existing row, with the token that says whose it is."""
    return id_ if owner == token else Existing(id_, token=owner)


def owner_of(session: Session, token: int) -> int | None:
    """Return the token that the customer's row has, in the transaction that has locked it."""
    return session.scalars(select(Customer.token).where(Customer.email == email_of(token))).one()


def insert_or_leave(session: Session, token: int) -> int | None:
    values = {"email": email_of(token), "token": token, "orders": 1}
    if session.get_bind().dialect.name in ("mysql", "mariadb"):
        done = session.connection().execute(insert(Customer.__table__).prefix_with("IGNORE").values(values))  # type: ignore[arg-type]
        return int(done.lastrowid) if done.rowcount == 1 else None
    dialect: Any = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(Customer).values(values).on_conflict_do_nothing(index_elements=["email"])
    id_: int | None = session.scalar(statement.returning(Customer.id))
    return id_


def asking(session: Session, tokens: Sequence[int]) -> list[int | Existing]:
    return [upsert_and_ask(session, token) for token in tokens]


def upserts(session: Session, tokens: Sequence[int]) -> list[int | Existing]:
    return [upsert_one(session, token) for token in tokens]


def ignoring(session: Session, tokens: Sequence[int]) -> list[int | None]:
    return [insert_or_leave(session, token) for token in tokens]


CLAIMS = [
    holds(unique, durable, faithful, accepted),
    breaks(gapless, why="the id was drawn before the existing row was found"),
    holds(explained),
    holds(gapless, when={"sqlite"}, why="the next id is the largest plus one"),
]

upsert = Scenario(model=Customer, insert=upserts, claims=CLAIMS)

do_nothing = Scenario(model=Customer, insert=ignoring, claims=CLAIMS)
"""A row that is there is left as it is."""

last_id = Scenario(
    model=Customer,
    insert=asking,
    claims=[
        holds(unique, durable, accepted),
        breaks(faithful, why="after an update, the id that the connection inserted last is not the row's"),
    ],
)
"""The id is asked for afterwards, as for a plain insert."""
