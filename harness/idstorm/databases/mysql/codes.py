"""What the errors of MySQL and MariaDB mean, by number.

https://dev.mysql.com/doc/mysql-errors/9.0/en/server-error-reference.html
https://dev.mysql.com/doc/mysql-errors/9.0/en/error-message-elements.html (which numbers there are)
https://mariadb.com/kb/en/mariadb-error-code-reference/
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from idstorm.databases.base import ErrorCode
from idstorm.databases.chain import Found, package_of
from idstorm.databases.uniques import owned, uniques

DRIVERS = ("pymysql", "MySQLdb", "mysql", "mariadb", "aiomysql", "asyncmy")  #: the packages that raise them
PRIVILEGE = {1044, 1142, 1227}
_DUPLICATE = {1062, 1586, 1859}  # they name the key
_DUPLICATE_SOMEWHERE = {1022, 1169, 1557, 1761, 1762}  # they do not, or may be another table's, through a cascade
_GONE = ("OperationalError", "InterfaceError")  # what PEP 249 calls the errors that are not the statement's
_LOST = {1053, 1927, 2006, 2013, 2055, 4031}
_AUTOINC_AT_ITS_END = 167  # of the storage engine, which MariaDB passes on; in MySQL 1467
_RACED = {1020, 1205, 1213, 1614, 3101, 3572}
"""Changed since it was read, lock timeout, deadlock (in XA too), certified by a group or cluster after another, and a
lock that NOWAIT did not get."""
_PROVES_ROLLBACK = {1062, 1205, 1213, 1451, 1452, 3101, 4025}
"""Errors after which COMMIT has certainly not taken effect: constraints, lock timeout, deadlock, and a transaction that
its group or cluster rolled back while it was committing."""
_ENVIRONMENT = {1021, 1040, 1044, 1045, 1049, 1114, 1129, 1130, 1142, 1203, 1226, 1290, 1836, 2002, 2003, 2005}
_SIGNALLED = 1644  # by a trigger or a procedure of the application, for reasons of its own

_NAME = r"(?:`(?:[^`]|``)+`|\w+)"
_WRITES = re.compile(
    r"(?:\s|/\*.*?\*/)*(?:INSERT|REPLACE|UPDATE)\s+(?:(?:LOW_PRIORITY|DELAYED|HIGH_PRIORITY|IGNORE|INTO)\s+)*"
    rf"(?:{_NAME}\.)?({_NAME})(?!\s*(?:,|JOIN\b))",
    re.IGNORECASE | re.DOTALL,
)
_SEVERAL = re.compile(r";\s*\S")


def number_of(error: BaseException | None) -> int | None:
    """Return the server's or the client library's number, or None where the driver itself has raised the error.

    The two connectors call it errno, for all others it comes first.
    """
    if error is None:
        return None
    first = error.args[0] if error.args else None
    number: Any = getattr(error, "errno", None) or first
    return number if isinstance(number, int) and number > 0 else None


def read(
    found: Found, dialect: str, ids: Sequence[str], names: Sequence[str], *, names_tables: bool
) -> ErrorCode | None:
    """Return what an error means, or None for one that is not of a driver of MySQL's or MariaDB's.

    `names_tables`: a message puts the table before its key.
    """
    error = found.error
    if package_of(error) not in DRIVERS:
        return None
    number, kind = number_of(error), type(error).__name__
    if number is None:
        return ErrorCode(f"{dialect}:{kind} without a number: the connection was lost", lost=kind in _GONE)
    if number in _LOST:
        return ErrorCode(f"{dialect}:{number} the connection was lost", lost=True)
    of, refused, recognised = "", False, _is_known(number)
    if number in _DUPLICATE:
        table, key = _key(error, names_tables=names_tables)
        own, table = _own(table, key, found.statement, ids, names)
        refused, recognised = own is True, own is not None
        of = f" of {key if own or table is None or _is_of_ids(table, ids) else f'{table}.{key}'}"
        of += "" if recognised else ", and whose that is cannot be told"
    return ErrorCode(
        f"{dialect}:{number} {kind}{of}",
        refused=refused,
        recognised=recognised,
        raced=number in _RACED,
        rolled_back=number in _PROVES_ROLLBACK,
        environment=number in _ENVIRONMENT,
    )


def _is_known(number: int) -> bool:
    """Return whether an error of this number is known to be no refusal by a unique key.

    Up to 999 are the storage engines' own, from 5000 on others' still; the server's and the client library's in between
    each have one meaning for ever.
    """
    if number in _DUPLICATE_SOMEWHERE or number == _SIGNALLED:
        return False
    return number == _AUTOINC_AT_ITS_END or 1000 <= number < 5000


def _key(error: BaseException, *, names_tables: bool) -> tuple[str | None, str]:
    """Return the key that a message names last, in whatever language, and its table where MySQL (from 8.0.19) says."""
    words = next((one for one in reversed(error.args) if isinstance(one, str) and " " in one), str(error))
    key = re.search(r"'([^']*)'[^']*$", words)
    name = key[1] if key else "a key that it does not name"
    table, dot, rest = name.partition(".")
    return (table, rest) if dot and names_tables else (None, name)


def _own(
    table: str | None, key: str, statement: str | None, ids: Sequence[str], names: Sequence[str]
) -> tuple[bool | None, str | None]:
    """Return whether a key is the id's own, or None where that cannot be told, and the table that it is of.

    MariaDB does not name the table. It is the one that the statement writes to, unless triggers write to others then;
    without a statement, a name is proof only where all keys of that name are the id's own, or none is.
    """
    known = uniques(tuple(names))
    if table is not None:
        return (owned(known, key, table) if _is_of_ids(table, ids) else False), table
    written = _written_to(statement)
    if written is None or any(one.triggers for one in known if one.table.lower() == written.lower()):
        return owned(known, key), None
    return owned(known, key, written), written


def _is_of_ids(table: str, ids: Sequence[str]) -> bool:
    return bool(ids) and ids[0].rpartition(".")[0].lower() == table.lower()


def _written_to(statement: str | None) -> str | None:
    """Return the table that a single statement inserts into, or updates."""
    if statement is None or _SEVERAL.search(statement):
        return None
    writes = _WRITES.match(statement)
    return writes[1].strip("`").replace("``", "`") if writes else None
