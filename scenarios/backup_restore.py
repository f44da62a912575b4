"""A backup holds the rows. Where the next id comes from is kept elsewhere.

In the middle of the storm, while nobody is at work, all rows are read out, the table is dropped and made anew, and
the rows are put back with their ids, as every hand-written export and import does. People believe that the database
counts on from there. SQLite, MySQL and MariaDB do: an explicit id moves their counters along. A sequence of PostgreSQL
is an object of its own, which an INSERT with an explicit id does not touch. That of the new table starts at 1, and
each insert is refused by the primary key until the sequence has run through all the ids that are taken.

`setval` is the usual cure: set the sequence to max(id) after the restore. Where no rows are deleted, nothing else is
wanted. Where rows are, `deleted_rows` shows the rest: max(id) is what the table holds now, so the ids of the newest
rows, deleted before the backup, are handed out again, to strangers. The counters of MySQL and MariaDB that moved along
by themselves moved no further than that either. What pg_dump and mysqldump write down beside the rows, and
`.dump` of SQLite for a table with AUTOINCREMENT, is the position of the generator itself; `position` does the same.

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
    """Put all rows of a table into a fresh one of the same name, which is returned."""
    table = table_of(model)
    rows = [row._asdict() for row in connection.execute(select(table).order_by(table.c.id))]
    table.drop(connection)
    table.create(connection)
    for start in range(0, len(rows), CHUNK):
        connection.execute(insert(table), rows[start : start + CHUNK])
    return table


@contextmanager
def operator(place: Place) -> Iterator[Connection]:
    """Somebody who is connected for as long as the restore takes."""
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
    """Return the name of the sequence that belongs to the id of a table of PostgreSQL."""
    return str(connection.scalar(select(func.pg_get_serial_sequence(table.name, "id"))))


backup_restore = Scenario(
    model=Booking,
    interlude=rows_only,
    claims=[
        holds(unique, single_use, durable, faithful),
        holds(accepted, why="an explicit id moves the counter along"),
        breaks(accepted, when={"postgresql"}, why="the sequence of the new table starts at 1, where ids are taken"),
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

position = Scenario(
    model=NumberedBooking,
    interlude=rows_and_position,
    deletes=0.3,
    claims=[
        holds(unique, durable, faithful, accepted),
        holds(single_use, why="the generator is where it was before the backup"),
    ],
)
