"""A reader that polls `id > last seen` misses rows, unless ids become visible in the order in which they were drawn.

Outbox relays, incremental exports, webhooks, search indexers: all remember the highest id that they have seen and ask
for rows beyond it. An id is drawn at the INSERT and becomes visible to others at the COMMIT. If 11 commits before 10,
and the reader polls in between, it goes on from 11 and never looks back: row 10 stays in the table, and is never read.
No isolation level helps, since nothing is wrong with any transaction. Every server does this; SQLite has one writer at
a time, so its ids are drawn in commit order.

What people do about it, and what it costs:

`lag` stays a number of ids (or seconds) behind. Everything arrives late, by a guess, and one transaction held open for
longer than the guess is enough to lose a row. The report's `safe_lag_ids` and `safe_lag_ms` say how large the guess
would have had to be this time.

`watermark` (PostgreSQL) keeps each row's transaction number and reads up to `pg_snapshot_xmin`, the oldest transaction
still running. It misses nothing, but it waits for the oldest transaction of the whole server, including an unrelated
import that runs for an hour. Until that ends, the newest rows are there and cannot be read; the poll says so.

`one_at_a_time` makes writers take a lock before they draw an id, and hold it until COMMIT: order is kept, and writers
wait in a queue, as slow as `counter_table`.

`reader_locks` lets the reader lock the table against writers for the moment of its poll: any transaction that has drawn
an id has committed by then. Writers stop at each poll, and the reader waits for the slowest of them; in MySQL and
MariaDB, where writers go ahead of a read lock, it may wait until no client writes at all. This needs ids that the
INSERT itself draws; a `Sequence` that SQLAlchemy executes first would be drawn before the lock is taken.

`gap_aware` notes the missing ids below those that it has seen, and asks for them again until they arrive or it gives
up. A rollback leaves a gap for ever, so giving up too early loses rows, and too late costs queries.

https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
https://www.postgresql.org/docs/current/functions-sequence.html
https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES
https://dev.mysql.com/doc/refman/9.7/en/lock-tables.html
https://microservices.io/patterns/data/polling-publisher.html
"""

from collections.abc import Sequence
from time import monotonic
from typing import Any

from sqlalchemy import Connection, MetaData, String, func, insert, or_, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column
from sqlalchemy.types import UserDefinedType

from idstorm.scenario import NotYet, Row, Scenario, breaks, durable, faithful, holds, may_break, unique, visible

THINK = (0.0, 0.01)  # seconds that transactions take
IN_A_QUEUE = (0.0, 0.002)
LAG = 500  # ids
PATIENCE = 10.0  # seconds after which a gap is taken for a rollback's

Polled = tuple[Sequence[Any], Any]


