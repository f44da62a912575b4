"""A session's failed inserts: the class, the number of rows, the connection and the error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic_ns

import sqlalchemy as sa
from sqlalchemy.orm import Session, UOWTransaction

from idstorm.join.watched import Watched

Code = tuple[str, bool, bool, bool]
"""A journal's entry for an error: its name, and whether it is a refusal, came from a race, and was recognised."""

UNHEARD: Code = ("COMMIT failed, and its error was not heard", False, False, False)

_INSERT = re.compile(r"\s*INSERT\s+(?:\w+\s+)*?INTO\s+([^\s(]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class Failure:
    """Rows of one class that a flush or a statement failed to insert."""

    watched: Watched
    connection: sa.Connection
    origin: int
    began: int
    ended: int
    rows: int
    code: Code

    def line(self, table: int) -> str:
        """Return the line for the journal, given the number of the table."""
        return json.dumps(["failed", table, self.origin, self.began, self.ended, self.rows, self.code]) + "\n"


def failures_of(
    session: Session,
    flush: UOWTransaction,
    watched: Iterable[Watched],
    connections: Sequence[sa.Connection],
    error: BaseException,
    origin: int,
    began: int,
) -> Iterator[Failure]:
    """Yield what a flush failed to insert."""
    now = monotonic_ns()
    new = [state.class_ for state, (deleted, _) in flush.states.items() if not deleted and state.key is None]
    for one in tuple(watched):
        rows = sum(issubclass(class_, one.model) for class_ in new)
        connection = connection_for(session, one, connections) if rows else None
        if connection is not None:
            yield Failure(one, connection, origin, began or now, now, rows, code_of(one, connection, error))


def failed_in(error: BaseException, watched: Watched) -> int:
    """Return how many rows of a class were to be inserted by the statement that this error ended."""
    if not isinstance(error, sa.exc.DBAPIError) or error.statement is None:
        return 0
    into = _INSERT.match(error.statement)
    if into is None or re.split(r"[.]", into[1])[-1].strip("\"'`[]") != watched.ids[0].table.name:
        return 0
    return max(1, len(error.params)) if isinstance(error.params, list) else 1


def connection_for(session: Session, watched: Watched, connections: Sequence[sa.Connection]) -> sa.Connection | None:
    """Return the connection that a session uses for a class; None: it has none yet, so nothing was sent."""
    if len(connections) < 2:
        return connections[0] if connections else None
    bind = session.get_bind(sa.inspect(watched.model))
    return next((one for one in connections if one is bind or one.engine is bind), None)


def answer_of_commit(error: BaseException | None) -> BaseException | None:
    """Return the error if it was the answer to COMMIT, the only thing that a session sends without a statement."""
    return error if isinstance(error, sa.exc.DBAPIError) and error.statement is None else None


def code_of(watched: Watched, connection: sa.Connection, error: BaseException) -> Code:
    """Return the code of an error in the journal's form."""
    code = watched.code(connection, error)
    return code.name, code.refused, code.raced, code.recognised
