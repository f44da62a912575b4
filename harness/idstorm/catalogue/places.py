"""Where the catalogue lies: idstorm's own files, and the modules that other distributions add."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import idstorm
from idstorm import extensions


def folder() -> Path:
    """Return where the catalogue lies: in the package where it is installed, beside the harness in a checkout."""
    package = Path(idstorm.__file__).parent
    inside = package / "scenarios"
    return inside if inside.is_dir() else package.parents[1] / "scenarios"


def names() -> list[str]:
    """Return the names of the catalogue: of idstorm's own files, and then of what others add."""
    return [*own_names(), *added()]


def own_names() -> list[str]:
    """Return the names of idstorm's own files."""
    return sorted(path.stem for path in folder().glob("*.py") if not path.stem.startswith("_"))


@dataclass(frozen=True)
class Added:
    """A module that another distribution adds."""

    module: str
    giver: str
    fault: str | None = None  #: why there is no such module, or it has no name of its own


@cache
def added() -> dict[str, Added]:
    """Return what other distributions add, by its name in the catalogue, without importing more than their packages."""
    found = dict[str, Added]()
    for one in extensions.added(extensions.SCENARIOS):
        giver = extensions.giver_of(one)
        try:
            spec = importlib.util.find_spec(one.value)
            fault = None if spec is not None else f"there is no module {one.value}"
        except (Exception, SystemExit) as error:  # of another's package, or of what is no name of a module
            spec, fault = None, in_a_line(error)
        modules = {one.name: one.value}
        if spec is not None and spec.submodule_search_locations is not None:
            inside = [path for place in spec.submodule_search_locations for path in sorted(Path(place).glob("*.py"))]
            modules = {path.stem: f"{one.value}.{path.stem}" for path in inside if not path.stem.startswith("_")}
        for name, module in modules.items():
            if name in found or name in own_names():
                taken = f"the catalogue has another {name}: give WHERE as the module, {module}:NAME"
                found[f"{name} ({module})"] = Added(module, giver, taken)
            else:
                found[name] = Added(module, giver, fault)
    return found


def in_a_line(error: BaseException) -> str:
    """Return an error with its class, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())
