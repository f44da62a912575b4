"""A user's own check: a function of the same evidence that idstorm's checks have.

    @check("ids_are_even", meaning="every id is even", figures={"odd": "ids"})
    def ids_are_even(evidence: Evidence) -> Finding: ...

It is judged for every scenario whose claims name it, on every target, and shown like any other. `--fail-if
'ids_are_even.odd > 0'` can use its figures. If a stored run is judged again without its code, it is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from keyword import iskeyword
from types import FunctionType
from typing import Any

from idstorm.errors import ScenarioError
from idstorm.findings.checks import Check, Figure, register
from idstorm.findings.finding import Finding
from idstorm.record.plan import OwnCheck

_RESERVED = ("operations", "errors")
"""What a report calls its other figures."""


def check(
    name: str, *, meaning: str, figures: Mapping[str, str] | None = None
) -> Callable[[Callable[[Any], Finding]], Check]:
    """Return a decorator that makes a check of a function from an `idstorm.judge.evidence.Evidence` to a `Finding`.

    `meaning` says in one sentence what is true if it holds, `figures` names what its findings count or measure, each
    with its unit. A broken finding needs at least one witness. It must be a pure function: a stored run is judged with
    it again. Raises ScenarioError for a name that is taken or is not an identifier.
    """
    figures = {} if figures is None else figures
    if not _is_name(name) or name in _RESERVED:
        raise ScenarioError(f"check({name!r}) needs a name that is an identifier, and neither operations nor errors")
    if not isinstance(meaning, str) or not meaning.strip():
        raise ScenarioError(f"check({name!r}) needs a meaning: one sentence on what is true where it holds")
    if not isinstance(figures, Mapping) or not all(_is_name(key) and isinstance(figures[key], str) for key in figures):
        raise ScenarioError(f"figures of check({name!r}) are names with their units, such as figures={{'odd': 'ids'}}")
    if taken := {"repetitions", "ledger"} & set(figures):
        raise ScenarioError(f"check({name!r}) cannot call a figure {taken.pop()}: reports use that name themselves")
    declared = {key: Figure(unit, where_held=True) for key, unit in figures.items()}

    def registered(judge: Callable[[Any], Finding]) -> Check:
        if not isinstance(judge, FunctionType):
            raise ScenarioError(f"check({name!r}) decorates a function, not {judge!r}")
        origin = f"{judge.__module__}:{judge.__qualname__}"
        one = Check(name, meaning, judge, declared, origin=origin, file=judge.__code__.co_filename)
        register(one)
        return one

    return registered


def described(check: Check | None) -> OwnCheck | None:
    """Return what a plan stores about a user's own check."""
    if check is None:
        return None
    return OwnCheck(check.meaning, check.origin, check.file, {name: one.unit for name, one in check.figures.items()})


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name.isidentifier() and not iskeyword(name)
