"""From what the user writes after `--on` to a database: a dialect word or a SQLAlchemy URL.

A word means, in this order: the URL in its variable; a private server, made of programs that are found; otherwise a
sentence that says how to get one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path

import sqlalchemy as sa

from idstorm.databases.base import Database
from idstorm.databases.mariadb import MariaDB
from idstorm.databases.mysql import MySQL
from idstorm.databases.postgresql import PostgreSQL
from idstorm.databases.private.programs import VARIABLES, Programs, look
from idstorm.databases.private.server import PrivateServer
from idstorm.databases.sqlite import SQLite
from idstorm.databases.sqlite.namespaces import is_in_memory
from idstorm.databases.urls import mask, secrets_of
from idstorm.errors import EnvironmentFault, UsageError

DATABASES: dict[str, Database] = {database.name: database for database in (SQLite(), PostgreSQL(), MySQL(), MariaDB())}
"""A database is added by a file of its own and a line here."""

_PACKAGES = {
    "psycopg": "'idstorm[postgresql]'",
    "psycopg2": "psycopg2-binary",
    "pymysql": "'idstorm[mysql]'",
    "mysqldb": "mysqlclient",
    "mysqlconnector": "mysql-connector-python",
    "mariadbconnector": "mariadb",
}
"""What brings a driver, by SQLAlchemy's name of it: no two of the three are called alike."""
_MODULES = {"pysqlite": "sqlite3", "mysqldb": "MySQLdb", "mysqlconnector": "mysql.connector"}
_HOW_TO_GET = {
    "postgresql": "pip install 'idstorm[postgresql-server]'",
    "mysql": "install a MySQL server, such as the package mysql-server-core",
    "mariadb": "install a MariaDB server, such as the package mariadb-server-core",
}


@dataclass(frozen=True)
class Address:
    """A database that was asked for, and how it is spoken of."""

    name: str  #: the word, or the URL without its secrets
    again: str  #: what repeats it on a command line
    database: Database
    url: sa.URL = field(repr=False)
    programs: Programs | None = None  #: of which a private server is to be made; the URL leads nowhere before that
    fault: str | None = None  #: why there is no such database


def variable_of(dialect: str) -> str:
    """Return the variable that may hold a dialect's URL."""
    return f"IDSTORM_{dialect.upper()}_URL"


def resolve(text: str, environ: Mapping[str, str] = os.environ) -> Address:
    """Return the database that a word or a URL means, without starting any.

    Raises UsageError, which never shows a password.
    """
    if text in DATABASES:
        return _of_word(text, environ)
    if "://" not in text:
        shown = text if text.isidentifier() else "that"  # it may be a URL gone wrong, with its password
        raise UsageError(f"--on: {shown} is no target; it is {', '.join(DATABASES)}, or a SQLAlchemy URL")
    url = _parse(text, "the URL after --on")
    database = _database(url)
    if secrets_of(url):
        return Address(mask(url), f'"${variable_of(database.name)}"', database, url)
    return Address(text, text, database, url)


def _of_word(word: str, environ: Mapping[str, str]) -> Address:
    variable = variable_of(word)
    if variable in environ:
        url = _parse(environ[variable], f"${variable}")
        database = _database(url)
        if database.name != word and {database.name, word} != {"mysql", "mariadb"}:  # those two answer for themselves
            raise UsageError(f"${variable} is the URL of {database.name}, not of {word}")
        return Address(word, word, database, url)
    url = _parse(f"{word}://", word)
    if word == SQLite.name:
        return Address(word, word, DATABASES[word], url)
    programs, passed_over = look(word, environ)
    fault = None
    if programs is not None:
        try:
            _database(url)
        except UsageError as error:
            fault = str(error)
    else:
        fault = (
            f"there is no {word} to storm: set {variable} to the URL of one, or run `docker compose up -d --wait` and "
            f"set it as the README says, or {_HOW_TO_GET[word]} (or let {VARIABLES[word]} point at its program)"
        )
        fault = "; ".join([fault, *passed_over])
    return Address(word, word, DATABASES[word], url, programs, fault)


@contextmanager
def opened(addresses: Sequence[Address]) -> Iterator[list[Address]]:
    """Start the private servers among these, all at the same time, and take them away afterwards.

    An address whose server does not come up has its fault.
    """
    with ExitStack() as stack:
        servers = {
            place: stack.enter_context(_closing(PrivateServer(address.programs)))
            for place, address in enumerate(addresses)
            if address.programs is not None and address.fault is None
        }
        with ThreadPoolExecutor(max(len(servers), 1)) as pool:
            faults = dict(zip(servers, pool.map(_start, servers.values()), strict=True))
        found = [
            address
            if place not in servers
            else replace(address, fault=faults[place])
            if faults[place]
            else replace(address, url=_by_driver_of(address, servers[place]))
            for place, address in enumerate(addresses)
        ]
        for address in found:  # two threads that import dialects of one package at once can deadlock in the import
            address.url.get_dialect()
        yield found


