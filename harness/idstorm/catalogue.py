"""Finding scenarios: in the catalogue, in a file, in a module.

A reference is ``WHERE[:NAME]``. WHERE is a name of the catalogue, the path of a ``.py`` file or a module; NAME is a
`Scenario` or a mapped class in it. Without a NAME, all scenarios of the file are meant.

Other distributions add to the catalogue by entry points of the group `idstorm.scenarios`. Each leads to a module, which
has the entry point's name here, or to a package, whose modules have their own, but for those that begin with `_`:

    [project.entry-points."idstorm.scenarios"]
    vectors = "idstorm_vectors.scenarios"

They are listed, found and stormed, by `matrix` too, like idstorm's own, which come first: a name of one of those, or of
another distribution's, is not taken a second time, and what cannot be imported is shown with the reason.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, TypeGuard

from sqlalchemy import Table

import idstorm
from idstorm import extensions
from idstorm.errors import LibraryMissing, ScenarioError, UsageError, show_users_error
from idstorm.scenario import Row, Scenario
from idstorm.scenario.function import scenario_of

_EXTRAS = {
    "async": ("aiomysql", "aiosqlite", "psycopg"),
    "flask": ("flask", "flask_sqlalchemy", "gunicorn", "httpx"),
    "ids": ("snowflake", "ulid", "uuid_utils"),
}
"""The extras of the distribution that bring what a file of the catalogue imports."""


INTO = "->"
"""In a reference, what stands between a function and the model that it inserts into."""


@dataclass(frozen=True)
class Found:
    """A scenario, and how to find it again from another process."""

    name: str
    reference: str
    scenario: Scenario
    essay: str


@dataclass(frozen=True)
class Missing:
    """A file of the catalogue that cannot be imported here, and how to fix that."""

    name: str
    essay: str
    reason: str


def folder() -> Path:
    """Return where the catalogue lies: in the package where it is installed, beside the harness in a checkout."""
    package = Path(idstorm.__file__).parent
    inside = package / "scenarios"
    return inside if inside.is_dir() else package.parents[1] / "scenarios"


def names() -> list[str]:
    """Return the names of the catalogue: of idstorm's own files, and then of what others add."""
    return [*_own_names(), *_added()]


def _own_names() -> list[str]:
    return sorted(path.stem for path in folder().glob("*.py") if not path.stem.startswith("_"))


@dataclass(frozen=True)
class _Added:
    """A module that another distribution adds."""

    module: str
    giver: str
    fault: str | None = None  #: why there is no such module, or it has no name of its own


@cache
def _added() -> dict[str, _Added]:
    """Return what other distributions add, by its name in the catalogue, without importing more than their packages."""
    found = dict[str, _Added]()
    for one in extensions.added(extensions.SCENARIOS):
        giver = extensions.giver_of(one)
        try:
            spec = importlib.util.find_spec(one.value)
            fault = None if spec is not None else f"there is no module {one.value}"
        except (Exception, SystemExit) as error:  # of another's package, or of what is no name of a module
            spec, fault = None, _in_a_line(error)
        modules = {one.name: one.value}
        if spec is not None and spec.submodule_search_locations is not None:
            inside = [path for place in spec.submodule_search_locations for path in sorted(Path(place).glob("*.py"))]
            modules = {path.stem: f"{one.value}.{path.stem}" for path in inside if not path.stem.startswith("_")}
        for name, module in modules.items():
            if name in found or name in _own_names():
                taken = f"the catalogue has another {name}: give WHERE as the module, {module}:NAME"
                found[f"{name} ({module})"] = _Added(module, giver, taken)
            else:
                found[name] = _Added(module, giver, fault)
    return found


def find(reference: str) -> list[Found]:
    """Return the scenarios that a reference means.

    Raises UsageError where there are none, with the nearest names, and ScenarioError with the user's own traceback
    where their file cannot be imported.
    """
    work, _, model = (part.strip() for part in reference.partition(INTO))
    if model:
        return [_of_function(work, model)]
    where, _, name = reference.rpartition(":") if _has_name(reference) else (reference, "", "")
    module, origin = _load(where, reference)
    scenarios = {
        key: value for key, value in vars(module).items() if isinstance(value, Scenario) and not key.startswith("_")
    }
    if name:
        return [_named(module, origin, name)]
    if not scenarios:
        models = {key: value for key, value in vars(module).items() if _is_own_model(value, module)}
        if len(models) != 1:
            some = f": name one of them, as {where}:{next(iter(models))}" if models else ""
            raise UsageError(f"{where} holds no scenario and {len(models) or 'no'} mapped classes{some}")
        return [_named(module, origin, next(iter(models)))]
    return [_found(module, origin, key, scenario) for key, scenario in scenarios.items()]


