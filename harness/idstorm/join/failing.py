"""Inserts of a session that failed: of which class, how many rows, on which connection, and by which error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic_ns

import sqlalchemy as sa
from sqlalchemy.orm import Session, UOWTransaction

from idstorm.join.asked import Asked

Code = tuple[str, bool, bool, bool]
"""What a journal says of an error: its name, and whether it is a refusal, came from a race, and was recognised."""

UNHEARD: Code = ("COMMIT failed, and its error was not heard", False, False, False)

_INSERT = re.compile(r"\s*INSERT\s+(?:\w+\s+)*?INTO\s+([^\s(]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class Failure:
    """Rows of one class that a flush, or a statement, has failed to insert."""

    asked: Asked
    connection: sa.Connection
    origin: int
    began: int
    ended: int
    rows: int
    code: Code

    def line(self, table: int) -> str:
        """Return the journal's line, now that it is known in which table it was."""
        return json.dumps(["failed", table, self.origin, self.began, self.ended, self.rows, self.code]) + "\n"


def failures_of(
    session: Session,
    flush: UOWTransaction,
    asked: Iterable[Asked],
    connections: Sequence[sa.Connection],
    error: BaseException,
    origin: int,
    began: int,
) -> Iterator[Failure]:
    """Yield what a flush has failed to insert."""
    now = monotonic_ns()
    new = [state.class_ for state, (deleted, _) in flush.states.items() if not deleted and state.key is None]
    for one in tuple(asked):
        rows = sum(issubclass(class_, one.model) for class_ in new)
        connection = connection_for(session, one, connections) if rows else None
        if connection is not None:
            yield Failure(one, connection, origin, began or now, now, rows, code_of(one, connection, error))


def failed_in(error: BaseException, asked: Asked) -> int:
    """Return how many rows of a class a statement would have inserted that ended with this error."""
    if not isinstance(error, sa.exc.DBAPIError) or error.statement is None:
        return 0
    into = _INSERT.match(error.statement)
    if into is None or re.split(r"[.]", into[1])[-1].strip("\"'`[]") != asked.ids[0].table.name:
        return 0
    return max(1, len(error.params)) if isinstance(error.params, list) else 1


def connection_for(session: Session, asked: Asked, connections: Sequence[sa.Connection]) -> sa.Connection | None:
    """Return the connection that a session has for a class; None: it has none yet, so nothing was sent."""
    if len(connections) < 2:
        return connections[0] if connections else None
    bind = session.get_bind(sa.inspect(asked.model))
    return next((one for one in connections if one is bind or one.engine is bind), None)


def answer_of_commit(error: BaseException | None) -> BaseException | None:
    """Return the error, if it is what answered COMMIT: of all that a session sends, that is no statement."""
    return error if isinstance(error, sa.exc.DBAPIError) and error.statement is None else None


def code_of(asked: Asked, connection: sa.Connection, error: BaseException) -> Code:
    """Return the code of an error as a journal has it."""
    code = asked.code(connection, error)
    return code.name, code.refused, code.raced, code.recognised