@contextmanager
def started_with(address: Address, settings: Mapping[str, str]) -> Iterator[Address]:
    """Start a private server of its own with these settings, if the address is one of a private server.

    Any other is left as it is. Raises EnvironmentFault where the server does not come up.
    """
    if address.programs is None or address.fault is not None or not settings:
        yield address
        return
    with PrivateServer(address.programs, settings) as server:
        yield replace(address, url=_by_driver_of(address, server))


def _by_driver_of(address: Address, server: PrivateServer) -> sa.URL:
    return sa.make_url(server.url).set(drivername=address.url.drivername)


@contextmanager
def _closing(server: PrivateServer) -> Iterator[PrivateServer]:
    try:
        yield server
    finally:
        server.stop()


def _start(server: PrivateServer) -> str | None:
    try:
        server.start()
    except EnvironmentFault as error:
        return str(error)
    return None


def _parse(text: str, where: str) -> sa.URL:
    """Return a URL that names its driver: a bare one gets the best that is installed."""
    scheme = text.partition("://")[0]
    database = next((one for one in DATABASES.values() if scheme in one.schemes), None)
    try:
        if database is None:
            return sa.make_url(text)
        driver = next((driver for driver in database.drivers if _installed(driver)), database.drivers[0])
        return sa.make_url(text.replace(scheme, f"{database.schemes[0]}+{driver}", 1))
    except (sa.exc.ArgumentError, ValueError):
        raise UsageError(f"{where} is malformed: it should look like dialect://user:password@host:port/name") from None


def database_of(connection: sa.Connection) -> Database:
    """Return the database that a connection leads to, as its dialect found it. Raises UsageError."""
    name = "mariadb" if getattr(connection.dialect, "is_mariadb", False) else connection.dialect.name
    if name not in DATABASES:
        raise UsageError(f"{name} cannot be judged; {', '.join(DATABASES)} can")
    return DATABASES[name]


def behind(address: Address, connection: sa.Connection) -> Database:
    """Return the database that a server says it is. Raises UsageError where a word meant another."""
    database = DATABASES[address.database.actual(connection)]
    if address.name in DATABASES and database.name != address.name:
        raise UsageError(f"${variable_of(address.name)} leads to a server of {database.name}, not of {address.name}")
    return database


def with_threads(url: sa.URL) -> sa.URL:
    """Return a URL that works with threads: one of an asyncio driver gets the best other driver that is installed."""
    if not url.get_dialect().is_async:
        return url
    return url.set(drivername=_parse(f"{url.get_backend_name()}://", "the URL").drivername)


def _installed(driver: str) -> bool:
    try:
        return find_spec(_MODULES.get(driver, driver)) is not None
    except ModuleNotFoundError:  # of the package that holds it
        return False


def _database(url: sa.URL) -> Database:
    """Return the database of a URL, whose driver can be loaded. Raises UsageError."""
    dialect, scheme = url.get_backend_name(), f"{url.drivername}://"
    try:
        driver = url.get_dialect()
    except sa.exc.NoSuchModuleError:
        raise UsageError(f"{scheme} is no dialect that SQLAlchemy knows") from None
    if dialect not in DATABASES:
        raise UsageError(f"{dialect} cannot be stormed; {', '.join(DATABASES)} can")
    database = DATABASES[dialect]
    best = f"{_parse(f'{dialect}://', 'the URL').drivername}://"
    if driver.is_async:
        raise UsageError(f"{scheme} is an asyncio driver; name one that works with threads: {best}")
    if driver.driver in database.unfit:
        raise UsageError(f"{scheme} cannot be stormed, since {database.unfit[driver.driver]}: use {best}")
    try:
        driver.import_dbapi()
    except ModuleNotFoundError as error:
        package = _PACKAGES.get(driver.driver, error.name)
        raise UsageError(f"the driver of {scheme} is not installed: pip install {package}") from None
    except ImportError as error:
        raise UsageError(f"the driver of {scheme} is installed and cannot be loaded: {error}") from None
    if dialect == SQLite.name and not Path(url.database or "default").absolute().name:
        raise UsageError(f"{url.render_as_string()} names a folder: name a file, and the storm's own is made beside it")
    if dialect == SQLite.name and is_in_memory(url):
        raise UsageError("an in-memory database lives in one process only: storm `sqlite`, which is a temporary file")
    return database
