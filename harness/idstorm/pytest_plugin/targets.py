"""The databases on which a test storms: which they are, their names, and whether they are available."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest
import sqlalchemy as sa

from idstorm.databases.base import Database
from idstorm.databases.private.shared import shared_server
from idstorm.databases.targets import Address, resolve
from idstorm.errors import EnvironmentFault, UsageError
from idstorm.pytest_plugin.options import configured
from idstorm.pytest_plugin.sharing import session_of


def targets_of(config: pytest.Config, mark: pytest.Mark | None) -> list[str]:
    """Return the targets that a mark names, or else those that are configured."""
    named = mark.kwargs.get("on") if mark is not None else None
    named = [named] if isinstance(named, str) else named
    return list(dict.fromkeys(named or configured(config, "on") or ["sqlite"]))


def names_of(targets: Sequence[str]) -> list[str]:
    """Return a readable name for each target, which never shows a URL's contents."""
    names = [target.partition("://")[0].partition("+")[0] for target in targets]
    names = [name if name.isidentifier() else "target" for name in names]
    many, seen = Counter(names), Counter[str]()
    for place, name in enumerate(names):
        if many[name] > 1:
            seen[name] += 1
            names[place] = f"{name}-{seen[name]}"
    return names


def open_target(config: pytest.Config, target: str) -> Address:
    """Return an available database. If it is not available, the test is skipped, or fails if it is required."""
    try:
        address = resolve(target)
    except UsageError as error:
        raise pytest.fail.Exception(str(error).removeprefix("--on: "), pytrace=False) from None
    fault = address.fault
    try:
        if address.programs is not None:
            url = shared_server(address.database.name, session_of(config))
            address = replace(address, url=sa.make_url(url), programs=None)
        elif fault is None and not address.database.serverless:
            fault = _out_of_reach(address.database, address.url)
    except EnvironmentFault as error:
        fault = str(error)
    if fault is None:
        return address
    if configured(config, "require"):
        pytest.fail(f"{fault} (idstorm's databases are required here)", pytrace=False)
    pytest.skip(fault)


@cache
def _out_of_reach(database: Database, url: sa.URL) -> str | None:
    """Return why a database cannot be reached; each process asks only once."""
    try:
        with database.administer(url):
            return None
    except EnvironmentFault as error:
        return str(error)
