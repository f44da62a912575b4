"""A snowflake is time, worker and counter in one 64-bit number: unique as long as no two workers share a number.

Each process counts within a millisecond on its own; ten bits of worker number keep it apart from the others. Nothing
checks that number. If a value copied into every container's configuration, or a library's default, gives two processes
the same one, the same millisecond gives them the same id. An index that allows duplicates, as in an event log or across
shards, stores both. The counter is not locked, either: threads of one process have to take turns.

https://en.wikipedia.org/wiki/Snowflake_ID
https://pypi.org/project/snowflake-id/
"""

import os
import threading
import time

from snowflake import SnowflakeGenerator
from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from idstorm.scenario import Row, Scenario, breaks, durable, faithful, holds, may_break, single_use, unique

WORKER = int(os.environ.get("IDSTORM_WORKER", "0"))

_own, _same = SnowflakeGenerator(WORKER), threading.local()
_lock = threading.Lock()


def next_of(generator: SnowflakeGenerator) -> int:
    while (number := next(generator)) is None:  # 4,096 were made in this millisecond
        time.sleep(0.001)
    return int(number)


def own_worker() -> int:
    with _lock:
        return next_of(_own)


def same_worker() -> int:
    if not hasattr(_same, "generator"):
        _same.generator = SnowflakeGenerator(1)
    return next_of(_same.generator)


class Message(Row):
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False, default=own_worker)


class LogEntry(Row):
    __tablename__ = "log_entry"

    event: Mapped[int] = mapped_column(BigInteger, index=True, default=same_worker)
    id: Mapped[int] = mapped_column(primary_key=True)


snowflake_ids = Scenario(
    model=Message,
    deletes=0.1,
    claims=[holds(unique, durable, faithful, single_use, why="each process has its own worker number")],
)

same_worker_number = Scenario(
    model=LogEntry,
    id=LogEntry.event,
    batch=10,
    least=3_000,  # two clients have to come in the same millisecond
    claims=[
        breaks(unique, why="clients with one worker number count through the same millisecond"),
        may_break(unique, when={"sqlite"}, why="while one client writes, the others wait for it with their ids drawn"),
        holds(durable, faithful),
    ],
)
"""All clients have the same worker number, and no constraint refuses what they repeat."""
