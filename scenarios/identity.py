"""Identity columns number rows; BY DEFAULT also lets clients set ids by hand.

`Identity(always=True)` refuses an id that is set by hand. `Identity()` means BY DEFAULT: such an id is accepted, but
the generator does not learn of it and runs into it later. From then on every insert that draws a used number is
refused, until the generator has passed them. People who import rows with their ids and forget to move the generator see
it in production first. Where a database has no identity columns, SQLAlchemy silently leaves the keyword out: MySQL and
MariaDB make the column AUTO_INCREMENT, whose counter does learn of larger ids, and SQLite takes the largest plus one.

https://www.postgresql.org/docs/current/ddl-identity-columns.html
https://docs.sqlalchemy.org/en/20/core/defaults.html#identity-columns-generated-always-by-default-as-identity
https://dev.mysql.com/doc/refman/9.7/en/example-auto-increment.html
"""

from sqlalchemy import Connection, Identity, insert
from sqlalchemy.orm import Mapped, mapped_column

from idstorm.scenario import (
    Row,
    Scenario,
    accepted,
    breaks,
    durable,
    faithful,
    holds,
    starts_at,
    unique,
)

IMPORTED = range(50, 400, 7)


class Always(Row):
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)


class ByDefault(Row):
    __tablename__ = "by_default"

    id: Mapped[int] = mapped_column(Identity(start=100, increment=10), primary_key=True)


class Imported(Row):
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)


def import_rows(connection: Connection) -> None:
    connection.execute(insert(Imported), [{"id": number} for number in IMPORTED])


identity = Scenario(
    model=Always,
    claims=[holds(unique, durable, faithful, accepted, starts_at)],
)

by_default = Scenario(
    model=ByDefault,
    claims=[
        holds(unique, durable, faithful, accepted),
        holds(starts_at, when={"identity"}, why="start and increment are the generator's own"),
        breaks(starts_at, when={"sqlite", "mysql", "mariadb"}, why="SQLAlchemy leaves Identity out"),
    ],
)

explicit_ids = Scenario(
    model=Imported,
    setup=import_rows,
    claims=[
        holds(unique, durable, faithful, accepted, why="the counter follows the largest id"),
        breaks(accepted, when={"identity"}, why="the generator was not told of the ids that were set by hand"),
    ],
)
