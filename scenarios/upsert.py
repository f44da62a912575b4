"""An upsert draws an id first and asks afterwards whether it needs one.

`INSERT … ON CONFLICT DO UPDATE` and `… ON DUPLICATE KEY UPDATE` take the next value of the generator before they find
the row that is there already; the value is then gone. A table that is updated a thousand times for each new row uses
up its ids a thousand times as fast. The other question is which id comes back: RETURNING gives that of the row, old or
new. MySQL and MariaDB report the row's id after an update only where the statement says `id = LAST_INSERT_ID(id)`.
SQLite burns nothing, since the next id is the largest plus one.

https://www.postgresql.org/docs/current/sql-insert.html#SQL-ON-CONFLICT
https://dev.mysql.com/doc/refman/9.7/en/insert-on-duplicate.html
https://dev.mysql.com/doc/refman/9.7/en/innodb-auto-increment-handling.html
https://www.sqlite.org/lang_upsert.html
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CursorResult, String, func, insert
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
    values = {"email": email_of(token), "token": token, "orders": 1}
    if session.get_bind().dialect.name in ("mysql", "mariadb"):
        counted = {"id": func.last_insert_id(Customer.id), "orders": Customer.orders + 1}
        done: CursorResult[Any] = session.connection().execute(
            mysql.insert(Customer.__table__).values(values).on_duplicate_key_update(counted)  # type: ignore[arg-type]
        )
        return int(done.lastrowid) if done.rowcount == 1 else Existing(done.lastrowid)  # 2: it was updated
    dialect: Any = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(Customer).values(values)
    statement = statement.on_conflict_do_update(index_elements=["email"], set_={"orders": Customer.orders + 1})
    id_, owner = session.execute(statement.returning(Customer.id, Customer.token)).one()
    return int(id_) if owner == token else Existing(id_)


def insert_or_leave(session: Session, token: int) -> int | None:
    values = {"email": email_of(token), "token": token, "orders": 1}
    if session.get_bind().dialect.name in ("mysql", "mariadb"):
        done = session.connection().execute(insert(Customer.__table__).prefix_with("IGNORE").values(values))  # type: ignore[arg-type]
        return int(done.lastrowid) if done.rowcount == 1 else None
    dialect: Any = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(Customer).values(values).on_conflict_do_nothing(index_elements=["email"])
    id_: int | None = session.scalar(statement.returning(Customer.id))
    return id_


def upserts(session: Session, tokens: Sequence[int]) -> list[int | Existing]:
    return [upsert_one(session, token) for token in tokens]


def ignoring(session: Session, tokens: Sequence[int]) -> list[int | None]:
    return [insert_or_leave(session, token) for token in tokens]


CLAIMS = [
    holds(unique, durable, faithful, accepted),
    breaks(gapless, why="the id was drawn before the row was found to be there"),
    holds(explained),
    holds(gapless, when={"sqlite"}, why="the next id is the largest plus one"),
]

upsert = Scenario(model=Customer, insert=upserts, claims=CLAIMS)

do_nothing = Scenario(model=Customer, insert=ignoring, claims=CLAIMS)
