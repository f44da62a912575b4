"""Scenarios to explore: what applications do to find, or to make, a row, a number, a place in a queue."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import String, func, insert, literal, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from idstorm.scenario import Existing, Row, Scenario, breaks, holds, may_break, unique, visible


class Tag(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20), index=True)


class Label(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20), unique=True)


class Account(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(index=True)


class Last(Row):
    id: Mapped[int] = mapped_column(primary_key=True)
    what: Mapped[str] = mapped_column(String(20), index=True)
    number: Mapped[int]


def look_then_insert(session: Session, tokens: Sequence[int]) -> list[object]:
    """Insert a tag, unless it is seen to be there."""
    if session.scalar(select(Tag.id).where(Tag.name == "new")) is not None:
        return [Existing("new")]
    session.add(Tag(name="new", token=tokens[0]))
    session.flush()
    return ["new"]


def insert_or_look_again(session: Session, tokens: Sequence[int]) -> list[object]:
    """Insert a label within a savepoint, and look again if the constraint refuses it."""
    wanted = select(Label.id).where(Label.name == "new")
    if session.scalar(wanted) is not None:
        return [Existing("new")]
    try:
        with session.begin_nested():
            session.add(Label(name="new", token=tokens[0]))
    except IntegrityError:
        session.scalar(wanted)
        return [Existing("new")]
    return ["new"]


def lazily(session: Session, tokens: Sequence[int]) -> list[int]:
    """Lock the row with the last number, and make it if there is none."""
    last = session.scalars(select(Last).where(Last.what == "account").order_by(Last.id).with_for_update()).first()
    if last is None:
        last = Last(what="account", number=0)
        session.add(last)
        session.flush()
    last.number += 1
    account = Account(number=last.number, token=tokens[0])
    session.add(account)
    session.flush()
    return [account.number]


def in_one_statement(session: Session, tokens: Sequence[int]) -> list[int]:
    """Let one statement read the greatest number and insert the next, in AUTOCOMMIT."""
    following = select(func.coalesce(func.max(Account.number), 0) + 1, literal(tokens[0]))
    session.execute(insert(Account).from_select(["number", "token"], following))
    return [session.scalars(select(Account.number).where(Account.token == tokens[0])).one()]


get_or_create = Scenario(Tag, id=Tag.name, insert=look_then_insert, claims=[breaks(unique, why="both look first")])
savepoint = Scenario(Label, id=Label.name, insert=insert_or_look_again, claims=[holds(unique)])
lazy = Scenario(
    Account,
    id=Account.number,
    insert=lazily,
    claims=[
        breaks(unique, why="there is no row to lock yet"),
        holds(unique, when={"mysql", "mariadb"}),
    ],
    failing=0.5,
)
one_statement = Scenario(
    Account,
    id=Account.number,
    insert=in_one_statement,
    isolation="AUTOCOMMIT",
    claims=[may_break(unique, why="it reads before it commits")],
    failing=0.5,
)
polled = Scenario(Account, reader=True, claims=[may_break(visible, why="a later id may be there first")])
autocommitted = Scenario(
    Account,
    isolation="AUTOCOMMIT",
    reader=True,
    claims=[may_break(visible, why="a later id may be there first")],
)
