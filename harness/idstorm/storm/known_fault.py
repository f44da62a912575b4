"""The pattern that a control storms: known to break on every database, at every isolation level.

It is `max(number) + 1` without a constraint, and the transaction of the SELECT is over before the INSERT begins. So no
database's locks, snapshots or serialization can keep two clients from reading the same maximum. The pause in between is
longer than the rest of an operation, so that any two clients are in it at once.

This is a module, not a file of the catalogue: it teaches nothing, and has no result of its own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from idstorm.scenario import Row, Scenario, breaks, unique

_PAUSE = 0.01  # seconds


class Numbered(Row):
    """A row whose number no other row has, if all goes well."""

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(index=True)


def _insert(session: Session, tokens: Sequence[int]) -> list[int]:
    highest = session.scalar(select(func.max(Numbered.number))) or 0
    session.rollback()
    time.sleep(_PAUSE)
    rows = [Numbered(number=number, token=token) for number, token in enumerate(tokens, start=highest + 1)]
    session.add_all(rows)
    session.flush()
    return [row.number for row in rows]


control = Scenario(
    Numbered,
    id=Numbered.number,
    insert=_insert,
    claims=[breaks(unique, why="two clients read the same maximum")],
)
