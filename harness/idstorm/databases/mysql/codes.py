"""What the errors of MySQL and MariaDB mean, by number.

https://dev.mysql.com/doc/mysql-errors/9.0/en/server-error-reference.html
https://dev.mysql.com/doc/mysql-errors/9.0/en/error-message-elements.html (the ranges of numbers)
https://mariadb.com/kb/en/mariadb-error-code-reference/
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from idstorm.databases.chain import Found, package_of
from idstorm.databases.error_code import ErrorCode
from idstorm.databases.uniques import owned, uniques

DRIVERS = ("pymysql", "MySQLdb", "mysql", "mariadb", "aiomysql", "asyncmy")  #: the packages that raise these errors
PRIVILEGE = {1044, 1142, 1227}
_DUPLICATE = {1062, 1586, 1859}  # they name the key
_DUPLICATE_SOMEWHERE = {1022, 1169, 1557, 1761, 1762}  # no key named, or that of another table, by a cascade
_GONE = ("OperationalError", "InterfaceError")  # PEP 249's names for errors that are not the statement's fault
_LOST = {1053, 1927, 2006, 2013, 2055, 4031}
_AUTOINC_AT_ITS_END = 167  # the storage engine's number, which MariaDB passes on; MySQL's is 1467
_RACED = {1020, 1205, 1213, 1614, 3101, 3572}
"""A row changed since it was read, lock timeout, deadlock (in XA too), failed certification by a group or cluster, and
a lock that NOWAIT did not get."""
_PROVES_ROLLBACK = {1062, 1205, 1213, 1451, 1452, 3101, 4025}
"""Errors after which COMMIT has certainly not taken effect: constraints, lock timeout, deadlock, and a rollback by the
group or cluster during the commit."""
_ENVIRONMENT = {1021, 1040, 1044, 1045, 1049, 1114, 1129, 1130, 1142, 1203, 1226, 1290, 1836, 2002, 2003, 2005}
_SIGNALLED = 1644  # raised by the application's own trigger or procedure, for any reason

_NAME = r"(?:`(?:[^`]|``)+`|\w+)"
_WRITES = re.compile(
    r"(?:\s|/\*.*?\*/)*(?:INSERT|REPLACE|UPDATE)\s+(?:(?:LOW_PRIORITY|DELAYED|HIGH_PRIORITY|IGNORE|INTO)\s+)*"
    rf"(?:{_NAME}\.)?({_NAME})(?!\s*(?:,|JOIN\b))",
    re.IGNORECASE | re.DOTALL,
)
_SEVERAL = re.compile(r";\s*\S")


def number_of(error: BaseException | None) -> int | None:
    """Return the server's or the client library's number, or None where the driver itself raised the error.

    The two connectors have it as `errno`; for all other drivers it is the first argument.
    """
    if error is None:
        return None
    first = error.args[0] if error.args else None
    number: Any = getattr(error, "errno", None) or first
    return number if isinstance(number, int) and number > 0 else None


def read(
    found: Found, dialect: str, ids: Sequence[str], names: Sequence[str], *, names_tables: bool
) -> ErrorCode | None:
    """Return what an error means, or None for one that is not from a MySQL or MariaDB driver.

    `names_tables`: messages put the table before the key.
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
    """Return whether an error with this number is known not to be a refusal by a unique key.

    Numbers up to 999 are the storage engines', and those from 5000 on are others'. The server's and the client
    library's are in between, and their meanings never change.
    """
    if number in _DUPLICATE_SOMEWHERE or number == _SIGNALLED:
        return False
    return number == _AUTOINC_AT_ITS_END or 1000 <= number < 5000


def _key(error: BaseException, *, names_tables: bool) -> tuple[str | None, str]:
    """Return the key that a message, in any language, names last, and its table where MySQL (since 8.0.19) names it."""
    words = next((one for one in reversed(error.args) if isinstance(one, str) and " " in one), str(error))
    key = re.search(r"'([^']*)'[^']*$", words)
    name = key[1] if key else "a key that it does not name"
    table, dot, rest = name.partition(".")
    return (table, rest) if dot and names_tables else (None, name)


def _own(
    table: str | None, key: str, statement: str | None, ids: Sequence[str], names: Sequence[str]
) -> tuple[bool | None, str | None]:
    """Return whether a key is the id's own, or None where that cannot be told, and the key's table.

    MariaDB does not name the table. It is the one that the statement writes to, unless triggers then write to others.
    Without a statement, a name is proof only if all keys of that name are the id's own, or none is.
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
    """Return the table that a single statement inserts into or updates."""
    if statement is None or _SEVERAL.search(statement):
        return None
    writes = _WRITES.match(statement)
    return writes[1].strip("`").replace("``", "`") if writes else None
