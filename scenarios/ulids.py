"""ULIDs are text that sorts by time: 26 characters, 48 bits of time and 80 random ones.

They are older than version 7 of the UUID and say the same in fewer characters, without dashes, safe in URLs and in file
names. Processes never coordinate, so only chance keeps their ids apart, and 80 random bits are enough. A column for
them should compare characters by their code. A collation that ignores case, as MySQL's default does, breaks nothing,
since a ULID is written in capitals, but a lower-case copy would match the same row.

https://github.com/ulid/spec
https://pypi.org/project/python-ulid/
https://dev.mysql.com/doc/refman/9.7/en/charset-server.html
"""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column
from ulid import ULID

from idstorm.scenario import Row, Scenario, accepted, durable, faithful, holds, may_break, ordered, single_use, unique


def new_id() -> str:
    return str(ULID())


class Upload(Row):
    id: Mapped[str] = mapped_column(String(26), primary_key=True, default=new_id)


ulids = Scenario(
    model=Upload,
    sortable=True,
    deletes=0.1,
    claims=[
        holds(unique, durable, faithful, accepted, single_use, why="80 random bits within each millisecond"),
        may_break(ordered, why="within a millisecond they are drawn at random"),
    ],
)
