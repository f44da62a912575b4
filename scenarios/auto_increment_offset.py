"""Two primaries number the same table, one on odd steps and one on even: each keeps to its own grid.

Where two MySQL servers both take writes and replicate to each other, each gets `auto_increment_increment = 10` and its
own offset, so that their ids never collide. Here one server plays both: half of the connections have offset 1, the
other half offset 2. The ids stay unique, but they advance by tens, jump between the grids, and leave gaps that no row
will ever fill. Setting the increment alone, without a different offset on each server, changes nothing.

https://dev.mysql.com/doc/refman/9.7/en/replication-options-source.html#sysvar_auto_increment_increment
https://mariadb.com/kb/en/auto_increment_offset/
"""

from itertools import count
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.orm import Mapped, mapped_column

from idstorm.scenario import Row, Scenario, accepted, breaks, durable, explained, faithful, gapless, holds, unique


class Page(Row):
    id: Mapped[int] = mapped_column(primary_key=True)


def two_primaries(url: URL, **pool: Any) -> Engine:
    engine = create_engine(url, **pool)
    connections = count()

    @event.listens_for(engine, "connect")
    def choose_a_primary(connection: Any, _: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION auto_increment_increment = 10")
            cursor.execute(f"SET SESSION auto_increment_offset = {1 + next(connections) % 2}")

    return engine


auto_increment_offset = Scenario(
    model=Page,
    engine=two_primaries,
    needs={"auto_increment"},
    claims=[
        holds(unique, durable, faithful, accepted),
        holds(explained),
        breaks(gapless, why="eight of every ten values belong to neither grid"),
    ],
)
