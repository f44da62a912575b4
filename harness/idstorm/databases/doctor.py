"""Which databases can be stormed from here and what is missing for others, and what earlier runs left behind."""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime

import sqlalchemy as sa

from idstorm.databases import targets
from idstorm.databases.drivers import is_installed
from idstorm.databases.namespaces.names import Namespace
from idstorm.databases.registry import DATABASES
from idstorm.databases.urls import mask, reaching, secrets_of, words_of
from idstorm.errors import EnvironmentFault, IdstormError, UsageError
from idstorm.redaction import redact


def all_diagnoses(environ: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Yield a diagnosis of each database, and a line for each added one that cannot be used."""
    for dialect in DATABASES:
        yield diagnose(dialect, environ)
        yield from _asyncio_drivers(dialect)
    for name, fault in DATABASES.faults:
        yield f"✗  {name:11} {fault}"


def diagnose(dialect: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return a line on what `--on` this word would storm, or what is missing, and one on each thing not seen.

    If the database exists, this makes a namespace in it and removes it. It does not start a private server.
    """
    address = None
    try:
        address = targets.resolve(dialect, environ)
        if address.fault is not None:
            return f"✗  {dialect:11} {address.fault}"
        if address.programs is not None:
            programs = address.programs
            return f"✓  {dialect:11} {programs.version}, a private server for each run: {programs.where}"
        found, unseen = _try(address)
        return "\n".join([f"✓  {dialect:11} {found}: {_where(address, environ)}", *(f"   {one}" for one in unseen)])
    except (IdstormError, sa.exc.SQLAlchemyError) as error:
        words = redact(str(getattr(error, "orig", None) or error), () if address is None else secrets_of(address.url))
        return f"✗  {dialect:11} {' '.join(words.split())}"


def _asyncio_drivers(dialect: str) -> Iterator[str]:
    """Yield a line on the drivers for asyncio, if the database has any."""
    database = DATABASES[dialect]
    if not database.asyncio_drivers:
        return
    words = [
        driver
        if is_installed("greenlet") and is_installed(database.modules.get(driver, driver))
        else f"{driver} (pip install {database.packages.get(driver, driver)})"
        for driver in database.asyncio_drivers
    ]
    yield f"   {'':11} for asyncio, as --on {database.backends[0]}+DRIVER://…: {', '.join(words)}"


def clean(
    target: str, *, drop: bool, names: Collection[str] = (), environ: Mapping[str, str] = os.environ
) -> Iterator[str]:
    """Yield a line for each namespace on a target that looks like idstorm's, and drop them if `drop`.

    A namespace is dropped only if it has idstorm's name and mark, belongs to the caller, and has a free lock; one that
    was made to be kept must also be in `names`. All others are shown with the reason. If `names` are given, only those
    are looked at.
    Raises UsageError for a target that does not outlive a run, or lacks one of the names, and EnvironmentFault where it
    is out of reach, or, once the others are done, where one could not be dropped.
    """
    address = targets.resolve(target, environ)
    if address.programs is not None or address.fault is not None:
        raise UsageError(f"{target} is not a server that outlives a run: give the URL of one")
    with reaching(address.url):
        found = {one.name: one for one in address.database.namespaces(address.url)}
        for name in names:
            if name not in found:
                raise UsageError(f"{target} has no namespace of idstorm's that is called {_shown(name)}")
        failed = False
        for one in found.values():
            if not names or one.name in names:
                try:
                    yield _cleaned(address, one, drop=drop and (one.name in names or not one.kept))
                except (sa.exc.DBAPIError, OSError) as error:
                    failed = True
                    words = words_of(error, address.url).partition("\n")[0]
                    yield f"{one.name} not dropped: {words}"
    if failed:
        raise EnvironmentFault("not all could be dropped: try again when nothing is at work in them any more")


def _cleaned(address: targets.Address, one: Namespace, *, drop: bool) -> str:
    name = _shown(one.name)
    if one.strange is not None:
        return f"{name} not touched: {_shown(one.strange)}"
    if one.in_use or (drop and not address.database.reclaim(address.url, one.name)):
        return f"{name} in use"
    if drop:
        return f"dropped {name}"
    return f"{name} kept" if one.kept else name


def _shown(text: str) -> str:
    """Return a text that another user may have chosen, without characters that a terminal would act on."""
    return text if text.isprintable() else ascii(text)


def _try(address: targets.Address) -> tuple[str, list[str]]:
    """Return the server and driver on which a namespace was made, and sentences on what a storm could not see."""
    label = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}-0"
    with ExitStack() as stack:
        stack.enter_context(reaching(address.url))
        inside = stack.enter_context(address.database.namespace(address.url, label))
        with address.database.administer(inside) as connection:
            target = targets.target_behind(address.database, connection, address.url, address.name)
            who = DATABASES[target.dialect]
            around = who.bystanders(connection)
        quiet = who.quiesce(inside)
    unseen = [*around.unseen, *([] if quiet.unseen is None else [f"of a storm {quiet.unseen}"])]
    said = [f"it cannot be seen {redact(one, secrets_of(address.url))}" for one in unseen]
    return f"{target.server}, by {target.driver} with SQLAlchemy {sa.__version__}", said


def _where(address: targets.Address, environ: Mapping[str, str]) -> str:
    variable = targets.variable_of(address.name)
    return f"{variable} = {mask(address.url)}" if variable in environ else "a fresh file in a temporary folder"
