"""A cached sequence hands out each value once, but not necessarily in order.

`Sequence("ticket_id", cache=20)` spares the server a write for nineteen ids out of twenty. On PostgreSQL each session
reserves its own twenty values: ids arrive in no particular order, and a session that ends drops what is left of its
twenty. MariaDB keeps one cache for all sessions, so the order is kept and only a crash leaves a gap. Applications that
sort by id, or poll for `id > last`, notice the difference. A value handed out twice would be a fault on both.

https://www.postgresql.org/docs/current/sql-createsequence.html#id-1.9.3.81.7
https://mariadb.com/kb/en/create-sequence/
https://docs.sqlalchemy.org/en/20/core/defaults.html#sqlalchemy.schema.Sequence.params.cache
"""

from sqlalchemy import Sequence
from sqlalchemy.orm import Mapped, mapped_column

from idstorm.scenario import (
    Row,
    Scenario,
    accepted,
    breaks,
    durable,
    explained,
    faithful,
    gapless,
    holds,
    may_break,
    ordered,
    starts_at,
    unique,
)


class Ticket(Row):
    id: Mapped[int] = mapped_column(Sequence("ticket_id", cache=20), primary_key=True)


cached_sequence = Scenario(
    model=Ticket,
    needs={"sequences"},
    claims=[
        holds(unique, durable, faithful, accepted, starts_at),
        may_break(gapless, why="values that a session reserved and did not use are dropped when it ends"),
        holds(explained),
        breaks(ordered, when={"session_sequence_cache"}, why="each session draws from its own 20 values"),
        holds(ordered, when={"mariadb"}, why="all sessions share one cache"),
    ],
)
