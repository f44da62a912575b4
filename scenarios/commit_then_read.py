"""`session.commit(); print(user.id)` queries the database again, and gets the right id.

A commit expires every object of its session, so the id printed after it comes from a new SELECT in a new transaction.
That SELECT looks the row up by the primary key that the flush returned, so it cannot find another client's row. At
worst it finds none, if another client has deleted the row by then. The price is one more statement for each row. As the
work commits by itself here, an error during or after COMMIT leaves it open what became of the row.

https://docs.sqlalchemy.org/en/20/orm/session_basics.html#committing
https://docs.sqlalchemy.org/en/20/orm/session_api.html#sqlalchemy.orm.Session.params.expire_on_commit
"""

from collections.abc import Sequence

from sqlalchemy import String
from sqlalchemy.orm import Mapped, Session, mapped_column

from idstorm.scenario import Row, Scenario, accepted, durable, faithful, holds, starts_at, unique


class User(Row):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(50), default="Alice")


def add_and_commit(session: Session, tokens: Sequence[int]) -> list[int]:
    users = [User(token=token) for token in tokens]
    session.add_all(users)
    session.commit()
    return [user.id for user in users]


commit_then_read = Scenario(
    model=User,
    insert=add_and_commit,
    claims=[holds(unique, durable, faithful, accepted, starts_at)],
)
