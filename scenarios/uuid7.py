"""UUIDs of version 7 begin with the time, and no server hands them out.

48 bits of milliseconds come first and random bits after them, so new keys land at the end of an index instead of all
over it. No database is needed to keep two processes apart: 74 random bits do that. The ids sort by the millisecond in
which they were made, not by commit order, and libraries differ in what they promise within one millisecond. Do not use
them where outsiders must not learn when a row was made.

https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-7
https://pypi.org/project/uuid-utils/
"""

from uuid import UUID

from sqlalchemy import Uuid
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7 as new_id

from idstorm.scenario import Row, Scenario, accepted, durable, faithful, holds, may_break, ordered, single_use, unique


class Order(Row):
    __tablename__ = "orders"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=new_id)


uuid7 = Scenario(
    model=Order,
    sortable=True,
    deletes=0.1,
    claims=[
        holds(unique, durable, faithful, accepted, single_use, why="74 random bits within each millisecond"),
        may_break(ordered, why="within a millisecond, two processes draw at random"),
    ],
)
