"""A transaction that is prepared first and committed later keeps its ids, too.

`Session(twophase=True)` splits the end of a transaction: PREPARE makes it durable without making it visible, and COMMIT
PREPARED makes it visible. Application servers use it to commit on two databases at once. The ids were drawn when the
rows were inserted, so nothing changes for them. What changes is what an error means: a prepared transaction survives
the loss of its connection, with its rows locked, until it is committed or rolled back. PostgreSQL allows none unless
`max_prepared_transactions` is set.

https://docs.sqlalchemy.org/en/20/orm/session_transaction.html#enabling-two-phase-commit
https://www.postgresql.org/docs/current/sql-prepare-transaction.html
https://dev.mysql.com/doc/refman/9.7/en/xa.html
"""

from sqlalchemy import Engine
from sqlalchemy.orm import Mapped, Session, mapped_column

from idstorm.scenario import Row, Scenario, accepted, durable, faithful, holds, single_use, starts_at, unique


class Payment(Row):
    id: Mapped[int] = mapped_column(primary_key=True)


def in_two_phases(engine: Engine) -> Session:
    return Session(engine, twophase=True)


two_phase = Scenario(
    model=Payment,
    session=in_two_phases,
    needs={"two_phase"},
    server={"postgresql": {"max_prepared_transactions": "64"}},
    rollback=0.1,
    deletes=0.1,
    claims=[holds(unique, durable, faithful, accepted, single_use, starts_at)],
)
