"""From an object in Python code to a scenario that other processes can import."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from idstorm import catalogue
from idstorm.catalogue import Found
from idstorm.errors import UsageError
from idstorm.internals import is_of_pytest
from idstorm.scenario import Scenario


def found_of(asked: str | type | Scenario, here: ModuleType | None) -> list[Found]:
    """Return the scenarios that code in a module asks for: by reference, or as a mapped class or a `Scenario`.

    A worker imports the module by name if a fresh interpreter finds it that way, or else by the path of its file.
    Raises UsageError for an object that no other process can find.
    """
    if isinstance(asked, str):
        return catalogue.find(asked)
    if not isinstance(asked, Scenario) and not hasattr(asked, "__mapper__"):
        raise UsageError(
            f"{asked!r} is neither a mapped class, nor a Scenario, nor a reference such as 'package.module:Name'"
        )
    shown = "the scenario" if isinstance(asked, Scenario) else asked.__name__
    for module in _modules(asked, here):
        name = next((name for name, value in vars(module).items() if value is asked), None)
        path = getattr(module, "__file__", None)
        if name is not None and path is not None:
            origin = module.__name__ if _is_importable(module) else str(Path(path).resolve())
            scenario = asked if isinstance(asked, Scenario) else Scenario(asked)
            return [Found(_title(origin, name), f"{origin}:{name}", scenario, module.__doc__ or "")]
    raise UsageError(
        f"{shown} is not at the top level of a module, where a storm's workers, which are separate processes, "
        "could find it: define it at the top level of this file, or in a separate module, or name it "
        "'package.module:Name'"
    )


def path_here() -> tuple[str, ...]:
    """Return this interpreter's sys.path, as other processes need it."""
    return tuple(dict.fromkeys(os.path.abspath(path) for path in sys.path))


def _modules(asked: type | Scenario, here: ModuleType | None) -> Iterator[ModuleType]:
    model = asked.model if isinstance(asked, Scenario) else asked
    if here is not None:
        yield here
    if (own := sys.modules.get(model.__module__)) is not None:
        yield own
    if isinstance(asked, Scenario):
        yield from [module for module in sys.modules.values() if isinstance(module, ModuleType)]


def _is_importable(module: ModuleType) -> bool:
    """Return whether a fresh interpreter with this one's sys.path would import the same file by the module's name."""
    name, where, spec = "", None, None
    for part in module.__name__.split("."):
        name = f"{name}.{part}" if name else part
        spec = _find(name, where)
        if spec is None:
            return False
        where = spec.submodule_search_locations
    assert module.__file__ is not None
    origin = None if spec is None else spec.origin
    return origin is not None and os.path.realpath(origin) == os.path.realpath(module.__file__)


def _find(name: str, where: list[str] | None) -> ModuleSpec | None:
    for finder in sys.meta_path:
        if is_of_pytest(finder):  # it is not there in a worker
            continue
        try:
            spec = finder.find_spec(name, where)
        except (ImportError, AttributeError):
            continue
        if spec is not None:
            return spec
    return None


def _title(origin: str, name: str) -> str:
    return f"{Path(origin).stem if origin.endswith('.py') else origin}:{name}"
