"""Claims about the checks of a storm, and the targets that they apply to."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from idstorm.errors import ScenarioError
from idstorm.findings.checks import CHECKS, Check, held_by_default, in_order, is_known, known, own_check
from idstorm.findings.results import Stance
from idstorm.record.plan import Claim, Target
from idstorm.scenario.conditions import Condition, When, applies, condition, specificity
from idstorm.scenario.own import described


@dataclass(frozen=True)
class Claims:
    """A claim about some checks, and where it applies. Made by `holds`, `may_break` and `breaks`."""

    stance: Stance
    checks: tuple[str, ...]  #: their names
    why: str
    when: Condition

    def __post_init__(self) -> None:
        if not self.checks:
            raise ScenarioError(f"{self.stance}() names no check")
        for check in self.checks:
            if not is_known(check):
                there = ", ".join(one.name for one in known())
                raise ScenarioError(f"{self.stance}() names {check!r}, which is not a check; there are {there}")
        if "pressure" in self.checks and self.stance is not Stance.HOLDS:
            raise ScenarioError("every other verdict depends on pressure: it cannot be claimed away")

    @property
    def specificity(self) -> int:
        """Of two claims that apply, the one with the higher number wins."""
        return specificity(self.when)

    def applies(self, target: Target) -> bool:
        """Whether the claim is made for this target."""
        return applies(self.when, target)


def _claims(stance: Stance, checks: tuple[str | Check, ...], why: str, when: When | None) -> Claims:
    names = tuple(check.name if isinstance(check, Check) else check for check in checks)
    return Claims(stance, names, why, condition(when))


def holds(*checks: str | Check, why: str = "", when: When | None = None) -> Claims:
    """Claim that these checks hold: where one is broken, the storm fails.

    `when` limits a claim to targets with any of these capabilities or dialects, or whose facts satisfy a predicate.
    """
    return _claims(Stance.HOLDS, checks, why, when)


def may_break(*checks: str | Check, why: str, when: When | None = None) -> Claims:
    """Claim that these checks may break legitimately: the result is shown, and passes either way."""
    return _claims(Stance.MAY_BREAK, checks, why, when)


def breaks(*checks: str | Check, why: str, when: When | None = None) -> Claims:
    """Claim that these checks break under pressure: passed with a witness, inconclusive without."""
    return _claims(Stance.BREAKS, checks, why, when)


def overlap(one: Claims, other: Claims) -> bool:
    """Whether two claims can apply to one target."""
    if isinstance(one.when, frozenset) and isinstance(other.when, frozenset):
        return bool(one.when & other.when)
    return True


def resolve_claims(
    claimed: Iterable[Claims], target: Target, default: Collection[str] | None = None
) -> dict[str, Claim]:
    """Return the claim about each check that applies to this target. Raises ScenarioError if two apply equally.

    `default` names the checks that hold where nothing is claimed of them; None: as the checks themselves have it.
    """
    default = held_by_default() if default is None else default
    claimed = tuple(claimed)
    named = {check: described(own_check(check)) for claims in claimed for check in claims.checks}
    resolved = {
        check: Claim(Stance.HOLDS if check in default else Stance.MAY_BREAK, own=named.get(check))
        for check in in_order([*CHECKS, *named])
    }
    chosen: dict[str, Claims] = {}
    for claims in claimed:
        for check in claims.checks if claims.applies(target) else ():
            rival = chosen.get(check)
            if rival is not None and rival.specificity == claims.specificity:
                raise ScenarioError(f"two equally specific claims about {check} apply to {target.dialect}")
            if rival is None or rival.specificity < claims.specificity:
                chosen[check] = claims
                resolved[check] = Claim(claims.stance, claims.why, named=True, own=named[check])
    return resolved
