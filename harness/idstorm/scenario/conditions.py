"""Where a part of a scenario applies: everywhere, on targets with certain words, or where the facts fit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from idstorm.errors import ScenarioError, show_users_error
from idstorm.extensions import dialects
from idstorm.record.plan import CAPABILITIES, Target

Facts = Mapping[str, Any]
When = Collection[str] | Callable[[Facts], bool]
Condition = frozenset[str] | Callable[[Facts], bool] | None


def condition(when: When | None) -> Condition:
    """Return the condition that an author gave as `when=`. Raises ScenarioError for an unknown word."""
    if isinstance(when, str):
        raise ScenarioError(f"when={when!r} is a string: write when={{{when!r}}}")
    if when is None or callable(when):
        return when
    known_traits(when, "when")
    return frozenset(when)


def specificity(when: Condition) -> int:
    """Return how specific a condition is: of two that apply, the one with the higher number wins."""
    match when:
        case None:
            return 0
        case frozenset() as traits:
            return 2 if traits & (set(dialects()) - set(CAPABILITIES)) else 1
    return 3


def applies(when: Condition, target: Target) -> bool:
    """Return whether a condition is met by a target. Raises ScenarioError where its predicate fails."""
    match when:
        case None:
            return True
        case frozenset() as traits:
            return bool(traits & target.traits)
        case predicate:
            try:
                return bool(predicate(target.facts))
            except Exception as error:
                raise ScenarioError(f"the predicate after when= failed\n{show_users_error(error)}") from error


def known_traits(words: Collection[str], where: str) -> None:
    """Raise ScenarioError for a word that is neither a dialect nor a capability."""
    for word in words:
        if word not in CAPABILITIES and word not in dialects():
            known = ", ".join((*dialects(), *CAPABILITIES))
            raise ScenarioError(
                f"{where} names {word!r}, which is neither a dialect nor a capability; there are {known}"
            )


@dataclass(frozen=True)
class Failing:
    """The share of the operations that may fail, and where."""

    share: float
    why: str = ""
    when: When | None = None

    def __post_init__(self) -> None:
        condition(self.when)


def resolve_failing(allowances: Iterable[Failing], target: Target) -> float:
    """Return the share that may fail on a target.

    That is the share of the most specific allowance, or the larger of two equally specific ones.
    """
    shares = [(specificity(when), one.share) for one in allowances if applies(when := condition(one.when), target)]
    return max(shares, default=(0, 0.0))[1]
