"""Hi/lo: a process takes a block of numbers at once and hands them out on its own.

One row of a table holds the next block (the *hi*). A process that runs out takes it in a separate transaction and then
serves fifty ids (the *lo*) from memory, without asking the database. Object-relational mappers made this popular,
because an object has its id before it is inserted. A process that takes a block has to lock the row, or to run the
UPDATE first: reading first and writing later gives two processes the same block. Since 11.6 MariaDB refuses the second
of them, where `innodb_snapshot_isolation` is on. Ids are unique, but follow no order across processes, and the rest of
a block is lost when its process ends.

https://vladmihalcea.com/the-hilo-algorithm/
https://docs.jboss.org/hibernate/orm/current/userguide/html_single/Hibernate_User_Guide.html#identifiers-generators-table
https://mariadb.com/kb/en/innodb-system-variables/#innodb_snapshot_isolation
https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-ROWS
"""

import threading
from collections.abc import Sequence

from sqlalchemy import Connection, String, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from idstorm.scenario import Row, Scenario, accepted, breaks, durable, faithful, holds, ordered, unique

BLOCK = 50


class Parcel(Row):
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class Package(Row):
    number: Mapped[int] = mapped_column(index=True)
    id: Mapped[int] = mapped_column(primary_key=True)


class Hi(Row):
    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    next: Mapped[int]


_lock = threading.Lock()
_block: list[int] = []
_own = threading.local()


def open_counter(connection: Connection) -> None:
    connection.execute(insert(Hi).values(name="parcels", next=0))


def insert_parcels(session: Session, tokens: Sequence[int]) -> list[int]:
    ids = [next_of_process(session) for _ in tokens]
    session.add_all(Parcel(id=id_, token=token) for id_, token in zip(ids, tokens, strict=True))
    session.flush()
    return ids


def next_of_process(session: Session) -> int:
    with _lock:
        if not _block:
            with Session(session.get_bind()) as own, own.begin():
                own.execute(update(Hi).values(next=Hi.next + 1))  # locks the row until COMMIT
                _block.extend(block_of(own.scalars(select(Hi.next)).one()))
        return _block.pop()


def insert_packages(session: Session, tokens: Sequence[int]) -> list[int]:
    numbers = [next_of_thread(session) for _ in tokens]
    session.add_all(Package(number=number, token=token) for number, token in zip(numbers, tokens, strict=True))
    session.flush()
    return numbers


def next_of_thread(session: Session) -> int:
    if not getattr(_own, "block", None):
        with Session(session.get_bind()) as own, own.begin():
            hi = own.scalars(select(Hi.next)).one() + 1
            own.execute(update(Hi).values(next=hi))
            _own.block = block_of(hi)[:5]  # small, so that blocks are taken often
    number: int = _own.block.pop()
    return number


def block_of(hi: int) -> list[int]:
    return list(range((hi - 1) * BLOCK + 1, hi * BLOCK + 1))


hilo = Scenario(
    model=Parcel,
    insert=insert_parcels,
    setup=open_counter,
    needs={"threads"},  # it holds a lock of Python's while it waits for the database
    claims=[
        holds(unique, durable, faithful, accepted, why="the UPDATE locks the row that holds the next block"),
        breaks(ordered, why="each process draws from its own block"),
    ],
)

read_then_write = Scenario(
    model=Package,
    id=Package.number,
    insert=insert_packages,
    setup=open_counter,
    needs={"threads"},  # each has a block of its own
    claims=[
        breaks(unique, why="two sessions read the same block before either has written the next"),
        holds(unique, when={"lost_updates_refused"}, why="the second to write is refused, since the row has changed"),
        holds(durable, faithful),
    ],
)
"""The block is read first and written later: two sessions take the same one."""
