"""PostgreSQL: a database of its own for a storm, where a driver or a pooler cannot carry a search path.

It is made from template0 with encoding, locale and settings of the URL's database, so that the same rows sort, compare
and behave alike, and with its extensions. Advisory locks are of one database, so its lock is held in itself: whoever
looks from another database of the server sees that session.
https://www.postgresql.org/docs/current/sql-createdatabase.html
https://www.postgresql.org/docs/current/manage-ag-templatedbs.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import sqlalchemy as sa

from idstorm.databases.asking import literal
from idstorm.databases.namespaces.names import Namespace, is_stamped
from idstorm.databases.postgresql.marks import HOLDER, marked
from idstorm.databases.postgresql.schemas import without_path

_MARKS = {
    "idstorm: the database of one storm, to be dropped after it": "left",
    "idstorm: the database of one storm, kept": "kept",
}
_LEFT, _KEPT = _MARKS
_ALL = (
    "SELECT datname, shobj_description(oid, 'pg_database'), pg_get_userbyid(datdba), current_user "
    "FROM pg_database ORDER BY 1"
)
_SESSIONS = (
    "FROM pg_stat_activity WHERE datname = %s AND usesysid IS NOT NULL AND pg_has_role(usesysid, 'MEMBER') "
    "AND pid <> pg_backend_pid()"
)
_LIKE = """
SELECT pg_encoding_to_char(encoding) AS encoding, datcollate AS lc_collate, datctype AS lc_ctype,
    to_jsonb(d) ->> 'datlocprovider' AS provider,
    coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale
FROM pg_database d WHERE datname = current_database()
"""
"""How a database was made. The columns of other providers than libc came with 15, and one was renamed in 17."""
_PROVIDERS = {"i": ("icu", "ICU_LOCALE"), "b": ("builtin", "BUILTIN_LOCALE")}
_SETTINGS = """
SELECT s.setrole <> 0, unnest(s.setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
WHERE d.datname = current_database() AND s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = session_user))
"""
"""https://www.postgresql.org/docs/current/catalog-pg-db-role-setting.html"""
_LISTS = ("local_preload_libraries", "session_preload_libraries", "temp_tablespaces")
"""Settings that are lists of names, as `pg_dump` knows them: written as one literal, a list would be one name."""
_ELEMENT = re.compile(r'"((?:[^"]|"")*)"|([^,\s]+)')


@dataclass(frozen=True)
class Furnishing:
    """What sessions find in a database, besides its tables."""

    settings: Mapping[tuple[bool, str], str]  #: by whether it is for the session's role alone, and by name
    extensions: frozenset[str]

    def lacking(self, other: Furnishing) -> list[str]:
        """Return, in words, what another database has and this one does not."""
        lacking = [
            f"{name}={value}"
            for (own, name), value in other.settings.items()
            if self.settings.get((own, name)) != value
        ]
        return [*lacking, *(f"the extension {name}" for name in sorted(other.extensions - self.extensions))]


def leading_into(url: sa.URL, name: str) -> sa.URL:
    """Return a URL whose connections are in the database, and look for tables where that says."""
    return without_path(url).set(database=name)


def holding_in(url: sa.URL) -> sa.URL:
    """Return a URL for the session that holds the lock of the URL's database. Its driver has to be one of libpq."""
    return url.update_query_dict({"application_name": HOLDER})


def database_of(url: sa.URL) -> str | None:
    """Return the database that a storm's URL leads into; None for a URL that is not a storm's."""
    return url.database if url.database is not None and is_stamped(url.database) else None


