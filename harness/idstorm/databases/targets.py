"""Turning the argument of `--on`, a dialect word or a SQLAlchemy URL, into a database.

A word means the URL in its variable, or else a private server made from programs on this machine, or else a sentence
on how to get one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module

import sqlalchemy as sa

from idstorm.databases.base import Database
from idstorm.databases.drivers import best_driver
from idstorm.databases.private.finding import look
from idstorm.databases.private.programs import Programs
from idstorm.databases.private.server import PrivateServer
from idstorm.databases.registry import DATABASES, spoken_by
from idstorm.databases.urls import mask, secrets_of
from idstorm.errors import EnvironmentFault, UsageError
from idstorm.record.plan import Target


@dataclass(frozen=True)
class Address:
    """A database that was asked for, and how messages name it."""

    name: str  #: the word, or the URL without its secrets
    again: str  #: what to write on a command line to repeat it
    database: Database
    url: sa.URL = field(repr=False)
    programs: Programs | None = None  #: to make a private server from; until then the URL leads nowhere
    fault: str | None = None  #: why there is no such database
    direct: sa.URL | None = field(default=None, repr=False)  #: past a pooler, for idstorm's own work

    @property
    def own_url(self) -> sa.URL:
        """The URL for idstorm's own work."""
        return self.url if self.direct is None else self.direct

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not be shown."""
        return (*secrets_of(self.url), *secrets_of(self.own_url))

    def for_clients(self, inside: sa.URL) -> sa.URL:
        """Return the URL by which clients get into a namespace, given the one that idstorm itself gets there by."""
        return inside if self.direct is None else self.url.set(database=inside.database)


def variable_of(dialect: str) -> str:
    """Return the variable that may hold a dialect's URL."""
    return f"IDSTORM_{dialect.upper()}_URL"


def resolve(text: str, environ: Mapping[str, str] = os.environ) -> Address:
    """Return the database that a word or a URL means, without starting a server.

    Raises UsageError, which never shows a password.
    """
    if text in DATABASES:
        return _of_word(text, environ)
    for name, fault in DATABASES.faults:
        if text == name:
            raise UsageError(f"--on: {fault}")
    if "://" not in text:
        shown = text if text.isidentifier() else "that"  # it may be a URL gone wrong, with its password
        raise UsageError(f"--on: {shown} is not a target; a target is {', '.join(DATABASES)}, or a SQLAlchemy URL")
    database, url = _understood(text, "the URL after --on")
    if secrets_of(url):
        shown = mask(url)
        if database.name not in database.backends:  # SQLAlchemy's name for it is another database's
            shown = shown.replace(database.backends[0], database.name, 1)
        return Address(shown, f'"${variable_of(database.name)}"', database, url)
    return Address(text, text, database, url)


def past_pooler(address: Address, text: str) -> Address:
    """Return an address that leads to a pooler, with the URL of the server behind it. Raises UsageError."""
    database, url = _understood(text, "the URL after --admin-url")
    if database.serverless or database.backends != address.database.backends:
        raise UsageError(f"--admin-url leads to {database.name}, and --on to {address.database.name}")
    if address.programs is not None:
        raise UsageError(f"--admin-url is for a pooler, whose URL --on has to name; {address.name} is a private server")
    if url.username != address.url.username:
        both = f"--admin-url is for {url.username}, and --on for {address.url.username}"
        raise UsageError(f"{both}: name the same user, who owns what the storm makes")
    return replace(address, direct=url)


def _of_word(word: str, environ: Mapping[str, str]) -> Address:
    database, variable = DATABASES[word], variable_of(word)
    if variable in environ:
        meant, url = _understood(environ[variable], f"${variable}")
        if url.get_backend_name() not in database.backends:  # MySQL and MariaDB answer for themselves, see `behind`
            raise UsageError(f"${variable} is the URL of {meant.name}, not of {word}")
        return Address(word, word, database, url)
    url = _bare(database)
    if database.serverless:
        return Address(word, word, database, url)
    programs, passed_over = look(word, environ)
    fault = None
    if programs is not None:
        try:
            _check(database, url)
        except UsageError as error:
            fault = str(error)
    else:
        fault = "; ".join([_how_to_get(database), *passed_over])
    return Address(word, word, database, url, programs, fault)


def _how_to_get(database: Database) -> str:
    ways = [f"set {variable_of(database.name)} to the URL of one"]
    ways += [database.how_to_get] if database.how_to_get else []
    let = f" (or let {database.recipe.variable} point at its program)" if database.recipe is not None else ""
    return f"there is no {database.name} to storm: {', or '.join(ways)}{let}"