def _of_function(work: str, model: str) -> Found:
    """Return the scenario of a function that inserts into a model. Raises UsageError."""
    where, _, name = work.rpartition(":") if _has_name(work) else (work, "", "")
    module, origin = _load(where, work)
    function = getattr(module, name, None)
    if not inspect.isroutine(function):
        raise UsageError(f"{work} is not a function: {INTO} names the model that a function inserts into")
    (into,) = find(model)
    chosen = into.scenario.id
    if chosen is not None and not isinstance(chosen, str):
        raise UsageError(f"{model} names a scenario: name a mapped class, or a column of one, such as {model}.id")
    scenario = scenario_of(function, into.scenario.mapped, chosen)
    found = _found(module, origin, name, scenario)
    return replace(found, reference=f"{found.reference} {INTO} {into.reference}")


def all_scenarios() -> Iterator[Found | Missing]:
    """Yield the whole catalogue, in the order of its files' names, with those that lack a library."""
    for name in _own_names():
        try:
            yield from find(name)
        except LibraryMissing as error:
            essay = ast.get_docstring(ast.parse((folder() / f"{name}.py").read_text(encoding="utf-8"))) or ""
            yield Missing(name, essay, str(error))
    for name, added in _added().items():
        try:
            if added.fault is not None:
                raise UsageError(added.fault)
            yield from find(name)
        except (UsageError, ScenarioError) as error:
            cause = error.__cause__  # of which a ScenarioError shows the traceback, in many lines
            why = str(error) if cause is None else _in_a_line(cause)
            yield Missing(name, "", f"{added.giver} adds it, and it cannot be used: {why}")


def _in_a_line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def current_directory_first() -> None:
    """Put the current directory first on sys.path: a console script does not have it there, and users' models are."""
    put_first(os.getcwd())


def put_first(*paths: str) -> None:
    """Put folders first on sys.path."""
    sys.path[:] = [*paths, *(other for other in sys.path if other not in paths)]


def _has_name(reference: str) -> bool:
    tail = reference.rpartition(":")[2]
    return ":" in reference and "/" not in tail and "\\" not in tail


def load(where: str) -> ModuleType:
    """Return a module by its file or its name. Raises UsageError, and ScenarioError where it cannot be imported."""
    return _load(where, f"{where}:")[0]


def _load(where: str, reference: str) -> tuple[ModuleType, str]:
    """Return a module and what finds it again: a name of the catalogue, an absolute path or a module's name."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # write nothing beside the user's files
    try:
        if where in _own_names():
            return _load_own(where), where
        if where in _added():
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
    added = _added()[name]
    if added.fault is not None:
        raise UsageError(f"{added.giver} adds {name}, which cannot be used: {added.fault}")
    return importlib.import_module(added.module)


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


def _named(module: ModuleType, origin: str, name: str) -> Found:
    value = getattr(module, name, None)
    if isinstance(value, Scenario):
        return _found(module, origin, name, value)
    if _is_model(value):
        return _found(module, origin, name, Scenario(value))
    if inspect.isroutine(value):
        return _found(module, origin, name, scenario_of(value, None))
    model, _, column = name.rpartition(".")
    if _is_model(of := getattr(module, model, None)):
        return _found(module, origin, name, Scenario(of, id=column))
    candidates = [
        key for key, value in vars(module).items() if isinstance(value, Scenario) or _is_own_model(value, module)
    ]
    near = get_close_matches(name, candidates, cutoff=0.3) or candidates
    hint = f"; there is {', '.join(near)}" if near else "; it has neither"
    what = "is neither a scenario nor a mapped class" if hasattr(module, name) else "is not there"
    raise UsageError(f"{name} in {origin} {what}{hint}")


def _is_model(value: object) -> TypeGuard[type[Any] | Table]:
    return isinstance(value, Table) or (isinstance(value, type) and hasattr(value, "__mapper__"))


def _is_own_model(value: object, module: ModuleType) -> bool:
    return (
        isinstance(value, type)
        and value is not Row
        and hasattr(value, "__mapper__")
        and value.__module__ == module.__name__
    )


def _found(module: ModuleType, origin: str, key: str, scenario: Scenario) -> Found:
    stem = Path(origin).stem if origin.endswith(".py") else origin
    name = stem if key == stem else f"{stem}:{key}"
    return Found(name, f"{origin}:{key}", scenario, inspect.cleandoc(module.__doc__ or ""))
