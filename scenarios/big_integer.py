"""A BigInteger key will never run out, but on SQLite it does not number rows.

Nine quintillion ids are enough; the storm crosses their end all the same, to check that nothing wraps around there
either. SQLite numbers rows only if the column's type is exactly INTEGER. A BIGINT key is an ordinary column that
nothing fills, so each insert fails because the key must not be NULL. People find out when their tests, on SQLite, fail
for a model that works in production. The fix, `BigInteger().with_variant(Integer, "sqlite")`, is right on both.

https://www.sqlite.org/lang_createtable.html#rowids_and_the_integer_primary_key
https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#allowing-autoincrement-behavior-sqlalchemy-types-other-than-integer-integer
https://www.postgresql.org/docs/current/datatype-numeric.html
https://dev.mysql.com/doc/refman/9.7/en/integer-types.html
"""

from sqlalchemy import BigInteger, Connection, Integer, text
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
    starts_at,
    unique,
)

LAST = 2**63 - 1 - 600
PAST_THE_END = Failing(0.999, why="every insert after the last id fails")


class Measurement(Row):
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)


class Portable(Row):
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


def few_left(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT setval(pg_get_serial_sequence('measurement', 'id'), :last)"), {"last": LAST})
    else:
        connection.execute(text(f"ALTER TABLE measurement AUTO_INCREMENT = {LAST + 1}"))


big_integer = Scenario(
    model=Measurement,
    setup=few_left,
    needs={"integer_widths"},
    least=1_200,
    failing=PAST_THE_END,
    claims=[
        holds(unique, durable, faithful, accepted, gapless),
        breaks(headroom, why="all but 600 of its values were used up before"),
        breaks(accepted, when={"mysql"}, why="past the end the last id is handed out again, and refused"),
        breaks(gapless, when={"mysql"}, why="MySQL skips the last id but one"),
    ],
)

with_variant = Scenario(
    model=Portable,
    claims=[holds(unique, durable, faithful, accepted, starts_at)],
)
"""The same key as an INTEGER on SQLite, which numbers rows there."""
