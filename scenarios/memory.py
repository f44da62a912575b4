"""`sqlite:///:memory:` is a database for one connection; what threads see depends on the pool.

The tutorial creates its engine with `create_engine("sqlite:///:memory:")` and uses it from one thread, and all is well.
Then there are threads. SQLite gives each connection to `:memory:` its own empty database, and the pool that SQLAlchemy
picks, SingletonThreadPool, gives each thread its own connection: "no such table" in every thread but the one that
created the tables. Beyond five threads (`pool_size`) the pool also closes arbitrary connections of other threads,
perhaps the one with the tables. Nothing can be inserted at all, so there is nothing to judge.

What people try next: `create_all` in each thread (`memory`; `pool_size` leaves room for all threads). The errors are
gone. Each thread now counts from 1 in a database that no other thread sees and that ends with the thread.

Then StaticPool and `check_same_thread=False`: one connection for all threads. SQLAlchemy's manual suggests it for this
purpose, and does not mention that the threads then also share one transaction. Without a lock the driver mixes up their
results: ids told twice, "cannot commit - no transaction is active", and on Python 3.11 often a segmentation fault that
ends the process. With a lock around each call (`locked_calls`) it runs, but a commit by one thread commits every
thread's rows, and a rollback takes back every thread's. Only a lock from the first statement to the end of the
transaction is right (`locked_transactions`); a QueuePool of one connection does the same. No two threads are ever at
work, then.

Last, a shared cache (`shared_cache`): connections of one process to one database in memory, each with its own
transactions. Nothing is lost, but "database table is locked" is raised at once while another connection writes:
SQLITE_LOCKED does not wait for the busy timeout, so the application has to try again. A temporary file waits, and needs
none of this.

https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#threading-pooling-behavior
https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#using-a-memory-database-in-multiple-threads
https://docs.sqlalchemy.org/en/20/core/pooling.html#sqlalchemy.pool.SingletonThreadPool
https://docs.sqlalchemy.org/en/20/core/pooling.html#sqlalchemy.pool.StaticPool
https://www.sqlite.org/inmemorydb.html
https://www.sqlite.org/sharedcache.html
https://www.sqlite.org/rescode.html#locked
"""

from collections.abc import Sequence
from itertools import count
from threading import Lock
from time import sleep
from typing import Any

from sqlalchemy import URL, Engine, QueuePool, StaticPool, create_engine, insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Mapped, Session, mapped_column

from idstorm.scenario import Row, Scenario, accepted, breaks, durable, faithful, holds, may_break, single_use, unique

lock = Lock()
transactions = count(1)


class User(Row):
    id: Mapped[int] = mapped_column(primary_key=True)


def as_picked(_: URL, **__: Any) -> Engine:
    return create_engine("sqlite:///:memory:")


def room_for_all(_: URL, **__: Any) -> Engine:
    return create_engine("sqlite:///:memory:", pool_size=1_000)


def one_connection(_: URL, **__: Any) -> Engine:
    return create_engine("sqlite:///:memory:", poolclass=StaticPool, connect_args={"check_same_thread": False})


def one_cache(_: URL, **pool: Any) -> Engine:
    url = "sqlite:///file:idstorm?mode=memory&cache=shared&uri=true"
    return create_engine(url, poolclass=QueuePool, connect_args={"check_same_thread": False}, **pool)


def add(session: Session, tokens: Sequence[int]) -> list[int]:
    users = [User(token=token) for token in tokens]
    session.add_all(users)
    session.flush()
    return [user.id for user in users]


def create_and_add(session: Session, tokens: Sequence[int]) -> list[int]:
    User.metadata.create_all(session.connection())
    return add(session, tokens)


def add_in_turn(session: Session, tokens: Sequence[int]) -> list[int]:
    with lock:
        return add(session, tokens)


class InTurn(Session):
    """A session whose calls each wait for their turn."""

    def commit(self) -> None:
        with lock:
            super().commit()

    def rollback(self) -> None:
        with lock:
            super().rollback()

    def close(self) -> None:
        with lock:
            super().close()


def add_alone(session: Session, tokens: Sequence[int]) -> list[int | None]:
    session.connection()  # the one that all threads share
    with lock:
        ids = add(session, tokens)
        if next(transactions) % 4:
            session.commit()
            return [*ids]
        session.rollback()
        return [None] * len(ids)


def add_patiently(session: Session, tokens: Sequence[int]) -> list[int]:
    """Try again a few times where a lock is refused, as every application has to."""
    for pause in (0.001, 0.002, 0.004):
        try:
            return add_rows(session, tokens)
        except OperationalError:
            sleep(pause)
    return add_rows(session, tokens)


def add_rows(session: Session, tokens: Sequence[int]) -> list[int]:
    query = insert(User).returning(User.id, sort_by_parameter_order=True)
    return [*session.scalars(query, [{"token": token} for token in tokens])]


memory = Scenario(
    model=User,
    local=True,
    needs={"sqlite"},
    engine=as_picked,
    insert=create_and_add,
    claims=[
        breaks(unique, why="each thread has its own database, which counts from 1"),
        may_break(single_use, durable, faithful, why="a database ends when the pool closes its connection"),
    ],
)

pool_size = Scenario(
    model=User,
    local=True,
    needs={"sqlite"},
    engine=room_for_all,
    insert=create_and_add,
    claims=[
        breaks(unique, single_use, why="each thread has its own database, which counts from 1"),
        breaks(durable, why="the thread that reads the table back has an empty database"),
        may_break(faithful, why="there is nothing to compare with"),
    ],
)
"""Each thread has its database, and the pool has room for the connections of all."""

locked_calls = Scenario(
    model=User,
    local=True,
    needs={"sqlite"},
    engine=one_connection,
    session=InTurn,
    insert=add_in_turn,
    rollback=0.25,
    think=(0, 0.004),  # without a pause hardly any thread comes in between
    claims=[
        breaks(durable, why="a rollback takes back the uncommitted rows of every thread"),
        breaks(unique, single_use, why="and their ids go to the next"),
        may_break(faithful, why="the row with that id is another client's"),
    ],
)
"""One connection for all threads, with a lock around each call: transactions mix."""

locked_transactions = Scenario(
    model=User,
    local=True,
    needs={"sqlite"},
    engine=one_connection,
    insert=add_alone,
    claims=[
        holds(unique, durable, faithful, accepted, why="one transaction at a time"),
    ],
)
"""One connection for all threads, with a lock around each transaction."""

shared_cache = Scenario(
    model=User,
    local=True,
    needs={"sqlite"},
    engine=one_cache,
    insert=add_patiently,
    claims=[
        holds(unique, durable, faithful, accepted, why="each connection has its own transactions"),
    ],
)
"""A shared cache: connections of one process to one database in memory."""