def create(connection: sa.Connection, name: str) -> None:
    """Make an empty database that encodes, sorts and compares as the connection's own does."""
    like = connection.exec_driver_sql(_LIKE).mappings().one()
    words = [f"ENCODING {literal(like['encoding'])}", f"LC_COLLATE {literal(like['lc_collate'])}"]
    words += [f"LC_CTYPE {literal(like['lc_ctype'])}"]
    if like["provider"] in _PROVIDERS and like["locale"]:
        provider, option = _PROVIDERS[like["provider"]]
        words += [f"LOCALE_PROVIDER {provider}", f"{option} {literal(like['locale'])}"]
    _execute(connection, f"CREATE DATABASE {_quoting(connection)(name)} TEMPLATE template0 {' '.join(words)}")


def furnishing_of(connection: sa.Connection) -> Furnishing:
    """Return what the connection's database has, apart from search paths: those lead to schemas of its own."""
    settings = dict[tuple[bool, str], str]()
    for own, setting in connection.exec_driver_sql(_SETTINGS).all():
        name, _, value = setting.partition("=")
        if name != "search_path":
            settings[own, name] = value
    extensions = connection.exec_driver_sql("SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'")
    return Furnishing(settings, frozenset(extensions.scalars()))


def furnish(connection: sa.Connection, name: str, like: Furnishing, *, keep: bool) -> None:
    """Mark the connection's database, and give it what another has, as far as this user may: see `lacking`."""
    _execute(connection, f"COMMENT ON DATABASE {_quoting(connection)(name)} IS {literal(_KEPT if keep else _LEFT)}")
    for statement in _furnishing(_quoting(connection), name, like):
        with suppress(sa.exc.DBAPIError):
            _execute(connection, statement)


def _furnishing(quote: Callable[[str], str], name: str, like: Furnishing) -> Iterator[str]:
    for (own, setting), value in like.settings.items():
        whose = f"ROLE SESSION_USER IN DATABASE {quote(name)}" if own else f"DATABASE {quote(name)}"
        words = (
            [one.replace('""', '"') or bare for one, bare in _ELEMENT.findall(value)] if setting in _LISTS else [value]
        )
        yield f"ALTER {whose} SET {'.'.join(map(quote, setting.split('.')))} TO {', '.join(map(literal, words))}"
    for extension in sorted(like.extensions):
        yield f"CREATE EXTENSION IF NOT EXISTS {quote(extension)} SCHEMA public CASCADE"


def make_schemas(connection: sa.Connection, names: Sequence[str], first: str, *, only_path: bool) -> None:
    """Make schemas in the connection's database, whose sessions to come look for tables in `first` first."""
    quote = _quoting(connection)
    for name in () if only_path else names:
        _execute(connection, f"CREATE SCHEMA IF NOT EXISTS {quote(name)}")
    path = ", ".join(map(quote, dict.fromkeys([first, "public", *names])))
    name = connection.exec_driver_sql("SELECT current_database()").scalar_one()
    _execute(connection, f"ALTER DATABASE {quote(name)} SET search_path TO {path}")


def listed(connection: sa.Connection) -> list[Namespace]:
    """Return the databases with idstorm's mark, or with a name in its pattern. One with any session is in use."""

    def is_in_use(name: str) -> bool:
        return bool(connection.exec_driver_sql(f"SELECT EXISTS (SELECT {_SESSIONS})", (name,)).scalar_one())

    return marked(connection, _ALL, _MARKS, is_in_use)


def is_there(connection: sa.Connection, name: str) -> bool:
    """Return whether there is a database of this name."""
    return bool(connection.exec_driver_sql("SELECT count(*) FROM pg_database WHERE datname = %s", (name,)).scalar_one())


def drop(connection: sa.Connection, name: str) -> None:
    """Drop a database, and end the sessions in it."""
    connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid) {_SESSIONS}", (name,)).all()
    _execute(connection, f"DROP DATABASE IF EXISTS {_quoting(connection)(name)}")


def _quoting(connection: sa.Connection) -> Callable[[str], str]:
    return connection.dialect.identifier_preparer.quote_identifier


def _execute(connection: sa.Connection, statement: str) -> None:
    """Execute a statement as it is: a percent sign in it is one."""
    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
