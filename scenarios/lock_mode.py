"""`innodb_autoinc_lock_mode` decides who waits for whom, not whether ids are unique.

Mode 0 locks the counter for each statement, 1 only for statements whose row count is not known beforehand, and 2 never
for a whole statement. MySQL has shipped with 2 since version 8, MariaDB ships with 1. With 2, an INSERT … SELECT shares
the counter with others while it runs, so its ids need not be consecutive. Statement-based replication would then number
the copy differently, which is why mode 2 calls for row-based replication. Each mode is stormed on its own server, with
single inserts, multi-row inserts and INSERT … SELECT side by side. In every mode ids are unique, and clients are told
the right ones. Mode 0 draws no id in advance.

https://dev.mysql.com/doc/refman/9.7/en/innodb-auto-increment-handling.html
https://mariadb.com/kb/en/auto_increment-handling-in-innodb/
"""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Connection, Table, insert, literal, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from idstorm.scenario import (
    Claims,
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

STAGED = 10


class Source(Row):
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class Copy(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[int | None] = mapped_column(BigInteger, index=True)


def stage(connection: Connection) -> None:
    connection.execute(insert(Source), [{"place": place} for place in range(STAGED)])


def each_kind_in_turn(session: Session, tokens: Sequence[int]) -> list[int]:
    """Insert one row, then several with VALUES, then the rest with SELECT."""
    table = Copy.__table__
    assert isinstance(table, Table)
    one, several, rest = tokens[:1], tokens[1:5], tokens[5:]
    for some in (one, several):
        if some:
            session.execute(table.insert().values([{"token": token} for token in some]))
    if rest:
        rows = select(literal(rest[0], BigInteger) + Source.place).where(Source.place < len(rest))
        session.execute(insert(Copy).from_select(["token"], rows))
    mine = select(Copy.id).where(Copy.token.between(tokens[0], tokens[-1])).order_by(Copy.token)
    return list(session.scalars(mine))


def in_mode(mode: int, claim: Claims) -> Scenario:
    settings = {"innodb_autoinc_lock_mode": str(mode)}
    return Scenario(
        model=Copy,
        insert=each_kind_in_turn,
        setup=stage,
        batch=15,
        needs={"auto_increment"},
        server={"mysql": settings, "mariadb": settings},
        claims=[holds(unique, durable, faithful, accepted, explained), claim],
    )


IN_BLOCKS = breaks(gapless, why="ids for INSERT … SELECT are drawn in blocks, and the rest of the last one is dropped")

traditional = in_mode(0, holds(gapless, why="the counter is locked for the whole statement"))
"""Mode 0: the counter is locked for the whole statement."""
consecutive = in_mode(1, IN_BLOCKS)
"""Mode 1, MariaDB's: it is locked only where the number of rows is not known beforehand."""
interleaved = in_mode(2, IN_BLOCKS)
"""Mode 2, MySQL's: it is never locked for a whole statement."""
