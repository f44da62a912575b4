"""Loading the module of a scenario: by its name in the catalogue, by its file, or by its own name."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from idstorm.catalogue.places import added, folder, names, own_names
from idstorm.errors import LibraryMissing, ScenarioError, UsageError, show_users_error

_EXTRAS = {
    "async": ("aiomysql", "aiosqlite", "psycopg"),
    "flask": ("flask", "flask_sqlalchemy", "gunicorn", "httpx"),
    "ids": ("snowflake", "ulid", "uuid_utils"),
}
"""The extras of the distribution that bring what a file of the catalogue imports."""


def current_directory_first() -> None:
    """Put the current directory first on sys.path: a console script does not have it there, and users' models are."""
    put_first(os.getcwd())


def put_first(*paths: str) -> None:
    """Put folders first on sys.path."""
    sys.path[:] = [*paths, *(other for other in sys.path if other not in paths)]


def load(where: str) -> ModuleType:
    """Return a module by its file or its name. Raises UsageError, and ScenarioError where it cannot be imported."""
    return load_from(where, f"{where}:")[0]


def load_from(where: str, reference: str) -> tuple[ModuleType, str]:
    """Return a module and what finds it again: a name of the catalogue, an absolute path or a module's name."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # write nothing beside the user's files
    try:
        if where in own_names():
            return _load_own(where), where
        if where in added():
            return _load_added(where), where
        if where.endswith(".py") or "/" in where:
            path = Path(where).resolve()
            if not path.is_file():
                raise UsageError(f"there is no file {where}")
            return _load_file(path), str(path)
        if where != reference:
            return importlib.import_module(where), where
    except UsageError:
        raise
    except BaseException as error:
        if isinstance(error, ModuleNotFoundError) and error.name and f"{where}.".startswith(f"{error.name}."):
            raise UsageError(_unknown(where, f"there is no module {error.name}")) from error
        if isinstance(error, KeyboardInterrupt):
            raise
        raise ScenarioError(f"{where} cannot be imported\n{show_users_error(error)}") from error
    finally:
        sys.dont_write_bytecode = before
    raise UsageError(_unknown(reference, f"there is no scenario {reference!r}"))


def _load_own(name: str) -> ModuleType:
    """Import a file of the catalogue. Raises LibraryMissing."""
    try:
        return _load_file(folder() / f"{name}.py")
    except ModuleNotFoundError as error:
        module = str(error.name).partition(".")[0]
        extra = next((extra for extra, modules in _EXTRAS.items() if module in modules), None)
        if extra is None:
            raise
        raise LibraryMissing(f"{name} needs {module}: pip install 'idstorm[{extra}]'") from error


def _load_added(name: str) -> ModuleType:
    """Import a module that another distribution adds, under its own name. Raises UsageError."""
    one = added()[name]
    if one.fault is not None:
        raise UsageError(f"{one.giver} adds {name}, which cannot be used: {one.fault}")
    return importlib.import_module(one.module)


def _unknown(name: str, what: str) -> str:
    near = get_close_matches(name, names(), cutoff=0.5)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"{what}{hint or '.'} `idstorm list` shows the catalogue; a file is file.py, a model is module:Name"


def _load_file(path: Path) -> ModuleType:
    """Import a file under one private name, the same in every process.

    It is in `sys.modules` before it is executed: mapping looks annotations up there.
    """
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    name = f"_idstorm_{path.stem}_{digest}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
