"""An Integer primary key counts up by itself.

`id = mapped_column(primary_key=True)` is how every SQLAlchemy tutorial begins. SQLAlchemy uses each database's own way
of numbering rows: SQLite takes one more than the largest rowid, PostgreSQL makes the column SERIAL, and MySQL and
MariaDB make it AUTO_INCREMENT. People expect the ids to be 1, 2, 3 … without gaps, in commit order. The databases
promise less, but enough for a key: no two rows have the same id, and each client is told the id of its own row. Gaps
are allowed: a generator does not take part in transactions.

https://docs.sqlalchemy.org/en/20/core/metadata.html#sqlalchemy.schema.Column.params.autoincrement
https://www.sqlite.org/autoinc.html
"""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from idstorm.scenario import Row, Scenario, accepted, durable, explained, faithful, holds, ordered, starts_at, unique


class User(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), default="Alice")


autoincrement = Scenario(
    model=User,
    claims=[
        holds(unique, durable, faithful, accepted),
        holds(starts_at, why="a new table counts from 1, by ones"),
        holds(ordered, explained, why="an acknowledged insert drew its id before any that begins after it"),
    ],
)
