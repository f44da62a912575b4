"""PostgreSQL: a database of its own for a storm, where a driver or a pooler cannot carry a search path.

It is made from template0 with encoding, locale and settings of the URL's database, so that the same rows sort, compare
and behave alike; the extensions of that database are made in it as well.
https://www.postgresql.org/docs/current/sql-createdatabase.html
https://www.postgresql.org/docs/current/manage-ag-templatedbs.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import replace

import sqlalchemy as sa

from idstorm.databases.asking import literal
from idstorm.databases.namespaces.names import Namespace, found, is_stamped

_MARKS = {
    "idstorm: the database of one storm, to be dropped after it": "left",
    "idstorm: the database of one storm, kept": "kept",
}
_LEFT, _KEPT = _MARKS
_SESSIONS = (
    "FROM pg_stat_activity WHERE datname = %s AND coalesce(backend_type, 'client backend') = 'client backend' "
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

Quote = Callable[[str], str]
Connect = Callable[[sa.URL], AbstractContextManager[sa.Connection]]


def leading_into(url: sa.URL, name: str) -> sa.URL:
    """Return a URL whose connections are in the database."""
    return url.set(database=name)


def database_of(url: sa.URL) -> str | None:
    """Return the database that a storm's URL leads into; None for a URL that is not a storm's."""
    return url.database if url.database is not None and is_stamped(url.database) else None


def make(connection: sa.Connection, connect: Connect, inside: sa.URL, name: str, *, keep: bool) -> None:
    """Make and mark a database like the connection's own."""
    quote = connection.dialect.identifier_preparer.quote_identifier
    like = connection.exec_driver_sql(_LIKE).mappings().one()
    words = [f"ENCODING {literal(like['encoding'])}", f"LC_COLLATE {literal(like['lc_collate'])}"]
    words += [f"LC_CTYPE {literal(like['lc_ctype'])}"]
    if like["provider"] in _PROVIDERS and like["locale"]:
        provider, option = _PROVIDERS[like["provider"]]
        words += [f"LOCALE_PROVIDER {provider}", f"{option} {literal(like['locale'])}"]
    connection.exec_driver_sql(f"CREATE DATABASE {quote(name)} TEMPLATE template0 {' '.join(words)}")
    mark = _KEPT if keep else _LEFT
    connection.exec_driver_sql(f"COMMENT ON DATABASE {quote(name)} IS {literal(mark)}")
    for setting, value in _settings(connection):
        with suppress(sa.exc.DBAPIError):  # such as one that takes a superuser: it is among the facts that differ
            connection.exec_driver_sql(f"ALTER DATABASE {quote(name)} SET {quote(setting)} TO {literal(value)}")
    extensions = connection.exec_driver_sql("SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'")
    if names := extensions.scalars().all():
        with connect(inside) as own:
            for extension in names:
                with suppress(sa.exc.DBAPIError):  # a model that needs it will name it
                    own.exec_driver_sql(f"CREATE EXTENSION IF NOT EXISTS {quote(extension)} SCHEMA public CASCADE")


def _settings(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    """Yield the settings of the connection's database for all roles, apart from search paths to its own schemas.

    https://www.postgresql.org/docs/current/catalog-pg-db-role-setting.html
    """
    query = (
        "SELECT unnest(setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase "
        "WHERE d.datname = current_database() AND s.setrole = 0"
    )
    for setting in connection.exec_driver_sql(query).scalars().all():
        name, _, value = setting.partition("=")
        if name != "search_path":
            yield name, value


def listed(connection: sa.Connection) -> list[Namespace]:
    """Return the databases with idstorm's mark, or with a name in its pattern.

    The lock of each is in the database of the URL that its run was given, which may be another one than this
    connection's; so one with sessions is in use as well.
    """
    query = (
        "SELECT datname, shobj_description(oid, 'pg_database'), pg_get_userbyid(datdba), current_user "
        "FROM pg_database ORDER BY 1"
    )
    known = [
        found(name, mark=_MARKS.get(comment), owner=owner, caller=caller)
        for name, comment, owner, caller in connection.exec_driver_sql(query).all()
        if comment in _MARKS or is_stamped(name)
    ]
    return [one if one.strange else replace(one, in_use=_is_in_use(connection, one.name)) for one in known]


def _is_in_use(connection: sa.Connection, name: str) -> bool:
    asked = f"SELECT pg_try_advisory_lock_shared(hashtextextended(%s, 0)), EXISTS (SELECT {_SESSIONS})"
    had, at_work = connection.exec_driver_sql(asked, (name, name)).one()
    return at_work or not had


def is_there(connection: sa.Connection, name: str) -> bool:
    """Return whether there is a database of this name."""
    return bool(connection.exec_driver_sql("SELECT count(*) FROM pg_database WHERE datname = %s", (name,)).scalar_one())


def drop(connection: sa.Connection, name: str) -> None:
    """Drop a database, and end the sessions in it."""
    quoted = connection.dialect.identifier_preparer.quote_identifier(name)
    connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid) {_SESSIONS}", (name,)).all()
    connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {quoted}")
