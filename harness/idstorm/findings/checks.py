"""The facts of each check: its name, meaning, figures and words, and the function that judges.

The checks of idstorm are the files of `idstorm.judge.checks`: they are found there by name, so that code that names a
check, counts its figures or shows its findings takes these from its own file, and imports nothing of the judge until a
check is used. Users' own checks are registered by `idstorm.scenario.check`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from idstorm.errors import ScenarioError
from idstorm.findings.finding import Finding

_WHERE = "idstorm.judge.checks"
_FOLDERS = [Path(__file__).parents[1] / "judge" / "checks"]  # looked through without an import of the judge

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """A number or text that a check reports."""

    unit: str  #: its unit: ids, rows, ms
    number: bool = True  #: False: it is text, which no gate can limit
    where_held: bool = False  #: shown even if the check held
    even_if_zero: bool = False


def in_words(figures: Figures, first: Figures) -> str:
    """Describe what broke: the figures that are not zero, and the first witness's id or first item."""
    counts = ", ".join(
        f"{value:,} {name.replace('_', ' ')}"
        for name, value in figures.items()
        if isinstance(value, int | float) and value
    )
    said = "id" if "id" in first else next(iter(first), None)
    return (counts if said is None else f"{counts} ({said} {first[said]})").strip()


@dataclass(frozen=True)
class Check:
    """A question asked of every storm, and everything known about it."""

    name: str
    meaning: str  #: what is true if it holds, in one sentence
    judge: Callable[[Any], Finding]
    """A pure function of the storm's evidence (`idstorm.judge.evidence.Evidence`)."""
    figures: Mapping[str, Figure] = field(default_factory=dict)
    """By name, or path (`ledger.deleted`), whatever its findings may hold."""
    holds: bool = False  #: it must hold where the scenario claims nothing of it; False: it may break
    broke: Callable[[Figures, Figures], str] = in_words
    """What broke, in a few words, from the figures and the first witness of a broken finding."""
    place: int = 1_000  #: where it stands in every report: those with a lower number come first
    origin: str = ""  #: what tells a user's own check from others of its name; empty for those of idstorm
    file: str = ""  #: where a user's own check is written

    def __call__(self, evidence: Any) -> Finding:
        """Return what it finds in a storm."""
        return self.judge(evidence)


_own: dict[str, Check] = {}
"""The checks that scenario files registered, in that order. Not thread-safe: files are imported by one thread."""


class _Checks(Mapping[str, Check]):
    """The checks of idstorm by name, in the order of every report. Their names are known without importing any."""

    def __getitem__(self, name: str) -> Check:
        return _found()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_found())

    def __len__(self) -> int:
        return len(names())

    def __contains__(self, name: object) -> bool:
        return name in names()


CHECKS: Mapping[str, Check] = _Checks()


@cache
def names() -> frozenset[str]:
    """Return the names of idstorm's checks, without importing them."""
    return frozenset(module.name for module in iter_modules(map(str, _FOLDERS)))


@cache
def _found() -> dict[str, Check]:
    checks: list[Check] = [import_module(f"{_WHERE}.{name}").CHECK for name in sorted(names())]
    return {check.name: check for check in sorted(checks, key=lambda check: check.place)}


def held_by_default() -> tuple[str, ...]:
    """Return the checks that must hold unless the scenario says otherwise; the others may break."""
    return tuple(check.name for check in CHECKS.values() if check.holds)


def is_known(name: str) -> bool:
    """Whether there is a check of this name, idstorm's or a user's own."""
    return name in CHECKS or name in _own


def known() -> list[Check]:
    """Return all checks: those of idstorm, then those of scenario files, in the order in which they came."""
    return [*CHECKS.values(), *_own.values()]


def own_check(name: str) -> Check | None:
    """Return the user's own check of this name, if a scenario file that was imported has one."""
    return _own.get(name)


def register(check: Check) -> None:
    """Add a user's own check. Importing a file again replaces its checks. Raises ScenarioError if the name is taken."""
    taken = _own.get(check.name)
    if check.name in names() or (taken is not None and _written(taken) != _written(check)):
        raise ScenarioError(f"there is already a check {check.name!r}: give yours another name")
    _own[check.name] = check


def _written(check: Check) -> tuple[str, str, Any]:
    """Return what identifies a check, whatever name its module was imported under: its code knows its file and line."""
    return os.path.realpath(check.file), check.origin.rpartition(":")[2], getattr(check.judge, "__code__", None)


def in_order(names: Iterable[str]) -> list[str]:
    """Return these names of checks, each once, in the order of reports: those of idstorm first."""
    named = dict.fromkeys(names)
    return [*(name for name in CHECKS if name in named), *(name for name in named if name not in CHECKS)]
