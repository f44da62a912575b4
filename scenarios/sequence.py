"""`Sequence('user_id_seq')` on the key: a separately named generator, where the database has sequences.

PostgreSQL and MariaDB have sequences, which take no part in transactions: each value is handed out once, whatever
becomes of the row. SQLite and MySQL have none. SQLAlchemy then silently leaves the sequence out, and the column numbers
itself: on SQLite, the id of the newest row comes back once that row is deleted. The trouble begins with tables that
already have rows, as after a migration: a sequence that was not moved past the largest id runs into it, and each insert
that draws a used id is refused until the sequence has passed them. The right way is to start it after the largest.

https://docs.sqlalchemy.org/en/20/core/defaults.html#associating-a-sequence-on-a-column
https://www.postgresql.org/docs/current/functions-sequence.html
https://mariadb.com/kb/en/sequence-overview/
"""

from sqlalchemy import Column, Connection, Integer, Sequence, insert

from idstorm.scenario import (
    Row,
    Scenario,
    accepted,
    breaks,
    durable,
    faithful,
    holds,
    single_use,
    starts_at,
    unique,
)

LEGACY = range(50, 351)


class User(Row):
    __tablename__ = "users"

    id = Column(Integer, Sequence("user_id_seq"), primary_key=True)


class LegacyUser(Row):
    __tablename__ = "legacy_users"

    id = Column(Integer, Sequence("legacy_user_id_seq", start=LEGACY.stop), primary_key=True)


class MigratedUser(Row):
    __tablename__ = "migrated_users"

    id = Column(Integer, Sequence("migrated_user_id_seq"), primary_key=True)


def legacy_rows(connection: Connection) -> None:
    connection.execute(insert(LegacyUser), [{"id": number} for number in LEGACY])


def migrated_rows(connection: Connection) -> None:
    connection.execute(insert(MigratedUser), [{"id": number} for number in LEGACY])


sequence = Scenario(
    model=User,
    deletes=0.3,
    claims=[
        holds(unique, durable, faithful, accepted, starts_at),
        holds(single_use, why="a generator does not look at the existing rows"),
        breaks(single_use, when={"sqlite"}, why="without the sequence each row counts on from the largest id"),
    ],
)

legacy = Scenario(
    model=LegacyUser,
    setup=legacy_rows,
    claims=[holds(unique, durable, faithful, accepted, why="the generator starts after the largest id")],
)
"""A table with rows already, and a sequence that starts after them."""

left_behind = Scenario(
    model=MigratedUser,
    setup=migrated_rows,
    claims=[
        holds(unique, durable, faithful, accepted, why="a column that numbers itself goes on after the largest id"),
        breaks(accepted, when={"sequences"}, why="the sequence starts at 1 and runs into the existing rows"),
    ],
)
"""A table with rows already, and a sequence that starts at 1."""
