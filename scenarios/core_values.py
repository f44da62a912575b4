"""One INSERT with many rows of VALUES, and ids that come back in some order.

`insert(Row).values([{…}, {…}])` sends all rows as one statement. Where there is RETURNING, asking for the token beside
the id tells which id belongs to which row. Relying on the order instead works on every database here today, but none of
them promises it. MySQL has no RETURNING: the driver knows the first id of the statement, and people add 1, 2, 3 … to
it. That works because a statement whose row count is known beforehand gets consecutive numbers, whatever
`innodb_autoinc_lock_mode` is, as long as `auto_increment_increment` is 1.

https://docs.sqlalchemy.org/en/20/tutorial/data_insert.html#insert-returning
https://www.postgresql.org/docs/current/sql-insert.html
https://www.sqlite.org/lang_returning.html#limitations_and_caveats
https://dev.mysql.com/doc/refman/9.7/en/innodb-auto-increment-handling.html
https://dev.mysql.com/doc/refman/9.7/en/information-functions.html#function_last-insert-id
"""

from collections.abc import Sequence

from sqlalchemy import Table, insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from idstorm.scenario import Row, Scenario, accepted, durable, faithful, holds, unique


class Sample(Row):
    id: Mapped[int] = mapped_column(primary_key=True)


def returning_tokens(session: Session, tokens: Sequence[int]) -> list[int]:
    statement = insert(Sample).values([{"token": token} for token in tokens]).returning(Sample.token, Sample.id)
    ids = dict(session.execute(statement).tuples().all())
    return [ids[token] for token in tokens]


def returning_in_order(session: Session, tokens: Sequence[int]) -> list[int]:
    statement = insert(Sample).values([{"token": token} for token in tokens]).returning(Sample.id)
    return list(session.scalars(statement))


def counting_on(session: Session, tokens: Sequence[int]) -> list[int]:
    table = Sample.__table__
    assert isinstance(table, Table)
    result = session.connection().execute(table.insert().values([{"token": token} for token in tokens]))
    first = result.lastrowid
    return list(range(first, first + len(tokens)))


CLAIMS = [holds(unique, durable, faithful, accepted)]

core_values = Scenario(model=Sample, insert=returning_tokens, batch=20, needs={"returning"}, claims=CLAIMS)

in_order = Scenario(model=Sample, insert=returning_in_order, batch=20, needs={"returning"}, claims=CLAIMS)
"""RETURNING without the token: the ids are taken to come in the order of the rows."""

first_plus_position = Scenario(model=Sample, insert=counting_on, batch=20, needs={"auto_increment"}, claims=CLAIMS)
"""MySQL's first id of the statement, to which the position of each row is added."""
