"""What is claimed of the checks of a storm, and where."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from idstorm.errors import ScenarioError, show_users_error
from idstorm.record.outcome import Stance
from idstorm.record.plan import CAPABILITIES, DIALECTS, Claim, Target
from idstorm.record.verdict import CHECKS, DEFAULT_HOLDS

pressure, unique, single_use, accepted = "pressure", "unique", "single_use", "accepted"
durable, faithful, starts_at, gapless = "durable", "faithful", "starts_at", "gapless"
explained, ordered, visible, headroom = "explained", "ordered", "visible", "headroom"

Facts = Mapping[str, Any]
When = Collection[str] | Callable[[Facts], bool]


@dataclass(frozen=True)
class Claims:
    """What is claimed of some checks, and where. Made by `holds`, `may_break` and `breaks`."""

    stance: Stance
    checks: tuple[str, ...]
    why: str
    when: frozenset[str] | Callable[[Facts], bool] | None

    def __post_init__(self) -> None:
        if not self.checks:
            raise ScenarioError(f"{self.stance}() names no check")
        for check in self.checks:
            if check not in CHECKS:
                raise ScenarioError(
                    f"{self.stance}() names {check!r}, which is no check; there are {', '.join(CHECKS)}"
                )
        if pressure in self.checks and self.stance is not Stance.HOLDS:
            raise ScenarioError("pressure is what every other verdict stands on: it cannot be claimed away")
        if isinstance(self.when, frozenset):
            known_traits(self.when, "when")

    @property
    def specificity(self) -> int:
        """Of two claims that apply, the one with the higher number wins."""
        match self.when:
            case None:
                return 0
            case frozenset() as traits:
                return 2 if traits & set(DIALECTS) else 1
        return 3

    def applies(self, target: Target) -> bool:
        """Whether the claim is made for this target."""
        match self.when:
            case None:
                return True
            case frozenset() as traits:
                return bool(traits & target.traits)
            case predicate:
                try:
                    return bool(predicate(target.facts))
                except Exception as error:
                    raise ScenarioError(f"a claim's predicate failed\n{show_users_error(error)}") from error


def _claims(stance: Stance, checks: tuple[str, ...], why: str, when: When | None) -> Claims:
    if isinstance(when, str):
        raise ScenarioError(f"when={when!r} is a string: write when={{{when!r}}}")
    return Claims(stance, checks, why, when if when is None or callable(when) else frozenset(when))


def holds(*checks: str, why: str = "", when: When | None = None) -> Claims:
    """Claim that these checks hold: where one is broken, the storm fails.

    `when` limits a claim to targets with any of these capabilities or dialects, or whose facts satisfy a predicate.
    """
    return _claims(Stance.HOLDS, checks, why, when)


def may_break(*checks: str, why: str, when: When | None = None) -> Claims:
    """Claim that these checks may break, lawfully: shown, and passed either way."""
    return _claims(Stance.MAY_BREAK, checks, why, when)


def breaks(*checks: str, why: str, when: When | None = None) -> Claims:
    """Claim that these checks break under pressure: passed with a witness, inconclusive without."""
    return _claims(Stance.BREAKS, checks, why, when)


def overlap(one: Claims, other: Claims) -> bool:
    if isinstance(one.when, frozenset) and isinstance(other.when, frozenset):
        return bool(one.when & other.when)
    return True


def known_traits(words: Collection[str], where: str) -> None:
    for word in words:
        if word not in CAPABILITIES and word not in DIALECTS:
            known = ", ".join((*DIALECTS, *CAPABILITIES))
            raise ScenarioError(f"{where} names {word!r}, which is no dialect or capability; there are {known}")


def resolve_claims(claimed: Iterable[Claims], target: Target) -> dict[str, Claim]:
    """Return the claim about each check that counts on this target. Raises ScenarioError where two would."""
    resolved = {check: Claim(Stance.HOLDS if check in DEFAULT_HOLDS else Stance.MAY_BREAK) for check in CHECKS}
    chosen: dict[str, Claims] = {}
    for claims in claimed:
        for check in claims.checks if claims.applies(target) else ():
            rival = chosen.get(check)
            if rival is not None and rival.specificity == claims.specificity:
                raise ScenarioError(f"two equally specific claims about {check} apply to {target.dialect}")
            if rival is None or rival.specificity < claims.specificity:
                chosen[check] = claims
                resolved[check] = Claim(claims.stance, claims.why, named=True)
    return resolved
