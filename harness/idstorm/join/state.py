"""What is under way on one session: kept with the session while its transaction lasts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session, SessionTransaction, UOWTransaction

from idstorm.join.failing import Failure
from idstorm.join.watched import Watched

KEY = "idstorm"  #: the key in the session's `info`


@dataclass(frozen=True, slots=True, eq=False)
class Pending:
    """A flush whose outcome is not known yet."""

    flush: int
    savepoint: SessionTransaction | None  #: the one that it is in
    watched: Watched
    connection: sa.Connection


@dataclass(slots=True)
class State:
    """What is under way on one session."""

    began: int = 0  #: when its transaction, or the one around it, began; 0: there is none
    connections: list[sa.Connection] = field(default_factory=list)  #: the transaction's connections
    flushing: UOWTransaction | None = None  #: the flush under way
    autocommit: bool = False  #: the inserts were committed statement by statement
    commit: int = 0  #: when COMMIT was about to be sent; 0: it was not
    pending: list[Pending] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)  #: those whose table is not known yet
    heard: BaseException | None = None  #: the last error that was recorded

    @property
    def connection(self) -> sa.Connection | None:
        """The connection of the transaction, if it has exactly one."""
        return self.connections[0] if len(self.connections) == 1 else None


def state_of(session: Session) -> State:
    state = session.info.get(KEY)
    if state is None:
        state = session.info[KEY] = State()
    return state


def connections_of(session: Session) -> list[sa.Connection]:
    """Return the connections of a transaction that began before listening did; SQLAlchemy has no public way."""
    held: dict[Any, tuple[Any, ...]] = getattr(session.get_transaction(), "_connections", {})
    return list(dict.fromkeys(connection for connection, *_ in held.values()))


def is_within(inner: SessionTransaction | None, edge: SessionTransaction) -> bool:
    while inner is not None:
        if inner is edge:
            return True
        inner = inner.parent
    return False
