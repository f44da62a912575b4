"""From what the user writes after `--on` to a database: a dialect word or a SQLAlchemy URL."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

import sqlalchemy as sa

from idstorm.databases.base import Database
from idstorm.databases.sqlite import SQLite
from idstorm.errors import UsageError

DATABASES: dict[str, Database] = {database.name: database for database in (SQLite(),)}
"""A database is added by a file of its own and a line here."""

EXTRAS = {"psycopg": "postgresql", "psycopg2": "postgresql", "pymysql": "mysql", "MySQLdb": "mysql"}
"""The extra of idstorm that installs a driver, or one that serves as well."""

_SECRET_WORDS = ("pass", "pwd", "secret", "token", "key")


@dataclass(frozen=True)
class Address:
    """A database that was asked for, and how it is spoken of."""

    name: str  #: the word, or the URL without its secrets
    again: str  #: what repeats it on a command line
    database: Database
    url: sa.URL = field(repr=False)


def resolve(text: str, environ: Mapping[str, str] = os.environ) -> Address:
    """Return the database that a word or a URL means. Raises UsageError, which never shows a password."""
    variable = f"IDSTORM_{text.upper()}_URL"
    if text in DATABASES:
        url = _parse(environ[variable], f"${variable}") if variable in environ else sa.make_url(f"{text}://")
        return Address(text, text, _database(url), url)
    if "://" not in text:
        shown = text if text.isidentifier() else "that"  # it may be a URL gone wrong, with its password
        raise UsageError(f"--on: {shown} is no target; it is {' or '.join(DATABASES)}, or a SQLAlchemy URL")
    url = _parse(text, "the URL after --on")
    database = _database(url)
    masked = mask(url)
    again = f'"$IDSTORM_{database.name.upper()}_URL"' if secrets_of(url) else masked
    return Address(masked, again, database, url)


def _parse(text: str, where: str) -> sa.URL:
    try:
        return sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise UsageError(f"{where} is malformed: it should look like dialect://user:password@host:port/name") from None


def _database(url: sa.URL) -> Database:
    dialect = url.get_backend_name()
    try:
        driver = url.get_dialect()
        driver.import_dbapi()
    except sa.exc.NoSuchModuleError:
        raise UsageError(f"{url.drivername}:// is no dialect that SQLAlchemy knows") from None
    except ModuleNotFoundError as error:
        extra = EXTRAS.get(error.name or "")
        hint = f"pip install 'idstorm[{extra}]'" if extra else f"pip install the driver {error.name}"
        raise UsageError(f"the driver {error.name} of {url.drivername}:// is not installed: {hint}") from None
    if driver.is_async:
        raise UsageError(f"{url.drivername}:// is an asyncio driver; name one that works with threads")
    if dialect not in DATABASES:
        raise UsageError(f"{dialect} cannot be stormed; {', '.join(DATABASES)} can")
    if dialect == SQLite.name and url.database in ("", ":memory:"):
        raise UsageError("an in-memory database lives in one process only: storm `sqlite`, which is a temporary file")
    return DATABASES[dialect]


def secrets_of(url: sa.URL) -> tuple[str, ...]:
    """Return every secret of a URL, also as it looks within one: what must not be shown."""
    plain = [str(url.password)] if url.password else []
    for name, value in url.query.items():
        values = [value] if isinstance(value, str) else value
        plain += [one for one in values if _is_secret(name) or _is_secret(one)]
    return tuple({form for secret in plain for form in (secret, quote(secret, safe=""), quote_plus(secret))})


def mask(url: sa.URL) -> str:
    """Return a URL without its secrets, wherever it holds them."""
    hidden = {name: "***" for name, value in url.query.items() if _is_secret(name) or _is_secret(str(value))}
    return url.update_query_dict(hidden).render_as_string(hide_password=True).replace("%2A%2A%2A", "***")


def _is_secret(text: str) -> bool:
    return any(word in text.lower() for word in _SECRET_WORDS)
