"""PostgreSQL: a schema that carries idstorm's mark as its comment, under an advisory lock.

The connections used here look for names only in the catalogue. Otherwise another user's function on the search path
could be called instead of the catalogue's, with the rights of the user who clears up.
https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATTERNS
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress

import sqlalchemy as sa

from idstorm.databases.namespaces.names import PREFIX, Namespace
from idstorm.databases.postgresql.marks import is_at_work, is_locked, marked, take
from idstorm.errors import EnvironmentFault

_MARKS = {
    "idstorm: the schema of one storm, to be dropped after it": "left",
    "idstorm: the schema of one storm, kept": "kept",
}
_LEFT, _KEPT = _MARKS
_WORD = re.compile(r"(?:\\.|[^\\\s])+", re.DOTALL)  # blanks separate the options of a connection, a backslash escapes
_SETTING = re.compile(r"(?:-c|--)([^=]*)=(.*)", re.DOTALL)
_OURS = re.compile(rf"-csearch_path=({PREFIX}\w+)")
_ALL = (
    "SELECT nspname, obj_description(oid, 'pg_namespace'), pg_get_userbyid(nspowner), current_user "
    "FROM pg_namespace ORDER BY 1"
)


def leading_into(url: sa.URL, name: str) -> sa.URL:
    """Return a URL whose connections find only the schema. A search path in the given URL is replaced."""
    told = {"options": " ".join([*_options(url), f"-csearch_path={name}"]), "application_name": name}
    return url.update_query_dict(told)


def without_path(url: sa.URL) -> sa.URL:
    """Return a URL without a search path among its options."""
    if "options" not in url.query:
        return url
    rest = " ".join(_options(url))
    return url.update_query_dict({"options": rest}) if rest else url.difference_update_query(["options"])


def looking_at_the_catalogue(url: sa.URL, *settings: str) -> sa.URL:
    """Return a URL whose connections find only the catalogue, with a limit on the wait for locks.

    `settings` are more of them, or others, as `name=value`.
    """
    added = ("search_path=pg_catalog", "lock_timeout=10s", *settings)
    options = " ".join([*_options(url), *(f"-c{one}" for one in added)])
    return url.update_query_dict({"options": options})


def schema_of(url: sa.URL) -> str | None:
    """Return the schema that a storm's URL leads into; None for a URL that is not a storm's."""
    words = _WORD.findall(str(url.query.get("options", "")))
    ours = _OURS.fullmatch(words[-1]) if words else None  # the last option counts, and idstorm puts its own there
    return ours[1] if ours else None


def role_of(url: sa.URL) -> str | None:
    """Return the role that the options of a URL set."""
    return next((value for name, value in reversed(_settings(url)) if name == "role"), None)


def _options(url: sa.URL) -> list[str]:
    """Return the options of a URL, except for a search path."""
    settings = zip(_words(url), _settings(url), strict=True)
    return [word for word, (name, _) in settings if name != "search_path"]


def settings_of(url: sa.URL) -> dict[str, str]:
    """Return what a URL sets for a session that it starts, by name: options, and the name of the application."""
    name = url.query.get("application_name")
    named = {} if name is None else {"application_name": str(name)}
    return {**{name: value for name, value in _settings(url) if name}, **named}


def _settings(url: sa.URL) -> list[tuple[str, str]]:
    """Return the setting and the value of each option of a URL; ("", "") for an option that is not a setting."""
    plain = [_SETTING.fullmatch(re.sub(r"\\(.)", r"\1", word)) for word in _words(url)]
    return [("", "") if one is None else (one[1].lower().replace("-", "_"), one[2]) for one in plain]


def _words(url: sa.URL) -> Iterator[str]:
    """Yield the options of a URL, or if it has none, those of the environment, as libpq does."""
    given = url.query.get("options") or os.environ.get("PGOPTIONS", "")
    words = iter(_WORD.findall(given if isinstance(given, str) else " ".join(given)))
    for word in words:
        yield word + next(words, "") if word == "-c" else word


def make(connection: sa.Connection, name: str, *, keep: bool) -> None:
    """Make a schema, mark it and hold its lock while the session lasts. To others this happens at one instant."""
    quoted = connection.dialect.identifier_preparer.quote_identifier(name)
    connection.exec_driver_sql("BEGIN")
    try:
        if not take(connection, name):
            raise EnvironmentFault(f"another session has the lock of {name}")
        connection.exec_driver_sql(f"CREATE SCHEMA {quoted}")
        connection.exec_driver_sql(f"COMMENT ON SCHEMA {quoted} IS '{_KEPT if keep else _LEFT}'")
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        with suppress(sa.exc.SQLAlchemyError):
            connection.exec_driver_sql("ROLLBACK")
        raise


def listed(connection: sa.Connection) -> list[Namespace]:
    """Return the schemas with idstorm's mark, or with a name in its pattern."""
    return marked(connection, _ALL, _MARKS, lambda name: is_locked(connection, name) or is_at_work(connection, name))


def drop(connection: sa.Connection, name: str) -> None:
    """Drop a schema and everything in it, with a limit on the wait for locks."""
    connection.exec_driver_sql(
        f"DROP SCHEMA IF EXISTS {connection.dialect.identifier_preparer.quote_identifier(name)} CASCADE"
    )
