"""What is under way on one session: kept with the session, for as long as its transaction lasts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, SessionTransaction, UOWTransaction

from idstorm.join.asked import Asked
from idstorm.join.failing import Failure

KEY = "idstorm"  #: in the session's own `info`


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """A flush of which it is not known what became of it."""

    flush: int
    savepoint: SessionTransaction | None  #: that it is in
    asked: Asked
    connection: sa.Connection


@dataclass(slots=True)
class State:
    """What is under way on one session."""

    began: int = 0  #: when its transaction did, or the one around it; 0: there is none
    connections: list[sa.Connection] = field(default_factory=list)  #: that the transaction was given
    flushing: UOWTransaction | None = None  #: the flush under way
    autocommit: bool = False  #: what was inserted was committed statement by statement
    commit: int = 0  #: when COMMIT was about to be sent; 0: it was not
    pending: list[Pending] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)  #: of which it is not known yet in which table they were
    heard: BaseException | None = None  #: the error that was recorded last

    @property
    def connection(self) -> sa.Connection | None:
        """The connection of the transaction, if it has one alone."""
        return self.connections[0] if len(self.connections) == 1 else None


def state_of(session: Session) -> State:
    state = session.info.get(KEY)
    if state is None:
        state = session.info[KEY] = State()
    return state


def connections_of(session: Session) -> list[sa.Connection]:
    """Return the connections of a transaction that had begun before it was listened to; SQLAlchemy tells nobody."""
    held: dict[Any, tuple[Any, ...]] = getattr(session.get_transaction(), "_connections", {})
    return list(dict.fromkeys(connection for connection, *_ in held.values()))


def is_within(inner: SessionTransaction | None, edge: SessionTransaction) -> bool:
    while inner is not None:
        if inner is edge:
            return True
        inner = inner.parent
    return False
