"""A child belongs to the parent that it was given, although neither has an id when they are joined.

`Parent(children=[Child()])` and one flush: SQLAlchemy inserts the parents, learns their ids, and writes these into the
children. Five families go into each transaction here, so that one statement inserts many parents and each id that comes
back has to find its own object. A foreign key cannot notice a mistake: the wrong parent is a parent, too. The child's
`parent_id` is what is judged: the id that the client was told for the parent must be the one that the child's row
carries.

https://docs.sqlalchemy.org/en/20/orm/cascades.html#save-update
https://docs.sqlalchemy.org/en/20/core/connections.html#correlating-returning-rows-to-parameter-sets
https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-FK
"""

from collections.abc import Sequence

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from idstorm.scenario import Row, Scenario, accepted, durable, faithful, holds, unique


class Parent(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    children: Mapped[list["Child"]] = relationship(back_populates="parent")


class Child(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int] = mapped_column(ForeignKey(Parent.id))
    parent: Mapped[Parent] = relationship(back_populates="children")


def insert_families(session: Session, tokens: Sequence[int]) -> list[int]:
    parents = [Parent(token=token, children=[Child(token=token)]) for token in tokens]
    session.add_all(parents)
    session.flush()
    return [parent.id for parent in parents]


parent_child = Scenario(
    model=Child,
    id=Child.parent_id,
    insert=insert_families,
    batch=5,
    claims=[
        holds(unique, durable, accepted),
        holds(faithful, why="each child carries the id of the parent that it was given"),
    ],
)
