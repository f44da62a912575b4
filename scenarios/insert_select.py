"""INSERT … SELECT creates rows whose number is not known beforehand.

Rows are copied from a staging table, and their ids are read back by the token that each row carries: there is no other
way to know which id belongs to which row. The server cannot know how many ids it will need. MySQL and MariaDB draw them
in blocks of 1, 2, 4, 8 … and leave the rest of the last block unused, so such a table has gaps from the start. With
`innodb_autoinc_lock_mode` 2 the ids of one statement need not be consecutive either.

https://dev.mysql.com/doc/refman/9.7/en/innodb-auto-increment-handling.html
https://mariadb.com/kb/en/auto_increment-handling-in-innodb/
https://www.postgresql.org/docs/current/functions-sequence.html
"""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Connection, insert, literal, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from idstorm.scenario import Row, Scenario, accepted, breaks, durable, explained, faithful, gapless, holds, unique

STAGED = 20


class Staged(Row):
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class Imported(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[int | None] = mapped_column(BigInteger, index=True)


def stage(connection: Connection) -> None:
    connection.execute(insert(Staged), [{"place": place} for place in range(STAGED)])


def copy(session: Session, tokens: Sequence[int]) -> list[int]:
    first = literal(tokens[0], BigInteger)
    rows = select(first + Staged.place).where(Staged.place < len(tokens)).order_by(Staged.place)
    session.execute(insert(Imported).from_select(["token"], rows))
    mine = select(Imported.id).where(Imported.token.between(tokens[0], tokens[-1])).order_by(Imported.token)
    return list(session.scalars(mine))


insert_select = Scenario(
    model=Imported,
    insert=copy,
    setup=stage,
    batch=STAGED,
    claims=[
        holds(unique, durable, faithful, accepted, gapless, explained),
        breaks(
            gapless, when={"auto_increment"}, why="ids are drawn in blocks, and the rest of the last one is dropped"
        ),
    ],
)
