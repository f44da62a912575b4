"""What the errors of PostgreSQL mean, by SQLSTATE.

https://www.postgresql.org/docs/current/errcodes-appendix.html
https://www.postgresql.org/docs/current/protocol-error-fields.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from idstorm.databases.chain import Found, package_of
from idstorm.databases.error_code import ErrorCode
from idstorm.databases.uniques import guards, owned, uniques

DRIVERS = ("psycopg", "psycopg2", "asyncpg", "pg8000")  #: the packages that raise these errors
PRIVILEGE = "42501"
_UNIQUE = ("23505", "23P01")  # a unique or primary key; an exclusion constraint
_KNOWN = {
    "02": "no data",
    "03": "SQL statement not yet complete",
    "08": "connection",
    "0A": "feature not supported",
    "0B": "invalid transaction initiation",
    "21": "cardinality",
    "22": "data, 2200H among them: a sequence that has reached its end",
    "23": "integrity constraint",
    "24": "invalid cursor state",
    "25": "invalid transaction state",
    "26": "invalid SQL statement name",
    "28": "authorization",
    "2B": "dependent privileges",
    "2D": "invalid transaction termination",
    "34": "invalid cursor name",
    "3B": "savepoint",
    "3D": "invalid catalog name",
    "3F": "invalid schema name",
    "40": "transaction rollback",
    "42": "syntax or access rule",
    "44": "WITH CHECK OPTION",
    "53": "insufficient resources",
    "54": "program limit",
    "55": "object not in prerequisite state",
    "57": "operator intervention",
    "58": "system",
    "72": "snapshot failure",
}
"""The classes that the server itself raises, with known meanings. None is a refusal, except for _UNIQUE.

Left out, since it cannot be known what was refused: errors from the application's functions and triggers (P0, 38, 39,
45), from foreign data (HV), and internal errors (XX)."""
_AFTERMATH = {"25P02": "the transaction had failed before, as the first error says"}
_RACED = ("40001", "40P01", "55P03")  # serialization, deadlock, a lock that was not available in time
_PROVES_ROLLBACK = ("23", "40001", "40002", "40P01", "25P02")
"""States after which COMMIT has certainly not taken effect: integrity, serialization, deadlock, a failed transaction.
40003 is "statement completion unknown", as its name says. A terminated backend (57P01) may have committed."""
_ENVIRONMENT = ("28", "3D", "42501", "53", "58")  # login, no such database, privilege, resources, the system
_LOST = ("08", "57P01", "57P02", "57P03")  # connection, shutdown, crash, not yet up
_GONE = ("OperationalError", "InterfaceError")  # PEP 249's names for errors that are not the statement's fault
_NOT_REACHED = re.compile("connection to server .* failed: |could not connect to server|Can't create a connection")
"""What drivers say where there is no connection: the server's own SQLSTATE does not always get through."""
_KEY = re.compile(r"\((.*)\)=\(")
_WORD = re.compile(r'"((?:[^"]|"")*)"|(\w+)')


@dataclass(frozen=True)
class _Fields:
    """The fields of an error, besides its message."""

    state: str | None
    table: str | None = None
    constraint: str | None = None
    columns: tuple[str, ...] = ()  #: those that its detail names, or every word of an expression

    @classmethod
    def of(cls, error: BaseException) -> _Fields:
        """Read pg8000's dictionary, the `diag` of psycopg and psycopg2, asyncpg's attributes."""
        first = error.args[0] if error.args else None
        if isinstance(first, Mapping):
            return cls(first.get("C"), first.get("t"), first.get("n"), _columns(first.get("D")))
        state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        about: Any = getattr(error, "diag", error)
        detail = getattr(about, "message_detail", None) or getattr(about, "detail", None)
        return cls(state, getattr(about, "table_name", None), getattr(about, "constraint_name", None), _columns(detail))


def state_of(error: BaseException | None) -> str | None:
    """Return the SQLSTATE of a driver's error, or None where it has none."""
    return None if error is None else _Fields.of(_original(error)).state


def words(expression: str) -> tuple[str, ...]:
    """Return every word of an expression: columns, functions and types alike."""
    return tuple(quoted.replace('""', '"') or word for quoted, word in _WORD.findall(expression))


def read(found: Found, ids: Sequence[str], names: Sequence[str]) -> ErrorCode | None:
    """Return what an error means, or None for one that is not from a PostgreSQL driver.

    The server sends a state with each error. One without a state comes from the driver itself, which cannot go on, most
    often for lack of a connection.
    """
    error = _original(found.error)
    if package_of(error) not in DRIVERS and not _is_adapted(error):
        return None
    fields, kind = _Fields.of(error), type(error).__name__
    if fields.state is None and _NOT_REACHED.search(str(error)):
        return ErrorCode(f"postgresql:{kind} there was no connection to be had", environment=True)
    if fields.state is None:
        return ErrorCode(
            f"postgresql:{kind} without a state: the connection was lost",
            recognised=kind != "PipelineAborted",
            lost=kind in _GONE,
        )
    state, of, refused = fields.state, "", False
    recognised = state[:2] in _KNOWN and state not in _AFTERMATH
    if state in _UNIQUE:
        own = _own(fields, ids, names)
        refused, recognised = own is True, own is not None
        of = f" of {fields.constraint or 'no constraint that it names'}"
        of += "" if recognised else ", which the model does not have"
    return ErrorCode(
        f"postgresql:{state} {kind}{of}",
        refused=refused,
        recognised=recognised,
        raced=state in _RACED,
        rolled_back=state.startswith(_PROVES_ROLLBACK),
        environment=state.startswith(_ENVIRONMENT),
        lost=state.startswith(_LOST),
    )


def _original(error: BaseException) -> BaseException:
    """Return the driver's error where SQLAlchemy has replaced it with its own, as it does for asyncio drivers."""
    cause = error.__cause__
    return cause if _is_adapted(error) and cause is not None and package_of(cause) == "asyncpg" else error


def _is_adapted(error: BaseException) -> bool:
    return type(error).__module__.startswith("sqlalchemy.dialects.postgresql")


def _own(fields: _Fields, ids: Sequence[str], names: Sequence[str]) -> bool | None:
    """Return whether the constraint that refused a row is the id's own; None where that cannot be told."""
    if fields.table is None or fields.constraint is None:  # raised by a function, with this state
        return None
    known = uniques(tuple(names))
    by_name = owned([one for one in known if one.name == fields.constraint], fields.constraint, fields.table)
    if by_name is not None:
        return by_name
    table, columns = ids[0].rpartition(".")[0] if ids else "", {one.rpartition(".")[2] for one in ids}
    if not fields.columns:  # they are hidden from users who may not read them
        return None
    if fields.table == table:
        return guards(fields.columns, columns)
    # It may be an unknown partition of the id's table.
    known_table = any(one.table == fields.table for one in known)
    return False if known_table or not guards(fields.columns, columns) else None


def _columns(detail: str | None) -> tuple[str, ...]:
    """Return the columns of `Key (tenant, number)=(1, 2) already exists.`, and all words of an expression."""
    key = _KEY.search((detail or "").split(")=(", 1)[0] + ")=(")
    return words(key[1]) if key else ()
