"""The names and meanings of errors that ended operations: the codes on a client's tape."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace

from sqlalchemy.exc import TimeoutError as PoolTimeout

from idstorm.databases.base import Database
from idstorm.databases.error_code import ErrorCode
from idstorm.errors import show_users_error
from idstorm.record.code import Code, clip
from idstorm.record.plan import Ids
from idstorm.record.tape import Tape
from idstorm.redaction import redact
from idstorm.scenario.clients import Refused

_NOT_SENT = (ConnectionRefusedError, socket.gaierror)
_HELD_ONE = ErrorCode("sqlalchemy:3o7r the pool had no connection in time for a client that held one")
_TWO_AT_ONCE = (
    "a client that holds a connection waits for another: set connections=2 in the scenario, or raise --pool-size"
)


class Codes:
    """The codes of one client's tape."""

    def __init__(self, database: Database, ids: Ids, tape: Tape, secrets: Sequence[str]) -> None:
        self._database, self._ids, self._tape, self._secrets = database, ids, tape, secrets

    def of(self, error: BaseException, *, held: bool = False) -> ErrorCode:
        """Return what an error means. `held` says that its session held a connection all the while."""
        if held and isinstance(error, PoolTimeout):
            return _HELD_ONE
        return self._database.classify(error, self._ids.columns, self._ids.constraints)

    def of_client(self, error: BaseException) -> ErrorCode:
        """Return what an error from the scenario's own client means.

        The constraint that it names decides, or else the driver's error in its chain. If there is neither, it is not
        known whether the id's own constraint refused the row, unless there was no connection to send it on.
        """
        code = self.of(error)
        known = not code.works_own or any(isinstance(one, _NOT_SENT) for one in _chain(error))
        if not isinstance(error, Refused):
            return code if known else replace(code, recognised=False)
        name = "refused" if type(error) is Refused else f"refused: {type(error).__name__}"
        if error.constraint is None:
            by = f"{name}: {code.name}" if not code.works_own else name
            return replace(code, name=by) if known else ErrorCode(by, recognised=False)
        own = self._is_own(error.constraint)
        by = f"{name} by {error.constraint}" if error.constraint else f"{name} by no constraint"
        return ErrorCode(by, refused=own is True, recognised=own is not None)

    def _is_own(self, constraint: str) -> bool | None:
        """Return whether a constraint, given by its name or its columns, is the id's own; None: not known."""
        known = self._database.is_own(constraint, self._ids.constraints)
        parts = [part.strip().rpartition(".") for part in constraint.split(",")]
        columns, tables = {column for _, _, column in parts}, {table for table, _, _ in parts} - {""}
        table, own = (
            {one.rpartition(".")[0] for one in self._ids.columns},
            {one.rpartition(".")[2] for one in self._ids.columns},
        )
        if known is None and tables and not tables & table:
            return False
        return True if known is None and columns >= own else known

    def number(self, code: ErrorCode, error: BaseException) -> int:
        """Return the number of a code on the tape. Raises OSError where there is no space for a new one."""
        name = clip(code.name)  # it holds no text from an application
        known = self._tape.known_code((name, code.refused, code.raced, code.recognised))
        return known or self._tape.code(self._code(name, code, error))

    def _code(self, name: str, code: ErrorCode, error: BaseException) -> Code:
        message = _TWO_AT_ONCE if code is _HELD_ONE else _first_line(error)
        return Code(
            name,
            refused=code.refused,
            raced=code.raced,
            recognised=code.recognised,
            message=redact(message, self._secrets),
            shown=redact(show_users_error(error), self._secrets),
        )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its chain of causes and contexts."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _first_line(error: BaseException) -> str:
    """Return the first line of an error's message, without SQLAlchemy's additions."""
    original = getattr(error, "orig", None) or error
    return next(iter(str(original).strip().splitlines()), type(original).__name__)
