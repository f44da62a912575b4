"""What the errors of SQLite mean, by extended result code.

https://www.sqlite.org/rescode.html
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from idstorm.databases.chain import Found
from idstorm.databases.error_code import ErrorCode
from idstorm.databases.uniques import guards, owned, uniques

DRIVERS = ("sqlite3", "aiosqlite")  #: the packages that raise these errors
_BUSY, _LOCKED, _READONLY, _IOERR, _FULL, _CANTOPEN, _CONSTRAINT = 5, 6, 8, 10, 13, 14, 19
_ENVIRONMENT = {_READONLY, _IOERR, _FULL, _CANTOPEN}
_RACED = {_BUSY, _LOCKED}
_UNIQUE = {1555, 2067, 2579}  # SQLITE_CONSTRAINT_PRIMARYKEY, _UNIQUE, _ROWID
_OTHER_CONSTRAINTS = {275, 787, 1299, 3091}  # SQLITE_CONSTRAINT_CHECK, _FOREIGNKEY, _NOTNULL, _DATATYPE
_ERROR = 1
_LOOKED_FOR = "no such "  # followed by the name of a table or column
_PROVES_ROLLBACK = {_BUSY, _LOCKED, _READONLY, _FULL, _CONSTRAINT}
"""Primary result codes after which COMMIT has certainly not taken effect. An I/O error is not one of them: it can come
from the sync after the commit frame was written."""


def read(found: Found, ids: Sequence[str], names: Sequence[str]) -> ErrorCode | None:
    """Return what an error means, or None for one that is not from Python's driver, which aiosqlite uses too.

    A trigger's error is the application's own (SQLITE_CONSTRAINT_TRIGGER); an error without a code is the driver's.
    """
    error = found.error
    if not isinstance(error, sqlite3.Error):
        return None
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return ErrorCode(f"sqlite:{type(error).__name__} without a code")
    own = _own(str(error), ids, names) if code in _UNIQUE else False
    return ErrorCode(
        f"sqlite:{code} {_words(error, code)}",
        refused=own is True,
        recognised=own is not None and (code & 0xFF != _CONSTRAINT or code in _UNIQUE | _OTHER_CONSTRAINTS),
        raced=code & 0xFF in _RACED,
        rolled_back=code & 0xFF in _PROVES_ROLLBACK,
        environment=code & 0xFF in _ENVIRONMENT,
    )


def _words(error: sqlite3.Error, code: int) -> str:
    """Return SQLite's message, or the error's class where the message may not be SQLite's own.

    That of an error in a statement quotes the statement, and a trigger or a function may say anything.
    """
    strangers = code & 0xFF == _CONSTRAINT and code not in _UNIQUE | _OTHER_CONSTRAINTS
    quoted = code & 0xFF == _ERROR and not str(error).startswith(_LOOKED_FOR)
    return type(error).__name__ if strangers or quoted else str(error)


def _own(message: str, ids: Sequence[str], names: Sequence[str]) -> bool | None:
    """Return whether `UNIQUE constraint failed: t.a, t.b` is the id's own; an index on expressions is given by name."""
    constrained = message.rpartition(": ")[2]
    if constrained.startswith("index '"):
        return owned(uniques(tuple(names)), constrained.removeprefix("index ").strip("'"))
    columns = [part.strip() for part in constrained.split(",")]
    return guards(columns, ids)
