"""Fixtures of all tests: a folder to be in, the command line, and databases."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from idstorm.cli.run import run
from idstorm.cli.sources import variable_of
from running import GITHUB, Idstorm
from servers import SERVERS, On, database, whole_session

pytest_plugins = ["pytester"]

settings.register_profile("no time is asserted", deadline=None)
settings.load_profile("no time is asserted")


def pytest_configure(config: pytest.Config) -> None:
    """Hold the session that the servers are kept for: its end ends them."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        held = ExitStack()
        held.enter_context(whole_session())
        config.add_cleanup(held.close)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Leave to `make release` what is tested on MySQL as well: before any hook chooses tests by their marks."""
    if _is_tested_on_mysql(item):
        item.add_marker(pytest.mark.release)


LONGEST_FIRST = ("catalogue", "pytest_plugin", "project", "databases", "storm", "model", "cli")
"""Folders whose tests take seconds. What is left for the end, to be shared out, are tests of milliseconds."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal the tests, longest first, to the test workers, each of which begins with its part of the list."""

    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)

    items.sort(key=place)
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    items[:] = [item for worker in range(workers) for item in items[worker::workers]]


def _is_tested_on_mysql(item: pytest.Item) -> bool:
    """Whether a test is one of MariaDB, which shares its code with MySQL, and is not about what databases do."""
    parameters = getattr(item, "callspec", None)
    about_databases = {"catalogue", "audit", "explore"} & set(item.path.parts) or item.path.stem == "test_compliance"
    return parameters is not None and "mariadb" in parameters.params.values() and not about_databases


@pytest.fixture(scope="session", autouse=True)
def nobodys_options() -> Iterator[None]:
    """No option of `idstorm run` comes from the variables of the shell that the tests are run in."""
    with pytest.MonkeyPatch.context() as patch:
        for param in run.params:
            patch.delenv(variable_of(param), raising=False)
        yield


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def idstorm(here: Path, monkeypatch: pytest.MonkeyPatch) -> Idstorm:
    """The command `idstorm`, run in an empty current directory, and as if GitHub did not run the tests."""
    for variable in GITHUB:
        monkeypatch.delenv(variable, raising=False)
    return Idstorm(here)


@pytest.fixture(params=["sqlite", *SERVERS])
def anywhere(request: pytest.FixtureRequest) -> On:
    """Each database in turn."""
    return database(request.param)


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> On:
    """Each database server in turn."""
    return database(request.param)


@pytest.fixture
def postgresql() -> On:
    """PostgreSQL."""
    return database("postgresql")