@contextmanager
def opened(addresses: Sequence[Address]) -> Iterator[list[Address]]:
    """Start the private servers among these, all at the same time, and remove them afterwards.

    An address whose server does not come up carries the reason as its fault.
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
    """Start a separate private server with these settings, if the address means a private server.

    Any other address is left as it is. Raises EnvironmentFault where the server does not come up.
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


def _understood(text: str, where: str) -> tuple[Database, sa.URL]:
    """Return the database that a URL means, and the URL as SQLAlchemy takes it. Raises UsageError."""
    scheme = text.partition("://")[0]
    begins, _, driver = scheme.partition("+")
    database = next((one for one in DATABASES.values() if begins in one.schemes), None)
    try:
        if database is not None:
            driver = driver or best_driver(database.drivers, database.modules)
            url = sa.make_url(text.replace(scheme, f"{database.backends[0]}+{driver}", 1))
        else:
            url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise UsageError(f"{where} is malformed: it should look like dialect://user:password@host:port/name") from None
    if database is None:
        database = database_at(url)
    _check(database, url)
    return database, url


def _bare(database: Database) -> sa.URL:
    return sa.make_url(f"{database.backends[0]}+{best_driver(database.drivers, database.modules)}://")


def database_of(connection: sa.Connection) -> Database:
    """Return the database that a connection leads to, as its dialect found it. Raises UsageError."""
    database = spoken_by(connection.dialect)
    if database is None:
        raise UsageError(f"{connection.dialect.name} cannot be judged; {', '.join(DATABASES)} can")
    return database


def target_behind(database: Database, connection: sa.Connection, url: sa.URL, name: str | None = None) -> Target:
    """Return the target that a connection leads to: which of the databases that share a URL's dialect, and what it can.

    `name` is how messages call it, by default its dialect. Raises UsageError where that is another database's word.
    """
    actual = DATABASES[database.actual(connection)]
    capabilities = actual.capabilities(connection) | (frozenset() if url.get_dialect().is_async else {"threads"})
    if name is not None and name in DATABASES and actual.name != name:
        raise UsageError(f"${variable_of(name)} leads to a server of {actual.name}, not of {name}")
    return Target(
        name=name or actual.name,
        dialect=actual.name,
        driver=url.get_driver_name(),
        server=actual.server(connection),
        url=mask(url),
        capabilities=tuple(sorted(capabilities)),
    )


def database_at(url: sa.URL) -> Database:
    """Return the database that a URL leads to, by SQLAlchemy's name of its dialect. Raises UsageError."""
    try:
        url.get_dialect()
    except sa.exc.NoSuchModuleError:
        raise UsageError(f"{url.drivername}:// is not a dialect that SQLAlchemy knows") from None
    database = DATABASES.known_by(url.get_backend_name())
    if database is None:
        raise UsageError(f"{url.get_backend_name()} cannot be stormed; {', '.join(DATABASES)} can")
    return database


def _check(database: Database, url: sa.URL) -> None:
    """Raise UsageError for a URL that cannot be stormed, or whose driver cannot be loaded."""
    scheme, best = f"{url.drivername}://", f"{_bare(database).drivername}://"
    try:
        driver = url.get_dialect()
    except sa.exc.NoSuchModuleError:
        raise UsageError(f"{scheme} is not a dialect that SQLAlchemy knows") from None
    if driver.driver in database.unfit:
        raise UsageError(f"{scheme} cannot be stormed, since {database.unfit[driver.driver]}: use {best}")
    _load(database, driver, scheme)
    if (own := database.threaded(url)) != url:
        _load(database, own.get_dialect(), f"{own.drivername}://, by which idstorm itself reads {scheme},")
    database.check_url(url)


def _load(database: Database, dialect: type[sa.Dialect], scheme: str) -> None:
    """Import a driver. Raises UsageError where that is not possible."""
    try:
        dialect.import_dbapi()
        if dialect.is_async:
            import_module("greenlet")  # which SQLAlchemy needs for it, and does not require
    except ModuleNotFoundError as error:
        package = database.packages.get(dialect.driver, error.name) if error.name != "greenlet" else "greenlet"
        raise UsageError(f"the driver of {scheme} is not installed: pip install {package}") from None
    except ImportError as error:
        raise UsageError(f"the driver of {scheme} is installed and cannot be loaded: {error}") from None