class XID8(UserDefinedType[Any]):
    """The number of a PostgreSQL transaction."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


class Event(Row):
    id: Mapped[int] = mapped_column(primary_key=True)


class StampedEvent(Row):
    __tablename__ = "stamped_event"
    metadata = MetaData()  # a table of its own: no other database knows its types

    id: Mapped[int] = mapped_column(primary_key=True)
    transaction: Mapped[str | None] = mapped_column(XID8, server_default=text("pg_current_xact_id()"))


class Turn(Row):
    name: Mapped[str] = mapped_column(String(20), primary_key=True)


def open_turnstile(connection: Connection) -> None:
    connection.execute(insert(Turn).values(name="events"))


def add(session: Session, tokens: Sequence[int]) -> list[int]:
    events = [Event(token=token) for token in tokens]
    session.add_all(events)
    session.flush()
    return [event.id for event in events]


def add_in_turn(session: Session, tokens: Sequence[int]) -> list[int]:
    session.execute(select(Turn).with_for_update())
    return add(session, tokens)


def newer(connection: Connection, last: Any, *conditions: Any) -> Polled:
    query = select(Event.id, Event.token).where(Event.id > (last or 0), *conditions).order_by(Event.id)
    rows = connection.execute(query).all()
    return rows, rows[-1].id if rows else last


def poll_behind(connection: Connection, last: Any, final: bool) -> Polled:
    highest = connection.scalar(select(func.max(Event.id))) or 0
    return newer(connection, last, Event.id <= highest - (0 if final else LAG))


def poll_up_to_the_oldest_transaction(connection: Connection, last: Any, final: bool) -> Polled:
    if final:  # before the rows are read: the watermark can only rise in between
        query = text("SELECT count(*) FROM stamped_event WHERE transaction >= pg_snapshot_xmin(pg_current_snapshot())")
        if behind := connection.scalar(query):
            raise NotYet(f"another transaction of the server is still open, begun before {behind:,} of them")
    query = text(
        "SELECT id, token, transaction::text AS transaction FROM stamped_event "
        "WHERE transaction < pg_snapshot_xmin(pg_current_snapshot()) "
        "AND (transaction, id) > (CAST(:transaction AS xid8), :id) ORDER BY stamped_event.transaction, id"
    )
    transaction, id_ = last or ("0", 0)
    rows = connection.execute(query, {"transaction": transaction, "id": id_}).all()
    return rows, (rows[-1].transaction, rows[-1].id) if rows else last


def poll_under_a_lock(connection: Connection, last: Any, final: bool) -> Polled:
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE event IN SHARE MODE"))
        return newer(connection, last)
    connection.execute(text("LOCK TABLES event READ"))
    try:
        return newer(connection, last)
    finally:
        connection.execute(text("UNLOCK TABLES"))


def poll_for_gaps_too(connection: Connection, last: Any, final: bool) -> Polled:
    highest, gaps = last or (0, {})
    query = select(Event.id, Event.token).where(or_(Event.id > highest, Event.id.in_(gaps))).order_by(Event.id)
    rows, now = connection.execute(query).all(), monotonic()
    seen = {row.id for row in rows}
    top = max(highest, *seen) if seen else highest
    gaps |= {id_: now for id_ in range(highest + 1, top) if id_ not in seen}
    return rows, (top, {id_: since for id_, since in gaps.items() if id_ not in seen and now - since < PATIENCE})


outbox = Scenario(
    model=Event,
    insert=add,
    think=THINK,
    reader=True,
    least=2_000,  # a poll can pass by the few rows that are under way, so that it takes many polls
    claims=[
        holds(unique, durable, faithful),
        breaks(visible, why="a later id commits first, and the reader goes on from there"),
        holds(visible, when={"sqlite"}, why="there is one writer at a time, and its id is drawn under the lock"),
    ],
)

lag = Scenario(
    model=Event,
    insert=add,
    think=THINK,
    reader=poll_behind,
    claims=[
        holds(unique, durable, faithful),
        may_break(visible, why=f"{LAG} ids are far more than are ever under way here, but still a guess"),
    ],
)
"""The reader stays 500 ids behind the newest that it sees."""

watermark = Scenario(
    model=StampedEvent,
    think=THINK,
    reader=poll_up_to_the_oldest_transaction,
    needs={"postgresql"},
    claims=[holds(unique, durable, faithful, visible, why="nothing older than the watermark is still under way")],
)
"""The reader goes no further than the oldest transaction that is still running (PostgreSQL)."""

one_at_a_time = Scenario(
    model=Event,
    insert=add_in_turn,
    setup=open_turnstile,
    think=IN_A_QUEUE,
    reader=True,
    claims=[holds(unique, durable, faithful, visible, why="ids are drawn under a lock that is held until COMMIT")],
)
"""Writers draw their ids under a lock that they hold until COMMIT."""

reader_locks = Scenario(
    model=Event,
    insert=add,
    think=THINK,
    reader=poll_under_a_lock,
    needs={"isolation_levels"},
    claims=[
        holds(unique, durable, faithful),
        holds(visible, why="while the reader polls, no client is between drawing an id and COMMIT"),
        may_break(visible, when={"mysql", "mariadb"}, why="a reader that waits for a lock hardly ever gets to poll"),
    ],
)
"""The reader locks the table against writers for the moment of its poll."""

gap_aware = Scenario(
    model=Event,
    insert=add,
    think=THINK,
    rollback=0.1,
    reader=poll_for_gaps_too,
    claims=[
        holds(unique, durable, faithful),
        holds(visible, why="no transaction here takes as long as the reader waits for a gap"),
    ],
)
"""The reader notes the ids that are missing, and asks for them again."""
