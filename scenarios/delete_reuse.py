"""The id of a deleted row is given to another row, unless the database is told to remember it.

SQLite numbers a row with one more than the largest id that the table holds *now*. Delete the newest row, and the next
one gets its id. The table stays unique, but anything that kept the old id (a log, a cache, a link in an e-mail, another
service) now points at a different row. With the keyword AUTOINCREMENT, which SQLAlchemy spells
`sqlite_autoincrement=True`, the highest id ever used is kept in a separate table and never goes back. The servers keep
their counters apart from their rows; MySQL before 8.0 forgot its counter at a restart.

https://www.sqlite.org/autoinc.html
https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#sqlite-auto-incrementing-behavior
"""

from sqlalchemy.orm import Mapped, mapped_column

from idstorm.scenario import Row, Scenario, breaks, durable, faithful, holds, ordered, single_use, unique


class Message(Row):
    id: Mapped[int] = mapped_column(primary_key=True)


class NumberedMessage(Row):
    __tablename__ = "numbered_message"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 (SQLAlchemy's own convention)

    id: Mapped[int] = mapped_column(primary_key=True)


delete_reuse = Scenario(
    model=Message,
    deletes=0.3,
    claims=[
        holds(unique, durable, faithful, single_use),
        breaks(
            single_use,
            ordered,
            when={"rowid_reuse"},
            why="the next row gets the id of the newest one that was deleted",
        ),
    ],
)

autoincrement_keyword = Scenario(
    model=NumberedMessage,
    deletes=0.3,
    claims=[holds(unique, durable, faithful, single_use, why="sqlite_sequence remembers the highest id ever used")],
)
"""With the keyword AUTOINCREMENT, SQLite never goes back."""
