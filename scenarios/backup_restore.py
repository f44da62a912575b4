"""A backup holds the rows. The position of the id generator is kept elsewhere.

In the middle of the storm, while no client is working, all rows are read out, the table is dropped and created again,
and the rows are put back with their ids, as every hand-written export and import does. People expect the database to
count on from there. SQLite, MySQL and MariaDB do: an explicit id moves their counters along. A PostgreSQL sequence is
a separate object, which an INSERT with an explicit id does not touch. The new table's sequence starts at 1, and the
primary key refuses each insert until the sequence has run through all the ids that are taken.

`setval` is the usual cure: set the sequence to max(id) after the restore. If no rows are ever deleted, that is enough.
If they are, `deleted_rows` shows what is missing: max(id) covers only the rows in the table now, so the ids of the
newest rows, if these were deleted before the backup, are handed out again to other rows. The counters of MySQL and
MariaDB, which moved along by themselves, went no further than that either. pg_dump, mysqldump, and SQLite's `.dump`
for a table with AUTOINCREMENT, save the position of the generator itself beside the rows; `position` does the same.

https://www.postgresql.org/docs/current/functions-sequence.html
https://www.postgresql.org/docs/current/datatype-numeric.html#DATATYPE-SERIAL
https://dev.mysql.com/doc/refman/9.7/en/innodb-auto-increment-handling.html
https://mariadb.com/kb/en/auto_increment/
https://www.sqlite.org/autoinc.html
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, NullPool, Table, create_engine, func, insert, select, text
from sqlalchemy.orm import Mapped, mapped_column

from idstorm.scenario import (
    Place,
    Row,
    Scenario,
    accepted,
    breaks,
    durable,
    faithful,
    holds,
    single_use,
    unique,
)

CHUNK = 1_000  # rows of one INSERT


class Booking(Row):
    id: Mapped[int] = mapped_column(primary_key=True)


class NumberedBooking(Row):
    __tablename__ = "numbered_booking"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 (SQLAlchemy's own convention)

    id: Mapped[int] = mapped_column(primary_key=True)


def table_of(model: type[Row]) -> Table:
    table = model.__table__
    assert isinstance(table, Table)
    return table


def restored(connection: Connection, model: type[Row]) -> Table:
    """Move all rows of a table into a fresh one of the same name, and return that."""
    table = table_of(model)
    rows = [row._asdict() for row in connection.execute(select(table).order_by(table.c.id))]
    table.drop(connection)
    table.create(connection)
    for start in range(0, len(rows), CHUNK):
        connection.execute(insert(table), rows[start : start + CHUNK])
    return table


@contextmanager
def operator(place: Place) -> Iterator[Connection]:
    """A connection that stays open for as long as the restore takes."""
    engine = create_engine(place.url, poolclass=NullPool)
    with engine.begin() as connection:
        yield connection


def rows_only(place: Place) -> None:
    with operator(place) as connection:
        restored(connection, Booking)


def rows_and_maximum(place: Place) -> None:
    with operator(place) as connection:
        table = restored(connection, Booking)
        highest = connection.scalar(select(func.max(table.c.id)))
        match place.dialect:
            case "postgresql":
                connection.execute(select(func.setval(sequence_of(connection, table), highest)))
            case "mysql" | "mariadb":
                connection.exec_driver_sql(f"ALTER TABLE {table.name} AUTO_INCREMENT = {highest + 1}")


def rows_and_position(place: Place) -> None:
    with operator(place) as connection:
        name = NumberedBooking.__tablename__
        match place.dialect:
            case "postgresql":
                sequence = sequence_of(connection, table_of(NumberedBooking))
                position = connection.exec_driver_sql(f"SELECT last_value, is_called FROM {sequence}").one()
                restored(connection, NumberedBooking)
                connection.execute(select(func.setval(sequence, *position)))
            case "mysql" | "mariadb":
                _, made = connection.exec_driver_sql(f"SHOW CREATE TABLE {name}").one()
                (counter,) = re.findall(r"\bAUTO_INCREMENT=[0-9]+", made)
                restored(connection, NumberedBooking)
                connection.exec_driver_sql(f"ALTER TABLE {name} {counter}")
            case _:
                highest = connection.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": name})
                restored(connection, NumberedBooking)
                connection.execute(
                    text("UPDATE sqlite_sequence SET seq = :seq WHERE name = :name"), {"seq": highest, "name": name}
                )


def sequence_of(connection: Connection, table: Table) -> str:
    """Return the name of the sequence behind a PostgreSQL table's id."""
    return str(connection.scalar(select(func.pg_get_serial_sequence(table.name, "id"))))


backup_restore = Scenario(
    model=Booking,
    interlude=rows_only,
    claims=[
        holds(unique, single_use, durable, faithful),
        holds(accepted, why="an explicit id moves the counter along"),
        breaks(accepted, when={"postgresql"}, why="the new table's sequence starts at 1, and those ids are taken"),
    ],
)

setval = Scenario(
    model=Booking,
    interlude=rows_and_maximum,
    claims=[
        holds(unique, durable, faithful),
        holds(accepted, single_use, why="the generator goes on after the highest id"),
    ],
)
"""After the restore the generator is set to the highest id that is there."""

deleted_rows = Scenario(
    model=Booking,
    interlude=rows_and_maximum,
    batch=10,  # of each client the newest rows are gone, and so the newest of all
    deletes=0.3,
    least=6_000,  # before its half, and after it, a client must come to delete
    claims=[
        holds(unique, durable, faithful, accepted),
        breaks(single_use, why="the newest rows were deleted before the backup: max(id) lies below their ids"),
        breaks(single_use, when={"sqlite"}, why="without AUTOINCREMENT each row counts on from max(id)"),
    ],
)
"""The highest id that is there is not the highest that was ever used, if the newest rows are gone."""

position = Scenario(
    model=NumberedBooking,
    interlude=rows_and_position,
    deletes=0.3,
    claims=[
        holds(unique, durable, faithful, accepted),
        holds(single_use, why="the generator is where it was before the backup"),
    ],
)
"""The generator's own position is saved beside the rows, and restored with them."""
