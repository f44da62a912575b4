"""Finding a driver's error in the chain of another: what SQLAlchemy, an application or a task group has wrapped."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa

_drivers = set[str]()
"""The packages whose errors come from a database that can be stormed: each adds its own as its class is made."""


@dataclass(frozen=True)
class Found:
    """A driver's error that was found in a chain."""

    error: BaseException
    statement: str | None  #: which failed, where SQLAlchemy says
    wrapped: bool  #: another error was raised for it: more may have been done in between


def remember(packages: Iterable[str]) -> None:
    """Know the errors of these packages as a driver's from now on."""
    _drivers.update(packages)


def package_of(error: BaseException) -> str:
    """Return the package that an error's class comes from: the driver's, where it derives from one of a driver's."""
    packages = [kind.__module__.partition(".")[0] for kind in type(error).__mro__]
    return next((one for one in packages if one in _drivers), packages[0])


def errors_of_drivers(error: BaseException) -> list[Found]:
    """Return the driver's error that is nearest in the chain of an error: of each member, where it is a group.

    What was raised `from` another counts, and what was raised while another was handled, unless that was suppressed.
    """
    return list(_search(error, None, False, set()))


def _search(error: BaseException, statement: str | None, wrapped: bool, seen: set[int]) -> Iterator[Found]:
    if id(error) in seen or isinstance(error, sa.exc.TimeoutError):  # the pool's: what had failed before was got over
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
    """Return whether an error comes from a driver that idstorm does not know: PEP 249 asks each for `apilevel`."""
    packages = {kind.__module__.partition(".")[0] for kind in type(error).__mro__} - {"builtins"}
    return any(hasattr(sys.modules.get(package), "apilevel") for package in packages)
