"""SERIAL and IDENTITY number rows alike; they differ in who may interfere.

SQLAlchemy makes an Integer primary key SERIAL on PostgreSQL: a column whose default calls a sequence that the column
owns. The standard's `GENERATED … AS IDENTITY`, which PostgreSQL recommends, keeps that sequence inside the column: it
needs no separate grant, copying the table's definition does not share it, and ALWAYS refuses ids that are set by hand.
Both draw from a sequence, so under load they promise the same: no value twice, and gaps.

https://wiki.postgresql.org/wiki/Don%27t_Do_This#Don.27t_use_serial
https://www.postgresql.org/docs/current/ddl-identity-columns.html
https://docs.sqlalchemy.org/en/20/dialects/postgresql.html#sequences-serial-identity
"""

from sqlalchemy import Identity
from sqlalchemy.orm import Mapped, mapped_column

from idstorm.scenario import Row, Scenario, accepted, durable, faithful, holds, starts_at, unique


class Serial(Row):
    id: Mapped[int] = mapped_column(primary_key=True)


class Identified(Row):
    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)


CLAIMS = [
    holds(unique, durable, faithful, accepted, starts_at, why="both draw each value from a sequence, once"),
]

serial_vs_identity = Scenario(model=Serial, needs={"identity"}, rollback=0.1, claims=CLAIMS)

identity = Scenario(model=Identified, needs={"identity"}, rollback=0.1, claims=CLAIMS)
"""The column is GENERATED … AS IDENTITY."""
