"""`list` and `show`: what there is to storm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from idstorm import catalogue
from idstorm.catalogue import Found, Missing
from idstorm.errors import UsageError
from idstorm.findings.checks import CHECKS
from idstorm.findings.results import Stance


def scenarios(words: Sequence[str] = (), breaks: str | None = None) -> Iterator[tuple[str, str]]:
    """Yield name and summary of each scenario of the catalogue in whose name or essay all of these words are.

    `breaks`: only those that are claimed to break this check, on some database. Raises UsageError for what is no check.
    """
    if breaks is not None and breaks not in CHECKS:
        raise UsageError(f"--breaks: {breaks} is not a check: there are {', '.join(CHECKS)}")
    for found in catalogue.all_scenarios():
        summary = found.essay.partition("\n")[0] if isinstance(found, Missing) else found.summary
        text = f"{found.name} {summary} {found.essay}".casefold()
        if not all(word.casefold() in text for word in words) or (breaks is not None and not _breaks(found, breaks)):
            continue
        yield found.name, f"{summary} ({found.reason})" if isinstance(found, Missing) else summary


def _breaks(found: Found | Missing, check: str) -> bool:
    claims = () if isinstance(found, Missing) else found.scenario.claims
    return any(check in claim.checks and claim.stance is Stance.BREAKS for claim in claims)


def show(reference: str) -> list[Found]:
    """Return the scenarios that a reference means. Raises UsageError."""
    catalogue.current_directory_first()
    return catalogue.find(reference)
