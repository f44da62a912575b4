"""When the ids run out, inserts fail; no id wraps around, and no row is lost.

A SmallInteger key ends at 32,767, an Integer key at 2,147,483,647: on a busy table that is a matter of years, or of
days where ids are wasted. Here the generator is set to 600 ids before the end, and the storm crosses it. PostgreSQL
says that the sequence has reached its maximum (2200H), MariaDB that the value is out of range (167). MySQL hands out
the last id again and again and lets the primary key refuse it (1062), which looks like a fault of the application. It
also skips the last id but one, even with a single client. What they have in common is what counts: up to the end every
id is used once, and after it nothing is stored.

SQLite numbers with 64 bits, whatever the column is called. At the end of that range it tries ids at random until it
finds a free one. With AUTOINCREMENT it fails like the others, even if rows were deleted and their ids are free.

https://www.postgresql.org/docs/current/datatype-numeric.html#DATATYPE-SERIAL
https://dev.mysql.com/doc/refman/9.7/en/innodb-auto-increment-handling.html
https://mariadb.com/kb/en/auto_increment/
https://www.sqlite.org/autoinc.html
"""

from sqlalchemy import Connection, Integer, SmallInteger, insert, text
from sqlalchemy.orm import Mapped, mapped_column

from idstorm.scenario import (
    Failing,
    Row,
    Scenario,
    accepted,
    breaks,
    durable,
    faithful,
    gapless,
    headroom,
    holds,
    may_break,
    single_use,
    unique,
)

LEFT = 600
PAST_THE_END = Failing(0.999, why="every insert after the last id fails")


class Sensor(Row):
    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True)


class Event(Row):
    id: Mapped[int] = mapped_column(Integer, primary_key=True)


class Reading(Row):
    id: Mapped[int] = mapped_column(primary_key=True)


class CountedReading(Row):
    __tablename__ = "counted_reading"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 (SQLAlchemy's own convention)

    id: Mapped[int] = mapped_column(primary_key=True)


def near_the_end(connection: Connection, table: str, last: int) -> None:
    """Make the next id the one after `last`."""
    if connection.dialect.name == "postgresql":
        connection.execute(
            text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :last)"), {"table": table, "last": last}
        )
    else:
        connection.execute(text(f"ALTER TABLE {table} AUTO_INCREMENT = {last + 1}"))


def few_small_ones_left(connection: Connection) -> None:
    near_the_end(connection, "sensor", 2**15 - 1 - LEFT)


def few_left(connection: Connection) -> None:
    near_the_end(connection, "event", 2**31 - 1 - LEFT)


def few_rowids_left(connection: Connection) -> None:
    connection.execute(insert(Reading).values(id=2**63 - 1 - LEFT))
    connection.execute(insert(CountedReading).values(id=2**63 - 1 - LEFT))


integer_limit = Scenario(
    model=Event,
    setup=few_left,
    needs={"integer_widths"},
    least=1_200,
    failing=PAST_THE_END,
    claims=[
        holds(unique, durable, faithful, accepted, gapless),
        breaks(headroom, why="all but a few of its values were used up before"),
        breaks(accepted, when={"mysql"}, why="past the end the last id is handed out again, and refused"),
        breaks(gapless, when={"mysql"}, why="MySQL skips the last id but one"),
    ],
)

small = Scenario(
    model=Sensor,
    setup=few_small_ones_left,
    needs={"integer_widths"},
    least=1_200,
    failing=PAST_THE_END,
    claims=[
        holds(unique, durable, faithful, accepted, gapless),
        breaks(headroom, why="all but a few of its values were used up before"),
        breaks(accepted, when={"mysql"}, why="past the end the last id is handed out again, and refused"),
        breaks(gapless, when={"mysql"}, why="MySQL skips the last id but one"),
    ],
)
"""The end of a SmallInteger key, 32,767."""

rowid = Scenario(
    model=Reading,
    setup=few_rowids_left,
    needs={"rowid_reuse"},
    claims=[
        holds(unique, durable, faithful, accepted),
        may_break(gapless, why="past the end ids are drawn at random"),
    ],
)
"""Past SQLite's largest rowid, ids are drawn at random."""

rowid_autoincrement = Scenario(
    model=CountedReading,
    setup=few_rowids_left,
    deletes=0.1,
    needs={"rowid_reuse"},
    least=1_200,
    failing=PAST_THE_END,
    claims=[
        holds(unique, durable, faithful, accepted),
        holds(single_use, why="past the end every insert fails, whatever was deleted"),
    ],
)
"""With AUTOINCREMENT, inserts fail past SQLite's largest rowid."""
