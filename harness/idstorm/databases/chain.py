"""Finding a driver's error that SQLAlchemy, an application or a task group has wrapped in another."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa

_drivers = set[str]()
"""The packages whose errors come from a database that can be stormed. Each database's class adds its own."""


@dataclass(frozen=True)
class Found:
    """A driver's error that was found in a chain."""

    error: BaseException
    statement: str | None  #: the one that failed, where SQLAlchemy says
    wrapped: bool  #: another error was raised because of it: more may have been done in between


def remember(packages: Iterable[str]) -> None:
    """Treat the errors of these packages as a driver's from now on."""
    _drivers.update(packages)


def package_of(error: BaseException) -> str:
    """Return the package of an error's class: the driver's, if the class derives from one of a driver's."""
    packages = [kind.__module__.partition(".")[0] for kind in type(error).__mro__]
    return next((one for one in packages if one in _drivers), packages[0])


def errors_of_drivers(error: BaseException) -> list[Found]:
    """Return the nearest driver's error in the chain of an error, or one for each member of a group.

    The chain includes causes (`raise … from`), and contexts unless they were suppressed.
    """
    return list(_search(error, None, False, set()))


def _search(error: BaseException, statement: str | None, wrapped: bool, seen: set[int]) -> Iterator[Found]:
    if id(error) in seen or isinstance(error, sa.exc.TimeoutError):  # the pool's: earlier failures had been handled
        return
    seen.add(id(error))
    if isinstance(error, sa.exc.DBAPIError) and error.orig is not None:
        yield Found(error.orig, error.statement, wrapped)
        return
    if package_of(error) in _drivers or _is_of_dbapi(error):
        yield Found(error, statement, wrapped)
        return
    found = False
    for member in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        for one in _search(member, statement, True, seen):
            found = True
            yield one
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and not found:
        yield from _search(before, statement, True, seen)


def _is_of_dbapi(error: BaseException) -> bool:
    """Return whether an error comes from a driver unknown to idstorm: PEP 249 requires each to have `apilevel`."""
    packages = {kind.__module__.partition(".")[0] for kind in type(error).__mro__} - {"builtins"}
    return any(hasattr(sys.modules.get(package), "apilevel") for package in packages)
