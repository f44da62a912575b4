"""Finding scenarios by references."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, TypeGuard

from sqlalchemy import Table

from idstorm.catalogue.loading import load_from
from idstorm.catalogue.places import added, folder, in_a_line, own_names
from idstorm.errors import LibraryMissing, ScenarioError, UsageError
from idstorm.scenario import Row, Scenario
from idstorm.scenario.function import scenario_of

INTO = "->"
"""In a reference, what stands between a function and the model that it inserts into."""


@dataclass(frozen=True)
class Found:
    """A scenario, and how to find it again from another process."""

    name: str
    reference: str
    scenario: Scenario
    essay: str
    summary: str = ""  #: in a sentence
    file: str | None = None  #: where it is written


@dataclass(frozen=True)
class Missing:
    """A file of the catalogue that cannot be imported here, and how to fix that."""

    name: str
    essay: str
    reason: str


def find(reference: str) -> list[Found]:
    """Return the scenarios that a reference means.

    Raises UsageError where there are none, with the nearest names, and ScenarioError with the user's own traceback
    where their file cannot be imported.
    """
    work, _, model = (part.strip() for part in reference.partition(INTO))
    if model:
        return [_of_function(work, model)]
    where, _, name = reference.rpartition(":") if _has_name(reference) else (reference, "", "")
    module, origin = load_from(where, reference)
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
    module, origin = load_from(where, work)
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
    for name in own_names():
        try:
            yield from find(name)
        except LibraryMissing as error:
            essay = ast.get_docstring(ast.parse((folder() / f"{name}.py").read_text(encoding="utf-8"))) or ""
            yield Missing(name, essay, str(error))
    for name, one in added().items():
        try:
            if one.fault is not None:
                raise UsageError(one.fault)
            yield from find(name)
        except (UsageError, ScenarioError) as error:
            cause = error.__cause__  # of which a ScenarioError shows the traceback, in many lines
            why = str(error) if cause is None else in_a_line(cause)
            yield Missing(name, "", f"{one.giver} adds it, and it cannot be used: {why}")


def _has_name(reference: str) -> bool:
    tail = reference.rpartition(":")[2]
    return ":" in reference and "/" not in tail and "\\" not in tail


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
    if inspect.isroutine(of):
        return _found(module, origin, name, scenario_of(of, None, column))
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
    essay, file = inspect.cleandoc(module.__doc__ or ""), getattr(module, "__file__", None)
    summary = _docstrings(file).get(key) or essay.partition("\n")[0]
    return Found(name, f"{origin}:{key}", scenario, essay, summary, file)


@cache
def _docstrings(file: str | None) -> dict[str, str]:
    """Return the text below each assignment at the top level of a file, by name: what that variant does."""
    try:
        body = ast.parse(Path(file or "").read_text(encoding="utf-8")).body
    except (OSError, SyntaxError, ValueError):
        return {}
    return {
        target.id: inspect.cleandoc(text.value.value).partition("\n")[0]
        for one, text in pairwise(body)
        if isinstance(one, ast.Assign | ast.AnnAssign)
        and isinstance(target := one.target if isinstance(one, ast.AnnAssign) else one.targets[0], ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }
