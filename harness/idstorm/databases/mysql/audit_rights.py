"""What MySQL and MariaDB hide from a user: a table, or a trigger, of which it has no privilege is not in its catalogue.

https://dev.mysql.com/doc/refman/9.7/en/information-schema-introduction.html#information-schema-privileges
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import sqlalchemy as sa

from idstorm.record.survey import Unread

_GRANT = re.compile(r"GRANT (.+) ON (\*|`(?:[^`]|``)+`)\.\* TO ", re.IGNORECASE)
_NEEDED = {
    "SELECT": "tables of which the user has no privilege",
    "TRIGGER": "triggers",
}
"""The privileges on a whole database without which part of its catalogue is hidden."""


def grantee(connection: sa.Connection) -> str:
    """Return the user, as GRANT writes it."""
    name, _, host = str(connection.exec_driver_sql("SELECT CURRENT_USER()").scalar_one()).rpartition("@")
    return "@".join("`" + part.replace("`", "``") + "`" for part in (name, host))


def hidden(connection: sa.Connection, database: str | None, user: str) -> Iterator[Unread]:
    """Yield what may be hidden in a database, or in any, with the privilege that shows it."""
    granted = [
        (match[1].upper(), match[2])
        for (line,) in connection.exec_driver_sql("SHOW GRANTS")
        if (match := _GRANT.match(str(line))) is not None
    ]
    for privilege, what in _NEEDED.items():
        if not any(_gives(words, privilege) and _covers(place, database) for words, place in granted):
            place = "*" if database is None else "`" + database.replace("`", "``") + "`"
            yield Unread(what, "they are hidden from it", f"GRANT {privilege} ON {place}.* TO {user};")


def _gives(words: str, privilege: str) -> bool:
    return words.startswith("ALL PRIVILEGES") or privilege in (word.strip() for word in words.split(","))


def _covers(place: str, database: str | None) -> bool:
    r"""Return whether a grant's place, in which % and _ stand for anything unless escaped, is that of a database."""
    if place == "*" or database is None:
        return place == "*"
    parts = re.split(r"(\\.|%|_)", place[1:-1].replace("``", "`"))
    spelled = {"%": ".*", "_": "."}
    pattern = "".join(spelled.get(part) or re.escape(part.removeprefix("\\")) for part in parts)
    return re.fullmatch(pattern, database, re.DOTALL) is not None
